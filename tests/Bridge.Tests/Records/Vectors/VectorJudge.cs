using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>What <c>Bridge.Records</c> says of a vector: the C# reader of <c>tests/vectors</c>.</summary>
internal static class VectorJudge
{
    /// <summary>The outcome, and which of the vector's other members differs from what was found; null for none.</summary>
    public static (string Outcome, string? Wrong) Judge(JsonObject vector) => Text(vector, "kind") switch
    {
        "signed-summary" => (SignedSummary.Verify(Input(vector), Policy(vector)).Outcome.Code(), null),
        "retraction" => (SignedRetraction.Verify(Input(vector), Policy(vector)).Outcome.Code(), null),
        "canonical-json" => JudgeJson(vector),
        "compact-jws" => (JudgeCompact(vector).Code(), null),
        "name" => ("VALID", JudgeName(vector)),
        "enrolment-code" => JudgeCode(vector),
        "certificate" => (Constant(JudgeCertificate(vector).ToString()), null),
        "hospital-record" => JudgeRecord(vector),
        var kind => throw new InvalidOperationException($"no vectors of kind {kind} are known"),
    };

    private static (string, string?) JudgeJson(JsonObject vector)
    {
        var fault = StrictJson.Parse(Input(vector), out var document);
        document?.Dispose();
        if (fault != JsonFault.None)
            return (fault == JsonFault.Malformed ? "MALFORMED" : "DUPLICATE_MEMBER", null);
        return ("VALID", Encoding.UTF8.GetString(CanonicalJson.Canonicalise(Input(vector))) == Text(vector, "canonical") ? null : "canonical");
    }

    private static VerificationOutcome JudgeCompact(JsonObject vector)
    {
        var text = Text(vector, "input");
        var key = vector["spki"] is { } spki ? Base64Url.Decode(spki.GetValue<string>()) : [];
        return Text(vector, "typ") switch
        {
            "bridge-consent+jws" => CompactJws.Verify<Consent>(text, key).Outcome,
            "bridge-withdrawal+jws" => CompactJws.Verify<Withdrawal>(text, key).Outcome,
            "bridge-erasure+jws" => CompactJws.Verify<Erasure>(text, key).Outcome,
            "bridge-doctor+jws" => CompactJws.Verify<DoctorStatement>(text).Outcome,
            "bridge-doctor-confirmation+jws" => CompactJws.Verify<DoctorConfirmation>(text).Outcome,
            "bridge-doctor-revocation+jws" => CompactJws.Verify<DoctorRevocation>(text).Outcome,
            "bridge-approval+jws" => CompactJws.Verify<HospitalApproval>(text).Outcome,
            "bridge-status+jws" => CompactJws.Verify<StatusList>(text).Outcome,
            var typ => throw new InvalidOperationException($"no statement of typ {typ} is known"),
        };
    }

    private static string? JudgeName(JsonObject vector)
    {
        if (vector["spki"] is { } spki)
            return Pseudonym.FromPublicKey(Base64Url.Decode(spki.GetValue<string>())).ToString() == Text(vector, "pseudonym") ? null : "pseudonym";
        if (vector["handle"] is { } handle)
            return Handle.Parse(handle.GetValue<string>()).TombOf() == Text(vector, "tomb") ? null : "tomb";
        return Digest.Of(Base64Url.Decode(Text(vector, "data"))).ToString() == Text(vector, "digest") ? null : "digest";
    }

    private static (string, string?) JudgeCode(JsonObject vector)
    {
        var reading = EnrolmentCode.TryParse(Text(vector, "code"), out var code);
        var outcome = Constant(reading.ToString());
        if (reading != CodeReading.Good || vector["codeId"] is null)
            return (outcome, null);
        var keys = code!.Derive(Text(vector, "hospital"), CaDigests.Parse(Encoding.UTF8.GetBytes(vector["caDigests"]!.ToJsonString()))!);
        if (keys.CodeId.ToString() != Text(vector, "codeId"))
            return (outcome, "codeId");
        if (!keys.MacKey.Span.SequenceEqual(Base64Url.Decode(Text(vector, "macKey"))))
            return (outcome, "macKey");
        return (outcome, keys.Mac(Text(vector, "portal"), Base64Url.Decode(Text(vector, "spki")), Text(vector, "consent")) == Text(vector, "mac") ? null : "mac");
    }

    private static CertificateFault JudgeCertificate(JsonObject vector)
    {
        var certificate = Convert.FromBase64String(Text(vector, "certificate"));
        var issuers = vector["issuers"]!.AsArray().Select(i => Convert.FromBase64String(i!.GetValue<string>())).ToList();
        var at = DateTimeOffset.FromUnixTimeSeconds(vector["at"]!.GetValue<long>());
        return Text(vector, "profile") switch
        {
            "doctor" => CertificateCheck.CheckPerson(certificate, PersonRole.Doctor, issuers, at),
            "registrar" => CertificateCheck.CheckPerson(certificate, PersonRole.Registrar, issuers, at),
            "status-key" => CertificateCheck.CheckPerson(certificate, PersonRole.StatusKey, issuers, at),
            "patient-ca" => CertificateCheck.CheckPatientCa(certificate, issuers, at),
            "patient" => CertificateCheck.CheckPatient(certificate, issuers[0], at),
            "ca" => CertificateCheck.CheckCa(certificate, at),
            var profile => throw new InvalidOperationException($"no profile {profile} is known"),
        };
    }

    private static (string, string?) JudgeRecord(JsonObject vector)
    {
        if (HospitalRecord.Parse(Input(vector), out _) is not { } record)
            return ("BAD_RECORD", null);
        if (record.RecordDigest.ToString() != Text(vector, "digest"))
            return ("VALID", "digest");
        return ("VALID", record.CaDigests.ToCanonicalText() == CanonicalJson.SerializeToString(vector["caDigests"]!) ? null : "caDigests");
    }

    private static WebAuthnPolicy? Policy(JsonObject vector) => vector["webauthn"] is { } policy && policy["enabled"]!.GetValue<bool>()
        ? new WebAuthnPolicy([.. policy["origins"]!.AsArray().Select(o => o!.GetValue<string>())], policy["rpId"]!.GetValue<string>())
        : null;

    public static byte[] Input(JsonObject vector) => Base64Url.Decode(Text(vector, "input"));

    public static string Text(JsonObject vector, string member) => vector[member]!.GetValue<string>();

    /// <summary>PascalCase to CONSTANT_CASE.</summary>
    private static string Constant(string name) =>
        name == nameof(CertificateFault.KeyNotP256) ? "KEY_NOT_P256" : string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{c}" : $"{char.ToUpperInvariant(c)}"));
}
