using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Bridge.FlowTests.Volume;
using Bridge.Hospital.Store;
using Bridge.Records;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>
/// <c>verify --source</c>: what the EHR changed later is told apart from what somebody changed in the tables. On a ledger of its own: whatever else a hospital anchored
/// would be a finding.
/// </summary>
public class VerifySourceTests(HospitalFixture fixture) : IClassFixture<HospitalFixture>
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    [Fact]
    public async Task VerifySource_EncountersChangedLater_AreDifferencesOfTheirOwnKind()
    {
        await using var server = await QuirkServer.StartAsync();
        await using var rig = Rig.Create(fixture);
        var doctor = await rig.AddDoctorAsync();
        var licence = doctor.Statement.Licence;
        SourceFaultTests.PutPeople(server, "p1", licence);
        for (var i = 0; i < 5; i++)
            SourceFaultTests.PutEncounter(server, $"e{i}", "p1", Source.Codes[i]);
        var second = Source.Condition("p1", "e4", Source.Codes[10]);
        second["id"] = "c-e4-2";
        server.Store.Put(second);
        await rig.StartAsync(("Fhir:BaseUrl", server.BaseUrl.ToString()));
        await rig.EnrolAsync("p1");
        var summaries = new List<string>();
        for (var i = 0; i < 5; i++)
            summaries.Add(await rig.QueuedAsync(licence, $"e{i}"));
        foreach (var summary in summaries.Take(3))
            Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        Assert.Equal("APPROVED", (await StrikeAsync(rig, doctor, summaries[4])).Outcome);
        foreach (var summary in summaries.Where((_, i) => i != 3))
            await rig.UntilSummaryAsync(summary, SummaryStatus.Anchored);
        var rows = new List<long>();
        foreach (var summary in summaries)
            rows.Add((await rig.RowOfSummaryAsync(summary))!.RowId);

        var clean = await Shell.RunAsync(rig, "verify", "--source");
        Assert.True(clean.ExitCode == 0, clean.Text);
        Assert.Contains("5 encounters read again", clean.Text, StringComparison.Ordinal);

        // While the bridge pauses, the record goes on.
        await Shell.RunAsync(rig, "pause", "--reason", "to see what is not followed yet");
        server.Store.Put(Changed("e0", Source.Codes[12]));
        SourceFaultTests.PutEncounter(server, "e1", "p1", Source.Codes[1], "entered-in-error");
        server.Store.Delete("Encounter", "e2");
        var later = await Shell.RunAsync(rig, "verify", "--source");

        Assert.True(later.ExitCode == 4, later.Text);
        foreach (var text in (string[])[
            $"SOURCE  source.changed  summary/{rows[0]}: its encounter gives something else now (it is the same version, so what belongs to it changed): conditions. ",
            $"SOURCE  source.changed  summary/{rows[1]}: is Anchored here, read again its encounter is Void and gives no summary. ",
            $"SOURCE  source.gone  summary/{rows[2]}: the FHIR server no longer has its encounter. ",
            "3 changed at the source since", "Tables and ledger agree; 3 encounters changed in the EHR since they were read."])
            Assert.True(later.Text.Contains(text, StringComparison.Ordinal), $"'{text}' is missing in{Environment.NewLine}{later.Text}");
        Assert.DoesNotContain(Source.Codes[12], later.Text, StringComparison.Ordinal);

        // What nobody has signed yet is changed by hand: the source alone can tell.
        await rig.Database.WriteAsync(work => work.RunAsync(
            "UPDATE summary SET payload = CAST(replace(CAST(payload AS TEXT), '\"sex\":\"female\"', '\"sex\":\"male\"') AS BLOB) WHERE row_id = @row", new { row = rows[3] }), Stop);
        var tampered = JsonElement.Parse((await Shell.RunAsync(rig, "verify", "--source", "--json")).Text);
        var finding = Assert.Single(tampered.GetProperty("findings").EnumerateArray());
        Assert.Equal(("source.payload", $"summary/{rows[3]}"), (finding.GetProperty("check").GetString(), finding.GetProperty("subject").GetString()));
        Assert.Contains("differ in sex", finding.GetProperty("what").GetString(), StringComparison.Ordinal);
        Assert.Equal(3, tampered.GetProperty("source").GetArrayLength());
        Assert.Equal(0, (await Shell.RunAsync(rig, "verify")).ExitCode);

        // A server that does not answer is nobody's fault here, and no clean bill either.
        server.Fail(Fault.Broken(), int.MaxValue);
        await rig.Database.WriteAsync(work => work.RunAsync(
            "UPDATE summary SET payload = CAST(replace(CAST(payload AS TEXT), '\"sex\":\"male\"', '\"sex\":\"female\"') AS BLOB) WHERE row_id = @row", new { row = rows[3] }), Stop);
        var unread = await Shell.RunAsync(rig, "verify", "--source");
        Assert.True(unread.ExitCode == 3, unread.Text);
        Assert.Contains("NOT READ  summaries from the source: FhirException", unread.Text, StringComparison.Ordinal);

        // And the bridge follows once it may.
        server.Heal();
        await Shell.RunAsync(rig, "resume", "--reason", "seen");
        await rig.RetractionQueuedAsync(licence, summaries[1]);
    }

    private static JsonObject Changed(string encounter, string code)
    {
        var condition = Source.Condition("p1", encounter, code);
        condition["id"] = "c-" + encounter;
        return condition;
    }

    // The doctor takes the second diagnosis out before she signs.
    private static async Task<Answer> StrikeAsync(Rig rig, Ledger.Doctor doctor, string summary)
    {
        var row = (await rig.RowOfSummaryAsync(summary))!;
        var whole = MinimalSummary.Read(row.Payload!, out _)!;
        Assert.Equal(2, whole.Conditions.Count);
        var input = SigningInput.ForDoctor(whole with { Conditions = [whole.Conditions[0] with { Rank = 1 }] }, doctor.Keys.Der());
        using var key = doctor.Keys.LoadKey();
        return await rig.PostAsync(doctor.Statement.Licence, $"/api/cosign/{summary}/approve", new
        {
            @protected = input.Protected,
            signature = Base64Url.Encode(input.Sign(key)),
            payload = Base64Url.Encode((whole with { Conditions = [whole.Conditions[0] with { Rank = 1 }] }).ToCanonicalJson()),
        });
    }
}
