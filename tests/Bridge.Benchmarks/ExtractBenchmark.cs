using System.Globalization;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using FhirExtraction = Bridge.Fhir.Extraction.Extraction;

namespace Bridge.Benchmarks;

/// <summary>
/// Extraction on one core over the 100 Synthea bundles, from bytes in memory to outcomes, beside (a) a bare reader walk over the same bytes and
/// (b) deserialising the same resources into classes. All three in turn within one run, so that the machine's mood hits them alike.
/// </summary>
internal sealed class ExtractBenchmark : IBenchmark
{
    private const int Rounds = 11;

    // over so little at once the processor clock would be too coarse
    private const int Repeats = 4;

    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly ExtractionContext Context = new() { Now = Now, RareConsented = true, ConsentedCategories = [.. SensitiveNodes.Categories] };

    public string Name => "extract";

    public string What => "extraction in MB/s per core, beside a bare reader walk and deserialising into classes; bytes allocated per encounter";

    public Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var bundles = SampleBytes.Synthea();
        var megabytes = bundles.Sum(b => (double)b.Length) / 1e6;
        var extractor = new SummaryExtractor(new Minimiser(Terminology.LoadFolder(SampleBytes.Maps)), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var framed = bundles.Select(b => BundleFiles.Read(b)).ToList();
        Console.WriteLine($"100 Synthea bundles, {megabytes.ToString("0.0", CultureInfo.InvariantCulture)} MB, {framed.Sum(f => f.Count)} encounters; {SampleBytes.Machine}; one thread, {Rounds} rounds in turn");

        (string Name, Func<byte[], long> Run)[] ways =
        [
            ("bare Utf8JsonReader walk", Walk),
            ("classes (System.Text.Json)", ClassModels.Read),
            ("extraction", bundle => ExtractAll(extractor, bundle)),
            ("  of it: framing alone", bundle => BundleFraming.Frame(bundle, ResourceLimits.MaxResourceBytes).Resources.Count),
            ("  of it: framing, grouping", bundle => BundleFiles.Read(bundle).Count),
        ];
        var speeds = ways.Select(_ => new Spread()).ToArray();
        foreach (var (_, run) in ways)
            bundles.ForEach(b => run(b));
        for (var round = 0; round < Rounds; round++)
        {
            for (var way = 0; way < ways.Length; way++)
            {
                cancellation.ThrowIfCancellationRequested();
                GC.Collect();
                // processor time, not the wall's: per core means that others on the machine do not count
                var started = Environment.CpuUsage.TotalTime;
                for (var repeat = 0; repeat < Repeats; repeat++)
                    foreach (var bundle in bundles)
                        ways[way].Run(bundle);
                speeds[way].Add(megabytes * Repeats / (Environment.CpuUsage.TotalTime - started).TotalSeconds);
            }
        }
        for (var way = 0; way < ways.Length; way++)
            Console.WriteLine($"  {ways[way].Name,-28} {speeds[way].Show("0")} MB per processor second");

        var (beyond, whole) = Allocation(extractor, framed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  allocated per encounter: {whole:0} bytes, of which {beyond:0} are not its summary (framed input given; scratch dropped after the call)"));

        var ofWalk = speeds[2].Median / speeds[0].Median;
        var ofClasses = speeds[2].Median / speeds[1].Median;
        return Task.FromResult<IReadOnlyList<Goal>>(
        [
            new(Text(ofWalk, "0.00") + " of a bare walk", "≥ 0.8", ofWalk >= 0.8),
            new(Text(ofClasses, "0.0") + "× classes", "≥ 3×", ofClasses >= 3),
            new(Text(beyond, "0") + " B per encounter", "≤ 1024 B", beyond <= 1024),
        ]);
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static long Walk(byte[] bundle)
    {
        var reader = new Utf8JsonReader(bundle);
        long tokens = 0;
        while (reader.Read())
            tokens++;
        return tokens;
    }

    private static long ExtractAll(SummaryExtractor extractor, byte[] bundle)
    {
        long ready = 0;
        foreach (var file in BundleFiles.Read(bundle))
        {
            if (extractor.Extract(file, Context).Outcome == ExtractionOutcome.Ready)
                ready++;
        }
        return ready;
    }

    /// <summary>
    /// What one extraction allocates, less what its result keeps alive: the draft, its doctors and the doctor's notes on each field are the summary,
    /// everything else is waste. The kept part is measured too, by the heap that a second run's results hold.
    /// </summary>
    private static (double Beyond, double Whole) Allocation(SummaryExtractor extractor, List<IReadOnlyList<EncounterFile>> framed)
    {
        var files = framed.SelectMany(f => f).ToList();
        foreach (var file in files)
            extractor.Extract(file, Context);
        var results = new FhirExtraction[files.Count];
        var heapBefore = GC.GetTotalMemory(forceFullCollection: true);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < files.Count; i++)
            results[i] = extractor.Extract(files[i], Context);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var kept = GC.GetTotalMemory(forceFullCollection: true) - heapBefore;
        GC.KeepAlive(results);
        return ((allocated - kept) / (double)files.Count, allocated / (double)files.Count);
    }
}
