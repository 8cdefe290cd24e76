using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Compact signatures of every kind: valid, badly formed, and breaking their schemas.</summary>
internal static class CompactVectors
{
    private const string Handle1 = "AAECAwQFBgcICQoLDA0ODw";
    private const string Digest1 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    private const string Digest2 = "_wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    public static VectorFile Make()
    {
        var file = new VectorFile("compact-jws");
        var office = Signer.P256("Registrar Ruth");
        using var patient = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        foreach (var (typ, payload, isPatient) in Payloads(Digest.Of(patient.ExportSubjectPublicKeyInfo()).ToString()))
        {
            var kind = typ[7..^4];
            Add($"{kind}-valid", "VALID", payload);
            Bad("v-2", p => p["v"] = 2);
            Bad("unknown-member", p => p["iat"] = 1);
            foreach (var member in payload.Select(m => m.Key).Where(m => m != "v").ToList())
            {
                Bad($"{member}-missing", p => p.Remove(member));
                Bad($"{member}-of-another-type", p => p[member] = true);
            }

            void Bad(string name, Action<JsonObject> change) => Add($"{kind}-{name}", "SCHEMA", payload.DeepClone().AsObject().With(change));
            void Add(string name, string outcome, JsonObject p) => Write(name, outcome, typ, isPatient, Compact(Header(typ, isPatient), p));
        }
        Schemas();
        Forms();
        return file;

        string Header(string typ, bool isPatient)
        {
            var header = new JsonObject { ["alg"] = "ES256", ["typ"] = typ };
            if (!isPatient)
                header["x5c"] = new JsonArray(office.X5c);
            return CanonicalJson.SerializeToString(header);
        }

        string Compact(string header, JsonObject payload, ECDsa? key = null) => CompactText(header, Forge.B64(CanonicalJson.SerializeToString(payload)), key);

        string CompactText(string header, string encodedPayload, ECDsa? key = null)
        {
            var input = $"{Forge.B64(header)}.{encodedPayload}";
            key ??= header.Contains("x5c", StringComparison.Ordinal) ? (ECDsa)office.Key : patient;
            return $"{input}.{Base64Url.Encode(EcdsaSignature.Sign(key, Encoding.ASCII.GetBytes(input)))}";
        }

        void Write(string name, string outcome, string typ, bool isPatient, string text)
        {
            if (isPatient)
                file.Add(name, outcome, ("typ", typ), ("spki", Base64Url.Encode(patient.ExportSubjectPublicKeyInfo())), ("input", text));
            else
                file.Add(name, outcome, ("typ", typ), ("input", text));
        }

        void Schemas()
        {
            Bad("consent", "peers-missing", p => p["purposes"] = new JsonArray("rare"));
            Bad("consent", "purposes-none", p => p["purposes"] = new JsonArray());
            Bad("consent", "purpose-twice", p => p["purposes"] = new JsonArray("peers", "peers"));
            Bad("consent", "purpose-unknown", p => p["purposes"] = new JsonArray("peers", "research"));
            Bad("consent", "recipients-none", p => p["recipients"] = new JsonArray());
            Bad("consent", "recipient-no-msp", p => p["recipients"] = new JsonArray("a portal"));
            Bad("consent", "expiry-with-time", p => p["exp"] = "2027-11-20T00:00:00Z");
            Bad("consent", "expiry-no-day-of-the-calendar", p => p["exp"] = "2027-02-29");
            Good("consent", "expiry-leap-day", p => p["exp"] = "2028-02-29");
            Bad("consent", "language-in-capitals", p => p["language"] = "EN");
            Good("consent", "language-with-region", p => p["language"] = "zh-Hans-CN");
            Bad("consent", "id-no-handle", p => p["consentId"] = Digest1);
            Bad("doctor", "name-empty", p => p["name"] = "");
            Bad("doctor", "name-129", p => p["name"] = new string('n', 129));
            Good("doctor", "name-128-of-any-script", p => p["name"] = new string('王', 128));
            Bad("doctor", "name-with-control-character", p => p["name"] = "Ada\u0007");
            Bad("doctor", "licence-65", p => p["licence"] = new string('1', 65));
            Bad("doctor-revocation", "reason-empty", p => p["reason"] = "");
            Bad("approval", "seq-0", p => p["seq"] = 0);
            Bad("approval", "seq-above-2-53", p => p["seq"] = 9007199254740992);
            Good("approval", "seq-greatest", p => p["seq"] = 9007199254740991);
            Bad("approval", "digests-none", p => p["caDigests"]!["people"] = new JsonArray());
            Bad("approval", "digests-not-ascending", p => p["caDigests"]!["people"] = new JsonArray(Digest2, Digest1));
            Bad("approval", "digests-twice", p => p["caDigests"]!["people"] = new JsonArray(Digest1, Digest1));
            Good("approval", "digests-two", p => p["caDigests"]!["people"] = new JsonArray(Digest1, Digest2));
            Bad("approval", "digests-of-unknown-use", p => p["caDigests"]!["tls"] = new JsonArray(Digest1));
            Good("status", "none-revoked", p => p["revoked"] = new JsonArray());
            Bad("status", "longer-than-a-day", p => p["nextUpdate"] = 1763625600 + 86401);
            Good("status", "a-whole-day", p => p["nextUpdate"] = 1763625600 + 86400);
            Bad("status", "ends-before-it-begins", p => p["nextUpdate"] = 1763625600);
            Bad("status", "time-fraction", p => p["thisUpdate"] = 1763625600.5);
            Bad("status", "time-negative", p => p["thisUpdate"] = -1);
            Bad("status", "revoked-no-digest", p => p["revoked"] = new JsonArray("x"));
            Bad("status", "record-no-digest", p => p["record"] = "x");
            var last = Digests(2000).Where(one => StatusList.PartOf(Digest.Parse(one), 256) == 255).Take(2).ToArray();
            Good("status", "last-part-of-256", p => (p["part"], p["parts"], p["revoked"]) = (255, 256, Of(last)));
            Bad("status", "part-257", p => (p["part"], p["parts"], p["revoked"]) = (256, 257, new JsonArray()));
            Bad("status", "no-parts", p => p["parts"] = 0);
            Bad("status", "part-beyond-the-last", p => (p["part"], p["revoked"]) = (1, new JsonArray()));
            Bad("status", "part-negative", p => p["part"] = -1);
            Bad("status", "revoked-of-another-part", p => (p["part"], p["parts"], p["revoked"]) = (254, 256, Of(last)));
            Bad("status", "one-revoked-of-another-part", p => (p["part"], p["parts"], p["revoked"]) = (1, 2, Of([.. last, Digests(50).First(one => StatusList.PartOf(Digest.Parse(one), 2) == 0)])));
            foreach (var parts in new[] { 3, 7, 100 })
                Good("status", $"part-of-{parts}", p => (p["part"], p["parts"], p["revoked"]) = (parts / 2, parts, Of([.. Digests(2000).Where(one => StatusList.PartOf(Digest.Parse(one), parts) == parts / 2).Take(3)])));
            Good("status", "revoked-768", p => p["revoked"] = Of([.. Digests(768)]));
            Bad("status", "revoked-769", p => p["revoked"] = Of([.. Digests(769)]));

            static IEnumerable<string> Digests(int count) => Enumerable.Range(0, count).Select(i => Base64Url.Encode(SHA256.HashData(Encoding.ASCII.GetBytes($"leaf {i}"))));
            static JsonArray Of(string[] digests) => new([.. digests.Select(one => (JsonNode)one)]);

            void Bad(string kind, string name, Action<JsonObject> change) => One(kind, name, "SCHEMA", change);
            void Good(string kind, string name, Action<JsonObject> change) => One(kind, name, "VALID", change);
            void One(string kind, string name, string outcome, Action<JsonObject> change)
            {
                var (typ, payload, isPatient) = Payloads(Digest1).Single(p => p.Typ == $"bridge-{kind}+jws");
                Write($"{kind}-{name}", outcome, typ, isPatient, Compact(Header(typ, isPatient), payload.With(change)));
            }
        }

        void Forms()
        {
            const string Typ = "bridge-withdrawal+jws";
            const string Office = "bridge-doctor-confirmation+jws";
            var payload = Payloads(Digest1).Single(p => p.Typ == Typ).Payload;
            var header = Header(Typ, true);
            var good = Compact(header, payload);
            var parts = good.Split('.');
            Patient("compact-too-large", "TOO_LARGE", good + new string('A', 65536));
            Patient("compact-too-large-in-bytes-only", "TOO_LARGE", good + new string('\u20ac', 21845));
            Patient("compact-empty", "MALFORMED", "");
            Patient("compact-two-parts", "MALFORMED", $"{parts[0]}.{parts[1]}");
            Patient("compact-four-parts", "MALFORMED", good + ".AAAA");
            Patient("compact-detached-payload", "MALFORMED", $"{parts[0]}..{parts[2]}");
            Patient("compact-without-signature", "MALFORMED", $"{parts[0]}.{parts[1]}.");
            Patient("compact-white-space", "BAD_HEADER", " " + good);
            Patient("compact-header-not-json", "BAD_HEADER", $"AAAA.{parts[1]}.{parts[2]}");
            Patient("compact-header-not-canonical", "BAD_HEADER", CompactText("{\"typ\":\"bridge-withdrawal+jws\",\"alg\":\"ES256\"}", parts[1]));
            Patient("compact-header-with-duplicate", "BAD_HEADER", CompactText("{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"bridge-withdrawal+jws\"}", parts[1]));
            Patient("compact-critical", "CRITICAL_HEADER", Compact(Forge.Change(header, h => h["crit"] = new JsonArray("exp")), payload));
            Patient("compact-b64", "CRITICAL_HEADER", Compact(Forge.Change(header, h => h["b64"] = true), payload));
            Patient("compact-kid", "UNKNOWN_HEADER", Compact(Forge.Change(header, h => h["kid"] = "1"), payload));
            Patient("compact-jwk-of-the-signer", "UNKNOWN_HEADER", Compact(Forge.Change(header, h => h["jwk"] = new JsonObject()), payload));
            Patient("compact-certificate-where-a-patient-signs", "UNKNOWN_HEADER", Compact(Forge.Change(header, h => h["x5c"] = new JsonArray(office.X5c)), payload));
            Patient("compact-without-typ", "UNKNOWN_HEADER", Compact(Forge.Change(header, h => h.Remove("typ")), payload));
            Patient("compact-alg-none", "WRONG_ALG", Compact(Forge.Change(header, h => h["alg"] = "none"), payload));
            Patient("compact-typ-of-another-purpose", "WRONG_TYP", Compact(Header("bridge-erasure+jws", true), payload));
            Patient("compact-typ-of-signin", "WRONG_TYP", Compact(Header("bridge-signin+jws", true), payload));
            Patient("compact-signature-der", "SIGNATURE_FORM", $"{parts[0]}.{parts[1]}.{Base64Url.Encode(EcdsaSignature.ToDer(Base64Url.Decode(parts[2])))}");
            Patient("compact-signature-with-padding", "SIGNATURE_FORM", good + "==");
            Patient("compact-high-s", "HIGH_S", $"{parts[0]}.{parts[1]}.{Base64Url.Encode(Forge.Flip(Base64Url.Decode(parts[2])))}");
            Patient("compact-payload-not-json", "BAD_PAYLOAD", CompactText(header, "AAAA"));
            Patient("compact-payload-with-duplicate", "BAD_PAYLOAD", CompactText(header, Forge.B64("{\"v\":1,\"v\":1}")));
            Patient("compact-payload-not-canonical", "NOT_CANONICAL", CompactText(header, Forge.B64(CanonicalJson.SerializeToString(payload) + " ")));
            using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            Patient("compact-by-another-patient", "BAD_SIGNATURE", Compact(header, payload, other));
            Patient("compact-payload-replaced", "BAD_SIGNATURE", $"{parts[0]}.{Forge.B64(CanonicalJson.SerializeToString(payload.DeepClone().AsObject().With(p => p["hospital"] = "HospitalBMSP")))}.{parts[2]}");

            var officePayload = Payloads(Digest1).Single(p => p.Typ == Office).Payload;
            var officeHeader = Header(Office, false);
            Write("compact-office-without-certificate", "UNKNOWN_HEADER", Office, false, Compact(Header(Office, true), officePayload));
            Write("compact-office-two-certificates", "BAD_CERTIFICATE", Office, false, Compact(Forge.Change(officeHeader, h => h["x5c"]!.AsArray().Add(office.X5c)), officePayload));
            Write("compact-office-certificate-in-ber", "BAD_CERTIFICATE", Office, false,
                Compact(Forge.Change(officeHeader, h => h["x5c"] = new JsonArray(Convert.ToBase64String(OddCertificates.Resigned(office.Certificate, (ECDsa)office.Key, OddCertificates.LongForm)))), officePayload));
            Write("compact-office-junk-certificate", "BAD_CERTIFICATE", Office, false, Compact(Forge.Change(officeHeader, h => h["x5c"] = new JsonArray("AAAA")), officePayload));
            Write("compact-office-by-another-key", "BAD_SIGNATURE", Office, false, Compact(officeHeader, officePayload, other));

            void Patient(string name, string outcome, string text) => Write(name, outcome, Typ, true, text);
        }
    }

