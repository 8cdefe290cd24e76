using System.Net;
using System.Security.Cryptography;
using System.Text;
using Bridge.Hospital;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using Request = Bridge.Records.EnrolmentRequest;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class EnrolmentTests(HospitalFixture fixture)
{
    private sealed class DiedException(string point) : Exception(point);

    [Theory]
    [OnBothEngines]
    public async Task Worker_DiesAtEachPoint_EnrolsAndWithdrawsOnce(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine, ("Operations:Workers", "false"), ("Certificates:SyncInterval", "00:00:01"));
        var ct = TestContext.Current.CancellationToken;
        RigPatient? last = null;
        foreach (var point in (string[])["enrolment.1", "enrolment.2", "enrolment.3", "enrolment.4"])
        {
            var patient = last = await rig.RequestAsync(await fixture.PatientAsync());
            await Assert.ThrowsAsync<DiedException>(() => Worker(rig, point).RunAsync(ct));
            await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
            await UntilAsync(rig, patient, EnrolmentState.Enrolled, Worker(rig));

            var row = await RowAsync(rig, patient);
            Assert.Null(row.Code);
            var reading = await rig.Services.GetRequiredService<SummaryLedger>().ReadPatientAsync(Rig.Msp, Handle.Parse(row.PatientHandle!), ct);
            Assert.Equal(row.Certificate, reading.Patient!.Certificate);
            Assert.Equal(patient.Request.Pseudonym, reading.Patient.Pseudonym);
        }
        Assert.Equal(4, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM sweep"), ct));

        Assert.Equal("DONE", (await rig.PostAsync("desk", $"/api/enrolments/{last!.Enrolment}/withdraw", new { request = "letter 17" })).Outcome);
        await Assert.ThrowsAsync<DiedException>(() => Worker(rig, "enrolment.5").RunAsync(ct));
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        await UntilAsync(rig, last, EnrolmentState.Withdrawn, Worker(rig));
        Assert.Equal("WRONG_STATE", (await rig.PostAsync("desk", $"/api/enrolments/{last.Enrolment}/withdraw", new { request = "letter 17" })).Outcome);
    }

    [Theory]
    [InlineData("enrolment.expire")]
    [InlineData("enrolment.lapse")]
    public async Task Open_InPlaceOfWhatRanOut_NotesTheEndOnce(string action)
    {
        await using var rig = await Rig.StartAsync(fixture, ("Operations:Workers", "false"));
        var ct = TestContext.Current.CancellationToken;
        var patient = await rig.RequestAsync(await fixture.PatientAsync());
        if (action == "enrolment.lapse")
            await UntilAsync(rig, patient, EnrolmentState.Enrolled, Worker(rig));
        // No worker has come by since: the desk finds it so.
        await rig.Database.WriteAsync(work => work.RunAsync("UPDATE enrolment SET expires_at = 1, consent_until = CASE state WHEN 'Enrolled' THEN 1 ELSE consent_until END"), ct);

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => rig.PostAsync("desk", "/api/enrolments", new { patient = patient.FhirId })));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.Created);
        Assert.Equal(1, await CountAsync(rig, $"SELECT COUNT(*) FROM audit WHERE action = '{action}' AND subject = 'enrolment/{patient.Enrolment}' AND person = '{Actor.Bridge.Person}'"));
        Assert.Equal(action == "enrolment.lapse" ? EnrolmentState.Lapsed : EnrolmentState.Expired, (await RowAsync(rig, patient)).State);
    }

    // Before anything was sent; after it stood on the ledger and nobody had noted it; after the request was taken off; between the ledger's end and ours.
    [Theory]
    [OnBothEngines("enrolment.2", "enrolment.7")]
    [OnBothEngines("enrolment.3", "enrolment.5")]
    public async Task Withdrawal_WhileTheEnrolmentIsUnderWay_WaitsAndIsCarriedOutOnce(Engine engine, string asked, string diesAgainAt)
    {
        await using var rig = await Rig.StartAsync(fixture, engine, ("Operations:Workers", "false"));
        var ct = TestContext.Current.CancellationToken;
        var patient = await rig.RequestAsync(await fixture.PatientAsync());
        await Assert.ThrowsAsync<DiedException>(() => Worker(rig, asked).RunAsync(ct));
        var path = $"/api/enrolments/{patient.Enrolment}";
        Assert.Equal("Enrolling", (await rig.GetAsync("desk", path)).Body.GetProperty("state").GetString());

        // Said by eight clerks at once, it is recorded once, and nothing of it is lost with the process.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => rig.PostAsync("desk", path + "/withdraw", new { request = "letter 9" })));
        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.Accepted, "WAITING"), (answer.Status, answer.Outcome)));
        Assert.Equal(1, await CountAsync(rig, $"SELECT COUNT(*) FROM audit WHERE action = 'enrolment.withdraw' AND subject = 'enrolment/{patient.Enrolment}' AND detail LIKE '%letter 9%'"));
        var row = await RowAsync(rig, patient);
        Assert.NotNull((await rig.GetAsync("desk", path)).Body.GetProperty("withdrawalAskedAt").GetString());
        Assert.Equal("ALREADY_ENROLLED", (await rig.PostAsync("desk", "/api/enrolments", new { patient = patient.FhirId })).Outcome);

        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        await rig.UntilAsync($"a death at {diesAgainAt}", async () =>
        {
            try
            {
                await Worker(rig, diesAgainAt).RunAsync(ct);
                return false;
            }
            catch (DiedException)
            {
                return true;
            }
        });
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        await UntilAsync(rig, patient, EnrolmentState.Withdrawn, Worker(rig));

        Assert.Equal("written request", (await RowAsync(rig, patient)).EndReason);
        Assert.Equal(1, await CountAsync(rig, $"SELECT COUNT(*) FROM audit WHERE action = 'enrolment.withdrawn' AND subject = 'enrolment/{patient.Enrolment}'"));
        Assert.Equal(asked == "enrolment.3" ? 1 : 0, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.enrolled'"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM sweep"));
        // The ledger has nobody of that name, and what was underway in a process that died enrols nobody any more.
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        Assert.Equal(asked == "enrolment.3", await IsKnownAsync(ledger, Handle.Parse(row.IndexHandle!)));
        Assert.Empty((await ledger.ReadEnrolmentsAsync(Rig.Msp, null, 200, ct)).Items);
        Assert.Equal("WRONG_STATE", (await rig.PostAsync("desk", path + "/withdraw", new { request = "letter 9" })).Outcome);
        // She may come again.
        Assert.Equal(HttpStatusCode.Created, (await rig.PostAsync("desk", "/api/enrolments", new { patient = patient.FhirId })).Status);
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, ct)).BrokenAt);
    }

    [Theory]
    [OnBothEngines]
    public async Task Withdrawal_RacingWithTheEnrolment_EndsItWhicheverComesFirst(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine, ("Operations:Workers", "false"));
        var ct = TestContext.Current.CancellationToken;
        var patients = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ => await rig.RequestAsync(await fixture.PatientAsync())));
        var outcomes = new System.Collections.Concurrent.ConcurrentBag<string>();

        // Two workers, and a clerk for each patient who asks until somebody takes it.
        using var over = new CancellationTokenSource();
        async Task WorkAsync()
        {
            var worker = Worker(rig);
            while (!over.IsCancellationRequested)
                await worker.RunAsync(ct);
        }
        var workers = new[] { WorkAsync(), WorkAsync() };
        await Task.WhenAll(patients.Select(patient => rig.UntilAsync("the withdrawal to be taken", async () =>
        {
            var outcome = (await rig.PostAsync("desk", $"/api/enrolments/{patient.Enrolment}/withdraw", new { request = "letter 10" })).Outcome!;
            if (outcome != "WRONG_STATE")
                outcomes.Add(outcome);
            return outcome is "WAITING" or "DONE";
        })));
        await rig.UntilAsync("all to be withdrawn", async () => await CountAsync(rig, "SELECT COUNT(*) FROM enrolment WHERE state = 'Withdrawn'") == patients.Length);
        await over.CancelAsync();
        await Task.WhenAll(workers);

        Assert.Equal(patients.Length, outcomes.Count);
        foreach (var action in new[] { "enrolment.withdraw", "enrolment.withdrawn" })
            Assert.Equal(patients.Length, await CountAsync(rig, $"SELECT COUNT(*) FROM audit WHERE action = '{action}'"));
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        foreach (var index in await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT index_handle FROM enrolment"), ct))
            if (await IsKnownAsync(ledger, Handle.Parse(index)))
                Assert.True((await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), ct)).Withdrawn);
    }

    // Sixteen are worked on at once: the last is on the list, and nobody has begun with it.
    [Fact]
    public async Task Withdrawal_OfOneThatWaitsItsTurn_NothingOfItIsSent()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Operations:Workers", "false"));
        var patients = new List<RigPatient>();
        for (var i = 0; i < 40; i++)
            patients.Add(await rig.RequestAsync(await fixture.PatientAsync()));
        var outcome = "";
        var worker = Worker(rig, "enrolment.3", () => outcome = rig.PostAsync("desk", $"/api/enrolments/{patients[^1].Enrolment}/withdraw", new { request = "letter 12" }).GetAwaiter().GetResult().Outcome!);

        await UntilAsync(rig, patients[^1], EnrolmentState.Withdrawn, worker);

        Assert.Equal("WAITING", outcome);
        Assert.Equal(39, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.enrolled'"));
        var row = await RowAsync(rig, patients[^1]);
        Assert.False(await IsKnownAsync(rig.Services.GetRequiredService<SummaryLedger>(), Handle.Parse(row.IndexHandle!)));
    }

    [Fact]
    public async Task Withdrawal_ThenReportedAsMisused_KeepsBothReports()
    {
        await using var rig = await Rig.StartAsync(fixture, ("Operations:Workers", "false"));
        var patient = await rig.RequestAsync(await fixture.PatientAsync());
        await Assert.ThrowsAsync<DiedException>(() => Worker(rig, "enrolment.2").RunAsync(TestContext.Current.CancellationToken));
        var path = $"/api/enrolments/{patient.Enrolment}/withdraw";

        foreach (var said in new object[] { new { request = "letter 13" }, new { request = "call 14", codeMisused = true }, new { request = "letter 15" } })
            Assert.Equal("WAITING", (await rig.PostAsync("desk", path, said)).Outcome);
        await rig.Database.WriteAsync(Leases.FreeAllAsync, TestContext.Current.CancellationToken);
        await UntilAsync(rig, patient, EnrolmentState.Withdrawn, Worker(rig));

        Assert.Equal("code misused", (await RowAsync(rig, patient)).EndReason);
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.withdraw' AND detail LIKE '%letter 13%'"));
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.withdraw' AND detail LIKE '%call 14%'"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Withdrawal_WhileTheLedgersAnswerIsOnItsWay_IsCarriedOutWhateverItSays(bool enrols)
    {
        await using var rig = await Rig.StartAsync(fixture, ("Operations:Workers", "false"));
        var ct = TestContext.Current.CancellationToken;
        var patient = await rig.RequestAsync(await fixture.PatientAsync());
        await Assert.ThrowsAsync<DiedException>(() => Worker(rig, "enrolment.2").RunAsync(ct));
        // Without its request the ledger refuses it for good.
        if (!enrols)
            await rig.Services.GetRequiredService<SummaryLedger>().DiscardRequestsAsync(Rig.Msp, [Handle.Parse((await RowAsync(rig, patient)).RequestHandle!)], ct);
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        var outcome = "";
        var worker = Worker(rig, "enrolment.3", () => outcome = rig.PostAsync("desk", $"/api/enrolments/{patient.Enrolment}/withdraw", new { request = "letter 11", codeMisused = true }).GetAwaiter().GetResult().Outcome!);

        await UntilAsync(rig, patient, EnrolmentState.Withdrawn, worker);

        Assert.Equal("WAITING", outcome);
        Assert.Equal("code misused", (await RowAsync(rig, patient)).EndReason);
        Assert.Equal(enrols ? 1 : 0, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.enrolled'"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM audit WHERE action = 'enrolment.fail'"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM sweep"));
    }

    [Fact]
    public async Task Requests_WithoutTheCode_EnrolNobody()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var ct = TestContext.Current.CancellationToken;
        var opened = (await rig.PostAsync("desk", "/api/enrolments", new { patient = await fixture.PatientAsync() })).Body;
        Assert.True(EnrolmentTicket.TryParse(opened.GetProperty("fragment").GetString(), out var ticket));
        var right = ticket!.Code.Derive(ticket.Hospital, ticket.CaDigests);
        using var thief = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var expires = DateOnly.FromDateTime(DateTime.UtcNow.AddYears(1));

        // Somebody knows the code's id, as the portal does, but not the code; and somebody swaps the key under a right MAC.
        var guessed = Request.Create(
            new EnrolmentKeys(ticket.Hospital, ticket.CaDigests, right.CodeId, RandomNumberGenerator.GetBytes(32)), SampleConsortium.PortalMsp, thief, [Purposes.Peers],
            [SampleConsortium.PortalMsp], ConsentNotice.Shipped[0].Text, "en", expires);
        using var patientKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var good = Request.Create(right, SampleConsortium.PortalMsp, patientKey, [Purposes.Peers], [SampleConsortium.PortalMsp], ConsentNotice.Shipped[0].Text, "en", expires);
        await rig.Actors.RequestAsync(Rig.Msp, guessed);
        await rig.Actors.RequestAsync(Rig.Msp, guessed with { Mac = good.Mac });
        var id = opened.GetProperty("enrolment").GetInt64();
        await rig.UntilAsync("the bad requests to be judged", async () => await rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM audit WHERE action = 'enrolment.bad-mac'"), ct) >= 2);
        Assert.Equal("Open", (await rig.GetAsync("desk", $"/api/enrolments/{id}")).Body.GetProperty("state").GetString());

        // The patient's own still comes through.
        await rig.Actors.RequestAsync(Rig.Msp, good);
        await rig.UntilAsync("enrolment", async () => (await rig.GetAsync("desk", $"/api/enrolments/{id}")).Body.GetProperty("state").GetString() == "Enrolled");
        await rig.UntilAsync("an empty mailbox", async () =>
            (await rig.Services.GetRequiredService<SummaryLedger>().ReadEnrolmentsAsync(Rig.Msp, null, 200, ct)).Items.Count == 0);
    }

    [Fact]
    public async Task Desk_OpensCancelsAndReissues_OneCodeIsGoodAtATime()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var fhirId = await fixture.PatientAsync();
        Assert.Equal("UNKNOWN_PATIENT", (await rig.PostAsync("desk", "/api/enrolments", new { patient = "nobody" })).Outcome);
        Assert.Equal("BAD_REQUEST", (await rig.PostAsync("desk", "/api/enrolments", new { patient = "../../x" })).Outcome);

        // Eight desks at once: one code.
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => rig.PostAsync("desk", "/api/enrolments", new { patient = fhirId })));
        var opened = Assert.Single(answers, answer => answer.Status == HttpStatusCode.Created).Body;
        Assert.Equal(7, answers.Count(answer => answer.Outcome == "ALREADY_OPEN"));
        var id = opened.GetProperty("enrolment").GetInt64();
        var code = opened.GetProperty("code").GetString()!;

        var again = (await rig.PostAsync("desk", $"/api/enrolments/{id}/reissue")).Body;
        Assert.Equal("WRONG_STATE", (await rig.PostAsync("desk", $"/api/enrolments/{id}/cancel")).Outcome);
        Assert.NotEqual(code, again.GetProperty("code").GetString());
        var second = again.GetProperty("enrolment").GetInt64();

        // The first code enrols nobody any more.
        Assert.True(EnrolmentTicket.TryParse(opened.GetProperty("fragment").GetString(), out var ticket));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await rig.Actors.RequestAsync(Rig.Msp, Request.Create(
            ticket!.Code.Derive(ticket.Hospital, ticket.CaDigests), SampleConsortium.PortalMsp, key, [Purposes.Peers], [SampleConsortium.PortalMsp], ConsentNotice.Shipped[0].Text, "en",
            DateOnly.FromDateTime(DateTime.UtcNow.AddYears(1))));
        await rig.UntilAsync("an empty mailbox", async () =>
            (await rig.Services.GetRequiredService<SummaryLedger>().ReadEnrolmentsAsync(Rig.Msp, null, 200, TestContext.Current.CancellationToken)).Items.Count == 0);
        Assert.Equal("Open", (await rig.GetAsync("desk", $"/api/enrolments/{second}")).Body.GetProperty("state").GetString());
        Assert.Equal("DONE", (await rig.PostAsync("desk", $"/api/enrolments/{second}/cancel")).Outcome);

        // Who took the lost code back, and which one took its place, stands in the audit log.
        Assert.Equal(1, await CountAsync(rig, $$"""SELECT COUNT(*) FROM audit WHERE person = 'desk' AND role = 'desk' AND action = 'enrolment.cancel' AND subject = 'enrolment/{{id}}' AND detail = '{"code":"REISSUED"}'"""));
        Assert.Equal(1, await CountAsync(rig, $$"""SELECT COUNT(*) FROM audit WHERE person = 'desk' AND action = 'enrolment.open' AND subject = 'enrolment/{{second}}' AND detail LIKE '%"insteadOf":{{id}}%'"""));

        // No table and no log holds a code.
        Assert.DoesNotContain(code.Replace("-", "", StringComparison.Ordinal), await DumpAsync(rig), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(code, rig.LogText, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("desk")]
    [InlineData("patient")]
    public async Task Withdrawal_FromDeskOrPatient_LeavesNothingOfThePatientHere(string by)
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync(null, "sensitive:hiv");
        var anchored = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var summary = await rig.QueuedAsync(licence, anchored);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        await rig.UntilStatusAsync(anchored, SummaryStatus.Anchored);
        var waiting = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var inQueue = await rig.QueuedAsync(licence, waiting);
        string[] digests = [(await rig.RowOfAsync(anchored))!.ContentDigest!, (await rig.RowOfAsync(waiting))!.ContentDigest!];

        if (by == "desk")
        {
            Assert.Equal("DONE", (await rig.PostAsync("desk", $"/api/enrolments/{patient.Enrolment}/withdraw", new { request = "letter 4" })).Outcome);
        }
        else
        {
            var row = await RowAsync(rig, patient);
            await fixture.Ledger.Contract("PortalMSP").SubmitAsync("WithdrawConsent", [Rig.Msp], new System.Text.Json.Nodes.JsonObject
            {
                ["index"] = row.IndexHandle,
                ["withdrawal"] = CompactJws.Sign(new Withdrawal(Rig.Msp, Handle.Parse(row.ConsentId!)), patient.Key),
                ["event"] = Handle.New().ToString(),
                ["eventSalt"] = Salt.New().ToString(),
                ["tombSalt"] = Salt.New().ToString(),
            }, ["PortalMSP"], TestContext.Current.CancellationToken);
        }

        await rig.UntilAsync("withdrawal", async () => (await rig.GetAsync("desk", $"/api/enrolments/{patient.Enrolment}")).Body.GetProperty("state").GetString() == "Withdrawn");
        var counts = await rig.Database.ReadAsync(SummaryRows.CountsAsync, TestContext.Current.CancellationToken);
        Assert.Equal(("Withdrawn", 2L), (Assert.Single(counts).Status, counts[0].Count));
        Assert.Equal(HttpStatusCode.Conflict, (await rig.PostAsync(licence, $"/api/cosign/{inQueue}/approve", new { @protected = "x", signature = "y" })).Status);
        Assert.NotNull(await rig.Actors.ReadRefusalAsync(Rig.Msp, SummaryId.Parse(summary), Rig.Msp));

        // Nor is anything stored when the source changes afterwards.
        await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[2]);
        var dump = await DumpAsync(rig);
        foreach (var trace in (string[])[
            patient.FhirId, anchored, waiting, patient.Request.Pseudonym.ToString(), Source.Codes[0], Source.Canary, patient.Request.Consent, "sensitive:hiv", .. digests])
            Assert.DoesNotContain(trace, dump, StringComparison.Ordinal);

        // Enrolled anew, the encounters are read anew, and each is still counted once.
        var renewed = await rig.EnrolAsync(patient.FhirId);
        await rig.QueuedAsync(licence, anchored);
        await rig.QueuedAsync(licence, waiting);
        Assert.NotEqual(patient.Enrolment, renewed.Enrolment);
        await rig.UntilAsync("three encounters", async () =>
            (await rig.Database.ReadAsync(SummaryRows.CountsAsync, TestContext.Current.CancellationToken)).Sum(count => count.Count) == 3);
    }

    private static EnrolmentWorker Worker(Rig rig, string? crashAt = null, Action? instead = null)
    {
        var services = rig.Services;
        return new EnrolmentWorker(
            rig.Database, services.GetRequiredService<SummaryLedger>(), services.GetRequiredService<EnrolmentOptions>(), services.GetRequiredService<LedgerOptions>(),
            services.GetRequiredService<HospitalOptions>(), new Instance(), new CrashPoints(crashAt, at =>
            {
                if (instead is null)
                    throw new DiedException(at);
                instead();
            }), services.GetRequiredService<EnrolmentSignals>(),
            services.GetRequiredService<WatchingSignals>(),
            services.GetRequiredService<HospitalMetrics>(), TimeProvider.System, NullLogger<EnrolmentWorker>.Instance);
    }

    private static async Task<EnrolmentRow> RowAsync(Rig rig, RigPatient patient) =>
        (await rig.Database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, patient.Enrolment), TestContext.Current.CancellationToken))!;

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);

    private static async Task<bool> IsKnownAsync(SummaryLedger ledger, Handle index)
    {
        try
        {
            await ledger.ReadPatientByIndexAsync(Rig.Msp, index, TestContext.Current.CancellationToken);
            return true;
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            return false;
        }
    }

    private static Task UntilAsync(Rig rig, RigPatient patient, EnrolmentState state, EnrolmentWorker worker) => rig.UntilAsync($"enrolment to be {state}", async () =>
    {
        await worker.RunAsync(TestContext.Current.CancellationToken);
        return (await RowAsync(rig, patient)).State == state;
    });

    /// <summary>All text of all tables.</summary>
    private static async Task<string> DumpAsync(Rig rig)
    {
        var text = new StringBuilder();
        await using var connection = await rig.Database.OpenAsync(TestContext.Current.CancellationToken);
        var tables = new List<string>();
        await using (var command = connection.CreateCommand())
        {
            command.CommandText = "SELECT name FROM sqlite_master WHERE type = 'table'";
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            while (await reader.ReadAsync(TestContext.Current.CancellationToken))
                tables.Add(reader.GetString(0));
        }
        foreach (var table in tables)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"SELECT * FROM {table}";
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            while (await reader.ReadAsync(TestContext.Current.CancellationToken))
                for (var i = 0; i < reader.FieldCount; i++)
                    text.Append(reader.GetValue(i) is byte[] bytes ? Encoding.Latin1.GetString(bytes) : reader.GetValue(i)).Append('\n');
        }
        return text.ToString();
    }
}
