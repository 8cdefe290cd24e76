using System.Text;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>The server's subscription is kept alive and its gaps are closed; what knocks is believed nothing and cannot make the watch run wild.</summary>
public class SubscriptionTests
{
    private const string Topic = "http://hl7.org/SubscriptionTopic/encounter-complete";
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private static readonly SubscriptionOptions Wanted = new(
        new Uri("http://127.0.0.1:1/api/watching/notifications"), new string('s', 40), null, "Encounter?status=finished", true, null, TimeSpan.FromDays(7), TimeSpan.FromMinutes(5));

    private sealed class Bench : IAsyncDisposable
    {
        // Wakings that are put off wait for this clock.
        private readonly FakeTimeProvider knocks = new(TestStore.Now);
        private int wakings;

        private Bench(WatchRig rig, SubscriptionOptions options)
        {
            Rig = rig;
            Notifications = new Notifications(options, rig.Signals, knocks);
            rig.Signals.Watch.Connect(() => Interlocked.Increment(ref wakings));
            Worker = new SubscriptionWorker(
                rig.Store.Database, new FhirSubscriptions(rig.Client), options, rig.Worker, Notifications, rig.Instance, rig.Clock, NullLogger<SubscriptionWorker>.Instance);
        }

        public WatchRig Rig { get; }

        public Notifications Notifications { get; }

        public SubscriptionWorker Worker { get; }

        /// <summary>How often the watch was woken, what was put off included.</summary>
        public int Wakings
        {
            get
            {
                knocks.Advance(TimeSpan.FromMinutes(1));
                return Volatile.Read(ref wakings);
            }
        }

        public Task<SubscriptionState> StateAsync() => Rig.Store.ReadAsync(SubscriptionState.ReadAsync);

        public Bench With(SubscriptionOptions options) => new(Rig, options);

        public static async Task<Bench> StartAsync(Engine engine, Quirks quirks, SubscriptionOptions options) => new(await WatchRig.StartAsync(engine, quirks), options);

        /// <summary>What stands on the server.</summary>
        public JsonObject OnServer() => (JsonObject)JsonNode.Parse(Rig.Server.Requests.Last(r => r.Method is "POST" or "PUT" && r.PathAndQuery.StartsWith("/fhir/Subscription", StringComparison.Ordinal)).Body)!;

        public int Puts => Rig.Server.Requests.Count(r => r.Method is "POST" or "PUT" && r.PathAndQuery.StartsWith("/fhir/Subscription", StringComparison.Ordinal));

        public async ValueTask DisposeAsync()
        {
            Notifications.Dispose();
            await Rig.DisposeAsync();
        }
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_OverItsLife_MakesItOnceRenewsItAndPutsItAgainWhereTheServerStoppedIt(Engine engine)
    {
        await using var bench = await Bench.StartAsync(engine, new Quirks { TakesSubscriptions = true, MinimalWriteAnswers = true }, Wanted);

        await bench.Worker.RunAsync(Stop);
        await bench.Worker.RunAsync(Stop);

        var state = await bench.StateAsync();
        Assert.Equal((1, SubscriptionStatus.Active, "active"), (bench.Puts, state.Status, state.Describe()));
        var made = bench.OnServer();
        Assert.Equal(("rest-hook", Wanted.Endpoint.AbsoluteUri, Wanted.Criteria), ((string)made["channel"]!["type"]!, (string)made["channel"]!["endpoint"]!, (string)made["criteria"]!));
        Assert.Equal($"X-Bridge-Notification: {Wanted.Secret}", (string)made["channel"]!["header"]![0]!);
        // No payload: a plain rest-hook brings nothing of a patient.
        Assert.Null(made["channel"]!["payload"]);
        Assert.DoesNotContain(Wanted.Secret, (await bench.Rig.Store.ReadAsync(work => Bookmarks.ReadAsync(work, "subscription")))!, StringComparison.Ordinal);

        bench.Rig.Clock.Advance(TimeSpan.FromDays(3));
        await bench.Worker.RunAsync(Stop);
        Assert.Equal(1, bench.Puts);
        bench.Rig.Clock.Advance(TimeSpan.FromDays(1));
        await bench.Worker.RunAsync(Stop);
        Assert.Equal((2, state.Id), (bench.Puts, (string)bench.OnServer()["id"]!));

        var wakings = bench.Wakings;
        bench.Rig.Server.SetSubscription(state.Id!, "off");
        await bench.Worker.RunAsync(Stop);
        Assert.Equal((3, SubscriptionStatus.Active), (bench.Puts, (await bench.StateAsync()).Status));
        // What happened while it was off.
        Assert.True(bench.Wakings > wakings);
        bench.Rig.Server.Store.Delete("Subscription", state.Id!);
        await bench.Worker.RunAsync(Stop);
        Assert.Equal((4, SubscriptionStatus.Active), (bench.Puts, (await bench.StateAsync()).Status));
    }

