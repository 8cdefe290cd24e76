using System.Globalization;
using Bridge.Sandbox.Setup;

namespace Bridge.Benchmarks;

/// <summary>
/// Summaries a second on real peers with the real contract, from the doctor's signature to the commit (the bridge's signature, the proposal, two endorsements, ordering,
/// commit), in batches of 1, 10 and 100 patients; each batch size with the same number of transactions in flight, and how long a summary takes.
/// </summary>
internal sealed class FabricBatchBenchmark : IBenchmark
{
    private const int Patients = 400;
    private static readonly int[] Sizes = [1, 10, 100];
    private static readonly int[] InFlight = [1, 4];

    public string Name => "fabric-batch";

    public string What => "summaries/s signed to committed on real peers (FABRIC_BIN), in batches of 1, 10 and 100; options: seconds of a stretch, rounds";

    public async Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var time = TimeSpan.FromSeconds(options.Length > 0 ? int.Parse(options[0], CultureInfo.InvariantCulture) : 10);
        var rounds = options.Length > 1 ? int.Parse(options[1], CultureInfo.InvariantCulture) : 3;
        await using var run = await FabricRun.StartAsync([], cancellation);
        Console.WriteLine($"{FabricRun.Conditions()}; {rounds} rounds of {time.TotalSeconds:0} s in turn; no privacy delay");
        await Toolchain.PrepareContractAsync(run.Checkout, _ => { }, cancellation);
        var world = await AnchorWorld.FoundAsync(run.Folder, run.Network, Patients, cancellation);
        using var gateway = world.Gateway;

        var rates = new Dictionary<(int Size, int InFlight), (Spread Rate, Spread Latency)>();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var load in InFlight)
                foreach (var size in Sizes)
                {
                    if (!rates.TryGetValue((size, load), out var found))
                        rates[(size, load)] = found = (new Spread(), new Spread());
                    // each transaction in flight has patients of its own: one patient's anchors are serial
                    var turns = new int[load];
                    var free = new Queue<int>(Enumerable.Range(0, load));
                    var anchored = 0;
                    var stretch = await Stretch.MeasureAsync(load, time, async () =>
                    {
                        int lane;
                        lock (free)
                            lane = free.Dequeue();
                        var share = Patients / load;
                        var first = lane * share + turns[lane]++ * size % share;
                        await world.AnchorAsync([.. Enumerable.Range(0, size).Select(i => lane * share + (first - lane * share + i) % share)], cancellation);
                        Interlocked.Add(ref anchored, size);
                        lock (free)
                            free.Enqueue(lane);
                    });
                    found.Rate.Add(anchored / stretch.Seconds);
                    foreach (var latency in stretch.Latencies)
                        found.Latency.Add(latency);
                }
        }

        foreach (var ((size, load), (rate, latency)) in rates.OrderBy(one => one.Key.InFlight).ThenBy(one => one.Key.Size))
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {load} in flight, batches of {size,3}: {rate.Show("0.0"),-26} summaries/s   a batch takes p50 {latency.Median:0} ms, p95 {latency.Percentile(95):0} ms"));
        }

        var gain = InFlight.Min(load => rates[(100, load)].Rate.Median / rates[(1, load)].Rate.Median);
        return
        [
            new Goal(
                string.Create(CultureInfo.InvariantCulture, $"{rates[(100, 1)].Rate.Median:0} summaries/s in batches of 100, {gain:0.0} × those of one per transaction (1 and 4 in flight, the worse)"),
                "≥ 5 ×", gain >= 5),
        ];
    }
}
