using System.Security.Cryptography;
using Bridge.Records;

namespace Bridge.Ledger;

/// <summary>
/// A random private key on the ledger: 128 bits as 22 base64url characters. Nothing about a person can be found from it. Draw it before the
/// first attempt and keep it with the work: a repeated attempt must bring the same one.
/// </summary>
public readonly record struct Handle
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 22;

    private readonly string? text;

    private Handle(string text) => this.text = text;

    /// <summary>Draws one from the system's random number generator.</summary>
    public static Handle New() => new(Base64Url.Encode(RandomNumberGenerator.GetBytes(16)));

    /// <summary>The handle of a summary's body.</summary>
    public static Handle Of(SummaryId id) => new(id.ToString());

    /// <summary>Reads the 22-character form; the two spare bits of the last character must be zero.</summary>
    public static bool TryParse(string? text, out Handle handle)
    {
        handle = default;
        if (text is not { Length: TextLength } || !Base64Url.TryDecode(text, out _))
            return false;
        handle = new Handle(text);
        return true;
    }

    /// <summary>Reads the 22-character form; <see cref="FormatException"/> otherwise, without the value.</summary>
    public static Handle Parse(string text) =>
        TryParse(text, out var handle) ? handle : throw new FormatException("not a handle: 22 base64url characters are expected");

    /// <summary>The 22-character form.</summary>
    public override string ToString() => text ?? throw new InvalidOperationException("an empty handle has no text");
}

/// <summary>
/// 256 random bits inside a private value, as 43 base64url characters: without them equal values would show as equal hashes. Draw a salt
/// for every value and keep it with the work, as a <see cref="Handle"/>.
/// </summary>
public readonly record struct Salt
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 43;

    private readonly string? text;

    private Salt(string text) => this.text = text;

    /// <summary>Draws one from the system's random number generator.</summary>
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

    /// <summary>Reads the 43-character form; <see cref="FormatException"/> otherwise, without the value.</summary>
    public static Salt Parse(string text) =>
        TryParse(text, out var salt) ? salt : throw new FormatException("not a salt: 43 base64url characters are expected");

    /// <summary>The 43-character form.</summary>
    public override string ToString() => text ?? throw new InvalidOperationException("an empty salt has no text");
}
