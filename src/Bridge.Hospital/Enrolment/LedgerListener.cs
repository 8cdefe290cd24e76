using System.Globalization;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;

namespace Bridge.Hospital.Enrolment;

/// <summary>What ledger events and the desk wake.</summary>
internal sealed class EnrolmentSignals
{
    public Wakeable Enrolment { get; } = new();

    public Wakeable Notes { get; } = new();

    /// <summary>A consent ended.</summary>
    public Wakeable Ends { get; } = new();
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
