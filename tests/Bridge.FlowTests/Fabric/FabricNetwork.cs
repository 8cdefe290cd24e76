using System.Diagnostics;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>
/// The network of <c>network/</c> on the operator's own Fabric binaries, with the real contract and a consortium of fresh keys. Made for the
/// first test that asks for it, wiped at the end; without FABRIC_BIN nothing is started.
/// </summary>
public sealed class FabricNetwork : IAsyncLifetime
{
    private const string Missing = "FABRIC_BIN does not name a directory with Fabric's binaries (peer, orderer, configtxgen, cryptogen, osnadmin)";
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-fabric-").FullName;
    private readonly List<Gateway> gateways = [];
    private readonly string root = Checkout.Find().Root;
    private bool up;

    internal SampleConsortium Consortium { get; private set; } = null!;

    internal string ConsortiumJson { get; private set; } = "";

    private string State => Path.Combine(folder, "state");

    public static bool IsAvailable => Environment.GetEnvironmentVariable("FABRIC_BIN") is { Length: > 0 } bin && File.Exists(Path.Combine(bin, "peer"));

    /// <summary>Skips the calling test, with the reason, where there is no Fabric.</summary>
    public static void Require() => Assert.SkipUnless(IsAvailable, Missing);

    public async ValueTask InitializeAsync()
    {
        if (!IsAvailable)
            return;
        up = true;
        try
        {
            await RunAsync("up", "--state", State, "--port-base", $"{FreeBase()}");
            Consortium = new SampleConsortium(Path.Combine(folder, "consortium"));
            Consortium.CreateKeys(DateTimeOffset.UtcNow);
            ConsortiumJson = Consortium.WriteFile(FabricRoot, Bridge);
            await RunAsync("deploy", "--state", State, "--consortium", Consortium.ConsortiumFile);
        }
        catch
        {
            // who was not made is not disposed of: the nodes would run on
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        gateways.ForEach(gateway => gateway.Dispose());
        if (up)
        {
            up = false;
            await RunAsync("down", "--state", State, "--wipe");
        }

        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>The organisation's client: its bridge, or the portal.</summary>
    internal KeyPair Bridge(string msp)
    {
        using var profile = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Profile(msp)));
        string Named(string member) => Path.Combine(State, profile.RootElement.GetProperty(member).GetString()!);
        return new KeyPair(Named("certificate"), Named("key"));
    }

    internal Gateway Connect(string msp)
    {
        var gateway = Gateway.Connect(ConnectionProfile.Load(Profile(msp)).ToGatewayOptions());
        lock (gateways)
            gateways.Add(gateway);
        return gateway;
    }

    internal SummaryLedger Ledger(string msp) => new(Connect(msp), "bridge", "summaries");

    private string Profile(string msp) => Path.Combine(State, $"connection-{msp}.json");

    // cryptogen writes the client's certificate into …/users/<user>/msp/signcerts and the root into …/ca
    private KeyPair FabricRoot(string msp)
    {
        var organisation = Directory.GetParent(Bridge(msp).CertificateFile)!.Parent!.Parent!.Parent!.Parent!;
        var authority = Path.Combine(organisation.FullName, "ca");
        return new KeyPair(Directory.GetFiles(authority, "*.pem").Single(), Path.Combine(authority, "priv_sk"));
    }

    // the network takes ports up to 3005 above its base, and must stay below those of outgoing connections
    private static int FreeBase()
    {
        for (var port = 11_050; port < 28_000; port += 1_000 + Random.Shared.Next(500))
        {
            if (Ports.FreeRun(port, 40) == port && Ports.FreeRun(port + 1_000, 10) == port + 1_000 && Ports.FreeRun(port + 2_000, 10) == port + 2_000)
                return port;
        }

        throw new InvalidOperationException("no free ports for a network");
    }

    private async Task RunAsync(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(root, "network", command), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = root,
        })!;
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        await process.WaitForExitAsync(limit.Token);
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"network/{command} ended with {process.ExitCode}: {string.Join('\n', await said)}");
    }
}
