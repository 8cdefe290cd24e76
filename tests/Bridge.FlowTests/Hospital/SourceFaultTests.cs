using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>A whole hospital before a FHIR server that behaves badly: what it shows, and that nothing is lost or out of order.</summary>
[Collection(HospitalCollection.Name)]
public class SourceFaultTests(HospitalFixture fixture)
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;
    private static readonly string Ended = DateTime.UtcNow.AddDays(-40).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    internal static void PutPeople(QuirkServer server, string patient, string licence)
    {
        server.Store.Put(new JsonObject { ["resourceType"] = "Patient", ["id"] = patient, ["gender"] = "female", ["birthDate"] = "1971-03-05" });
        server.Store.Put(new JsonObject
        {
            ["resourceType"] = "Practitioner",
            ["id"] = "doc",
            ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:register", ["value"] = licence }),
        });
    }

    internal static void PutEncounter(QuirkServer server, string id, string patient, string code, string status = "finished", string? end = null)
    {
        var condition = Source.Condition(patient, id, code);
        condition["id"] = "c-" + id;
        server.Store.Put(condition);
        server.Store.Put(new JsonObject
        {
            ["resourceType"] = "Encounter",
            ["id"] = id,
            ["status"] = status,
            ["class"] = new JsonObject { ["code"] = "AMB" },
            ["subject"] = new JsonObject { ["reference"] = "Patient/" + patient },
            ["participant"] = new JsonArray(new JsonObject { ["individual"] = new JsonObject { ["reference"] = "Practitioner/doc" } }),
            ["period"] = new JsonObject { ["start"] = Ended, ["end"] = end ?? Ended },
        });
    }

    [Fact]
    public async Task RosterSweep_ServerThatSearchesWithinAPatientOnly_QueuesEachEncounterOnceAndSeesCorrections()
    {
        await using var server = await QuirkServer.StartAsync(new Quirks { PatientScoped = true, PageSize = 2, IgnoresCount = true, IgnoresSort = true });
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        PutPeople(server, "p1", licence);
        for (var i = 0; i < 5; i++)
            PutEncounter(server, $"e{i}", "p1", Source.Codes[i]);
        PutEncounter(server, "other", "not-enrolled", Source.Codes[0]);
        await rig.StartAsync(("Fhir:BaseUrl", server.BaseUrl.ToString()), ("Watching:Strategy", "RosterSweep"));
        await rig.EnrolAsync("p1");

        for (var i = 0; i < 5; i++)
            await rig.UntilStatusAsync($"e{i}", SummaryStatus.AwaitingCoSign);
        PutEncounter(server, "e5", "p1", Source.Codes[5]);
        await rig.UntilStatusAsync("e5", SummaryStatus.AwaitingCoSign);
        PutEncounter(server, "e0", "p1", Source.Codes[0], "entered-in-error");
        await rig.UntilAsync("the correction to be seen", async () => (await rig.RowOfAsync("e0"))?.Status is null or SummaryStatus.Withheld);

        Assert.Equal(5, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE is_current = 1 AND status = 'AwaitingCoSign'"), Stop));
        Assert.Equal(6, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary"), Stop));
        Assert.DoesNotContain(server.Requests, r => r.PathAndQuery.Contains("not-enrolled", StringComparison.Ordinal));
        Assert.Null(await rig.RowOfAsync("other"));
    }

    [Fact]
    public async Task Watch_ServerThatAnswersGarbage_ShowsItAndGoesOnInOrder()
    {
        await using var server = await QuirkServer.StartAsync();
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        PutPeople(server, "p1", licence);
        PutEncounter(server, "e0", "p1", Source.Codes[0]);
        await rig.StartAsync(("Fhir:BaseUrl", server.BaseUrl.ToString()));
        await rig.EnrolAsync("p1");
        await rig.UntilStatusAsync("e0", SummaryStatus.AwaitingCoSign);

        server.Fail(Fault.Html(), int.MaxValue);
        Answer last = null!;
        await rig.UntilAsync("the fault to show", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.ServiceUnavailable
            && last.Body.ToString().Contains("Garbage", StringComparison.Ordinal));
        for (var i = 1; i < 12; i++)
            PutEncounter(server, $"e{i}", "p1", Source.Codes[i]);
        server.Heal();
        foreach (var fault in new[] { Fault.TruncatedJson(), Fault.EmptyBody(), Fault.WrongResource(), Fault.NoObject(), Fault.PlainText(), Fault.Unavailable(0), Fault.TooMany(0), Fault.Broken(), Fault.HangUp() })
            server.Fail(fault, 1, "Condition");

        for (var i = 1; i < 12; i++)
            await rig.UntilStatusAsync($"e{i}", SummaryStatus.AwaitingCoSign);
        await rig.UntilAsync("recovery", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.OK, state: () => Task.FromResult(last.Body.ToString()));
        var order = await rig.Database.ReadAsync(async work => (await work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary ORDER BY row_id")).Select(row => row.EncounterKey).ToList(), Stop);
        Assert.Equal(Enumerable.Range(0, 12).Select(i => $"e{i}"), order);
        Assert.DoesNotContain("Please sign in", rig.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_PoisonEncounters_AreSetAsideWithTheirReasonAndTheLineGoesOn()
    {
        await using var server = await QuirkServer.StartAsync();
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        PutPeople(server, "p1", licence);
        const string head = """{"resourceType":"Encounter","id":"@","meta":{"versionId":"1"},"status":"finished","subject":{"reference":"Patient/p1"},"class":{"code":"AMB"},""";
        void Raw(string id, string rest) => server.Store.PutRaw("Encounter", id, Encoding.UTF8.GetBytes(head.Replace("@", id, StringComparison.Ordinal) + rest), "p1");
        Raw("huge", "\"text\":{\"div\":\"" + new string('x', 100_000_000) + "\"}}");
        Raw("deep", "\"extension\":" + new string('[', 10_000) + new string(']', 10_000) + "}");
        Raw("broken", "\"period\":{\"end\":nonsense}}");
        PutEncounter(server, "dated", "p1", Source.Codes[0], end: "2024-02-30");
        // the treating doctor's role leads back to a role
        server.Store.Put((JsonObject)JsonNode.Parse("""{"resourceType":"PractitionerRole","id":"r1","practitioner":{"reference":"PractitionerRole/r1"}}""")!);
        PutEncounter(server, "loop", "p1", Source.Codes[1]);
        var loop = (JsonObject)JsonNode.Parse(head.Replace("@", "loop", StringComparison.Ordinal)
            + """ "participant":[{"individual":{"reference":"PractitionerRole/r1"}}],"period":{"start":"@","end":"@"}}""".Replace("@", Ended, StringComparison.Ordinal))!;
        server.Store.Put(loop);
        PutEncounter(server, "good", "p1", Source.Codes[2]);
        await rig.StartAsync(("Fhir:BaseUrl", server.BaseUrl.ToString()));
        await rig.EnrolAsync("p1");

        await rig.UntilStatusAsync("good", SummaryStatus.AwaitingCoSign);
        foreach (var (id, reason) in new[] { ("huge", "TooLarge"), ("deep", "TooDeep"), ("broken", "Malformed"), ("dated", "ImpossibleDate"), ("loop", "ReferenceLoop") })
        {
            await rig.UntilStatusAsync(id, SummaryStatus.Failed);
            Assert.Equal($"SetAside({reason})", (await rig.RowOfAsync(id))!.Reason);
        }
    }
}