    [Fact]
    public async Task Run_ConfigurationChangedOrStateLost_PutsItInTheSamePlace()
    {
        await using var bench = await Bench.StartAsync(Engine.Sqlite, new Quirks { TakesSubscriptions = true }, Wanted);
        await bench.Worker.RunAsync(Stop);
        var id = (await bench.StateAsync()).Id;

        await bench.With(Wanted with { Secret = new string('t', 40) }).Worker.RunAsync(Stop);
        Assert.Equal((2, id), (bench.Puts, (await bench.StateAsync()).Id));
        Assert.Contains("tttt", (string)bench.OnServer()["channel"]!["header"]![0]!, StringComparison.Ordinal);
        // The answer of the first create got lost, or the database is an older copy: the one to this address is taken over.
        await bench.Rig.Store.WriteAsync(work => work.RunAsync("DELETE FROM bookmark WHERE name = 'subscription'"));
        await bench.Worker.RunAsync(Stop);
        Assert.Equal((3, id), (bench.Puts, (await bench.StateAsync()).Id));
    }

    [Fact]
    public async Task Run_OperatorsOwnSubscription_IsWatchedAndNeverChanged()
    {
        await using var bench = await Bench.StartAsync(Engine.Sqlite, new Quirks { TakesSubscriptions = true }, Wanted);
        await bench.Worker.RunAsync(Stop);
        var id = (await bench.StateAsync()).Id!;
        var theirs = bench.With(Wanted with { Create = false, Id = id });

        bench.Rig.Server.SetSubscription(id, "error");
        await theirs.Worker.RunAsync(Stop);
        Assert.Equal((1, SubscriptionStatus.Error, "error at the server; the poll goes on without it"), (bench.Puts, (await bench.StateAsync()).Status, (await bench.StateAsync()).Describe()));

        // In force again: what happened meanwhile nobody told.
        var wakings = theirs.Wakings;
        bench.Rig.Clock.Advance(TimeSpan.FromMinutes(5));
        bench.Rig.Server.SetSubscription(id, "active");
        await theirs.Worker.RunAsync(Stop);
        Assert.Equal((1, SubscriptionStatus.Active), (bench.Puts, (await bench.StateAsync()).Status));
        Assert.True(theirs.Wakings > wakings);
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_TopicThatFellSilent_CatchesUpByStatusAndEvents(Engine engine)
    {
        await using var bench = await Bench.StartAsync(
            engine, new Quirks { TakesSubscriptions = true, TakesTopics = true, NotificationsUntilSilent = 0 }, Wanted with { Topic = Topic, Criteria = "" });
        await bench.Rig.EnrolAsync(1, "p1");
        await bench.Worker.RunAsync(Stop);
        var made = bench.OnServer();
        Assert.Equal((Topic, "id-only"), ((string)made["criteria"]!, (string)made["channel"]!["_payload"]!["extension"]![0]!["valueCode"]!));
        await bench.Worker.RunAsync(Stop);
        var wakings = bench.Wakings;

        bench.Rig.PutEncounter("e1", "p1");
        bench.Rig.PutEncounter("stranger", "not-enrolled");
        await bench.Rig.Server.DeliveredAsync();
        Assert.Equal(2, bench.Rig.Server.Dropped);

        bench.Rig.Clock.Advance(TimeSpan.FromMinutes(5));
        await bench.Worker.RunAsync(Stop);
        Assert.Equal(wakings + 1, bench.Wakings);
        Assert.Empty(await bench.Rig.KnownAsync());
        // Even where the search that the woken watch makes does not show them yet, they are read by name.
        bench.Rig.Clock.Advance(TimeSpan.FromMinutes(5));
        await bench.Worker.RunAsync(Stop);
        Assert.Equal(["e1"], await bench.Rig.KnownAsync());
        Assert.Equal(0, bench.Rig.Asked("/Condition?encounter=stranger"));

        var events = bench.Rig.Asked("$events");
        await bench.Worker.RunAsync(Stop);
        Assert.Equal((1, events), (bench.Rig.Asked("$events"), bench.Rig.Asked("$events")));
    }

    [Fact]
    public async Task Run_ServerWithoutSubscriptions_SaysSoAndHarmsNothing()
    {
        await using var bench = await Bench.StartAsync(Engine.Sqlite, new Quirks(), Wanted);
        await bench.Rig.EnrolAsync(1, "p1");
        bench.Rig.PutEncounter("e1", "p1");

        var fault = await Assert.ThrowsAsync<FhirException>(() => bench.Worker.RunAsync(Stop));

        Assert.Equal(FhirFault.NotFound, fault.Fault);
        Assert.DoesNotContain(Wanted.Secret, fault.ToString(), StringComparison.Ordinal);
        await bench.Rig.Worker.WatchAsync(Stop);
        Assert.Equal(["e1"], await bench.Rig.KnownAsync());
    }

    [Fact]
    public void Admit_FloodWithoutTheSecret_IsTurnedAwayAndKeepsNobodyElseOut()
    {
        var clock = new FakeTimeProvider(TestStore.Now);
        using var notifications = new Notifications(Wanted, new WatchingSignals(), clock);

        string?[] wrong = [null, "", "x", Wanted.Secret + "x", Wanted.Secret[..^1], Wanted.Secret.ToUpperInvariant(), new('s', 10_000)];
        var outcomes = Enumerable.Range(0, 100).Select(i => notifications.Admit(wrong[i % wrong.Length])).ToList();

        Assert.Equal((30, 70), (outcomes.Count(o => o == NoticeOutcome.Forged), outcomes.Count(o => o == NoticeOutcome.TooMany)));
        Assert.Equal(NoticeOutcome.Alive, notifications.Admit(Wanted.Secret));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(NoticeOutcome.Forged, notifications.Admit("x"));
    }

    [Fact]
    public void Take_ManyAtOnce_WakesOnceNowAndOnceLater()
    {
        var clock = new FakeTimeProvider(TestStore.Now);
        var signals = new WatchingSignals();
        var wakings = 0;
        signals.Watch.Connect(() => wakings++);
        using var notifications = new Notifications(Wanted, signals, clock);

        for (var i = 0; i < 1000; i++)
            notifications.Take([]);
        Assert.Equal(1, wakings);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, wakings);
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(2, wakings);
        notifications.Take([]);
        Assert.Equal(3, wakings);
    }

