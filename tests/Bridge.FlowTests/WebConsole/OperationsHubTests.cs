using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>What operators are told live and what they can take away: who is let in, what it says of patients, and when it ends.</summary>
[Collection(HospitalPagesCollection.Name)]
public class OperationsHubTests(HospitalFixture fixture)
{
    private static readonly (string, string)[] OwnPage = [("X-Bridge-Console", "1")];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Live_EveryoneButAnOperatorOfThisOrigin_IsNotLetIn()
    {
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        await rig.StartAsync(("Operations:Workers", "false"), ("SignIn:SamplePeople", "true"));
        var own = rig.BaseAddress.GetLeftPart(UriPartial.Authority);

        Assert.Equal(HttpStatusCode.Unauthorized, await RefusedAsync(rig));
        Assert.Equal(HttpStatusCode.Unauthorized, await RefusedAsync(rig, ("Authorization", "Bearer stranger")));
        foreach (var (token, role) in new[] { (licence, "doctor"), ("desk", "desk"), ("registrar", "registrar") })
        {
            Assert.Equal(HttpStatusCode.Forbidden, await RefusedAsync(rig, ("Authorization", $"Bearer token-of-{token}")));
            using var session = await SessionAsync(rig, role);
            Assert.Equal(HttpStatusCode.Forbidden, await RefusedAsync(rig, Cookie(rig, session), ("Origin", own)));
        }
        using var otto = await SessionAsync(rig, "operator");
        foreach (var evil in new[] { "https://evil.example", "null", own.Replace("127.0.0.1", "localhost", StringComparison.Ordinal) })
            Assert.Equal(HttpStatusCode.Forbidden, await RefusedAsync(rig, Cookie(rig, otto), ("Origin", evil)));
        Assert.Equal(HttpStatusCode.Forbidden, await RefusedAsync(rig, Cookie(rig, otto), ("Origin", own), ("Sec-Fetch-Site", "cross-site")));
        // Nor by the way that begins with a POST.
        using var forged = await otto.SendAsync(HttpMethod.Post, new Uri(rig.BaseAddress, "/api/operations/live/negotiate?negotiateVersion=1"), "");
        Assert.Equal(HttpStatusCode.Forbidden, forged.StatusCode);
        using var negotiated = await otto.SendAsync(HttpMethod.Post, new Uri(rig.BaseAddress, "/api/operations/live/negotiate?negotiateVersion=1"), "", OwnPage);
        Assert.Equal(HttpStatusCode.OK, negotiated.StatusCode);
        // A connection of an operator's is nobody else's, even for whoever knows its token.
        var id = JsonElement.Parse(await negotiated.Content.ReadAsStringAsync(Ct)).GetProperty("connectionToken").GetString();
        foreach (var role in new[] { "desk", "doctor" })
        {
            using var thief = await SessionAsync(rig, role);
            using var stolen = await thief.GetAsync(new Uri(rig.BaseAddress, $"/api/operations/live?id={id}"));
            Assert.Equal(HttpStatusCode.Forbidden, stolen.StatusCode);
        }

        var (socket, _) = await LiveSocket.OpenAsync(rig.BaseAddress, Cookie(rig, otto), ("Origin", own));
        await using (socket)
            await rig.UntilAsync("the operator to be told", () => Task.FromResult(socket!.Last("Standing") is not null));
    }

    [Fact]
    public async Task Live_WhatHappens_IsToldOnceAndWithoutPatientsUntilTheSessionEnds()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(("SignIn:SamplePeople", "true"), ("SignIn:Idle", "00:00:20"));
        using var otto = await SessionAsync(rig, "operator");
        var (socket, _) = await LiveSocket.OpenAsync(rig.BaseAddress, Cookie(rig, otto));
        await using var live = socket!;
        var (script, _) = await LiveSocket.OpenAsync(rig.BaseAddress, ("Authorization", "Bearer token-of-operator"));
        await using var bearer = script!;
        foreach (var kind in new[] { "Standing", "Health", "Jobs", "Certificates", "Audit" })
            await rig.UntilAsync($"{kind} to be told", () => Task.FromResult(live.Last(kind) is not null && bearer.Last(kind) is not null));

