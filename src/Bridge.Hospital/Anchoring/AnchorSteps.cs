using Bridge.Hospital.Certificates;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Anchoring;

/// <summary>Where and when an anchor came to stand.</summary>
/// <param name="TransactionId">Null where that is not known any more.</param>
/// <param name="BlockNumber">Null where that is not known any more.</param>
/// <param name="Signed">What stands there, where it is not what this database would have sent.</param>
internal sealed record AnchorReceipt(string? TransactionId, long? BlockNumber, ReadOnlyMemory<byte>? Signed = null);

/// <summary>Stores what an answer of the ledger means, within the caller's transaction. Applying the same answer twice changes nothing.</summary>
internal static class AnchorSteps
{
    public static async Task<bool> ApplyAsync(
        Work work, AnchorRow anchor, AnchorStep step, string code, AnchorReceipt? receipt, HospitalOptions hospital, DateTimeOffset now)
    {
        var summary = await SummaryRows.ByRowAsync(work, anchor.RowId);
        if (summary is null || summary.Status is not (SummaryStatus.CoSigned or SummaryStatus.Anchoring))
            return false;
        // The source took the encounter away meanwhile: what has not reached the ledger must not be sent again.
        if (summary.Reason is { } leaving && step is not (AnchorStep.Anchored or AnchorStep.LookAtLedger or AnchorStep.Withdrawn or AnchorStep.Erased))
        {
            await VoidActiveAsync(work, summary.RowId, leaving, now);
            await SummaryRows.MoveAsync(work, summary, SummaryStatus.Withheld, leaving, now, new SummaryChange().Set("payload", null).Set("draft", null));
            await AuditLog.AppendAsync(work, Actor.Bridge, "summary.withhold", $"summary/{summary.RowId}", new { code = leaving }, now);
            return true;
        }
        switch (step)
        {
            case AnchorStep.Anchored:
                return await AnchoredAsync(work, anchor, summary, receipt, hospital, now);

            case AnchorStep.LookAtLedger:
                await AnchorRows.LookAgainAsync(work, anchor, code, now + AnchorRules.Backoff(anchor.Attempts, Random.Shared.NextDouble()));
                return true;

            case AnchorStep.Retry or AnchorStep.DoctorStale:
                var pause = step == AnchorStep.DoctorStale ? TimeSpan.FromSeconds(1) : AnchorRules.Backoff(anchor.Attempts, Random.Shared.NextDouble());
                if (!await AnchorRows.QueueAgainAsync(work, anchor, code, now + pause, now))
                    return false;
                if (summary.Status == SummaryStatus.Anchoring)
                    await SummaryRows.MoveAsync(work, summary, SummaryStatus.CoSigned, null, now);
                return true;

            case AnchorStep.AnotherDoctor:
                return await AnotherDoctorAsync(work, anchor, summary, code, hospital, now);

            case AnchorStep.Withdrawn:
                return await EnrolmentRows.ByIdAsync(work, summary.EnrolmentId) is { } enrolment
                    && await Withdrawals.MarkAsync(work, enrolment, "ledger", now);

            case AnchorStep.NoConsent:
                if (!await AnchorRows.EndAsync(work, anchor.AnchorId, AnchorState.Void, code, now))
                    return false;
                await CoSignRows.VoidDecisionAsync(work, anchor.DecisionId, code, now);
                await SummaryRows.MoveAsync(work, summary, SummaryStatus.Withheld, Reasons.NoConsent, now);
                await AuditLog.AppendAsync(work, Actor.Bridge, "summary.withhold", $"summary/{summary.RowId}", new { code }, now);
                return true;

            case AnchorStep.Erased:
                return await Withdrawals.EraseAsync(work, summary, now);

            default:
                if (!await AnchorRows.EndAsync(work, anchor.AnchorId, AnchorState.Failed, code, now))
                    return false;
                if (summary.Status == SummaryStatus.CoSigned)
                    await SummaryRows.MoveAsync(work, summary, SummaryStatus.Anchoring, null, now);
                await SummaryRows.MoveAsync(work, (await SummaryRows.ByRowAsync(work, summary.RowId))!, SummaryStatus.Failed, code, now);
                await AuditLog.AppendAsync(work, Actor.Bridge, "summary.fail", $"summary/{summary.RowId}", new { code }, now);
                return true;
        }
    }

