using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Signed summaries in the shape <c>webauthn</c>; the authenticator is played here, step by step, apart from the code under test.</summary>
internal static class WebAuthnVectors
{
    private const string Origin = "https://bridge.hospital.example";
    private const string RpId = "hospital.example";

    private static readonly JsonObject Enabled = new() { ["enabled"] = true, ["origins"] = new JsonArray("https://other.hospital.example", Origin), ["rpId"] = RpId };
    private static readonly JsonObject Disabled = new() { ["enabled"] = false, ["origins"] = new JsonArray(Origin), ["rpId"] = RpId };

    /// <summary>What an authenticator answers, with every part open to change.</summary>
    private sealed record Answer
    {
        public byte Flags { get; init; } = 0x05;
        public string RpId { get; init; } = WebAuthnVectors.RpId;
        public string Origin { get; init; } = WebAuthnVectors.Origin;
        public string Type { get; init; } = "webauthn.get";
        public string MoreClientData { get; init; } = "";
        public byte[] MoreAuthenticatorData { get; init; } = [];
        public string Hospital { get; init; } = "HospitalAMSP";
        public int Count { get; init; } = 1;
        public int Index { get; init; }
        public int? ChallengeCount { get; init; }
        public Func<string, string> ClientData { get; init; } = json => json;
        public Func<byte[], byte[]> Signature { get; init; } = signature => signature;
        public Func<byte[], byte[]> AuthenticatorData { get; init; } = data => data;
        public Action<JsonObject> Assertion { get; init; } = _ => { };
    }

    public static void Add(VectorFile file)
    {
        var forge = new Forge();
        using var patient = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var payload = Encoding.UTF8.GetString(TestRecords.Summary(Pseudonym.FromPublicKey(patient.ExportSubjectPublicKeyInfo())).ToCanonicalJson());
        using var rsaKey = RSA.Create(2048);
        using var weakKey = RSA.Create(1024);
        var rsa = new Signer("Dr Windows Hello", rsaKey);
        var weak = new Signer("Dr Weak Key", weakKey);

        Valid(file, forge, payload, rsa);
        Shapes(file, forge, payload, rsa, weak);
        Forms(file, forge, payload);
        Bound(file, forge, payload, rsa);
    }

    private static void Valid(VectorFile file, Forge forge, string payload, Signer rsa)
    {
        Good("webauthn-valid", new());
        Good("webauthn-valid-first-of-two", new() { Count = 2 });
        Good("webauthn-valid-last-of-three", new() { Count = 3, Index = 2 });
        Good("webauthn-valid-sixth-of-seven", new() { Count = 7, Index = 5 });
        Good("webauthn-valid-last-of-1024", new() { Count = 1024, Index = 1023 });
        Good("webauthn-valid-last-of-1000", new() { Count = 1000, Index = 999 });
        Good("webauthn-valid-more-client-data", new() { MoreClientData = ",\"crossOrigin\":false,\"other_keys_can_be_added_here\":\"do not compare\"" });
        Good("webauthn-valid-more-flags-and-extensions", new() { Flags = 0x9D, MoreAuthenticatorData = [0xA0] });
        file.Add("webauthn-valid-rs256", "VALID", Envelope(forge, payload, new(), rsa, "RS256"), Enabled);
        file.Add("webauthn-valid-high-s-in-der", "VALID", Envelope(forge, payload, new() { Signature = d => EcdsaSignature.ToDer(Forge.Flip(EcdsaSignature.FromDer(d))) }), Enabled);
        file.Add("webauthn-valid-numbers-spelled-oddly", "VALID", Encoding.UTF8.GetBytes(Envelope(forge, payload, new()).ToJsonString()
            .Replace("\"n\":1,", "\"n\":1.0,", StringComparison.Ordinal).Replace("\"index\":0,", "\"index\":-0e3,", StringComparison.Ordinal)), Enabled);
        file.Add("webauthn-enabled-plain-signature-stays-valid", "VALID", forge.Envelope(payload), Enabled);
        file.Add("webauthn-disabled-plain-signature-is-valid", "VALID", forge.Envelope(payload), Disabled);

        void Good(string name, Answer answer) => file.Add(name, "VALID", Envelope(forge, payload, answer), Enabled);
    }

