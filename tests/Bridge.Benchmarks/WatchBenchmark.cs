using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;

namespace Bridge.Benchmarks;

/// <summary>
/// A whole walk of the real path — EncounterWatcher, EncounterReader, extraction, the next pages read ahead as the hospital does — over the replay server, beside a
/// bare client that sends the very same requests. Server, bare client and Bridge are processes of their own. What each does with the bytes:
/// Bridge cuts bundles into resources, brings children to their encounters and extracts every encounter; the bare client steps once over every JSON token
/// (Utf8JsonReader), which is the least that whoever wants to know what came must do; a second bare client throws every byte away.
/// </summary>
internal sealed class WatchBenchmark : IBenchmark
{
    private const int Rounds = 3;

    // as many requests as Bridge ever has under way, and the bare client never waits for an answer to know what to ask next
    private const int AtOnce = 15;

    public string Name => "watch";

    public string What => "a walk over 2,023 and 20,230 encounters with their children, beside a bare client with the same requests";

    public async Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        switch (options)
        {
            case ["bridge", var url, var walks]:
                await BridgeAsync(new Uri(url), Number(walks), cancellation);
                return [];
            case ["log", var url, var file]:
                await LogAsync(new Uri(url), file, cancellation);
                return [];
            case ["bare" or "drain", var url, var walks, var file]:
                await BareAsync(new Uri(url), Number(walks), await File.ReadAllLinesAsync(file, cancellation), options[0] == "bare", cancellation);
                return [];
            case []:
                return await MeasureAsync(cancellation);
            default:
                throw new BenchmarkUsageException("it takes no options");
        }
    }

    private async Task<IReadOnlyList<Goal>> MeasureAsync(CancellationToken cancellation)
    {
        Console.WriteLine($"{SampleBytes.Machine}; server, bare clients and Bridge each a process of its own, all on this machine");
        var small = await CompareAsync(1, Rounds, cancellation);
        var large = await CompareAsync(10, 2, cancellation);
        var (wall, requests) = (Math.Max(small.Wall, large.Wall), Math.Max(small.Requests, large.Requests));
        return
        [
            new($"{Text(small.Wall, "0.00")}× bare at 2,023 and {Text(large.Wall, "0.00")}× at 20,230", "≤ 1.3×", wall <= 1.3),
            new(Text(requests, "0.00") + " requests per encounter", "≤ 1.2", requests <= 1.2),
            new($"peak {Text(small.Peak, "0")} MB at 2,023 and {Text(large.Peak, "0")} MB at 20,230", "flat, < 250 MB", large.Peak < 250 && large.Peak <= small.Peak * 1.25),
        ];
    }

    private async Task<(double Wall, double Requests, double Peak)> CompareAsync(int copies, int rounds, CancellationToken cancellation)
    {
        using var server = Child.Start("replay", "serve", copies.ToString(CultureInfo.InvariantCulture));
        var url = await server.SaysAsync("ready", cancellation);
        var file = Path.GetTempFileName();
        try
        {
            var requests = Number(await Child.RunAsync("requests", cancellation, Name, "log", url, file));
            var (ours, bare, drain) = (new Side(), new Side(), new Side());
            var (ratios, drained) = (new Spread(), new Spread());
            var walks = copies == 1 ? "8" : "2";
            for (var round = 0; round < rounds; round++)
            {
                ours.Add(await RunAsync("bridge", url, walks));
                bare.Add(await RunAsync("bare", url, walks, file));
                drain.Add(await RunAsync("drain", url, walks, file));
                ratios.Add(ours.Last!.WallSeconds / bare.Last!.WallSeconds);
                drained.Add(ours.Last!.WallSeconds / drain.Last!.WallSeconds);
            }
            var encounters = ours.Last!.Encounters;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{encounters} encounters, {ours.Last!.Ready} ready, {requests} requests, {bare.Last!.Bytes / 1e6:0.0} MB; {rounds} rounds in turn, each warmed up until it gets no faster"));
            Console.WriteLine($"  wall            {ours.Wall.Show("0.000")} s; bare, reading every token {bare.Wall.Show("0.000")} s; bare, throwing all away {drain.Wall.Show("0.000")} s");
            Console.WriteLine($"                  {ratios.Show()} of bare, reading every token; {drained.Show()} of bare, throwing all away");
            Console.WriteLine($"  CPU/encounter   {ours.Cpu(encounters).Show("0")} µs; bare {bare.Cpu(encounters).Show("0")} µs; {drain.Cpu(encounters).Show("0")} µs");
            Console.WriteLine($"  first walk      {ours.Cold.Show("0.00")} s in a new process, compiling as it goes; bare {bare.Cold.Show("0.00")} s; {drain.Cold.Show("0.00")} s");
            if (ours.Last!.Garbage is { } garbage)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"  garbage         {garbage.Megabytes:0} MB in a walk, {garbage.Young:0.0} collections, {garbage.Old:0.0} of everything, {garbage.PauseSeconds * 1000:0} ms of pauses"));
            Console.WriteLine($"  peak memory     {ours.Peak.Show("0")} MB resident; bare {bare.Peak.Show("0")} MB");
            return (ratios.Median, requests / (double)encounters, ours.Peak.Median);
        }
        finally
        {
            File.Delete(file);
        }

        async Task<Figures> RunAsync(params string[] arguments) => JsonSerializer.Deserialize<Figures>(await Child.RunAsync("figures", cancellation, [Name, .. arguments]))!;
    }

    /// <summary>Bridge's own path, everything but the database.</summary>
    private static async Task BridgeAsync(Uri url, int walks, CancellationToken cancellation)
    {
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = url });
        var options = new WatchOptions();
        var (watcher, reader) = (new EncounterWatcher(client, options), new EncounterReader(client, options));
        var extractor = new SummaryExtractor(new Minimiser(Terminology.LoadFolder(SampleBytes.Maps)), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var context = new ExtractionContext { Now = new DateTimeOffset(2026, 2, 1, 0, 0, 0, TimeSpan.Zero), RareConsented = true, ConsentedCategories = [.. SensitiveNodes.Categories] };
        var (encounters, ready) = (0, 0);
        async Task OneAsync()
        {
            (encounters, ready) = (0, 0);
            await foreach (var (_, outcomes) in watcher.WalkAsync(Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellation)
                .AheadAsync((batch, token) => reader.ReadAsync(batch.Sightings, file => extractor.Extract(file, context).Outcome, token), cancellation))
            {
                encounters += outcomes.Count;
                ready += outcomes.Count(outcome => outcome == ExtractionOutcome.Ready);
            }
        }
        var cold = (await TimeAsync(OneAsync, 1)).Wall;
        await WarmUpAsync(OneAsync, walks);
        var (allocated, young, old, paused) = (GC.GetTotalAllocatedBytes(), GC.CollectionCount(0), GC.CollectionCount(2), GC.GetTotalPauseDuration());
        var (wall, cpu) = await TimeAsync(OneAsync, walks);
        Report(new Figures(wall, cpu, cold, encounters, ready, 0, PeakMegabytes())
        {
            Garbage = new((GC.GetTotalAllocatedBytes() - allocated) / 1e6 / walks, (GC.CollectionCount(0) - young) / (double)walks, (GC.CollectionCount(2) - old) / (double)walks,
                (GC.GetTotalPauseDuration() - paused).TotalSeconds / walks),
        });
    }

    /// <summary>The same requests by HttpClient.</summary>
    private static async Task BareAsync(Uri url, int walks, string[] requests, bool reads, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = url };
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation };
        long bytes = 0;
        async Task OneAsync()
        {
            bytes = 0;
            await Parallel.ForEachAsync(requests, parallel, async (path, token) =>
                Interlocked.Add(ref bytes, reads ? await ReadAsync(client, path, token) : await DrainAsync(client, path, token)));
        }
        var cold = (await TimeAsync(OneAsync, 1)).Wall;
        await WarmUpAsync(OneAsync, walks);
        var (wall, cpu) = await TimeAsync(OneAsync, walks);
        Report(new Figures(wall, cpu, cold, 0, 0, bytes, PeakMegabytes()));
    }

    /// <summary>Takes an answer into a pooled buffer and steps over all its tokens.</summary>
    private static async Task<long> ReadAsync(HttpClient client, string path, CancellationToken cancellation)
    {
        using var response = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        var length = (int)response.Content.Headers.ContentLength!.Value;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, length), cancellation);
        Step(buffer.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(buffer);
        return length;
    }

    private static void Step(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            // every token, and nothing made of it
        }
    }

    private static async Task<long> DrainAsync(HttpClient client, string path, CancellationToken cancellation)
    {
        using var response = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        long length = 0;
        for (int read; (read = await stream.ReadAsync(buffer, cancellation)) > 0;)
            length += read;
        ArrayPool<byte>.Shared.Return(buffer);
        return length;
    }

    /// <summary>Writes down what Bridge asks for in one walk, as the server saw it.</summary>
    private static async Task LogAsync(Uri url, string file, CancellationToken cancellation)
    {
        using var log = new HttpClient { BaseAddress = url };
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = url });
        var options = new WatchOptions();
        var (watcher, reader) = (new EncounterWatcher(client, options), new EncounterReader(client, options));
        await log.GetStringAsync("/log", cancellation);
        await foreach (var batch in watcher.WalkAsync(Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellation))
            await reader.ReadAsync(batch.Sightings, cancellation);
        var lines = (await log.GetStringAsync("/log?stop", cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await File.WriteAllLinesAsync(file, lines, cancellation);
        Console.WriteLine($"requests {lines.Length}");
    }

    /// <summary>
    /// A service runs for months: what the compiler does in its first seconds is told apart. Walks until as many as will be measured were no faster than as many
    /// before, by processor time, since others on the machine must not decide it; at least 4 s, at most 15 s.
    /// </summary>
    private static async Task WarmUpAsync(Func<Task> one, int together)
    {
        var started = Stopwatch.GetTimestamp();
        var best = double.MaxValue;
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(15))
        {
            var (_, cpu) = await TimeAsync(one, together);
            if (cpu > best * 0.97 && Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(4))
                return;
            best = Math.Min(best, cpu);
        }
    }

    private static async Task<(double Wall, double Cpu)> TimeAsync(Func<Task> one, int walks)
    {
        GC.Collect();
        using var self = Process.GetCurrentProcess();
        var (started, cpu) = (Stopwatch.GetTimestamp(), self.TotalProcessorTime);
        for (var i = 0; i < walks; i++)
            await one();
        var wall = Stopwatch.GetElapsedTime(started);
        self.Refresh();
        return (wall.TotalSeconds / walks, (self.TotalProcessorTime - cpu).TotalSeconds / walks);
    }

    private static double PeakMegabytes()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64 / 1e6;
    }

    private static void Report(Figures figures) => Console.WriteLine("figures " + JsonSerializer.Serialize(figures));

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    internal sealed record Figures(double WallSeconds, double CpuSeconds, double ColdSeconds, int Encounters, int Ready, long Bytes, double PeakMegabytes)
    {
        public Garbage? Garbage { get; init; }
    }

    /// <summary>Of one walk: what was allocated, collections of the young and of everything, and how long they held it up.</summary>
    internal sealed record Garbage(double Megabytes, double Young, double Old, double PauseSeconds);

    /// <summary>What one of the processes was measured at, round after round.</summary>
    private sealed class Side
    {
        private readonly List<double> _cpu = [];

        public Figures? Last { get; private set; }
        public Spread Wall { get; } = new();
        public Spread Cold { get; } = new();
        public Spread Peak { get; } = new();

        public void Add(Figures figures)
        {
            Last = figures;
            Wall.Add(figures.WallSeconds);
            Cold.Add(figures.ColdSeconds);
            Peak.Add(figures.PeakMegabytes);
            _cpu.Add(figures.CpuSeconds);
        }

        public Spread Cpu(int encounters) => new(_cpu.Select(seconds => seconds / encounters * 1e6));
    }
}
