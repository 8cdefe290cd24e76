using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bridge.FlowTests.Ledger;
using Bridge.Hospital;
using Bridge.Hospital.Store;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Setup;
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
            ["Ledger:Endpoints:0"] = fixture.Ledger.Ledger.Endpoint(Msp).ToString(),
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

    public StringBuilder LogText { get; } = new();

    /// <summary>The configuration as arguments, for this process or another.</summary>
    public string[] Arguments(params (string Key, string Value)[] overrides)
    {
        foreach (var (key, value) in overrides)
            settings[key] = value;
        return [.. settings.SelectMany(setting => (string[])[$"--{setting.Key}", setting.Value])];
    }

    /// <summary>A rig that is not started: doctors who are to sign in are added first.</summary>
    public static Rig Create(HospitalFixture fixture) => new(fixture, fixture.NewFolder());

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
        Doctors[doctor.Statement.Licence] = doctor;
        AddPerson(10 + Doctors.Count, doctor.Statement.Licence, "doctor", doctor.Statement.Licence);
        return doctor;
    }

    public async Task StartAsync(params (string Key, string Value)[] overrides)
    {
        app = HospitalApp.Build(Arguments(overrides), builder => builder.Logging.AddProvider(new LogCapture(LogText)));
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
        var opened = await PostAsync("desk", "/api/enrolments", new { patient = fhirId });
        if (opened.Status != HttpStatusCode.Created)
            throw new InvalidOperationException($"the desk was answered {opened.Status} {opened.Body}");
        if (!EnrolmentTicket.TryParse(opened.Body.GetProperty("fragment").GetString(), out var ticket))
            throw new InvalidOperationException("the fragment cannot be read");
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = EnrolmentRequest.Create(
            ticket!.Code.Derive(ticket.Hospital, ticket.CaDigests), SampleConsortium.PortalMsp, key, [Purposes.Peers, .. purposes], [SampleConsortium.PortalMsp],
            "What you agree to.", "en", DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
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

    /// <summary>Signs what the API shows, with the doctor's key, and sends it back.</summary>
    public async Task<Answer> ApproveAsync(string licence, string summary)
    {
        var shown = await GetAsync(licence, $"/api/cosign/{summary}");
        if (shown.Status != HttpStatusCode.OK)
            return shown;
        var signing = shown.Body.GetProperty("signing").EnumerateArray().ToList();
        if (signing.Count == 0)
            return await PostAsync(licence, $"/api/cosign/{summary}/approve", new { @protected = "", signature = "" });
        var mine = Doctors[licence];
        var offered = signing.Single(item => item.GetProperty("thumbprint").GetString() == Digest.Of(mine.Keys.Der()).ToString());
        return await PostAsync(licence, $"/api/cosign/{summary}/approve", new
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

    public Task<SummaryRow?> RowOfAsync(string encounter) =>
        Database.ReadAsync(work => work.FirstAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE encounter_key = @encounter AND is_current = 1", new { encounter }));

    public Task UntilStatusAsync(string encounter, SummaryStatus status) =>
        UntilAsync($"encounter to be {status}", async () => (await RowOfAsync(encounter))?.Status == status);

    /// <summary>Polls until it is so; a deadline, no sleep that a test's outcome hangs on.</summary>
    public async Task UntilAsync(string what, Func<Task<bool>> isSo, int seconds = 60, Func<Task<string>>? state = null)
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
        settings[$"Access:People:{i}:TokenSha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Token(name))));
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
