using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>What follows when a consent ends, and when another takes its place.</summary>
[Collection(HospitalCollection.Name)]
public class ConsentTests(HospitalFixture fixture)
{
    private sealed class DiedException(string point) : Exception(point);

    private sealed class Shifted(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    [Fact]
    public async Task Withdrawn_IndexIsSweptOnceThoughTheWorkerDies()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Enrolment:SweepAfter", "30.00:00:00"));
        var ct = TestContext.Current.CancellationToken;
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        await AmendmentTests.AnchoredAsync(rig, licence, encounter);
        await WithdrawAsync(rig, patient.Enrolment);
        var index = Handle.Parse((await RowAsync(rig, patient.Enrolment)).IndexHandle!);
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();

        // Not before its time: the portal still reads there that the consent is withdrawn.
        await Worker(rig, TimeSpan.FromDays(30)).RunAsync(ct);
        Assert.True((await ledger.ReadPatientByIndexAsync(Rig.Msp, index, ct)).Withdrawn);

        await Assert.ThrowsAsync<DiedException>(() => Worker(rig, TimeSpan.Zero, "enrolment.6").RunAsync(ct));
        Assert.Equal(RefusalCode.NotFound, (await Assert.ThrowsAsync<LedgerRefusalException>(() => ledger.ReadPatientByIndexAsync(Rig.Msp, index, ct))).Code);
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM enrolment WHERE swept_at IS NOT NULL"));
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);

