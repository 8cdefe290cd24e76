using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Any one organisation can write an event record. What is done about one hangs on what the ledger says beside it.</summary>
public class NotesTests
{
    private static readonly Handle Index = Handle.New();
    private static readonly Handle Consent = Handle.New();
    private static readonly Handle Patient = Handle.New();

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TestStore.Now;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    [Theory]
    [OnBothEngines("index", EventSubject.Consent, "withdrawn", "Withdrawn")]
    [OnBothEngines("index", EventSubject.Consent, "swept", "Withdrawn")]
    [OnBothEngines("index", EventSubject.Consent, "live", "NotSo")]
    [OnBothEngines("index", EventSubject.Summary, "withdrawn", "NotSo")]
    [OnBothEngines("consent", EventSubject.Consent, "swept", "NotSo")]
    [OnBothEngines("patient", EventSubject.Consent, "swept", "NotSo")]
    [OnBothEngines("stranger", EventSubject.Consent, "swept", "NotSo")]
    public async Task Withdrawn_TrueOrForged_WipesOnlyWhatTheLedgerBearsOut(Engine engine, string names, EventSubject subject, string ledger, string outcome)
    {
        await using var store = await EnrolledAsync(engine);
        var handle = names switch { "index" => Index, "consent" => Consent, "patient" => Patient, _ => Handle.New() };
        var note = await HearAsync(store, EventStatus.Withdrawn);
        var calls = new NoteCalls(
            (events, _) => Task.FromResult<IReadOnlyList<RecordEvent?>>([.. events.Select(id => new RecordEvent(id, subject, handle, EventStatus.Withdrawn))]),
            (index, _) => ledger == "swept"
                ? throw Refused("NOT_FOUND")
                : Task.FromResult(new PatientReading(null, null, ledger == "withdrawn", index, [])),
            (_, _) => throw new InvalidOperationException("no summary was named"));

        await Worker(store, calls, new Clock()).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal(outcome, await OutcomeAsync(store, note));
        Assert.Equal(outcome == "Withdrawn" ? "Withdrawn" : "Enrolled", await store.ReadAsync(work => work.ScalarAsync<string>("SELECT state FROM enrolment")));
        Assert.Equal(outcome == "Withdrawn" ? 0 : 1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE payload IS NOT NULL")));
    }

    [Theory]
    [OnBothEngines(EventStatus.Erased, SummaryState.Live)]
    [OnBothEngines(EventStatus.Erased, SummaryState.NotFound)]
    [OnBothEngines(EventStatus.Retracted, SummaryState.Live)]
    [OnBothEngines(EventStatus.Superseded, SummaryState.Live)]
    public async Task Ended_Forged_WipesNothing(Engine engine, EventStatus status, SummaryState found)
    {
        await using var store = await EnrolledAsync(engine);
        var note = await HearAsync(store, status);
        var calls = new NoteCalls(
            (events, _) => Task.FromResult<IReadOnlyList<RecordEvent?>>([.. events.Select(id => new RecordEvent(id, EventSubject.Summary, Summary, status))]),
            (_, _) => throw new InvalidOperationException("no patient was named"),
            (ids, _) => Task.FromResult<IReadOnlyList<SummaryReading>>([.. ids.Select(id => new SummaryReading(id, found, null))]));

        await Worker(store, calls, new Clock()).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal("NotSo", await OutcomeAsync(store, note));
        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE status = 'Anchored' AND payload IS NOT NULL")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Events_OneUnreadable_IsAskedForAloneAndEverLaterWhileTheOthersGoOn(Engine engine)
    {
        await using var store = await EnrolledAsync(engine);
        var good = new[] { await HearAsync(store, EventStatus.Anchored), await HearAsync(store, EventStatus.Anchored) };
        var bad = await HearAsync(store, EventStatus.Withdrawn);
        var clock = new Clock();
        var asked = new List<int>();
        var calls = new NoteCalls(
            (events, _) =>
            {
                asked.Add(events.Count);
                return events.Contains(bad)
                    ? throw Refused("LEDGER_ERROR")
                    : Task.FromResult<IReadOnlyList<RecordEvent?>>([.. events.Select(id => new RecordEvent(id, EventSubject.Summary, Summary, EventStatus.Anchored))]);
            },
            (_, _) => throw new InvalidOperationException("no patient was named"),
            (_, _) => throw new InvalidOperationException("no summary was named"));

        await Worker(store, calls, clock).RunAsync(TestContext.Current.CancellationToken);

        // All at once, then each alone.
        Assert.Equal([3, 1, 1, 1], asked);
        foreach (var note in good)
            Assert.Equal("Noted", await OutcomeAsync(store, note));
        Assert.Null(await OutcomeAsync(store, bad));

        // Asked again after 1 s, then 2, 4, … up to an hour; never given up, never in between.
        var waits = new List<double>();
        for (var i = 0; i < 16; i++)
        {
            var next = DateTimeOffset.FromUnixTimeMilliseconds(await store.ReadAsync(
                work => work.ScalarAsync<long>("SELECT next_attempt_at FROM note WHERE handled_at IS NULL")));
            waits.Add((next - clock.Now).TotalSeconds);
            asked.Clear();
            clock.Now = next.AddMilliseconds(-1);
            await Worker(store, calls, clock).RunAsync(TestContext.Current.CancellationToken);
            Assert.Empty(asked);
            clock.Now = next;
            await Worker(store, calls, clock).RunAsync(TestContext.Current.CancellationToken);
            Assert.Equal([1], asked);
        }
        Assert.Equal([1, 1, 2, 4, 8, 16], waits.Take(6));
        Assert.Equal(3600, waits[^1]);
    }

    private static readonly Handle Summary = Handle.New();

    private static LedgerRefusalException Refused(string code) => new("Read", new Refusal(RefusalCodes.Parse(code), code, "", []), null!);

    private static NotesWorker Worker(TestStore store, NoteCalls calls, TimeProvider clock) =>
        new(store.Database, calls, new CrashPoints(null, _ => { }), clock, NullLogger<NotesWorker>.Instance);

    private static Task<string?> OutcomeAsync(TestStore store, Handle note) =>
        store.ReadAsync(work => work.ScalarAsync<string>("SELECT outcome FROM note WHERE event_id = @id", new { id = note.ToString() }));

    private static async Task<Handle> HearAsync(TestStore store, EventStatus status)
    {
        var id = Handle.New();
        await store.WriteAsync(work => work.RunAsync(
            "INSERT INTO note (event_id, status, heard_at, next_attempt_at) VALUES (@id, @status, @now, @now)",
            new { id = id.ToString(), status = status.ToString(), now = TestStore.Now.ToUnixTimeMilliseconds() }));
        return id;
    }

    private static async Task<TestStore> EnrolledAsync(Engine engine)
    {
        var store = await TestStore.CreateAsync(engine);
        await store.WriteAsync(async work =>
        {
            await work.RunAsync(
                """
                INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at, pseudonym, patient_handle, consent_handle, index_handle)
                VALUES (1, 'p1', 'p1', 'Enrolled', 'c', '', 'ruth', 0, 0, 'pseudonym', @patient, @consent, @index)
                """,
                new { patient = Patient.ToString(), consent = Consent.ToString(), index = Index.ToString() });
            await SummaryRows.InsertAsync(work, new SummaryRow
            {
                SummaryId = Summary.ToString(),
                EncounterKey = "e1",
                EncounterVersion = "1",
                PatientKey = "p1",
                EnrolmentId = 1,
                Pseudonym = "pseudonym",
                Status = SummaryStatus.Anchored,
                Payload = [1],
            });
        });
        return store;
    }
}
