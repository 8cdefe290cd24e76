using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>Parts of the network die while a hospital anchors: nothing is lost, nothing stands twice, and the anchoring goes on without a hand.</summary>
[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FaultTests(FabricLedgerFixture network)
{
    private static readonly TimeSpan Recovery = TimeSpan.FromMinutes(3);
    private readonly FabricLedgerFixture fixture = network.Required();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string A => fixture.Consortium.A.Msp;

    private FabricNodes Nodes => new(fixture.Network);

    [Fact]
    public Task PortalPeerKilled_UnderLoad_ComesBackAndNothingIsLost() =>
        SurvivesAsync(() => Task.FromResult(Restarted(Nodes.Peer(SampleConsortium.PortalMsp), FabricNodes.Kill)), meanwhileAnError: true);

    [Fact]
    public Task ContractsProcessKilled_UnderLoad_ComesBackAndNothingIsLost() =>
        SurvivesAsync(() => Task.FromResult(Restarted(Nodes.Contract(A), FabricNodes.Kill)), meanwhileAnError: false);

    [Fact]
    public Task LeaderOfThreeKilled_UnderLoad_AnotherLeadsAndNothingIsLost()
    {
        Assert.SkipUnless(FabricLedgerFixture.Orderers == 3, "this needs BRIDGE_FABRIC_NETWORK='--orderers 3' beside FABRIC_BIN");
        return SurvivesAsync(
            async () => Restarted(Nodes.Orderer(await Nodes.LeaderAsync(Token) ?? throw new InvalidOperationException("no orderer leads")), FabricNodes.Kill), meanwhileAnError: false);
    }

    [Fact]
    public Task OneOfFourSilenced_UnderLoad_OrderingGoesOnAndNothingIsLost()
    {
        Assert.SkipUnless(FabricLedgerFixture.Orderers == 4, "this needs BRIDGE_FABRIC_NETWORK='--profile bft' beside FABRIC_BIN");
        return SurvivesAsync(
            async () =>
            {
                var frozen = FabricNodes.Freeze(Nodes.Orderer(await Nodes.LeaderAsync(Token) ?? 0));
                return () =>
                {
                    FabricNodes.Thaw(frozen);
                    return Task.CompletedTask;
                };
            },
            meanwhileAnError: false);
    }

    [Fact]
    public async Task GatewayPeerKilled_UnderLoad_EventsAndBlocksGoOnWithoutGapOrDuplicate()
    {
        await using var events = new Followed();
        await using var load = await AnchorLoad.StartAsync(fixture, A, 4);
        var start = await fixture.Connect(A).GetNetwork(ContractCalls.Channel).GetHeightAsync(Token);
        events.Start(fixture, A, start);
        await load.MoreAsync(8, Recovery);
        for (var round = 0; round < 2; round++)
        {
            // the client dies too, and begins again with what it stored last
            await events.RestartAsync();
            var back = Restarted(Nodes.Peer(A), FabricNodes.Kill);
            await events.RestartAsync();
            await back();
            await load.MoreAsync(8, Recovery);
        }

        Assert.Empty(await load.DifferencesAsync());
        Assert.All(load.Said, text => Assert.True(text.Length > 20, $"'{text}' tells nothing"));
        await events.CompareAsync(fixture, start);
    }

    [Fact]
    public async Task TlsCertificate_OfAnotherAuthority_IsRefusedInWordsAndTheNextGatewayTakesOver()
    {
        var profile = ConnectionProfile.Load(fixture.Network.Profile(A));
        var honest = profile.Gateways[0];
        var others = ConnectionProfile.Load(fixture.Network.Profile(fixture.Consortium.B.Msp)).Gateways[0];
        var wrong = honest with { TlsRoots = others.TlsRoots };
        var misnamed = honest with { ServerName = "peer0.elsewhere.example" };

        foreach (var endpoint in new[] { wrong, misnamed })
        {
            using var gateway = Gateway.Connect(profile.ToGatewayOptions() with { Endpoints = [endpoint] });
            var failure = await Assert.ThrowsAsync<EvaluateException>(() => gateway.Summaries().EvaluateTransactionAsync("ReadConsortium"));
            Assert.Equal(GrpcStatusCode.Unavailable, failure.Code);
            Assert.Contains("certificate", failure.Message, StringComparison.OrdinalIgnoreCase);
        }

        using var both = Gateway.Connect(profile.ToGatewayOptions() with { Endpoints = [wrong, honest] });
        await using var load = await AnchorLoad.StartAsync(fixture, A, 4, new SummaryLedger(both, ContractCalls.Channel, ContractCalls.Chaincode));
        await load.MoreAsync(12, Recovery);
        Assert.Empty(await load.DifferencesAsync());
    }

    // The hospital's gateway, and the other endorser: each shows a certificate that nobody trusts until it gets its own back.
    [Theory]
    [InlineData("HospitalAMSP", "certificate")]
    [InlineData(SampleConsortium.PortalMsp, SampleConsortium.PortalMsp)]
    public async Task PeersTlsCertificate_WrongUnderLoad_IsSaidAndNothingIsLost(string msp, string said)
    {
        var (certificate, key) = Nodes.PeerTls(msp);
        var own = (await File.ReadAllTextAsync(certificate, Token), await File.ReadAllTextAsync(key, Token));
        await using var load = await AnchorLoad.StartAsync(fixture, A, 6);
        await load.MoreAsync(12, Recovery);
        try
        {
            await ShowAsync(Foreign());
            await load.SaidAsync(text => text.Contains(said, StringComparison.OrdinalIgnoreCase), Recovery);
        }
        finally
        {
            await ShowAsync(own);
        }

        await load.MoreAsync(12, Recovery);
        Assert.Empty(await load.DifferencesAsync());
        TestContext.Current.TestOutputHelper?.WriteLine($"said: {string.Join(" | ", load.Said)}");

        Task ShowAsync((string Certificate, string Key) pair)
        {
            File.WriteAllText(certificate, pair.Certificate);
            File.WriteAllText(key, pair.Key);
            return Restarted(Nodes.Peer(msp), FabricNodes.Kill)();
        }
    }

    // by 3.1's peers, by the contract on 2.5
    [Theory]
    [InlineData(-20)]
    [InlineData(20)]
    public async Task ClientsClock_TwentyMinutesOffUnderLoad_IsRefusedInWordsAndNothingIsLost(int minutes)
    {
        var clock = new SettableClock();
        using var gateway = Gateway.Connect(ConnectionProfile.Load(fixture.Network.Profile(A)).ToGatewayOptions() with { TimeProvider = clock });
        await using var load = await AnchorLoad.StartAsync(fixture, A, 6, new SummaryLedger(gateway, ContractCalls.Channel, ContractCalls.Chaincode));
        await load.MoreAsync(12, Recovery);

        clock.Off = TimeSpan.FromMinutes(minutes);
        await load.SaidAsync(text => text.Contains("CLOCK_SKEW", StringComparison.Ordinal) || text.Contains("due to incorrect timestamp", StringComparison.Ordinal), Recovery);
        var reached = load.Anchored;
        await Task.Delay(TimeSpan.FromSeconds(2), Token);
        // what was under way may still have come in
        Assert.InRange(load.Anchored - reached, 0, 6);
        clock.Off = TimeSpan.Zero;

        await load.MoreAsync(12, Recovery);
        Assert.Empty(await load.DifferencesAsync());
    }

    [Theory]
    [InlineData("HospitalAMSP", -20)]
    [InlineData(SampleConsortium.PortalMsp, 20)]
    public async Task EndorsersClock_TwentyMinutesOffUnderLoad_IsRefusedInWordsAndNothingIsLost(string msp, int minutes)
    {
        await using var load = await AnchorLoad.StartAsync(fixture, A, 6);
        await load.MoreAsync(12, Recovery);
        try
        {
            fixture.Clocks.Set(msp, TimeSpan.FromMinutes(minutes));
            await load.SaidAsync(text => text.Contains("CLOCK_SKEW", StringComparison.Ordinal), Recovery);
        }
        finally
        {
            fixture.Clocks.Set(msp, TimeSpan.Zero);
        }

        await load.MoreAsync(12, Recovery);
        Assert.Empty(await load.DifferencesAsync());
    }

    // for localhost, by an authority that it is itself
    private static (string Certificate, string Key) Foreign()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=peer0.elsewhere.example", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    private async Task SurvivesAsync(Func<Task<Func<Task>>> harm, bool meanwhileAnError)
    {
        await using var load = await AnchorLoad.StartAsync(fixture, A, 6);
        await load.MoreAsync(12, Recovery);
        var at = DateTime.UtcNow;
        var mended = await harm();
        if (meanwhileAnError)
        {
            while (load.Said.Count == 0 && DateTime.UtcNow - at < TimeSpan.FromSeconds(20))
                await Task.Delay(100, Token);
        }
        else
        {
            // what goes on without the part goes on before it is back
            await load.MoreAsync(6, Recovery);
        }

        await mended();
        await load.MoreAsync(12, Recovery);

        Assert.Empty(await load.DifferencesAsync());
        TestContext.Current.TestOutputHelper?.WriteLine($"longest time without an anchor: {load.LongestGap(at).TotalSeconds:0.0} s; said: {string.Join(" | ", load.Said)}");
        Assert.All(load.Said, text => Assert.True(text.Length > 20, $"'{text}' tells nothing"));
    }

    // harms what runs under a supervisor; the result waits until another runs in its place, which nobody but the supervisor starts
    private static Func<Task> Restarted(string pidFile, Func<string, int> harm)
    {
        var gone = harm(pidFile);
        return async () =>
        {
            var end = DateTime.UtcNow.AddMinutes(1);
            while (FabricNodes.ChildOrNone(pidFile) is var now && (now == 0 || now == gone))
            {
                Assert.True(DateTime.UtcNow < end, $"nothing came back under the supervisor of {pidFile}");
                await Task.Delay(100);
            }
        };
    }

    private sealed class SettableClock : TimeProvider
    {
        public TimeSpan Off { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Off;
    }

    /// <summary>A client that follows events and blocks, stores after each how far it is, and is restarted at will.</summary>
    private sealed class Followed : IAsyncDisposable
    {
        private readonly List<string> transactions = [];
        private readonly List<ulong> blocks = [];
        private Checkpoint events;
        private ulong nextBlock;
        private Gateway? gateway;
        private CancellationTokenSource running = new();
        private Task following = Task.CompletedTask;
        private FabricLedgerFixture fixture = null!;
        private string msp = "";

        public void Start(FabricLedgerFixture on, string asMsp, ulong from)
        {
            (fixture, msp, events, nextBlock) = (on, asMsp, new Checkpoint(from), from);
            Begin();
        }

        public async Task RestartAsync()
        {
            await EndAsync();
            Begin();
        }

        public async Task CompareAsync(FabricLedgerFixture on, ulong from)
        {
            var stored = (await on.BlocksAsync()).Select(one => one.Block).Where(block => block.Number >= from).ToList();
            var emitting = stored.SelectMany(block => block.Transactions)
                .Where(transaction => transaction.Event is not null && transaction.ValidationCode == Bridge.Ledger.Protocol.TxValidationCode.Valid)
                .Select(transaction => transaction.TransactionId)
                .ToList();
            var end = DateTime.UtcNow.AddSeconds(30);
            while ((blocks.Count < stored.Count || transactions.Count < emitting.Count) && DateTime.UtcNow < end)
                await Task.Delay(100, Token);
            await EndAsync();
            Assert.Equal(stored.Select(block => block.Number), blocks.Take(stored.Count));
            Assert.Equal(emitting, transactions.Take(emitting.Count));
            Assert.Equal(transactions.Count, transactions.Distinct().Count());
        }

        public async ValueTask DisposeAsync()
        {
            if (gateway is not null)
                await EndAsync();
        }

        private void Begin()
        {
            gateway = fixture.Network.Connect(msp);
            running = new CancellationTokenSource();
            var channel = gateway.GetNetwork(ContractCalls.Channel);
            following = Task.WhenAll(EventsAsync(channel, running.Token), BlocksAsync(channel, running.Token));
        }

        private async Task EndAsync()
        {
            await running.CancelAsync();
            await following;
            gateway!.Dispose();
            gateway = null;
            running.Dispose();
        }

        private async Task EventsAsync(Bridge.Ledger.Network channel, CancellationToken ct)
        {
            try
            {
                await foreach (var found in channel.FollowChaincodeEventsAsync(ContractCalls.Chaincode, new EventOptions { Checkpoint = events }, ct))
                {
                    transactions.Add(found.TransactionId);
                    events = found.Checkpoint;
                }
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                // the client ends here
            }
        }

        private async Task BlocksAsync(Bridge.Ledger.Network channel, CancellationToken ct)
        {
            try
            {
                await foreach (var block in channel.FollowBlocksAsync(new EventOptions { StartBlock = nextBlock }, ct))
                {
                    blocks.Add(block.Number);
                    nextBlock = block.Number + 1;
                }
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                // the client ends here
            }
        }
    }
}