    private static void Shapes(VectorFile file, Forge forge, string payload, Signer rsa, Signer weak)
    {
        file.Add("webauthn-not-enabled", "SHAPE_NOT_ENABLED", Envelope(forge, payload, new()), Disabled);
        file.Add("webauthn-no-policy", "SHAPE_NOT_ENABLED", Envelope(forge, payload, new()));
        file.Add("webauthn-on-the-bridge", "SHAPE_NOT_ENABLED", forge.Envelope(payload).With(e =>
        {
            e.Signature(1).Remove("signature");
            e.Signature(1)["webauthn"] = Envelope(forge, payload, new()).Signature(0)["webauthn"]!.DeepClone();
        }), Enabled);
        file.Add("webauthn-beside-signature", "UNKNOWN_MEMBER", Envelope(forge, payload, new()).With(e => e.Signature(0)["signature"] = "AAAA"), Enabled);
        file.Add("webauthn-without-protected", "MISSING_MEMBER", Envelope(forge, payload, new()).With(e => e.Signature(0).Remove("protected")), Enabled);
        file.Add("webauthn-rs256-with-p256-certificate", "BAD_CERTIFICATE", Envelope(forge, payload, new(), forge.Doctor, "RS256"), Enabled);
        file.Add("webauthn-es256-with-rsa-certificate", "BAD_CERTIFICATE", Envelope(forge, payload, new(), rsa, "ES256"), Enabled);
        file.Add("webauthn-rsa-1024", "BAD_CERTIFICATE", Envelope(forge, payload, new(), weak, "RS256"), Enabled);
        file.Add("webauthn-wrong-alg", "WRONG_ALG", Envelope(forge, payload, new(), rsa, "PS256"), Enabled);
        file.Add("webauthn-same-key", "SAME_KEY", Envelope(forge, payload, new(), bridge: forge.Doctor), Enabled);
        file.Add("webauthn-bridge-high-s", "HIGH_S", Envelope(forge, payload, new()).With(e => e.Signature(1)["signature"] = Base64Url.Encode(Forge.Flip(e.Signature(1).Text()))), Enabled);
        file.Add("webauthn-schema-before-form", "SCHEMA", Envelope(forge, "{}", new() { Assertion = a => a.Clear() }), Enabled);
    }

    private static void Forms(VectorFile file, Forge forge, string payload)
    {
        Bad("webauthn-not-an-object", e => e.Signature(0)["webauthn"] = "x");
        foreach (var member in new[] { "authenticatorData", "clientDataJSON", "signature", "n", "index", "path" })
        {
            Part($"webauthn-without-{member}", new() { Assertion = a => a.Remove(member) });
            Part($"webauthn-{member}-of-another-type", new() { Assertion = a => a[member] = true });
        }
        Part("webauthn-unknown-member", new() { Assertion = a => a["userHandle"] = "AAAA" });
        Part("webauthn-n-0", new() { Assertion = a => a["n"] = 0 });
        Part("webauthn-n-1025", new() { Count = 1025, Index = 1024 });
        Part("webauthn-index-is-n", new() { Assertion = a => a["index"] = 1 });
        Part("webauthn-index-negative", new() { Assertion = a => a["index"] = -1 });
        Part("webauthn-n-fraction", new() { Assertion = a => a["n"] = 1.5 });
        Part("webauthn-path-too-long", new() { Assertion = a => a["path"]!.AsArray().Add(Base64Url.Encode(new byte[32])) });
        Part("webauthn-path-too-short", new() { Count = 3, Assertion = a => a["path"]!.AsArray().RemoveAt(1) });
        Part("webauthn-path-length-of-another-index", new() { Count = 3, Index = 2, Assertion = a => a["index"] = 0 });
        Part("webauthn-path-node-31-bytes", new() { Count = 2, Assertion = a => a["path"]![0] = Base64Url.Encode(new byte[31]) });
        Part("webauthn-path-node-not-a-string", new() { Count = 2, Assertion = a => a["path"]![0] = 1 });
        Part("webauthn-authenticator-data-36-bytes", new() { AuthenticatorData = d => d[..36] });
        Part("webauthn-authenticator-data-1025-bytes", new() { MoreAuthenticatorData = new byte[1025 - 37] });
        Part("webauthn-type-create", new() { Type = "webauthn.create" });
        Part("webauthn-client-data-not-json", new() { ClientData = j => j[..^1] });
        Part("webauthn-client-data-an-array", new() { ClientData = j => $"[{j}]" });
        Part("webauthn-client-data-with-byte-order-mark", new() { ClientData = j => "\ufeff" + j });
        Part("webauthn-client-data-with-duplicate", new() { MoreClientData = $",\"origin\":\"{Origin}\"" });
        Part("webauthn-client-data-without-challenge", new() { ClientData = j => "{\"type\":\"webauthn.get\",\"origin\":\"" + Origin + "\"}" });
        Part("webauthn-cross-origin-not-a-boolean", new() { MoreClientData = ",\"crossOrigin\":\"false\"" });
        Part("webauthn-client-data-with-padding", new() { Assertion = a => a["clientDataJSON"] = a["clientDataJSON"]!.GetValue<string>() + "=" });

        void Part(string name, Answer answer) => file.Add(name, "WEBAUTHN_FORM", Envelope(forge, payload, answer), Enabled);
        void Bad(string name, Action<JsonObject> change) => file.Add(name, "WEBAUTHN_FORM", Envelope(forge, payload, new()).With(change), Enabled);
    }

