using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>A whole hospital that a FHIR server wakes, and that others try to wake.</summary>
[Collection(HospitalCollection.Name)]
public class NotificationTests(HospitalFixture fixture)
{
    private const string Secret = "0123456789abcdef0123456789abcdef-notification";

    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;
    private static readonly string Ended = DateTime.UtcNow.AddDays(-40).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    private static void Put(QuirkServer server, string id, string patient, string code)
    {
        var condition = Source.Condition(patient, id, code);
        condition["id"] = "c-" + id;
        server.Store.Put(condition);
        server.Store.Put(new JsonObject
        {
            ["resourceType"] = "Encounter",
            ["id"] = id,
            ["status"] = "finished",
            ["class"] = new JsonObject { ["code"] = "AMB" },
            ["subject"] = new JsonObject { ["reference"] = "Patient/" + patient },
            ["participant"] = new JsonArray(new JsonObject { ["individual"] = new JsonObject { ["reference"] = "Practitioner/doc" } }),
            ["period"] = new JsonObject { ["start"] = Ended, ["end"] = Ended },
        });
    }

    // The server is told the address before the hospital has one.
    private static async Task<HttpStatusCode> KnockAsync(Rig rig, string? secret, string body = "", string path = NotificationEndpoint.Path)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(rig.BaseAddress, path)) { Content = new StringContent(body, Encoding.UTF8, "application/fhir+json") };
        if (secret is not null)
            request.Headers.TryAddWithoutValidation(SubscriptionOptions.SecretHeader, secret);
        using var response = await http.SendAsync(request, Stop);
        return response.StatusCode;
    }

    [Fact]
    public async Task Watch_ServerThatKnocks_IsReadAtOnceAndForgedOrRepeatedKnocksDoNothing()
    {
        await using var server = await QuirkServer.StartAsync(new Quirks { TakesSubscriptions = true });
        await using var rig = Rig.Create(fixture);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        server.Store.Put(new JsonObject { ["resourceType"] = "Patient", ["id"] = "p1", ["gender"] = "female", ["birthDate"] = "1971-03-05" });
        server.Store.Put(new JsonObject { ["resourceType"] = "Practitioner", ["id"] = "doc", ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:register", ["value"] = licence }) });
        var port = Bridge.Sandbox.Processes.Ports.Free();
        await rig.StartAsync(
            ("Server:Urls", $"http://127.0.0.1:{port}"), ("Fhir:BaseUrl", server.BaseUrl.ToString()), ("Watching:Strategy", "Subscription"), ("Watching:Interval", "01:00:00"),
            ("Watching:Subscription:Endpoint", $"http://127.0.0.1:{port}{NotificationEndpoint.Path}"), ("Watching:Subscription:Secret", Secret), ("Watching:Subscription:Check", "00:00:00.300"));
        await rig.EnrolAsync("p1");
        async Task<string> ReadyAsync() => (await rig.GetAsync("operator", "/health/ready")).Body.ToString();
        await rig.UntilAsync("the subscription", async () => (await ReadyAsync()).Contains("\"active\"", StringComparison.Ordinal), state: ReadyAsync);

        // The poll comes once an hour: it is the knock that brings these.
        for (var i = 0; i < 3; i++)
        {
            Put(server, $"e{i}", "p1", Source.Codes[i]);
            await rig.UntilStatusAsync($"e{i}", SummaryStatus.AwaitingCoSign);
        }
        Assert.DoesNotContain(server.Requests, request => request.Body.Contains("\"payload\"", StringComparison.Ordinal));

        // Lies: a stranger's encounter, one that does not exist, an event that never was. Nothing is stored, nobody is read.
        var lie = """{"resourceType":"Bundle","type":"history","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"type","valueCode":"event-notification"},{"name":"events-since-subscription-start","valueString":"999"},{"name":"notification-event","part":[{"name":"focus","valueReference":{"reference":"Encounter/stranger"}}]}]}},{"resource":{"resourceType":"Encounter","id":"invented","status":"finished","subject":{"reference":"Patient/p1"}}}]}""";
        server.Store.Put(new JsonObject { ["resourceType"] = "Encounter", ["id"] = "stranger", ["status"] = "finished", ["subject"] = new JsonObject { ["reference"] = "Patient/nobody" } });
        var board = rig.Services.GetRequiredService<StageBoard>();
        var runs = board.Of("watch")!.Runs;
        for (var i = 0; i < 100; i++)
            Assert.Equal(HttpStatusCode.OK, await KnockAsync(rig, Secret, lie, i % 2 == 0 ? NotificationEndpoint.Path : NotificationEndpoint.Path + "/Encounter/invented"));
        Assert.Equal(HttpStatusCode.OK, await KnockAsync(rig, Secret, new string('x', 5_000_000)));
        await rig.UntilAsync("the last waking", () => Task.FromResult(board.Of("watch")!.Runs > runs));
        Assert.True(board.Of("watch")!.Runs - runs < 30, $"{board.Of("watch")!.Runs - runs} walks for 101 knocks");
        Assert.Equal(3, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary"), Stop));
        Assert.DoesNotContain(server.Requests, request => (request.PathAndQuery + request.Body).Contains("invented", StringComparison.Ordinal) || request.PathAndQuery.Contains("encounter=stranger", StringComparison.Ordinal));

        // Without the secret: refused, then not even looked at; with it one still gets in.
        var answers = new List<HttpStatusCode>();
        foreach (var secret in Enumerable.Repeat((string?[])[null, "", Secret[..^1], Secret.ToUpperInvariant()], 20).SelectMany(some => some))
            answers.Add(await KnockAsync(rig, secret));
        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests], answers.Distinct());
        Assert.Equal(HttpStatusCode.OK, await KnockAsync(rig, Secret));
        Assert.DoesNotContain(Secret, rig.LogText, StringComparison.Ordinal);

        // The server stops it: it is put again, and what happened meanwhile is found.
        var id = (await rig.Database.ReadAsync(SubscriptionState.ReadAsync, Stop)).Id!;
        server.SetSubscription(id, "off");
        Put(server, "e3", "p1", Source.Codes[3]);
        await rig.UntilStatusAsync("e3", SummaryStatus.AwaitingCoSign);
        Assert.Contains("\"active\"", await ReadyAsync(), StringComparison.Ordinal);
    }
}
