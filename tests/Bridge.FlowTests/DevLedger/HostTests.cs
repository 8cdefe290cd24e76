using System.Text.Json;
using Bridge.DevLedger;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.FlowTests.DevLedger;

/// <summary>The dev ledger embedded in a program: starting, resuming, cutting blocks, stopping.</summary>
public sealed class HostTests : IAsyncLifetime
{
    private readonly string data = Directory.CreateTempSubdirectory("bridge-host-").FullName;
    private FixtureContract contract = null!;

    public async ValueTask InitializeAsync() => contract = await FixtureContract.StartAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await contract.DisposeAsync();
        SqliteConnection.ClearAllPools();
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task Start_Again_ResumesWithTheSameKeysStateAndBlocks()
    {
        var ct = TestContext.Current.CancellationToken;
        string certificate;
        await using (var host = await DevLedgerHost.StartAsync(Options(), ct))
        {
            certificate = (await host.IssueClientAsync("AMSP", "someone")).CertificatePem;
            await SubmitAsync(host, ["put", "k", "1"], ct);
        }

        await using (var host = await DevLedgerHost.StartAsync(Options(), ct))
        {
            Assert.Equal(certificate, (await host.IssueClientAsync("AMSP", "someone")).CertificatePem);
            Assert.Equal("""["1"]""", await EvaluateAsync(host, ["get", "k"], ct));
            await SubmitAsync(host, ["put", "k", "2"], ct);
        }

        var blocks = ReadBlocks();
        Assert.Equal([0UL, 1UL, 2UL], blocks.Select(b => b.Header.Number));
        Assert.Equal(HeaderType.Config, TypeOf(blocks[0]));
        Assert.Equal(BlockFault.None, BlockFormat.Check(blocks[0], []));
        Assert.Equal(BlockFault.None, BlockFormat.Check(blocks[1], BlockFormat.HeaderHash(blocks[0].Header)));
        Assert.Equal(BlockFault.None, BlockFormat.Check(blocks[2], BlockFormat.HeaderHash(blocks[1].Header)));
    }

    [Fact]
    public async Task Start_DefinitionChanged_ConfigurationBlockAndEndorsementsOfTheOldOneVoid()
    {
        var ct = TestContext.Current.CancellationToken;
        byte[] endorsed;
        await using (var host = await DevLedgerHost.StartAsync(Options(), ct))
        {
            using var gateway = Connect(host, "AMSP");
            var transaction = await gateway.GetNetwork("bridge").GetContract("fixture").NewProposal("run", Steps(["put", "k", "1"])).EndorseAsync(ct);
            endorsed = transaction.Bytes;
        }

        await using (var host = await DevLedgerHost.StartAsync(Options(version: "2.0"), ct))
        {
            using var gateway = Connect(host, "AMSP");
            var submitted = await gateway.NewTransaction(endorsed).SubmitAsync(ct);
            Assert.Equal(TxValidationCode.MvccReadConflict, (await submitted.GetStatusAsync(ct)).Code);
        }

        Assert.Equal([HeaderType.Config, HeaderType.Config, HeaderType.EndorserTransaction], ReadBlocks().Select(TypeOf));
    }

    [Fact]
    public async Task Start_DirectoryInUse_SaysSo()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var host = await DevLedgerHost.StartAsync(Options(), ct);

        var failure = await Assert.ThrowsAsync<IOException>(() => DevLedgerHost.StartAsync(Options(), ct));

