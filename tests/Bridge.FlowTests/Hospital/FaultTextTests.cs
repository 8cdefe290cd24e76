using System.Text;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Bridge.FlowTests.Volume;
using Bridge.Hospital.Store;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>
/// Whatever goes wrong, nothing of a patient stands in what is said about it. Every fault here carries a patient's name, birth date or address back to the bridge:
/// refusals that repeat what was asked, garbage made of a record, links that name her, a database that quotes the row.
/// </summary>
[Collection(HospitalCollection.Name)]
public class FaultTextTests(HospitalFixture fixture)
{
    private const string BirthDate = "1971-03-05";
    private const string Street = "7 Quillfeather Lane";
    private const string Mother = "Ottilie Vranckx";
    private static readonly string[] Canaries = [Source.Canary, BirthDate, Street, "Quillfeather", Mother, "Vranckx"];
    private static readonly string Record = Spelt(
        """{"resourceType":"Patient","id":"p1","gender":"female","name":[{"family":"NAME"}],"birthDate":"BORN","address":[{"line":["STREET"]}],"contact":[{"name":{"text":"MOTHER"}}]}""");
    private static readonly string Outcome = Spelt(
        """{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"Encounter of NAME (BORN, STREET, mother MOTHER) cannot be served"}]}""");

    [Theory]
    [OnBothEngines]
    public async Task Faults_OfEveryKind_TellNothingOfAPatient(Engine engine)
    {
        var ct = TestContext.Current.CancellationToken;
        await using var server = await QuirkServer.StartAsync();
        await using var rig = await Rig.CreateAsync(fixture, engine);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        SourceFaultTests.PutPeople(server, "p1", licence);
        server.Store.Put((JsonObject)JsonNode.Parse(Record)!);
        SourceFaultTests.PutEncounter(server, "e0", "p1", Source.Codes[0]);
        // Two that cannot be read, made of the patient's own words.
        server.Store.PutRaw("Encounter", "cut", Encoding.UTF8.GetBytes(Spelt("""{"resourceType":"Encounter","id":"cut","meta":{"versionId":"1"},"status":"finished","subject":{"reference":"Patient/p1","display":"NAME"},"text":{"div":"STREET"}, "period":{"end":MOTHER}}""")), "p1");
        server.Store.PutRaw("Encounter", "odd", Encoding.UTF8.GetBytes(Spelt("""{"resourceType":"Encounter","id":"odd","meta":{"versionId":"1"},"status":"finished","class":{"code":"STREET"},"subject":{"reference":"Patient/p1"},"period":{"end":"MOTHER"}}""")), "p1");
        await rig.StartAsync(("Fhir:BaseUrl", server.BaseUrl.ToString()), ("Watching:Reread", "00:00:01"));
        await rig.EnrolAsync("p1");
        await rig.UntilStatusAsync("e0", SummaryStatus.AwaitingCoSign);
        foreach (var id in (string[])["cut", "odd"])
            await rig.UntilStatusAsync(id, SummaryStatus.Failed);
        var said = new StringBuilder();

        // 1. The FHIR server refuses, and tells of the patient.
        foreach (var fault in (Fault[])[
            .. new[] { 400, 401, 403, 404, 409, 422, 500, 503 }.Select(status => Fault.Answer(status, "application/fhir+json", Outcome)),
            Fault.Answer(200, "text/html", $"<html><body>{Source.Canary}, {Street}</body></html>"),
            Fault.Answer(200, "application/fhir+json", Record),
            Fault.Answer(200, "application/fhir+json", Record[..^20]),
            Fault.Answer(200, "application/fhir+json", Spelt("""{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":"https://elsewhere.example/Patient?name=NAME&birthdate=BORN"}],"entry":[]}""")),
            Fault.RedirectTo(new Uri("https://elsewhere.example/"))])
        {
            server.Fail(fault, int.MaxValue);
            var from = server.Requests.Count;
            await rig.UntilAsync("the fault to be met", () => Task.FromResult(server.Requests.Count > from + 2));
            await CollectAsync(rig, said);
            server.Heal();
            // A back-off of the client's own may be under way.
            var healed = server.Requests.Count;
            await rig.UntilAsync("the source to be read again", () => Task.FromResult(server.Requests.Count > healed + 2));
        }
        server.Fail(Fault.Answer(400, "application/fhir+json", Outcome), int.MaxValue);
        foreach (var command in (string[])["check", "verify"])
            said.AppendLine((await Shell.RunAsync(rig, command, command == "verify" ? ["--source"] : [])).Text);
        server.Heal();

        // 2. The database refuses a row and quotes it.
        await SpoilAsync(rig, engine);
        var lines = rig.LogLines().Length;
        SourceFaultTests.PutEncounter(server, "e1", "p1", Source.Codes[1]);
        await rig.UntilAsync("the refusal to be logged", () => Task.FromResult(rig.LogLines().Skip(lines - 1).Any(line => line.Contains("watch", StringComparison.Ordinal) && line.Contains("Exception", StringComparison.Ordinal))));
        await CollectAsync(rig, said);
        await rig.Database.WriteAsync(work => work.RunAsync("DROP TRIGGER spoil"), ct);
        await rig.UntilStatusAsync("e1", SummaryStatus.AwaitingCoSign);

        // 3. People who type a name where a number belongs.
        foreach (var (who, path, body) in ((string, string, object)[])[
            ("desk", "/api/enrolments", new { patient = $"{Source.Canary}, {Street}" }), ("operator", $"/api/operations/summaries/1/rerun", new { reason = "" }),
            (licence, $"/api/cosign/{Uri.EscapeDataString(Mother)}/approve", new { @protected = Street, signature = Source.Canary })])
            await rig.PostAsync(who, path, body);

        said.AppendJoin('\n', rig.LogLines());
        Assert.True(said.Length > 5_000, said.ToString());
        foreach (var canary in Canaries)
            Assert.True(!said.ToString().Contains(canary, StringComparison.OrdinalIgnoreCase), $"{canary} stands in:{Environment.NewLine}{Around(said.ToString(), canary)}");
        Assert.DoesNotContain("elsewhere.example/Patient", said.ToString(), StringComparison.Ordinal);
        // Nor does any of it stand in the tables.
        foreach (var table in (string[])["summary", "anchor", "audit", "bookmark", "enrolment", "sweep", "patient_walk"])
            foreach (var row in await rig.Database.ReadAsync(work => work.ListAsync<dynamic>($"SELECT * FROM {table}"), ct))
            {
                var text = string.Join(' ', ((IDictionary<string, object?>)row).Values.Select(value => value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : value?.ToString()));
                Assert.All(Canaries, canary => Assert.DoesNotContain(canary, text, StringComparison.OrdinalIgnoreCase));
            }
    }

