using Bridge.Hospital.Certificates;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>Whether a summary on the ledger may count again.</summary>
internal enum TakeBackOutcome
{
    /// <summary>Nothing was taking it back.</summary>
    None,

    /// <summary>What was taking it back is void.</summary>
    Voided,

    /// <summary>Too late: the ledger may have purged it already.</summary>
    UnderWay,
}

/// <summary>Begins and ends the taking back of a summary, within the caller's transaction.</summary>
internal static class Retractions
{
    /// <summary>Puts a retraction into the queue of the summary's doctor, or before the operators where she can sign no more. Asking twice asks once.</summary>
    public static async Task OpenAsync(Work work, SummaryRow summary, RetractionReason reason, HospitalOptions hospital, DateTimeOffset now)
    {
        var licence = summary.DoctorLicence is { } known && await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, known, now) is not null ? known : null;
        if (await RetractionRows.InsertIfNewAsync(work, summary, reason, licence, now))
            await AuditLog.AppendAsync(work, Actor.Bridge, "retraction.ask", $"summary/{summary.RowId}", new { reason = reason.ToString() }, now);
    }

    /// <summary>Calls a retraction off because the source's word holds again, unless its bytes may have been sent.</summary>
    public static async Task<TakeBackOutcome> CallOffAsync(Work work, long rowId, DateTimeOffset now)
    {
        if (await RetractionRows.OpenOfRowAsync(work, rowId) is not { } open)
            return TakeBackOutcome.None;
        if (open.State == RetractionState.Sent || await VoidAsync(work, open, "SOURCE_RESTORED", now) != TransitionOutcome.Done)
            return TakeBackOutcome.UnderWay;
        return TakeBackOutcome.Voided;
    }

    /// <summary>Puts one that was signed before a doctor again, or before the operators where none is named. The signature stays on record, voided.</summary>
    public static async Task AskAgainAsync(Work work, RetractionRow row, string? licence, string code, DateTimeOffset now)
    {
        var change = new SummaryChange().Set("input", null).Set("decision_id", null).Set("doctor_licence", licence);
        if (await RetractionRows.MoveAsync(work, row, RetractionState.AwaitingCoSign, code, now, change) != TransitionOutcome.Done)
            return;
        if (row.DecisionId is { } decision)
            await CoSignRows.VoidDecisionAsync(work, decision, code, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "retraction.back", $"summary/{row.RowId}", new { code }, now);
    }

    /// <summary>Ends what is open of a summary that ended on the ledger: taken back by it, or another way.</summary>
    public static async Task CloseAsync(Work work, long rowId, RetractionState state, string code, DateTimeOffset now)
    {
        if (await RetractionRows.OpenOfRowAsync(work, rowId) is not { } open)
            return;
        if (state == RetractionState.Void)
            await VoidAsync(work, open, code, now);
        else
            await RetractionRows.MoveAsync(work, open, state, code, now);
    }

    /// <summary>The ledger has purged the summary: its content goes here too.</summary>
    public static async Task DoneAsync(Work work, RetractionRow row, string? txId, DateTimeOffset now)
    {
        if (await RetractionRows.MoveAsync(work, row, RetractionState.Done, "RETRACTED", now, new SummaryChange().Set("tx_id", txId)) != TransitionOutcome.Done)
            return;
        if (await SummaryRows.ByRowAsync(work, row.RowId) is not { Status: SummaryStatus.Anchored } summary)
            return;
        await SummaryRows.EndOnLedgerAsync(work, summary, SummaryStatus.Retracted, now);
        await PatientWalks.AskIfHeldBackAsync(work, summary.PatientKey, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.retract", $"summary/{row.RowId}", new { reason = row.Reason.ToString(), tx = txId }, now);
    }

    private static async Task<TransitionOutcome> VoidAsync(Work work, RetractionRow open, string code, DateTimeOffset now)
    {
        var outcome = await RetractionRows.MoveAsync(work, open, RetractionState.Void, code, now);
        if (outcome != TransitionOutcome.Done)
            return outcome;
        if (open.DecisionId is { } decision)
            await CoSignRows.VoidDecisionAsync(work, decision, code, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "retraction.void", $"summary/{open.RowId}", new { code }, now);
        return outcome;
    }
}
