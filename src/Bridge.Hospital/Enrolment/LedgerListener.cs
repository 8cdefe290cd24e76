using System.Globalization;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>What ledger events and the desk wake.</summary>
internal sealed class EnrolmentSignals
{
    public Wakeable Enrolment { get; } = new();

    public Wakeable Notes { get; } = new();
}

/// <summary>
/// Follows the ledger's events. The notices and the checkpoint behind them commit together: across crashes none is missed and none is kept twice.
/// </summary>
internal sealed partial class LedgerListener(
    Database database, SummaryLedger ledger, EnrolmentSignals signals, Instance instance, CrashPoints crash, StageBoard board, TimeProvider clock, ILogger<LedgerListener> log)
    : BackgroundService
{
    public const string Stage = "ledger-events";
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                board.Failed(Stage, Faults.Describe(e), clock.GetUtcNow());
                Log.Broke(log, Faults.Describe(e));
            }
            await Task.Delay(TimeSpan.FromSeconds(2), clock, stoppingToken);
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        if (!await HoldAsync(cancellationToken))
            return;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var holding = KeepHoldingAsync(stop);
        try
        {
            var from = await database.ReadAsync(work => Bookmarks.ReadAsync(work, Bookmarks.LedgerEvents), cancellationToken);
            board.Succeeded(Stage, clock.GetUtcNow());
            await foreach (var notices in ledger.FollowNoticesAsync(
                from is null ? new EventOptions { StartBlock = 0 } : new EventOptions { Checkpoint = Read(from) }, stop.Token))
            {
                await KeepAsync(notices, cancellationToken);
                board.Succeeded(Stage, clock.GetUtcNow());
            }
        }
        finally
        {
            await stop.CancelAsync();
            await holding;
        }
    }

    private async Task KeepAsync(RecordNotices notices, CancellationToken cancellationToken)
    {
        await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            foreach (var notice in notices.Notices)
                await work.InsertIfNewAsync(
                    "note (event_id, status, heard_at, next_attempt_at) VALUES (@id, @status, @now, @now)",
                    new { id = notice.Event.ToString(), status = notice.Status.ToString(), now = now.ToUnixTimeMilliseconds() });
            await Bookmarks.WriteAsync(work, Bookmarks.LedgerEvents, Write(notices.Checkpoint), now);
        }, cancellationToken);
        // crash point events.1: notices and checkpoint are stored together.
        crash.Pass("events.1");
        if (notices.Unreadable)
            Log.Unreadable(log, notices.BlockNumber);
        if (notices.Notices.Any(notice => notice.Status == EventStatus.Requested))
            signals.Enrolment.Wake();
        signals.Notes.Wake();
    }

    private Task<bool> HoldAsync(CancellationToken cancellationToken) =>
        database.WriteAsync(work => Leases.TryTakeAsync(work, Stage, instance.Name, clock.GetUtcNow(), Lease), cancellationToken);

    private async Task KeepHoldingAsync(CancellationTokenSource stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(Lease / 3, clock, stop.Token);
                if (!await HoldAsync(stop.Token))
                    break;
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
        catch (Exception e)
        {
            Log.Broke(log, Faults.Describe(e));
        }
        // Another instance has it, or the database is gone: stop following.
        await stop.CancelAsync();
    }

    private static string Write(Checkpoint checkpoint) =>
        checkpoint.BlockNumber.ToString(CultureInfo.InvariantCulture) + (checkpoint.TransactionId is null ? "" : " " + checkpoint.TransactionId);

    private static Checkpoint Read(string text)
    {
        var parts = text.Split(' ');
        return new Checkpoint(ulong.Parse(parts[0], CultureInfo.InvariantCulture), parts.Length > 1 ? parts[1] : null);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4101, Level = LogLevel.Warning, Message = "Following ledger events broke off and will begin again: {Fault}")]
        public static partial void Broke(ILogger logger, string fault);

        [LoggerMessage(EventId = 4102, Level = LogLevel.Error, Message = "The notices of a transaction in block {Block} cannot be read and are passed over")]
        public static partial void Unreadable(ILogger logger, ulong block);
    }
}

/// <summary>Asks what the notices meant, and does what they call for. A notice is a hint: the record that it names is read before anything is wiped.</summary>
internal sealed partial class NotesWorker(
    Database database, SummaryLedger ledger, HospitalOptions hospital, CrashPoints crash, TimeProvider clock, ILogger<NotesWorker> log)
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
            catch (Exception e) when (IsOfOneNote(e) && notes.Count > 1)
            {
                // One record that cannot be read fails the whole reading: each is asked for alone, and the others go on.
            }
            for (var i = 0; i < notes.Count; i++)
            {
                try
                {
                    await CloseAsync(notes[i], meanings is null ? (await ReadAsync([notes[i]], cancellationToken))[0] : meanings[i], cancellationToken);
                }
                catch (Exception e) when (IsOfOneNote(e))
                {
                    await LaterAsync(notes[i]);
                    Log.Later(log, e is LedgerRefusalException refusal ? refusal.CodeText : Faults.Describe(e));
                }
            }
        }
    }

    private Task<IReadOnlyList<RecordEvent?>> ReadAsync(IReadOnlyList<Note> notes, CancellationToken cancellationToken) =>
        ledger.ReadEventsAsync(hospital.Msp, [.. notes.Select(note => Handle.Parse(note.EventId))], cancellationToken);

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
    private Task<int> LaterAsync(Note note)
    {
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
                var reading = (await ledger.ReadSummariesAsync(hospital.Msp, [id], cancellationToken))[0];
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
                    await SummaryRows.EndOnLedgerAsync(work, row, meaning.Status == EventStatus.Superseded ? SummaryStatus.Superseded : SummaryStatus.Retracted, now);
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
            return (await ledger.ReadPatientByIndexAsync(hospital.Msp, index, cancellationToken)).Withdrawn;
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
