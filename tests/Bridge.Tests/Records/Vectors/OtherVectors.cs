using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Retractions, canonical JSON, derived names, enrolment codes, certificates and hospital records.</summary>
internal static class OtherVectors
{
    public static VectorFile Retractions()
    {
        var file = new VectorFile("retraction");
        var forge = new Forge { Typ = "bridge-retraction+json" };
        var good = new JsonObject { ["v"] = 1, ["hospital"] = "HospitalAMSP", ["id"] = "AAECAwQFBgcICQoLDA0ODw", ["reason"] = "ENTERED_IN_ERROR" };
        var text = CanonicalJson.SerializeToString(good);
        foreach (var reason in new[] { "ENTERED_IN_ERROR", "WRONG_PATIENT", "MERGED" })
            Add($"retraction-valid-{reason}", "VALID", p => p["reason"] = reason);
        Add("retraction-reason-unknown", "SCHEMA", p => p["reason"] = "OTHER");
        Add("retraction-reason-lower-case", "SCHEMA", p => p["reason"] = "merged");
        Add("retraction-with-note", "SCHEMA", p => p["note"] = "");
        Add("retraction-without-id", "SCHEMA", p => p.Remove("id"));
        Add("retraction-id-bad", "SCHEMA", p => p["id"] = "x");
        Add("retraction-hospital-bad", "SCHEMA", p => p["hospital"] = "Hospital A");
        var summaries = new Forge();
        file.Add("retraction-by-a-summarys-typ", "WRONG_TYP", summaries.Envelope(text));
        file.Add("retraction-same-key", "SAME_KEY", forge.Envelope(text, bridge: forge.Doctor));
        file.Add("retraction-one-signature", "SIGNATURE_COUNT", forge.Envelope(text).With(e => e["signatures"]!.AsArray().RemoveAt(1)));
        file.Add("retraction-bad-signature", "BAD_SIGNATURE", forge.Envelope(text, forge.DoctorHeader(), doctor: Signer.P256("another")));
        return file;

        void Add(string name, string outcome, Action<JsonObject> change) =>
            file.Add(name, outcome, forge.Envelope(CanonicalJson.SerializeToString(good.DeepClone().AsObject().With(change))));
    }

