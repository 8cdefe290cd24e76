using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>What a doctor's signature is worth.</summary>
/// <param name="Refusal">Why it does not count; meaningless where <paramref name="Doctor"/> is set.</param>
/// <param name="Doctor">The directory's entry of the certificate that signed, or null.</param>
/// <param name="Signature">r ‖ s, low-S.</param>
internal sealed record CheckedSignature(DecisionOutcome Refusal, DoctorRow? Doctor, byte[] Signature)
{
    public DecisionRow Decision(
        string kind, long rowId, string summaryId, Actor actor, string licence, string protectedHeader, byte[] payload, DateTimeOffset now, string? struck = null) => new()
        {
            RowId = rowId,
            SummaryId = summaryId,
            Kind = kind,
            Person = actor.Person,
            Licence = licence,
            Handle = Doctor!.Handle,
            Thumbprint = Doctor.Thumbprint,
            Protected = protectedHeader,
            Signature = Base64Url.Encode(Signature),
            PayloadDigest = Digest.Of(payload).ToString(),
            DecidedAt = now.ToUnixTimeMilliseconds(),
            Struck = struck,
        };
}

/// <summary>Judges a doctor's signature over a payload, summary or retraction, before it is stored.</summary>
internal static class SignatureCheck
{
    public static async Task<CheckedSignature> RunAsync(
        Work work, HospitalOptions hospital, string licence, EnvelopeKind kind, byte[] payload, string protectedHeader, string signature, DateTimeOffset now)
    {
        if (ProtectedHeaders.CertificateIn(protectedHeader) is not { } certificate)
            return Refused(DecisionOutcome.BadHeader);
        var doctor = await DoctorRows.ByThumbprintAsync(work, Digest.Of(certificate).ToString());
        var standing = DoctorRules.Judge(doctor, hospital.Msp, licence, now);
        if (standing != DoctorStanding.Active)
            return Refused(standing switch
            {
                DoctorStanding.Pending => DecisionOutcome.DoctorPending,
                DoctorStanding.Revoked => DecisionOutcome.DoctorRevoked,
                DoctorStanding.Expired => DecisionOutcome.DoctorExpired,
                DoctorStanding.Lost => DecisionOutcome.DoctorLost,
                _ => DecisionOutcome.DoctorUnknown,
            });
        var input = SigningInput.Create(kind, SignerRole.Doctor, payload, certificate);
        if (input.Protected != protectedHeader)
            return Refused(DecisionOutcome.BadHeader);
        if (!Base64Url.TryDecode(signature, out var bytes) || bytes.Length != 64)
            return Refused(DecisionOutcome.BadSignature);
        // Browsers give either S; the format holds the lower one.
        var lowS = EcdsaSignature.NormaliseLowS(bytes);
        return input.Verify(lowS) == VerificationOutcome.Valid
            ? new CheckedSignature(DecisionOutcome.Approved, doctor, lowS)
            : Refused(DecisionOutcome.BadSignature);
    }

    private static CheckedSignature Refused(DecisionOutcome outcome) => new(outcome, null, []);
}
