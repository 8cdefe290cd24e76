using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>What wakes the worker.</summary>
internal sealed class RetractionSignals
{
    public Wakeable Retracting { get; } = new();
}

/// <summary>The doctor's and operator's decisions about taking back. What is said here is durable when the method returns.</summary>
internal sealed class RetractionDecisions(Database database, HospitalOptions hospital, TimeProvider clock, RetractionSignals signals)
{
    /// <summary>Stores a doctor's signature over a retraction. It needs no live consent: taking back only ever stops.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="licence">The doctor's licence.</param>
    /// <param name="summaryId">Which summary.</param>
    /// <param name="protectedHeader">base64url, as shown with the retraction.</param>
    /// <param name="signature">base64url of r ‖ s over <c>protected.payload</c>.</param>
    /// <param name="cancellationToken">Before the commit only.</param>
    public async Task<DecisionOutcome> ApproveAsync(
        Actor actor, string licence, string summaryId, string protectedHeader, string signature, CancellationToken cancellationToken)
    {
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var item = await RetractionInQueue.FindAsync(work, summaryId);
            if (!QueueActs.MayDecide(item, licence, out var refusal))
                return refusal;
            var row = item.Row;
            var payload = row.Payload(hospital.Msp);
            var signed = await SignatureCheck.RunAsync(work, hospital, licence, EnvelopeKind.Retraction, payload, protectedHeader, signature, now);
            if (signed.Doctor is not { } doctor)
                return signed.Refusal;
            var decision = await CoSignRows.InsertDecisionAsync(work, signed.Decision("retract", row.RowId, row.SummaryId, actor, licence, protectedHeader, payload, now));
            var change = new SummaryChange().Set("decision_id", decision).Set("doctor_handle", doctor.Handle).Set("attempts", 0).Set("next_attempt_at", 0);
            if (await RetractionRows.MoveAsync(work, row, RetractionState.CoSigned, null, now, change) != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            await AuditLog.AppendAsync(work, actor, "retraction.approve", $"summary/{row.RowId}", new { decision, doctor.Thumbprint }, now);
            return DecisionOutcome.Approved;
        }, cancellationToken);
        if (outcome == DecisionOutcome.Approved)
            signals.Retracting.Wake();
        return outcome;
    }

    /// <summary>Stores the doctor's word that the summary is right: it stays, and an operator sees it.</summary>
    public async Task<DecisionOutcome> DeclineAsync(Actor actor, string licence, string summaryId, string? reason, CancellationToken cancellationToken) =>
        QueueActs.Words(reason) is not { } words
            ? DecisionOutcome.NoReason
            : await database.WriteAsync(
                async work => await QueueActs.DeclineAsync(work, await RetractionInQueue.FindAsync(work, summaryId), "decline-retraction", "DOCTOR", actor, licence, words, clock.GetUtcNow()),
                cancellationToken);

    /// <summary>Asks a doctor: where none was known, she declined, or the ledger refused her signature.</summary>
    public Task<DecisionOutcome> AssignAsync(Actor actor, string summaryId, string licence, CancellationToken cancellationToken) => database.WriteAsync(
        async work => await QueueActs.AssignAsync(work, hospital, await RetractionInQueue.FindAsync(work, summaryId), actor, licence, clock.GetUtcNow()), cancellationToken);
}
