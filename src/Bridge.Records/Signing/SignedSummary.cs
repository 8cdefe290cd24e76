using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>A summary under dual authentication (JWS General JSON Serialization, RFC 7515 §7.2.1): the doctor's signature and the bridge's over one payload.</summary>
public sealed class SignedSummary
{
    private readonly DualSigned _signed;

    private SignedSummary(DualSigned signed) => _signed = signed;

    /// <summary>What was signed.</summary>
    public MinimalSummary Summary => (MinimalSummary)_signed.Content;

    /// <summary>The payload's canonical bytes.</summary>
    public ReadOnlyMemory<byte> Payload => _signed.Payload;

    /// <summary>The doctor's certificate, DER; its chain and standing are not judged here.</summary>
    public ReadOnlyMemory<byte> DoctorCertificate => _signed.Doctor.Der;

    /// <summary>The bridge's certificate, DER; its chain and standing are not judged here.</summary>
    public ReadOnlyMemory<byte> BridgeCertificate => _signed.Bridge.Der;

    /// <summary>How the doctor signed.</summary>
    public DoctorShape Shape => _signed.Shape;

    /// <summary>
    /// Verifies form, payload and both signatures, in the order of the contract's interface. Who the signers are is
    /// the directory's question.
    /// </summary>
    /// <param name="json">The envelope, at most 64 KiB.</param>
    /// <param name="webAuthn">The hospital's policy where it enabled WebAuthn; null refuses that shape.</param>
    public static Verification<SignedSummary> Verify(ReadOnlyMemory<byte> json, WebAuthnPolicy? webAuthn = null)
    {
        var result = DualSignedReader.Verify(EnvelopeKind.Summary, json, webAuthn);
        return new(result.Outcome, result.Where, result.Value is { } signed ? new SignedSummary(signed) : null);
    }

    /// <summary>The envelope's canonical JSON from both detached signatures (r ‖ s; brought to low-S). Nothing is verified: <see cref="Verify"/> does.</summary>
    /// <exception cref="ArgumentException">The inputs are not doctor's and bridge's over the same payload.</exception>
    public static byte[] Assemble(SigningInput doctor, ReadOnlySpan<byte> doctorSignature, SigningInput bridge, ReadOnlySpan<byte> bridgeSignature) =>
        Envelope.Assemble(EnvelopeKind.Summary, doctor, Envelope.Jws(doctor, doctorSignature), bridge, bridgeSignature);

    /// <summary>As the other overload, where the doctor answered by WebAuthn.</summary>
    public static byte[] Assemble(SigningInput doctor, WebAuthnAssertion assertion, SigningInput bridge, ReadOnlySpan<byte> bridgeSignature) =>
        Envelope.Assemble(EnvelopeKind.Summary, doctor, Envelope.WebAuthn(doctor, assertion), bridge, bridgeSignature);
}

/// <summary>A retraction under dual authentication, in the same envelope.</summary>
public sealed class SignedRetraction
{
    private readonly DualSigned _signed;

    private SignedRetraction(DualSigned signed) => _signed = signed;

    /// <summary>What was signed.</summary>
    public Retraction Retraction => (Retraction)_signed.Content;

    /// <summary>The doctor's certificate, DER.</summary>
    public ReadOnlyMemory<byte> DoctorCertificate => _signed.Doctor.Der;

    /// <summary>The bridge's certificate, DER.</summary>
    public ReadOnlyMemory<byte> BridgeCertificate => _signed.Bridge.Der;

    /// <summary>As <see cref="SignedSummary.Verify"/>.</summary>
    public static Verification<SignedRetraction> Verify(ReadOnlyMemory<byte> json, WebAuthnPolicy? webAuthn = null)
    {
        var result = DualSignedReader.Verify(EnvelopeKind.Retraction, json, webAuthn);
        return new(result.Outcome, result.Where, result.Value is { } signed ? new SignedRetraction(signed) : null);
    }

    /// <summary>As <see cref="SignedSummary.Assemble(SigningInput, ReadOnlySpan{byte}, SigningInput, ReadOnlySpan{byte})"/>.</summary>
    public static byte[] Assemble(SigningInput doctor, ReadOnlySpan<byte> doctorSignature, SigningInput bridge, ReadOnlySpan<byte> bridgeSignature) =>
        Envelope.Assemble(EnvelopeKind.Retraction, doctor, Envelope.Jws(doctor, doctorSignature), bridge, bridgeSignature);
}

/// <summary>Writes envelopes.</summary>
internal static class Envelope
{
    public static JsonObject Jws(SigningInput input, ReadOnlySpan<byte> signature) => new()
    {
        ["protected"] = input.Protected,
        ["signature"] = Base64Url.Encode(EcdsaSignature.NormaliseLowS(signature)),
    };

    public static JsonObject WebAuthn(SigningInput input, WebAuthnAssertion assertion) => new()
    {
        ["protected"] = input.Protected,
        ["webauthn"] = new JsonObject
        {
            ["authenticatorData"] = Base64Url.Encode(assertion.AuthenticatorData.Span),
            ["clientDataJSON"] = Base64Url.Encode(assertion.ClientDataJson.Span),
            ["signature"] = Base64Url.Encode(assertion.Signature.Span),
            ["n"] = assertion.Count,
            ["index"] = assertion.Index,
            ["path"] = new JsonArray([.. assertion.Path.Select(node => (JsonNode)Base64Url.Encode(node))]),
        },
    };

    public static byte[] Assemble(EnvelopeKind kind, SigningInput doctor, JsonObject doctorSignature, SigningInput bridge, ReadOnlySpan<byte> bridgeSignature)
    {
        if (doctor.Kind != kind || bridge.Kind != kind || doctor.Role != SignerRole.Doctor || bridge.Role != SignerRole.Bridge || doctor.Payload != bridge.Payload)
            throw new ArgumentException($"a {kind} is assembled from a doctor's and a bridge's signing input over the same payload", nameof(doctor));
        return CanonicalJson.Serialize(new JsonObject
        {
            ["payload"] = doctor.Payload,
            ["signatures"] = new JsonArray(doctorSignature, Jws(bridge, bridgeSignature)),
        });
    }
}
