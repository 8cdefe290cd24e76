using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Bridge.Sandbox.Walkthrough;

namespace Bridge.Sandbox.Parts;

/// <summary>A Fabric network as <c>network/</c> makes it, on the binaries that FABRIC_BIN or PATH names.</summary>
/// <param name="checkout">Where the network's commands are.</param>
/// <param name="data">The network's state directory.</param>
/// <param name="logs">Folder for what the commands say.</param>
/// <param name="portBase">Lowest port.</param>
/// <param name="profile">Further options of <c>network/up</c>: <c>--profile</c>, <c>--orderers</c>.</param>
internal sealed class FabricPart(Checkout checkout, string data, string logs, int portBase, params string[] profile) : ILedgerPart
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    // four orderers at most, and a third hospital that may join (network/lib/common.sh)
    private static readonly int[] Offsets =
    [
        .. Enumerable.Range(0, 4).SelectMany(orderer => (int[])[10 * orderer, (10 * orderer) + 3, (10 * orderer) + 6])
            .Concat(Enumerable.Range(0, 4).SelectMany(peer => (int[])[(1000 * peer) + 1, (1000 * peer) + 2, (1000 * peer) + 4, (1000 * peer) + 5, (1000 * peer) + 7]))
            .Order(),
    ];

    /// <summary>The network's state directory.</summary>
    public string Data => data;

    /// <summary>Added to the environment of the network's commands and of all that they start.</summary>
    public IReadOnlyDictionary<string, string?>? Environment { get; init; }

    /// <summary>The members' private values stay in their databases' files until compaction: only blocks are searched.</summary>
    public bool FindsValues => false;

    /// <summary>Whether there are binaries to run it on.</summary>
    public static bool IsAvailable => System.Environment.GetEnvironmentVariable("FABRIC_BIN") is { Length: > 0 } bin && File.Exists(Path.Combine(bin, "peer"));

    /// <summary>A port base all of whose ports are free, the wished one where possible. Below the range that outgoing connections use.</summary>
    /// <param name="wished">0: any.</param>
    public static int FreeBase(int wished) => Ports.FreeBase(wished, Offsets);

    public Task StartAsync(CancellationToken ct) =>
        RunAsync("up", ["--port-base", portBase.ToString(CultureInfo.InvariantCulture), .. profile], ct);

    public Task DistributeAsync(string consortiumFile, CancellationToken ct) => RunAsync("deploy", ["--consortium", consortiumFile], ct);

    /// <summary>Puts another contract than the project's own on the network, or another version of it in its place.</summary>
    /// <param name="contract">Folder of its source.</param>
    /// <param name="ct">Gives up waiting.</param>
    /// <param name="options">Further options of <c>network/deploy</c>: <c>--collections</c>, <c>--policy</c>.</param>
    public Task DeployAsync(string contract, CancellationToken ct, params string[] options) => RunAsync("deploy", ["--contract", contract, .. options], ct);

    /// <summary>Gives a further hospital keys and a peer, and has all members sign it into the channel and into the contract's definition.</summary>
    public Task AddHospitalAsync(string msp, CancellationToken ct) => RunAsync("add-hospital", [msp], ct);

    public KeyPair Root(string msp)
    {
        var folder = Path.Combine(Organisation(msp), "ca");
        return new KeyPair(Path.Combine(folder, $"ca.{Domain(msp)}-cert.pem"), Path.Combine(folder, "priv_sk"));
    }

    public KeyPair Client(string msp)
    {
        var profile = ReadProfile(msp);
        return new KeyPair(Path.Combine(data, (string)profile["certificate"]!), Path.Combine(data, (string)profile["key"]!));
    }

    public JsonObject Settings(string msp)
    {
        var gateway = ReadProfile(msp)["gateways"]![0]!;
        return new JsonObject
        {
            ["Endpoints"] = new JsonArray((string)gateway["endpoint"]!),
            ["TlsRoots"] = Path.Combine(data, (string)gateway["tlsRoots"]!),
            ["ServerName"] = (string)gateway["serverName"]!,
        };
    }

    public IReadOnlyList<string> Find(string text) =>
    [
        .. Traces.InFiles(Path.Combine(data, "nodes"), text, "blockfile_*").Select(file => $"block file {Path.GetRelativePath(data, file)}"),
    ];

    /// <summary>The state directory of a node, such as peer0.hospitala.example.</summary>
    public string Node(string host) => Path.Combine(data, "nodes", host);

    /// <summary>The peer's host name in its certificate.</summary>
    public static string PeerOf(string msp) => $"peer0.{Domain(msp)}";

    /// <summary>A node that dies is started again by its supervisor: the ledger has ended when a supervisor has.</summary>
    public async Task<string> EndedAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(2));
        while (true)
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(data, "nodes"), "pid", SearchOption.AllDirectories))
            {
                if (!Directory.Exists($"/proc/{(await File.ReadAllLinesAsync(file, ct)).FirstOrDefault()}"))
                {
                    return $"{Path.GetFileName(Path.GetDirectoryName(file))} has been stopped; see {Path.Combine(Path.GetDirectoryName(file)!, "node.log")}";
                }
            }

            await timer.WaitForNextTickAsync(ct);
        }
    }

    public async Task StopAsync()
    {
        if (File.Exists(Path.Combine(data, "settings")))
        {
            await RunAsync("down", [], CancellationToken.None);
        }
    }

    /// <summary>What <c>network/status</c> says, line by line, whether all is well or not.</summary>
    public async Task<IReadOnlyList<string>> StatusAsync(CancellationToken ct)
    {
        await using var process = ChildProcess.Start(new ChildCommand(
            "network/status", "bash", [Path.Combine(checkout.Root, "network", "status"), "--state", data], Path.Combine(logs, "network.log")));
        await process.WaitForExitAsync(ct);
        return process.Output();
    }

    private async Task RunAsync(string command, string[] arguments, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        await using var process = ChildProcess.Start(new ChildCommand(
            $"network/{command}", "bash", [Path.Combine(checkout.Root, "network", command), "--state", data, .. arguments], Path.Combine(logs, "network.log"), Environment));
        int code;
        try
        {
            code = await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new SandboxException(string.Create(CultureInfo.InvariantCulture, $"network/{command} took longer than {Limit.TotalMinutes:0} min (all of its output: {process.Command.LogFile})"));
        }

        if (code != 0)
        {
            throw new SandboxException(string.Join(System.Environment.NewLine, [$"network/{command} failed:", .. process.Output().TakeLast(20).Select(line => "  " + line)]));
        }
    }

    public string Profile(string msp) => Path.Combine(data, $"connection-{msp}.json");

    private JsonObject ReadProfile(string msp) => JsonNode.Parse(File.ReadAllText(Profile(msp))) as JsonObject ?? throw new JsonException($"{Profile(msp)} is no object");

    private string Organisation(string msp) => Path.Combine(data, "crypto", "peerOrganizations", Domain(msp));

    private static string Domain(string msp) => (msp.EndsWith("MSP", StringComparison.Ordinal) ? msp[..^3] : msp).ToLowerInvariant() + ".example";
}
