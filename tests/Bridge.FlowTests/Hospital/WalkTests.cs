using System.Net;
using Bridge.Hospital.Store;
using Bridge.Records;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class WalkTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Encounter_OfEnrolledPatient_IsSignedAnchoredAndErased(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner);

        var summary = await rig.QueuedAsync(licence, encounter);
        var approved = await rig.ApproveAsync(licence, summary);
        Assert.Equal((HttpStatusCode.OK, "APPROVED"), (approved.Status, approved.Outcome));
        await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);

        var counts = await rig.GetAsync("operator", "/api/operations/counts");
        var state = Assert.Single(counts.Body.GetProperty("states").EnumerateArray());
        Assert.Equal(("Anchored", 1), (state.GetProperty("status").GetString(), state.GetProperty("count").GetInt32()));
        Assert.Null(await rig.Actors.ReadRefusalAsync(Rig.Msp, SummaryId.Parse(summary), "PortalMSP"));
        var receipt = await rig.Database.ReadAsync(work => work.FirstAsync<ReceiptRow>("SELECT tx_id AS TxId, block_number AS BlockNumber, signed AS Signed FROM receipt"),
            TestContext.Current.CancellationToken);
        Assert.Equal(VerificationOutcome.Valid, SignedSummary.Verify(System.Text.Encoding.UTF8.GetBytes(receipt!.Signed!)).Outcome);
        Assert.Equal(64, receipt.TxId!.Length);
        Assert.True(receipt.BlockNumber > 0);

        // The patient erases it by way of the portal; the hospital hears of it and wipes its copy.
        await rig.Actors.EraseAsync(Rig.Msp, SummaryId.Parse(summary), CompactJws.Sign(new Erasure(Rig.Msp, SummaryId.Parse(summary)), patient.Key));
        await rig.UntilStatusAsync(encounter, SummaryStatus.Erased);
        Assert.Null((await rig.RowOfAsync(encounter))!.Payload);

        await rig.UntilAsync("readiness", async () => (await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.OK);
        Assert.Equal(new AuditVerdict(await AuditCountAsync(rig), null), await rig.Database.ReadAsync(AuditLog.VerifyAsync, TestContext.Current.CancellationToken));
        Assert.DoesNotContain(Source.Canary, rig.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain(patient.FhirId, rig.LogText, StringComparison.Ordinal);
    }

    private static Task<long> AuditCountAsync(Rig rig) =>
        rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM audit"), TestContext.Current.CancellationToken);

    private sealed class ReceiptRow
    {
        public string? TxId { get; init; }
        public long? BlockNumber { get; init; }
        public string? Signed { get; init; }
    }
}
