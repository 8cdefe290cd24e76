using Bridge.Hospital.Store;
using Bridge.Ledger;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>Encounters that turn out to be another patient's, and records that turn out to be one patient's or two.</summary>
[Collection(HospitalCollection.Name)]
public class MoveTests(HospitalFixture fixture)
{
    [Fact]
    public async Task Moved_ToAnEnrolledPatient_QueuedFollowsAndAnchoredIsTakenBackAndIssuedAnew()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var (first, second) = (await rig.EnrolAsync(), await rig.EnrolAsync());
        var waiting = await fixture.EncounterAsync(first.FhirId, practitioner, Source.Codes[0]);
        var standing = await fixture.EncounterAsync(first.FhirId, practitioner, Source.Codes[1]);
        var queued = await rig.QueuedAsync(licence, waiting);
        var anchored = await AmendmentTests.AnchoredAsync(rig, licence, standing);

        foreach (var encounter in (string[])[waiting, standing])
            await fixture.MoveAsync(encounter, second.FhirId);

        // The old one is in nobody's queue; the new one is about the other patient's key and asks for a signature of its own.
        await rig.UntilSummaryAsync(queued, SummaryStatus.Withheld);
        Assert.Equal(Reasons.PatientMoved, (await rig.RowOfSummaryAsync(queued))!.Reason);
        await rig.RetractionQueuedAsync(licence, anchored);
        Assert.Equal("WrongPatient", (await rig.GetAsync(licence, $"/api/retractions/{anchored}")).Body.GetProperty("reason").GetString());
        foreach (var encounter in (string[])[waiting, standing])
        {
            var follower = await AmendmentTests.AnchoredAsync(rig, licence, encounter);
            Assert.Equal(
                (second.Enrolment, second.Request.Pseudonym.ToString(), null, false),
                (await rig.RowOfSummaryAsync(follower))! is var row ? (row.EnrolmentId, row.Pseudonym, row.Supersedes, follower == queued) : default);
        }
        await rig.AddsUpAsync();
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, anchored, "retractions")).Outcome);
        await rig.UntilSummaryAsync(anchored, SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Erased], await AmendmentTests.StatesAsync(rig, [anchored]));
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Moved_ToAPatientWhoIsNotEnrolled_SignedIsStoppedAndAnchoredIsTakenBack()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var stranger = await fixture.PatientAsync();
        var standing = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var back = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var anchored = await AmendmentTests.AnchoredAsync(rig, licence, standing);
        var returning = await AmendmentTests.AnchoredAsync(rig, licence, back);
        await rig.StopAsync();
        await rig.StartAsync(("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00"));
        var leaving = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[2]);
        var signed = await rig.QueuedAsync(licence, leaving);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, signed)).Outcome);

        foreach (var encounter in (string[])[standing, back, leaving])
            await fixture.MoveAsync(encounter, stranger);

        await rig.UntilSummaryAsync(signed, SummaryStatus.Withheld);
        await rig.RetractionQueuedAsync(licence, anchored);
        await rig.RetractionQueuedAsync(licence, returning);
        Assert.Empty(await rig.Database.ReadAsync(SummaryRows.CountsAsync, TestContext.Current.CancellationToken));
        Assert.Equal(0, await rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE patient_key = @stranger", new { stranger }), TestContext.Current.CancellationToken));
        await rig.AddsUpAsync();

        // One comes back before the doctor signed, the other is gone for good.
        await fixture.MoveAsync(back, patient.FhirId);
        await rig.UntilAsync("it to count again", async () => (await rig.RowOfAsync(back))?.SummaryId == returning);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, anchored, "retractions")).Outcome);
        await rig.UntilSummaryAsync(anchored, SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Live, SummaryState.Erased], await AmendmentTests.StatesAsync(rig, [returning, anchored]));
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Merged_AndPartedAgain_EncountersFollowTheRecordInUse()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Watching:Reread", "00:00:01"));
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var (old, used) = (await rig.EnrolAsync(), await rig.EnrolAsync());
        var waiting = await fixture.EncounterAsync(old.FhirId, practitioner, Source.Codes[0]);
        var standing = await fixture.EncounterAsync(old.FhirId, practitioner, Source.Codes[1]);
        var queued = await rig.QueuedAsync(licence, waiting);
        var anchored = await AmendmentTests.AnchoredAsync(rig, licence, standing);

        // No encounter is touched: only the two records say it.
        await fixture.MergeAsync(old.FhirId, used.FhirId);

        await rig.UntilSummaryAsync(queued, SummaryStatus.Withheld);
        await rig.RetractionQueuedAsync(licence, anchored);
        Assert.Equal((Reasons.PatientMerged, Reasons.PatientMerged), ((await rig.RowOfSummaryAsync(queued))!.Reason, (await rig.RowOfSummaryAsync(anchored))!.Reason));
        Assert.Equal("Merged", (await rig.GetAsync(licence, $"/api/retractions/{anchored}")).Body.GetProperty("reason").GetString());
        var later = await fixture.EncounterAsync(old.FhirId, practitioner, Source.Codes[2]);
        foreach (var encounter in (string[])[waiting, standing, later])
        {
            await rig.UntilStatusAsync(encounter, SummaryStatus.AwaitingCoSign);
            Assert.Equal(used.Request.Pseudonym.ToString(), (await rig.RowOfAsync(encounter))!.Pseudonym);
        }
        var wrong = await AmendmentTests.AnchoredAsync(rig, licence, waiting);
        await rig.AddsUpAsync();

        await fixture.PartAsync(old.FhirId, used.FhirId);

        await rig.UntilAsync("the anchored one to count again", async () => (await rig.RowOfAsync(standing))?.SummaryId == anchored);
        await rig.RetractionQueuedAsync(licence, wrong);
        await rig.UntilAsync("each to be its patient's again", async () =>
        {
            foreach (var encounter in (string[])[waiting, standing, later])
                if ((await rig.RowOfAsync(encounter))?.Pseudonym != old.Request.Pseudonym.ToString())
                    return false;
            return true;
        });
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, wrong, "retractions")).Outcome);
        await rig.UntilSummaryAsync(wrong, SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Live, SummaryState.Erased], await AmendmentTests.StatesAsync(rig, [anchored, wrong]));
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Merged_IntoARecordThatIsNotEnrolled_IsTakenBackAndNotIssuedAnew()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Watching:Reread", "00:00:01"));
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var stranger = await fixture.PatientAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AmendmentTests.AnchoredAsync(rig, licence, encounter);

        await fixture.MergeAsync(patient.FhirId, stranger);

        await rig.RetractionQueuedAsync(licence, summary);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary, "retractions")).Outcome);
        await rig.UntilSummaryAsync(summary, SummaryStatus.Retracted);
        await rig.AddsUpAsync();
        Assert.Equal(1, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary"), TestContext.Current.CancellationToken));
    }
}
