using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>What is to be signed for a compact JWS; the key may be anywhere.</summary>
/// <param name="Text"><c>protected.payload</c>.</param>
public sealed record CompactSigningInput(string Text)
{
    /// <summary>ASCII of <see cref="Text"/>: the bytes to sign with ECDSA P-256 and SHA-256.</summary>
    public byte[] Bytes => Encoding.ASCII.GetBytes(Text);

    /// <summary>The compact JWS with a detached signature (r ‖ s; brought to low-S).</summary>
    public string Assemble(ReadOnlySpan<byte> signature) => $"{Text}.{Base64Url.Encode(EcdsaSignature.NormaliseLowS(signature))}";
}

/// <summary>A verified compact JWS.</summary>
/// <typeparam name="T">The payload's kind.</typeparam>
/// <param name="Statement">What was signed.</param>
/// <param name="Certificate">The signer's certificate (DER) where an office signed; empty where a patient did. Whose it is, is not judged here.</param>
public sealed record SignedStatement<T>(T Statement, ReadOnlyMemory<byte> Certificate)
    where T : class, IStatement<T>
{
    /// <summary>Digest of <see cref="Certificate"/>.</summary>
    public Digest Thumbprint => Digest.Of(Certificate.Span);
}

/// <summary>Compact JWS (RFC 7515 §7.1) as the ledger takes them: ES256, closed canonical header, canonical payload, low-S.</summary>
public static class CompactJws
{
    private const int MaxLength = 64 * 1024;

    /// <summary>What an office signs (with its certificate, DER) or a patient (with none).</summary>
    /// <exception cref="ArgumentException">The statement breaks its schema, or the certificate is missing, not wanted, or not P-256.</exception>
    public static CompactSigningInput SigningInput<T>(T statement, ReadOnlySpan<byte> certificate = default)
        where T : class, IStatement<T>
    {
        ArgumentNullException.ThrowIfNull(statement);
        if (certificate.IsEmpty == T.HasCertificate)
            throw new ArgumentException(T.HasCertificate ? $"{T.Typ} is signed with a certificate" : $"{T.Typ} is signed by a patient, without a certificate", nameof(certificate));
        var header = new JsonObject { ["alg"] = "ES256", ["typ"] = T.Typ };
        if (T.HasCertificate)
        {
            var leaf = LeafCertificate.TryRead(certificate, LeafKey.P256)
                ?? throw new ArgumentException("not one DER certificate with a P-256 key", nameof(certificate));
            header["x5c"] = new JsonArray(Convert.ToBase64String(leaf.Der));
        }
        var payload = CanonicalJson.Serialize(statement.ToJson());
        using (var document = System.Text.Json.JsonDocument.Parse(payload))
            if (T.Read(document.RootElement, out var fault) is null)
                throw new ArgumentException($"the statement breaks the schema of {T.Typ} at '{fault}'", nameof(statement));
        return new CompactSigningInput($"{Base64Url.Encode(CanonicalJson.Serialize(header))}.{Base64Url.Encode(payload)}");
    }

    /// <summary>Signs with a key at hand.</summary>
    /// <exception cref="ArgumentException">As <see cref="SigningInput"/>.</exception>
    public static string Sign<T>(T statement, ECDsa key, ReadOnlySpan<byte> certificate = default)
        where T : class, IStatement<T>
    {
        var input = SigningInput(statement, certificate);
        return input.Assemble(EcdsaSignature.Sign(key, input.Bytes));
    }

    /// <summary>Verifies a patient's statement with the key that the reader knows.</summary>
    /// <param name="jws">The compact text.</param>
    /// <param name="subjectPublicKeyInfo">DER SubjectPublicKeyInfo, P-256; any other is <see cref="VerificationOutcome.BadSignature"/>.</param>
    public static Verification<SignedStatement<T>> Verify<T>(string jws, ReadOnlySpan<byte> subjectPublicKeyInfo)
        where T : class, IStatement<T> =>
        T.HasCertificate ? throw new InvalidOperationException($"{T.Typ} carries its certificate") : Judge<T>(jws, subjectPublicKeyInfo.ToArray());

    /// <summary>Verifies an office's statement with the certificate it carries; whose certificate that is, is the caller's question.</summary>
    public static Verification<SignedStatement<T>> Verify<T>(string jws)
        where T : class, IStatement<T> =>
        T.HasCertificate ? Judge<T>(jws, null) : throw new InvalidOperationException($"{T.Typ} carries no certificate: give the patient's key");

    private static Verification<SignedStatement<T>> Judge<T>(string jws, byte[]? patientKey)
        where T : class, IStatement<T>
    {
        ArgumentNullException.ThrowIfNull(jws);
        if (Encoding.UTF8.GetByteCount(jws) > MaxLength)
            return Refuse<T>(VerificationOutcome.TooLarge, null);
        var parts = jws.Split('.');
        if (parts.Length != 3 || parts.Any(p => p.Length == 0))
            return Refuse<T>(VerificationOutcome.Malformed, null);
        var header = ProtectedHeader.Read(parts[0], new(T.Typ, Role: null, T.HasCertificate, RsaAllowed: false), out var certificate, out _);
        if (header != VerificationOutcome.Valid)
            return Refuse<T>(header, "protected");
        var form = Base64Url.TryDecode(parts[2], out var signature) ? EcdsaSignature.Check(signature) : VerificationOutcome.SignatureForm;
        if (form != VerificationOutcome.Valid)
            return Refuse<T>(form, "signature");
        var payload = ReadPayload<T>(parts[1], out var statement, out var fault);
        if (payload != VerificationOutcome.Valid)
            return Refuse<T>(payload, fault is null ? "payload" : $"payload.{fault}");
        var publicKey = certificate?.SubjectPublicKeyInfo ?? patientKey!;
        return HasSigned(publicKey, Encoding.ASCII.GetBytes(jws, 0, parts[0].Length + 1 + parts[1].Length), signature)
            ? new(VerificationOutcome.Valid, null, new(statement!, certificate?.Der ?? []))
            : Refuse<T>(VerificationOutcome.BadSignature, "signature");
    }

    private static VerificationOutcome ReadPayload<T>(string encoded, out T? statement, out string? fault)
        where T : class, IStatement<T>
    {
        (statement, fault) = (null, null);
        if (!Base64Url.TryDecode(encoded, out var bytes) || StrictJson.Parse(bytes, out var document) != JsonFault.None)
            return VerificationOutcome.BadPayload;
        using (document)
        {
            var root = document!.RootElement;
            if (root.ValueKind != System.Text.Json.JsonValueKind.Object)
                return VerificationOutcome.BadPayload;
            if (!CanonicalJson.Serialize(root).AsSpan().SequenceEqual(bytes))
                return VerificationOutcome.NotCanonical;
            statement = T.Read(root, out fault);
            return statement is null ? VerificationOutcome.Schema : VerificationOutcome.Valid;
        }
    }

    private static bool HasSigned(byte[] subjectPublicKeyInfo, byte[] input, byte[] signature)
    {
        if (!LeafCertificate.IsP256(subjectPublicKeyInfo))
            return false;
        try
        {
            using var key = LeafCertificate.ImportP256(subjectPublicKeyInfo);
            return EcdsaSignature.Verify(key, input, signature);
        }
        catch (CryptographicException)
        {
            return false; // a point off the curve
        }
    }

    private static Verification<SignedStatement<T>> Refuse<T>(VerificationOutcome outcome, string? where)
        where T : class, IStatement<T> => new(outcome, where, null);
}
