using System.Text.RegularExpressions;
using Bridge.FlowTests.Volume;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Tests.Hospital;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>A hospital whose database was put back from a backup, while the ledger remembers more.</summary>
[Collection(HospitalCollection.Name)]
public partial class RestoreTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Start_DatabaseOlderThanTheLedger_IsPausedAndWhatWasSignedIsAskedAnew(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        // One is on the ledger and to be taken back; another was signed; a code is out.
        var wrong = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var wrongSummary = await rig.QueuedAsync(licence, wrong);
        await rig.ApproveAsync(licence, wrongSummary);
        await rig.UntilStatusAsync(wrong, SummaryStatus.Anchored);
        await fixture.ChangeAsync(wrong, encounter => encounter["status"] = "entered-in-error");
        await rig.RetractionQueuedAsync(licence, wrongSummary);
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var summary = await rig.QueuedAsync(licence, encounter);
        var code = (await rig.PostAsync("desk", "/api/enrolments", new { patient = await fixture.PatientAsync() })).Body.GetProperty("enrolment").GetInt64();
        await SwitchAsync(rig, "pause");
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, wrongSummary, "retractions")).Outcome);
        await UntilPublishedAsync(rig, 0);
        await rig.StopAsync();
        await InStoppedAsync(rig, "UPDATE status_list SET seq = 0 WHERE seq = (SELECT newest FROM (SELECT MAX(seq) AS newest FROM status_list) AS one)", "DELETE FROM status_list WHERE seq > 0", "UPDATE bookmark SET content = 'false' WHERE name = 'paused'");

        await rig.StartAsync();
        await UntilNoticedAsync(rig);

        Assert.True((await rig.GetAsync("operator", "/api/operations/counts")).Body.GetProperty("paused").GetBoolean());
        Assert.Contains(rig.LogLines(), line => line.Contains("older than the ledger", StringComparison.Ordinal));
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await rig.RowOfAsync(encounter))!.Status);
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE state = 'AwaitingCoSign' AND last_code = 'RESTORED'"));
        Assert.Equal(2, await CountAsync(rig, "SELECT COUNT(*) FROM decision WHERE void_reason = 'RESTORED'"));
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'operations.restored'"));
        Assert.Equal("Cancelled", (await rig.GetAsync("desk", $"/api/enrolments/{code}")).Body.GetProperty("state").GetString());

        // Once, not at every start: whoever resumes has looked.
        await SwitchAsync(rig, "resume");
        await rig.StopAsync();
        await rig.StartAsync();
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, wrongSummary, "retractions")).Outcome);
        await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
        await rig.UntilSummaryAsync(wrongSummary, SummaryStatus.Retracted);
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'operations.restored'"));
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, TestContext.Current.CancellationToken)).BrokenAt);
    }

    [Fact]
    public async Task Start_OnYesterdaysFile_WhatLeftMeanwhileIsRecognisedAndNothingIsSentTwice()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        var leaving = await rig.AddDoctorAsync();
        var practitioner = await fixture.PractitionerAsync(licence);
        await rig.StartAsync();
        var encounter = await fixture.EncounterAsync((await rig.EnrolAsync()).FhirId, practitioner, Source.Codes[2]);
        var summary = await rig.QueuedAsync(licence, encounter);
        await SwitchAsync(rig, "pause");
        await rig.ApproveAsync(licence, summary);
        await UntilPublishedAsync(rig, 0);
        await rig.StopAsync();
        SqliteConnection.ClearAllPools();
        var backup = fixture.NewFolder();
        Copy(rig.Folder, backup);

        // The day that is lost.
        await rig.StartAsync();
        await SwitchAsync(rig, "resume");
        await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
        var newest = await CountAsync(rig, "SELECT MAX(seq) FROM status_list");
        await rig.Actors.RevokeAsync(leaving, rig.Actors.Hospital(Rig.Msp).Registrar);
        await UntilPublishedAsync(rig, newest);
        await rig.StopAsync();
        SqliteConnection.ClearAllPools();
        Copy(backup, rig.Folder);
        rig.Doctors.Remove(leaving.Statement.Licence);

        await rig.StartAsync();
        await UntilNoticedAsync(rig);
        // It left: its doctor is not asked again, and the ledger's bytes are taken for it.
        Assert.Equal(SummaryStatus.CoSigned, (await rig.RowOfAsync(encounter))!.Status);
        await SwitchAsync(rig, "resume");
        await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);

        var there = Assert.Single(await rig.Services.GetRequiredService<SummaryLedger>().ReadSummariesAsync(Rig.Msp, [SummaryId.Parse(summary)], TestContext.Current.CancellationToken));
        Assert.Equal(
            System.Text.Encoding.UTF8.GetString(there.Content!.Summary.Span),
            await rig.Database.ReadAsync(work => work.ScalarAsync<string>("SELECT signed FROM receipt"), TestContext.Current.CancellationToken));
        // Others of this collection anchored on the same ledger, from tables of their own.
        var verified = await Shell.RunAsync(rig, "verify");
        Assert.DoesNotContain(verified.Text.Split('\n'), line => Finding().IsMatch(line) && !line.StartsWith("ledger.extra", StringComparison.Ordinal));
        Assert.DoesNotContain(summary, verified.Text, StringComparison.Ordinal);
    }

    private static async Task SwitchAsync(Rig rig, string to) =>
        Assert.Equal(System.Net.HttpStatusCode.OK, (await rig.PostAsync("operator", $"/api/operations/{to}", new { reason = "a test of backups" })).Status);

    private static Task UntilNoticedAsync(Rig rig) => rig.UntilAsync("it to be noticed", async () =>
        await CountAsync(rig, "SELECT COUNT(*) FROM bookmark WHERE name = 'restored' AND content NOT LIKE '% %'") == 1);

    private static Task UntilPublishedAsync(Rig rig, long after) => rig.UntilAsync("a status list to be out", async () =>
        await CountAsync(rig, $"SELECT COUNT(*) FROM status_list WHERE published_at IS NOT NULL AND seq > {after}") > 0);

    private static async Task InStoppedAsync(Rig rig, params string[] statements)
    {
        using var database = rig.OpenDatabase();
        foreach (var statement in statements)
            await database.WriteAsync(work => work.RunAsync(statement));
    }

    [GeneratedRegex(@"^[a-z]+\.[a-z]+\s")]
    private static partial Regex Finding();

    private static void Copy(string from, string to)
    {
        foreach (var old in Directory.GetFiles(to, "hospital.db*"))
            File.Delete(old);
        foreach (var file in Directory.GetFiles(from, "hospital.db*"))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
