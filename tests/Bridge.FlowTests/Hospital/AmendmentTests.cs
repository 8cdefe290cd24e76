using System.Net;
using System.Text.Json.Nodes;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>What becomes of a summary when the source changes its mind, through FHIR server, hospital, ledger and contract.</summary>
[Collection(HospitalCollection.Name)]
public class AmendmentTests(HospitalFixture fixture)
{
    private static readonly (string, string)[] NothingLeaves = [("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00")];

    [Fact]
    public async Task Anchored_DiagnosisTreatmentAndDoctorChange_EachIsSignedAnewAndSupersedes()
    {
        await using var rig = Rig.Create(fixture);
        var (first, second) = ((await rig.AddDoctorAsync()).Statement.Licence, (await rig.AddDoctorAsync()).Statement.Licence);
        await rig.StartAsync();
        var patient = await rig.EnrolAsync();
        var (hers, his) = (await fixture.PractitionerAsync(first), await fixture.PractitionerAsync(second));
        var encounter = await fixture.EncounterAsync(patient.FhirId, hers, Source.Codes[0]);
        var chain = new List<string> { await AnchoredAsync(rig, first, encounter) };

        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);
        await fixture.TouchAsync(encounter);
        chain.Add(await SupersededAsync(rig, first, encounter, chain[^1]));

        await fixture.PutAsync(Source.Procedure(patient.FhirId, encounter, "73761001"));
        await fixture.TouchAsync(encounter);
        chain.Add(await SupersededAsync(rig, first, encounter, chain[^1]));

        await fixture.ChangeAsync(encounter, resource => resource["participant"]![0]!["individual"]!["reference"] = $"Practitioner/{his}");
        chain.Add(await SupersededAsync(rig, second, encounter, chain[^1]));

