using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Hospital;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Tests.Fhir;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.Tests.Hospital;

/// <summary>The watching half of a hospital before a FHIR server with quirks, on a database of its own and on one clock that leaps over every wait.</summary>
internal sealed class WatchRig : IAsyncDisposable
{
    private readonly FhirClient client;
    private readonly HospitalMetrics metrics = new(new Instance());

    private WatchRig(TestStore store, QuirkServer server, LeapingClock clock, WatchingOptions options)
    {
        (Store, Server, Clock, Options) = (store, server, clock, options with { Client = new FhirClientOptions { BaseUrl = server.BaseUrl, BearerToken = server.Quirks.Token } });
        client = new FhirClient(Options.Client, time: clock);
        Watcher = new EncounterWatcher(client, Options.Watch, clock);
        Worker = WorkerOf(new CrashPoints(null, _ => { }));
    }

    public TestStore Store { get; }

    public QuirkServer Server { get; }

    public LeapingClock Clock { get; }

    public WatchingOptions Options { get; }

    public Instance Instance { get; } = new();

    public StageBoard Board { get; } = new();

    public WatchingSignals Signals { get; } = new();

    public FhirClient Client => client;

    public EncounterWatcher Watcher { get; }

    public WatchWorker Worker { get; }

    public RosterSweep Roster => new(Store.Database, Watcher, Worker, Options, Instance, Board, Clock, NullLogger<RosterSweep>.Instance);

    public Reconciliation Reconciliation => new(Store.Database, Watcher, Worker, Options, Instance, Signals, Clock);

    public static async Task<WatchRig> StartAsync(Engine engine, Quirks quirks, Func<WatchingOptions, WatchingOptions>? configure = null)
    {
        var clock = new LeapingClock(TestStore.Now);
        var options = new WatchingOptions(
            new FhirClientOptions { BaseUrl = new Uri("http://127.0.0.1/") }, null, null, new WatchOptions(), ReadyOptions.AtOnce, WatchStrategy.LastUpdated, TimeSpan.FromSeconds(30),
            TimeSpan.FromHours(6), DateTimeOffset.UnixEpoch);
        return new WatchRig(await TestStore.CreateAsync(engine), await QuirkServer.StartAsync(quirks, clock), clock, configure?.Invoke(options) ?? options);
    }

    public WatchWorker WorkerOf(CrashPoints crash)
    {
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value, new MinimiserOptions { K = 5 }), new ExtractionOptions { Ready = Options.Ready });
        return new WatchWorker(
            Store.Database, Watcher, new EncounterReader(client, Options.Watch), client, new Intake(extractor, Options, new HospitalOptions("HospitalAMSP", "A")), Options, Instance, crash,
            metrics, Clock, NullLogger<WatchWorker>.Instance);
    }

    /// <summary>A patient with a live consent, whose record the server has.</summary>
    public async Task EnrolAsync(int number, string patient)
    {
        PutPatient(patient);
        await Store.WriteAsync(work => work.RunAsync(
            """
            INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at, consent_until, pseudonym, purposes)
            VALUES (@number, @patient, @patient, 'Enrolled', @code, '', 'ruth', 0, 0, @until, @pseudonym, 'peers')
            """,
            new { number, patient, code = $"c{number}", until = TestStore.Now.AddYears(1).ToUnixTimeMilliseconds(), pseudonym = "ptxnpg3951jkwgvfazw9hqst3xy" }));
    }

    public void PutPatient(string patient) =>
        Server.Store.Put(new JsonObject { ["resourceType"] = "Patient", ["id"] = patient, ["gender"] = "female", ["birthDate"] = "1971-03-05" });

    public void PutEncounter(string id, string patient, string status = "finished") => Server.Store.Put(new JsonObject
    {
        ["resourceType"] = "Encounter",
        ["id"] = id,
        ["status"] = status,
        ["class"] = new JsonObject { ["code"] = "AMB" },
        ["subject"] = new JsonObject { ["reference"] = "Patient/" + patient },
        ["period"] = new JsonObject { ["start"] = "2026-09-01T08:00:00Z", ["end"] = "2026-09-01T09:00:00Z" },
        ["reasonCode"] = new JsonArray(new JsonObject { ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://snomed.info/sct", ["code"] = "44054006" }) }),
    });

    /// <summary>How often the server was asked for something.</summary>
    public int Asked(string part) => Server.Requests.Count(request => (request.PathAndQuery + request.Body).Contains(part, StringComparison.Ordinal));

    public Task<long> CountAsync(string from) => Store.ReadAsync(work => work.ScalarAsync<long>($"SELECT COUNT(*) FROM {from}"));

    /// <summary>The encounters that stand in a state, by name.</summary>
    public async Task<IReadOnlyList<string>> KnownAsync() => [.. (await Store.ReadAsync(
        work => work.ListAsync<string>("SELECT encounter_key FROM summary WHERE is_current = 1"))).Order(StringComparer.Ordinal)];

    public async ValueTask DisposeAsync()
    {
        metrics.Dispose();
        client.Dispose();
        await Server.DisposeAsync();
        await Store.DisposeAsync();
    }
}
