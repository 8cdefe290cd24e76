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

    /// <summary>The patient's consent is over; nothing may leave.</summary>
    NoConsent,

    /// <summary>A decline needs a reason of 1 to 400 characters.</summary>
    NoReason,
}

/// <summary>The doctor's and operator's decisions. What is said here is durable when the method returns.</summary>
internal sealed class Decisions(Database database, AnchoringOptions anchoring, HospitalOptions hospital, TimeProvider clock, CoSignSignals signals)
{
    /// <summary>Stores an approval and the order to anchor it, in one transaction.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="licence">The doctor's licence.</param>
    /// <param name="summaryId">Which.</param>
    /// <param name="protectedHeader">base64url, as shown with the summary.</param>
    /// <param name="signature">base64url of r ‖ s over <c>protected.payload</c>.</param>
    /// <param name="cancellationToken">Before the commit only.</param>
    public async Task<DecisionOutcome> ApproveAsync(
        Actor actor, string licence, string summaryId, string protectedHeader, string signature, CancellationToken cancellationToken)
    {
        var delay = anchoring.Delay(Random.Shared.NextDouble());
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var row = await SummaryRows.BySummaryAsync(work, summaryId);
            if (row is null || row.DoctorLicence != licence)
                return DecisionOutcome.NotFound;
            if (row.Status != SummaryStatus.AwaitingCoSign || row.Payload is null)
                return DecisionOutcome.AlreadyDecided;
            if (await EnrolmentRows.LiveAsync(work, row.PatientKey, now) is not { } enrolment || enrolment.EnrolmentId != row.EnrolmentId)
                return DecisionOutcome.NoConsent;

            var certificate = ProtectedHeaders.CertificateIn(protectedHeader);
            if (certificate is null)
                return DecisionOutcome.BadHeader;
            var doctor = await DoctorRows.ByThumbprintAsync(work, Digest.Of(certificate).ToString());
            var standing = DoctorRules.Judge(doctor, hospital.Msp, licence, now);
            if (standing != DoctorStanding.Active)
                return Refusal(standing);
            var input = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, row.Payload, certificate);
            if (input.Protected != protectedHeader)
                return DecisionOutcome.BadHeader;
            if (!Base64Url.TryDecode(signature, out var bytes) || bytes.Length != 64)
                return DecisionOutcome.BadSignature;
            // Browsers give either S; the format holds the lower one.
            var lowS = EcdsaSignature.NormaliseLowS(bytes);
            if (input.Verify(lowS) != VerificationOutcome.Valid)
                return DecisionOutcome.BadSignature;

