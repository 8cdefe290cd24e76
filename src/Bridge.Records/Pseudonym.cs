using System.Security.Cryptography;

namespace Bridge.Records;

/// <summary>
/// A patient's name on the ledger: <c>p</c> and the first 26 characters of the Crockford base32 (lower case) of
/// SHA-256(DER SubjectPublicKeyInfo). Self-certifying: whoever holds the key can prove the name.
/// </summary>
public readonly record struct Pseudonym
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 27;

    private readonly string? _text;

    private Pseudonym(string text) => _text = text;

    /// <summary>The pseudonym that belongs to a public key.</summary>
    /// <param name="subjectPublicKeyInfo">DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).</param>
    public static Pseudonym FromPublicKey(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(subjectPublicKeyInfo, digest);
        return new Pseudonym("p" + Crockford.Encode(digest)[..26]);
    }

    /// <summary>Reads the 27-character lower-case form.</summary>
    public static bool TryParse(string? text, out Pseudonym pseudonym)
    {
        pseudonym = default;
        if (text is not { Length: TextLength } || text[0] != 'p' || !Crockford.IsLowerCase(text.AsSpan(1)))
            return false;
        pseudonym = new Pseudonym(text);
        return true;
    }

    /// <summary>The 27-character form.</summary>
    public override string ToString() => _text ?? throw new InvalidOperationException("an empty pseudonym has no text");
}
