using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Bridge.Fhir;
using Bridge.Fhir.Client;
using Bridge.FhirServers;
using Bridge.Hospital;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Hospital.WriteBack;
using Bridge.Tests.Fhir;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>What the hospital's FHIR server is told, on both engines, by a server that nobody here wrote and by one that misbehaves.</summary>
public sealed class ProvenanceTests(SampleServer server) : IClassFixture<SampleServer>
{
    private static readonly HospitalOptions Hospital = new("HospitalAMSP", "Linden Hospital");

    private sealed class DiedException : Exception;

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TestStore.Now;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Read_WhatIsNotOneOfOurs_HoldsNothingUp()
    {
        foreach (var text in new[]
        {
            "", "{", "[]", "7", "null", """{"resourceType":"Provenance"}""", """{"resourceType":"Provenance","id":7}""", """{"resourceType":["Provenance"],"id":"1"}""",
            """{"resourceType":"Patient","id":"1"}""", """{"resourceType":"Provenance","id":"1","id":"2"}""", """{"resourceType":"Provenance","id":""}""",
        })
            Assert.Null(FhirWriter.Read(new FhirResource(System.Text.Encoding.UTF8.GetBytes(text)), "Provenance"));
        Assert.Null(FhirWriter.Read(new FhirResource(default, Oversize: true), "Provenance"));
        Assert.Equal("1", FhirWriter.Read(new FhirResource("""{"resourceType":"Provenance","id":"1"}"""u8.ToArray()), "Provenance")!.Value.Id);
    }

