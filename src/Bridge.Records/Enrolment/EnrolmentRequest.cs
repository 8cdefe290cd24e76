using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>A patient's request to be enrolled: the key, the consent, and the proof that the code's holder made it.</summary>
/// <param name="CodeId">The code's id.</param>
/// <param name="SubjectPublicKeyInfo">DER, P-256.</param>
/// <param name="Consent">Compact consent, signed by that key.</param>
/// <param name="Mac">base64url of 32 bytes.</param>
public sealed record EnrolmentRequest(Handle CodeId, byte[] SubjectPublicKeyInfo, string Consent, string Mac)
{
    private static readonly string[] Members = ["v", "codeId", "spki", "consent", "mac"];

    /// <summary>The pseudonym that the key gives.</summary>
    public Pseudonym Pseudonym => Pseudonym.FromPublicKey(SubjectPublicKeyInfo);

    /// <summary>What the patient's browser does: sign the consent with the new key and prove the code.</summary>
    /// <param name="keys">From <see cref="EnrolmentCode.Derive"/>.</param>
    /// <param name="portal">The portal's MSP id.</param>
    /// <param name="key">The patient's new key, P-256.</param>
    /// <param name="purposes">From <see cref="Purposes.All"/>.</param>
    /// <param name="recipients">MSP ids, the portal's among them.</param>
    /// <param name="noticeText">The notice shown, whose digest is signed.</param>
    /// <param name="language">BCP 47 tag of the notice.</param>
    /// <param name="expires">Last day of the consent.</param>
    public static EnrolmentRequest Create(
        EnrolmentKeys keys, string portal, ECDsa key, IReadOnlyList<string> purposes, IReadOnlyList<string> recipients, string noticeText, string language, DateOnly expires)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(key);
        var publicKey = key.ExportSubjectPublicKeyInfo();
        var consent = CompactJws.Sign(
            new Consent(Handle.New(), keys.Hospital, Digest.Of(publicKey), purposes, recipients, Digest.Of(noticeText), language, expires), key);
        return new EnrolmentRequest(keys.CodeId, publicKey, consent, keys.Mac(portal, publicKey, consent));
    }

    /// <summary>The request as a JSON object.</summary>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["codeId"] = CodeId.ToString(),
        ["spki"] = Base64Url.Encode(SubjectPublicKeyInfo),
        ["consent"] = Consent,
        ["mac"] = Mac,
    };

    /// <summary>Reads a request of the exact form; otherwise null and the member at fault. Neither consent nor MAC is verified.</summary>
    public static EnrolmentRequest? Read(JsonElement element, out string? fault)
    {
        var closed = new Closed();
        EnrolmentRequest? request = null;
        if (closed.Object(element, "", Members))
        {
            closed.Integer(element, "", "v", 1, 1);
            if (!Base64Url.TryDecode(closed.Text(element, "", "spki"), out var publicKey) || !LeafCertificate.IsP256(publicKey))
                closed.Refuse("spki");
            request = new EnrolmentRequest(
                closed.Handle(element, "", "codeId"),
                publicKey,
                closed.Text(element, "", "consent", text => text.Length is >= 1 and <= 8192),
                closed.Text(element, "", "mac", text => Base64Url.TryDecode(text, out var mac) && mac.Length == 32));
        }
        return StatementSchema.End(closed, request, out fault);
    }
}
