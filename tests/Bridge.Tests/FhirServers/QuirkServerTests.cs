using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.FhirServers;

/// <summary>The quirk server does what its switches say: what is tested against it rests on that.</summary>
public sealed class QuirkServerTests : IAsyncLifetime
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 3, 1, 8, 0, 0, TimeSpan.Zero));
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false });
    private QuirkServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await QuirkServer.StartAsync(time: _time);
        _http.BaseAddress = _server.BaseUrl;
        for (var i = 0; i < 7; i++)
        {
            _server.Store.Put(Encounter($"e{i}", i % 2 == 0 ? "p0" : "p1"));
            _server.Store.Put(Child("Condition", $"c{i}", $"e{i}"));
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    private static JsonObject Encounter(string id, string patient) => new()
    {
        ["resourceType"] = "Encounter",
        ["id"] = id,
        ["status"] = "finished",
        ["subject"] = new JsonObject { ["reference"] = "Patient/" + patient },
    };

    private static JsonObject Child(string type, string id, string encounter) => new()
    {
        ["resourceType"] = type,
        ["id"] = id,
        ["encounter"] = new JsonObject { ["reference"] = "Encounter/" + encounter },
    };

    private async Task<JsonObject> GetAsync(string path, Action<HttpRequestMessage>? with = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        with?.Invoke(request);
        using var response = await _http.SendAsync(request, Stop);
        response.EnsureSuccessStatusCode();
        return (JsonObject)JsonNode.Parse(await response.Content.ReadAsStringAsync(Stop))!;
    }

    private async Task<HttpStatusCode> StatusAsync(string path)
    {
        using var response = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Stop);
        return response.StatusCode;
    }

    private static string Ids(JsonObject bundle) => string.Join(' ', bundle["entry"]!.AsArray().Select(e => (string)e!["resource"]!["id"]!));

    private static string? Next(JsonObject bundle) =>
        (string?)bundle["link"]!.AsArray().FirstOrDefault(l => (string?)l!["relation"] == "next")?["url"];

    private static StringContent Body(string json) => new(json, Encoding.UTF8, "application/fhir+json");

    [Fact]
    public async Task Search_ByReferenceIdTimeAndForm_FindsExactlyThese()
    {
        Assert.Equal("e0 e2 e4 e6", Ids(await GetAsync("Encounter?patient=p0")));
        Assert.Equal("e0 e2 e4 e6", Ids(await GetAsync("Encounter?subject=Patient/p0")));
        Assert.Equal("c1 c3", Ids(await GetAsync("Condition?encounter=e1,Encounter/e3,none")));
        Assert.Equal("e4 e5 e6", Ids(await GetAsync("Encounter?_lastUpdated=ge2026-03-01T08:00:04Z")));
        Assert.Equal("e5 e6", Ids(await GetAsync("Encounter?_lastUpdated=gt2026-03-01T08:00:04Z")));
        Assert.Equal("e6 e5", Ids(await GetAsync("Encounter?_sort=-_lastUpdated&_count=2")));
        Assert.Equal("e1 c1", Ids(await GetAsync("Encounter?_id=e1&_revinclude=Condition:encounter")));
        using var posted = await _http.PostAsync("Encounter/_search", new FormUrlEncodedContent([new("_id", "e3")]), Stop);
        Assert.Equal("e3", Ids((JsonObject)JsonNode.Parse(await posted.Content.ReadAsStringAsync(Stop))!));
        Assert.Equal(7, (int)(await GetAsync("Encounter?_summary=count"))["total"]!);
    }

    [Fact]
    public async Task Search_Pages_HoldWhatMatchedOrMoveWithTheSwitch()
    {
        var first = await GetAsync("Encounter?_sort=_lastUpdated&_count=3");
        _server.Store.Put(Encounter("e1", "p1"));
        Assert.Equal("e3 e4 e5", Ids(await GetAsync(Next(first)!)));

        _server.Quirks.PagesByOffset = true;
        first = await GetAsync("Encounter?_sort=_lastUpdated&_count=3");
        Assert.Equal("e0 e2 e3", Ids(first));
        _server.Store.Put(Encounter("e2", "p0"));
        Assert.Equal("e5 e6 e1", Ids(await GetAsync(Next(first)!)));
    }

    [Fact]
    public async Task Search_ExpiredLink_IsGone()
    {
        _server.Quirks.LinksExpireAfter = TimeSpan.FromMinutes(2);
        var next = Next(await GetAsync("Encounter?_count=3"))!;
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(next));
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(HttpStatusCode.Gone, await StatusAsync(next));
    }

    [Fact]
    public async Task Search_SameAgain_ComesFromTheCacheUnlessToldNotTo()
    {
        _server.Quirks.SearchCache = TimeSpan.FromSeconds(60);
        await GetAsync("Encounter?patient=p0");
        _server.Store.Put(Encounter("new", "p0"));

        Assert.Equal("e0 e2 e4 e6", Ids(await GetAsync("Encounter?patient=p0")));
        Assert.Equal("e0 e2 e4 e6 new", Ids(await GetAsync("Encounter?patient=p0", r => r.Headers.CacheControl = new() { NoCache = true })));
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("e0 e2 e4 e6 new", Ids(await GetAsync("Encounter?patient=p0")));
    }

    [Fact]
    public async Task Search_ParametersThatAreNotKnown_AreRefusedOrIgnored()
    {
        _server.Quirks.Unknown.Add("_lastUpdated");
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("Encounter?_lastUpdated=ge2026-03-01T08:00:04Z"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("Encounter?nonsense=1"));
        _server.Quirks.OnUnknown = UnknownParameter.Ignored;
        Assert.Equal("e0 e1 e2 e3 e4 e5 e6", Ids(await GetAsync("Encounter?_lastUpdated=ge2026-03-01T08:00:04Z&nonsense=1")));
        using var strict = new HttpRequestMessage(HttpMethod.Get, "Encounter?nonsense=1");
        strict.Headers.Add("Prefer", "handling=strict");
        using var refused = await _http.SendAsync(strict, Stop);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
    }

    [Fact]
    public async Task Search_OtherHabits_ShowInTheAnswer()
    {
        (_server.Quirks.IgnoresCount, _server.Quirks.IgnoresSort, _server.Quirks.PageSize) = (true, true, 5);
        (_server.Quirks.Stamp, _server.Quirks.Total) = (Stamp.SevenDigits, Total.Absent);
        _server.Store.Put(Encounter("e0", "p0"));
        var page = await GetAsync("Encounter?_count=2&_sort=_lastUpdated");
        Assert.Equal("e0 e1 e2 e3 e4", Ids(page));
        Assert.Equal("2026-03-01T08:00:07.0000000+00:00", (string?)page["entry"]![0]!["resource"]!["meta"]!["lastUpdated"]);
        Assert.Null(page["total"]);
        Assert.Equal(7, (int)(await GetAsync("Encounter?_total=accurate"))["total"]!);
        _server.Quirks.Total = Total.Estimate;
        Assert.NotEqual(4, (int)(await GetAsync("Encounter?patient=p0"))["total"]!);
        _server.Quirks.NoAlternatives = true;
        Assert.Equal("", Ids(await GetAsync("Condition?encounter=e1,e3")));
        _server.Quirks.GreaterTakesWholeSecondIn = true;
        _server.Store.Put(Encounter("e9", "p0"), _time.GetUtcNow().AddMilliseconds(300), _time.GetUtcNow());
        Assert.Equal("e9", Ids(await GetAsync("Encounter?_lastUpdated=gt2026-03-01T08:00:07Z")));
        _server.Quirks.LinkOrigin = new Uri("http://inner.example:8080");
        Assert.StartsWith("http://inner.example:8080/fhir/Encounter?_page=", Next(await GetAsync("Encounter")));
        _server.Quirks.PatientScoped = true;
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("Encounter?_lastUpdated=ge2026-03-01"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync("Condition?encounter=e1"));
        Assert.Equal("e1 e3 e5", Ids(await GetAsync("Encounter?patient=p1")));
    }

    [Fact]
    public async Task Read_DeletedOutOfScopeOrWithoutToken_IsRefusedByItsStatus()
    {
        Assert.Equal("c1", (string?)(await GetAsync("Condition/c1"))["id"]);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("Condition/none"));
        _server.Store.Delete("Condition", "c1");
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("Condition/c1"));
        _server.Quirks.DeletedIsGone = true;
        Assert.Equal(HttpStatusCode.Gone, await StatusAsync("Condition/c1"));
        _server.Quirks.OutOfScope.Add("Procedure");
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("Procedure?encounter=e1"));
        _server.Quirks.Token = "t1";
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("Encounter"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("metadata"));
        using var token = await _http.PostAsync("token", new FormUrlEncodedContent([new("grant_type", "client_credentials")]), Stop);
        Assert.DoesNotContain("Procedure", await token.Content.ReadAsStringAsync(Stop));
        Assert.Equal("e0 e2 e4 e6", Ids(await GetAsync("Encounter?patient=p0", r => r.Headers.Authorization = new("Bearer", "t1"))));
    }

    [Fact]
    public async Task Transaction_WithCommitDelay_IsStampedAtOnceAndSeenWhenItAnswers()
    {
        _server.Quirks.CommitDelay = TimeSpan.FromMinutes(2);
        var before = _time.GetUtcNow();
        var transaction = _http.PostAsync("", Body(
            """{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT","url":"Encounter/late"},"resource":{"resourceType":"Encounter","status":"finished"}}]}"""), Stop);
        while (_server.Uncommitted == 0)
            await Task.Delay(1, Stop);
        Assert.Equal("", Ids(await GetAsync("Encounter?_id=late")));
        _time.Advance(TimeSpan.FromMinutes(2));
        (await transaction).EnsureSuccessStatusCode();
        var late = await GetAsync("Encounter?_id=late");
        Assert.Equal("late", Ids(late));
        Assert.Equal(before, DateTimeOffset.Parse((string)late["entry"]![0]!["resource"]!["meta"]!["lastUpdated"]!, System.Globalization.CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task Fail_EveryFault_ComesAsOftenAsAskedAndThenTheTruth()
    {
        var faults = new (Fault Fault, int Status, string Header)[]
        {
            (Fault.TooMany(7), 429, "Retry-After: 7"), (Fault.TooMany(), 429, ""), (Fault.TooManyByRateLimit(59), 429, "RateLimit: \"default\";r=0;t=59"),
            (Fault.Unavailable(3), 503, "Retry-After: 3"), (Fault.Broken(), 500, ""), (Fault.RedirectWithin(), 307, "Location: /fhir/Encounter?_id=e1&_redirected=1"),
            (Fault.RedirectTo(new Uri("http://127.0.0.1:9")), 307, "Location: http://127.0.0.1:9/fhir/Encounter?_id=e1"), (Fault.Html(), 200, ""),
            (Fault.TruncatedJson(), 200, ""), (Fault.EmptyBody(), 200, ""), (Fault.WrongResource(), 200, ""), (Fault.NoObject(), 200, ""),
            (Fault.PlainText(), 200, ""), (Fault.EndlessBody(), 200, ""), (Fault.Silent(), 200, ""),
        };
        foreach (var (fault, status, header) in faults)
        {
            _server.Fail(fault, 2, "Encounter");
            Assert.Equal(HttpStatusCode.OK, await StatusAsync("Condition?_id=c1"));
            for (var i = 0; i < 2; i++)
            {
                using var response = await _http.GetAsync("Encounter?_id=e1", HttpCompletionOption.ResponseHeadersRead, Stop);
                Assert.Equal(status, (int)response.StatusCode);
                Assert.Contains(header, response.Headers.ToString());
            }
            Assert.Equal("e1", Ids(await GetAsync("Encounter?_id=e1")));
        }
        _server.Fail(Fault.HangUp(), int.MaxValue);
        await Assert.ThrowsAsync<HttpRequestException>(() => _http.GetStringAsync("Encounter", Stop));
        _server.Heal();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("Encounter"));
    }
}
