using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;
using Bridge.Tests.Records.Vectors;

namespace Bridge.Tests.Records.Differential;

/// <summary>Draws vectors with something wrong, or nothing: signed again after the change, so that readers get to see it.</summary>
internal sealed class HostileRecords : IDisposable
{
    private const string Origin = "https://bridge.hospital.example";
    private const string RpId = "hospital.example";

    private readonly Random _random;
    private readonly JsonMutator _json;
    private readonly DerMutator _der;
    private readonly TestHospital _hospital = new("HospitalAMSP", "Hospital A");
    private readonly ECDsa _key = TestHospital.NewKey();
    private readonly ECDsa _patientKey = TestHospital.NewKey();
    private readonly Forge _forge = new();
    private readonly byte[] _doctor;
    private readonly byte[] _patient;
    private readonly string _payload;
    private readonly List<JsonObject> _vectors;

    public HostileRecords(Random random)
    {
        _random = random;
        _json = new JsonMutator(random);
        _der = new DerMutator(random);
        _doctor = _hospital.IssueDoctor(_key, "Dr Ada Marten");
        _patient = _hospital.IssuePatient(_patientKey);
        _payload = Encoding.UTF8.GetString(TestRecords.Summary(Pseudonym.FromPublicKey(_patientKey.ExportSubjectPublicKeyInfo())).ToCanonicalJson());
        var folder = Path.Combine(HouseTests.FindRoot(), "tests", "vectors");
        _vectors = [.. Directory.GetFiles(folder, "*.json").SelectMany(f => JsonNode.Parse(File.ReadAllText(f))!.AsArray()).Select(v => v!.AsObject())];
    }

    public JsonObject Json()
    {
        var text = Base64Url.Decode(Vector("canonical-json")["input"]!.GetValue<string>());
        if (_random.Next(3) == 0)
            text = Encoding.UTF8.GetBytes(_payload);
        return Made("canonical-json", ("input", Base64Url.Encode(_json.Mutate(text.Length > 4096 ? text[..4096] : text))));
    }

    public JsonObject Certificate()
    {
        var (profile, good, issuer) = _random.Next(6) switch
        {
            0 => ("doctor", _doctor, _hospital.People),
            4 => ("registrar", _random.Next(4) == 0 ? _doctor : _hospital.Registrar, _hospital.People),
            5 => ("status-key", _random.Next(4) == 0 ? _hospital.Registrar : _hospital.StatusCertificate, _hospital.People),
            1 => ("patient", _patient, _hospital.PatientCa),
            2 => ("patient-ca", _hospital.PatientCa.Certificate, _hospital.People),
            _ => ("ca", _hospital.People.Certificate, _hospital.People),
        };
        return Made("certificate",
            ("profile", profile), ("certificate", Convert.ToBase64String(ChangedCertificate(good, issuer.Key))),
            ("issuers", new JsonArray(Convert.ToBase64String(issuer.Certificate))), ("at", TestRecords.Now.ToUnixTimeSeconds()));
    }

