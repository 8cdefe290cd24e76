using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>How a typed code was read.</summary>
public enum CodeReading
{
    /// <summary>It is a code.</summary>
    Good,

    /// <summary>Not 17 characters (hyphens and spaces do not count).</summary>
    WrongLength,

    /// <summary>A character that no code has.</summary>
    BadCharacter,

    /// <summary>The check character does not fit: a typing mistake.</summary>
    CheckFailed,
}

/// <summary>
/// What the desk prints for a patient: 80 random bits, as 16 characters of Crockford base32 and a check character. Whoever has it may enrol one key, so it is
/// never logged and never leaves the patient's browser; only what is derived from it does.
/// </summary>
public sealed class EnrolmentCode
{
    private const int Size = 10;

    private readonly byte[] _bits;

    private EnrolmentCode(byte[] bits) => _bits = bits;

    /// <summary>Draws a new code from the system's random number generator.</summary>
    public static EnrolmentCode New() => new(RandomNumberGenerator.GetBytes(Size));

    /// <summary>Reads what a person typed or a QR carried.</summary>
    public static CodeReading TryParse(string? text, out EnrolmentCode? code)
    {
        code = null;
        var plain = (text ?? "").Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        if (plain.Length != 17)
            return CodeReading.WrongLength;
        if (!Crockford.TryDecode(plain.AsSpan(0, 16), out var bits) || bits.Length != Size || Crockford.Value(plain[16]) < 0)
            return CodeReading.BadCharacter;
        if (Crockford.Value(plain[16]) != Crockford.Value(Crockford.CheckCharacter(bits)))
            return CodeReading.CheckFailed;
        code = new EnrolmentCode(bits);
        return CodeReading.Good;
    }

    /// <summary>The 17 characters as printed: <c>XXXX-XXXX-XXXX-XXXX-C</c>, upper case.</summary>
    public string ToPrintedText()
    {
        var text = ToPlainText();
        return $"{text[..4]}-{text[4..8]}-{text[8..12]}-{text[12..16]}-{text[16]}";
    }

    /// <summary>The 17 characters, upper case, without hyphens.</summary>
    public string ToPlainText() => (Crockford.Encode(_bits) + Crockford.CheckCharacter(_bits)).ToUpperInvariant();

    /// <summary>Says nothing: a code never gets into a log by way of formatting.</summary>
    public override string ToString() => "(enrolment code)";

    /// <summary>
    /// What the code means at one hospital: HKDF-SHA-256 over its 10 bytes with salt SHA-256(UTF-8 MSP ‖ people digests ‖ bridge digests). A code is bound to the
    /// CA certificates it was printed with.
    /// </summary>
    public EnrolmentKeys Derive(string hospital, CaDigests caDigests)
    {
        ArgumentNullException.ThrowIfNull(hospital);
        ArgumentNullException.ThrowIfNull(caDigests);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(hospital));
        foreach (var digest in caDigests.People.Order().Concat(caDigests.Bridge.Order()))
            hash.AppendData(digest.ToBytes());
        var salt = hash.GetHashAndReset();
        var id = HKDF.DeriveKey(HashAlgorithmName.SHA256, _bits, 16, salt, "bridge/enrol/id/1"u8.ToArray());
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, _bits, 32, salt, "bridge/enrol/mac/1"u8.ToArray());
        return new EnrolmentKeys(hospital, caDigests, Handle.Parse(Base64Url.Encode(id)), key);
    }
}

/// <summary>What is derived from a code: its public id, and the key whose MAC shows that the code's holder made a request.</summary>
public sealed class EnrolmentKeys
{
    private readonly byte[] _macKey;

    /// <summary>From what the hospital keeps of a printed code.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="caDigests">As printed with the code.</param>
    /// <param name="codeId">The code's id.</param>
    /// <param name="macKey">32 bytes; secret.</param>
    public EnrolmentKeys(string hospital, CaDigests caDigests, Handle codeId, ReadOnlySpan<byte> macKey)
    {
        if (macKey.Length != 32)
            throw new ArgumentException($"a MAC key has 32 bytes, this has {macKey.Length}", nameof(macKey));
        Hospital = hospital;
        CaDigests = caDigests;
        CodeId = codeId;
        _macKey = macKey.ToArray();
    }

    /// <summary>MSP id.</summary>
    public string Hospital { get; }

    /// <summary>The CA digests printed with the code.</summary>
    public CaDigests CaDigests { get; }

    /// <summary>Names the code without giving it away.</summary>
    public Handle CodeId { get; }

    /// <summary>The 32-byte MAC key, for the hospital to keep instead of the code. Secret.</summary>
    public ReadOnlyMemory<byte> MacKey => _macKey;

    /// <summary>HMAC-SHA-256, base64url, over the canonical {v, hospital, caDigests, portalMSP, codeId, spki, consentSha256}.</summary>
    /// <param name="portal">The portal's MSP id.</param>
    /// <param name="subjectPublicKeyInfo">The patient's public key, DER.</param>
    /// <param name="consent">The compact consent.</param>
    public string Mac(string portal, ReadOnlySpan<byte> subjectPublicKeyInfo, string consent) => Base64Url.Encode(MacBytes(portal, subjectPublicKeyInfo, consent));

    /// <summary>True where the request's MAC is right; compared in constant time. The consent itself is verified by the caller.</summary>
    public bool Verify(EnrolmentRequest request, string portal)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.CodeId == CodeId
            && Base64Url.TryDecode(request.Mac, out var given)
            && CryptographicOperations.FixedTimeEquals(MacBytes(portal, request.SubjectPublicKeyInfo, request.Consent), given);
    }

    private byte[] MacBytes(string portal, ReadOnlySpan<byte> subjectPublicKeyInfo, string consent) =>
        HMACSHA256.HashData(_macKey, CanonicalJson.Serialize(new JsonObject
        {
            ["v"] = 1,
            ["hospital"] = Hospital,
            ["caDigests"] = CaDigests.ToJson(),
            ["portalMSP"] = portal,
            ["codeId"] = CodeId.ToString(),
            ["spki"] = Base64Url.Encode(subjectPublicKeyInfo),
            ["consentSha256"] = Digest.Of(consent).ToString(),
        }));
}
