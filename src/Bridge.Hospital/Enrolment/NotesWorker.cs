using Bridge.Hospital.Operations;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>The calls to the ledger that notices lead to. <see cref="SummaryLedger"/> makes them; tests of the worker answer for it.</summary>
/// <param name="EventsAsync">What one-time event ids mean.</param>
/// <param name="PatientAsync">A patient by the handle of her index.</param>
/// <param name="SummariesAsync">What stands under these ids.</param>
internal sealed record NoteCalls(
    Func<IReadOnlyList<Handle>, CancellationToken, Task<IReadOnlyList<RecordEvent?>>> EventsAsync,
    Func<Handle, CancellationToken, Task<PatientReading>> PatientAsync,
    Func<IReadOnlyList<SummaryId>, CancellationToken, Task<IReadOnlyList<SummaryReading>>> SummariesAsync)
{
    public static NoteCalls Of(SummaryLedger ledger, HospitalOptions hospital) => new(
        (events, token) => ledger.ReadEventsAsync(hospital.Msp, events, token),
        (index, token) => ledger.ReadPatientByIndexAsync(hospital.Msp, index, token),
        (ids, token) => ledger.ReadSummariesAsync(hospital.Msp, ids, token));
}

/// <summary>Asks what the notices meant, and does what they call for. A notice is a hint: the record that it names is read before anything is wiped.</summary>
internal sealed partial class NotesWorker(
    Database database, NoteCalls ledger, CrashPoints crash, TimeProvider clock, ILogger<NotesWorker> log)
{
    private static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostWait = TimeSpan.FromHours(1);

    private sealed class Note
    {
        public string EventId { get; init; } = "";
        public string Status { get; init; } = "";
        public long HeardAt { get; init; }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var notes = await database.ReadAsync(
                work => work.ListAsync<Note>(
                    "SELECT event_id AS EventId, status AS Status, heard_at AS HeardAt FROM note WHERE handled_at IS NULL AND next_attempt_at <= @now ORDER BY heard_at, event_id LIMIT 100",
                    new { now = clock.GetUtcNow().ToUnixTimeMilliseconds() }),
                cancellationToken);
            if (notes.Count == 0)
                return;
            IReadOnlyList<RecordEvent?>? meanings = null;
            try
            {
                meanings = await ReadAsync(notes, cancellationToken);
            }
            catch (Exception e) when (IsOfOneNote(e))
            {
                // One record that cannot be read fails the whole reading: each is asked for alone, and the others go on.
                if (notes.Count == 1)
                {
                    await LaterAsync(notes[0], e);
                    continue;
                }
            }
            for (var i = 0; i < notes.Count; i++)
            {
                try
                {
                    await CloseAsync(notes[i], meanings is null ? (await ReadAsync([notes[i]], cancellationToken))[0] : meanings[i], cancellationToken);
                }
                catch (Exception e) when (IsOfOneNote(e))
                {
                    await LaterAsync(notes[i], e);
                }
            }
        }
    }

    private Task<IReadOnlyList<RecordEvent?>> ReadAsync(IReadOnlyList<Note> notes, CancellationToken cancellationToken) =>
        ledger.EventsAsync([.. notes.Select(note => Handle.Parse(note.EventId))], cancellationToken);

    private async Task CloseAsync(Note note, RecordEvent? meaning, CancellationToken cancellationToken)
    {
        var outcome = meaning is null ? "NotOurs" : await HandleAsync(meaning, cancellationToken);
        // crash point events.2: done, the note still open; doing it again changes nothing.
        crash.Pass("events.2");
        await database.WriteAsync(
            work => work.RunAsync(
                "UPDATE note SET handled_at = @now, outcome = @outcome, what = @what WHERE event_id = @EventId",
                new { note.EventId, outcome, what = meaning?.Subject.ToString(), now = clock.GetUtcNow().ToUnixTimeMilliseconds() }),
            CancellationToken.None);
    }

    // Waiting as long again as it has waited already doubles the pause each time.
    private Task<int> LaterAsync(Note note, Exception fault)
    {
        Log.Later(log, fault is LedgerRefusalException refusal ? refusal.CodeText : Faults.Describe(fault));
        var now = clock.GetUtcNow();
        var wait = TimeSpan.FromMilliseconds(Math.Clamp(now.ToUnixTimeMilliseconds() - note.HeardAt, LeastWait.TotalMilliseconds, MostWait.TotalMilliseconds));
        return database.WriteAsync(
            work => work.RunAsync("UPDATE note SET next_attempt_at = @at WHERE event_id = @EventId", new { note.EventId, at = (now + wait).ToUnixTimeMilliseconds() }),
            CancellationToken.None);
    }

    // A ledger that does not answer fails the run, as it would fail every note.
    private static bool IsOfOneNote(Exception exception) => exception is LedgerRefusalException or LedgerAnswerException
        || exception is GatewayException { Code: not (GrpcStatusCode.Unavailable or GrpcStatusCode.DeadlineExceeded or GrpcStatusCode.Cancelled) };

    private async Task<string> HandleAsync(RecordEvent meaning, CancellationToken cancellationToken)
    {
        switch (meaning.Status)
        {
            case EventStatus.Withdrawn:
                // Any one organisation can write an event. Of our own index alone does "not found" mean that it was withdrawn and swept.
                if (meaning.Subject != EventSubject.Consent
                    || await database.ReadAsync(work => EnrolmentRows.ByIndexAsync(work, meaning.Handle.ToString()), cancellationToken) is null
                    || !await IsWithdrawnAsync(meaning.Handle, cancellationToken))
                    return "NotSo";
                return await database.WriteAsync(async work =>
                    await EnrolmentRows.ByIndexAsync(work, meaning.Handle.ToString()) is { } row && await Withdrawals.MarkAsync(work, row, "patient or portal", clock.GetUtcNow())
                        ? "Withdrawn"
                        : "Known", CancellationToken.None);
            case EventStatus.Erased or EventStatus.Superseded or EventStatus.Retracted:
                var id = SummaryId.Parse(meaning.Handle.ToString());
                var reading = (await ledger.SummariesAsync([id], cancellationToken))[0];
                if (reading.State is SummaryState.Live or SummaryState.NotFound)
                    return "NotSo";
                return await database.WriteAsync(async work =>
                {
                    var now = clock.GetUtcNow();
                    if (await SummaryRows.BySummaryAsync(work, id.ToString()) is not { } row)
                        return "Unknown";
                    if (meaning.Status == EventStatus.Erased)
                        return await Withdrawals.EraseAsync(work, row, now) ? "Erased" : "Known";
                    if (row.Status != SummaryStatus.Anchored)
                        return "Known";
                    var retracted = meaning.Status == EventStatus.Retracted;
                    await SummaryRows.EndOnLedgerAsync(work, row, retracted ? SummaryStatus.Retracted : SummaryStatus.Superseded, now);
                    await Retractions.CloseAsync(work, row.RowId, retracted ? RetractionState.Done : RetractionState.Void, meaning.Status.ToString().ToUpperInvariant(), now);
                    await PatientWalks.AskIfHeldBackAsync(work, row.PatientKey, now);
                    return "Marked";
                }, CancellationToken.None);
            default:
                return "Noted";
        }
    }

    private async Task<bool> IsWithdrawnAsync(Handle index, CancellationToken cancellationToken)
    {
        try
        {
            return (await ledger.PatientAsync(index, cancellationToken)).Withdrawn;
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            // Swept already: the index goes only after a withdrawal.
            return true;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4103, Level = LogLevel.Warning, Message = "What a notice means could not be told and will be asked again: {Fault}")]
        public static partial void Later(ILogger logger, string fault);
    }
}
