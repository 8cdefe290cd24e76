using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Signed summaries in the shape <c>jws</c>: valid ones, and one per way of being invalid.</summary>
internal static class SignedSummaryVectors
{
    public static VectorFile Make()
    {
        var file = new VectorFile("signed-summary");
        var forge = new Forge();
        using var patient = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var summary = TestRecords.Summary(Pseudonym.FromPublicKey(patient.ExportSubjectPublicKeyInfo()));
        var good = Encoding.UTF8.GetString(summary.ToCanonicalJson());
        Valid(file, forge, summary);
        Document(file, forge, good);
        Members(file, forge, good);
        Headers(file, forge, good);
        Certificates(file, forge, good);
        SignatureForms(file, forge, good);
        Payloads(file, forge, good);
        SchemaVectors.Add(file, forge, good);
        Signatures(file, forge, good);
        return file;
    }

    private static void Valid(VectorFile file, Forge forge, MinimalSummary summary)
    {
        Add("valid", summary);
        Add("valid-least", summary with { Treatments = [], Disposition = null, Conditions = [summary.Conditions[0]] });
        Add("valid-supersedes", summary with { Supersedes = SummaryId.New() });
        Add("valid-generalised-quarter-block-twenty-years", summary with
        {
            Period = "2026-Q3",
            AgeBand = "40-59",
            Conditions = [new(CodeSystems.Icd10, "E10-E14", CodeLevel.Block, 1), new(CodeSystems.Icd10Cn, "I10", CodeLevel.Category, 2)],
        });
        Add("valid-generalised-year-chapter", summary with { Period = "2199", AgeBand = "80+", Conditions = [new(CodeSystems.Icd10Cm, "E00-E89", CodeLevel.Chapter, 1)] });
        Add("valid-most", summary with
        {
            Conditions = [.. Enumerable.Range(1, 8).Select(i => new CodedConcept(CodeSystems.Snomed, $"7000{i}", CodeLevel.Code, i))],
            Treatments =
            [
                .. Enumerable.Range(0, 8).Select(i => new Treatment(CodeSystems.Atc, $"A10BA0{i}", TreatmentKind.Medication)),
                .. Enumerable.Range(0, 8).Select(i => new Treatment(CodeSystems.Icd9Cm, $"99.{i}", TreatmentKind.Procedure)),
            ],
        });
        Add("valid-same-code-in-two-systems", summary with
        {
            Conditions = [new(CodeSystems.Icd10, "I10", CodeLevel.Code, 1), new(CodeSystems.Icd10Cm, "I10", CodeLevel.Code, 2)],
        });
        var text = forge.Envelope(Encoding.UTF8.GetString(summary.ToCanonicalJson())).ToJsonString();
        file.Add("valid-envelope-with-white-space", "VALID", Encoding.UTF8.GetBytes("\r\n\t " + text.Replace(",", " ,\n", StringComparison.Ordinal) + " \n"));
        file.Add("valid-envelope-with-escapes", "VALID", Encoding.UTF8.GetBytes(text.Replace("payload", "p\\u0061yload", StringComparison.Ordinal)));
        var reordered = forge.Envelope(Encoding.UTF8.GetString(summary.ToCanonicalJson()));
        file.Add("valid-envelope-in-another-order", "VALID", new JsonObject { ["signatures"] = reordered["signatures"]!.DeepClone(), ["payload"] = reordered["payload"]!.DeepClone() });

        void Add(string name, MinimalSummary one) => file.Add(name, "VALID", forge.Envelope(Encoding.UTF8.GetString(one.ToCanonicalJson())));
    }

