using System.Text.Json;
using Bridge.FlowTests.Volume;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The command <c>check</c> as an operator runs it; its parts are tried one by one in FhirCheckTests, DatabaseCheckTests and LedgerCheckTests.</summary>
[Collection(HospitalCollection.Name)]
public class CheckTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Check_BesideARunningServer_IsReadyAndCountsTheCalls(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine);
        var patient = await rig.EnrolAsync();
        string[] usual = ["--Watching:Interval", "00:00:30", "--Watching:Reread", "06:00:00", "--Operations:Reconcile", "1.00:00:00"];
        // The tests' server does not wait for a disk; one that counts in a hospital does.
        var server = engine == Engine.MariaDb ? await MariaDbServer.SharedAsync() : null;
        await (server?.ExecuteAsync("SET GLOBAL innodb_flush_log_at_trx_commit = 1") ?? Task.CompletedTask);
        Printed text, json;
        try
        {
            text = await Shell.RunAsync(rig, "check", usual);
            json = await Shell.RunAsync(rig, "check", [.. usual, "--patients", "1000", "--json"]);
        }
        finally
        {
            await (server?.ExecuteAsync("SET GLOBAL innodb_flush_log_at_trx_commit = 2") ?? Task.CompletedTask);
        }

        Assert.True(text.ExitCode == 0, text.Text);
        Assert.Matches(@"Ready to go live: no fault, \d warnings?\.\s*$", text.Text);
        Assert.Contains("for 1 enrolled patients (LastUpdated, every 00:00:30): 2880 watching", text.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(patient.FhirId, text.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Source.Canary, text.Text, StringComparison.Ordinal);
        Assert.True(json.ExitCode == 0, json.Text);
        var said = JsonElement.Parse(json.Text);
        Assert.True(said.GetProperty("good").GetBoolean());
        var lines = said.GetProperty("lines").EnumerateArray().ToList();
        foreach (var area in (string[])["configuration", "keys", "terminology", "database", "clocks", "fhir", "ledger"])
            Assert.Contains(lines, line => line.GetProperty("area").GetString() == area);
        Assert.Contains(lines, line => line.GetProperty("name").GetString() == "calls a day" && line.GetProperty("says").GetString()!.Contains("329 for what belongs to finished encounters", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.GetProperty("name").GetString() == "search by patient" || line.GetProperty("name").GetString() == "watch strategy");
        // It writes nothing.
        Assert.Equal(0, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM audit WHERE role = 'shell'"), TestContext.Current.CancellationToken));
    }

    // Every part is at fault at once: none keeps another from being tried, and each says what, which value, what to do.
    [Fact]
    public async Task Check_NothingIsRight_TellsAllOfItAtOnce()
    {
        await using var rig = Rig.Create(fixture);
        var folder = fixture.NewFolder();
        var database = Path.Combine(folder, "hospital.db");
        await File.WriteAllTextAsync(database, "no database", TestContext.Current.CancellationToken);
        var maps = Directory.CreateDirectory(Path.Combine(folder, "maps")).FullName;
        var openKey = Path.Combine(folder, "open.key");
        File.Copy(fixture.Ledger.Consortium.A.PatientCa.KeyFile, openKey);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(openKey, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        var now = DateTimeOffset.UtcNow;
        var ended = KeyPair.Create(folder, "ended", key => fixture.Ledger.Consortium.A.PeopleRoot.Issue(issuer => CertificateProfile.IssuePatientCa(
            issuer, key.ExportSubjectPublicKeyInfo(), "ended", "Linden Hospital", now.AddYears(-2), now.AddDays(-1))));
        var soon = fixture.Ledger.Consortium.A.PeopleRoot;
        var ending = KeyPair.Create(folder, "ending", key => soon.Issue(issuer => CertificateProfile.IssuePerson(
            issuer, key.ExportSubjectPublicKeyInfo(), PersonRole.StatusKey, "ending", "Linden Hospital", now.AddYears(-1), now.AddDays(10))));
        var dead = $"http://127.0.0.1:{Ports.Free()}";

        var wrong = await Shell.RunAsync(
            rig, "check", "--Database:File", database, "--Fhir:BaseUrl", dead, "--Ledger:Channel", "elsewhere", "--Enrolment:PatientCaKey", openKey,
            "--Certificates:StatusKey", fixture.Ledger.Consortium.B.StatusKey.KeyFile, "--Extraction:Terminology", maps, "--Anchoring:MinPatiens", "5");
        var old = await Shell.RunAsync(
            rig, "check", "--Database:File", database, "--Fhir:BaseUrl", dead, "--Ledger:Endpoints:0", dead, "--Enrolment:PatientCaCertificate", ended.CertificateFile, "--Enrolment:PatientCaKey", ended.KeyFile,
            "--Certificates:StatusCertificate", ending.CertificateFile, "--Certificates:StatusKey", ending.KeyFile, "--Ledger:Key", Path.Combine(folder, "none.key"));

        Assert.Equal((1, 1), (wrong.ExitCode, old.ExitCode));
        foreach (var text in (string[])[
            $"FAULT    Certificates:StatusKey: '{fixture.Ledger.Consortium.B.StatusKey.KeyFile}'", "the key does not belong to the certificate in",
            "FAULT    Anchoring:MinPatiens: '5'", "is Anchoring:MinPatients meant?",
            "FAULT    Extraction:Terminology:", "icd10-hierarchy.tsv",
            $"FAULT    patient CA key: {openKey} (mode 644)", $"chmod 600 {openKey}",
            "not a database", "last good backup",
            "found no server", "Correct Fhir:BaseUrl",
            "FAULT    contract:", "Ledger:Channel",
            "Not ready: "])
            Assert.True(wrong.Text.Contains(text, StringComparison.Ordinal), $"'{text}' is missing in{Environment.NewLine}{wrong.Text}");
        foreach (var text in (string[])[
            "FAULT    patient CA: its certificate ended on", "Have it renewed",
            "warning  status key: certificate good until", "(10 days)",
            "FAULT    Ledger:Key: '", "PEM key that belongs to Ledger:Certificate",
            $"FAULT    {new Uri(dead).Authority}:", "not yet  contract: see the configuration (Ledger)"])
            Assert.True(old.Text.Contains(text, StringComparison.Ordinal), $"'{text}' is missing in{Environment.NewLine}{old.Text}");
        // A fault's cure stands under it.
        var lines = wrong.Text.Split(Environment.NewLine);
        Assert.All(Enumerable.Range(0, lines.Length).Where(i => lines[i].StartsWith("  FAULT", StringComparison.Ordinal)), i => Assert.Matches("^           -> .{10,}", lines[i + 1]));
    }

    [Fact]
    public async Task Check_CommandLineThatMakesNoSense_Returns2()
    {
        await using var rig = Rig.Create(fixture);

        var many = await Shell.RunAsync(rig, "check", "--patients", "many");
        var unknown = await Shell.RunAsync(rig, "check", "--fast");
        var file = await Shell.RunAsync(rig, "check", "--config", Path.Combine(rig.Folder, "none.json"));

        Assert.Equal((2, 2, 2), (many.ExitCode, unknown.ExitCode, file.ExitCode));
        Assert.Contains("--patients is 'many'", many.Text, StringComparison.Ordinal);
        Assert.Contains("'--fast' is no option", unknown.Text, StringComparison.Ordinal);
        Assert.Contains("none.json", file.Text, StringComparison.Ordinal);
    }
}
