using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Operations;

/// <summary>What became of the wish to run a summary again.</summary>
internal enum RerunOutcome
{
    /// <summary>It is on its way again.</summary>
    Running,
    NotFound,

    /// <summary>It is neither failed nor withheld.</summary>
    NotHeld,
    NoReason,
}

/// <summary>
/// Runs a failed or withheld summary again: one that a doctor signed goes to the ledger again with the same bytes, any other is read from the
/// source again.
/// </summary>
internal sealed class Rerun(Database database, TimeProvider clock, CoSignSignals anchoring, WatchingSignals watching)
{
    public async Task<RerunOutcome> RunAsync(Actor actor, long rowId, string? reason, CancellationToken cancellationToken)
    {
        if (reason?.Trim() is not { Length: > 0 and <= 400 } why)
            return RerunOutcome.NoReason;
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await SummaryRows.ByRowAsync(work, rowId) is not { } row)
                return RerunOutcome.NotFound;
            if (row.Status is not (SummaryStatus.Failed or SummaryStatus.Withheld) || row.IsCurrent != 1)
                return RerunOutcome.NotHeld;
            var anchor = await AnchorRows.ActiveOfRowAsync(work, rowId);
            var signed = row.Status == SummaryStatus.Failed && anchor is { State: AnchorState.Failed };
            if (signed && !await AnchorRows.RunAgainAsync(work, anchor!.AnchorId, now))
                return RerunOutcome.NotHeld;
            var change = signed ? null : new SummaryChange().Set("ready_at", now.ToUnixTimeMilliseconds());
            if (await SummaryRows.MoveAsync(work, row, signed ? SummaryStatus.CoSigned : SummaryStatus.Settling, null, now, change) != TransitionOutcome.Done)
                return RerunOutcome.NotHeld;
            await AuditLog.AppendAsync(work, actor, "summary.rerun", $"summary/{rowId}", new { from = row.Status.ToString(), row.Reason, why }, now);
            return RerunOutcome.Running;
        }, cancellationToken);
        if (outcome == RerunOutcome.Running)
        {
            anchoring.Anchoring.Wake();
            watching.Due.Wake();
        }
        return outcome;
    }
}