    private static void Bound(VectorFile file, Forge forge, string payload, Signer rsa)
    {
        Bad("webauthn-challenge-of-another-hospital", "WEBAUTHN_CHALLENGE", new() { Hospital = "HospitalBMSP" });
        Bad("webauthn-challenge-of-another-count", "WEBAUTHN_CHALLENGE", new() { ChallengeCount = 2 });
        Bad("webauthn-challenge-by-another-sibling", "WEBAUTHN_CHALLENGE", new() { Count = 2, Assertion = a => a["path"]![0] = Base64Url.Encode(new byte[32]) });
        Bad("webauthn-challenge-by-another-index", "WEBAUTHN_CHALLENGE", new() { Count = 4, Index = 1, Assertion = a => a["index"] = 2 });
        Bad("webauthn-challenge-in-standard-base64", "WEBAUTHN_CHALLENGE", new() { ClientData = j => j.Replace("\"challenge\":\"", "\"challenge\":\" ", StringComparison.Ordinal) });
        file.Add("webauthn-challenge-for-another-payload", "WEBAUTHN_CHALLENGE", Resigned(forge, payload), Enabled);
        Bad("webauthn-origin-unknown", "WEBAUTHN_ORIGIN", new() { Origin = "https://evil.example" });
        Bad("webauthn-origin-with-port", "WEBAUTHN_ORIGIN", new() { Origin = Origin + ":443" });
        Bad("webauthn-origin-in-capitals", "WEBAUTHN_ORIGIN", new() { Origin = "https://Bridge.hospital.example" });
        Bad("webauthn-origin-with-slash", "WEBAUTHN_ORIGIN", new() { Origin = Origin + "/" });
        Bad("webauthn-cross-origin", "WEBAUTHN_ORIGIN", new() { MoreClientData = ",\"crossOrigin\":true" });
        Bad("webauthn-other-relying-party", "WEBAUTHN_ORIGIN", new() { RpId = "bridge.hospital.example" });
        Bad("webauthn-no-user-present", "WEBAUTHN_FLAGS", new() { Flags = 0x04 });
        Bad("webauthn-no-user-verified", "WEBAUTHN_FLAGS", new() { Flags = 0x01 });
        Bad("webauthn-bad-signature", "BAD_SIGNATURE", new() { AuthenticatorData = d => [.. d[..36], (byte)(d[36] + 1)] });
        Bad("webauthn-signature-not-der", "BAD_SIGNATURE", new() { Signature = d => EcdsaSignature.FromDer(d) });
        Bad("webauthn-signature-empty", "BAD_SIGNATURE", new() { Signature = _ => [] });
        file.Add("webauthn-bad-signature-rs256", "BAD_SIGNATURE", Envelope(forge, payload, new() { AuthenticatorData = d => [.. d[..36], (byte)(d[36] + 1)] }, rsa, "RS256"), Enabled);
        file.Add("webauthn-rs256-as-pss", "BAD_SIGNATURE", Envelope(forge, payload, new(), rsa, "RS256", RSASignaturePadding.Pss), Enabled);
        file.Add("webauthn-by-another-key", "BAD_SIGNATURE", Envelope(forge, payload, new() { Signature = d => ((ECDsa)forge.Bridge.Key).SignData("x"u8, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) }), Enabled);
        file.Add("webauthn-bad-bridge-signature", "BAD_SIGNATURE", Envelope(forge, payload, new()).With(e => e.Signature(1)["signature"] = Base64Url.Encode(forge.Bridge.Sign("x"))), Enabled);
        file.Add("webauthn-before-bridge-signature", "WEBAUTHN_FLAGS", Envelope(forge, payload, new() { Flags = 0 }).With(e => e.Signature(1)["signature"] = Base64Url.Encode(forge.Bridge.Sign("x"))), Enabled);

        void Bad(string name, string outcome, Answer answer) => file.Add(name, outcome, Envelope(forge, payload, answer), Enabled);
    }

