using System.Text;
using Xunit;

namespace Bridge.FlowTests.Volume;

/// <summary>After 2,023 encounters: nothing by which a patient could be named has left the hospital's records.</summary>
[Collection(VolumeCollection.Name)]
public class CanaryTests(VolumeFixture fixture)
{
    private readonly Lazy<Canaries> people = new(() => Canaries.Of(fixture.Samples, "Dr. Iris Keller", "Linden Hospital", "Harbour Clinic", "operator desk registrar people portal patient"));
    private readonly Lazy<Canaries> dates = new(() => Canaries.DatesOf(fixture.Samples));

    [Fact]
    public void Search_WhatItLooksFor_IsFoundWherePlanted()
    {
        var phrase = people.Value.Phrases[7];
        Assert.True(people.Value.Phrases.Count > 600 && people.Value.NameCount > 150 && dates.Value.Phrases.Count > 1000);
        Assert.NotEmpty(people.Value.In($"x{phrase}y"));
        // inside a JWS inside a record
        var payload = Convert.ToBase64String(Encoding.UTF8.GetBytes($$"""{"note":"a note about {{phrase}} and more"}""")).TrimEnd('=');
        Assert.NotEmpty(people.Value.In(Convert.ToBase64String(Encoding.UTF8.GetBytes($$"""{"payload":"{{payload}}","signatures":[]}"""))));
        var family = (string)fixture.Samples.Of("Patient").First(patient => ((string)patient["name"]![0]!["family"]!).Length > 5)["name"]![0]!["family"]!;
        Assert.NotEmpty(people.Value.In($$"""{"family":"{{family}}"}"""));
        Assert.NotEmpty(people.Value.In(Encoding.UTF8.GetBytes($"at {family.ToUpperInvariant()}'s")));
        Assert.NotEmpty(people.Value.In([0x0a, (byte)family.Length, .. Encoding.UTF8.GetBytes(family), 0x9c]));
        Assert.Empty(people.Value.In([0xfe, .. Encoding.UTF8.GetBytes(family), 0x9c]));
    }

    [Fact]
    public void Ledger_BlocksStateAndPrivateData_HoldNoCanaryAndNoDate()
    {
        var file = Path.Combine(fixture.Hospital.Ledger.Ledger.Data, "ledger.db");

        Assert.Empty(people.Value.InDatabase(file));
        Assert.Empty(dates.Value.InDatabase(file));
    }

    [Fact]
    public async Task Telemetry_ExportedOverOtlp_HoldsNoCanaryAndNoDate()
    {
        bool Holds(string metric) => fixture.Telemetry.Received.Any(
            sent => sent.Method.Contains("Metrics", StringComparison.Ordinal) && Encoding.Latin1.GetString(sent.Message).Contains(metric, StringComparison.Ordinal));
        await fixture.Rig.UntilAsync("metrics and traces to be exported", () => Task.FromResult(Holds("bridge.anchored") && Holds("bridge.summaries")));

        var all = fixture.Telemetry.Received.ToList();
        foreach (var (_, message) in all)
        {
            Assert.Empty(people.Value.In(message));
            Assert.Empty(dates.Value.In(message));
            Assert.DoesNotContain(fixture.Samples.Of("Patient").Select(patient => (string)patient["id"]!), id => Encoding.Latin1.GetString(message).Contains(id, StringComparison.Ordinal));
        }
    }

    // Everything that the hospital's process logged while it enrolled a hundred patients, read 2,023 encounters and anchored 507.
    [Fact]
    public void Logs_OfTheWholeRun_HoldNoCanaryAndNoDate()
    {
        var log = string.Join('\n', fixture.Rig.LogLines());

        Assert.True(log.Length > 10_000, log);
        Assert.Empty(people.Value.In(log));
        Assert.Empty(dates.Value.In(log));
        Assert.DoesNotContain(fixture.Samples.Of("Patient").Select(patient => (string)patient["id"]!), id => log.Contains(id, StringComparison.Ordinal));
    }

    // Not even the hospital's own tables hold a name; encounters they know by the FHIR server's keys.
    [Fact]
    public void Database_OfTheHospital_HoldsNoCanary() => Assert.Empty(people.Value.InDatabase(Path.Combine(fixture.Rig.Folder, "hospital.db")));

    // What operators and doctors are shown, and the commands' reports.
    [Fact]
    public async Task Answers_OfApiAndCommands_HoldNoCanaryAndNoDate()
    {
        var shown = new StringBuilder();
        foreach (var (who, path) in ((string, string)[])[
            ("operator", "/api/operations/counts"), ("operator", "/api/operations/stages"), ("operator", "/health/ready"), ("operator", "/api/operations/audit?limit=1000"), ("operator", "/api/cosign/unassigned?limit=200"),
            (fixture.Rig.Doctors.Keys.First(), "/api/cosign/signed?limit=200"), (fixture.Rig.Doctors.Keys.First(), "/api/cosign/queue?limit=200")])
        {
            var answer = await fixture.Rig.GetAsync(who, path);
            Assert.True(answer.Status == System.Net.HttpStatusCode.OK, path);
            shown.AppendLine(answer.Body.ToString());
        }
        foreach (var command in (string[])["status", "check"])
            shown.AppendLine((await Shell.RunAsync(fixture.Rig, command)).Text);

        Assert.True(shown.Length > 20_000, shown.ToString());
        Assert.Empty(people.Value.In(shown.ToString()));
        Assert.Empty(dates.Value.In(shown.ToString()));
    }
}
