using System.Diagnostics;
using System.Globalization;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.Benchmarks;

/// <summary>
/// Summaries a second on the development ledger with the real contract, from the doctor's signature to the commit, in batches of 1, 10 and 100 patients, without the
/// privacy delay; beside them what disk and signature checks allow.
/// </summary>
internal sealed class AnchorBenchmark : IBenchmark
{
    private const int Patients = 200;
    private static readonly int[] Sizes = [1, 10, 100];

    public string Name => "anchor";

    public string What => "summaries/s signed to committed on the development ledger, in batches of 1, 10 and 100; options: seconds of a stretch, rounds";

    public async Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var time = TimeSpan.FromSeconds(options.Length > 0 ? int.Parse(options[0], CultureInfo.InvariantCulture) : 5);
        var rounds = options.Length > 1 ? int.Parse(options[1], CultureInfo.InvariantCulture) : 3;
        var checkout = Checkout.Find();
        await Toolchain.PrepareContractAsync(checkout, _ => { }, cancellation);
        var folder = Directory.CreateTempSubdirectory("bridge-anchor-").FullName;
        var ledger = new LedgerPart(checkout, Path.Combine(folder, "ledger"), new SampleConsortium(folder).ConsortiumFile, Path.Combine(folder, "logs"), Ports.FreeRun(0, 3));
        try
        {
            Console.WriteLine($"{SampleBytes.Machine}; client, ledger and three contract processes together; {rounds} rounds of {time.TotalSeconds:0} s in turn; blocks are cut after 50 ms");
            await ledger.StartAsync(cancellation);
            var world = await AnchorWorld.FoundAsync(folder, ledger, Patients, cancellation);
            using var gateway = world.Gateway;
            await world.AnchorAsync([.. Enumerable.Range(0, 100)], cancellation);
            var (rates, latencies) = await MeasureAsync(world, time, rounds, cancellation);
            foreach (var size in Sizes)
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  batches of {size,3}: {rates[size].Show("0.0"),-26} summaries/s   signed to committed p50 {latencies[size].Median:0} ms, p95 {latencies[size].Percentile(95):0} ms"));
            var (flushes, checks) = (FlushesPerSecond(folder), await ChecksPerSecondAsync(cancellation));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  limits here: {flushes:0} forced writes/s on this disk (a block takes several); {checks:0} signature checks/s on one core in Node.js: two signatures by two endorsers make at most {checks / 4:0} summaries/s"));
            var gain = rates[100].Median / rates[1].Median;
            return
            [
                new Goal(string.Create(CultureInfo.InvariantCulture, $"{rates[100].Median:0} summaries/s in batches of 100, {gain:0.0} × those of one per transaction"), "≥ 5 ×", gain >= 5),
            ];
        }
        finally
        {
            await ledger.StopAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    // One transaction in flight, as the hospital's worker sends them.
    private static async Task<(Dictionary<int, Spread> Rates, Dictionary<int, Spread> Latencies)> MeasureAsync(
        AnchorWorld world, TimeSpan time, int rounds, CancellationToken cancellation)
    {
        var (rates, latencies) = (Sizes.ToDictionary(size => size, _ => new Spread()), Sizes.ToDictionary(size => size, _ => new Spread()));
        var next = 0;
        for (var round = 0; round < rounds; round++)
        {
            foreach (var size in Sizes)
            {
                var anchored = 0;
                var stretch = await Stretch.MeasureAsync(1, time, async () =>
                {
                    await world.AnchorAsync([.. Enumerable.Range(next, size).Select(i => i % Patients)], cancellation);
                    (next, anchored) = ((next + size) % Patients, anchored + size);
                });
                rates[size].Add(anchored / stretch.Seconds);
                foreach (var latency in stretch.Latencies)
                    latencies[size].Add(latency);
            }
        }
        return (rates, latencies);
    }

    private static double FlushesPerSecond(string folder)
    {
        using var file = new FileStream(Path.Combine(folder, "flush"), FileMode.Create);
        var page = new byte[4096];
        var (count, from) = (0, Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(from) < TimeSpan.FromSeconds(1))
        {
            file.Write(page);
            file.Flush(flushToDisk: true);
            count++;
        }
        return count / Stopwatch.GetElapsedTime(from).TotalSeconds;
    }

    // The contract's own way to check a signature.
    private static async Task<double> ChecksPerSecondAsync(CancellationToken cancellation)
    {
        const string script =
            """
            const c = require('node:crypto'); const { privateKey, publicKey } = c.generateKeyPairSync('ec', { namedCurve: 'P-256' });
            const m = Buffer.alloc(700, 65), s = c.sign('sha256', m, { key: privateKey, dsaEncoding: 'ieee-p1363' });
            let n = 0; const from = process.hrtime.bigint();
            while (process.hrtime.bigint() - from < 1000000000n) { if (!c.verify('sha256', m, { key: publicKey, dsaEncoding: 'ieee-p1363' }, s)) process.exit(1); n++; }
            console.log(n);
            """;
        using var node = Process.Start(new ProcessStartInfo("node", ["-e", script]) { RedirectStandardOutput = true })!;
        var text = await node.StandardOutput.ReadToEndAsync(cancellation);
        await node.WaitForExitAsync(cancellation);
        return double.Parse(text.Trim(), CultureInfo.InvariantCulture);
    }
}
