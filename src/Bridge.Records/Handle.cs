using System.Security.Cryptography;
using System.Text;

namespace Bridge.Records;

/// <summary>
/// The random name of a private value on the ledger: 128 random bits as 22 base64url characters. Fabric shows its SHA-256 only, so a handle is
/// as good as secret and never stands in a message or log.
/// </summary>
public readonly record struct Handle
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 22;

    private readonly string? _text;

    private Handle(string text) => _text = text;

    /// <summary>Draws a new handle from the system's random number generator.</summary>
    public static Handle New() => new(Base64Url.Encode(RandomNumberGenerator.GetBytes(16)));

    /// <summary>The handle of a summary's body: the summary's id.</summary>
    public static Handle Of(SummaryId id) => new(id.ToString());

    /// <summary>Reads the 22-character form; the spare bits of the last character must be zero.</summary>
    public static bool TryParse(string? text, out Handle handle)
    {
        handle = default;
        if (text is not { Length: TextLength } || !Base64Url.TryDecode(text, out _))
            return false;
        handle = new Handle(text);
        return true;
    }

    /// <summary>Reads the 22-character form; <see cref="FormatException"/> (without the value) otherwise.</summary>
    public static Handle Parse(string text) =>
        TryParse(text, out var handle) ? handle : throw new FormatException("not a handle: 22 base64url characters are expected");

    /// <summary>
    /// Name of the tombstone of what this handle names: the first 22 characters of base64url(SHA-256("bridge/tomb/1" ‖ 00 ‖ handle text)).
    /// Without the handle nobody can compute it, so a tombstone needs no handle of its own.
    /// </summary>
    /// <remarks>Text and no handle: its 22nd character keeps bits that 16 bytes would not have.</remarks>
    public string TombOf()
    {
        Span<byte> input = stackalloc byte[14 + TextLength];
        "bridge/tomb/1\0"u8.CopyTo(input);
        Encoding.ASCII.GetBytes(ToString(), input[14..]);
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(input, digest);
        return Base64Url.Encode(digest)[..TextLength];
    }

    /// <summary>The 22-character form.</summary>
    public override string ToString() => _text ?? throw new InvalidOperationException("an empty handle has no text");
}

/// <summary>256 random bits that hide a private value's hash from guessing: 43 base64url characters.</summary>
public readonly record struct Salt
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 43;

    private readonly string? _text;

    private Salt(string text) => _text = text;

    /// <summary>Draws a new salt from the system's random number generator.</summary>
    public static Salt New() => new(Base64Url.Encode(RandomNumberGenerator.GetBytes(32)));

    /// <summary>Reads the 43-character form.</summary>
    public static bool TryParse(string? text, out Salt salt)
    {
        salt = default;
        if (text is not { Length: TextLength } || !Base64Url.TryDecode(text, out _))
            return false;
        salt = new Salt(text);
        return true;
    }

    /// <summary>Reads the 43-character form; <see cref="FormatException"/> (without the value) otherwise.</summary>
    public static Salt Parse(string text) =>
        TryParse(text, out var salt) ? salt : throw new FormatException("not a salt: 43 base64url characters are expected");

    /// <summary>The 43-character form.</summary>
    public override string ToString() => _text ?? throw new InvalidOperationException("an empty salt has no text");
}

/// <summary>SHA-256 as the ledger's values write it: 43 base64url characters. A certificate's thumbprint is the digest of its DER.</summary>
public readonly record struct Digest : IComparable<Digest>
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 43;

    private readonly string? _text;

    private Digest(string text) => _text = text;

    /// <summary>SHA-256 of the bytes.</summary>
    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(bytes, digest);
        return new Digest(Base64Url.Encode(digest));
    }

    /// <summary>SHA-256 of the text's UTF-8 bytes.</summary>
    public static Digest Of(string text) => Of(Encoding.UTF8.GetBytes(text));

    /// <summary>Reads the 43-character form.</summary>
    public static bool TryParse(string? text, out Digest digest)
    {
        digest = default;
        if (text is not { Length: TextLength } || !Base64Url.TryDecode(text, out _))
            return false;
        digest = new Digest(text);
        return true;
    }

    /// <summary>Reads the 43-character form; <see cref="FormatException"/> otherwise.</summary>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException($"'{text}' is no SHA-256 digest: 43 base64url characters are expected");

    /// <summary>The 32 bytes.</summary>
    public byte[] ToBytes() => Base64Url.Decode(ToString());

    /// <summary>Order of the text forms by UTF-16 unit, as lists of digests are sorted on the ledger.</summary>
    public int CompareTo(Digest other) => string.CompareOrdinal(_text, other._text);

    /// <summary>Order of the text forms.</summary>
    public static bool operator <(Digest left, Digest right) => left.CompareTo(right) < 0;

    /// <summary>Order of the text forms.</summary>
    public static bool operator >(Digest left, Digest right) => left.CompareTo(right) > 0;

    /// <summary>Order of the text forms.</summary>
    public static bool operator <=(Digest left, Digest right) => left.CompareTo(right) <= 0;

    /// <summary>Order of the text forms.</summary>
    public static bool operator >=(Digest left, Digest right) => left.CompareTo(right) >= 0;

    /// <summary>The 43-character form.</summary>
    public override string ToString() => _text ?? throw new InvalidOperationException("an empty digest has no text");
}
