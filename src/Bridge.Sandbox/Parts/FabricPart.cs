using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Bridge.Sandbox.Walkthrough;

namespace Bridge.Sandbox.Parts;

/// <summary>A Fabric network as <c>network/</c> makes it, on the binaries that FABRIC_BIN or PATH names.</summary>
internal sealed class FabricPart(Checkout checkout, string data, string logs, int portBase) : ILedgerPart
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);
    private static readonly int[] Offsets = [0, 3, 6, 1, 2, 4, 5, 1001, 1002, 1004, 1005, 2001, 2002, 2004, 2005];

    /// <summary>The network's state directory.</summary>
    public string Data => data;

    /// <summary>The members' private values stay in their databases' files until compaction: only blocks are searched.</summary>
    public bool FindsValues => false;

    /// <summary>Whether there are binaries to run it on.</summary>
    public static bool IsAvailable => Environment.GetEnvironmentVariable("FABRIC_BIN") is { Length: > 0 };

    /// <summary>A port base all of whose ports are free, the wished one where possible. Below the range that outgoing connections use.</summary>
    public static int FreeBase(int wished)
    {
        for (var first = wished; ; first = Random.Shared.Next(1_100, 2_900) * 10)
        {
            if (Offsets.All(offset => Ports.IsFree(first + offset)))
            {
                return first;
            }
        }
    }

    public Task StartAsync(CancellationToken ct) =>
        RunAsync("up", ["--port-base", portBase.ToString(CultureInfo.InvariantCulture)], ct);

    public Task DistributeAsync(string consortiumFile, CancellationToken ct) => RunAsync("deploy", ["--consortium", consortiumFile], ct);

    public KeyPair Root(string msp)
    {
        var folder = Path.Combine(Organisation(msp), "ca");
        return new KeyPair(Path.Combine(folder, $"ca.{Domain(msp)}-cert.pem"), Path.Combine(folder, "priv_sk"));
    }

    public KeyPair Client(string msp)
    {
        var profile = Profile(msp);
        return new KeyPair(Path.Combine(data, (string)profile["certificate"]!), Path.Combine(data, (string)profile["key"]!));
    }

    public Gateway Connect(string msp) => Gateway.Connect(ConnectionProfile.Load(ProfileFile(msp)).ToGatewayOptions());

    public JsonObject Settings(string msp)
    {
        var gateway = Profile(msp)["gateways"]![0]!;
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

    public async Task StopAsync()
    {
        if (File.Exists(Path.Combine(data, "settings")))
        {
            await RunAsync("down", [], CancellationToken.None);
        }
    }

    private async Task RunAsync(string command, string[] arguments, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        await using var process = ChildProcess.Start(new ChildCommand(
            $"network/{command}", "bash", [Path.Combine(checkout.Root, "network", command), "--state", data, .. arguments], Path.Combine(logs, "network.log")));
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
            throw new SandboxException(string.Join(Environment.NewLine, [$"network/{command} failed:", .. process.Output().TakeLast(20).Select(line => "  " + line)]));
        }
    }

    private string ProfileFile(string msp) => Path.Combine(data, $"connection-{msp}.json");

    private JsonObject Profile(string msp) => JsonNode.Parse(File.ReadAllText(ProfileFile(msp))) as JsonObject ?? throw new JsonException($"{ProfileFile(msp)} is no object");

    private string Organisation(string msp) => Path.Combine(data, "crypto", "peerOrganizations", Domain(msp));

    private static string Domain(string msp) => (msp.EndsWith("MSP", StringComparison.Ordinal) ? msp[..^3] : msp).ToLowerInvariant() + ".example";
}