    private static void Document(VectorFile file, Forge forge, string good)
    {
        var text = forge.Envelope(good).ToJsonString();
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Add("too-large", "TOO_LARGE", Encoding.UTF8.GetBytes(text + new string(' ', 65537 - bytes.Length)));
        file.Add("malformed-empty", "MALFORMED", Array.Empty<byte>());
        file.Add("malformed-truncated", "MALFORMED", bytes[..^1]);
        file.Add("malformed-trailing-text", "MALFORMED", Encoding.UTF8.GetBytes(text + "{}"));
        file.Add("malformed-trailing-comma", "MALFORMED", Encoding.UTF8.GetBytes(text[..^1] + ",}"));
        file.Add("malformed-comment", "MALFORMED", Encoding.UTF8.GetBytes("/* */" + text));
        file.Add("malformed-byte-order-mark", "MALFORMED", [0xEF, 0xBB, 0xBF, .. bytes]);
        file.Add("malformed-not-utf8", "MALFORMED", [.. Encoding.UTF8.GetBytes(text[..^1] + ",\"x\":\""), 0xC3, 0x28, .. "\"}"u8]);
        file.Add("malformed-utf16", "MALFORMED", Encoding.Unicode.GetBytes(text));
        file.Add("malformed-array", "MALFORMED", Encoding.UTF8.GetBytes($"[{text}]"));
        file.Add("malformed-array-with-duplicate", "MALFORMED", "[{\"a\":1,\"a\":1}]"u8.ToArray());
        file.Add("malformed-lone-surrogate", "MALFORMED", Encoding.UTF8.GetBytes(text[..^1] + ",\"x\":\"\\ud800\"}"));
        file.Add("malformed-lone-surrogate-in-name", "MALFORMED", Encoding.UTF8.GetBytes(text[..^1] + ",\"\\udc00\":1}"));
        file.Add("malformed-number-out-of-range", "MALFORMED", Encoding.UTF8.GetBytes(text[..^1] + ",\"x\":1e999}"));
        file.Add("malformed-seventeen-deep", "MALFORMED", Encoding.UTF8.GetBytes($"{text[..^1]},\"x\":{new string('[', 16)}{new string(']', 16)}}}"));
        file.Add("sixteen-deep-is-read", "UNKNOWN_MEMBER", Encoding.UTF8.GetBytes($"{text[..^1]},\"x\":{new string('[', 15)}{new string(']', 15)}}}"));
        file.Add("malformed-before-duplicate", "MALFORMED", Encoding.UTF8.GetBytes(text[..^1] + ",\"payload\":\"\",}"));
        file.Add("duplicate-payload", "DUPLICATE_MEMBER", Encoding.UTF8.GetBytes(text[..^1] + ",\"payload\":\"e30\"}"));
        file.Add("duplicate-payload-of-equal-value", "DUPLICATE_MEMBER", Encoding.UTF8.GetBytes($"{text[..^1]},\"payload\":\"{Forge.B64(good)}\"}}"));
        file.Add("duplicate-payload-by-escape", "DUPLICATE_MEMBER", Encoding.UTF8.GetBytes(text[..^1] + ",\"\\u0070ayload\":\"e30\"}"));
        file.Add("duplicate-in-signature", "DUPLICATE_MEMBER", Encoding.UTF8.GetBytes(text.Replace("{\"protected\"", "{\"signature\":\"\",\"protected\"", StringComparison.Ordinal)));
        file.Add("duplicate-deep-in-unknown-member", "DUPLICATE_MEMBER", Encoding.UTF8.GetBytes(text[..^1] + ",\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}"));
        file.Add("duplicate-before-missing-member", "DUPLICATE_MEMBER", "{\"a\":1,\"a\":1}"u8.ToArray());
    }

