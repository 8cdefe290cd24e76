using Bridge.Hospital.Operations;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>
/// Sees to it that what waits is with somebody who can decide: hands the work of doctors who are away to their deputies and back, and what waits too long on. Each
/// batch is judged and changed in one transaction, by what is stored then; a run that breaks off is gone on with by the next.
/// </summary>
internal sealed partial class TurnWorker(
    Database database, HospitalOptions hospital, TurnOptions options, Routing routing, Instance instance, CrashPoints crash, TimeProvider clock, ILogger<TurnWorker> log)
{
    private const string LeaseName = "turns";
    private const int Batch = 100;
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(2);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var table in (TurnTable[])[TurnTable.Summaries, TurnTable.Retractions])
            for (long after = 0; ; cancellationToken.ThrowIfCancellationRequested())
            {
                var now = clock.GetUtcNow();
                var found = await database.ReadAsync(
                    async work => await TurnRows.CandidatesAsync(work, table, await AbsenceRows.PresencesAsync(work, hospital.Msp, now), options, now, after, Batch), cancellationToken);
                if (found.Count == 0 || found[^1] <= after)
                    break;
                // crash point turns.1: nothing was changed; the next run finds the same.
                crash.Pass("turns.1");
                if (await database.WriteAsync(work => TakeAsync(work, table, found), cancellationToken) is not { } changed)
                    return;
                // crash point turns.2: this batch is stored; the next run finds the rest.
                crash.Pass("turns.2");
                if (changed > 0)
                    Log.Turned(log, changed, table.Name);
                // What changed is found no more; what stayed is passed over.
                if (changed == 0)
                    after = Math.Max(after + 1, found[^1]);
            }
    }

    // How many changed hands or were reminded of; null where another instance does it.
    private async Task<int?> TakeAsync(Work work, TurnTable table, IReadOnlyList<long> keys)
    {
        var now = clock.GetUtcNow();
        if (!await Leases.TryTakeAsync(work, LeaseName, instance.Name, now, Lease))
            return null;
        var presences = await AbsenceRows.PresencesAsync(work, hospital.Msp, now);
        var changed = 0;
        foreach (var key in keys)
            changed += await TurnAsync(work, table, key, presences, now) ? 1 : 0;
        return changed;
    }

    private async Task<bool> TurnAsync(Work work, TurnTable table, long key, Presences presences, DateTimeOffset now)
    {
        var (item, summary, waiting) = table == TurnTable.Summaries ? await SummaryAsync(work, key) : await RetractionAsync(work, key);
        if (item is not { Waits: true } || summary is null)
            return false;
        var turn = TurnRules.Decide(
            waiting! with { Refused = await Routing.RefusedAsync(work, item.RowId), Others = await routing.DoctorsOfAsync(work, summary) }, presences, options, now);
        if (turn.Step == TurnStep.Hand && await item.HandAsync(
            work, new SummaryChange().Set("doctor_licence", turn.To).Set("for_licence", turn.For).Set("for_why", turn.Why), keepsReason: true, now) != TransitionOutcome.Done)
            return false;
        return await NoteAsync(work, table, key, item, turn, now);
    }

    private static async Task<(QueueItem?, SummaryRow?, WaitingWork?)> SummaryAsync(Work work, long key) =>
        await SummaryRows.ByRowAsync(work, key) is { } row
            ? (new SummaryInQueue(row), row, Waiting(row.DoctorLicence, row.ForLicence, row.ForWhy, row.WaitsSince, row.RemindedAt))
            : (null, null, null);

    private static async Task<(QueueItem?, SummaryRow?, WaitingWork?)> RetractionAsync(Work work, long key) =>
        await RetractionRows.ByIdAsync(work, key) is { } row
            ? (new RetractionInQueue(row), await SummaryRows.ByRowAsync(work, row.RowId), Waiting(row.DoctorLicence, row.ForLicence, row.ForWhy, row.WaitsSince, row.RemindedAt))
            : (null, null, null);

    private static WaitingWork Waiting(string? holder, string? home, string? why, long? since, long? reminded) =>
        new(holder, home, why, since is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null, reminded is not null, new HashSet<string>(), []);

    private static async Task<bool> NoteAsync(Work work, TurnTable table, long key, QueueItem item, Turn turn, DateTimeOffset now)
    {
        if (turn.Step == TurnStep.Stay || turn.Step == TurnStep.Remind && await TurnRows.RemindAsync(work, table, key, now) == 0)
            return false;
        var action = (turn.Step, turn.Why) switch
        {
            (TurnStep.Remind, _) => "remind",
            (_, TurnRules.Absent) => "stand-in",
            (_, TurnRules.Waited) => "escalate",
            _ => "return",
        };
        await AuditLog.AppendAsync(work, Actor.Bridge, $"{item.Kind}.{action}", $"summary/{item.RowId}", turn.Step == TurnStep.Remind ? null : new { to = turn.To ?? "operator", of = turn.For }, now);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 3201, Level = LogLevel.Information, Message = "{Count} rows of {Table} changed hands or were marked as waiting too long")]
        public static partial void Turned(ILogger logger, int count, string table);
    }
}
