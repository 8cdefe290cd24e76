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
    }
}

/// <summary>Asks what the notices meant, and does what they call for. A notice is a hint: the record that it names is read before anything is wiped.</summary>
internal sealed class NotesWorker(Database database, SummaryLedger ledger, HospitalOptions hospital, CrashPoints crash, TimeProvider clock)
{
    private sealed class Note
    {
        public string EventId { get; init; } = "";
        public string Status { get; init; } = "";
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var notes = await database.ReadAsync(
                work => work.ListAsync<Note>(
                    "SELECT event_id AS EventId, status AS Status FROM note WHERE handled_at IS NULL AND next_attempt_at <= @now ORDER BY heard_at, event_id LIMIT 100",
                    new { now = clock.GetUtcNow().ToUnixTimeMilliseconds() }),
                cancellationToken);
            if (notes.Count == 0)
                return;
            var meanings = await ledger.ReadEventsAsync(hospital.Msp, [.. notes.Select(note => Handle.Parse(note.EventId))], cancellationToken);
            foreach (var (note, meaning) in notes.Zip(meanings))
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
        }
    }

    private async Task<string> HandleAsync(RecordEvent meaning, CancellationToken cancellationToken)
    {
        switch (meaning.Status)
        {
            case EventStatus.Withdrawn:
                if (!await IsWithdrawnAsync(meaning.Handle, cancellationToken))
                    return "NotSo";
                return await database.WriteAsync(async work =>
                    await EnrolmentRows.ByHandleAsync(work, meaning.Handle.ToString()) is { } row && await Withdrawals.MarkAsync(work, row, "patient or portal", clock.GetUtcNow())
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
                    await SummaryRows.MoveAsync(work, row, meaning.Status == EventStatus.Superseded ? SummaryStatus.Superseded : SummaryStatus.Retracted, null, now);
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
}