    private static void Members(VectorFile file, Forge forge, string good)
    {
        file.Add("missing-payload", "MISSING_MEMBER", forge.Envelope(good).With(e => e.Remove("payload")));
        file.Add("missing-signatures", "MISSING_MEMBER", forge.Envelope(good).With(e => e.Remove("signatures")));
        file.Add("missing-before-unknown", "MISSING_MEMBER", forge.Envelope(good).With(e => { e.Remove("payload"); e["x"] = 1; }));
        file.Add("unknown-envelope-member", "UNKNOWN_MEMBER", forge.Envelope(good).With(e => e["iat"] = 1));
        file.Add("unknown-header-at-envelope", "UNKNOWN_MEMBER", forge.Envelope(good).With(e => e["header"] = new JsonObject()));
        file.Add("signatures-not-an-array", "SIGNATURE_COUNT", forge.Envelope(good).With(e => e["signatures"] = new JsonObject()));
        file.Add("no-signature", "SIGNATURE_COUNT", forge.Envelope(good).With(e => e["signatures"] = new JsonArray()));
        file.Add("doctor-without-bridge", "SIGNATURE_COUNT", forge.Envelope(good).With(e => e["signatures"]!.AsArray().RemoveAt(1)));
        file.Add("bridge-without-doctor", "SIGNATURE_COUNT", forge.Envelope(good).With(e => e["signatures"]!.AsArray().RemoveAt(0)));
        file.Add("three-signatures", "SIGNATURE_COUNT", forge.Envelope(good).With(e => e["signatures"]!.AsArray().Add(e.Signature(1).DeepClone())));
        file.Add("unprotected-header-doctor", "UNPROTECTED_HEADER", forge.Envelope(good).With(e => e.Signature(0)["header"] = new JsonObject { ["kid"] = "1" }));
        file.Add("unprotected-header-bridge-empty", "UNPROTECTED_HEADER", forge.Envelope(good).With(e => e.Signature(1)["header"] = new JsonObject()));
        file.Add("unprotected-header-before-shape", "UNPROTECTED_HEADER", forge.Envelope(good).With(e => { e.Signature(0)["header"] = null; e.Signature(0)["webauthn"] = null; }));
        file.Add("signature-not-an-object", "MISSING_MEMBER", forge.Envelope(good).With(e => e["signatures"]![0] = "x"));
        file.Add("missing-protected", "MISSING_MEMBER", forge.Envelope(good).With(e => e.Signature(0).Remove("protected")));
        file.Add("missing-signature", "MISSING_MEMBER", forge.Envelope(good).With(e => e.Signature(1).Remove("signature")));
        file.Add("unknown-signature-member", "UNKNOWN_MEMBER", forge.Envelope(good).With(e => e.Signature(1)["kid"] = "1"));
        file.Add("doctors-members-before-bridges", "UNKNOWN_MEMBER", forge.Envelope(good).With(e => { e.Signature(0)["kid"] = "1"; e.Signature(1).Remove("signature"); }));
        file.Add("members-before-headers", "UNKNOWN_MEMBER", forge.Envelope(good).With(e => { e.Signature(0)["protected"] = "!"; e.Signature(1)["kid"] = "1"; }));
    }

