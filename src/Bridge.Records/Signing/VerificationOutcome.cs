namespace Bridge.Records;

/// <summary>
/// How a signed record was judged. The text codes (<see cref="VerificationOutcomes.Code"/>) are those of the contract's interface, in the order in
/// which they are looked for there; the first that applies is the answer.
/// </summary>
public enum VerificationOutcome
{
    /// <summary>All checks passed.</summary>
    Valid,

    /// <summary>More than 64 KiB.</summary>
    TooLarge,

    /// <summary>Not UTF-8, not JSON, not an object, or nested too deep; for a compact JWS: not three parts.</summary>
    Malformed,

    /// <summary>A member stands twice in one object.</summary>
    DuplicateMember,

    /// <summary>A member of the envelope or of a signature is missing.</summary>
    MissingMember,

    /// <summary>The envelope or a signature has a member that the format does not know.</summary>
    UnknownMember,

    /// <summary>Not exactly two signatures.</summary>
    SignatureCount,

    /// <summary>A signature carries an unprotected header.</summary>
    UnprotectedHeader,

    /// <summary>A WebAuthn signature where the hospital has not enabled it.</summary>
    ShapeNotEnabled,

    /// <summary>A protected header is not base64url of a canonical JSON object.</summary>
    BadHeader,

    /// <summary>A protected header has <c>crit</c> or <c>b64</c>.</summary>
    CriticalHeader,

    /// <summary>A protected header has another member, lacks one, or one is of a wrong type.</summary>
    UnknownHeader,

    /// <summary><c>alg</c> is not the one expected.</summary>
    WrongAlg,

    /// <summary><c>typ</c> is not the one expected.</summary>
    WrongTyp,

    /// <summary>The first signature's role is not doctor, or the second's not bridge.</summary>
    WrongRole,

    /// <summary><c>x5c</c> is not exactly one certificate with a key of the right kind.</summary>
    BadCertificate,

    /// <summary>A signature is not base64url of 64 bytes, or r or s is zero or not below the group's order.</summary>
    SignatureForm,

    /// <summary>s is in the upper half: every signature has one spelling only.</summary>
    HighS,

    /// <summary>Doctor and bridge signed with one key.</summary>
    SameKey,

    /// <summary>The payload is not base64url of a JSON object without duplicate members.</summary>
    BadPayload,

    /// <summary>The payload is not in its one canonical spelling.</summary>
    NotCanonical,

    /// <summary>The payload breaks its closed schema.</summary>
    Schema,

    /// <summary>A WebAuthn assertion is not of the exact form.</summary>
    WebAuthnForm,

    /// <summary>A WebAuthn assertion answers another challenge: other bytes were signed.</summary>
    WebAuthnChallenge,

    /// <summary>A WebAuthn assertion comes from an origin or relying party that is not the hospital's.</summary>
    WebAuthnOrigin,

    /// <summary>A WebAuthn assertion without user presence or user verification.</summary>
    WebAuthnFlags,

    /// <summary>A signature does not fit its key and bytes.</summary>
    BadSignature,
}

/// <summary>The outcomes' codes on the wire.</summary>
public static class VerificationOutcomes
{
    private static readonly string[] Codes =
    [
        "VALID", "TOO_LARGE", "MALFORMED", "DUPLICATE_MEMBER", "MISSING_MEMBER", "UNKNOWN_MEMBER", "SIGNATURE_COUNT", "UNPROTECTED_HEADER",
        "SHAPE_NOT_ENABLED", "BAD_HEADER", "CRITICAL_HEADER", "UNKNOWN_HEADER", "WRONG_ALG", "WRONG_TYP", "WRONG_ROLE", "BAD_CERTIFICATE",
        "SIGNATURE_FORM", "HIGH_S", "SAME_KEY", "BAD_PAYLOAD", "NOT_CANONICAL", "SCHEMA", "WEBAUTHN_FORM", "WEBAUTHN_CHALLENGE",
        "WEBAUTHN_ORIGIN", "WEBAUTHN_FLAGS", "BAD_SIGNATURE",
    ];

    /// <summary>The code, e.g. <c>SAME_KEY</c>.</summary>
    public static string Code(this VerificationOutcome outcome) => Codes[(int)outcome];

    /// <summary>Reads a code; false for one that is no verification outcome.</summary>
    public static bool TryParse(string? code, out VerificationOutcome outcome)
    {
        var index = code is null ? -1 : Array.IndexOf(Codes, code);
        outcome = (VerificationOutcome)Math.Max(index, 0);
        return index >= 0;
    }
}

/// <summary>The answer of a verification.</summary>
/// <typeparam name="T">What a valid record holds.</typeparam>
/// <param name="Outcome">The first check that failed, or <see cref="VerificationOutcome.Valid"/>.</param>
/// <param name="Where">The part at fault, such as <c>signatures[0].protected</c> or <c>payload.conditions[2].rank</c>; never a value. Null where valid.</param>
/// <param name="Value">The record; null unless valid.</param>
public sealed record Verification<T>(VerificationOutcome Outcome, string? Where, T? Value)
    where T : class;
