using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>What became of a doctor's or operator's act.</summary>
internal enum DecisionOutcome
{
    Approved,
    Declined,
    Assigned,

    /// <summary>Sent to another doctor whom the source names, or to an operator.</summary>
    Rerouted,

    /// <summary>Sent to a colleague.</summary>
    Delegated,

    /// <summary>The signature was taken back.</summary>
    Recalled,

    /// <summary>Too late to take a signature back: the ledger has it, or is being given it.</summary>
    OnItsWay,

    /// <summary>The colleague cannot sign now, said that it is not hers, or is the sender.</summary>
    ColleagueCannot,

    /// <summary>What was signed is something else than the summary, with or without some of its codes.</summary>
    NotTheSummary,

    /// <summary>No such summary, or it is in no queue that the caller may see.</summary>
    NotFound,

    /// <summary>Somebody decided already, or it left the queue.</summary>
    AlreadyDecided,

    /// <summary>The payload is no longer the one that was shown: read it again.</summary>
    Changed,

    /// <summary>The protected header is not the one that belongs to this summary and this doctor's certificate.</summary>
    BadHeader,

    /// <summary>The signature does not verify over the header and the payload.</summary>
    BadSignature,

    /// <summary>The certificate is in the directory under no licence of this doctor.</summary>
    DoctorUnknown,

    /// <summary>Proposed, but not yet confirmed by a second hospital or the attestor.</summary>
    DoctorPending,
    DoctorRevoked,
    DoctorExpired,

    /// <summary>Its owner reported the key lost.</summary>
    DoctorLost,

    /// <summary>The patient's consent is over; nothing may leave.</summary>
    NoConsent,

    /// <summary>A decline needs a reason of 1 to 400 characters.</summary>
    NoReason,
}

/// <summary>The doctor's and operator's decisions. What is said here is durable when the method returns.</summary>
internal sealed class Decisions(Database database, AnchoringOptions anchoring, HospitalOptions hospital, TimeProvider clock, CoSignSignals signals)
{
    /// <summary>How many one transaction assigns: all other writers wait for it.</summary>
    private const int AtOnce = 500;

