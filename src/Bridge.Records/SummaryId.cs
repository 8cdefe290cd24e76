using System.Security.Cryptography;

namespace Bridge.Records;

/// <summary>
/// The reference of one summary and its private key on the ledger: 128 random bits as 22 base64url characters, never derived
/// from the encounter.
/// </summary>
public readonly record struct SummaryId
{
    /// <summary>Length of the text form.</summary>
    public const int TextLength = 22;

    private readonly string? _text;

    private SummaryId(string text) => _text = text;

    /// <summary>Draws a new id from the system's random number generator.</summary>
    public static SummaryId New() => new(Base64Url.Encode(RandomNumberGenerator.GetBytes(16)));

    /// <summary>Reads the 22-character form; the two spare bits of the last character must be zero.</summary>
    public static bool TryParse(string? text, out SummaryId id)
    {
        id = default;
        if (text is not { Length: TextLength } || !Base64Url.TryDecode(text, out _))
            return false;
        id = new SummaryId(text);
        return true;
    }

    /// <summary>Reads the 22-character form; <see cref="FormatException"/> with the value otherwise.</summary>
    public static SummaryId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is no summary id: 22 base64url characters are expected");

    /// <summary>The summary's private key on the ledger, and the seed of its tombstone's.</summary>
    public Handle ToHandle() => Handle.Parse(ToString());

    /// <summary>The 22-character form.</summary>
    public override string ToString() => _text ?? throw new InvalidOperationException("an empty summary id has no text");
}
