using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Bridge.Hospital;
using Bridge.Hospital.Announcing;
using Bridge.Hospital.Checking;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Hospital.WriteBack;
using Bridge.Tests.Fhir;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Doctors learn that work waits: by mail, in real conversations with a mail server, and by Tasks on a real FHIR server.</summary>
public sealed class AnnouncingTests(SampleServer fhir) : IClassFixture<SampleServer>
{
    private static readonly HospitalOptions Hospital = new("HospitalAMSP", "Linden Hospital");

    private sealed class DiedException : Exception;

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TestStore.Now;

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    // 07:00 by the wall clock, in winter and in summer time; the interval changes there and nowhere else.
    [InlineData("2026-01-10T05:59:59Z", "2026-01-10T06:00:00Z", 1)]
    [InlineData("2026-07-10T04:59:59Z", "2026-07-10T05:00:00Z", 1)]
    [InlineData("2026-01-10T06:00:00Z", "2026-01-11T05:59:59Z", 0)]
    [InlineData("2026-03-28T06:00:00Z", "2026-03-29T05:00:00Z", 1)]
    public void SlotOf_WallClock_ChangesAtTheTimeOfDay(string before, string after, long apart)
    {
        var berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
        long Slot(string at) => AnnouncingRules.SlotOf(DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture), TimeSpan.FromDays(1), TimeSpan.FromHours(7), berlin);

