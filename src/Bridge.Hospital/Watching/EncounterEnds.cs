using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>Ends what is stored of an encounter, and lets it count again, within the caller's transaction. Doing either twice changes nothing.</summary>
internal static class EncounterEnds
{
    /// <summary>Ends all of it: the source took the encounter back, deleted it, or opened it again.</summary>
    /// <param name="work">The transaction.</param>
    /// <param name="rows">What is stored of the encounter.</param>
    /// <param name="reason">One of <see cref="Reasons"/>.</param>
    /// <param name="hospital">Whose doctors sign.</param>
    /// <param name="now">Now.</param>
    public static async Task AllAsync(Work work, EncounterRows rows, string reason, HospitalOptions hospital, DateTimeOffset now)
    {
        foreach (var row in Of(rows))
            await RowAsync(work, row, reason, hospital, now);
    }

    /// <summary>Ends what stands under other patients, or under an earlier enrolment, and returns the rest.</summary>
    public static async Task<EncounterRows> WhereAsync(
        Work work, EncounterRows rows, Func<SummaryRow, string?> reasonOf, HospitalOptions hospital, DateTimeOffset now)
    {
        var ended = new HashSet<long>();
        foreach (var row in Of(rows))
            if (row.Status is not (SummaryStatus.Withdrawn or SummaryStatus.Erased) && reasonOf(row) is { } reason)
            {
                await RowAsync(work, row, reason, hospital, now);
                ended.Add(row.RowId);
            }
        return ended.Count == 0
            ? rows
            : rows with
            {
                Current = rows.Current is { } current && ended.Contains(current.RowId) ? null : rows.Current,
                OnLedger = [.. rows.OnLedger.Where(row => !ended.Contains(row.RowId))],
            };
    }

    /// <summary>
    /// Ends one row. What no ledger saw is withheld, a doctor's signature under it void; what is on its way is marked, and stopped if it comes back; what stands
    /// is marked and, unless it may come to count again by itself, put before a doctor to be taken back.
    /// </summary>
    public static async Task RowAsync(Work work, SummaryRow row, string reason, HospitalOptions hospital, DateTimeOffset now)
    {
        if (row.Status == SummaryStatus.CoSigned || SummaryFlow.IsOpenToSource(row.Status))
        {
            if (row.IsCurrent == 0)
                return;
            await AnchorSteps.VoidActiveAsync(work, row.RowId, reason, now);
            await SummaryRows.MoveAsync(work, row, SummaryStatus.Withheld, reason, now,
                new SummaryChange().Set("is_current", 0).Set("payload", null).Set("draft", null).Set("content_digest", null));
            await AuditLog.AppendAsync(work, Actor.Bridge, "summary.withhold", $"summary/{row.RowId}", new { code = reason, from = row.Status.ToString() }, now);
            await PatientWalks.AskIfHeldBackAsync(work, row.PatientKey, now);
        }
        else if (row.Status is SummaryStatus.Anchoring or SummaryStatus.Anchored)
        {
            // What is being taken back for good stays so when the source says less.
            var weaker = reason == Reasons.Reopened && RetractionRules.ReasonOf(row.Reason) is not null;
            if (!weaker && (row.Reason != reason || row.IsCurrent == 1) && await SummaryRows.MarkLeavingAsync(work, row, reason, now) == TransitionOutcome.Done)
                await AuditLog.AppendAsync(work, Actor.Bridge, "summary.leave", $"summary/{row.RowId}", new { code = reason, from = row.Status.ToString() }, now);
            if (row.Status == SummaryStatus.Anchored && RetractionRules.ReasonOf(reason) is { } wrong)
                await Retractions.OpenAsync(work, row, wrong, hospital, now);
        }
        else if (row.IsCurrent == 1)
        {
            // Erased, retracted, withdrawn: nothing is left to end but the count.
            await SummaryRows.CountAsync(work, row, counts: false);
        }
    }

    /// <summary>Lets what stands on the ledger count again, unless it is too late for that; returns the row as it is then.</summary>
    public static async Task<SummaryRow?> ReviveAsync(Work work, SummaryRow row, DateTimeOffset now)
    {
        if (row.Status == SummaryStatus.Anchored && await Retractions.CallOffAsync(work, row.RowId, now) == TakeBackOutcome.UnderWay)
            return null;
        if (await SummaryRows.MarkLeavingAsync(work, row, null, now) != TransitionOutcome.Done)
            return null;
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.stay", $"summary/{row.RowId}", new { was = row.Reason }, now);
        return await SummaryRows.ByRowAsync(work, row.RowId);
    }

    private static IEnumerable<SummaryRow> Of(EncounterRows rows) =>
        rows.Current is { } current && rows.OnLedger.All(row => row.RowId != current.RowId) ? [current, .. rows.OnLedger] : rows.OnLedger;
}
