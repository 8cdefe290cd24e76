using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>A signer whose certificate can be of any kind.</summary>
internal sealed class Signer
{
    public Signer(string name, AsymmetricAlgorithm key)
    {
        Key = key;
        Certificate = NewCertificate(name);
    }

    public AsymmetricAlgorithm Key { get; }

    public byte[] Certificate { get; }

    public string X5c => Convert.ToBase64String(Certificate);

    public static Signer P256(string name) => new(name, ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Another certificate around the same key.</summary>
    public byte[] NewCertificate(string name)
    {
        var request = Key is ECDsa ec
            ? new CertificateRequest($"CN={name}", ec, HashAlgorithmName.SHA256)
            : new CertificateRequest($"CN={name}", (RSA)Key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(TestRecords.Now.AddDays(-30), TestRecords.Now.AddYears(30));
        return certificate.RawData;
    }

    public byte[] Sign(string text) => EcdsaSignature.Sign((ECDsa)Key, Encoding.ASCII.GetBytes(text));
}

/// <summary>Makes envelopes with one thing wrong and all else right: headers and payload are given as text and signed as they stand.</summary>
internal sealed class Forge
{
    private static readonly byte[] Order = Convert.FromHexString("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");

    public Signer Doctor { get; } = Signer.P256("Dr Ada Marten");

    public Signer Bridge { get; } = Signer.P256("bridge.hospital-a");

    public string Typ { get; init; } = "bridge-summary+json";

    public string DoctorHeader(Signer? signer = null, string alg = "ES256") => Header(alg, "doctor", Typ, (signer ?? Doctor).X5c);

    public string BridgeHeader(Signer? signer = null) => Header("ES256", "bridge", Typ, (signer ?? Bridge).X5c);

    public static string Header(string alg, string role, string typ, params string[] x5c) =>
        CanonicalJson.SerializeToString(new JsonObject
        {
            ["alg"] = alg,
            ["role"] = role,
            ["typ"] = typ,
            ["x5c"] = new JsonArray([.. x5c.Select(c => (JsonNode)c)]),
        });

    /// <summary>A header made of the good one by a change; canonical afterwards.</summary>
    public static string Change(string header, Action<JsonObject> change)
    {
        var node = JsonNode.Parse(header)!.AsObject();
        change(node);
        return CanonicalJson.SerializeToString(node);
    }

    public static string B64(string text) => Base64Url.Encode(Encoding.UTF8.GetBytes(text));

    public string Signed(string header, string encodedPayload, Signer signer) => Base64Url.Encode(signer.Sign($"{B64(header)}.{encodedPayload}"));

    /// <summary>The whole envelope as a JSON object, all parts replaceable.</summary>
    public JsonObject Envelope(string payload, string? doctorHeader = null, string? bridgeHeader = null, Signer? doctor = null, Signer? bridge = null) =>
        EnvelopeOf(B64(payload), doctorHeader, bridgeHeader, doctor, bridge);

    public JsonObject EnvelopeOf(string encodedPayload, string? doctorHeader = null, string? bridgeHeader = null, Signer? doctor = null, Signer? bridge = null)
    {
        doctorHeader ??= DoctorHeader(doctor);
        bridgeHeader ??= BridgeHeader(bridge);
        return new JsonObject
        {
            ["payload"] = encodedPayload,
            ["signatures"] = new JsonArray(
                new JsonObject { ["protected"] = B64(doctorHeader), ["signature"] = Signed(doctorHeader, encodedPayload, doctor ?? Doctor) },
                new JsonObject { ["protected"] = B64(bridgeHeader), ["signature"] = Signed(bridgeHeader, encodedPayload, bridge ?? Bridge) }),
        };
    }

    /// <summary>The same signature with n − s for s.</summary>
    public static byte[] Flip(byte[] signature)
    {
        var flipped = (byte[])signature.Clone();
        var borrow = 0;
        for (var i = 31; i >= 0; i--)
        {
            var difference = Order[i] - signature[32 + i] - borrow;
            borrow = difference < 0 ? 1 : 0;
            flipped[32 + i] = (byte)difference;
        }
        return flipped;
    }

    public static byte[] GroupOrder => Order;
}

/// <summary>Small ways to say what is changed in an envelope.</summary>
internal static class ForgeExtensions
{
    public static JsonObject Signature(this JsonObject envelope, int index) => envelope["signatures"]![index]!.AsObject();

    public static JsonObject With(this JsonObject envelope, Action<JsonObject> change)
    {
        change(envelope);
        return envelope;
    }

    public static byte[] Text(this JsonObject signature) => Base64Url.Decode(signature["signature"]!.GetValue<string>());
}
