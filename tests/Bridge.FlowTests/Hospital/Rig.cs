using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Ledger;
using Bridge.Hospital;
using Bridge.Hospital.Store;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Setup;
using Bridge.Tests.Hospital;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Bridge.FlowTests.Hospital;

/// <summary>An answer of the API.</summary>
internal sealed record Answer(HttpStatusCode Status, JsonElement Body)
{
    public string Outcome => Body.GetProperty("outcome").GetString()!;
}

/// <summary>A patient as the hospital and the browser know her.</summary>
internal sealed record RigPatient(string FhirId, long Enrolment, ECDsa Key, EnrolmentRequest Request);

/// <summary>One hospital's bridge on real parts, with people who act through its API.</summary>
internal sealed class Rig : IAsyncDisposable
{
    public const string Msp = "HospitalAMSP";

    private readonly HospitalFixture fixture;
    private readonly Dictionary<string, string> settings;
    private readonly StringBuilder log = new();
    private readonly HttpClient http = new();
    private WebApplication? app;

    private Rig(HospitalFixture fixture, string folder)
    {
        this.fixture = fixture;
        Folder = folder;
        var hospital = fixture.Ledger.Consortium.A;
        var bridge = fixture.Ledger.Ledger.Client(Msp);
        settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Hospital:Msp"] = Msp,
            ["Server:Urls"] = "http://127.0.0.1:0",
            ["Server:AddressFile"] = Path.Combine(folder, "address"),
            ["Database:File"] = Path.Combine(folder, "hospital.db"),
            ["Fhir:BaseUrl"] = fixture.Fhir.ToString(),
            ["Ledger:Certificate"] = bridge.CertificateFile,
            ["Ledger:Key"] = bridge.KeyFile,
            ["Ledger:CommitTimeout"] = "00:00:20",
            ["Watching:Interval"] = "00:00:00.300",
            ["Watching:Settle"] = "00:00:00",
            ["Watching:MaxWaitOutpatient"] = "00:00:00",
            ["Watching:MaxWaitInpatient"] = "00:00:00",
            ["Watching:Overlap"] = "00:00:02",
            ["Extraction:Terminology"] = Path.Combine(Checkout.Find().Samples, "maps"),
            ["Anchoring:MinPatients"] = "1",
            ["Anchoring:MinDelay"] = "00:00:00",
            ["Anchoring:MaxDelay"] = "00:00:00",
            ["Anchoring:Interval"] = "00:00:00.500",
            ["Enrolment:Interval"] = "00:00:00.500",
            ["Enrolment:PatientCaCertificate"] = hospital.PatientCa.CertificateFile,
            ["Enrolment:PatientCaKey"] = hospital.PatientCa.KeyFile,
            ["Enrolment:PeopleCas:0"] = hospital.PeopleRoot.CertificateFile,
            ["Enrolment:BridgeCas:0"] = fixture.Ledger.Ledger.Root(Msp).CertificateFile,
            ["Certificates:StatusCertificate"] = hospital.StatusKey.CertificateFile,
            ["Certificates:StatusKey"] = hospital.StatusKey.KeyFile,
            ["Certificates:SyncInterval"] = "00:00:00.500",
            ["Operations:Reconcile"] = "30.00:00:00",
        };
        foreach (var (key, value) in fixture.Ledger.Ledger.Settings(Msp))
            settings[value is JsonArray ? $"Ledger:{key}:0" : $"Ledger:{key}"] = (string)(value is JsonArray several ? several[0]! : value!)!;
        foreach (var (role, i) in ((string[])["operator", "desk", "registrar"]).Select((role, i) => (role, i)))
            AddPerson(i, role, role, null);
    }

    public string Folder { get; }

    public HospitalFixture Fixture => fixture;

    public Actors Actors => fixture.Ledger.Actors;

    public IServiceProvider Services => app!.Services;

    public Database Database => Services.GetRequiredService<Database>();

    /// <summary>Doctors who may sign in, by licence.</summary>
    public Dictionary<string, Doctor> Doctors { get; } = [];

    /// <summary>What the hospital has logged so far.</summary>
    public string LogText
    {
        get
        {
            lock (log)
                return log.ToString();
        }
    }

    public string[] LogLines() => LogText.Split('\n');

    /// <summary>The hospital's clock; the ledger and the FHIR server keep their own.</summary>
    public TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>Whether guardians enrol the patients.</summary>
    public bool Guardian { get; set; }

    /// <summary>Until when patients consent.</summary>
    public DateOnly ConsentUntil { get; set; } = DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2));

    /// <summary>What a patient's browser makes, or brings from her recovery kit.</summary>
    public Func<ECDsa> PatientKey { get; set; } = () => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The configuration as arguments, for this process or another.</summary>
    public string[] Arguments(params (string Key, string Value)[] overrides)
    {
        foreach (var (key, value) in overrides)
            settings[key] = value;
        return [.. settings.SelectMany(setting => (string[])[$"--{setting.Key}", setting.Value])];
    }

    /// <summary>A rig that is not started: doctors who are to sign in are added first.</summary>
    public static Rig Create(HospitalFixture fixture) => new(fixture, fixture.NewFolder());

    /// <summary>As <see cref="Create"/>, on either engine.</summary>
    public static async Task<Rig> CreateAsync(HospitalFixture fixture, Engine engine)
    {
        var rig = Create(fixture);
        if (engine == Engine.MariaDb)
            rig.Use(await (await MariaDbServer.SharedAsync()).NewDatabaseAsync());
        return rig;
    }

    /// <summary>Another instance of the same hospital on the same database, in a folder of its own.</summary>
    public Rig Beside()
    {
        var other = Create(fixture);
        foreach (var (key, value) in settings)
            if (key is not "Server:AddressFile")
                other.settings[key] = value;
        foreach (var (licence, doctor) in Doctors)
            other.Doctors[licence] = doctor;
        return other;
    }

    /// <summary>The database as another process sees it, while the hospital is one.</summary>
    public Database OpenDatabase() => settings.TryGetValue("Database:ConnectionString", out var server)
        ? new Database(Dialect.MySql, server)
        : new Database(Dialect.Sqlite, Database.ForFile(settings["Database:File"]));

    /// <summary>Keeps the data on a server; what a killed process held is free again soon.</summary>
    public void Use(string connectionString)
    {
        settings["Database:Engine"] = "mysql";
        settings["Database:ConnectionString"] = connectionString;
        settings["Database:InstanceTimeout"] = "00:00:02";
    }

    /// <summary>Takes the ledger and the bridge's identity from a connection profile alone.</summary>
    public void UseProfile(string file)
    {
        foreach (var key in (string[])["Certificate", "Key", "Endpoints:0", "TlsRoots", "ServerName"])
            settings.Remove($"Ledger:{key}");
        settings["Ledger:Profile"] = file;
    }

    /// <summary>A started hospital with one active doctor, on either engine.</summary>
    public static async Task<Rig> StartAsync(HospitalFixture fixture, Engine engine, params (string Key, string Value)[] overrides)
    {
        var rig = await CreateAsync(fixture, engine);
        await rig.AddDoctorAsync();
        await rig.StartAsync(overrides);
        return rig;
    }

    /// <summary>A started hospital with one active doctor.</summary>
    public static async Task<Rig> StartAsync(HospitalFixture fixture, params (string Key, string Value)[] overrides)
    {
        var rig = Create(fixture);
        await rig.AddDoctorAsync();
        await rig.StartAsync(overrides);
        return rig;
    }

    public async Task<Doctor> AddDoctorAsync()
    {
        var doctor = await Actors.ActiveDoctorAsync(Msp);
        Add(doctor, doctor.Statement.Licence);
        return doctor;
    }

    /// <summary>Lets a doctor sign in under a name.</summary>
    public void Add(Doctor doctor, string name)
    {
        var licence = doctor.Statement.Licence;
        Doctors[licence] = doctor;
        AddPerson(10 + Doctors.Count, name, "doctor", licence);
    }

    public async Task StartAsync(params (string Key, string Value)[] overrides)
    {
        app = HospitalApp.Build(Arguments(overrides), builder =>
        {
            builder.Logging.AddProvider(new LogCapture(log));
            builder.Services.AddSingleton(Clock);
        });
        await app.StartAsync();
        BaseAddress = new Uri(app.Urls.First());
        foreach (var licence in Services.GetRequiredService<Bridge.Hospital.Operations.OperationsOptions>().Workers ? Doctors.Keys.ToArray() : [])
            await UntilAsync($"doctor {licence} in the directory", async () =>
                await Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM doctor WHERE licence = @licence AND status = 'ACTIVE'", new { licence })) > 0);
    }

    public Uri BaseAddress { get; set; } = null!;

    public async Task StopAsync()
    {
        if (app is null)
            return;
        await app.StopAsync();
        await app.DisposeAsync();
        app = null;
    }

    /// <summary>Calls the API as somebody; <paramref name="who"/> is a role, a licence, or null for nobody.</summary>
    public async Task<Answer> CallAsync(string? who, HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(BaseAddress, path));
        if (who is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(who));
        if (body is not null)
            request.Content = JsonContent.Create(body);
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new Answer(response.StatusCode, text.StartsWith('{') ? JsonElement.Parse(text) : default);
    }

    public Task<Answer> GetAsync(string who, string path) => CallAsync(who, HttpMethod.Get, path);

    public Task<Answer> PostAsync(string who, string path, object? body = null) => CallAsync(who, HttpMethod.Post, path, body ?? new { });

    /// <summary>The desk opens an enrolment; the browser and the portal do their part. Returns once the hospital has it on the ledger.</summary>
    public async Task<RigPatient> EnrolAsync(string? fhirId = null, params string[] purposes)
    {
        fhirId ??= await fixture.PatientAsync();
        var patient = await RequestAsync(fhirId, purposes);
        await UntilAsync("enrolment", async () => (await GetAsync("desk", $"/api/enrolments/{patient.Enrolment}")).Body.GetProperty("state").GetString() == "Enrolled");
        return patient;
    }

    public async Task<RigPatient> RequestAsync(string fhirId, params string[] purposes)
    {
        var opened = await PostAsync("desk", "/api/enrolments", new { patient = fhirId, guardian = Guardian });
        if (opened.Status != HttpStatusCode.Created)
            throw new InvalidOperationException($"the desk was answered {opened.Status} {opened.Body}");
        if (!EnrolmentTicket.TryParse(opened.Body.GetProperty("fragment").GetString(), out var ticket))
            throw new InvalidOperationException("the fragment cannot be read");
        var key = PatientKey();
        var request = EnrolmentRequest.Create(
            ticket!.Code.Derive(ticket.Hospital, ticket.CaDigests), SampleConsortium.PortalMsp, key, [Purposes.Peers, .. purposes], [SampleConsortium.PortalMsp],
            ConsentNotice.Shipped[0].Text, "en", ConsentUntil);
        await Actors.RequestAsync(Msp, request);
        return new RigPatient(fhirId, opened.Body.GetProperty("enrolment").GetInt64(), key, request);
    }

    /// <summary>Waits for a summary in a doctor's queue; returns its id.</summary>
    public async Task<string> QueuedAsync(string licence, string encounter)
    {
        string? id = null;
        await UntilAsync($"encounter in the queue of {licence}", async () =>
        {
            foreach (var item in (await GetAsync(licence, "/api/cosign/queue?limit=200")).Body.GetProperty("items").EnumerateArray())
                if (item.GetProperty("encounter").GetString() == encounter)
                    id = item.GetProperty("id").GetString();
            return id is not null;
        });
        return id!;
    }

    /// <summary>Waits until a doctor is asked to take a summary back.</summary>
    public Task RetractionQueuedAsync(string licence, string summary) => UntilAsync($"retraction in the queue of {licence}", async () =>
        (await GetAsync(licence, "/api/retractions/queue?limit=200")).Body.GetProperty("items").EnumerateArray().Any(item => item.GetProperty("id").GetString() == summary));

    /// <summary>Signs what the API shows, with the doctor's key, and sends it back.</summary>
    /// <param name="licence">The doctor.</param>
    /// <param name="summary">Which.</param>
    /// <param name="queue"><c>cosign</c>, or <c>retractions</c>.</param>
    public async Task<Answer> ApproveAsync(string licence, string summary, string queue = "cosign")
    {
        var shown = await GetAsync(licence, $"/api/{queue}/{summary}");
        if (shown.Status != HttpStatusCode.OK)
            return shown;
        var signing = shown.Body.GetProperty("signing").EnumerateArray().ToList();
        if (signing.Count == 0)
            return await PostAsync(licence, $"/api/{queue}/{summary}/approve", new { @protected = "", signature = "" });
        var mine = Doctors[licence];
        var offered = signing.Single(item => item.GetProperty("thumbprint").GetString() == Digest.Of(mine.Keys.Der()).ToString());
        return await PostAsync(licence, $"/api/{queue}/{summary}/approve", new
        {
            @protected = offered.GetProperty("protected").GetString(),
            signature = Sign(mine.Keys, offered.GetProperty("signingInput").GetString()!),
        });
    }

    public static string Sign(KeyPair keys, string signingInput)
    {
        using var key = keys.LoadKey();
        // As a browser signs: r and s, any S.
        return Bridge.Records.Base64Url.Encode(key.SignData(Encoding.ASCII.GetBytes(signingInput), HashAlgorithmName.SHA256));
    }

    public Task<SummaryRow?> RowOfSummaryAsync(string summary) => Database.ReadAsync(work => SummaryRows.BySummaryAsync(work, summary));

    public Task UntilSummaryAsync(string summary, SummaryStatus status) =>
        UntilAsync($"summary to be {status}", async () => (await RowOfSummaryAsync(summary))?.Status == status);

    /// <summary>The states add up with the server's own count.</summary>
    public Task AddsUpAsync() => UntilAsync("the states to add up", async () =>
        (await PostAsync("operator", "/api/operations/reconcile")).Body is { ValueKind: JsonValueKind.Object } sum && sum.GetProperty("difference").GetInt64() == 0);

    public Task<SummaryRow?> RowOfAsync(string encounter) =>
        Database.ReadAsync(work => work.FirstAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE encounter_key = @encounter AND is_current = 1", new { encounter }));

    public Task UntilStatusAsync(string encounter, SummaryStatus status) =>
        UntilAsync($"encounter to be {status}", async () => (await RowOfAsync(encounter))?.Status == status);

    /// <summary>Polls until it is so; a deadline, no sleep that a test's outcome hangs on.</summary>
    public async Task UntilAsync(string what, Func<Task<bool>> isSo, int seconds = 150, Func<Task<string>>? state = null)
    {
        var end = DateTime.UtcNow.AddSeconds(seconds);
        while (!await isSo())
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException($"waited {seconds} s for {what}{Environment.NewLine}{(state is null ? "" : await state())}{Environment.NewLine}{LogText}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        http.Dispose();
        SqliteConnection.ClearAllPools();
    }

    private static string Token(string who) => "token-of-" + who;

    private void AddPerson(int i, string name, string role, string? licence)
    {
        settings[$"Access:People:{i}:Name"] = name;
        settings[$"Access:People:{i}:Roles:0"] = role;
        settings[$"Access:People:{i}:TokenSha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Token(licence ?? name))));
        if (licence is not null)
            settings[$"Access:People:{i}:Licence"] = licence;
    }

    /// <summary>Keeps what is logged, to look for canaries in.</summary>
    private sealed class LogCapture(StringBuilder text) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (text)
                text.AppendLine($"{logLevel} {eventId.Id} {formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}
