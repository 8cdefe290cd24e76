using System.Text.Json.Nodes;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>What the hospital's own FHIR server holds of a summary's way: work that waits, that it was anchored, that it was taken back.</summary>
[Collection(HospitalCollection.Name)]
public class WriteBackTests(HospitalFixture fixture)
{
    [Fact]
    public async Task Summary_FromQueueToRetraction_IsToldToTheFhirServerWithoutPatient()
    {
        await using var rig = await Rig.StartAsync(
            fixture, ("WriteBack:Provenance", "true"), ("WriteBack:Interval", "00:00:00.300"), ("Announcing:Task", "true"), ("Announcing:Interval", "00:00:00.300"),
            ("Announcing:Link", "https://bridge.hospital.example/queue"));
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var summary = await rig.QueuedAsync(licence, encounter);

        var task = await UntilAsync(rig, "a Task", $"Task?owner=Practitioner/{practitioner}", found => found.Count == 1);
        Assert.Equal(("requested", 1), ((string)task[0]["status"]!, (int)task[0]["input"]![0]!["valueInteger"]!));

        await rig.ApproveAsync(licence, summary);
        await rig.UntilSummaryAsync(summary, SummaryStatus.Anchored);
        var told = await UntilAsync(rig, "a Provenance", "Provenance?_count=1000", found => Of(found, encounter).Count == 1);
        var anchored = Of(told, encounter)[0];
        Assert.Equal($"Practitioner/{practitioner}", (string)anchored["agent"]![0]!["who"]!["reference"]!);
        Assert.Equal(summary, (string)anchored["entity"]![0]!["what"]!["identifier"]!["value"]!);
        await UntilAsync(rig, "the Task to be completed", $"Task?owner=Practitioner/{practitioner}", found => found.Count == 1 && (string)found[0]["status"]! == "completed");

        await fixture.ChangeAsync(encounter, resource => resource["status"] = "entered-in-error");
        await rig.RetractionQueuedAsync(licence, summary);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary, "retractions")).Outcome);
        await rig.UntilSummaryAsync(summary, SummaryStatus.Retracted);
        told = await UntilAsync(rig, "a Provenance of its end", "Provenance?_count=1000", found => Of(found, encounter).Count == 2);
        var ended = Of(told, encounter).Single(one => (string)one["activity"]!["coding"]![0]!["code"]! == "NULLIFY");
        Assert.Equal("attester", (string)ended["agent"]![0]!["type"]!["coding"]![0]!["code"]!);
        Assert.Contains(ended["target"]!.AsArray(), target => (string)target!["reference"]! == $"Provenance/{(string)anchored["id"]!}");

        // In the tables of the bridge and at the server: no name, no pseudonym, no diagnosis beside them.
        foreach (var resource in Of(told, encounter).Concat(await fixture.SearchAsync($"Task?owner=Practitioner/{practitioner}")))
            foreach (var secret in new[] { Source.Canary, patient.FhirId, patient.Request.Pseudonym.ToString(), Source.Codes[0] })
                Assert.DoesNotContain(secret, resource.ToJsonString(), StringComparison.Ordinal);
    }

    private async Task<IReadOnlyList<JsonObject>> UntilAsync(Rig rig, string what, string query, Func<IReadOnlyList<JsonObject>, bool> isSo)
    {
        IReadOnlyList<JsonObject> found = [];
        await rig.UntilAsync(what, async () => isSo(found = await fixture.SearchAsync(query)));
        return found;
    }

    private static List<JsonObject> Of(IReadOnlyList<JsonObject> told, string encounter) =>
        [.. told.Where(resource => resource["target"]!.AsArray().Any(target => ((string)target!["reference"]!).StartsWith($"Encounter/{encounter}/", StringComparison.Ordinal)))];
}
