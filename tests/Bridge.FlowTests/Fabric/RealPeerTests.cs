using Bridge.FlowTests.Ledger;
using Bridge.Ledger;
using Xunit;
using TxValidationCode = Bridge.Ledger.Protocol.TxValidationCode;

namespace Bridge.FlowTests.Fabric;

/// <summary>The client on real peers and orderers, where the development ledger has nothing to compare with.</summary>
[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class RealPeerTests(FabricLedgerFixture network)
{
    private readonly FabricLedgerFixture fixture = network.Required();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private Actors Actors => fixture.Actors;

    private string A => fixture.Consortium.A.Msp;

    // blocks chain, carry no private data but for members, and events are the same from the middle on
    [Fact]
    public async Task BlocksAndEvents_OfAWholeLife_ChainAndResumeAndShowPrivateDataToMembersOnly()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        for (var i = 0; i < 3; i++)
            await Actors.AnchoredAsync(doctor, patient);
        var channel = fixture.Connect(A).GetNetwork("bridge");
        var height = await channel.GetHeightAsync(Token);
        byte[] previous = [];
        var seen = new List<CommittedTransaction>();
        await foreach (var block in channel.FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 0 }, Token))
        {
            Assert.Equal(Bridge.Ledger.Protocol.BlockFault.None, Bridge.Ledger.Protocol.BlockFormat.Check(block.Block, previous));
            previous = Bridge.Ledger.Protocol.BlockFormat.HeaderHash(block.Block.Header);
            seen.AddRange(block.Transactions);
            if (block.Number + 1 == height)
                break;
        }

        Assert.Contains(seen, transaction => transaction.PrivateWrites.Any(write => write.CollectionName == $"s_{A}" && write.Value is not null));
        var outsiders = new List<CommittedTransaction>();
        await foreach (var block in fixture.Connect(fixture.Consortium.B.Msp).GetNetwork("bridge")
            .FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 0 }, Token))
        {
            outsiders.AddRange(block.Transactions);
            if (block.Number + 1 == height)
                break;
        }

        Assert.DoesNotContain(outsiders.SelectMany(transaction => transaction.PrivateWrites), write => write.CollectionName.EndsWith($"_{A}", StringComparison.Ordinal));

        var emitting = seen.Where(transaction => transaction.Event is not null && transaction.ValidationCode == TxValidationCode.Valid).ToList();
        var events = new List<ChaincodeEvent>();
        await foreach (var found in channel.FollowChaincodeEventsAsync("summaries", new EventOptions { StartBlock = 0 }, Token))
        {
            events.Add(found);
            if (events.Count == emitting.Count)
                break;
        }

        Assert.Equal(emitting.Select(transaction => transaction.TransactionId), events.Select(found => found.TransactionId));
        var middle = events.Count / 2;
        var rest = new List<string>();
        await foreach (var found in channel.GetChaincodeEventsAsync("summaries", new EventOptions { Checkpoint = events[middle].Checkpoint }, Token))
        {
            rest.Add(found.TransactionId);
            if (rest.Count == events.Count - middle - 1)
                break;
        }

        Assert.Equal(events.Skip(middle + 1).Select(found => found.TransactionId), rest);
    }
}
