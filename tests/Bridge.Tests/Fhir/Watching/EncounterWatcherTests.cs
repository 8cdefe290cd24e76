using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Fhir.Watching;

public sealed class EncounterWatcherTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 8, 0, 0, TimeSpan.Zero);
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private readonly FakeTimeProvider _time = new(Start);
    private QuirkServer _server = null!;
    private FhirClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await QuirkServer.StartAsync(time: _time);
        _client = new FhirClient(new FhirClientOptions { BaseUrl = _server.BaseUrl });
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    private void Put(string id, DateTimeOffset stamped, DateTimeOffset visible, string status = "finished", string patient = "p1") =>
        _server.Store.Put(new JsonObject
        {
            ["resourceType"] = "Encounter",
            ["id"] = id,
            ["status"] = status,
            ["class"] = new JsonObject { ["code"] = "AMB" },
            ["subject"] = new JsonObject { ["reference"] = "Patient/" + patient },
        }, stamped, visible);

    private void Put(string id, string status = "finished", string patient = "p1") => Put(id, _time.GetUtcNow(), _time.GetUtcNow(), status, patient);

    private void Raw(string id, string json) => _server.Store.PutRaw("Encounter", id, Encoding.UTF8.GetBytes(json));

    private EncounterWatcher Watcher() => new(_client, new WatchOptions { PageSize = 50 }, _time);

    private static async Task<(List<EncounterSighting> Seen, Cursor Next)> WalkAsync(EncounterWatcher watcher, Cursor from)
    {
        var seen = new List<EncounterSighting>();
        await foreach (var batch in watcher.WalkAsync(from, Stop))
        {
            seen.AddRange(batch.Sightings);
            // as a host does: through its durable form, with every batch
            from = Cursor.Parse(batch.Next.ToString());
        }
        return (seen, from);
    }

    private static string[] Names(IEnumerable<EncounterSighting> sightings) => [.. sightings.Select(s => $"{s.EncounterId}/{s.Version}")];

    [Fact]
    public async Task WalkAsync_TransactionsThatCommitLate_NaiveWatcherLosesRowsAndOursNone()
    {
        const int total = 1000;
        var (watcher, cursor) = (Watcher(), Cursor.StartingAt(Start));
        var ours = new List<string>();
        var naive = new HashSet<string>();
        var naiveFrom = Start;
        var made = 0;
        var random = new Random(20260301);
        for (var step = 0; made < total || step % 40 != 0; step++)
        {
            var now = _time.GetUtcNow();
            if (made < total && step % 10 == 0)
            {
                // stamped one after the other while the transaction runs, seen together when it commits, up to four minutes later
                var commits = now.AddSeconds(random.Next(20, 240));
                for (var i = 0; i < 40 && made < total; i++)
                    Put($"e{made++}", now.AddMilliseconds(i * 10), commits, patient: $"p{made % 7}");
            }
            for (var i = 0; i < 3 && made < total; i++)
                Put($"e{made++}", "finished", $"p{made % 7}");
            _time.Advance(TimeSpan.FromSeconds(10));

            var (seen, next) = await WalkAsync(watcher, cursor);
            (cursor, _) = (next, seen);
            ours.AddRange(Names(seen));
            naiveFrom = await NaiveAsync(naive, naiveFrom);
        }
        for (var i = 0; i < 30; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(20));
            var (seen, next) = await WalkAsync(watcher, cursor);
            cursor = next;
            ours.AddRange(Names(seen));
            naiveFrom = await NaiveAsync(naive, naiveFrom);
        }

        Assert.True(naive.Count < total, "the naive watcher was expected to lose rows, or the server shows no fault");
        Assert.Equal(total, ours.Count);
        Assert.Equal(total, ours.Distinct().Count());
    }

    private async Task<DateTimeOffset> NaiveAsync(HashSet<string> into, DateTimeOffset from)
    {
        var highest = from;
        var search = new FhirSearch("Encounter").Where("_lastUpdated", "gt" + from.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)).Where("_sort", "_lastUpdated");
        await foreach (var page in _client.PagesAsync(search, Stop))
        {
            foreach (var resource in page.Resources)
            {
                var sighting = SightingReader.Read(resource);
                into.Add(sighting.EncounterId);
                highest = sighting.LastUpdated > highest ? sighting.LastUpdated.Value : highest;
            }
        }
        return highest;
    }

    [Fact]
    public async Task WalkAsync_Corrections_AreSeenWhateverTheirStatus()
    {
        var (watcher, cursor) = (Watcher(), Cursor.StartingAt(Start));
        Put("a");
        (var seen, cursor) = await WalkAsync(watcher, cursor);
        Assert.Equal(["a/1"], Names(seen));

        foreach (var (version, status) in new[] { ("2", "entered-in-error"), ("3", "in-progress"), ("4", "finished"), ("5", "cancelled") })
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            Put("a", status);
            (seen, cursor) = await WalkAsync(watcher, cursor);
            var one = Assert.Single(seen);
            Assert.Equal((version, status, status == "finished"), (one.Version, one.Status, one.IsFinished));
        }
        Assert.DoesNotContain(_server.Requests, r => r.PathAndQuery.Contains("status", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WalkAsync_SecondTime_DeliversNothingAgainAndKeepsItsDistanceFromNow()
    {
        var watcher = Watcher();
        for (var i = 0; i < 120; i++)
            Put($"e{i}");
        var (first, cursor) = await WalkAsync(watcher, Cursor.StartingAt(Start.AddHours(-1)));
        Assert.Equal(120, first.Count);
        Assert.True(cursor.From <= Start.AddMinutes(-5));
        Assert.Equal(120, cursor.SeenCount);

        Assert.Empty((await WalkAsync(watcher, cursor)).Seen);
        _time.Advance(TimeSpan.FromMinutes(20));
        (var again, cursor) = await WalkAsync(watcher, cursor);
        Assert.Empty(again);
        Assert.Equal(Start, cursor.From);
        Put("new");
        _time.Advance(TimeSpan.FromMinutes(20));
        (var late, cursor) = await WalkAsync(watcher, cursor);
        Assert.Equal(["new/1"], Names(late));
        Assert.Equal(1, cursor.SeenCount);
    }

    [Fact]
    public async Task WalkAsync_StoppedAfterAnyBatch_GoesOnWithoutLossOrDouble()
    {
        for (var i = 0; i < 230; i++)
        {
            Put($"e{i}", "finished", $"p{i % 5}");
            _time.Advance(TimeSpan.FromMilliseconds(250));
        }
        for (var stopAfter = 1; stopAfter <= 5; stopAfter++)
        {
            var cursor = Cursor.StartingAt(Start);
            var seen = new List<EncounterSighting>();
            var batches = 0;
            await foreach (var batch in Watcher().WalkAsync(cursor, Stop))
            {
                seen.AddRange(batch.Sightings);
                cursor = Cursor.Parse(batch.Next.ToString());
                if (++batches == stopAfter)
                    break;
            }
            seen.AddRange((await WalkAsync(Watcher(), cursor)).Seen);

            Assert.Equal(230, seen.Count);
            Assert.Equal(230, Names(seen).Distinct().Count());
            foreach (var group in PatientOrder.Group(seen))
                Assert.Equal(group.OrderBy(s => s.LastUpdated).Select(s => s.EncounterId), group.Select(s => s.EncounterId));
        }
    }

    [Fact]
    public async Task WalkAsync_ExpiredPageLinks_StartsAgainFromTheCursorWithoutDoubles()
    {
        for (var i = 0; i < 180; i++)
            Put($"e{i}");
        _server.Quirks.LinksToExpire = 3;

        var (seen, _) = await WalkAsync(Watcher(), Cursor.StartingAt(Start));

        Assert.Equal(180, Names(seen).Distinct().Count());
        Assert.Equal(180, seen.Count);
    }

    [Fact]
    public async Task WalkAsync_LinksThatExpireForEver_SurfaceAsGone()
    {
        for (var i = 0; i < 180; i++)
            Put($"e{i}");
        _server.Quirks.LinksToExpire = int.MaxValue;

        var e = await Assert.ThrowsAsync<FhirException>(() => WalkAsync(Watcher(), Cursor.StartingAt(Start)));

        Assert.Equal(FhirFault.Gone, e.Fault);
    }

    [Fact]
    public async Task WalkAsync_ServerThatIgnoresSort_KeepsPatientOrderOnceNoticed()
    {
        _server.Quirks.IgnoresSort = true;
        for (var i = 0; i < 140; i++)
            Put($"e{i}", Start.AddSeconds(140 - i), Start);

        var (seen, cursor) = await WalkAsync(Watcher(), Cursor.StartingAt(Start.AddHours(-1)));

        Assert.Equal(140, seen.Count);
        Assert.Equal(seen.OrderBy(s => s.LastUpdated).Select(s => s.EncounterId), seen.Select(s => s.EncounterId));
        Assert.True(cursor.From <= Start.AddMinutes(-5));
    }

    [Fact]
    public async Task WalkAsync_PoisonOnThePage_IsNamedAndTheLineGoesOn()
    {
        Put("good");
        Raw("deep", """{"resourceType":"Encounter","id":"deep","extension":""" + string.Concat(Enumerable.Repeat("[", 10_000)) + string.Concat(Enumerable.Repeat("]", 10_000)) + "}");
        Raw("huge", """{"resourceType":"Encounter","id":"huge","text":{"div":""" + "\"" + new string('x', Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") is null ? 20_000_000 : 100_000_000) + "\"}}");
        Raw("broken", """{"resourceType":"Encounter","id":"broken","status":finished}""");
        Raw("none", """{"resourceType":"Encounter","status":"finished"}""");

        var (seen, _) = await WalkAsync(Watcher(), Cursor.StartingAt(Start));

        Assert.Equal(
            [("", SetAsideReason.NoId), ("broken", SetAsideReason.Malformed), ("deep", SetAsideReason.TooDeep), ("good", SetAsideReason.None), ("huge", SetAsideReason.TooLarge)],
            seen.Select(s => (s.EncounterId, s.Poison)).Order());
        var extractor = new SummaryExtractor(new Minimiser(new Terminology()));
        var named = seen.Where(s => s.Poison != SetAsideReason.None)
            .Select(s => extractor.Extract(new EncounterFile { Encounter = s.Resource }, new ExtractionContext { Now = Start }))
            .ToDictionary(x => x.EncounterId, x => x.Name);
        Assert.Equal("SetAside(TooDeep)", named["deep"]);
        Assert.Equal("SetAside(TooLarge)", named["huge"]);
        Assert.Equal("SetAside(Malformed)", named["broken"]);
        Assert.Equal("SetAside(NoId)", named[""]);
    }

    [Fact]
    public async Task WalkAsync_RowsThatChangeBetweenOffsetPages_AreShownByTheNextWalk()
    {
        _server.Quirks.PagesByOffset = true;
        for (var i = 0; i < 180; i++)
        {
            Put($"e{i}");
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        _time.Advance(TimeSpan.FromHours(1));
        var cursor = Cursor.StartingAt(Start);
        var seen = new List<EncounterSighting>();
        var pages = 0;
        await foreach (var batch in Watcher().WalkAsync(cursor, Stop))
        {
            seen.AddRange(batch.Sightings);
            cursor = batch.Next;
            // the pages of one walk are minutes apart; meanwhile rows that were on them change and go to the end
            Put($"e{pages++}");
        }
        var first = Names(seen).Distinct().Count(n => n.EndsWith("/1", StringComparison.Ordinal));
        (var again, cursor) = await WalkAsync(Watcher(), cursor);
        seen.AddRange(again);
        (var third, cursor) = await WalkAsync(Watcher(), cursor);

        Assert.True(first < 180, "rows were expected to be passed over, or the server shows no fault");
        Assert.Equal(180, seen.Select(s => s.EncounterId).Distinct().Count());
        Assert.Equal(seen.Count, Names(seen).Distinct().Count());
        Assert.Empty(third);
        Assert.True(cursor.From > Start.AddMinutes(2));
    }

    [Fact]
    public async Task WalkAsync_CallerStopsInMidWalk_LeavesNoRequestBehind()
    {
        for (var i = 0; i < 180; i++)
            Put($"e{i}");
        _server.Fail(Fault.Silent(), int.MaxValue, "_page=");

        await foreach (var batch in Watcher().WalkAsync(Cursor.StartingAt(Start), Stop))
        {
            Assert.NotEmpty(batch.Sightings);
            break;
        }

        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task ReadAsync_ServerThatSearchesWithinAPatientOnly_BringsTheChildrenAllTheSame()
    {
        _server.Quirks.PatientScoped = true;
        _server.Store.Put(Json("""{"resourceType":"Patient","id":"p1","gender":"male","birthDate":"1970-05-05"}"""));
        foreach (var id in new[] { "a", "b" })
        {
            Put(id);
            _server.Store.Put(Json("""{"resourceType":"Condition","id":"c-@","subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/@"}}""".Replace("@", id, StringComparison.Ordinal)));
        }
        var sightings = new List<EncounterSighting>();
        await foreach (var batch in Watcher().WalkPatientAsync("p1", Cursor.StartingAt(Start), Stop))
            sightings.AddRange(batch.Sightings);

        var reader = new EncounterReader(_client, new WatchOptions());
        var files = await reader.ReadAsync(sightings, Stop);
        await reader.ReadAgainAsync(["a"], Stop);

        Assert.Equal(["c-a", "c-b"], files.Select(f => EncounterLinks.IdOf(Assert.Single(f.Conditions))));
        // tried at most once for each type, and never again
        Assert.InRange(_server.Requests.Count(r => r.PathAndQuery.Contains("encounter=", StringComparison.Ordinal)), 1, 3);
    }

    private static JsonObject Json(string text) => (JsonObject)JsonNode.Parse(text)!;

    [Fact]
    public async Task WalkPatientAsync_Roster_GivesEachVersionOnceOfThatPatientOnly()
    {
        Put("a", "finished", "p1");
        Put("b", "finished", "p2");
        var watcher = Watcher();
        async Task<(string[], Cursor)> Sweep(Cursor from)
        {
            var names = new List<string>();
            await foreach (var batch in watcher.WalkPatientAsync("p1", from, Stop))
            {
                names.AddRange(Names(batch.Sightings));
                from = Cursor.Parse(batch.Next.ToString());
            }
            return ([.. names], from);
        }
        var (first, cursor) = await Sweep(Cursor.StartingAt(Start));
        _time.Advance(TimeSpan.FromDays(3));
        (var second, cursor) = await Sweep(cursor);
        Put("a", "cancelled", "p1");
        (var third, cursor) = await Sweep(cursor);

        Assert.Equal(["a/1"], first);
        Assert.Empty(second);
        Assert.Equal(["a/2"], third);
        Assert.DoesNotContain(_server.Requests, r => r.PathAndQuery.Contains("_lastUpdated", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_PatientsSideBySide_KeepEachPatientsOrder()
    {
        for (var i = 0; i < 120; i++)
        {
            Put($"e{i}", "finished", $"p{i % 6}");
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }
        var (seen, _) = await WalkAsync(Watcher(), Cursor.StartingAt(Start));
        var (done, running, most, gate) = (new List<EncounterSighting>(), 0, 0, new Lock());

        await PatientOrder.RunAsync(seen, 3, async (sighting, token) =>
        {
            lock (gate)
                most = Math.Max(most, ++running);
            await Task.Yield();
            lock (gate)
            {
                running--;
                done.Add(sighting);
            }
        }, Stop);

        Assert.InRange(most, 1, 3);
        Assert.Equal(120, done.Count);
        Assert.All(PatientOrder.Group(done), group => Assert.Equal(group.OrderBy(s => s.LastUpdated).Select(s => s.EncounterId), group.Select(s => s.EncounterId)));
    }
}