    public static VectorFile CanonicalTexts()
    {
        var file = new VectorFile("canonical-json");
        // RFC 8785 appendix B, as the shortest decimals that read as those doubles, and other spellings of the same
        foreach (var (input, canonical) in new[]
        {
            ("0", "0"), ("-0", "0"), ("0.0", "0"), ("-0e5", "0"), ("1", "1"), ("1.0", "1"), ("1e0", "1"), ("10e-1", "1"), ("-1.50", "-1.5"),
            ("4.9406564584124654e-324", "5e-324"), ("-5e-324", "-5e-324"), ("1e-400", "0"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"), ("9007199254740993", "9007199254740992"), ("-9007199254740992", "-9007199254740992"),
            ("295147905179352825856", "295147905179352830000"), ("9.999999999999997e22", "9.999999999999997e+22"), ("1e23", "1e+23"),
            ("1.0000000000000001e23", "1.0000000000000001e+23"), ("999999999999999700000", "999999999999999700000"),
            ("999999999999999900000", "999999999999999900000"), ("1e21", "1e+21"), ("100000000000000000000", "100000000000000000000"),
            ("9.999999999999997e-7", "9.999999999999997e-7"), ("0.000001", "0.000001"), ("0.0000001", "1e-7"), ("333333333.3333332", "333333333.3333332"),
            ("333333333.33333325", "333333333.33333325"), ("333333333.33333329", "333333333.3333333"), ("333333333.3333334", "333333333.3333334"),
            ("333333333.33333343", "333333333.33333343"), ("-0.0000033333333333333333", "-0.0000033333333333333333"), ("1424953923781206.25", "1424953923781206.2"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"), ("0.1e1", "1"), ("1E+2", "100"),
        })
            Good($"number {input}", $"[{input}]", $"[{canonical}]");
        Good("literals", "[ null , true , false ]", "[null,true,false]");
        Good("empty-object", " { } ", "{}");
        Good("empty-array", "[ ]", "[]");
        Good("top-level-string", "\"x\"", "\"x\"");
        Good("top-level-number", " 1.0 ", "1");
        Good("escapes-shortest", "\"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\\/\"", "\"\\b\\t\\n\\f\\r\\\"\\\\/\"");
        Good("escapes-control", "\"\\u0000\\u001F\\u007f\\u0080\\u2028\"", "\"\\u0000\\u001f\u007f\u0080\u2028\"");
        Good("escapes-surrogate-pair", "\"\\ud83d\\ude00\"", "\"😀\"");
        Good("unicode-not-normalised", "\"A\u030a \u00c5\"", "\"A\u030a \u00c5\"");
        Good("members-by-utf16-unit", "{\"\\ufb33\":7,\"\\ud83d\\ude00\":6,\"\\u20ac\":5,\"\\u00f6\":4,\"\\u0080\":3,\"1\":2,\"\\r\":1}", "{\"\\r\":1,\"1\":2,\"\u0080\":3,\"ö\":4,\"€\":5,\"😀\":6,\"\ufb33\":7}");
        Good("members-prefix-and-case", "{\"b\":1,\"aa\":2,\"a\":3,\"B\":4,\"\":5}", "{\"\":5,\"B\":4,\"a\":3,\"aa\":2,\"b\":1}");
        Good("members-like-numbers", "{\"10\":1,\"9\":2,\"1\":3}", "{\"1\":3,\"10\":1,\"9\":2}");
        Good("member-proto", "{\"a\":1,\"__proto__\":{\"b\":2,\"a\":1}}", "{\"__proto__\":{\"a\":1,\"b\":2},\"a\":1}");
        Good("nested", "{\"z\":[{\"b\":[],\"a\":{}}]}", "{\"z\":[{\"a\":{},\"b\":[]}]}");
        Good("sixteen-deep", new string('[', 16) + new string(']', 16), new string('[', 16) + new string(']', 16));
        foreach (var (name, text) in new[]
        {
            ("empty", ""), ("white-space", "  "), ("two-values", "1 2"), ("leading-zero", "[01]"), ("plus", "[+1]"), ("bare-point", "[1.]"), ("point-first", "[.5]"),
            ("nan", "[NaN]"), ("hex", "[0x1]"), ("too-great", "[1e309]"), ("single-quotes", "['a']"), ("trailing-comma", "[1,]"), ("comment", "[1]//"), ("control-in-string", "\"\n\""),
            ("unknown-escape", "\"\\x41\""), ("short-escape", "\"\\u00e\""), ("capital-literal", "[True]"), ("high-surrogate-alone", "\"\\ud83d\""), ("low-surrogate-alone", "\"\\ude00\""),
            ("surrogates-swapped", "\"\\ude00\\ud83d\""), ("high-surrogate-then-letter", "\"\\ud83da\""), ("no-break-space", "\u00a0[]"), ("byte-order-mark", "\ufeff[]"),
            ("seventeen-deep", new string('[', 17) + new string(']', 17)),
        })
            file.Add(name, "MALFORMED", ("input", Base64Url.Encode(Encoding.UTF8.GetBytes(text))));
        file.Add("not-utf8", "MALFORMED", ("input", Base64Url.Encode([.. "\""u8, 0xFF, .. "\""u8])));
        file.Add("utf8-surrogate", "MALFORMED", ("input", Base64Url.Encode([.. "\""u8, 0xED, 0xA0, 0x80, .. "\""u8])));
        file.Add("utf8-overlong", "MALFORMED", ("input", Base64Url.Encode([.. "\""u8, 0xC0, 0xAF, .. "\""u8])));
        file.Add("duplicate", "DUPLICATE_MEMBER", ("input", Base64Url.Encode("{\"a\":1,\"a\":1}"u8)));
        file.Add("duplicate-by-escape", "DUPLICATE_MEMBER", ("input", Base64Url.Encode("{\"a\":1,\"\\u0061\":1}"u8)));
        file.Add("duplicate-proto", "DUPLICATE_MEMBER", ("input", Base64Url.Encode("{\"__proto__\":1,\"__proto__\":1}"u8)));
        file.Add("duplicate-deep", "DUPLICATE_MEMBER", ("input", Base64Url.Encode("[{\"a\":[{\"b\":0,\"b\":0}]}]"u8)));
        file.Add("same-name-in-two-objects", "VALID", ("input", Base64Url.Encode("[{\"a\":1},{\"a\":{\"a\":1}}]"u8)), ("canonical", "[{\"a\":1},{\"a\":{\"a\":1}}]"));
        return file;

        void Good(string name, string input, string canonical) =>
            file.Add(name, "VALID", ("input", Base64Url.Encode(Encoding.UTF8.GetBytes(input))), ("canonical", canonical));
    }

    public static VectorFile Names()
    {
        var file = new VectorFile("name");
        for (var i = 1; i <= 3; i++)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var publicKey = key.ExportSubjectPublicKeyInfo();
            file.Add($"pseudonym-{i}", "VALID", ("spki", Base64Url.Encode(publicKey)), ("pseudonym", "p" + Slow.Crockford(SHA256.HashData(publicKey))[..26]));
        }
        foreach (var handle in new[] { "AAECAwQFBgcICQoLDA0ODw", "_____________________w", "AAAAAAAAAAAAAAAAAAAAAA" })
            file.Add($"tomb-of-{handle}", "VALID", ("handle", handle), ("tomb", Base64Url.Encode(SHA256.HashData([.. "bridge/tomb/1\0"u8, .. Encoding.ASCII.GetBytes(handle)]))[..22]));
        foreach (var (data, digest) in new[] { ("", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"), ("abc", "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0") })
            file.Add($"digest-of-{data.Length}-bytes", "VALID", ("data", Base64Url.Encode(Encoding.ASCII.GetBytes(data))), ("digest", digest));
        return file;
    }

    public static VectorFile Codes()
    {
        var file = new VectorFile("enrolment-code");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var spki = key.ExportSubjectPublicKeyInfo();
        var people = new[] { "people 1", "people 2" }.Select(t => SHA256.HashData(Encoding.ASCII.GetBytes(t))).OrderBy(Base64Url64, StringComparer.Ordinal).ToArray();
        var bridge = SHA256.HashData("bridge"u8);
        var caDigests = new JsonObject { ["bridge"] = new JsonArray(Base64Url64(bridge)), ["people"] = new JsonArray([.. people.Select(p => (JsonNode)Base64Url64(p))]) };
        var (hospital, portal, consent) = ("HospitalAMSP", "PortalMSP", "eyJh.eyJi.c2ln");
        foreach (var bits in new[] { new byte[10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [.. Enumerable.Repeat((byte)0xFF, 10)], RandomNumberGenerator.GetBytes(10) })
        {
            // by the books: RFC 5869 in its two steps, RFC 8785 by hand, apart from the code under test
            var salt = SHA256.HashData([.. Encoding.UTF8.GetBytes(hospital), .. people.SelectMany(p => p), .. bridge]);
            var extracted = HMACSHA256.HashData(salt, bits);
            var codeId = Base64Url64(Hmac(extracted, [.. "bridge/enrol/id/1"u8, 1])[..16]);
            var macKey = Hmac(extracted, [.. "bridge/enrol/mac/1"u8, 1]);
            var message = $"{{\"caDigests\":{CanonicalJson.SerializeToString(caDigests)},\"codeId\":\"{codeId}\",\"consentSha256\":\"{Base64Url64(SHA256.HashData(Encoding.ASCII.GetBytes(consent)))}\","
                + $"\"hospital\":\"{hospital}\",\"portalMSP\":\"{portal}\",\"spki\":\"{Base64Url64(spki)}\",\"v\":1}}";
            var text = Slow.Crockford(bits) + Slow.Check(bits);
            file.Add($"code-{text}", "GOOD",
                ("code", text.ToUpperInvariant()), ("hospital", hospital), ("caDigests", caDigests.DeepClone()), ("portal", portal), ("spki", Base64Url64(spki)), ("consent", consent),
                ("codeId", codeId), ("macKey", Base64Url64(macKey)), ("mac", Base64Url64(HMACSHA256.HashData(macKey, Encoding.UTF8.GetBytes(message)))));
        }
        var good = Slow.Crockford([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) + Slow.Check([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        file.Add("code-as-typed", "GOOD", ("code", " " + string.Join("-", good.Chunk(4).Select(c => new string(c))).Replace('0', 'O').Replace('1', 'l') + " "));
        file.Add("code-mistyped", "CHECK_FAILED", ("code", "1" + good[1..]));
        file.Add("code-check-mistyped", "CHECK_FAILED", ("code", good[..16] + (good[16] == 'a' ? "b" : "a")));
        file.Add("code-short", "WRONG_LENGTH", ("code", good[..16]));
        file.Add("code-empty", "WRONG_LENGTH", ("code", ""));
        file.Add("code-with-u", "BAD_CHARACTER", ("code", "u" + good[1..]));
        file.Add("code-with-star-inside", "BAD_CHARACTER", ("code", "*" + good[1..]));
        return file;

        static byte[] Hmac(byte[] key, byte[] data) => HMACSHA256.HashData(key, data);
        static string Base64Url64(byte[] bytes) => Base64Url.Encode(bytes);
    }

    public static VectorFile Certificates()
    {
        var file = new VectorFile("certificate");
        using var a = new TestHospital("HospitalAMSP", "Hospital A");
        using var b = new TestHospital("HospitalBMSP", "Hospital B");
        using var key = TestHospital.NewKey();
        var now = TestRecords.Now;
        var doctor = a.IssueDoctor(key, "Dr Ada Marten");
        Doctor("doctor-valid", "NONE", doctor);
        Doctor("doctor-of-another-hospital", "WRONG_ISSUER", b.IssueDoctor(key, "Dr Ada Marten"));
        Doctor("doctor-by-the-patient-ca", "WRONG_ISSUER", CertificateProfile.IssuePerson(a.PatientCa, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Nobody", null, now.AddDays(-1), now.AddDays(1)));
        Doctor("doctor-by-the-bridge-ca", "WRONG_ISSUER", CertificateProfile.IssuePerson(a.BridgeCa, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Nobody", null, now.AddDays(-1), now.AddDays(1)));
        using var twinKey = TestHospital.NewKey();
        var twin = new CertificateIssuer(CertificateProfile.CreateRoot(twinKey, "Hospital A people", "Hospital A", now.AddDays(-1), now.AddDays(9)), twinKey);
        Doctor("doctor-by-a-ca-of-the-same-name", "WRONG_ISSUER", CertificateProfile.IssuePerson(twin, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Nobody", null, now.AddDays(-1), now.AddDays(1)));
        Doctor("doctor-expired", "EXPIRED", CertificateProfile.IssuePerson(a.People, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Old", null, now.AddDays(-9), now.AddSeconds(-1)));
        Doctor("doctor-not-yet-valid", "NOT_YET_VALID", CertificateProfile.IssuePerson(a.People, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Young", null, now.AddSeconds(1), now.AddDays(9)));
        Doctor("doctor-last-second", "NONE", CertificateProfile.IssuePerson(a.People, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Last", null, now.AddDays(-9), now));
        Doctor("doctor-is-a-ca", "IS_CA", a.PatientCa.Certificate);
        Doctor("doctor-is-a-patient", "EXTENDED_KEY_USAGE", a.IssuePatient(key));
        Doctor("doctor-self-signed", "WRONG_ISSUER", SelfSigned());
        Doctor("doctor-without-key-usage", "KEY_USAGE", Odd());
        Doctor("doctor-with-ca-key-usage", "KEY_USAGE", Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyCertSign, true), Eku(CertificateProfile.DocumentSigning, RoleMark.Of(PersonRole.Doctor))));
        Doctor("doctor-without-extended-key-usage", "EXTENDED_KEY_USAGE", Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true)));
        Doctor("doctor-for-tls", "EXTENDED_KEY_USAGE", Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku("1.3.6.1.5.5.7.3.1")));
        Doctor("doctor-with-unknown-critical-extension", "CRITICAL_EXTENSION",
            Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku(CertificateProfile.DocumentSigning, RoleMark.Of(PersonRole.Doctor)), new X509Extension("1.2.3.4", [5, 0], critical: true)));
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Doctor("doctor-p384", "KEY_NOT_P256", new Signer("Dr P384", p384).Certificate);
        Doctor("doctor-signed-with-sha384", "SIGNATURE_ALGORITHM", Odd(HashAlgorithmName.SHA384, "CN=Dr Sha", new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku(CertificateProfile.DocumentSigning, RoleMark.Of(PersonRole.Doctor))));
        Doctor("doctor-nameless", "NAME", Odd(HashAlgorithmName.SHA256, "O=Hospital A", new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku(CertificateProfile.DocumentSigning, RoleMark.Of(PersonRole.Doctor))));
        Doctor("doctor-junk", "UNREADABLE", [0x30, 0x03, 2, 1, 1]);
        Add("patient-ca-valid", "NONE", "patient-ca", a.PatientCa.Certificate, [a.People.Certificate]);
        Add("patient-ca-is-a-root", "PATH_LENGTH", "patient-ca", a.People.Certificate, [a.People.Certificate]);
        Add("patient-ca-is-a-doctor", "NOT_CA", "patient-ca", doctor, [a.People.Certificate]);
        Add("patient-ca-of-another-hospital", "WRONG_ISSUER", "patient-ca", b.PatientCa.Certificate, [a.People.Certificate]);
        Add("patient-valid", "NONE", "patient", a.IssuePatient(key), [a.PatientCa.Certificate]);
        Add("patient-by-the-people-ca", "WRONG_ISSUER", "patient", CertificateProfile.IssuePatient(a.People, key.ExportSubjectPublicKeyInfo(), now.AddDays(-1), now.AddDays(1)), [a.PatientCa.Certificate]);
        Add("patient-under-another-name", "NAME", "patient", Misnamed(), [a.PatientCa.Certificate]);
        Add("patient-is-a-doctor", "EXTENDED_KEY_USAGE", "patient", doctor, [a.PatientCa.Certificate]);
        Add("ca-valid", "NONE", "ca", a.People.Certificate, []);
        Add("ca-is-a-doctor", "NOT_CA", "ca", doctor, []);
        Roles();
        Names();
        Encodings();
        Issuers();
        return file;

        void Roles()
        {
            (PersonRole Role, string Name)[] roles = [(PersonRole.Doctor, "doctor"), (PersonRole.Registrar, "registrar"), (PersonRole.StatusKey, "status-key")];
            foreach (var (role, name) in roles)
                foreach (var (place, profile) in roles)
                    Add($"{name}-as-{profile}", role == place ? "NONE" : "ROLE", profile, a.Issue(key, role, "Ada Marten"), [a.People.Certificate]);
            var marks = roles.Select(role => RoleMark.Of(role.Role)).ToArray();
            foreach (var (_, profile) in roles)
            {
                Marked($"{profile}-without-a-mark", "ROLE", profile);
                Marked($"{profile}-with-every-mark", "ROLE", profile, marks);
            }
            Marked("registrar-marked-as-doctor-too", "ROLE", "registrar", marks[0], marks[1]);
            Marked("registrar-marked-as-doctor-too-in-the-other-order", "ROLE", "registrar", marks[1], marks[0]);
            Marked("registrar-marked-twice", "ROLE", "registrar", marks[1], marks[1]);
            Marked("registrar-with-a-mark-yet-to-come", "ROLE", "registrar", marks[1], $"{RoleMark.Arc}.99");
            Marked("registrar-with-the-arc-itself", "ROLE", "registrar", marks[1], RoleMark.Arc);
            Marked("registrar-with-something-below-his-mark", "ROLE", "registrar", $"{marks[1]}.1");
            Marked("registrar-with-an-arc-that-begins-alike", "NONE", "registrar", marks[1], $"{RoleMark.Arc}1.2");
            Marked("registrar-for-mail-too", "NONE", "registrar", marks[1], "1.3.6.1.5.5.7.3.4");
            Doctor("doctor-without-document-signing", "EXTENDED_KEY_USAGE", Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku(marks[0])));
            Add("attestor-as-registrar", "ROLE", "registrar", CertificateProfile.CreateAttestor(key, "Board", now.AddDays(-1), now.AddDays(1)), [a.People.Certificate]);
            foreach (var (mark, name) in marks.Append($"{RoleMark.Arc}.99").Zip(roles.Select(role => role.Name).Append("what-is-yet-to-come")))
            {
                Add($"ca-marked-as-{name}", "ROLE", "ca", MarkedCa(a.People, hasPathLength: false, mark), []);
                Add($"patient-ca-marked-as-{name}", "ROLE", "patient-ca", MarkedCa(a.People, hasPathLength: true, mark), [a.People.Certificate]);
            }
            Add("patient-marked-as-doctor", "ROLE", "patient", Misnamed(marks[0]), [a.PatientCa.Certificate]);

            void Marked(string name, string outcome, string profile, params string[] purposes) => Add(name, outcome, profile,
                Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true), Eku([CertificateProfile.DocumentSigning, .. purposes])), [a.People.Certificate]);
        }

        byte[] SelfSigned()
        {
            var request = new CertificateRequest("CN=Dr Self", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
            request.CertificateExtensions.Add(Eku(CertificateProfile.DocumentSigning, RoleMark.Of(PersonRole.Doctor)));
            using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
            return certificate.RawData;
        }

        byte[] MarkedCa(CertificateIssuer issuer, bool hasPathLength, string mark)
        {
            var request = new CertificateRequest("CN=Hospital A marked", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, hasPathLength, 0, true));
            request.CertificateExtensions.Add(Eku(mark));
            return Issue(request, issuer);
        }

        void Names()
        {
            const string CommonName = "2.5.4.3", Unit = "2.5.4.11";
            byte[] ada = [.. "Dr Ada Marten"u8], bob = [.. "Dr Bob Nakamura"u8], unit = [.. "Surgery"u8];
            Doctor("doctor-named-beside-her-unit", "NONE", Named([(CommonName, 12, ada), (Unit, 12, unit)]));
            Doctor("doctor-with-two-names", "NAME", Named([(CommonName, 12, ada)], [(CommonName, 12, bob)]));
            Doctor("doctor-with-a-second-name-beside-her-unit", "NAME", Named([(CommonName, 12, ada)], [(CommonName, 12, bob), (Unit, 12, unit)]));
            Doctor("doctor-named-in-a-bmp-string", "UNREADABLE", Named([(CommonName, 30, [0, 0x44, 0, 0x72])]));
            Doctor("doctor-named-in-a-t61-string", "UNREADABLE", Named([(CommonName, 20, ada)]));
            Doctor("doctor-named-in-no-utf-8", "UNREADABLE", OddCertificates.Resigned(Named([(CommonName, 12, [0x44, 0x7e])]), a.PeopleKey, OddCertificates.Replaced([12, 2, 0x44, 0x7e], [12, 2, 0x44, 0xff])));
            Doctor("doctor-named-with-a-nul", "NAME", Named([(CommonName, 12, [.. ada, 0, .. bob])]));
            Doctor("doctor-named-with-a-line-break", "NAME", Named([(CommonName, 12, [.. "Dr Ada\nMarten"u8])]));
            Doctor("doctor-named-by-blanks", "NAME", Named([(CommonName, 12, [.. "\u00a0\ufeff\u0085\u3000"u8])]));

            byte[] Named(params (string, byte, byte[])[][] sets) => OddCertificates.Doctor(a.People, key, OddCertificates.Subject(sets));
        }

        void Encodings()
        {
            Doctor("doctor-with-an-extension-twice", "UNREADABLE", OddCertificates.Resigned(doctor, a.PeopleKey, OddCertificates.Replaced([0x55, 0x1d, 0x0e], [0x55, 0x1d, 0x0f])));
            Doctor("doctor-with-broken-basic-constraints", "UNREADABLE", WithBasicConstraints(0x30, 3, 1, 1, 1));
            Doctor("doctor-with-basic-constraints-of-text", "UNREADABLE", WithBasicConstraints(0x0c, 1, 0x41));
            Doctor("doctor-length-in-a-long-form", "UNREADABLE", OddCertificates.Resigned(doctor, a.PeopleKey, OddCertificates.LongForm));
            Doctor("doctor-length-indefinite", "UNREADABLE", OddCertificates.Resigned(doctor, a.PeopleKey, OddCertificates.Indefinite));
            Doctor("doctor-byte-after-the-end", "UNREADABLE", [.. doctor, 0]);
            Doctor("doctor-byte-before-the-end-of-what-is-signed", "UNREADABLE", OddCertificates.Resigned(doctor, a.PeopleKey, tbs => [0x30, 0x82, tbs[2], (byte)(tbs[3] + 2), .. tbs[4..], 5, 0]));
            Doctor("doctor-serial-negative", "UNREADABLE", OddCertificates.Resigned(OddCertificates.Doctor(a.People, key), a.PeopleKey, OddCertificates.Replaced([2, 3, 1, 2, 3], [2, 3, 0x81, 2, 3])));
            Doctor("doctor-serial-padded", "UNREADABLE", OddCertificates.Resigned(OddCertificates.Doctor(a.People, key), a.PeopleKey, OddCertificates.Replaced([2, 3, 1, 2, 3], [2, 3, 0, 2, 3])));
            Doctor("doctor-critical-said-oddly", "UNREADABLE", OddCertificates.Resigned(doctor, a.PeopleKey, OddCertificates.Replaced([1, 1, 0xff], [1, 1, 1])));
            Doctor("doctor-time-is-none", "UNREADABLE", OddCertificates.Resigned(
                OddCertificates.Doctor(a.People, key), a.PeopleKey, OddCertificates.Replaced([0x17, 13, .. "261121080000Z"u8], [5, 0, 0x17, 11, .. "2611210800Z"u8])));
            foreach (var (name, time) in new[] { ("without-seconds", "2611210800Z  "), ("with-an-offset", "2611210800+01"), ("with-a-thirteenth-month", "261321080000Z"), ("on-february-30", "270230080000Z"), ("in-second-60", "261121075960Z") })
                Doctor($"doctor-time-{name}", "UNREADABLE", OddCertificates.Resigned(OddCertificates.Doctor(a.People, key), a.PeopleKey, OddCertificates.Replaced("261121080000Z"u8, Encoding.ASCII.GetBytes(time))));

            // the platform would not issue them under their true name
            byte[] WithBasicConstraints(params byte[] value) => OddCertificates.Resigned(
                OddCertificates.Doctor(a.People, key, null, new X509Extension("2.5.29.99", value, true)), a.PeopleKey, OddCertificates.Replaced([0x55, 0x1d, 99], [0x55, 0x1d, 19]));
        }

        void Issuers()
        {
            var old = CertificateProfile.CreateRoot(a.PeopleKey, "Hospital A people", "Hospital A", now.AddDays(-9), now.AddDays(-1));
            Add("doctor-of-a-renewed-ca", "NONE", "doctor", doctor, [old, a.People.Certificate]);
            Add("doctor-of-a-ca-that-ended", "EXPIRED", "doctor", doctor, [old]);
            using var leavesOnly = TestHospital.NewKey();
            var narrow = new CertificateIssuer(CertificateProfile.IssuePatientCa(a.People, leavesOnly.ExportSubjectPublicKeyInfo(), "Hospital A narrow", null, now.AddDays(-1), now.AddDays(1)), leavesOnly);
            var below = CertificateProfile.IssuePatientCa(narrow, key.ExportSubjectPublicKeyInfo(), "Hospital A patients", null, now.AddDays(-1), now.AddDays(1));
            Add("patient-ca-by-a-ca-for-leaves-only", "PATH_LENGTH", "patient-ca", below, [narrow.Certificate]);
        }

        void Doctor(string name, string outcome, byte[] certificate) => Add(name, outcome, "doctor", certificate, [a.People.Certificate]);

        void Add(string name, string outcome, string profile, byte[] certificate, byte[][] issuers) => file.Add(name, outcome,
            ("profile", profile), ("certificate", Convert.ToBase64String(certificate)),
            ("issuers", new JsonArray([.. issuers.Select(i => (JsonNode)Convert.ToBase64String(i))])), ("at", now.ToUnixTimeSeconds()));

        X509Extension Eku(params string[] oids) => new X509EnhancedKeyUsageExtension([.. oids.Select(oid => new Oid(oid))], false);

        byte[] Misnamed(params string[] marks)
        {
            var request = new CertificateRequest("CN=p00000000000000000000000000", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
            request.CertificateExtensions.Add(Eku([CertificateProfile.ClientAuth, .. marks]));
            return Issue(request, a.PatientCa);
        }

        byte[] Odd(params object[] parts)
        {
            var hash = parts.OfType<HashAlgorithmName>().FirstOrDefault(HashAlgorithmName.SHA256);
            var request = new CertificateRequest(parts.OfType<string>().FirstOrDefault("CN=Dr Odd"), key, hash);
            foreach (var extension in parts.OfType<X509Extension>())
                request.CertificateExtensions.Add(extension);
            return Issue(request, a.People);
        }

        byte[] Issue(CertificateRequest request, CertificateIssuer issuer)
        {
            using var ca = X509CertificateLoader.LoadCertificate(issuer.Certificate);
            return request.Create(ca.SubjectName, X509SignatureGenerator.CreateForECDsa(issuer.Key), now.AddDays(-1), now.AddDays(1), [1, 2, 3]).RawData;
        }
    }

    public static VectorFile Records()
    {
        var file = new VectorFile("hospital-record");
        using var a = new TestHospital("HospitalAMSP", "Hospital A");
        var good = a.Record.ToJson();
        Add("record-valid", "VALID", _ => { });
        Add("record-valid-with-webauthn", "VALID", r => r["rpId"] = "hospital.example");
        Add("record-valid-local-origin", "VALID", r => r["origins"] = new JsonArray("http://localhost:5080"));
        Add("record-valid-no-origin", "VALID", r => r["origins"] = new JsonArray());
        foreach (var member in good.Select(m => m.Key).ToList())
            Add($"record-{member}-missing", "BAD_RECORD", r => r.Remove(member));
        Add("record-unknown-member", "BAD_RECORD", r => r["address"] = "x");
        Add("record-name-empty", "BAD_RECORD", r => r["name"] = "");
        Add("record-seq-0", "BAD_RECORD", r => r["seq"] = 0);
        Add("record-msp-bad", "BAD_RECORD", r => r["msp"] = "Hospital A");
        Add("record-without-bridge-ca", "BAD_RECORD", r => r["cas"]!.AsArray().RemoveAt(1));
        Add("record-two-people-cas-no-bridge-ca", "BAD_RECORD", r => r["cas"]![1] = r["cas"]![0]!.DeepClone());
        Add("record-ca-use-unknown", "BAD_RECORD", r => r["cas"]![0]!["use"] = "tls");
        Add("record-registrar-no-certificate", "BAD_RECORD", r => r["registrar"] = "AAAA");
        Add("record-bridges-none", "BAD_RECORD", r => r["bridges"] = new JsonArray());
        Add("record-bridge-twice", "BAD_RECORD", r => r["bridges"]!.AsArray().Add(r["bridges"]![0]!.DeepClone()));
        Add("record-origin-with-path", "BAD_RECORD", r => r["origins"] = new JsonArray("https://hospital.example/"));
        Add("record-origin-plain-http", "BAD_RECORD", r => r["origins"] = new JsonArray("http://hospital.example"));
        Add("record-origin-in-capitals", "BAD_RECORD", r => r["origins"] = new JsonArray("https://Hospital.example"));
        var spelled = Encoding.UTF8.GetString(CanonicalJson.Serialize(good)).Replace("\"seq\":1,", "\"seq\":10e-1,", StringComparison.Ordinal).Replace("\"v\":1}", "\"v\":1.0}", StringComparison.Ordinal);
        Assert.Contains("10e-1", spelled, StringComparison.Ordinal);
        file.Add("record-valid-numbers-spelled-oddly", "VALID",
            ("input", Base64Url.Encode(Encoding.UTF8.GetBytes(spelled))), ("digest", Base64Url.Encode(SHA256.HashData(CanonicalJson.Serialize(good)))), ("caDigests", a.Record.CaDigests.ToJson()));
        Add("record-seq-fraction", "BAD_RECORD", r => r["seq"] = 1.5);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Add("record-registrar-p384", "BAD_RECORD", r => r["registrar"] = new Signer("Registrar Ruth", p384).X5c);
        Add("record-registrar-in-ber", "BAD_RECORD", r => r["registrar"] = Convert.ToBase64String(OddCertificates.Resigned(a.Registrar, a.PeopleKey, OddCertificates.LongForm)));
        Add("record-webauthn-without-origin", "BAD_RECORD", r => { r["origins"] = new JsonArray(); r["rpId"] = "hospital.example"; });
        return file;

        void Add(string name, string outcome, Action<JsonObject> change)
        {
            var record = good.DeepClone().AsObject().With(change);
            var members = new List<(string, JsonNode?)> { ("input", Base64Url.Encode(Encoding.UTF8.GetBytes(record.ToJsonString()))) };
            if (outcome == "VALID")
            {
                var parsed = HospitalRecord.Parse(CanonicalJson.Serialize(record), out _)!;
                members.Add(("digest", Base64Url.Encode(SHA256.HashData(CanonicalJson.Serialize(record)))));
                members.Add(("caDigests", parsed.CaDigests.ToJson()));
            }
            file.Add(name, outcome, [.. members]);
        }
    }

    /// <summary>The same encodings by big-number arithmetic, apart from the code under test.</summary>
    private static class Slow
    {
        private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz*~$=u";

        public static string Crockford(byte[] bytes)
        {
            var bits = string.Concat(bytes.Select(b => b.ToString("b8", CultureInfo.InvariantCulture)));
            bits = bits.PadRight((bits.Length + 4) / 5 * 5, '0');
            return string.Concat(bits.Chunk(5).Select(c => Alphabet[Convert.ToInt32(new string(c), 2)]));
        }

        public static char Check(byte[] bytes) => Alphabet[(int)(new System.Numerics.BigInteger(bytes, isUnsigned: true, isBigEndian: true) % 37)];
    }
}