    /// <summary>The doctor's answer to one payload, the bridge's signature over another.</summary>
    private static JsonObject Resigned(Forge forge, string payload)
    {
        var other = payload.Replace("female", "male", StringComparison.Ordinal);
        var envelope = forge.Envelope(other);
        envelope["signatures"]![0] = Envelope(forge, payload, new()).Signature(0).DeepClone();
        return envelope;
    }

    private static JsonObject Envelope(
        Forge forge, string payload, Answer answer, Signer? doctor = null, string alg = "ES256", RSASignaturePadding? padding = null, Signer? bridge = null)
    {
        doctor ??= forge.Doctor;
        var header = forge.DoctorHeader(doctor, alg);
        var input = $"{Forge.B64(header)}.{Forge.B64(payload)}";
        var leaves = Enumerable.Range(0, answer.Count)
            .Select(i => Hash([0], i == answer.Index ? Encoding.ASCII.GetBytes(input) : Encoding.ASCII.GetBytes($"another record {i}"))).ToArray();
        var path = new List<byte[]>();
        var root = Climb(leaves, answer.Index, path);
        var challenge = SHA256.HashData(
        [
            .. "bridge-cosign-v1\0"u8, .. SHA256.HashData(doctor.Certificate), .. SHA256.HashData(Encoding.UTF8.GetBytes(answer.Hospital)),
            0, 0, (byte)((answer.ChallengeCount ?? answer.Count) >> 8), (byte)(answer.ChallengeCount ?? answer.Count), .. root,
        ]);
        var clientData = Encoding.UTF8.GetBytes(answer.ClientData(
            $"{{\"type\":\"{answer.Type}\",\"challenge\":\"{Base64Url.Encode(challenge)}\",\"origin\":\"{answer.Origin}\"{answer.MoreClientData}}}"));
        byte[] authenticatorData = [.. SHA256.HashData(Encoding.UTF8.GetBytes(answer.RpId)), answer.Flags, 0, 0, 0, 7, .. answer.MoreAuthenticatorData];
        byte[] signed = [.. authenticatorData, .. SHA256.HashData(clientData)];
        var signature = doctor.Key is ECDsa ec
            ? ec.SignData(signed, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
            : ((RSA)doctor.Key).SignData(signed, HashAlgorithmName.SHA256, padding ?? RSASignaturePadding.Pkcs1);
        var assertion = new JsonObject
        {
            ["authenticatorData"] = Base64Url.Encode(answer.AuthenticatorData(authenticatorData)),
            ["clientDataJSON"] = Base64Url.Encode(clientData),
            ["signature"] = Base64Url.Encode(answer.Signature(signature)),
            ["n"] = answer.Count,
            ["index"] = answer.Index,
            ["path"] = new JsonArray([.. path.Select(p => (JsonNode)Base64Url.Encode(p))]),
        };
        answer.Assertion(assertion);
        var envelope = forge.Envelope(payload, bridge: bridge);
        envelope["signatures"]![0] = new JsonObject { ["protected"] = Forge.B64(header), ["webauthn"] = assertion };
        return envelope;
    }

    /// <summary>Level by level, an odd last node rising as it is: the same tree as RFC 9162's recursive split, found another way than the code under test.</summary>
    private static byte[] Climb(byte[][] level, int index, List<byte[]> path)
    {
        while (level.Length > 1)
        {
            var sibling = index ^ 1;
            if (sibling < level.Length)
                path.Add(level[sibling]);
            level = [.. level.Chunk(2).Select(pair => pair.Length == 2 ? Hash([1], [.. pair[0], .. pair[1]]) : pair[0])];
            index /= 2;
        }
        return level[0];
    }

    private static byte[] Hash(byte[] prefix, byte[] data) => SHA256.HashData([.. prefix, .. data]);
}
