using System.Text;
using Bridge.FlowTests.Ledger;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Walkthrough;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>A patient's end on real peers: either side alone purges, neither brings back, nobody else ever read.</summary>
[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class WithdrawalTests(FabricLedgerFixture network)
{
    private readonly FabricLedgerFixture fixture = network.Required();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string A => fixture.Consortium.A.Msp;

    [Theory]
    [InlineData("HospitalAMSP", SampleConsortium.PortalMsp)]
    [InlineData(SampleConsortium.PortalMsp, "HospitalAMSP")]
    public async Task Withdrawal_WhileTheOtherMembersPeerIsSilent_HoldsOnBothWhenItIsBack(string withdrawing, string silent)
    {
        var doctor = await fixture.Actors.ActiveDoctorAsync(A);
        var patient = await fixture.Actors.EnrolledPatientAsync(A);
        var (summary, envelope) = await fixture.Actors.AnchoredAsync(doctor, patient, "73211009");
        var content = Base64Url.Encode(summary.ToCanonicalJson());
        string[] secrets = [patient.Pseudonym.ToString(), summary.Id.ToString(), patient.Request.Consent, content];
        foreach (var secret in secrets)
            Assert.NotEmpty(await DeliveredAsync(A, secret));

        var frozen = FabricNodes.Freeze(new FabricNodes(fixture.Network).Peer(silent));
        try
        {
            // by one organisation's peer and the orderer: the other's is not asked
            var withdrawal = CompactJws.Sign(new Withdrawal(A, patient.ConsentId), patient.Key);
            var outcome = await fixture.Typed(withdrawing).WithdrawConsentAsync(
                A, new ConsentWithdrawal(patient.Index, withdrawal, Handle.New(), Salt.New(), Salt.New()), Token);
            Assert.Equal((true, 0), (outcome.Complete, outcome.Locked));
        }
        finally
        {
            FabricNodes.Thaw(frozen);
        }

        await fixture.SettledAsync();
        foreach (var member in (string[])[A, SampleConsortium.PortalMsp])
        {
            var ledger = fixture.Typed(member);
            Assert.Equal(SummaryState.NotFound, Assert.Single(await ledger.ReadSummariesAsync(A, [summary.Id], Token)).State);
            var left = await ledger.ReadPatientByIndexAsync(A, patient.Index, Token);
            Assert.True(left.Withdrawn);
            Assert.Null(left.Patient);
            Assert.Equal("NOT_FOUND", await fixture.Actors.ReadRefusalAsync(A, summary.Id, member));
            Assert.Empty(await DeliveredAsync(member, content, patient.Request.Consent));
        }

        Assert.Equal("NOT_MEMBER", await fixture.Actors.ReadRefusalAsync(A, summary.Id, fixture.Consortium.B.Msp));

        // What the index still says is gone once it is swept, with old blocks too. The summary's id, a random one, stays in the record of its event.
        Assert.True(await fixture.Typed(A).SweepIndexAsync(A, patient.Index, Token));
        await fixture.SettledAsync();
        foreach (var member in (string[])[A, SampleConsortium.PortalMsp])
            Assert.Empty(await DeliveredAsync(member, [.. secrets.Where(secret => secret != summary.Id.ToString())]));

        // no one brings it back: not both by the rules, not one past them
        await Refused.WithAsync("CONSENT_WITHDRAWN", () => fixture.Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
        foreach (var alone in (string[])[A, SampleConsortium.PortalMsp])
            Assert.NotNull(await Refused.ByAsync(() => fixture.Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, endorsers: [alone])));
        foreach (var text in (string[])[.. secrets, "73211009"])
            Assert.Empty(Traces.InFiles(Path.Combine(fixture.Network.Data, "nodes"), text, "blockfile_*"));
        // what cannot find anything would have found nothing here
        Assert.NotEmpty(Traces.InFiles(Path.Combine(fixture.Network.Data, "nodes"), "AnchorSummaries", "blockfile_*"));
    }

    // private values with any of the texts in them, which the organisation's peer hands out with the blocks from the beginning on
    private async Task<IReadOnlyList<string>> DeliveredAsync(string msp, params string[] texts)
    {
        var channel = fixture.Connect(msp).GetNetwork(ContractCalls.Channel);
        var height = await channel.GetHeightAsync(Token);
        var found = new List<string>();
        await foreach (var block in channel.FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 0 }, Token))
        {
            foreach (var write in block.Transactions.SelectMany(transaction => transaction.PrivateWrites))
            {
                if (write.Value is { } value && texts.Any(text => value.Span.IndexOf(Encoding.UTF8.GetBytes(text)) >= 0))
                    found.Add($"block {block.Number}: {write.CollectionName} {write.Key.Split('/')[0]}");
            }

            if (block.Number + 1 == height)
                break;
        }

        return found;
    }
}
