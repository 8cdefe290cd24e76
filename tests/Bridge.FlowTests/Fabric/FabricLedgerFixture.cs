using Bridge.FlowTests.Ledger;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>
/// The same as <see cref="LedgerFixture"/>, on a network of <c>network/</c> with the operator's own Fabric binaries. BRIDGE_FABRIC_NETWORK holds further
/// options of <c>network/up</c>, such as <c>--orderers 3</c> or <c>--profile bft</c>. Without FABRIC_BIN nothing is started and each test is skipped.
/// </summary>
public sealed class FabricLedgerFixture : LedgerFixture
{
    internal const string Missing = "FABRIC_BIN does not name a directory with Fabric's binaries (peer, orderer, configtxgen, cryptogen, osnadmin)";
    internal static readonly string[] Options = (Environment.GetEnvironmentVariable("BRIDGE_FABRIC_NETWORK") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
    private readonly Dictionary<string, Bridge.Ledger.Network> channels = [];

    /// <summary>Orderers that the options ask for.</summary>
    internal static int Orderers => Options.Contains("bft") ? 4 : Options.Contains("3") ? 3 : 1;

    internal FabricPart Network => (FabricPart)Ledger;

    internal string[] Organisations => [Consortium.A.Msp, Consortium.B.Msp, SampleConsortium.PortalMsp, .. Actors.Joined.Keys];

    internal ContractClocks Clocks { get; } = new();

    /// <summary>The fixture itself; skips the calling test, with the reason, where there is no Fabric.</summary>
    internal FabricLedgerFixture Required()
    {
        Assert.SkipUnless(FabricPart.IsAvailable, Missing);
        return this;
    }

    public override async ValueTask InitializeAsync()
    {
        if (FabricPart.IsAvailable)
            await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Clocks.Dispose();
    }

    internal override ILedgerPart NewLedger(Checkout checkout, string data, string logs) =>
        new FabricPart(checkout, data, logs, FabricPart.FreeBase(0), Options) { Environment = Clocks.Environment };

    internal override async Task SettledAsync()
    {
        foreach (var msp in Organisations.Where(msp => !channels.ContainsKey(msp)))
            channels[msp] = Connect(msp).GetNetwork(ContractCalls.Channel);
        var ct = TestContext.Current.CancellationToken;
        var heights = await Task.WhenAll(channels.Values.Select(channel => channel.GetHeightAsync(ct)));
        var highest = heights.Max();
        var end = DateTime.UtcNow.AddSeconds(30);
        foreach (var (msp, channel) in channels)
        {
            while (await channel.GetHeightAsync(ct) < highest)
            {
                if (DateTime.UtcNow > end)
                    throw new TimeoutException($"the peer of {msp} did not reach block {highest - 1} within 30 s");
                await Task.Delay(20, ct);
            }
        }
    }

    internal override async Task<IReadOnlyList<(byte[] Bytes, CommittedBlock Block)>> BlocksAsync()
    {
        await SettledAsync();
        return FabricBlockFiles.Read(Network.Node(FabricPart.PeerOf(Consortium.B.Msp)), ContractCalls.Channel);
    }
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FabricCollection : ICollectionFixture<FabricLedgerFixture>
{
    public const string Name = "Fabric";
}