    // What an operator or a monitor is shown.
    private static async Task CollectAsync(Rig rig, StringBuilder said)
    {
        foreach (var path in (string[])["/health/ready", "/api/operations/counts", "/api/operations/held", "/api/operations/audit?limit=1000"])
            said.AppendLine((await rig.GetAsync("operator", path)).Body.ToString());
        said.AppendLine((await Shell.RunAsync(rig, "status")).Text);
    }

    // On a server the refusal quotes the row; the embedded engine knows no such words, and refuses all the same.
    private static Task<int> SpoilAsync(Rig rig, Engine engine) => rig.Database.WriteAsync(work => work.RunAsync(engine == Engine.Sqlite
        ? $"CREATE TRIGGER spoil BEFORE INSERT ON summary BEGIN SELECT RAISE(ABORT, 'no room for this row'); END"
        : $"CREATE TRIGGER spoil BEFORE INSERT ON summary FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Duplicate entry ''{Source.Canary} {BirthDate} {Street}'''"),
        TestContext.Current.CancellationToken);

    private static string Spelt(string text) => text.Replace("NAME", Source.Canary, StringComparison.Ordinal).Replace("BORN", BirthDate, StringComparison.Ordinal)
        .Replace("STREET", Street, StringComparison.Ordinal).Replace("MOTHER", Mother, StringComparison.Ordinal);

    private static string Around(string text, string canary)
    {
        var at = text.IndexOf(canary, StringComparison.OrdinalIgnoreCase);
        return text[Math.Max(0, at - 400)..Math.Min(text.Length, at + 200)];
    }
}