    public JsonObject Envelope()
    {
        if (_random.Next(3) == 0)
        {
            var vector = Vector(_random.Next(6) == 0 ? "retraction" : "signed-summary").DeepClone().AsObject();
            vector["input"] = Base64Url.Encode(_json.Mutate(Base64Url.Decode(vector["input"]!.GetValue<string>())));
            return vector;
        }
        var (doctorHeader, bridgeHeader, payload) = (_forge.DoctorHeader(), _forge.BridgeHeader(), Encoding.UTF8.GetBytes(_payload));
        switch (_random.Next(5))
        {
            case 0:
                doctorHeader = Encoding.UTF8.GetString(_json.Mutate(Encoding.UTF8.GetBytes(doctorHeader)));
                break;
            case 1:
                payload = _json.Mutate(payload);
                break;
            case 2:
                bridgeHeader = Forge.Header("ES256", "bridge", _forge.Typ, Convert.ToBase64String(ChangedCertificate(_forge.Bridge.Certificate, (ECDsa)_forge.Bridge.Key)));
                break;
            default:
                return WebAuthn();
        }
        var envelope = _forge.Envelope(_payload, doctorHeader, bridgeHeader);
        if (!payload.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(_payload)))
            SignAgain(envelope, payload, doctorHeader, bridgeHeader);
        if (_random.Next(3) == 0)
            envelope.Signature(_random.Next(2))["signature"] = ChangedText(envelope.Signature(0)["signature"]!.GetValue<string>());
        return Made("signed-summary", ("input", Base64Url.Encode(Encoding.UTF8.GetBytes(envelope.ToJsonString()))));
    }

    public JsonObject Compact()
    {
        var vector = Vector("compact-jws").DeepClone().AsObject();
        var parts = vector["input"]!.GetValue<string>().Split('.');
        if (_random.Next(3) == 0 || parts.Length != 3 || vector["outcome"]!.GetValue<string>() != "VALID")
        {
            vector["input"] = ChangedText(vector["input"]!.GetValue<string>());
            return vector;
        }
        var (header, payload) = (Base64Url.Decode(parts[0]), Base64Url.Decode(parts[1]));
        var isOffice = vector["spki"] is null;
        var der = _doctor;
        switch (_random.Next(isOffice ? 3 : 2))
        {
            case 0:
                payload = _json.Mutate(payload);
                break;
            case 1:
                header = _json.Mutate(header);
                break;
            default:
                der = ChangedCertificate(_doctor, _hospital.PeopleKey);
                break;
        }
        if (isOffice && JsonText(header) is { } read && read["x5c"] is JsonArray { Count: 1 })
        {
            read["x5c"] = new JsonArray(Convert.ToBase64String(der));
            header = CanonicalJson.Serialize(read);
        }
        else if (!isOffice)
            vector["spki"] = Base64Url.Encode(_key.ExportSubjectPublicKeyInfo());
        var input = $"{Base64Url.Encode(header)}.{Base64Url.Encode(payload)}";
        vector["input"] = $"{input}.{Base64Url.Encode(EcdsaSignature.Sign(_key, Encoding.ASCII.GetBytes(input)))}";
        return vector;
    }

    public JsonObject Record()
    {
        var record = _hospital.Record.ToJson();
        record["origins"] = new JsonArray(Origin, "http://localhost:8080");
        record["rpId"] = _random.Next(2) == 0 ? RpId : null;
        var bytes = Encoding.UTF8.GetBytes(record.ToJsonString());
        if (_random.Next(3) == 0)
        {
            record[_random.Next(2) == 0 ? "registrar" : "patientCa"] = Convert.ToBase64String(ChangedCertificate(_doctor, _hospital.PeopleKey));
            bytes = Encoding.UTF8.GetBytes(record.ToJsonString());
        }
        else
            bytes = _json.Mutate(bytes);
        return Made("hospital-record", ("input", Base64Url.Encode(bytes)));
    }

    /// <summary>A passkey's answer of which client data, authenticator data, signature or the proof's members are changed; the authenticator signs what it then says.</summary>
    private JsonObject WebAuthn()
    {
        var doctorHeader = _forge.DoctorHeader();
        var envelope = _forge.Envelope(_payload, doctorHeader, _forge.BridgeHeader());
        var input = Encoding.ASCII.GetBytes($"{envelope.Signature(0)["protected"]!.GetValue<string>()}.{envelope["payload"]!.GetValue<string>()}");
        var root = SHA256.HashData([0, .. input]);
        byte[] asked = [.. "bridge-cosign-v1\0"u8, .. SHA256.HashData(_forge.Doctor.Certificate), .. SHA256.HashData("HospitalAMSP"u8), 0, 0, 0, 1, .. root];
        var clientData = Encoding.UTF8.GetBytes($$"""{"type":"webauthn.get","challenge":"{{Base64Url.Encode(SHA256.HashData(asked))}}","origin":"{{Origin}}","crossOrigin":false}""");
        byte[] authenticator = [.. SHA256.HashData(Encoding.UTF8.GetBytes(RpId)), 5, 0, 0, 0, 1];
        var change = _random.Next(4);
        if (change == 0)
            clientData = _json.Mutate(clientData);
        if (change == 1)
            authenticator = authenticator[..^_random.Next(2)].Concat(new byte[_random.Next(3) * 500]).ToArray();
        var signature = ((ECDsa)_forge.Doctor.Key).SignData([.. authenticator, .. SHA256.HashData(clientData)], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        if (change == 2)
            signature = _der.Mutate(signature);
        var assertion = new JsonObject
        {
            ["authenticatorData"] = Base64Url.Encode(authenticator),
            ["clientDataJSON"] = Base64Url.Encode(clientData),
            ["signature"] = Base64Url.Encode(signature),
            ["n"] = 1,
            ["index"] = 0,
            ["path"] = new JsonArray(),
        };
        envelope.Signature(0).Remove("signature");
        envelope.Signature(0)["webauthn"] = assertion;
        var bytes = Encoding.UTF8.GetBytes(envelope.ToJsonString());
        if (change == 3)
        {
            var text = assertion.ToJsonString();
            var changed = Encoding.UTF8.GetString(_json.Mutate(Encoding.UTF8.GetBytes(text)));
            bytes = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes).Replace(text, changed, StringComparison.Ordinal));
        }
        var policy = new JsonObject { ["enabled"] = true, ["origins"] = new JsonArray(Origin), ["rpId"] = RpId };
        return Made("signed-summary", ("webauthn", policy), ("input", Base64Url.Encode(bytes)));
    }

    private void SignAgain(JsonObject envelope, byte[] payload, string doctorHeader, string bridgeHeader)
    {
        var encoded = Base64Url.Encode(payload);
        envelope["payload"] = encoded;
        envelope.Signature(0)["signature"] = Base64Url.Encode(_forge.Doctor.Sign($"{Forge.B64(doctorHeader)}.{encoded}"));
        envelope.Signature(1)["signature"] = Base64Url.Encode(_forge.Bridge.Sign($"{Forge.B64(bridgeHeader)}.{encoded}"));
    }

    /// <summary>The part that is signed is changed and signed again, or the whole is changed as it stands.</summary>
    private byte[] ChangedCertificate(byte[] good, ECDsa issuer)
    {
        if (_random.Next(6) == 0)
            return _der.Mutate(good);
        AsnDecoder.ReadSequence(good, AsnEncodingRules.DER, out var start, out _, out _);
        AsnDecoder.ReadEncodedValue(good.AsSpan(start), AsnEncodingRules.DER, out _, out _, out var length);
        var tbs = _der.Mutate(good[start..(start + length)]);
        var writer = new AsnWriter(AsnEncodingRules.BER);
        byte[] algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        var signature = issuer.SignData(tbs, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        if (_random.Next(30) == 0)
            signature = _der.Mutate(signature);
        writer.WriteBitString(signature);
        byte[] body = [.. tbs, .. algorithm, .. writer.Encode()];
        return [0x30, 0x82, (byte)(body.Length >> 8), (byte)body.Length, .. body];
    }

    private string ChangedText(string text)
    {
        const string Odd = "A_-+/=. \u00e9\n\0\u2028";
        var changed = new StringBuilder(text);
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            var at = _random.Next(3) == 0 ? changed.Length : _random.Next(changed.Length + 1);
            var c = Odd[_random.Next(Odd.Length)];
            if (_random.Next(2) == 0 || changed.Length == 0)
                changed.Insert(at, c);
            else if (_random.Next(2) == 0)
                changed[Math.Min(at, changed.Length - 1)] = c;
            else
                changed.Remove(Math.Min(at, changed.Length - 1), 1);
        }
        return changed.ToString();
    }

    private static JsonObject? JsonText(byte[] bytes)
    {
        try
        {
            return CanonicalJson.TryCanonicalise(bytes, out _) ? JsonNode.Parse(bytes) as JsonObject : null;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException)
        {
            return null;
        }
    }

    private JsonObject Vector(string kind)
    {
        JsonObject one;
        do
            one = _vectors[_random.Next(_vectors.Count)];
        while (one["kind"]!.GetValue<string>() != kind || one["typ"]?.GetValue<string>() is "bridge-signin+jws" or "bridge-device+jws");
        return one;
    }

    private static JsonObject Made(string kind, params (string Name, JsonNode? Value)[] members)
    {
        var vector = new JsonObject { ["name"] = "made", ["kind"] = kind };
        foreach (var (name, value) in members)
            vector[name] = value;
        vector["outcome"] = "";
        return vector;
    }

    public void Dispose()
    {
        _hospital.Dispose();
        _key.Dispose();
        _patientKey.Dispose();
    }
}