    private static void Headers(VectorFile file, Forge forge, string good)
    {
        Raw("header-not-a-string", "BAD_HEADER", JsonValue.Create(1));
        Raw("header-with-padding", "BAD_HEADER", JsonValue.Create(Forge.B64("{}") + "="));
        Raw("header-of-standard-base64", "BAD_HEADER", JsonValue.Create("ey+/"));
        Raw("header-with-spare-bits", "BAD_HEADER", JsonValue.Create("e31"));
        Raw("header-empty", "BAD_HEADER", JsonValue.Create(""));
        Raw("header-not-json", "BAD_HEADER", JsonValue.Create(Forge.B64("alg=ES256")));
        Raw("header-an-array", "BAD_HEADER", JsonValue.Create(Forge.B64("[]")));
        var header = forge.DoctorHeader();
        Doctor("header-with-duplicate", "BAD_HEADER", header[..^1] + ",\"alg\":\"ES256\"}");
        Doctor("header-with-white-space", "BAD_HEADER", header.Replace(",", ", ", StringComparison.Ordinal));
        Doctor("header-in-another-order", "BAD_HEADER", $"{{\"typ\":\"bridge-summary+json\",\"alg\":\"ES256\",\"role\":\"doctor\",\"x5c\":[\"{forge.Doctor.X5c}\"]}}");
        Doctor("header-with-escape", "BAD_HEADER", header.Replace("ES256", "\\u0045S256", StringComparison.Ordinal));
        Doctor("header-with-escape-in-x5c", "BAD_HEADER", header.Replace("MIIB", "\\u004dIIB", StringComparison.Ordinal));
        Doctor("critical-crit", "CRITICAL_HEADER", Forge.Change(header, h => h["crit"] = new JsonArray("exp")));
        Doctor("critical-b64", "CRITICAL_HEADER", Forge.Change(header, h => h["b64"] = false));
        Doctor("critical-before-unknown-and-alg", "CRITICAL_HEADER", Forge.Change(header, h => { h["crit"] = new JsonArray("b64"); h["b64"] = true; h["kid"] = "1"; h["alg"] = "none"; }));
        Bridge("critical-crit-bridge", "CRITICAL_HEADER", Forge.Change(forge.BridgeHeader(), h => h["crit"] = new JsonArray("exp")));
        Doctor("unknown-header-iat", "UNKNOWN_HEADER", Forge.Change(header, h => h["iat"] = 1763625600));
        Doctor("unknown-header-kid", "UNKNOWN_HEADER", Forge.Change(header, h => h["kid"] = "1"));
        Doctor("unknown-header-jwk", "UNKNOWN_HEADER", Forge.Change(header, h => h["jwk"] = new JsonObject()));
        Doctor("header-without-typ", "UNKNOWN_HEADER", Forge.Change(header, h => h.Remove("typ")));
        Doctor("header-without-role", "UNKNOWN_HEADER", Forge.Change(header, h => h.Remove("role")));
        Doctor("header-without-x5c", "UNKNOWN_HEADER", Forge.Change(header, h => h.Remove("x5c")));
        Doctor("header-kid-instead-of-x5c", "UNKNOWN_HEADER", Forge.Change(header, h => { h.Remove("x5c"); h["kid"] = "1"; }));
        Doctor("header-alg-not-a-string", "UNKNOWN_HEADER", Forge.Change(header, h => h["alg"] = 256));
        Doctor("header-x5c-not-an-array", "UNKNOWN_HEADER", Forge.Change(header, h => h["x5c"] = forge.Doctor.X5c));
        Doctor("wrong-alg-none", "WRONG_ALG", Forge.Change(header, h => h["alg"] = "none"));
        Doctor("wrong-alg-hs256", "WRONG_ALG", Forge.Change(header, h => h["alg"] = "HS256"));
        Doctor("wrong-alg-es384", "WRONG_ALG", Forge.Change(header, h => h["alg"] = "ES384"));
        Doctor("wrong-alg-lower-case", "WRONG_ALG", Forge.Change(header, h => h["alg"] = "es256"));
        Doctor("wrong-alg-rs256-without-webauthn", "WRONG_ALG", Forge.Change(header, h => h["alg"] = "RS256"));
        Bridge("wrong-alg-bridge", "WRONG_ALG", Forge.Change(forge.BridgeHeader(), h => h["alg"] = "RS256"));
        Doctor("wrong-typ-retraction", "WRONG_TYP", Forge.Change(header, h => h["typ"] = "bridge-retraction+json"));
        Doctor("wrong-typ-signin", "WRONG_TYP", Forge.Change(header, h => h["typ"] = "bridge-signin+jws"));
        Bridge("wrong-typ-bridge", "WRONG_TYP", Forge.Change(forge.BridgeHeader(), h => h["typ"] = "JOSE+JSON"));
        Doctor("wrong-role-first-is-bridge", "WRONG_ROLE", Forge.Change(header, h => h["role"] = "bridge"));
        Bridge("wrong-role-second-is-doctor", "WRONG_ROLE", Forge.Change(forge.BridgeHeader(), h => h["role"] = "doctor"));
        Doctor("wrong-role-unknown", "WRONG_ROLE", Forge.Change(header, h => h["role"] = "nurse"));
        file.Add("wrong-role-swapped", "WRONG_ROLE", forge.Envelope(good).With(e =>
        {
            var first = e.Signature(0).DeepClone();
            e["signatures"] = new JsonArray(e.Signature(1).DeepClone(), first);
        }));
        file.Add("doctors-header-before-bridges", "WRONG_TYP", forge.Envelope(
            good, Forge.Change(header, h => h["typ"] = "x"), Forge.Change(forge.BridgeHeader(), h => h["crit"] = new JsonArray())));
        file.Add("headers-before-signature-form", "WRONG_ALG", forge.Envelope(good, null, Forge.Change(forge.BridgeHeader(), h => h["alg"] = "none")).With(e => e.Signature(0)["signature"] = ""));

        void Raw(string name, string outcome, JsonNode value) => file.Add(name, outcome, forge.Envelope(good).With(e => e.Signature(0)["protected"] = value));
        void Doctor(string name, string outcome, string changed) => file.Add(name, outcome, forge.Envelope(good, changed));
        void Bridge(string name, string outcome, string changed) => file.Add(name, outcome, forge.Envelope(good, null, changed));
    }