    [Theory]
    [OnBothEngines]
    public async Task Anchored_ThenErased_IsToldOnceEachAndOfTheSameEncounter(Engine engine)
    {
        await using var store = await WithDoctorAsync(engine);
        var clock = new Clock();
        await RunAsync(store, clock, server.BaseUrl);
        var encounter = $"e-{Guid.NewGuid():N}";
        await AnchorAsync(store, clock, 1, encounter, supersedes: "older-id");

        await RunAsync(store, clock, server.BaseUrl);
        await RunAsync(store, clock, server.BaseUrl);

        var told = Assert.Single(await ToldAsync(encounter));
        Assert.Equal($"Encounter/{encounter}/_history/3", (string)told["target"]![0]!["reference"]!);
        Assert.Equal("UPDATE", (string)told["activity"]!["coding"]![0]!["code"]!);
        Assert.Equal(["attester Practitioner/pr-1", "assembler HospitalAMSP"], Agents(told));
        Assert.Equal(["derivation s1", "revision older-id"], Entities(told));
        Assert.Equal(TestStore.Now, DateTimeOffset.Parse((string)told["occurredDateTime"]!, CultureInfo.InvariantCulture));
        // Nothing of what the summary says, and nothing that names the patient.
        foreach (var secret in new[] { "pat-key", "the-pseudonym", "44054006", "Dr. " })
            Assert.DoesNotContain(secret, told.ToJsonString(), StringComparison.Ordinal);

        await store.WriteAsync(async work => await Withdrawals.EraseAsync(work, (await SummaryRows.ByRowAsync(work, 1))!, clock.Now));
        await RunAsync(store, clock, server.BaseUrl);
        await RunAsync(store, clock, server.BaseUrl);

        var both = await ToldAsync(encounter);
        Assert.Equal(2, both.Count);
        var end = both.Single(one => (string)one["activity"]!["coding"]![0]!["code"]! == "NULLIFY");
        Assert.Equal(["removal s1"], Entities(end));
        Assert.Equal(["assembler HospitalAMSP"], Agents(end));
        Assert.Contains(end["target"]!.AsArray(), target => (string)target!["reference"]! == $"Provenance/{told["id"]}");
        Assert.Equal(2, await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action = 'provenance.tell'"));
    }

    [Theory]
    [OnBothEngines]
    public async Task Withdrawn_AfterAndBeforeItWasTold_NamesTheEncounterByTheServersOwnWordOrNotAtAll(Engine engine)
    {
        await using var store = await WithDoctorAsync(engine);
        var clock = new Clock();
        await RunAsync(store, clock, server.BaseUrl);
        var (told, untold) = ($"e-{Guid.NewGuid():N}", $"e-{Guid.NewGuid():N}");
        await AnchorAsync(store, clock, 1, told);
        await RunAsync(store, clock, server.BaseUrl);
        await AnchorAsync(store, clock, 2, untold);
        // Planned and held up: the server is away.
        await RunAsync(store, clock, new Uri("http://127.0.0.1:1/fhir/"));

        await store.WriteAsync(async work => await Withdrawals.MarkAsync(work, (await EnrolmentRows.ByIdAsync(work, 1))!, "ledger", clock.Now));
        clock.Now = clock.Now.AddHours(2);
        await RunAsync(store, clock, server.BaseUrl);
        clock.Now = clock.Now.AddHours(2);
        await RunAsync(store, clock, server.BaseUrl);

        Assert.Equal(["CREATE", "NULLIFY"], (await ToldAsync(told)).Select(one => (string)one["activity"]!["coding"]![0]!["code"]!).Order(StringComparer.Ordinal));
        Assert.Empty(await ToldAsync(untold));
        Assert.Equal(0, await CountAsync(store, "SELECT COUNT(*) FROM provenance WHERE state = 'Queued'"));
        Assert.Equal(0, await CountAsync(store, $"SELECT COUNT(*) FROM summary WHERE encounter_key IN ('{told}', '{untold}')"));
    }

    [Theory]
    [OnBothEngines("writeback.1", 0)]
    [OnBothEngines("writeback.2", 0)]
    [OnBothEngines("writeback.3", 1)]
    public async Task Killed_BetweenSteps_IsToldOnce(Engine engine, string point, int toldBefore)
    {
        await using var store = await WithDoctorAsync(engine);
        var clock = new Clock();
        await RunAsync(store, clock, server.BaseUrl);
        var encounter = $"e-{Guid.NewGuid():N}";
        await AnchorAsync(store, clock, 1, encounter);

        await Assert.ThrowsAsync<DiedException>(() => RunAsync(store, clock, server.BaseUrl, new CrashPoints(point, _ => throw new DiedException())));
        Assert.Equal(toldBefore, (await ToldAsync(encounter)).Count);
        clock.Now = clock.Now.AddMinutes(4);
        await RunAsync(store, clock, server.BaseUrl);

        Assert.Single(await ToldAsync(encounter));
        Assert.Equal(1, await CountAsync(store, "SELECT COUNT(*) FROM provenance WHERE state = 'Done' AND resource_id IS NOT NULL"));
    }

    [Theory]
    [OnBothEngines]
    public async Task TwoInstances_AtOnce_TellEachOnce(Engine engine)
    {
        await using var store = await WithDoctorAsync(engine);
        using var second = store.OpenAgain();
        var clock = new Clock();
        await RunAsync(store, clock, server.BaseUrl);
        var encounters = Enumerable.Range(1, 12).Select(row => $"e-{row}-{Guid.NewGuid():N}").ToList();
        for (var i = 0; i < encounters.Count; i++)
            await AnchorAsync(store, clock, i + 1, encounters[i]);

        await Task.WhenAll(RunAsync(store, clock, server.BaseUrl), RunAsync(store, clock, server.BaseUrl, null, second));

        foreach (var encounter in encounters)
            Assert.Single(await ToldAsync(encounter));
        Assert.Equal(12, await CountAsync(store, "SELECT COUNT(*) FROM provenance WHERE state = 'Done' AND attempts = 1"));
    }

    [Fact]
    public async Task Server_ThrottlingRefusingAndWithoutConditions_GetsItOnceInTheEnd()
    {
        await using var store = await WithDoctorAsync(Engine.Sqlite);
        var clock = new Clock();
        var held = new List<string>();
        var answers = new Queue<(int Status, bool Stores)>([(429, false), (500, true), (201, false)]);
        await using var fhir = await ScriptedServer.StartAsync(async context =>
        {
            if (context.Request.Method == "GET")
            {
                await ScriptedServer.Json(context, ScriptedServer.Bundle(held));
                return;
            }
            Assert.StartsWith("_tag=urn%3Abridge%3Awrite-back%7C", context.Request.Headers["If-None-Exist"].ToString(), StringComparison.Ordinal);
            var (status, stores) = answers.Dequeue();
            if (stores)
                held.Add("""{"resourceType":"Provenance","id":"77"}""");
            if (status == 429)
                context.Response.Headers.RetryAfter = "600";
            await ScriptedServer.Json(context, "{}", status);
        });
        await RunAsync(store, clock, fhir.BaseUrl);
        await AnchorAsync(store, clock, 1, "e1");

        await RunAsync(store, clock, fhir.BaseUrl);
        clock.Now = clock.Now.AddSeconds(599);
        await RunAsync(store, clock, fhir.BaseUrl);
        Assert.Single(fhir.Requests);
        clock.Now = clock.Now.AddSeconds(2);
        // It was stored, and the answer said that it was not: the next attempt looks before it writes.
        await RunAsync(store, clock, fhir.BaseUrl);
        clock.Now = clock.Now.AddHours(2);
        await RunAsync(store, clock, fhir.BaseUrl);

        Assert.Equal(2, fhir.Requests.Count(request => request.Method == "POST"));
        Assert.Equal(["77"], await store.ReadAsync(work => work.ListAsync<string>("SELECT resource_id FROM provenance WHERE state = 'Done'")));
    }

    [Fact]
    public async Task Token_ForWriting_AsksForCreatingBesideReadingAndReadingForNoMore()
    {
        Assert.Equal("system/*.rs system/Provenance.c", Options().Scopes("system/*.rs", [WrittenType.Provenance]));
        Assert.Equal("system/*.read system/Provenance.write system/Task.write", Options().Scopes("system/*.read", [WrittenType.Provenance, WrittenType.Task]));
        Assert.Equal("system/*.rs system/Task.cu", Options().Scopes("system/*.rs", [WrittenType.Task]));
        Assert.Equal("system/*.rs system/*.cruds", Options(("WriteBack:Scope", "system/*.cruds")).Scopes("system/*.rs", [WrittenType.Task]));

        using var key = SmartKey.NewEs384();
        var keyFile = Path.Combine(Directory.CreateTempSubdirectory("bridge-smart-").FullName, "key.pem");
        await File.WriteAllTextAsync(keyFile, key.ToPem(), Ct);
        var scopes = new List<string>();
        await using var fhir = await ScriptedServer.StartAsync();
        fhir.Handle = context =>
        {
            if (context.Request.Path.Value!.EndsWith("/token", StringComparison.Ordinal))
            {
                scopes.Add(Uri.UnescapeDataString(((string)context.Items["body"]!).Split('&').Single(part => part.StartsWith("scope=", StringComparison.Ordinal))["scope=".Length..].Replace('+', ' ')));
                return ScriptedServer.Json(context, $$"""{"access_token":"token-{{scopes.Count}}","token_type":"bearer","expires_in":300,"scope":"{{scopes[^1]}}"}""");
            }
            // A token that has gone out of force is replaced once.
            return scopes.Count == 1 ? ScriptedServer.Json(context, "{}", 401) : Created(context);
        };
        var watching = Watching(("Fhir:BaseUrl", fhir.BaseUrl.ToString()), ("Fhir:Smart:TokenEndpoint", $"{fhir.BaseUrl}token"), ("Fhir:Smart:ClientId", "bridge"), ("Fhir:Smart:Key", keyFile));
        using var writer = new FhirWriter(watching, Options(), [WrittenType.Provenance], TimeProvider.System, NullLoggerFactory.Instance);

        var written = await writer.Client.CreateAsync(new FhirSearch("Provenance").Where("_tag", "a|b"), "{}"u8.ToArray(), Ct);

        Assert.Equal(new FhirWritten("p7", "2", true), written);
        Assert.All(scopes, scope => Assert.Equal("system/*.rs system/Provenance.c", scope));
        Assert.Equal(["Bearer token-1", "Bearer token-2"], fhir.Requests.Where(request => request.PathAndQuery.EndsWith("/Provenance", StringComparison.Ordinal)).Select(request => request.Authorization));
        File.Delete(keyFile);

        static Task Created(Microsoft.AspNetCore.Http.HttpContext context)
        {
            context.Response.Headers.Location = "Provenance/p7/_history/2";
            return ScriptedServer.Text(context, 201, "");
        }
    }

    private static WriteBackOptions Options(params (string Key, string Value)[] settings) => WriteBackOptions.Read(Reader(settings));

    private static WatchingOptions Watching(params (string Key, string Value)[] settings) => WatchingOptions.Read(Reader(settings));

    private static Bridge.Hospital.Configuration.ConfigurationReader Reader((string Key, string Value)[] settings) => new(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value))).Build(), "/");

    private static async Task RunAsync(TestStore store, Clock clock, Uri fhir, CrashPoints? crash = null, Database? database = null)
    {
        using var writer = new FhirWriter(Watching(("Fhir:BaseUrl", fhir.ToString())), Options(), [WrittenType.Provenance], clock, NullLoggerFactory.Instance);
        await new ProvenanceWorker(
            database ?? store.Database, writer, Hospital, new Routing(store.Database, Hospital, clock), new Instance(), crash ?? new CrashPoints(null, _ => { }), clock,
            NullLogger<ProvenanceWorker>.Instance).RunAsync(Ct);
    }

    private async Task<List<JsonObject>> ToldAsync(string encounter)
    {
        using var http = new HttpClient();
        var bundle = (await http.GetFromJsonAsync<JsonObject>(new Uri(server.BaseUrl, "Provenance?_count=1000"), Ct))!;
        return [.. (bundle["entry"]?.AsArray() ?? []).Select(entry => (JsonObject)entry!["resource"]!)
            .Where(resource => resource["target"]!.AsArray().Any(target => ((string)target!["reference"]!).StartsWith($"Encounter/{encounter}/", StringComparison.Ordinal)))];
    }

    private static List<string> Agents(JsonObject told) =>
        [.. told["agent"]!.AsArray().Select(agent => $"{agent!["type"]!["coding"]![0]!["code"]} {agent["who"]!["reference"] ?? agent["who"]!["identifier"]!["value"]}")];

    private static List<string> Entities(JsonObject told) => [.. told["entity"]!.AsArray().Select(entity => $"{entity!["role"]} {entity["what"]!["identifier"]!["value"]}")];

    private static Task<long> CountAsync(TestStore store, string sql) => store.ReadAsync(work => work.ScalarAsync<long>(sql));

    private static async Task<TestStore> WithDoctorAsync(Engine engine)
    {
        var store = await TestStore.CreateAsync(engine);
        await store.WriteAsync(async work =>
        {
            await work.RunAsync(
                """
                INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at)
                VALUES (1, 'pat-key', 'pat-key', 'Enrolled', 'c', '', 'ruth', 0, 0)
                """);
            await work.RunAsync(
                """
                INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
                VALUES ('h', 'HospitalAMSP', 't', 'cert', 'Dr. Vera Stein', 'L-1', 'ACTIVE', 0, 4000000000, '', 0)
                """);
        });
        return store;
    }

    // A summary as it stands after the ledger's answer was stored.
    private static Task AnchorAsync(TestStore store, Clock clock, int row, string encounter, string? supersedes = null) => store.WriteAsync(async work =>
    {
        var now = clock.Now.ToUnixTimeMilliseconds();
        await SummaryRows.InsertAsync(work, new SummaryRow
        {
            SummaryId = $"s{row}",
            EncounterKey = encounter,
            EncounterVersion = "3",
            PatientKey = "pat-key",
            EnrolmentId = 1,
            Pseudonym = "the-pseudonym",
            Status = SummaryStatus.Anchored,
            DoctorLicence = "L-1",
            DoctorRef = "pr-1",
            Draft = """{"doctors":[{"practitionerId":"pr-1","identifiers":[{"value":"L-1"}]}]}""",
            Payload = "44054006"u8.ToArray(),
            Supersedes = supersedes,
            CreatedAt = now,
        });
        await CoSignRows.InsertDecisionAsync(work, new DecisionRow { RowId = row, SummaryId = $"s{row}", Kind = "approve", Person = "vera", Licence = "L-1", DecidedAt = now });
        await work.RunAsync("INSERT INTO receipt (row_id, summary_id, event_id, committed_at) VALUES (@row, @id, @id, @now)", new { row, id = $"s{row}", now });
    });
}
