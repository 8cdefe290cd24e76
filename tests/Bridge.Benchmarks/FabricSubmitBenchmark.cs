using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;

namespace Bridge.Benchmarks;

/// <summary>
/// Our client and the official Node client (1.11.0; with its own signer and with OpenSSL's) on one network of real peers, in turn: the same put of 100 bytes, endorsed
/// by two organisations, from proposal to commit status; and an evaluation. Each client in a process of its own.
/// </summary>
internal sealed class FabricSubmitBenchmark : IBenchmark
{
    private const string Value = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    private static readonly int[] Loads = [1, 50, 100, 200];
    private static readonly string[] Clients = ["ours", "own", "native"];
    private static readonly string[] Endorsers = ["HospitalAMSP", "HospitalBMSP"];
    private int made;

    public string Name => "fabric-submit";

    public string What => "our client beside the official Node client on real peers (FABRIC_BIN): TPS, p50, p95, CPU per transaction; options: seconds of a stretch, rounds";

    public async Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation)
    {
        var seconds = options.Length > 0 ? int.Parse(options[0], CultureInfo.InvariantCulture) : 6;
        var rounds = options.Length > 1 ? int.Parse(options[1], CultureInfo.InvariantCulture) : 3;
        await using var run = await FabricRun.StartAsync([], cancellation);
        Console.WriteLine($"{FabricRun.Conditions()}; {rounds} rounds of {seconds} s in turn");
        await run.Network.DeployAsync(Path.Combine(run.Checkout.Root, "tests", "node", "contract"), cancellation);
        using var gateway = run.Network.Connect("HospitalAMSP");
        var contract = gateway.Summaries();
        using var node = await NodeAsync(run, cancellation);

        await MeasureAsync("warming up", ["submit", "evaluate"], [20], TimeSpan.FromSeconds(4), 1);
        var submitted = await MeasureAsync("submit (proposal to commit status)", ["submit"], Loads, TimeSpan.FromSeconds(seconds), rounds);
        var evaluated = await MeasureAsync("evaluate", ["evaluate"], Loads, TimeSpan.FromSeconds(Math.Max(2, seconds / 2)), rounds);

        var (ours, theirs) = (submitted[("submit", "ours", 100)], submitted[("submit", "own", 100)]);
        var faster = ours.Rate / theirs.Rate;
        var cheaper = ours.CpuPerCall / theirs.CpuPerCall;
        var latency = Loads.Max(load => evaluated[("evaluate", "ours", load)].Percentile(50) / evaluated[("evaluate", "own", load)].Percentile(50));
        return
        [
            new Goal(
                string.Create(CultureInfo.InvariantCulture, $"at 100 in flight {faster:0.00} × the Node client's TPS with {cheaper:0.00} × its CPU per transaction"),
                "≥ 1.3 × its TPS, or ≤ 0.5 × its CPU where peers are the limit", faster >= 1.3 || cheaper <= 0.5),
            new Goal(string.Create(CultureInfo.InvariantCulture, $"evaluate p50 {latency:0.00} × its own, in flight 1 to 200 the worst"), "≤ 1", latency <= 1),
        ];

        async Task<Dictionary<(string, string, int), Stretches>> MeasureAsync(string what, string[] calls, int[] loads, TimeSpan time, int times)
        {
            var found = new Dictionary<(string, string, int), Stretches>();
            for (var round = 0; round < times; round++)
            {
                foreach (var call in calls)
                    foreach (var load in loads)
                        for (var turn = 0; turn < Clients.Length; turn++)
                        {
                            cancellation.ThrowIfCancellationRequested();
                            var client = Clients[(turn + round) % Clients.Length];
                            var stretch = client == "ours"
                                ? await Stretch.MeasureAsync(load, time, call == "submit" ? () => SubmitAsync(contract) : () => EvaluateAsync(contract))
                                : await AskAsync(node, new { client, call, inFlight = load, seconds = time.TotalSeconds, organizations = Endorsers });
                            if (!found.TryGetValue((call, client, load), out var stretches))
                                found[(call, client, load)] = stretches = new Stretches();
                            stretches.Add(stretch);
                        }
            }

            Console.WriteLine($"  {what}");
            foreach (var ((_, client, load), stretches) in found.OrderBy(one => one.Key.Item3).ThenBy(one => Array.IndexOf(Clients, one.Key.Item2)))
            {
                var name = client switch { "ours" => "ours", "own" => "Node 1.11.0", _ => "Node, OpenSSL signer" };
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    {load,3} in flight  {name,-22}{stretches.Show()}"));
            }

            return found;
        }
    }

    private Task<byte[]> SubmitAsync(Contract contract) => contract.SubmitAsync("run", new ProposalOptions
    {
        Arguments = [Encoding.UTF8.GetBytes($"[[\"put\",\"c{Environment.ProcessId}-{Interlocked.Increment(ref made)}\",\"{Value}\"]]")],
        EndorsingOrganizations = Endorsers,
    });

    private static Task<byte[]> EvaluateAsync(Contract contract) => contract.EvaluateTransactionAsync("run", """[["get","none"]]""");

    private static async Task<Process> NodeAsync(FabricRun run, CancellationToken ct)
    {
        var tests = Path.Combine(run.Checkout.Root, "tests");
        if (!Directory.Exists(Path.Combine(tests, "node", "node_modules")))
        {
            using var install = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund"]) { WorkingDirectory = Path.Combine(tests, "node"), RedirectStandardOutput = true })!;
            await install.StandardOutput.ReadToEndAsync(ct);
            await install.WaitForExitAsync(ct);
        }

        return Process.Start(new ProcessStartInfo("node", [Path.Combine(tests, "Bridge.Benchmarks", "fabric-client.mjs"), run.Network.Profile("HospitalAMSP")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
    }

    private static async Task<Stretch> AskAsync(Process node, object question)
    {
        await node.StandardInput.WriteLineAsync(JsonSerializer.Serialize(question));
        await node.StandardInput.FlushAsync();
        var line = await node.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException($"the Node client ended with {node.ExitCode}");
        var answer = JsonElement.Parse(line);
        return new Stretch(
            answer.GetProperty("seconds").GetDouble(), answer.GetProperty("cpu").GetDouble(), [.. answer.GetProperty("latencies").EnumerateArray().Select(one => one.GetDouble())]);
    }
}