    private static void Certificates(VectorFile file, Forge forge, string good)
    {
        var header = forge.DoctorHeader();
        var x5c = forge.Doctor.X5c;
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        Bad("certificate-none", []);
        Bad("certificate-two", [x5c, forge.Bridge.X5c]);
        Bad("certificate-not-a-string", [1]);
        Bad("certificate-empty", [""]);
        Bad("certificate-junk", [Convert.ToBase64String("no certificate"u8)]);
        Bad("certificate-a-public-key", [Convert.ToBase64String(((ECDsa)forge.Doctor.Key).ExportSubjectPublicKeyInfo())]);
        Bad("certificate-with-trailing-byte", [Convert.ToBase64String([.. forge.Doctor.Certificate, 0])]);
        Bad("certificate-truncated", [Convert.ToBase64String(forge.Doctor.Certificate.AsSpan()[..^1])]);
        Bad("certificate-base64url", [Base64Url.Encode(forge.Doctor.Certificate)]);
        Bad("certificate-with-line-break", [x5c[..64] + "\n" + x5c[64..]]);
        Bad("certificate-pem", [Convert.ToBase64String(Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE", forge.Doctor.Certificate)))]);
        Bad("certificate-p384", [new Signer("Dr P384", p384).X5c]);
        Bad("certificate-rsa", [new Signer("Dr Rsa", rsa).X5c]);

        void Bad(string name, JsonNode[] certificates) =>
            file.Add(name, "BAD_CERTIFICATE", forge.Envelope(good, Forge.Change(header, h => h["x5c"] = new JsonArray(certificates))));
    }

    private static void SignatureForms(VectorFile file, Forge forge, string good)
    {
        Change("signature-der", "SIGNATURE_FORM", 0, s => EcdsaSignature.ToDer(s));
        Change("signature-der-bridge", "SIGNATURE_FORM", 1, s => EcdsaSignature.ToDer(s));
        Change("signature-63-bytes", "SIGNATURE_FORM", 0, s => s[..63]);
        Change("signature-65-bytes", "SIGNATURE_FORM", 0, s => [.. s, 0]);
        Change("signature-empty", "SIGNATURE_FORM", 0, _ => []);
        Change("signature-r-zero", "SIGNATURE_FORM", 0, s => [.. new byte[32], .. s[32..]]);
        Change("signature-s-zero", "SIGNATURE_FORM", 0, s => [.. s[..32], .. new byte[32]]);
        Change("signature-r-is-order", "SIGNATURE_FORM", 0, s => [.. Forge.GroupOrder, .. s[32..]]);
        Change("signature-s-is-order", "SIGNATURE_FORM", 1, s => [.. s[..32], .. Forge.GroupOrder]);
        Change("signature-s-all-ones", "SIGNATURE_FORM", 1, s => [.. s[..32], .. Enumerable.Repeat((byte)0xFF, 32)]);
        Change("high-s-doctor", "HIGH_S", 0, Forge.Flip);
        Change("high-s-bridge", "HIGH_S", 1, Forge.Flip);
        file.Add("signature-with-padding", "SIGNATURE_FORM", forge.Envelope(good).With(e => e.Signature(0)["signature"] = Convert.ToBase64String(e.Signature(0).Text()).Replace('+', '-').Replace('/', '_')));
        file.Add("signature-with-spare-bits", "SIGNATURE_FORM", forge.Envelope(good).With(e => e.Signature(0)["signature"] = e.Signature(0)["signature"]!.GetValue<string>()[..^1] + "_"));
        file.Add("signature-not-a-string", "SIGNATURE_FORM", forge.Envelope(good).With(e => e.Signature(0)["signature"] = null));
        file.Add("same-key-one-certificate", "SAME_KEY", forge.Envelope(good, bridge: forge.Doctor));
        var twin = forge.Doctor.NewCertificate("the same key under another name");
        file.Add("same-key-two-certificates", "SAME_KEY", forge.Envelope(good, bridgeHeader: Forge.Header("ES256", "bridge", forge.Typ, Convert.ToBase64String(twin)), bridge: forge.Doctor));
        file.Add("high-s-before-same-key", "HIGH_S", forge.Envelope(good, bridge: forge.Doctor).With(e => e.Signature(1)["signature"] = Base64Url.Encode(Forge.Flip(e.Signature(1).Text()))));
        file.Add("same-key-before-payload", "SAME_KEY", forge.Envelope("[]", bridge: forge.Doctor));

        void Change(string name, string outcome, int index, Func<byte[], byte[]> change) =>
            file.Add(name, outcome, forge.Envelope(good).With(e => e.Signature(index)["signature"] = Base64Url.Encode(change(e.Signature(index).Text()))));
    }

    private static void Payloads(VectorFile file, Forge forge, string good)
    {
        file.Add("payload-not-a-string", "BAD_PAYLOAD", forge.Envelope(good).With(e => e["payload"] = JsonNode.Parse(good)));
        file.Add("payload-with-padding", "BAD_PAYLOAD", forge.EnvelopeOf(Forge.B64("{\"v\":1}") + "=="));
        file.Add("payload-standard-base64", "BAD_PAYLOAD", forge.EnvelopeOf("ey+/"));
        file.Add("payload-empty", "BAD_PAYLOAD", forge.EnvelopeOf(""));
        file.Add("payload-not-json", "BAD_PAYLOAD", forge.Envelope("summary"));
        file.Add("payload-not-utf8", "BAD_PAYLOAD", forge.EnvelopeOf(Base64Url.Encode([.. "{\"v\":\""u8, 0xFF, .. "\"}"u8])));
        file.Add("payload-an-array", "BAD_PAYLOAD", forge.Envelope($"[{good}]"));
        file.Add("payload-with-duplicate", "BAD_PAYLOAD", forge.Envelope(good[..^1] + ",\"v\":1}"));
        file.Add("payload-with-duplicate-by-escape", "BAD_PAYLOAD", forge.Envelope(good[..^1] + ",\"\\u0076\":1}"));
        file.Add("payload-lone-surrogate", "BAD_PAYLOAD", forge.Envelope(good[..^1] + ",\"x\":\"\\ud800\"}"));
        file.Add("payload-with-white-space", "NOT_CANONICAL", forge.Envelope(good.Replace(":", ": ", StringComparison.Ordinal)));
        file.Add("payload-with-last-line-break", "NOT_CANONICAL", forge.Envelope(good + "\n"));
        file.Add("payload-in-another-order", "NOT_CANONICAL", forge.Envelope("{\"v\":1," + good[1..^7] + "}"));
        file.Add("payload-with-needless-escape", "NOT_CANONICAL", forge.Envelope(good.Replace("female", "\\u0066emale", StringComparison.Ordinal)));
        file.Add("payload-with-number-in-another-form", "NOT_CANONICAL", forge.Envelope(good.Replace("\"v\":1}", "\"v\":1.0}", StringComparison.Ordinal)));
        file.Add("payload-with-exponent", "NOT_CANONICAL", forge.Envelope(good.Replace("\"v\":1}", "\"v\":1e0}", StringComparison.Ordinal)));
        file.Add("not-canonical-before-schema", "NOT_CANONICAL", forge.Envelope("{ }"));
    }

    private static void Signatures(VectorFile file, Forge forge, string good)
    {
        var other = Signer.P256("Dr Someone Else");
        file.Add("bad-signature-doctor-by-another-key", "BAD_SIGNATURE", forge.Envelope(good, forge.DoctorHeader(), doctor: other));
        file.Add("bad-signature-bridge-by-another-key", "BAD_SIGNATURE", forge.Envelope(good, bridgeHeader: forge.BridgeHeader(), bridge: other));
        file.Add("bad-signature-swapped", "BAD_SIGNATURE", forge.Envelope(good).With(e =>
        {
            var first = e.Signature(0)["signature"]!.GetValue<string>();
            e.Signature(0)["signature"] = e.Signature(1)["signature"]!.GetValue<string>();
            e.Signature(1)["signature"] = first;
        }));
        file.Add("bad-signature-payload-replaced", "BAD_SIGNATURE", forge.Envelope(good).With(e => e["payload"] = Forge.B64(good.Replace("female", "male", StringComparison.Ordinal))));
        file.Add("bad-signature-header-replaced", "BAD_SIGNATURE", forge.Envelope(good, bridgeHeader: forge.BridgeHeader(other), bridge: forge.Bridge));
        file.Add("bad-signature-over-payload-alone", "BAD_SIGNATURE", forge.Envelope(good).With(e => e.Signature(0)["signature"] = Base64Url.Encode(forge.Doctor.Sign(Forge.B64(good)))));
        file.Add("bad-signature-over-decoded-payload", "BAD_SIGNATURE", forge.Envelope(good).With(e =>
            e.Signature(0)["signature"] = Base64Url.Encode(forge.Doctor.Sign($"{Forge.B64(forge.DoctorHeader())}.{good}"))));
        file.Add("schema-before-signature", "SCHEMA", forge.Envelope("{}", forge.DoctorHeader(), doctor: other));
    }
}