        Assert.Equal(apart, Slot(after) - Slot(before));
    }

    [Theory]
    [OnBothEngines]
    public async Task Mail_TwoInstancesAndManyTicks_SaysItOnceAnIntervalWithoutPatients(Engine engine)
    {
        await using var store = await WithWorkAsync(engine);
        using var second = store.OpenAgain();
        await using var server = new SmtpServer();
        var clock = new Clock();
        var options = Options(server);

        await Task.WhenAll(MailAsync(store.Database, clock, options), MailAsync(second, clock, options));
        clock.Now = clock.Now.AddHours(20);
        await MailAsync(store.Database, clock, options);

        // Ann has two, one of them overdue; Bea has none; Cy has no address; one waits for the operators.
        Assert.Equal(["ann@hospital.example", "ops@hospital.example"], server.Mails.Select(mail => mail.To.Mailboxes.Single().Address).Order(StringComparer.Ordinal));
        var mail = server.Mails.Single(one => one.To.Mailboxes.Single().Address.StartsWith("ann", StringComparison.Ordinal));
        Assert.Equal("2 summaries wait for your signature", mail.Subject);
        Assert.Equal(
            "2 summaries wait for your signature.\nThe oldest has waited for 4 days.\n1 of them has waited too long.\n\nOpen https://bridge.hospital.example/queue\n\n"
            + "Sent by the bridge of Linden Hospital. It holds nothing about patients.\n",
            mail.TextBody!.ReplaceLineEndings("\n"));
        Assert.Null(mail.HtmlBody);
        Assert.Equal("auto-generated", mail.Headers["Auto-Submitted"]);
        foreach (var one in server.Mails)
            foreach (var secret in new[] { "pat-key", "the-pseudonym", "enc-", "sum-", "44054006" })
                Assert.DoesNotContain(secret, one.ToString(), StringComparison.Ordinal);

        clock.Now = clock.Now.AddDays(1);
        await MailAsync(store.Database, clock, options);
        Assert.Equal(4, server.Mails.Count);
        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'Declined'"));
        clock.Now = clock.Now.AddDays(1);
        await MailAsync(store.Database, clock, options);
        Assert.Equal(4, server.Mails.Count);
    }

    [Theory]
    [OnBothEngines("announcing.1", 0, 2)]
    [OnBothEngines("announcing.2", 1, 3)]
    public async Task Mail_KilledBetweenSteps_ArrivesUnderOneMessageId(Engine engine, string point, int before, int after)
    {
        await using var store = await WithWorkAsync(engine);
        await using var server = new SmtpServer();
        var clock = new Clock();

        await Assert.ThrowsAsync<DiedException>(() => MailAsync(store.Database, clock, Options(server), new CrashPoints(point, _ => throw new DiedException())));
        Assert.Equal(before, server.Mails.Count);
        clock.Now = clock.Now.AddMinutes(6);
        await MailAsync(store.Database, clock, Options(server));

        Assert.Equal(after, server.Mails.Count);
        Assert.Equal(2, server.Mails.Select(mail => mail.MessageId).Distinct().Count());
    }

    [Fact]
    public async Task Mail_Chinese_IsReadAsItWasWritten()
    {
        await using var store = await WithWorkAsync(Engine.Sqlite);
        await using var server = new SmtpServer();

        await MailAsync(store.Database, new Clock(), Options(server, ("Announcing:Language", "zh-CN")));

        var mail = server.Mails.First();
        Assert.Equal("有 2 份摘要等待您签署", mail.Subject);
        Assert.Contains("最早的一份已等待 4 天。", mail.TextBody, StringComparison.Ordinal);
        Assert.Contains("不含患者信息", mail.TextBody, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_ServerBusyRefusingOrGone_IsTriedAgainInTimeAndNeverForOneAddressAtTheCostOfOthers()
    {
        await using var store = await WithWorkAsync(Engine.Sqlite);
        await using var server = new SmtpServer();
        var clock = new Clock();
        var options = Options(server);
        server.Reply = line => line.StartsWith("RCPT TO:<ann", StringComparison.Ordinal) ? "550 no such user" : line.StartsWith("RCPT", StringComparison.Ordinal) ? "451 greylisted" : null;
        await MailAsync(store.Database, clock, options);
        Assert.Empty(server.Mails);

        server.Reply = _ => null;
        await MailAsync(store.Database, clock, options);
        Assert.Empty(server.Mails);
        clock.Now = clock.Now.AddMinutes(3);
        await MailAsync(store.Database, clock, options);
        // The one address that does not exist waits for the next interval.
        Assert.Equal("ops@hospital.example", Assert.Single(server.Mails).To.Mailboxes.Single().Address);

        clock.Now = clock.Now.AddDays(1);
        await MailAsync(store.Database, clock, options with { Mail = options.Mail! with { Port = 1 } });
        await MailAsync(store.Database, clock, options);
        // Ann, whose turn it was when nobody answered, waits a while; the operators do not.
        Assert.Equal(2, server.Mails.Count);
        clock.Now = clock.Now.AddHours(1);
        await MailAsync(store.Database, clock, options);
        Assert.Equal(3, server.Mails.Count);
    }

    [Fact]
    public async Task Tls_ServerThatIsNotTheRightOne_IsToldNothing()
    {
        var (root, certificate) = Certificates("localhost");
        var (strange, _) = Certificates("localhost");
        var (_, elsewhere) = Certificates("mail.elsewhere.example");
        var folder = Directory.CreateTempSubdirectory("bridge-mail-").FullName;
        var (roots, strangers) = (Path.Combine(folder, "root.pem"), Path.Combine(folder, "strange.pem"));
        await File.WriteAllTextAsync(roots, root.ExportCertificatePem(), Ct);
        await File.WriteAllTextAsync(strangers, strange.ExportCertificatePem(), Ct);
        foreach (var (tls, own, trusted, fault) in new[]
        {
            ("StartTls", certificate, roots, (MailFault?)null), ("Implicit", certificate, roots, null),
            ("StartTls", certificate, strangers, MailFault.NoTls), ("Implicit", certificate, strangers, MailFault.NoTls),
            ("StartTls", elsewhere, roots, MailFault.NoTls), ("StartTls", null, roots, MailFault.NoTls),
        })
        {
            await using var store = await WithWorkAsync(Engine.Sqlite);
            await using var server = new SmtpServer(own, tls == "Implicit");
            var options = Options(
                server, ("Announcing:Mail:Server", "localhost"), ("Announcing:Mail:Tls", tls), ("Announcing:Mail:TlsRoots", trusted), ("Announcing:Mail:User", "bridge"),
                ("Announcing:Mail:Password", "canary-of-a-password"));
            var report = new CheckReport();
            await MailCheck.RunAsync(options.Mail!, report);
            await MailAsync(store.Database, new Clock(), options);

            var line = Assert.Single(report.Lines);
            Assert.Equal((fault is null ? CheckState.Good : CheckState.Fault, fault is null ? 2 : 0), (line.State, server.Mails.Count));
            Assert.DoesNotContain("canary", line.Says + line.Cure, StringComparison.Ordinal);
            if (fault is null)
                Assert.All(server.Said.Where(said => !said.StartsWith("EHLO", StringComparison.Ordinal) && said != "STARTTLS"), said => Assert.StartsWith("tls ", said, StringComparison.Ordinal));
            else
                Assert.DoesNotContain(server.Said, said => said.Contains("AUTH", StringComparison.Ordinal) || said.Contains("MAIL", StringComparison.Ordinal));
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Check_MailServer_SaysWhatIsWrongAndSendsNothing()
    {
        await using var server = new SmtpServer();
        var good = new CheckReport();
        await MailCheck.RunAsync(Options(server).Mail!, good);
        Assert.Contains("answers", Assert.Single(good.Lines).Says, StringComparison.Ordinal);

        server.Reply = line => line.StartsWith("AUTH", StringComparison.Ordinal) ? "535 no" : null;
        var refused = new CheckReport();
        await MailCheck.RunAsync(Options(server, ("Announcing:Mail:User", "bridge"), ("Announcing:Mail:Password", "x")).Mail!, refused);
        Assert.Contains("Announcing:Mail:Password", Assert.Single(refused.Lines).Cure, StringComparison.Ordinal);

        var gone = new CheckReport();
        await MailCheck.RunAsync(Options(server).Mail! with { Port = 1 }, gone);
        Assert.Contains("Announcing:Mail:Port", Assert.Single(gone.Lines).Cure, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Said, said => said.StartsWith("MAIL", StringComparison.Ordinal));

        var written = new CheckReport();
        await FhirWriteCheck.RunAsync(
            WatchingOptions.Read(Reader(("Fhir:BaseUrl", fhir.BaseUrl.ToString()))), WriteBackOptions.Read(Reader()), [WrittenType.Provenance, WrittenType.Task], written, TimeProvider.System);
        Assert.Equal(["Provenance writing Good", "Task writing Good"], written.Lines.Select(line => $"{line.Name} {line.State}"));
    }

    [Theory]
    [OnBothEngines]
    public async Task Task_AsTheNumberChanges_IsMadeReplacedCompletedAndMadeAnew(Engine engine)
    {
        await using var store = await WithWorkAsync(engine);
        using var second = store.OpenAgain();
        var clock = new Clock();
        var practitioner = await MapAsync(store);

        await Task.WhenAll(TaskAsync(store.Database, clock), TaskAsync(second, clock));
        await TaskAsync(store.Database, clock);
        var first = Assert.Single(await TasksAsync(practitioner));
        Assert.Equal("requested urgent 2 summaries wait for your signature 2", Text(first));
        foreach (var secret in new[] { "pat-key", "the-pseudonym", "enc-", "sum-", "44054006", "Encounter/", "Patient/" })
            Assert.DoesNotContain(secret, first.ToJsonString(), StringComparison.Ordinal);

        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'Declined' WHERE row_id = 1"));
        await TaskAsync(store.Database, clock);
        var changed = Assert.Single(await TasksAsync(practitioner));
        Assert.Equal(((string)first["id"]!, "requested routine 1 summary waits for your signature 1"), ((string)changed["id"]!, Text(changed)));

        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'Declined' WHERE row_id = 2"));
        await TaskAsync(store.Database, clock);
        await TaskAsync(store.Database, clock);
        Assert.StartsWith("completed", Text(Assert.Single(await TasksAsync(practitioner))), StringComparison.Ordinal);

        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'AwaitingCoSign' WHERE row_id = 2"));
        await TaskAsync(store.Database, clock);
        Assert.Equal(["completed", "requested"], (await TasksAsync(practitioner)).Select(task => (string)task["status"]!).Order(StringComparer.Ordinal));

        // Somebody removes it; when the number changes the next one is made.
        using var http = new HttpClient();
        var open = (await TasksAsync(practitioner)).Single(task => (string)task["status"]! == "requested");
        (await http.DeleteAsync(new Uri(fhir.BaseUrl, $"Task/{open["id"]}"), Ct)).EnsureSuccessStatusCode();
        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'AwaitingCoSign' WHERE row_id = 1"));
        await TaskAsync(store.Database, clock);
        await TaskAsync(store.Database, clock);
        Assert.Equal(["completed", "requested"], (await TasksAsync(practitioner)).Select(task => (string)task["status"]!).Order(StringComparer.Ordinal));
    }

    [Theory]
    [OnBothEngines("announcing.3")]
    [OnBothEngines("announcing.4")]
    public async Task Task_KilledBetweenSteps_IsMadeOnce(Engine engine, string point)
    {
        await using var store = await WithWorkAsync(engine);
        var clock = new Clock();
        var practitioner = await MapAsync(store);

        await Assert.ThrowsAsync<DiedException>(() => TaskAsync(store.Database, clock, new CrashPoints(point, _ => throw new DiedException())));
        clock.Now = clock.Now.AddMinutes(4);
        await TaskAsync(store.Database, clock);

        Assert.Equal("requested urgent 2 summaries wait for your signature 2", Text(Assert.Single(await TasksAsync(practitioner))));
    }

    private static string Text(JsonObject task) =>
        $"{task["status"]} {task["priority"]} {task["description"]} {task["input"]!.AsArray().Single(input => (string)input!["type"]!["text"]! == "number")!["valueInteger"]}";

    private async Task<List<JsonObject>> TasksAsync(string practitioner)
    {
        using var http = new HttpClient();
        var bundle = (await http.GetFromJsonAsync<JsonObject>(new Uri(fhir.BaseUrl, "Task?_count=1000"), Ct))!;
        return [.. (bundle["entry"]?.AsArray() ?? []).Select(entry => (JsonObject)entry!["resource"]!).Where(task => (string?)task["owner"]!["reference"] == $"Practitioner/{practitioner}")];
    }

    // Ann is a Practitioner of her own in each test: the server is shared.
    private static async Task<string> MapAsync(TestStore store)
    {
        var practitioner = $"pr-{Guid.NewGuid():N}";
        await store.WriteAsync(work => work.RunAsync("INSERT INTO practitioner (practitioner_key, licence, set_by, set_at) VALUES (@practitioner, 'A', 'olga', 0)", new { practitioner }));
        return practitioner;
    }

    private static Task MailAsync(Database database, Clock clock, AnnouncingOptions options, CrashPoints? crash = null) => new MailDigests(
        database, options, Hospital, new Instance(), crash ?? new CrashPoints(null, _ => { }), clock, NullLogger<MailDigests>.Instance).RunAsync(Ct);

    private async Task TaskAsync(Database database, Clock clock, CrashPoints? crash = null)
    {
        var options = AnnouncingOptions.Read(Reader(("Announcing:Task", "true"), ("Announcing:Link", "https://bridge.hospital.example/queue")));
        using var writer = new FhirWriter(
            WatchingOptions.Read(Reader(("Fhir:BaseUrl", fhir.BaseUrl.ToString()))), WriteBackOptions.Read(Reader()), [WrittenType.Task], clock, NullLoggerFactory.Instance);
        await new TaskAnnouncer(
            database, writer, options, Hospital, new Routing(database, Hospital, clock), new Instance(), crash ?? new CrashPoints(null, _ => { }), clock, NullLogger<TaskAnnouncer>.Instance).RunAsync(Ct);
    }

    private static AnnouncingOptions Options(SmtpServer server, params (string Key, string Value)[] more)
    {
        (string Key, string Value)[] settings =
        [
            ("Announcing:Link", "https://bridge.hospital.example/queue"), ("Announcing:Mail:Server", "127.0.0.1"), ("Announcing:Mail:Tls", "None"),
            ("Announcing:Mail:Port", server.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)), ("Announcing:Mail:From", "bridge@hospital.example"),
            ("Announcing:Mail:Doctors:0:Licence", "A"), ("Announcing:Mail:Doctors:0:Address", "ann@hospital.example"),
            ("Announcing:Mail:Doctors:1:Licence", "B"), ("Announcing:Mail:Doctors:1:Address", "bea@hospital.example"), ("Announcing:Mail:Operators:0", "ops@hospital.example"),
        ];
        var reader = Reader([.. settings.Where(setting => !more.Any(other => other.Key == setting.Key)), .. more]);
        var options = AnnouncingOptions.Read(reader);
        Assert.Empty(reader.Faults);
        return options;
    }

    private static ConfigurationReader Reader(params (string Key, string Value)[] settings) => new(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build(), "/");

    private static async Task<TestStore> WithWorkAsync(Engine engine)
    {
        var store = await TestStore.CreateAsync(engine);
        await store.WriteAsync(async work =>
        {
            await work.RunAsync(
                """
                INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at)
                VALUES (1, 'pat-key', 'pat-key', 'Enrolled', 'c', '', 'ruth', 0, 0)
                """);
            foreach (var (row, licence) in new (int, string?)[] { (1, "A"), (2, "A"), (3, null) })
                await SummaryRows.InsertAsync(work, new SummaryRow
                {
                    SummaryId = $"sum-{row}",
                    EncounterKey = $"enc-{row}",
                    EncounterVersion = "1",
                    PatientKey = "pat-key",
                    EnrolmentId = 1,
                    Pseudonym = "the-pseudonym",
                    Status = SummaryStatus.AwaitingCoSign,
                    DoctorLicence = licence,
                    Payload = "44054006"u8.ToArray(),
                    QueuedAt = TestStore.Now.AddDays(-5 + row).ToUnixTimeMilliseconds(),
                    CreatedAt = TestStore.Now.ToUnixTimeMilliseconds(),
                });
            await work.RunAsync("UPDATE summary SET reminded_at = 1 WHERE row_id = 1");
        });
        return store;
    }

    private static (X509Certificate2 Root, X509Certificate2 Server) Certificates(string host)
    {
        var now = DateTimeOffset.UtcNow;
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=Mail CA", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var root = rootRequest.CreateSelfSigned(now.AddHours(-1), now.AddDays(30));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(root, now.AddHours(-1), now.AddDays(20), RandomNumberGenerator.GetBytes(16));
        return (root, certificate.CopyWithPrivateKey(key));
    }
}