    private static IEnumerable<(string Typ, JsonObject Payload, bool IsPatient)> Payloads(string patientKey)
    {
        yield return ("bridge-consent+jws", new JsonObject
        {
            ["v"] = 1,
            ["consentId"] = Handle1,
            ["hospital"] = "HospitalAMSP",
            ["patientKey"] = patientKey,
            ["purposes"] = new JsonArray("peers", "sensitive:mental-health"),
            ["recipients"] = new JsonArray("PortalMSP"),
            ["notice"] = Digest1,
            ["language"] = "en",
            ["exp"] = "2027-11-20",
        }, true);
        yield return ("bridge-withdrawal+jws", new JsonObject { ["v"] = 1, ["hospital"] = "HospitalAMSP", ["consentId"] = Handle1 }, true);
        yield return ("bridge-erasure+jws", new JsonObject { ["v"] = 1, ["hospital"] = "HospitalAMSP", ["id"] = Handle1 }, true);
        yield return ("bridge-doctor+jws", new JsonObject
        {
            ["v"] = 1,
            ["hospital"] = "HospitalAMSP",
            ["handle"] = Handle1,
            ["thumbprint"] = Digest1,
            ["name"] = "Dr Ada Märten-王",
            ["licence"] = "A-12345",
            ["registry"] = "State Medical Register",
        }, false);
        yield return ("bridge-doctor-confirmation+jws", new JsonObject { ["v"] = 1, ["hospital"] = "HospitalAMSP", ["handle"] = Handle1, ["thumbprint"] = Digest1, ["statement"] = Digest2 }, false);
        yield return ("bridge-doctor-revocation+jws", new JsonObject { ["v"] = 1, ["hospital"] = "HospitalAMSP", ["handle"] = Handle1, ["thumbprint"] = Digest1, ["reason"] = "key lost" }, false);
        yield return ("bridge-approval+jws", new JsonObject
        {
            ["v"] = 1,
            ["by"] = "HospitalBMSP",
            ["msp"] = "HospitalAMSP",
            ["name"] = "Hospital A",
            ["caDigests"] = new JsonObject { ["bridge"] = new JsonArray(Digest1), ["people"] = new JsonArray(Digest2) },
            ["registrar"] = Digest1,
            ["seq"] = 1,
            ["record"] = Digest2,
        }, false);
        yield return ("bridge-status+jws", new JsonObject
        {
            ["v"] = 1,
            ["hospital"] = "HospitalAMSP",
            ["record"] = Digest2,
            ["seq"] = 7,
            ["thisUpdate"] = 1763625600,
            ["nextUpdate"] = 1763668800,
            ["part"] = 0,
            ["parts"] = 1,
            ["revoked"] = new JsonArray(Digest1),
        }, false);
    }
}
