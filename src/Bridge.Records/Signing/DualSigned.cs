using System.Text;
using System.Text.Json;

namespace Bridge.Records;

/// <summary>How the doctor signed.</summary>
public enum DoctorShape
{
    /// <summary>A plain ECDSA signature over the signing input.</summary>
    Jws,

    /// <summary>A WebAuthn assertion whose challenge binds the signing input.</summary>
    WebAuthn,
}

/// <summary>A payload with its two signatures, all checks passed.</summary>
internal sealed record DualSigned(byte[] Payload, object Content, LeafCertificate Doctor, LeafCertificate Bridge, DoctorShape Shape);

/// <summary>
/// Verification of dual-signed envelopes, in exactly the order of the contract's interface. Signatures hold together here; whether the signers may
/// sign is the directory's question (the contract, and a reader who trusts only CA digests).
/// </summary>
internal static class DualSignedReader
{
    public const int MaxBytes = 64 * 1024;

    private static readonly string[] EnvelopeMembers = ["payload", "signatures"];
    private static readonly string[] JwsMembers = ["protected", "signature"];
    private static readonly string[] WebAuthnMembers = ["protected", "webauthn"];

    public static Verification<DualSigned> Verify(EnvelopeKind kind, ReadOnlyMemory<byte> json, WebAuthnPolicy? policy)
    {
        if (json.Length > MaxBytes)
            return Refuse(VerificationOutcome.TooLarge, null);
        var fault = StrictJson.Parse(json, out var document);
        // Whatever is no object is malformed, duplicates inside it or not.
        if (fault == JsonFault.Malformed || json.Span.TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
            return Refuse(VerificationOutcome.Malformed, null);
        if (fault == JsonFault.DuplicateMember)
            return Refuse(VerificationOutcome.DuplicateMember, null);
        using (document)
            return Judge(kind, document!.RootElement, policy);
    }

    private static Verification<DualSigned> Judge(EnvelopeKind kind, JsonElement envelope, WebAuthnPolicy? policy)
    {
        if (Membership(envelope, EnvelopeMembers) is var membership and not VerificationOutcome.Valid)
            return Refuse(membership, "(envelope)");
        var signatures = envelope.GetProperty("signatures");
        if (signatures.ValueKind != JsonValueKind.Array || signatures.GetArrayLength() != 2)
            return Refuse(VerificationOutcome.SignatureCount, "signatures");
        var shape = DoctorShape.Jws;
        for (var i = 0; i < 2; i++)
        {
            var outcome = JudgeShape(signatures[i], i, policy, out var isWebAuthn);
            if (outcome != VerificationOutcome.Valid)
                return Refuse(outcome, i == 0 ? "signatures[0]" : "signatures[1]");
            if (isWebAuthn)
                shape = DoctorShape.WebAuthn;
        }

        var header = ReadHeader(kind, SignerRole.Doctor, signatures[0], shape == DoctorShape.WebAuthn, out var doctor, out var doctorProtected, out var algorithm);
        if (header != VerificationOutcome.Valid)
            return Refuse(header, "signatures[0].protected");
        header = ReadHeader(kind, SignerRole.Bridge, signatures[1], rsaAllowed: false, out var bridge, out var bridgeProtected, out _);
        if (header != VerificationOutcome.Valid)
            return Refuse(header, "signatures[1].protected");

        byte[] doctorSignature = [];
        if (shape == DoctorShape.Jws && ReadSignature(signatures[0], out doctorSignature) is var form and not VerificationOutcome.Valid)
            return Refuse(form, "signatures[0].signature");
        if (ReadSignature(signatures[1], out var bridgeSignature) is var bridgeForm and not VerificationOutcome.Valid)
            return Refuse(bridgeForm, "signatures[1].signature");
        if (doctor!.SubjectPublicKeyInfo.AsSpan().SequenceEqual(bridge!.SubjectPublicKeyInfo))
            return Refuse(VerificationOutcome.SameKey, "signatures");

        var encoded = envelope.GetProperty("payload") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : null;
        var payload = ReadPayload(kind, encoded, out var bytes, out var content, out var hospital, out var where);
        if (payload != VerificationOutcome.Valid)
            return Refuse(payload, where);

        var input = Encoding.ASCII.GetBytes($"{doctorProtected}.{encoded}");
        var doctorOutcome = shape == DoctorShape.WebAuthn
            ? WebAuthnCheck.Check(signatures[0].GetProperty("webauthn"), doctor, algorithm, input, hospital, policy!)
            : HasSigned(doctor, input, doctorSignature);
        if (doctorOutcome != VerificationOutcome.Valid)
            return Refuse(doctorOutcome, "signatures[0]");
        if (HasSigned(bridge, Encoding.ASCII.GetBytes($"{bridgeProtected}.{encoded}"), bridgeSignature) != VerificationOutcome.Valid)
            return Refuse(VerificationOutcome.BadSignature, "signatures[1]");
        return new(VerificationOutcome.Valid, null, new DualSigned(bytes, content!, doctor, bridge, shape));
    }

    private static VerificationOutcome Membership(JsonElement element, ReadOnlySpan<string> members)
    {
        foreach (var name in members)
            if (!element.TryGetProperty(name, out _))
                return VerificationOutcome.MissingMember;
        return element.GetPropertyCount() == members.Length ? VerificationOutcome.Valid : VerificationOutcome.UnknownMember;
    }

    private static VerificationOutcome JudgeShape(JsonElement signature, int index, WebAuthnPolicy? policy, out bool isWebAuthn)
    {
        isWebAuthn = false;
        if (signature.ValueKind != JsonValueKind.Object)
            return VerificationOutcome.MissingMember;
        if (signature.TryGetProperty("header", out _))
            return VerificationOutcome.UnprotectedHeader;
        isWebAuthn = signature.TryGetProperty("webauthn", out _);
        if (isWebAuthn && (policy is null || index != 0))
            return VerificationOutcome.ShapeNotEnabled;
        return Membership(signature, isWebAuthn ? WebAuthnMembers : JwsMembers);
    }

    private static VerificationOutcome ReadHeader(
        EnvelopeKind kind, SignerRole role, JsonElement signature, bool rsaAllowed, out LeafCertificate? certificate, out string? encoded, out string algorithm)
    {
        encoded = signature.GetProperty("protected") is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        return ProtectedHeader.Read(encoded, new(SigningInput.Typ(kind), SigningInput.RoleText(role), HasCertificate: true, rsaAllowed), out certificate, out algorithm);
    }

    private static VerificationOutcome ReadSignature(JsonElement signature, out byte[] bytes)
    {
        bytes = [];
        return signature.GetProperty("signature") is { ValueKind: JsonValueKind.String } text && Base64Url.TryDecode(text.GetString(), out bytes)
            ? EcdsaSignature.Check(bytes)
            : VerificationOutcome.SignatureForm;
    }

    private static VerificationOutcome ReadPayload(
        EnvelopeKind kind, string? encoded, out byte[] bytes, out object? content, out string hospital, out string? where)
    {
        (content, hospital, where, bytes) = (null, "", "payload", []);
        if (encoded is null || !Base64Url.TryDecode(encoded, out bytes) || StrictJson.Parse(bytes, out var document) != JsonFault.None)
            return VerificationOutcome.BadPayload;
        using (document)
        {
            var root = document!.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return VerificationOutcome.BadPayload;
            if (!CanonicalJson.Serialize(root).AsSpan().SequenceEqual(bytes))
                return VerificationOutcome.NotCanonical;
            string? fault;
            if (kind == EnvelopeKind.Summary)
            {
                var summary = MinimalSummary.Read(root, out fault);
                (content, hospital) = (summary, summary?.Hospital ?? "");
            }
            else
            {
                var retraction = Retraction.Read(root, out fault);
                (content, hospital) = (retraction, retraction?.Hospital ?? "");
            }
            where = $"payload.{fault}";
            return fault is null ? VerificationOutcome.Valid : VerificationOutcome.Schema;
        }
    }

    private static VerificationOutcome HasSigned(LeafCertificate signer, byte[] input, byte[] signature)
    {
        using var key = LeafCertificate.ImportP256(signer.SubjectPublicKeyInfo);
        return EcdsaSignature.Verify(key, input, signature) ? VerificationOutcome.Valid : VerificationOutcome.BadSignature;
    }

    private static Verification<DualSigned> Refuse(VerificationOutcome outcome, string? where) => new(outcome, where, null);
}
