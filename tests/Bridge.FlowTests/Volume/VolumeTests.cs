using System.Net;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.FlowTests.Volume;

[Collection(VolumeCollection.Name)]
public class VolumeTests(VolumeFixture fixture)
{
    private Rig Rig => fixture.Rig;

    // The same outcomes as extraction alone gives (PublicSetsTests): the order in which a patient's encounters are taken is the bundles'. 795 have a condition or a
    // reason; of them 167 say nothing new about the patient and 121 are sensitive, and no consent names that. The six without a participant have no condition.
    [Fact]
    public async Task Encounters_OfAHundredPatients_EachEndInOneStateAndTheSumsHold()
    {
        TestContext.Current.TestOutputHelper?.WriteLine(fixture.Times);
        Assert.Equal(
            "Anchored 507; Withheld(NoCondition) 1228; Withheld(NothingNew) 167; Withheld(Sensitive) 121",
            string.Join("; ", (await fixture.CountsAsync()).Select(pair => $"{pair.Key} {pair.Value}")));
        Assert.Equal(795, 507 + 167 + 121);
        Assert.Equal(2023, 507 + 1228 + 167 + 121);

        // The FHIR server's own count, asked for by nobody but the reconciliation.
        var counts = (await Rig.GetAsync("operator", "/api/operations/counts")).Body;
        var last = counts.GetProperty("reconciliation");
        Assert.Equal((2023, 0, 2023, 0), (last.GetProperty("serverFinished").GetInt64(), last.GetProperty("notEnrolled").GetInt64(), last.GetProperty("known").GetInt64(), last.GetProperty("difference").GetInt64()));
        Assert.Equal(2023, counts.GetProperty("known").GetInt64());
        Assert.Equal(507, await fixture.CountAsync("SELECT COUNT(*) FROM receipt"));
        Assert.Equal(0, await fixture.CountAsync("SELECT COUNT(*) FROM receipt WHERE tx_id IS NULL OR block_number IS NULL"));
        Assert.Equal(100, await fixture.CountAsync("SELECT COUNT(*) FROM enrolment WHERE state = 'Enrolled'"));
    }

    [Fact]
    public async Task Status_BesideTheRunningServer_ShowsWhatStandsWhere()
    {
        var printed = await Shell.RunAsync(Rig, "status");

        Assert.True(printed.ExitCode == 0, printed.Text);
        foreach (var text in (string[])["runs on this database", "507  Anchored", "121  Withheld (Sensitive)", "100 Enrolled", "2023 finished on the server = 0 of patients not enrolled + 2023 in a state", "patient CA"])
            Assert.Contains(text, printed.Text, StringComparison.Ordinal);
        var json = System.Text.Json.JsonElement.Parse((await Shell.RunAsync(Rig, "status", "--json")).Text);
        Assert.Equal(2023, json.GetProperty("status").GetProperty("known").GetInt64());
    }

    [Fact]
    public async Task Pause_AtTheShell_StopsTheServerAtOnceAndStandsInTheAuditLog()
    {
        Assert.Equal(2, (await Shell.RunAsync(Rig, "pause")).ExitCode);
        var paused = await Shell.RunAsync(Rig, "pause", "--reason", "a trial of the switch", "--by", "Night Operator");
        Assert.True(paused.ExitCode == 0 && paused.Text.StartsWith("Paused", StringComparison.Ordinal), paused.Text);
        try
        {
            Assert.True((await Rig.GetAsync("operator", "/api/operations/counts")).Body.GetProperty("paused").GetBoolean());
            Assert.Contains("YES since", (await Shell.RunAsync(Rig, "status")).Text, StringComparison.Ordinal);
            Assert.Contains("already", (await Shell.RunAsync(Rig, "pause", "--reason", "again")).Text, StringComparison.Ordinal);
        }
        finally
        {
            Assert.Equal(0, (await Shell.RunAsync(Rig, "resume", "--reason", "the trial is over", "--json")).ExitCode);
        }
        var last = await Rig.Database.ReadAsync(work => work.FirstAsync<AuditEntry>(
            "SELECT person AS Person, role AS Role, detail AS Detail FROM audit WHERE action = 'operations.pause' ORDER BY seq DESC LIMIT 1"), TestContext.Current.CancellationToken);
        Assert.StartsWith("Night Operator (shell: ", last!.Person, StringComparison.Ordinal);
        Assert.Equal(("shell", """{"reason":"a trial of the switch"}"""), (last.Role, last.Detail));
        Assert.Null((await Rig.Database.ReadAsync(AuditLog.VerifyAsync, TestContext.Current.CancellationToken)).BrokenAt);
    }

    [Fact]
    public async Task Https_OwnCertificate_AnswersOverTlsOnly()
    {
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate is not null && certificate.Thumbprint == fixture.WebCertificate };
        using var http = new HttpClient(handler);
        var address = fixture.Addresses.Single(url => url.StartsWith("https://", StringComparison.Ordinal));

        using var answer = await http.GetAsync(new Uri(new Uri(address), "/health/live"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var plain = new HttpClient();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => plain.GetAsync(new Uri(address.Replace("https://", "http://", StringComparison.Ordinal)), TestContext.Current.CancellationToken));
    }
}
