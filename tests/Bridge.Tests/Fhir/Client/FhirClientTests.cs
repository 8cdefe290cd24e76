using Bridge.Fhir.Client;
using Bridge.FhirServers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Fhir.Client;

public sealed class FhirClientTests
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private static FhirClient Client(ScriptedServer server, TimeProvider? time = null, Func<FhirClientOptions, FhirClientOptions>? with = null)
    {
        var options = new FhirClientOptions { BaseUrl = server.BaseUrl, BearerToken = "secret-token", FirstBackoff = TimeSpan.FromMilliseconds(1), MaxBackoff = TimeSpan.FromMilliseconds(5) };
        return new FhirClient(with?.Invoke(options) ?? options, null, time);
    }

    private static string Patient(string id) => $$"""{"resourceType":"Patient","id":"{{id}}"}""";

    [Fact]
    public async Task SearchAsync_ShortQuery_IsAGetThatEscapesItsValues()
    {
        await using var server = await ScriptedServer.StartAsync(c => ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a")])));
        using var client = Client(server);

        var page = await client.SearchAsync(new FhirSearch("Patient").Where("identifier", "http://x|1&2").WhereAny("_id", ["a", "b,c"]), Stop);

        Assert.Single(page.Resources);
        var request = Assert.Single(server.Requests);
        Assert.Equal("GET", request.Method);
        Assert.Equal("/fhir/Patient?identifier=http%3A%2F%2Fx%7C1%262&_id=a%2Cb%5C%2Cc", request.PathAndQuery);
        Assert.Equal("Bearer secret-token", request.Authorization);
    }

    [Fact]
    public async Task SearchAsync_LongQuery_IsPosted()
    {
        await using var server = await ScriptedServer.StartAsync(c => ScriptedServer.Json(c, ScriptedServer.Bundle([])));
        using var client = Client(server);

        await client.SearchAsync(new FhirSearch("Condition").WhereAny("encounter", Enumerable.Range(0, 100).Select(i => Guid.NewGuid().ToString())), Stop);

        var request = Assert.Single(server.Requests);
        Assert.Equal(("POST", "/fhir/Condition/_search"), (request.Method, request.PathAndQuery));
        Assert.StartsWith("encounter=", request.Body);
    }

    [Fact]
    public async Task PagesAsync_NextLinks_AreFollowedToTheEnd()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => ScriptedServer.Json(c, c.Request.Query["page"].ToString() switch
        {
            "" => ScriptedServer.Bundle([Patient("a")], server.BaseUrl + "Patient?page=2"),
            "2" => ScriptedServer.Bundle([Patient("b")], "Patient?page=3"),
            _ => ScriptedServer.Bundle([Patient("c")]),
        });
        using var client = Client(server);

        var count = 0;
        await foreach (var page in client.PagesAsync(new FhirSearch("Patient"), Stop))
            count += page.Resources.Count;

        Assert.Equal(3, count);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task PagesAsync_LinksInACircle_AreNoticed()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a")], server.BaseUrl + "Patient?page=" + (c.Request.Query["page"] == "2" ? "1" : "2")));
        using var client = Client(server);

        var e = await Assert.ThrowsAsync<FhirException>(async () =>
        {
            await foreach (var _ in client.PagesAsync(new FhirSearch("Patient"), Stop))
            {
            }
        });

        Assert.Equal(FhirFault.Garbage, e.Fault);
        Assert.Contains("circle", e.Message);
    }

    [Theory]
    [InlineData("http://elsewhere.example.org/fhir/Patient?page=2")]
    [InlineData("//elsewhere.example.org/fhir/Patient?page=2")]
    [InlineData("file:///etc/passwd")]
    [InlineData("https://127.0.0.1/fhir/Patient")]
    public async Task NextAsync_LinkToAnotherHost_IsNotFollowed(string link)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a")], link));
        using var client = Client(server);
        var page = await client.SearchAsync(new FhirSearch("Patient"), Stop);

        var e = await Assert.ThrowsAsync<FhirException>(() => client.NextAsync(page, Stop));

        Assert.Equal(FhirFault.ForeignLink, e.Fault);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("search")]
    [InlineData("next")]
    [InlineData("read")]
    [InlineData("get")]
    public async Task AnyRequest_RedirectToAnotherOrigin_IsNotFollowed(string request)
    {
        await using var elsewhere = await ScriptedServer.StartAsync(c => ScriptedServer.Json(c, ScriptedServer.Bundle([])));
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c =>
        {
            if (request == "next" && server.Requests.Count == 1)
                return ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a")], server.BaseUrl + "Patient?page=2"));
            c.Response.StatusCode = 307;
            c.Response.Headers.Location = elsewhere.BaseUrl + "Patient/a";
            return Task.CompletedTask;
        };
        using var client = Client(server);
        var page = request == "next" ? await client.SearchAsync(new FhirSearch("Patient"), Stop) : null;

        var e = await Assert.ThrowsAsync<FhirException>(async () => _ = request switch
        {
            "search" => (object?)await client.SearchAsync(new FhirSearch("Patient"), Stop),
            "next" => await client.NextAsync(page!, Stop),
            "read" => await client.ReadAsync("Patient", "a", Stop),
            _ => await client.GetAsync("metadata", Stop),
        });

        Assert.Equal(FhirFault.ForeignLink, e.Fault);
        Assert.Contains("Fhir:BaseUrl", e.Message, StringComparison.Ordinal);
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task ReadAsync_RedirectWithinTheServer_IsFollowedWithTheToken()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c =>
        {
            if (server.Requests.Count > 1)
                return ScriptedServer.Json(c, Patient("a"));
            c.Response.StatusCode = 307;
            c.Response.Headers.Location = "/fhir/v2/Patient/a";
            return Task.CompletedTask;
        };
        using var client = Client(server);

        Assert.NotNull(await client.ReadAsync("Patient", "a", Stop));

        Assert.Equal(2, server.Requests.Count);
        Assert.All(server.Requests, r => Assert.Equal("Bearer secret-token", r.Authorization));
    }

    [Theory]
    [InlineData(429, "Retry-After", "7", 7)]
    [InlineData(503, "Retry-After", "600", 600)]
    [InlineData(429, "RateLimit", "\"default\";r=0;t=59", 59)]
    [InlineData(429, "RateLimit", "limit=100, remaining=0, reset=31", 31)]
    [InlineData(429, "RateLimit-Reset", "12", 12)]
    public async Task SearchAsync_Throttled_WaitsAsLongAsAskedAndNoLess(int status, string header, string value, int seconds)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var first = new TaskCompletionSource();
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c =>
        {
            if (server.Requests.Count > 1)
                return ScriptedServer.Json(c, ScriptedServer.Bundle([]));
            c.Response.Headers[header] = value;
            c.Response.OnCompleted(() => { first.SetResult(); return Task.CompletedTask; });
            return ScriptedServer.Text(c, status, "slow down, patient Smith");
        };
        using var client = Client(server, time);

        var search = client.SearchAsync(new FhirSearch("Patient"), Stop);
        await first.Task.WaitAsync(TimeSpan.FromMinutes(2), Stop);
        await Until(() => client.WaitingOn is not null);
        time.Advance(TimeSpan.FromSeconds(seconds - 1));
        Assert.False(search.IsCompleted);
        Assert.Single(server.Requests);
        await Until(() => { time.Advance(TimeSpan.FromSeconds(1)); return search.IsCompleted; });

        await search;
        Assert.Null(client.WaitingOn);
    }

    [Fact]
    public async Task SearchAsync_OutageOfManyAttempts_EndsWithTheOutage()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => server.Requests.Count <= 25 ? ScriptedServer.Text(c, 503, "") : ScriptedServer.Json(c, ScriptedServer.Bundle([]));
        using var client = Client(server);

        await client.SearchAsync(new FhirSearch("Patient"), Stop);

        Assert.Equal(26, server.Requests.Count);
    }

    [Fact]
    public async Task SearchAsync_NoServerAtAll_WaitsUntilCancelledOrGivesUpWhereToldTo()
    {
        var server = await ScriptedServer.StartAsync();
        await server.DisposeAsync();
        using var waiting = Client(server);
        using var impatient = Client(server, null, o => o with { GiveUpAfter = TimeSpan.FromMilliseconds(30) });
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.SearchAsync(new FhirSearch("Patient"), cancel.Token));
        Assert.Equal(FhirFault.Unreachable, waiting.WaitingOn);
        var e = await Assert.ThrowsAsync<FhirException>(() => impatient.SearchAsync(new FhirSearch("Patient"), Stop));
        Assert.Equal(FhirFault.GaveUp, e.Fault);
    }

    [Theory]
    [InlineData(400, FhirFault.Refused)]
    [InlineData(403, FhirFault.Forbidden)]
    [InlineData(404, FhirFault.NotFound)]
    [InlineData(410, FhirFault.Gone)]
    [InlineData(401, FhirFault.Unauthorized)]
    [InlineData(500, FhirFault.ServerError)]
    public async Task SearchAsync_Refused_NamesStatusAndPathAndNothingOfTheBody(int status, FhirFault fault)
    {
        await using var server = await ScriptedServer.StartAsync(c => ScriptedServer.Text(c, status, "Patient John Canary is not yours"));
        using var client = Client(server);

        var e = await Assert.ThrowsAsync<FhirException>(() => client.SearchAsync(new FhirSearch("Patient").Where("name", "Canary"), Stop));

        Assert.Equal(fault, e.Fault);
        Assert.Equal(status, e.Status);
        Assert.Contains("/fhir/Patient", e.Message);
        Assert.DoesNotContain("Canary", e.ToString());
    }

    [Theory]
    [InlineData("<html>Sign in, Mr Canary</html>")]
    [InlineData("OK")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"a\":")]
    [InlineData("{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"diagnostics\":\"Canary\"}]}")]
    [InlineData("[]")]
    [InlineData("null")]
    public async Task SearchAsync_Garbage_IsTriedAFewTimesAndThenAClearError(string body)
    {
        await using var server = await ScriptedServer.StartAsync(c => ScriptedServer.Json(c, body));
        using var client = Client(server);

        var e = await Assert.ThrowsAsync<FhirException>(() => client.SearchAsync(new FhirSearch("Patient"), Stop));

        Assert.Equal(FhirFault.Garbage, e.Fault);
        Assert.Equal(4, server.Requests.Count);
        Assert.DoesNotContain("Canary", e.ToString());
    }

    [Fact]
    public async Task SearchAsync_ConnectionBreaksMidAnswer_IsTriedAgain()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = async c =>
        {
            if (server.Requests.Count > 1)
            {
                await ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a")]));
                return;
            }
            c.Response.ContentLength = 1000;
            await c.Response.WriteAsync("{\"resourceType\":");
            await c.Response.Body.FlushAsync();
            c.Abort();
        };
        using var client = Client(server);

        Assert.Single((await client.SearchAsync(new FhirSearch("Patient"), Stop)).Resources);
    }

    [Fact]
    public async Task SearchAsync_AnswerBeyondTheBound_KeepsWhatCameBeforeItWhereTheNextLinkIsKnown()
    {
        var big = """{"resourceType":"Patient","id":"big","x":""" + "\"" + new string('x', 300_000) + "\"}";
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => ScriptedServer.Json(c, ScriptedServer.Bundle([Patient("a"), big, Patient("c")], c.Request.Query.ContainsKey("end") ? null : server.BaseUrl + "Patient?page=2"));
        using var client = Client(server, null, o => o with { MaxBodyBytes = 100_000 });

        var page = await client.SearchAsync(new FhirSearch("Patient"), Stop);
        var e = await Assert.ThrowsAsync<FhirException>(() => client.SearchAsync(new FhirSearch("Patient").Where("end", "1"), Stop));

        Assert.True(page.Truncated);
        Assert.Equal([false, true], page.Resources.Select(r => r.Oversize));
        Assert.NotNull(page.Next);
        Assert.Equal(FhirFault.TooLarge, e.Fault);
    }

    [Fact]
    public async Task ReadAsync_DeletedOrUnknown_IsNull()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => c.Request.Path.Value!.EndsWith("there", StringComparison.Ordinal) ? ScriptedServer.Json(c, Patient("there"))
            : ScriptedServer.Text(c, c.Request.Path.Value.EndsWith("gone", StringComparison.Ordinal) ? 410 : 404, "");
        using var client = Client(server);

        Assert.NotNull(await client.ReadAsync("Patient", "there", Stop));
        Assert.Null(await client.ReadAsync("Patient", "gone", Stop));
        Assert.Null(await client.ReadAsync("Patient", "never", Stop));
    }

    private static async Task Until(Func<bool> condition)
    {
        var deadline = DateTime.UtcNow.AddSeconds(150);
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "waited 30 s");
            await Task.Delay(5, Stop);
        }
    }
}
