using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>What a dual-signed envelope holds.</summary>
public enum EnvelopeKind
{
    /// <summary>A summary: <c>bridge-summary+json</c>.</summary>
    Summary,

    /// <summary>The hospital's taking back of one: <c>bridge-retraction+json</c>.</summary>
    Retraction,
}

/// <summary>In whose place a signature stands.</summary>
public enum SignerRole
{
    /// <summary>The treating doctor, first.</summary>
    Doctor,

    /// <summary>The hospital's bridge, second.</summary>
    Bridge,
}

/// <summary>
/// What one signer of an envelope signs (RFC 7515 §5.1): the protected header and the payload. Made from the canonical payload and the signer's
/// certificate; the private key may be anywhere (a browser, a token, another machine).
/// </summary>
public sealed class SigningInput
{
    private SigningInput(EnvelopeKind kind, SignerRole role, string algorithm, string protectedHeader, string payload, LeafCertificate certificate)
    {
        Kind = kind;
        Role = role;
        Algorithm = algorithm;
        Protected = protectedHeader;
        Payload = payload;
        Leaf = certificate;
        Bytes = Encoding.ASCII.GetBytes($"{protectedHeader}.{payload}");
    }

    /// <summary>Summary or retraction.</summary>
    public EnvelopeKind Kind { get; }

    /// <summary>Doctor or bridge.</summary>
    public SignerRole Role { get; }

    /// <summary><c>ES256</c>, or <c>RS256</c> for a WebAuthn doctor's.</summary>
    public string Algorithm { get; }

    /// <summary>base64url of the canonical protected header.</summary>
    public string Protected { get; }

    /// <summary>base64url of the canonical payload.</summary>
    public string Payload { get; }

    /// <summary>ASCII of <c>protected.payload</c>: the bytes to sign with ECDSA P-256 and SHA-256.</summary>
    public byte[] Bytes { get; }

    /// <summary>The signer's certificate, DER.</summary>
    public ReadOnlyMemory<byte> Certificate => Leaf.Der;

    internal LeafCertificate Leaf { get; }

    /// <summary>What to sign for a payload in its canonical bytes.</summary>
    /// <param name="kind">Summary or retraction.</param>
    /// <param name="role">Doctor or bridge.</param>
    /// <param name="canonicalPayload">As <see cref="MinimalSummary.ToCanonicalJson"/> gives it.</param>
    /// <param name="certificate">The signer's certificate, DER; P-256, or RSA of 2048 bits and more for <c>RS256</c>.</param>
    /// <param name="algorithm"><c>ES256</c>; <c>RS256</c> only where a doctor will answer by WebAuthn.</param>
    /// <exception cref="ArgumentException">The certificate's key does not fit, or the algorithm is no other than these.</exception>
    public static SigningInput Create(EnvelopeKind kind, SignerRole role, ReadOnlySpan<byte> canonicalPayload, ReadOnlySpan<byte> certificate, string algorithm = "ES256")
    {
        if (algorithm != "ES256" && !(algorithm == "RS256" && role == SignerRole.Doctor))
            throw new ArgumentException($"'{algorithm}' is not allowed here: use ES256 (RS256 for a doctor's WebAuthn key)", nameof(algorithm));
        var leaf = LeafCertificate.TryRead(certificate, algorithm == "ES256" ? LeafKey.P256 : LeafKey.Rsa)
            ?? throw new ArgumentException($"the {RoleText(role)}'s certificate is not one DER certificate with a key for {algorithm}", nameof(certificate));
        var header = new JsonObject
        {
            ["alg"] = algorithm,
            ["role"] = RoleText(role),
            ["typ"] = Typ(kind),
            ["x5c"] = new JsonArray(Convert.ToBase64String(leaf.Der)),
        };
        return new SigningInput(kind, role, algorithm, Base64Url.Encode(CanonicalJson.Serialize(header)), Base64Url.Encode(canonicalPayload), leaf);
    }

    /// <summary>What the doctor signs for a summary.</summary>
    public static SigningInput ForDoctor(MinimalSummary summary, ReadOnlySpan<byte> certificate)
    {
        ArgumentNullException.ThrowIfNull(summary);
        return Create(EnvelopeKind.Summary, SignerRole.Doctor, summary.ToCanonicalJson(), certificate);
    }

    /// <summary>What the bridge signs for a summary.</summary>
    public static SigningInput ForBridge(MinimalSummary summary, ReadOnlySpan<byte> certificate)
    {
        ArgumentNullException.ThrowIfNull(summary);
        return Create(EnvelopeKind.Summary, SignerRole.Bridge, summary.ToCanonicalJson(), certificate);
    }

    /// <summary>Signs here, with a key at hand: r ‖ s, low-S. A key in a token signs <see cref="Bytes"/> itself.</summary>
    public byte[] Sign(ECDsa key) => EcdsaSignature.Sign(key, Bytes);

    /// <summary>
    /// Judges a detached signature (r ‖ s) over this input before it is stored: <see cref="VerificationOutcome.SignatureForm"/>,
    /// <see cref="VerificationOutcome.HighS"/>, <see cref="VerificationOutcome.BadSignature"/> or <see cref="VerificationOutcome.Valid"/>.
    /// </summary>
    public VerificationOutcome Verify(ReadOnlySpan<byte> signature)
    {
        var form = EcdsaSignature.Check(signature);
        if (form != VerificationOutcome.Valid)
            return form;
        if (Algorithm != "ES256")
            return VerificationOutcome.BadSignature;
        using var key = LeafCertificate.ImportP256(Leaf.SubjectPublicKeyInfo);
        return EcdsaSignature.Verify(key, Bytes, signature) ? VerificationOutcome.Valid : VerificationOutcome.BadSignature;
    }

    internal static string Typ(EnvelopeKind kind) => kind == EnvelopeKind.Summary ? "bridge-summary+json" : "bridge-retraction+json";

    internal static string RoleText(SignerRole role) => role == SignerRole.Doctor ? "doctor" : "bridge";
}
