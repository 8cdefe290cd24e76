using Bridge.Records;
using Request = Bridge.Records.EnrolmentRequest;

namespace Bridge.Hospital.Enrolment;

/// <summary>Pure decisions about the consent that comes with a request whose code was proved.</summary>
internal static class ConsentRules
{
    /// <summary>It is not signed by the requesting key, is for another hospital or key, leaves the portal out, or has ended.</summary>
    public const string NotValid = "CONSENT_NOT_VALID";

    /// <summary>It names a text that this hospital does not ship: nobody could say later what was agreed to.</summary>
    public const string UnknownNotice = "UNKNOWN_NOTICE";

    /// <summary>The consent, where the hospital may act on it; else why not.</summary>
    public static (Consent? Consent, string Fault) Judge(Request request, string hospital, string portal, DateTimeOffset now)
    {
        var verified = CompactJws.Verify<Consent>(request.Consent, request.SubjectPublicKeyInfo);
        if (verified.Outcome != VerificationOutcome.Valid || verified.Value!.Statement is not { } consent
            || consent.Hospital != hospital || consent.PatientKey != Digest.Of(request.SubjectPublicKeyInfo)
            || !consent.Recipients.Contains(portal) || Until(consent) <= now)
            return (null, NotValid);
        return ConsentNotice.Of(consent.Notice) is null ? (null, UnknownNotice) : (consent, "");
    }

    /// <summary>The moment from which it holds no more: the end, in UTC, of its last day.</summary>
    public static DateTimeOffset Until(Consent consent) => new(consent.Expires.AddDays(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);
}