        var payload = MinimalSummary.Read((await rig.RowOfAsync(encounter))!.Payload!, out _)!;
        Assert.Equal((Source.Codes[1], "73761001", chain[^2]), (Assert.Single(payload.Conditions).Code, Assert.Single(payload.Treatments).Code, payload.Supersedes.ToString()));
        Assert.Equal([SummaryState.Erased, SummaryState.Erased, SummaryState.Erased, SummaryState.Live], await StatesAsync(rig, chain));
        // Touched once more without saying anything else, it stays as it is.
        await fixture.TouchAsync(encounter);
        await rig.AddsUpAsync();
        Assert.Equal((chain[^1], SummaryStatus.Anchored), ((await rig.RowOfAsync(encounter))!.SummaryId, (await rig.RowOfAsync(encounter))!.Status));
    }

    [Fact]
    public async Task Waiting_ConditionChangesBesideItsEncounter_IsNoticedAndTheSignatureIsVoid()
    {
        await using var rig = await Rig.StartAsync(fixture, [.. NothingLeaves, ("Watching:Reread", "00:00:01")]);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await rig.QueuedAsync(licence, encounter);

        // In the queue; the encounter itself is not touched.
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);
        await rig.UntilAsync("the new diagnosis", async () => await CodeAsync(rig, encounter) == Source.Codes[1]);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);

        // Signed, not sent yet.
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[2]);
        await rig.UntilStatusAsync(encounter, SummaryStatus.AwaitingCoSign);
        Assert.Equal(Source.Codes[2], await CodeAsync(rig, encounter));
        Assert.Equal(Reasons.ContentChanged, await rig.Database.ReadAsync(
            work => work.ScalarAsync<string>("SELECT void_reason FROM decision WHERE kind = 'approve'"), TestContext.Current.CancellationToken));
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
    }

    [Fact]
    public async Task Anchored_ConditionChangesBesideItsEncounter_IsNoticedOnce()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Watching:Reread", "00:00:03"));
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, licence, encounter);

        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);

        await SupersededAsync(rig, licence, encounter, summary);
        await rig.UntilAsync("the last look", async () => (await rig.RowOfAsync(encounter))!.ReadyAt == 0);
    }

    [Fact]
    public async Task Replacement_SourceSaysTheOldAgain_IsDroppedAndTheOldStays()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, licence, encounter);
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);
        await fixture.TouchAsync(encounter);
        var replacement = await rig.QueuedAsync(licence, encounter);

        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[0]);
        await fixture.TouchAsync(encounter);

        await rig.UntilAsync("the old one to count again", async () => (await rig.RowOfAsync(encounter))?.SummaryId == summary);
        Assert.Equal((SummaryStatus.Withheld, Reasons.AsAnchored), ((await rig.RowOfSummaryAsync(replacement))!.Status, (await rig.RowOfSummaryAsync(replacement))!.Reason));
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Replacement_OnlyTakesSomethingAway_IsNotHeldBackAsNothingNew()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Watching:Reread", "00:00:01"));
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var second = await fixture.PutAsync(Source.Condition(patient.FhirId, encounter, Source.Codes[1]));
        await fixture.TouchAsync(encounter);
        await rig.UntilAsync("both diagnoses", async () => (await rig.RowOfAsync(encounter))?.Payload is { } payload && MinimalSummary.Read(payload, out _)!.Conditions.Count == 2);
        var summary = await AnchoredAsync(rig, licence, encounter);

        await fixture.DeleteAsync("Condition", second);
        await fixture.TouchAsync(encounter);

        await SupersededAsync(rig, licence, encounter, summary);
        Assert.Equal(Source.Codes[0], await CodeAsync(rig, encounter));
    }

    [Fact]
    public async Task Anchored_DiagnosesAllRefuted_IsTakenBackUnderBothSignatures()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, licence, encounter);

        foreach (var condition in await fixture.SearchAsync($"Condition?encounter=Encounter/{encounter}"))
        {
            condition["verificationStatus"] = new JsonObject { ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/condition-ver-status", ["code"] = "refuted" }) };
            await fixture.PutAsync(condition);
        }
        await fixture.TouchAsync(encounter);

        await rig.RetractionQueuedAsync(licence, summary);
        Assert.Equal((SummaryStatus.Withheld, "NoCondition"), ((await rig.RowOfAsync(encounter))!.Status, (await rig.RowOfAsync(encounter))!.Reason));
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary, "retractions")).Outcome);
        await rig.UntilSummaryAsync(summary, SummaryStatus.Retracted);
        await rig.AddsUpAsync();
        // Diagnosed anew, it is a summary of its own.
        await fixture.PutAsync(Source.Condition(patient.FhirId, encounter, Source.Codes[1]));
        await fixture.TouchAsync(encounter);
        Assert.Null((await rig.RowOfSummaryAsync(await AnchoredAsync(rig, licence, encounter)))!.Supersedes);
    }

    [Theory]
    [InlineData("entered-in-error")]
    [InlineData("cancelled")]
    [InlineData("deleted")]
    public async Task TakenBackAtTheSource_InTheQueueSignedOrAnchored_EndsWhereItStands(string how)
    {
        await using var rig = await Rig.StartAsync(fixture, [.. NothingLeaves, ("Watching:Reread", "00:00:02")]);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var queued = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var signed = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var inQueue = await rig.QueuedAsync(licence, queued);
        var coSigned = await rig.QueuedAsync(licence, signed);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, coSigned)).Outcome);

        await EndAsync(how, queued);
        await EndAsync(how, signed);

        foreach (var summary in (string[])[inQueue, coSigned])
        {
            await rig.UntilSummaryAsync(summary, SummaryStatus.Withheld);
            Assert.Equal((Reasons.SourceVoid, 0L, true), (await rig.RowOfSummaryAsync(summary))! is var row ? (row.Reason, row.IsCurrent, row.Payload is null) : default);
        }
        Assert.Equal(HttpStatusCode.Conflict, (await rig.PostAsync(licence, $"/api/cosign/{coSigned}/approve", new { @protected = "x", signature = "y" })).Status);
        Assert.Equal(1, await rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor WHERE state = 'Void' AND item IS NULL AND active_row IS NULL"), TestContext.Current.CancellationToken));
        await rig.AddsUpAsync();
    }

    [Theory]
    [InlineData("entered-in-error")]
    [InlineData("deleted")]
    public async Task TakenBackAtTheSource_Anchored_IsRetractedWhenADoctorHasSigned(string how)
    {
        await using var rig = Rig.Create(fixture);
        var (first, second) = ((await rig.AddDoctorAsync()).Statement.Licence, (await rig.AddDoctorAsync()).Statement.Licence);
        await rig.StartAsync();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(first), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, first, encounter);
        // A second one of the same content was held back for its sake.
        var same = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(first), Source.Codes[0]);
        await rig.UntilStatusAsync(same, SummaryStatus.Withheld);

        await EndAsync(how, encounter);
        if (how == "deleted")
            // No walk shows a deletion; the daily reconciliation does.
            await rig.AddsUpAsync();
        await rig.RetractionQueuedAsync(first, summary);

        // The bridge alone takes nothing back; neither does another doctor, nor a signature over other bytes.
        Assert.Equal([SummaryState.Live], await StatesAsync(rig, [summary]));
        Assert.Equal(HttpStatusCode.NotFound, (await rig.GetAsync(second, $"/api/retractions/{summary}")).Status);
        Assert.Equal("NOT_FOUND", (await rig.ApproveAsync(second, summary, "retractions") is { Status: HttpStatusCode.NotFound } ? "NOT_FOUND" : "found"));
        var shown = (await rig.GetAsync(first, $"/api/retractions/{summary}")).Body;
        Assert.Equal(("EnteredInError", Reasons.SourceVoid), (shown.GetProperty("reason").GetString(), shown.GetProperty("because").GetString()));
        var header = shown.GetProperty("signing")[0].GetProperty("protected").GetString()!;
        Assert.Equal("BAD_SIGNATURE", (await rig.PostAsync(first, $"/api/retractions/{summary}/approve", new
        {
            @protected = header,
            signature = Rig.Sign(rig.Doctors[first].Keys, shown.GetProperty("signing")[0].GetProperty("signingInput").GetString() + "A"),
        })).Outcome);

        // She says that it is right; an operator asks the other doctor, who signs.
        Assert.Equal("NO_REASON", (await rig.PostAsync(first, $"/api/retractions/{summary}/decline", new { reason = "" })).Outcome);
        Assert.Equal("DECLINED", (await rig.PostAsync(first, $"/api/retractions/{summary}/decline", new { reason = "it was no error" })).Outcome);
        Assert.Equal("ALREADY_DECIDED", (await rig.ApproveAsync(first, summary, "retractions")).Outcome);
        Assert.Equal("Declined", Assert.Single((await rig.GetAsync("operator", "/api/retractions/held")).Body.GetProperty("items").EnumerateArray()).GetProperty("state").GetString());
        Assert.Equal("ASSIGNED", (await rig.PostAsync("operator", $"/api/retractions/{summary}/assign", new { licence = second })).Outcome);
        // Eight times at once: signed once.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => rig.ApproveAsync(second, summary, "retractions")));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);

        await rig.UntilSummaryAsync(summary, SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Erased], await StatesAsync(rig, [summary]));
        Assert.Null((await rig.RowOfSummaryAsync(summary))!.Payload);
        Assert.Equal(0, await rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM receipt WHERE signed IS NOT NULL"), TestContext.Current.CancellationToken));
        await rig.QueuedAsync(first, same);
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task EnteredInError_TakenBackByTheSourceBeforeADoctorSigned_StaysAnchored()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, licence, encounter);
        await EndAsync("entered-in-error", encounter);
        await rig.RetractionQueuedAsync(licence, summary);
        await rig.AddsUpAsync();

        await fixture.ChangeAsync(encounter, resource => resource["status"] = "finished");

        await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
        Assert.Equal(summary, (await rig.RowOfAsync(encounter))!.SummaryId);
        Assert.Equal(HttpStatusCode.NotFound, (await rig.GetAsync(licence, $"/api/retractions/{summary}")).Status);
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Reopened_ThenFinished_WaitsAndSupersedesOnlyIfItChanged()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var waiting = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var summary = await AnchoredAsync(rig, licence, encounter);
        var queued = await rig.QueuedAsync(licence, waiting);

        foreach (var one in (string[])[encounter, waiting])
            await fixture.ChangeAsync(one, resource => resource["status"] = "in-progress");
        await rig.UntilSummaryAsync(queued, SummaryStatus.Withheld);
        await rig.UntilAsync("the anchored one to wait", async () => (await rig.RowOfSummaryAsync(summary))!.Reason == Reasons.Reopened);
        await rig.AddsUpAsync();
        Assert.Empty(await rig.Database.ReadAsync(SummaryRows.CountsAsync, TestContext.Current.CancellationToken));
        Assert.Equal([SummaryState.Live], await StatesAsync(rig, [summary]));

        foreach (var one in (string[])[encounter, waiting])
            await fixture.ChangeAsync(one, resource => resource["status"] = "finished");
        await rig.UntilAsync("it to count again", async () => (await rig.RowOfAsync(encounter))?.SummaryId == summary);
        Assert.Null((await rig.RowOfAsync(encounter))!.Reason);
        Assert.NotEqual(queued, await rig.QueuedAsync(licence, waiting));
        await rig.AddsUpAsync();

        await fixture.ChangeAsync(encounter, resource => resource["status"] = "in-progress");
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[2]);
        await fixture.ChangeAsync(encounter, resource => resource["status"] = "finished");
        await SupersededAsync(rig, licence, encounter, summary);
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Erased_WhileAReplacementWaits_IsNotSummarisedAgain()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AnchoredAsync(rig, licence, encounter);
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);
        await fixture.TouchAsync(encounter);
        var replacement = await rig.QueuedAsync(licence, encounter);

        await rig.Actors.EraseAsync(Rig.Msp, SummaryId.Parse(summary), CompactJws.Sign(new Erasure(Rig.Msp, SummaryId.Parse(summary)), patient.Key));

        await rig.UntilSummaryAsync(summary, SummaryStatus.Erased);
        await rig.UntilSummaryAsync(replacement, SummaryStatus.Withheld);
        Assert.Equal(Reasons.ErasedByPatient, (await rig.RowOfSummaryAsync(replacement))!.Reason);
        await fixture.TouchAsync(encounter);
        await rig.AddsUpAsync();
        Assert.Equal(SummaryStatus.Erased, (await rig.RowOfAsync(encounter))!.Status);
    }

    private async Task EndAsync(string how, string encounter)
    {
        if (how == "deleted")
            await fixture.DeleteAsync("Encounter", encounter);
        else
            await fixture.ChangeAsync(encounter, resource => resource["status"] = how);
    }

    internal static async Task<string> AnchoredAsync(Rig rig, string licence, string encounter)
    {
        var summary = await rig.QueuedAsync(licence, encounter);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        await rig.UntilSummaryAsync(summary, SummaryStatus.Anchored);
        return summary;
    }

    private static async Task<string> SupersededAsync(Rig rig, string licence, string encounter, string older)
    {
        await rig.UntilAsync("a replacement", async () => (await rig.RowOfAsync(encounter)) is { } row && row.SummaryId != older && row.Status == SummaryStatus.AwaitingCoSign);
        // Until it is signed, the older one stands.
        Assert.Equal([SummaryState.Live], await StatesAsync(rig, [older]));
        var summary = await AnchoredAsync(rig, licence, encounter);
        Assert.Equal(older, (await rig.RowOfSummaryAsync(summary))!.Supersedes);
        await rig.UntilSummaryAsync(older, SummaryStatus.Superseded);
        Assert.Null((await rig.RowOfSummaryAsync(older))!.Payload);
        return summary;
    }

    internal static async Task<IReadOnlyList<SummaryState>> StatesAsync(Rig rig, IEnumerable<string> summaries) =>
        [.. (await rig.Services.GetRequiredService<SummaryLedger>().ReadSummariesAsync(Rig.Msp, [.. summaries.Select(SummaryId.Parse)], TestContext.Current.CancellationToken))
            .Select(reading => reading.State)];

    private static async Task<string> CodeAsync(Rig rig, string encounter) =>
        MinimalSummary.Read((await rig.RowOfAsync(encounter))!.Payload!, out _)!.Conditions[0].Code;
}