        // What another process does, an instance or the shell, is told to all who follow.
        using (var other = rig.OpenDatabase())
            await new PauseSwitch(other, TimeProvider.System).SetAsync(new Actor("olga", "operator"), true, "a trial of the hub", Ct);
        await rig.UntilAsync("the pause to be told", () => Task.FromResult(bearer.Last("Standing")?.GetProperty("pause").GetProperty("on").GetBoolean() == true));
        var pause = bearer.Last("Standing")!.Value.GetProperty("pause");
        Assert.Equal(("olga", "a trial of the hub"), (pause.GetProperty("by").GetString(), pause.GetProperty("reason").GetString()));
        await rig.PostAsync("operator", "/api/operations/resume", new { reason = "over" });

        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, null);
        await rig.UntilStatusAsync(encounter, SummaryStatus.Withheld);
        await rig.UntilAsync("the withheld summary to be told", () => Task.FromResult(Counts(bearer, "Withheld", "NoDoctor") == 1 && bearer.Last("Standing")!.Value.GetProperty("withoutDoctor").GetProperty("count").GetInt64() == 1));
        foreach (var kind in new[] { "bridge", "patientCa", "statusKey", "peopleCa", "bridgeCa", "registrar" })
            await rig.UntilAsync($"the certificate of {kind}", () => Task.FromResult(bearer.Last("Certificates")!.Value.GetProperty("items").EnumerateArray().Any(line => line.GetProperty("kind").GetString() == kind)));
        await rig.UntilAsync("all to be well", () => Task.FromResult(bearer.Last("Health")!.Value.EnumerateArray().All(check => check.GetProperty("ready").GetBoolean())));

        // Nothing is told that did not change, and a quiet connection does not keep the session alive.
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "quiet" });
        var health = bearer.Count("Health");
        await rig.UntilAsync("the idle session to end", () => Task.FromResult(live.IsClosed));
        Assert.True(bearer.Count("Health") <= health + 2, $"{bearer.Count("Health") - health} reports of the same health");
        Assert.False(bearer.IsClosed);
        Assert.Equal(HttpStatusCode.Unauthorized, await RefusedAsync(rig, Cookie(rig, otto)));
        foreach (var secret in new[] { patient.FhirId, patient.Request.Pseudonym.ToString(), encounter, Source.Canary })
            Assert.DoesNotContain(secret, live.Everything() + bearer.Everything(), StringComparison.Ordinal);

        // Signing out ends the connection too.
        using var again = await SessionAsync(rig, "operator");
        var (last, _) = await LiveSocket.OpenAsync(rig.BaseAddress, Cookie(rig, again));
        await using var ending = last!;
        await rig.UntilAsync("the second connection to be told", () => Task.FromResult(ending.Last("Standing") is not null));
        using var signedOut = await again.SendAsync(HttpMethod.Post, new Uri(rig.BaseAddress, "/signin/out"), "{}", OwnPage);
        await rig.UntilAsync("the signed-out connection to end", () => Task.FromResult(ending.IsClosed));

        // Clients have nothing to say: whoever calls or floods is cut off, and the others go on.
        await bearer.SendAsync("""{"type":1,"target":"Standing","arguments":[{}]}""");
        await bearer.SendAsync(new string('x', 5000));
        await rig.UntilAsync("the flood to be cut off", () => Task.FromResult(bearer.IsClosed));
    }

    [Fact]
    public async Task Live_ClientThatReadsNothing_DelaysNobodyAndIsCutOff()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(("Operations:Workers", "false"));
        var bearer = ("Authorization", "Bearer token-of-operator");
        var (feed, connections) = (rig.Services.GetRequiredService<LiveFeed>(), rig.Services.GetRequiredService<LiveConnections>());
        var (reading, _) = await LiveSocket.OpenAsync(rig.BaseAddress, bearer);
        await using var live = reading!;
        using var stopped = await StoppedAsync(rig.BaseAddress);
        await rig.UntilAsync("both to be connected", () => Task.FromResult(connections.Count == 2 && live.Last("Standing") is not null));

        // Far more than lies between the two ends of a connection.
        var slowest = TimeSpan.Zero;
        for (var i = 0; i < 24; i++)
        {
            IReadOnlyList<JobView> jobs = [new JobView($"{i}-{new string('x', 1_000_000)}", null, null, null, null)];
            var began = Stopwatch.GetTimestamp();
            feed.Say("trial", jobs, client => client.Jobs(jobs));
            await rig.UntilAsync($"message {i}", () => Task.FromResult(live.Any("Jobs", jobs => jobs[0].GetProperty("job").GetString()!.StartsWith($"{i}-", StringComparison.Ordinal))));
            var took = Stopwatch.GetElapsedTime(began);
            slowest = took > slowest ? took : slowest;
        }
        // The transport itself gives a client up after 10 s: nobody waited for that.
        Assert.True(slowest < TimeSpan.FromSeconds(9), $"the slowest message took {slowest.TotalSeconds:F1} s");

        // It goes, for that reason, and whoever comes next is welcome.
        await rig.UntilAsync("the stopped one to be cut off", () => Task.FromResult(connections.Count == 1));
        Assert.Contains("took nothing in", rig.LogText, StringComparison.Ordinal);
        Assert.False(live.IsClosed);
        var (next, _) = await LiveSocket.OpenAsync(rig.BaseAddress, bearer);
        await using var newcomer = next!;
        await rig.UntilAsync("the newcomer to be told", () => Task.FromResult(newcomer.Last("Standing") is not null));
    }

    [Fact]
    public async Task Live_TwoInstancesOnOneServer_EachTellsWhatTheOtherDid()
    {
        await using var rig = await Rig.CreateAsync(fixture, Engine.MariaDb);
        await rig.StartAsync(("Operations:Workers", "false"), ("SignIn:SamplePeople", "true"));
        await using var other = rig.Beside();
        await other.StartAsync();
        using var otto = await SessionAsync(rig, "operator");
        // A browser would have one name for both, behind a balancer.
        var token = Cookie(rig, otto).Item2.Split('=', 2)[1];
        var (near, _) = await LiveSocket.OpenAsync(rig.BaseAddress, Cookie(rig, otto));
        await using var here = near!;
        var (far, _) = await LiveSocket.OpenAsync(other.BaseAddress, ("Cookie", $"bridge-session-{other.BaseAddress.Port}={token}"));
        await using var there = far!;
        foreach (var live in new[] { here, there })
            await rig.UntilAsync("both to be told", () => Task.FromResult(live.Last("Standing") is not null && live.Last("Audit") is not null));

        foreach (var (at, on) in new[] { (rig, true), (other, false), (other, true), (rig, false) })
        {
            await at.PostAsync("operator", $"/api/operations/{(on ? "pause" : "resume")}", new { reason = $"said at {at.BaseAddress.Port}" });
            foreach (var live in new[] { here, there })
                await rig.UntilAsync("both to be told of it", () => Task.FromResult(
                    live.Last("Standing")!.Value.GetProperty("pause") is var pause && pause.GetProperty("on").GetBoolean() == on
                    && pause.GetProperty("reason").GetString() == $"said at {at.BaseAddress.Port}"));
        }
        // One log, in one order, whichever instance wrote.
        Assert.Equal(JsonValueKind.Null, (await rig.GetAsync("operator", "/api/operations/audit/verify")).Body.GetProperty("brokenAt").ValueKind);

        // Signed out at the one: the other ends it too.
        using var bye = new HttpRequestMessage(HttpMethod.Post, new Uri(other.BaseAddress, "/signin/out"));
        bye.Headers.Add("Cookie", $"bridge-session-{other.BaseAddress.Port}={token}");
        bye.Headers.Add("X-Bridge-Console", "1");
        using var plain = new HttpClient(new HttpClientHandler { UseCookies = false });
        using var done = await plain.SendAsync(bye, Ct);
        Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        foreach (var live in new[] { here, there })
            await rig.UntilAsync("the connection to end on both", () => Task.FromResult(live.IsClosed));
    }

    [Fact]
    public async Task Audit_WhoSawAndWhoExported_StandsInItAndLeavesAsValidFhir()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence));
        var summary = await rig.QueuedAsync(licence, encounter);
        await rig.GetAsync(licence, $"/api/cosign/{summary}");
        await rig.PostAsync(licence, $"/api/cosign/{summary}/decline", new { reason = $"{Source.Canary} asked me" });
        var signed = await rig.QueuedAsync(licence, await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[1]));
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, signed)).Outcome);
        await rig.UntilSummaryAsync(signed, SummaryStatus.Anchored);
        // A page that reads the same every few seconds fills no log.
        for (var i = 0; i < 3; i++)
            Assert.Equal(1, (await rig.GetAsync(licence, "/api/cosign/signed")).Body.GetProperty("items").GetArrayLength());
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = $"{Source.Canary} called" });
        Assert.Equal("NO_REASON", (await rig.PostAsync("operator", "/api/operations/resume", new { reason = " " })).Outcome);
        Assert.Equal("NO_REASON", (await rig.PostAsync("operator", "/api/operations/resume", new { reason = new string('x', 401) })).Outcome);
        Assert.Equal("RESUMED", (await rig.PostAsync("operator", "/api/operations/resume", new { reason = "done" })).Outcome);
        var row = (await rig.RowOfAsync(encounter))!.RowId;

        // Who saw this summary?
        var saw = (await rig.GetAsync("operator", $"/api/operations/audit?subject=summary/{row}&action=summary.read")).Body.GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(licence, Assert.Single(saw).GetProperty("person").GetString());
        var queues = (await rig.GetAsync("operator", $"/api/operations/audit?person={licence}&action=queue.read")).Body.GetProperty("items").EnumerateArray();
        Assert.Contains(queues, queue => JsonElement.Parse(queue.GetProperty("detail").GetString()!).GetProperty("rows").EnumerateArray().Any(seen => seen.GetInt64() == row));
        Assert.Single((await rig.GetAsync("operator", "/api/operations/audit?action=signed.read")).Body.GetProperty("items").EnumerateArray());
        var verdict = (await rig.GetAsync("operator", "/api/operations/audit/verify")).Body;
        Assert.Equal(JsonValueKind.Null, verdict.GetProperty("brokenAt").ValueKind);

        var lines = await SaveAsync(rig, "ndjson");
        var bundle = await SaveAsync(rig, "bundle");
        foreach (var file in new[] { lines, bundle })
            Assert.DoesNotContain(await ValidateAsync(rig, file), line => !line.StartsWith("valid ", StringComparison.Ordinal));
        var resources = (await File.ReadAllLinesAsync(lines, Ct)).Select(line => JsonElement.Parse(line)).ToList();
        var entries = JsonElement.Parse(await File.ReadAllTextAsync(bundle, Ct)).GetProperty("entry").EnumerateArray().ToList();
        // The second export holds the first one's entry, and neither its own.
        Assert.Equal(resources.Select(resource => resource.ToString()), entries.Take(resources.Count).Select(entry => entry.GetProperty("resource").ToString()));
        Assert.Equal("audit.export", Action(entries[resources.Count].GetProperty("resource")));
        Assert.Single(entries, entry => Action(entry.GetProperty("resource")) == "audit.export");
        Assert.All(entries, entry => Assert.Equal($"urn:uuid:{entry.GetProperty("resource").GetProperty("id").GetString()}", entry.GetProperty("fullUrl").GetString()));
        foreach (var action in new[] { "queue.read", "summary.read", "summary.decline", "operations.pause", "operations.resume", "audit.read", "audit.verify", "enrolment.open" })
            Assert.Contains(action, resources.Select(Action));
        var told = await File.ReadAllTextAsync(lines, Ct) + await File.ReadAllTextAsync(bundle, Ct);
        foreach (var secret in new[] { Source.Canary, patient.FhirId, patient.Request.Pseudonym.ToString(), encounter })
            Assert.DoesNotContain(secret, told, StringComparison.Ordinal);
        // From where the last export ended.
        var rest = await SaveAsync(rig, $"ndjson&after={resources.Count}");
        Assert.Equal(["audit.export", "audit.export"], (await File.ReadAllLinesAsync(rest, Ct)).Select(line => Action(JsonElement.Parse(line))).Where(action => action.StartsWith("audit.", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await rig.GetAsync("operator", "/api/operations/audit/export?format=xml")).Status);

        // Whoever follows the log by script does not run after their own reading.
        var newest = (await rig.GetAsync("operator", "/api/operations/audit?limit=1")).Body.GetProperty("newest").GetInt64();
        for (var i = 0; i < 5; i++)
            await rig.GetAsync("operator", $"/api/operations/audit?after={newest}");
        var own = (await rig.GetAsync("operator", $"/api/operations/audit?after={newest}")).Body.GetProperty("items").EnumerateArray().Count(entry => entry.GetProperty("action").GetString() == "audit.read");
        Assert.InRange(own, 1, 2);

        // Whoever rewrites an entry is found, and the page of the log says where.
        await rig.Database.WriteAsync(async work =>
        {
            await work.RunAsync("DROP TRIGGER audit_no_update");
            await work.RunAsync("UPDATE audit SET person = 'nobody' WHERE seq = 3");
        }, Ct);
        Assert.Equal(3, (await rig.GetAsync("operator", "/api/operations/audit/verify")).Body.GetProperty("brokenAt").GetInt64());

        async Task<string> SaveAsync(Rig of, string format)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(of.BaseAddress, $"/api/operations/audit/export?format={format}"));
            request.Headers.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", "token-of-operator");
            using var http = new HttpClient();
            using var answer = await http.SendAsync(request, Ct);
            var whole = format == "bundle";
            Assert.Equal(whole ? "application/fhir+json" : "application/fhir+ndjson", answer.Content.Headers.ContentType!.MediaType);
            var file = Path.Combine(of.Folder, answer.Content.Headers.ContentDisposition!.FileName!.Trim('"'));
            Assert.EndsWith(whole ? ".json" : ".ndjson", file, StringComparison.Ordinal);
            await File.WriteAllBytesAsync(file, await answer.Content.ReadAsByteArrayAsync(Ct), Ct);
            return file;
        }
    }

    private static string Action(JsonElement resource) => resource.GetProperty("subtype").EnumerateArray().Last().GetProperty("code").GetString()!;

    private static async Task<IReadOnlyList<string>> ValidateAsync(Rig rig, string file)
    {
        await using var judge = ChildProcess.Start(new ChildCommand(
            "The validator", "node", ["fhir/validate.mjs", file], Path.Combine(rig.Folder, "validator.log"), new Dictionary<string, string?>(), Path.Combine(Checkout.Find().Root, "tests", "node")));
        await judge.WaitForExitAsync(Ct);
        var said = judge.Output();
        Assert.Contains(said, line => line.StartsWith("valid ", StringComparison.Ordinal));
        return said;
    }

    private static long Counts(LiveSocket live, string status, string reason) => live.Last("Standing")!.Value.GetProperty("states").EnumerateArray()
        .Where(state => state.GetProperty("status").GetString() == status && state.GetProperty("reason").GetString() == reason).Sum(state => state.GetProperty("count").GetInt64());

    private static async Task<HttpStatusCode> RefusedAsync(Rig rig, params (string, string)[] headers)
    {
        var (socket, status) = await LiveSocket.OpenAsync(rig.BaseAddress, headers);
        if (socket is not null)
            await socket.DisposeAsync();
        return status;
    }

    private static Task<PlainBrowser> SessionAsync(Rig rig, string role) => PlainBrowser.SignedInAsync(rig, role);

    // Greets, and never reads again; the little that its end takes in by itself is soon full.
    private static async Task<Socket> StoppedAsync(Uri home)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(home.Host, home.Port, Ct);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET {OperationsHub.Path} HTTP/1.1\r\nHost: {home.Authority}\r\nAuthorization: Bearer token-of-operator\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(new byte[16])}\r\n\r\n"), Ct);
        // One text frame, masked with zeros.
        var greeting = Encoding.UTF8.GetBytes("{\"protocol\":\"json\",\"version\":1}\x1e");
        await socket.SendAsync((byte[])[0x81, (byte)(0x80 | greeting.Length), 0, 0, 0, 0, .. greeting], Ct);
        return socket;
    }

    private static (string, string) Cookie(Rig rig, PlainBrowser browser) => ("Cookie", browser.Cookies.GetCookieHeader(rig.BaseAddress));
}
