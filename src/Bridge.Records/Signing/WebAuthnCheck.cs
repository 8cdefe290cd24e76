using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Bridge.Records;

/// <summary>Reads and judges a WebAuthn answer (W3C Web Authentication §7.2, the steps that hold without a session).</summary>
internal static class WebAuthnCheck
{
    private const byte UserPresent = 0x01;
    private const byte UserVerified = 0x04;
    private static readonly string[] Members = ["authenticatorData", "clientDataJSON", "signature", "n", "index", "path"];

    public static VerificationOutcome Check(
        JsonElement webauthn, LeafCertificate doctor, string algorithm, byte[] signingInput, string hospital, WebAuthnPolicy policy)
    {
        if (Read(webauthn) is not { } assertion || ReadClientData(assertion.ClientDataJson) is not { } client)
            return VerificationOutcome.WebAuthnForm;
        var root = MerkleTree.RootFrom(MerkleTree.Leaf(signingInput), assertion.Index, assertion.Count, assertion.Path);
        if (root is null)
            return VerificationOutcome.WebAuthnForm;
        if (client.Challenge != Base64Url.Encode(MerkleTree.Challenge(doctor.Der, hospital, assertion.Count, root)))
            return VerificationOutcome.WebAuthnChallenge;
        var data = assertion.AuthenticatorData.Span;
        if (!policy.Origins.Contains(client.Origin) || client.CrossOrigin || !data[..32].SequenceEqual(SHA256.HashData(Encoding.UTF8.GetBytes(policy.RpId))))
            return VerificationOutcome.WebAuthnOrigin;
        if ((data[32] & UserPresent) == 0 || (data[32] & UserVerified) == 0)
            return VerificationOutcome.WebAuthnFlags;
        return HasSigned(doctor, algorithm, assertion) ? VerificationOutcome.Valid : VerificationOutcome.BadSignature;
    }

    private static bool HasSigned(LeafCertificate doctor, string algorithm, WebAuthnAssertion assertion)
    {
        var signed = new byte[assertion.AuthenticatorData.Length + 32];
        assertion.AuthenticatorData.Span.CopyTo(signed);
        SHA256.HashData(assertion.ClientDataJson.Span, signed.AsSpan(assertion.AuthenticatorData.Length));
        if (algorithm == "RS256")
        {
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(doctor.SubjectPublicKeyInfo, out _);
            return rsa.VerifyData(signed, assertion.Signature.Span, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        }
        using var key = LeafCertificate.ImportP256(doctor.SubjectPublicKeyInfo);
        return key.VerifyData(signed, assertion.Signature.Span, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    private static WebAuthnAssertion? Read(JsonElement webauthn)
    {
        var closed = new Closed();
        if (!closed.Object(webauthn, "", Members))
            return null;
        if (!Base64Url.TryDecode(closed.Text(webauthn, "", "authenticatorData"), out var data) || data.Length is < 37 or > 1024
            || !Base64Url.TryDecode(closed.Text(webauthn, "", "clientDataJSON"), out var client)
            || !Base64Url.TryDecode(closed.Text(webauthn, "", "signature"), out var signature))
            return null;
        var count = (int)closed.Integer(webauthn, "", "n", 1, WebAuthnBatch.MaxCount);
        var index = (int)closed.Integer(webauthn, "", "index", 0, WebAuthnBatch.MaxCount - 1);
        var path = new List<byte[]>();
        if (webauthn.GetProperty("path") is not { ValueKind: JsonValueKind.Array } array || array.GetArrayLength() > 10)
            return null;
        foreach (var item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !Base64Url.TryDecode(item.GetString(), out var node) || node.Length != 32)
                return null;
            path.Add(node);
        }
        return closed.Fault is null && index < count ? new WebAuthnAssertion(data, client, signature, count, index, path) : null;
    }

    private static (string Challenge, string Origin, bool CrossOrigin)? ReadClientData(ReadOnlyMemory<byte> json)
    {
        if (StrictJson.Parse(json, out var document) != JsonFault.None)
            return null;
        using (document)
        {
            var root = document!.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "type") != "webauthn.get" || Text(root, "challenge") is not { } challenge
                || Text(root, "origin") is not { } origin)
                return null;
            var crossOrigin = root.TryGetProperty("crossOrigin", out var value);
            if (crossOrigin && value.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
                return null;
            return (challenge, origin, crossOrigin && value.GetBoolean());
        }
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