    /// <summary>Ends the anchor that a row has, if any, and takes the decision behind it out of force.</summary>
    public static async Task VoidActiveAsync(Work work, long rowId, string code, DateTimeOffset now)
    {
        if (await AnchorRows.ActiveOfRowAsync(work, rowId) is not { } anchor || !await AnchorRows.EndAsync(work, anchor.AnchorId, AnchorState.Void, code, now))
            return;
        await CoSignRows.VoidDecisionAsync(work, anchor.DecisionId, code, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "decision.void", $"summary/{rowId}", new { code, decision = anchor.DecisionId }, now);
    }

    private static async Task<bool> AnchoredAsync(Work work, AnchorRow anchor, SummaryRow summary, AnchorReceipt? receipt, HospitalOptions hospital, DateTimeOffset now)
    {
        if (anchor.Item is null || !await AnchorRows.EndAsync(work, anchor.AnchorId, AnchorState.Done, "ANCHORED", now))
            return false;
        var item = AnchorItems.FromText(anchor.SummaryId, anchor.Item);
        await work.InsertIfNewAsync(
            """
            receipt (row_id, summary_id, tx_id, block_number, event_id, signed, committed_at)
            VALUES (@RowId, @SummaryId, @tx, @block, @eventId, @signed, @now)
            """,
            new
            {
                summary.RowId,
                summary.SummaryId,
                tx = receipt?.TransactionId,
                block = receipt?.BlockNumber,
                eventId = item.Event.ToString(),
                signed = System.Text.Encoding.UTF8.GetString((receipt?.Signed ?? item.Summary).Span),
                now = now.ToUnixTimeMilliseconds(),
            });
        var reason = summary.Reason;
        if (summary.Status == SummaryStatus.CoSigned)
        {
            await SummaryRows.MoveAsync(work, summary, SummaryStatus.Anchoring, reason, now);
            summary = (await SummaryRows.ByRowAsync(work, summary.RowId))!;
        }
        await SummaryRows.MoveAsync(work, summary, SummaryStatus.Anchored, reason, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.anchor", $"summary/{summary.RowId}", new { tx = receipt?.TransactionId }, now);
        if (summary.Supersedes is not null && await SummaryRows.BySummaryAsync(work, summary.Supersedes) is { Status: SummaryStatus.Anchored } older)
        {
            await SummaryRows.EndOnLedgerAsync(work, older, SummaryStatus.Superseded, now);
            await Retractions.CloseAsync(work, older.RowId, RetractionState.Void, "SUPERSEDED", now);
            await PatientWalks.AskIfHeldBackAsync(work, older.PatientKey, now);
        }
        // It came too late to be stopped.
        if (RetractionRules.ReasonOf(reason) is { } wrong)
            await Retractions.OpenAsync(work, summary, wrong, hospital, now);
        return true;
    }

    // The signature no longer counts. The decision stays on record, voided; the summary goes back to the doctor if she holds another certificate, else to an operator.
    private static async Task<bool> AnotherDoctorAsync(
        Work work, AnchorRow anchor, SummaryRow summary, string code, HospitalOptions hospital, DateTimeOffset now)
    {
        if (!await AnchorRows.EndAsync(work, anchor.AnchorId, AnchorState.Void, code, now))
            return false;
        await CoSignRows.VoidDecisionAsync(work, anchor.DecisionId, code, now);
        var thumbprint = (await CoSignRows.DecisionAsync(work, anchor.DecisionId))?.Thumbprint;
        var others = summary.DoctorLicence is null
            ? []
            : (await DoctorRows.ActiveOfLicenceAsync(work, hospital.Msp, summary.DoctorLicence, now)).Where(doctor => doctor.Thumbprint != thumbprint).ToList();
        await SummaryRows.MoveAsync(work, summary, SummaryStatus.AwaitingCoSign, code, now,
            new SummaryChange().Set("doctor_licence", others.Count > 0 ? summary.DoctorLicence : null));
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.back", $"summary/{summary.RowId}", new { code, decision = anchor.DecisionId }, now);
        return true;
    }
}