        Assert.Contains(data, failure.Message, StringComparison.Ordinal);
        Assert.Contains("in use by another dev ledger", failure.Message, StringComparison.Ordinal);
        Assert.Equal("""[null]""", await EvaluateAsync(host, ["get", "k"], ct));
    }

    [Fact]
    public async Task Start_NobodyServesTheContract_SaysWhereItWasLookedFor()
    {
        var options = Options(address: new Uri("http://127.0.0.1:9"));

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => DevLedgerHost.StartAsync(options, TestContext.Current.CancellationToken));

        Assert.Contains("http://127.0.0.1:9", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_BatchOfThree_CutByCountNotByTime()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var host = await DevLedgerHost.StartAsync(Options(timeout: TimeSpan.FromSeconds(30), size: 3), ct);

        var all = Enumerable.Range(0, 6).Select(i => SubmitAsync(host, ["put", $"k{i}", "1"], ct));
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromMinutes(2), ct);

        Assert.Equal([1, 3, 3], ReadBlocks().Select(b => b.Data.Data.Count));
    }

    [Fact]
    public async Task Submit_LargeTransactions_BlocksCutBySize()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var host = await DevLedgerHost.StartAsync(Options(preferredBytes: 20_000), ct);

        // larger than a block should be: alone in its block, at once
        await SubmitAsync(host, ["putSize", "large", 30_000], ct);
        var failure = await Assert.ThrowsAsync<SubmitException>(() => SubmitAsync(host, ["putSize", "larger", 70_000], ct));

        Assert.Contains("exceeds maximum allowed 65536 bytes", failure.Message, StringComparison.Ordinal);
        Assert.Equal(2, ReadBlocks().Count);
    }

    [Fact]
    public async Task Dispose_TransactionsQueued_ComeWithTheNextStart()
    {
        var ct = TestContext.Current.CancellationToken;
        byte[] commit;
        await using (var host = await DevLedgerHost.StartAsync(Options(timeout: TimeSpan.FromSeconds(60)), ct))
        {
            using var gateway = Connect(host, "AMSP");
            var submitted = await gateway.GetNetwork("bridge").GetContract("fixture").StartSubmitAsync("run", Steps(["put", "k", "1"]), ct);
            commit = submitted.Bytes;
        }

        Assert.Single(ReadBlocks());
        await using (var host = await DevLedgerHost.StartAsync(Options(), ct))
        {
            using var gateway = Connect(host, "AMSP");
            Assert.True((await gateway.NewCommit(commit).GetStatusAsync(ct)).Successful);
        }
    }

    private DevLedgerOptions Options(
        string version = "1.0", TimeSpan? timeout = null, int size = 500, int preferredBytes = 60_000, Uri? address = null) => new()
        {
            DataDirectory = data,
            Organizations =
            [
                new DevOrganization("AMSP") { ChaincodeAddress = address ?? contract.Address },
                new DevOrganization("BMSP") { ChaincodeAddress = address ?? contract.Address },
            ],
            Chaincode = "fixture",
            ChaincodeVersion = version,
            BatchTimeout = timeout ?? TimeSpan.FromMilliseconds(20),
            BatchSize = size,
            PreferredMaxBytes = preferredBytes,
            AbsoluteMaxBytes = 65_536,
            Logging = NullLoggerFactory.Instance,
        };

    private static Gateway Connect(DevLedgerHost host, string mspId) =>
        Gateway.Connect(ConnectionProfile.Load(host.Gateways[mspId].ConnectionProfile).ToGatewayOptions());

    private static ProposalOptions Steps(params object[][] steps) => new() { Arguments = [JsonSerializer.SerializeToUtf8Bytes(steps)] };

    private static async Task SubmitAsync(DevLedgerHost host, object[] step, CancellationToken ct)
    {
        using var gateway = Connect(host, "AMSP");
        await gateway.GetNetwork("bridge").GetContract("fixture").SubmitAsync("run", Steps(step), ct);
    }

    private static async Task<string> EvaluateAsync(DevLedgerHost host, object[] step, CancellationToken ct)
    {
        using var gateway = Connect(host, "BMSP");
        var answer = await gateway.GetNetwork("bridge").GetContract("fixture").EvaluateAsync("run", Steps(step), ct);
        return System.Text.Encoding.UTF8.GetString(answer);
    }

    private static HeaderType TypeOf(Block block)
    {
        var payload = Payload.Parser.ParseFrom(Envelope.Parser.ParseFrom(block.Data.Data[0]).Payload);
        return (HeaderType)ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader).Type;
    }

    private List<Block> ReadBlocks()
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(data, "ledger.db")};Mode=ReadOnly");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT block FROM blocks ORDER BY number";
        using var reader = command.ExecuteReader();
        var blocks = new List<Block>();
        while (reader.Read())
            blocks.Add(Block.Parser.ParseFrom((byte[])reader.GetValue(0)));
        return blocks;
    }
}