            if (await SummaryRows.MoveAsync(work, row, SummaryStatus.CoSigned, null, now) != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            var decisionId = await CoSignRows.InsertDecisionAsync(work, new DecisionRow
            {
                RowId = row.RowId,
                SummaryId = row.SummaryId,
                Kind = "approve",
                Person = actor.Person,
                Licence = licence,
                Handle = doctor!.Handle,
                Thumbprint = doctor.Thumbprint,
                Protected = protectedHeader,
                Signature = Base64Url.Encode(lowS),
                PayloadDigest = Digest.Of(row.Payload).ToString(),
                DecidedAt = now.ToUnixTimeMilliseconds(),
            });
            await AnchorRows.InsertAsync(work, row, decisionId, doctor.Handle, now + delay, now);
            await AuditLog.AppendAsync(work, actor, "summary.approve", $"summary/{row.RowId}", new { decision = decisionId, doctor.Thumbprint }, now);
            return DecisionOutcome.Approved;
        }, cancellationToken);
        if (outcome == DecisionOutcome.Approved)
            signals.Anchoring.Wake();
        return outcome;
    }

    /// <summary>Stores a refusal; the summary does not leave unless the encounter changes.</summary>
    public Task<DecisionOutcome> DeclineAsync(Actor actor, string licence, string summaryId, string? reason, CancellationToken cancellationToken)
    {
        var text = reason?.Trim();
        if (text is not { Length: > 0 and <= 400 })
            return Task.FromResult(DecisionOutcome.NoReason);
        return database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var row = await SummaryRows.BySummaryAsync(work, summaryId);
            if (row is null || row.DoctorLicence != licence)
                return DecisionOutcome.NotFound;
            if (row.Status != SummaryStatus.AwaitingCoSign)
                return DecisionOutcome.AlreadyDecided;
            if (await SummaryRows.MoveAsync(work, row, SummaryStatus.Declined, "Doctor", now) != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            var decisionId = await CoSignRows.InsertDecisionAsync(work, new DecisionRow
            {
                RowId = row.RowId,
                SummaryId = row.SummaryId,
                Kind = "decline",
                Person = actor.Person,
                Licence = licence,
                Reason = text,
                DecidedAt = now.ToUnixTimeMilliseconds(),
            });
            await AuditLog.AppendAsync(work, actor, "summary.decline", $"summary/{row.RowId}", new { decision = decisionId }, now);
            return DecisionOutcome.Declined;
        }, cancellationToken);
    }

    /// <summary>Puts a summary into a doctor's queue: one without a doctor, or one that waits for another signature.</summary>
    public Task<DecisionOutcome> AssignAsync(Actor actor, string summaryId, string licence, CancellationToken cancellationToken) =>
        database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, licence, now) is null)
                return DecisionOutcome.DoctorUnknown;
            var row = await SummaryRows.BySummaryAsync(work, summaryId);
            return row is null ? DecisionOutcome.NotFound : await AssignRowAsync(work, actor, row, licence, now);
        }, cancellationToken);

    /// <summary>Remembers that a practitioner of the EHR is the doctor of a licence, and assigns what waited for that.</summary>
    /// <returns>How many summaries came into the doctor's queue; null where no active doctor has the licence.</returns>
    public Task<int?> MapPractitionerAsync(Actor actor, string practitionerKey, string licence, CancellationToken cancellationToken) =>
        database.WriteAsync<int?>(async work =>
        {
            var now = clock.GetUtcNow();
            if (await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, licence, now) is null)
                return null;
            await DoctorRows.MapPractitionerAsync(work, practitionerKey, licence, actor.Person, now);
            await AuditLog.AppendAsync(work, actor, "practitioner.map", $"practitioner/{practitionerKey}", new { licence }, now);
            var assigned = 0;
            foreach (var row in await CoSignRows.UnassignedOfAsync(work, practitionerKey, 10_000))
                if (await AssignRowAsync(work, actor, row, licence, now) == DecisionOutcome.Assigned)
                    assigned++;
            return assigned;
        }, cancellationToken);

    private static async Task<DecisionOutcome> AssignRowAsync(Work work, Actor actor, SummaryRow row, string licence, DateTimeOffset now)
    {
        if (row.Payload is null || !(row.Status == SummaryStatus.AwaitingCoSign || row is { Status: SummaryStatus.Withheld, Reason: Reasons.NoDoctor }))
            return DecisionOutcome.AlreadyDecided;
        if (await EnrolmentRows.LiveAsync(work, row.PatientKey, now) is not { } enrolment || enrolment.EnrolmentId != row.EnrolmentId)
            return DecisionOutcome.NoConsent;
        var change = new SummaryChange().Set("doctor_licence", licence).Set("queued_at", row.QueuedAt ?? now.ToUnixTimeMilliseconds());
        if (await SummaryRows.MoveAsync(work, row, SummaryStatus.AwaitingCoSign, null, now, change) != TransitionOutcome.Done)
            return DecisionOutcome.AlreadyDecided;
        await AuditLog.AppendAsync(work, actor, "summary.assign", $"summary/{row.RowId}", new { licence }, now);
        return DecisionOutcome.Assigned;
    }

    private static DecisionOutcome Refusal(DoctorStanding standing) => standing switch
    {
        DoctorStanding.Pending => DecisionOutcome.DoctorPending,
        DoctorStanding.Revoked => DecisionOutcome.DoctorRevoked,
        DoctorStanding.Expired => DecisionOutcome.DoctorExpired,
        _ => DecisionOutcome.DoctorUnknown,
    };
}