    /// <summary>Stores an approval and the order to anchor it, in one transaction.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="licence">The doctor's licence.</param>
    /// <param name="summaryId">Which.</param>
    /// <param name="protectedHeader">base64url, as shown with the summary.</param>
    /// <param name="signature">base64url of r ‖ s over <c>protected.payload</c>.</param>
    /// <param name="shown">What the doctor saw and signed, where she took codes out; null = the queued payload.</param>
    /// <param name="cancellationToken">Before the commit only.</param>
    public async Task<DecisionOutcome> ApproveAsync(
        Actor actor, string licence, string summaryId, string protectedHeader, string signature, byte[]? shown, CancellationToken cancellationToken)
    {
        var delay = anchoring.Delay(Random.Shared.NextDouble());
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var item = await SummaryInQueue.FindAsync(work, summaryId);
            if (!QueueActs.MayDecide(item, licence, out var refusal))
                return refusal;
            var row = item.Row;
            if (row.Payload is null)
                return DecisionOutcome.AlreadyDecided;
            if (await EnrolmentRows.LiveAsync(work, row.PatientKey, now) is not { } enrolment || enrolment.EnrolmentId != row.EnrolmentId)
                return DecisionOutcome.NoConsent;

            var payload = shown ?? row.Payload;
            if (Strikes.Between(row.Payload, payload) is not { } struck)
                // Signed as it was before, or something that it never was.
                return MinimalSummary.Read(payload, out _)?.Id.ToString() == summaryId ? DecisionOutcome.Changed : DecisionOutcome.NotTheSummary;
            var signed = await SignatureCheck.RunAsync(work, hospital, licence, EnvelopeKind.Summary, payload, protectedHeader, signature, now);
            if (signed.Doctor is not { } doctor)
                return signed.Refusal;

            if (await SummaryRows.MoveAsync(work, row, SummaryStatus.CoSigned, null, now, new SummaryChange().Set("payload", payload)) != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            var decisionId = await CoSignRows.InsertDecisionAsync(
                work, signed.Decision("approve", row.RowId, row.SummaryId, actor, licence, protectedHeader, payload, now, Strikes.ToText(struck)));
            await AnchorRows.InsertAsync(work, row, decisionId, doctor.Handle, now + delay, now);
            await AuditLog.AppendAsync(work, actor, "summary.approve", $"summary/{row.RowId}", new { decision = decisionId, doctor.Thumbprint, struck = struck.Count }, now);
            return DecisionOutcome.Approved;
        }, cancellationToken);
        if (outcome == DecisionOutcome.Approved)
            signals.Anchoring.Wake();
        return outcome;
    }

    /// <summary>Stores a refusal; the summary does not leave unless the encounter changes.</summary>
    public Task<DecisionOutcome> DeclineAsync(Actor actor, string licence, string summaryId, string? reason, CancellationToken cancellationToken) =>
        QueueActs.Words(reason) is { } words
            ? KeepAsync(actor, licence, summaryId, "decline", Reasons.Doctor, words, cancellationToken)
            : Task.FromResult(DecisionOutcome.NoReason);

    /// <summary>As <see cref="DeclineAsync"/>, for the one reason that needs no more words: too sensitive to leave, whatever the patient agreed to.</summary>
    public Task<DecisionOutcome> TooSensitiveAsync(Actor actor, string licence, string summaryId, CancellationToken cancellationToken) =>
        KeepAsync(actor, licence, summaryId, "too-sensitive", Reasons.Sensitive, null, cancellationToken);

    private Task<DecisionOutcome> KeepAsync(Actor actor, string licence, string summaryId, string kind, string why, string? words, CancellationToken cancellationToken) => database.WriteAsync(
        async work => await QueueActs.DeclineAsync(work, await SummaryInQueue.FindAsync(work, summaryId), kind, why, actor, licence, words, clock.GetUtcNow()), cancellationToken);

    /// <summary>Puts a summary into a doctor's queue: one without a doctor, or one that waits for another signature.</summary>
    public Task<DecisionOutcome> AssignAsync(Actor actor, string summaryId, string licence, CancellationToken cancellationToken) => database.WriteAsync(
        async work => await QueueActs.AssignAsync(work, hospital, await SummaryInQueue.FindAsync(work, summaryId), actor, licence, clock.GetUtcNow()), cancellationToken);

    /// <summary>Remembers that a practitioner of the EHR is the doctor of a licence, and assigns what waited for that, so many at once: a crash between leaves the rest to be asked for again.</summary>
    /// <returns>How many summaries came into the doctor's queue; null where no active doctor has the licence.</returns>
    public async Task<int?> MapPractitionerAsync(Actor actor, string practitionerKey, string licence, CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(async work =>
            {
                var now = clock.GetUtcNow();
                if (await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, licence, now) is null)
                    return false;
                await DoctorRows.MapPractitionerAsync(work, practitionerKey, licence, actor.Person, now);
                await AuditLog.AppendAsync(work, actor, "practitioner.map", $"practitioner/{practitionerKey}", new { licence }, now);
                return true;
            }, cancellationToken))
            return null;
        var assigned = 0;
        for (long? after = 0; after is { } row;)
        {
            var (put, next) = await database.WriteAsync(work => AssignAsync(work, actor, practitionerKey, licence, row), cancellationToken);
            (assigned, after) = (assigned + put, next);
        }
        return assigned;
    }

    private async Task<(int Assigned, long? Next)> AssignAsync(Work work, Actor actor, string practitionerKey, string licence, long after)
    {
        var now = clock.GetUtcNow();
        var rows = await CoSignRows.UnassignedOfAsync(work, practitionerKey, licence, after, AtOnce);
        var assigned = 0;
        foreach (var row in rows)
            if (await QueueActs.PutAsync(work, new SummaryInQueue(row), actor, licence, now) == DecisionOutcome.Assigned)
                assigned++;
        return (assigned, rows.Count == AtOnce ? rows[^1].RowId : null);
    }
}