        // Two instances at once, and once more.
        await Task.WhenAll(Worker(rig, TimeSpan.Zero).RunAsync(ct), Worker(rig, TimeSpan.Zero).RunAsync(ct));
        await Worker(rig, TimeSpan.Zero).RunAsync(ct);
        Assert.Equal((1, 1), (await CountAsync(rig, "SELECT COUNT(*) FROM enrolment WHERE swept_at IS NOT NULL"), await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.swept'")));
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task WithdrawnAndConsentedAgainWithTheSameKey_NothingOldCanLeave()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00"), ("Enrolment:SweepAfter", "00:00:00"));
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var secret = key.ExportECPrivateKey();
        rig.PatientKey = () => { var copy = ECDsa.Create(); copy.ImportECPrivateKey(secret, out _); return copy; };
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var old = new List<string>();

        // Twice over: the second withdrawal meets the traces of the first.
        for (var round = 0; round < 2; round++)
        {
            old.Add(await rig.QueuedAsync(licence, encounter));
            Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, old[^1])).Outcome);
            var enrolment = await rig.Database.ReadAsync(work => EnrolmentRows.ActiveAsync(work, patient.FhirId), TestContext.Current.CancellationToken);
            await WithdrawAsync(rig, enrolment!.EnrolmentId);
            var again = await rig.EnrolAsync(patient.FhirId);
            Assert.Equal(patient.Request.Pseudonym, again.Request.Pseudonym);
        }

        var renewed = await rig.QueuedAsync(licence, encounter);
        Assert.DoesNotContain(renewed, old);
        foreach (var summary in old)
        {
            Assert.Equal(HttpStatusCode.NotFound, (await rig.ApproveAsync(licence, summary) is { Status: HttpStatusCode.OK } ? HttpStatusCode.OK : HttpStatusCode.NotFound));
            var row = (await rig.RowOfSummaryAsync(summary))!;
            Assert.Equal((SummaryStatus.Withdrawn, true), (row.Status, row.Payload is null));
            Assert.Equal("NOT_HELD", (await rig.PostAsync("operator", $"/api/operations/summaries/{row.RowId}/rerun", new { reason = "a trial" })).Outcome);
        }
        Assert.Equal((0, 0), (
            await CountAsync(rig, "SELECT COUNT(*) FROM decision WHERE voided_at IS NULL OR signature IS NOT NULL"),
            await CountAsync(rig, "SELECT COUNT(*) FROM anchor WHERE active_row IS NOT NULL OR item IS NOT NULL")));
        await rig.UntilAsync("both indexes to be swept", async () => await CountAsync(rig, "SELECT COUNT(*) FROM enrolment WHERE swept_at IS NOT NULL") == 2);
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Lapsed_QueueIsEmptiedAndANewConsentTakesTheEncountersAlong()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        rig.ConsentUntil = DateOnly.FromDateTime(DateTime.UtcNow.AddDays(1));
        await rig.StartAsync(("Enrolment:SweepAfter", "00:00:00"));
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var anchored = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var summary = await AmendmentTests.AnchoredAsync(rig, licence, anchored);
        var waiting = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var queued = await rig.QueuedAsync(licence, waiting);
        await rig.StopAsync();

        // Three days later: what waits ends with its reason, and the desk opens anew.
        rig.Clock = new Shifted(TimeSpan.FromDays(3));
        await rig.StartAsync();
        await rig.UntilSummaryAsync(queued, SummaryStatus.Withheld);
        Assert.Equal((Reasons.NoConsent, true), ((await rig.RowOfSummaryAsync(queued))!.Reason, (await rig.RowOfSummaryAsync(queued))!.Payload is null));
        await rig.AddsUpAsync();
        var code = await rig.PostAsync("desk", "/api/enrolments", new { patient = patient.FhirId });
        Assert.Equal(HttpStatusCode.Created, code.Status);
        Assert.Equal("DONE", (await rig.PostAsync("desk", $"/api/enrolments/{code.Body.GetProperty("enrolment").GetInt64()}/cancel")).Outcome);
        Assert.Equal(EnrolmentState.Lapsed, (await RowAsync(rig, patient.Enrolment)).State);
        await rig.StopAsync();

        // The ledger does not share the hospital's clock: the new consent is given today.
        rig.Clock = TimeProvider.System;
        rig.ConsentUntil = DateOnly.FromDateTime(DateTime.UtcNow.AddYears(1));
        await rig.StartAsync();
        var renewed = await rig.EnrolAsync(patient.FhirId);

        await rig.UntilAsync("the old consent to be withdrawn", async () => (await RowAsync(rig, patient.Enrolment)).State == EnrolmentState.Withdrawn);
        Assert.Equal("replaced by a new consent", (await RowAsync(rig, patient.Enrolment)).EndReason);
        Assert.NotEqual([SummaryState.Live], await AmendmentTests.StatesAsync(rig, [summary]));
        foreach (var encounter in (string[])[anchored, waiting])
        {
            var follower = await AmendmentTests.AnchoredAsync(rig, licence, encounter);
            Assert.Equal(
                (renewed.Enrolment, renewed.Request.Pseudonym.ToString(), null),
                (await rig.RowOfSummaryAsync(follower))! is var row ? (row.EnrolmentId, row.Pseudonym, row.Supersedes) : default);
        }
        Assert.Equal(SummaryStatus.Withdrawn, (await rig.RowOfSummaryAsync(summary))!.Status);
        await rig.UntilAsync("the old index to be swept", async () => await CountAsync(rig, "SELECT COUNT(*) FROM enrolment WHERE swept_at IS NOT NULL") == 1);
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Lapsed_WithdrawnAtTheDesk_EndsOnTheLedger()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        rig.ConsentUntil = DateOnly.FromDateTime(DateTime.UtcNow.AddDays(1));
        await rig.StartAsync();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var summary = await AmendmentTests.AnchoredAsync(rig, licence, encounter);
        await rig.StopAsync();
        rig.Clock = new Shifted(TimeSpan.FromDays(3));
        await rig.StartAsync();
        await rig.PostAsync("desk", "/api/enrolments", new { patient = patient.FhirId });
        Assert.Equal(EnrolmentState.Lapsed, (await RowAsync(rig, patient.Enrolment)).State);
        Assert.Equal([SummaryState.Live], await AmendmentTests.StatesAsync(rig, [summary]));

        await WithdrawAsync(rig, patient.Enrolment);

        Assert.NotEqual([SummaryState.Live], await AmendmentTests.StatesAsync(rig, [summary]));
        Assert.Equal(SummaryStatus.Withdrawn, (await rig.RowOfSummaryAsync(summary))!.Status);
        await rig.AddsUpAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Enrolled_ByAGuardian_IsMarkedInTheCertificateOnTheLedger(bool guardian)
    {
        await using var rig = await Rig.StartAsync(fixture);
        rig.Guardian = guardian;
        var patient = await rig.EnrolAsync();

        var handle = Handle.Parse((await RowAsync(rig, patient.Enrolment)).PatientHandle!);
        var stored = (await rig.Services.GetRequiredService<SummaryLedger>().ReadPatientAsync(Rig.Msp, handle, TestContext.Current.CancellationToken)).Patient!;
        using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(stored.Certificate));
        Assert.Equal($"CN={patient.Request.Pseudonym}" + (guardian ? ", OU=guardian" : ""), string.Join(", ", certificate.SubjectName.EnumerateRelativeDistinguishedNames(false)
            .Select(name => (name.GetSingleElementType().Value == "2.5.4.11" ? "OU=" : "CN=") + name.GetSingleElementValue())));
    }

    private static async Task WithdrawAsync(Rig rig, long enrolment)
    {
        Assert.Equal("DONE", (await rig.PostAsync("desk", $"/api/enrolments/{enrolment}/withdraw", new { request = "letter 9" })).Outcome);
        await rig.UntilAsync("withdrawal", async () => (await RowAsync(rig, enrolment)).State == EnrolmentState.Withdrawn);
    }

    private static ConsentEnds Worker(Rig rig, TimeSpan sweepAfter, string? crashAt = null)
    {
        var services = rig.Services;
        return new ConsentEnds(
            rig.Database, services.GetRequiredService<SummaryLedger>(), services.GetRequiredService<EnrolmentOptions>() with { SweepAfter = sweepAfter },
            services.GetRequiredService<HospitalOptions>(), new Instance(), new CrashPoints(crashAt, at => throw new DiedException(at)), TimeProvider.System,
            NullLogger<ConsentEnds>.Instance);
    }

    private static async Task<EnrolmentRow> RowAsync(Rig rig, long enrolment) =>
        (await rig.Database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, enrolment), TestContext.Current.CancellationToken))!;

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
