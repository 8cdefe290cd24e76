using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Microsoft.Data.Sqlite;
using Xunit;
using FabricTransaction = Bridge.Ledger.Protocol.Transaction;

namespace Bridge.FlowTests.DevLedger;

/// <summary>SIGKILL in the middle of commits, again and again on one data directory.</summary>
public sealed class KillTests : IDisposable
{
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") == "1" ? 100 : 20;

    private readonly string data = Directory.CreateTempSubdirectory("bridge-kill-").FullName;

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task Kill_InTheMiddleOfCommits_NothingAcknowledgedIsLostAndNothingStandsTwice()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var contract = await FixtureContract.StartAsync(ct);
        var committed = new ConcurrentDictionary<string, CommitStatus>(StringComparer.Ordinal);
        var accepted = new ConcurrentDictionary<string, byte[]>(StringComparer.Ordinal);
        var random = new Random(20);
        for (var round = 0; round < Rounds; round++)
        {
            using var ledger = await DevLedgerProcess.StartAsync(data, contract.Address, ct);
            await CheckAcceptedAsync(ledger, accepted, committed, ct);
            await LoadUntilKilledAsync(ledger, round, random.Next(1, 40), accepted, committed, ct);
        }

        using (var ledger = await DevLedgerProcess.StartAsync(data, contract.Address, ct))
        {
            await CheckAcceptedAsync(ledger, accepted, committed, ct);
            await CheckValuesAsync(ledger, committed.Keys, ct);
        }

        CheckBlocks(committed);
    }

    // Whatever was acknowledged before a kill: accepted by the orderer, or seen committed in a block.
    private static async Task LoadUntilKilledAsync(
        DevLedgerProcess ledger, int round, int after, ConcurrentDictionary<string, byte[]> accepted,
        ConcurrentDictionary<string, CommitStatus> committed, CancellationToken ct)
    {
        using var gateway = ledger.Connect("HospitalAMSP");
        var contract = gateway.GetNetwork("bridge").GetContract("fixture");
        using var killed = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var count = 0;
        var enough = new TaskCompletionSource();
        var load = Enumerable.Range(0, 8).Select(worker => Task.Run(
            async () =>
            {
                for (var i = 0; !killed.IsCancellationRequested; i++)
                {
                    try
                    {
                        var transaction = await contract.NewProposal("run", Write($"r{round}w{worker}i{i}")).EndorseAsync(killed.Token);
                        var submitted = await transaction.SubmitAsync(killed.Token);
                        accepted[submitted.TransactionId] = submitted.Bytes;
                        if (Interlocked.Increment(ref count) == after)
                            enough.TrySetResult();
                        committed[submitted.TransactionId] = await submitted.GetStatusAsync(killed.Token);
                    }
                    catch (Exception e) when (e is EndorseException or SubmitException or CommitStatusException or OperationCanceledException)
                    {
                        // the process is gone: what is not acknowledged may or may not have happened
                    }
                }
            },
            ct)).ToList();

        await enough.Task.WaitAsync(TimeSpan.FromMinutes(2), ct);
        ledger.Kill();
        await killed.CancelAsync();
        await Task.WhenAll(load);
    }

    private static async Task CheckAcceptedAsync(
        DevLedgerProcess ledger, ConcurrentDictionary<string, byte[]> accepted, ConcurrentDictionary<string, CommitStatus> committed, CancellationToken ct)
    {
        using var gateway = ledger.Connect("HospitalAMSP");
        foreach (var (id, request) in accepted)
        {
            var status = await gateway.NewCommit(request).GetStatusAsync(ct).WaitAsync(TimeSpan.FromMinutes(2), ct);
            Assert.Equal(TxValidationCode.Valid, status.Code);
            if (committed.TryGetValue(id, out var known))
                Assert.Equal(known.BlockNumber, status.BlockNumber);
            committed[id] = status;
        }

        accepted.Clear();
    }

    // Public and private value of every transaction are there, on both members' peers.
    private async Task CheckValuesAsync(DevLedgerProcess ledger, ICollection<string> ids, CancellationToken ct)
    {
        var keys = ReadBlocks().SelectMany(Contents).Where(c => ids.Contains(c.Id)).Select(c => c.Key).ToList();
        Assert.Equal(ids.Count, keys.Count);
        foreach (var mspId in new[] { "HospitalAMSP", "PortalMSP" })
        {
            using var gateway = ledger.Connect(mspId);
            var contract = gateway.GetNetwork("bridge").GetContract("fixture");
            foreach (var chunk in keys.Chunk(200))
            {
                var steps = chunk.SelectMany(key => new object[] { new[] { "get", key }, new[] { "getPrivate", "both", key } }).ToArray();
                var answer = await contract.EvaluateAsync("run", new ProposalOptions { Arguments = [JsonSerializer.SerializeToUtf8Bytes(steps)] }, ct);
                var values = JsonSerializer.Deserialize<string?[]>(answer)!;
                Assert.Equal(chunk.SelectMany(key => new[] { $"public {key}", $"private {key}" }), values);
            }
        }
    }

    private void CheckBlocks(ConcurrentDictionary<string, CommitStatus> committed)
    {
        var previous = Array.Empty<byte>();
        var number = 0UL;
        var valid = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (var block in ReadBlocks())
        {
            Assert.Equal(number++, block.Header.Number);
            Assert.Equal(BlockFault.None, BlockFormat.Check(block, previous));
            previous = BlockFormat.HeaderHash(block.Header);
            foreach (var (id, _, code) in Contents(block))
            {
                Assert.True(code == TxValidationCode.Valid, $"{id} in block {block.Header.Number} is {code}");
                Assert.True(valid.TryAdd(id, block.Header.Number), $"{id} stands twice");
            }
        }

        foreach (var (id, status) in committed)
            Assert.Equal(status.BlockNumber, valid[id]);
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

    private static IEnumerable<(string Id, string Key, TxValidationCode Code)> Contents(Block block)
    {
        for (var place = 0; place < block.Data.Data.Count; place++)
        {
            var payload = Payload.Parser.ParseFrom(Envelope.Parser.ParseFrom(block.Data.Data[place]).Payload);
            var header = ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader);
            if (header.Type != (int)HeaderType.EndorserTransaction)
                continue;
            var action = ChaincodeActionPayload.Parser.ParseFrom(FabricTransaction.Parser.ParseFrom(payload.Data).Actions[0].Payload);
            var proposal = ChaincodeProposalPayload.Parser.ParseFrom(action.ChaincodeProposalPayload);
            var input = ChaincodeInvocationSpec.Parser.ParseFrom(proposal.Input).ChaincodeSpec.Input;
            var key = JsonDocument.Parse(input.Args[1].ToStringUtf8()).RootElement[0][1].GetString()!;
            yield return (header.TxId, key, BlockFormat.ValidationCode(block, place));
        }
    }

    private static ProposalOptions Write(string key) => new()
    {
        Arguments = [JsonSerializer.SerializeToUtf8Bytes(new object[] { new[] { "put", key, $"public {key}" }, new[] { "putPrivate", "both", key, "v" } })],
        TransientData = new Dictionary<string, ReadOnlyMemory<byte>> { ["v"] = Encoding.UTF8.GetBytes($"private {key}") },
        EndorsingOrganizations = ["HospitalAMSP", "PortalMSP"],
    };
}