    [Fact]
    public void Take_AnyBody_NeverThrowsAndOnlySignsOfLifeDoNotWake()
    {
        var clock = new FakeTimeProvider(TestStore.Now);
        var signals = new WatchingSignals();
        var wakings = 0;
        signals.Watch.Connect(() => wakings++);
        using var notifications = new Notifications(Wanted, signals, clock);
        string Notice(string kind) => $$$"""{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"type","valueCode":"{{{kind}}}"}]}}]}""";

        foreach (var kind in new[] { "handshake", "heartbeat" })
            Assert.Equal(NoticeOutcome.Alive, notifications.Take(Encoding.UTF8.GetBytes(Notice(kind))));
        Assert.Equal(0, wakings);
        string[] odd =
        [
            "", "{", "null", "[]", "\"x\"", "{\"resourceType\":\"Bundle\",\"entry\":{}}", "{\"resourceType\":\"Bundle\",\"entry\":[null,1,{\"resource\":[]}]}", Notice("event-notification"),
            "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"notification-event\",\"part\":[{\"name\":\"focus\",\"valueReference\":{\"reference\":\"Encounter/../../x\"}}]}]}",
            new string('[', 100_000), "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"events-since-subscription-start\",\"valueString\":\"-1e99\"}]}", "\ud800",
        ];
        foreach (var body in odd)
        {
            Assert.Equal(NoticeOutcome.Woken, notifications.Take(Encoding.UTF8.GetBytes(body)));
            Assert.Empty(SubscriptionNotice.Read(Encoding.UTF8.GetBytes(body)).Encounters);
        }
        var random = new Random(20261128);
        var good = Encoding.UTF8.GetBytes(Notice("event-notification"));
        for (var i = 0; i < 2000; i++)
        {
            var mutated = (byte[])good.Clone();
            mutated[random.Next(mutated.Length)] = (byte)random.Next(256);
            SubscriptionNotice.Read(mutated);
        }
    }
}
