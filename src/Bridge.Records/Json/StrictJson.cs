using System.Text.Json;
using System.Text.Unicode;

namespace Bridge.Records;

/// <summary>What is wrong with a JSON text.</summary>
public enum JsonFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Not UTF-8 (or with a byte order mark), not JSON, nested too deep, a lone surrogate, or a number outside the range of a double.</summary>
    Malformed,

    /// <summary>Well-formed, but a member stands twice in one object.</summary>
    DuplicateMember,
}

/// <summary>Reads JSON as signed data must be read: one meaning per text (RFC 7493), duplicates seen.</summary>
public static class StrictJson
{
    /// <summary>Most arrays and objects inside one another, the outermost counted.</summary>
    public const int MaxDepth = 16;

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };
    private static readonly JsonDocumentOptions NoDuplicates = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>
    /// Parses the whole text; <see cref="JsonFault.Malformed"/> wins over <see cref="JsonFault.DuplicateMember"/>. The document, which the caller disposes, keeps
    /// the memory in use.
    /// </summary>
    public static JsonFault Parse(ReadOnlyMemory<byte> utf8, out JsonDocument? document)
    {
        document = null;
        if (!IsWellFormed(utf8.Span))
            return JsonFault.Malformed;
        try
        {
            document = JsonDocument.Parse(utf8, NoDuplicates);
            return JsonFault.None;
        }
        catch (JsonException)
        {
            return JsonFault.DuplicateMember; // all else has been seen by the walk
        }
    }

    private static bool IsWellFormed(ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8))
            return false;
        var reader = new Utf8JsonReader(utf8, ReaderOptions);
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName or JsonTokenType.String when reader.ValueIsEscaped && HasLoneSurrogate(reader.ValueSpan):
                    case JsonTokenType.Number when !reader.TryGetDouble(out var number) || !double.IsFinite(number):
                        return false;
                }
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool HasLoneSurrogate(ReadOnlySpan<byte> escaped)
    {
        var highBefore = false;
        for (var i = 0; i < escaped.Length; i++)
        {
            var unit = -1;
            if (escaped[i] == '\\')
            {
                i++;
                if (escaped[i] == 'u')
                {
                    unit = (Hex(escaped[i + 1]) << 12) | (Hex(escaped[i + 2]) << 8) | (Hex(escaped[i + 3]) << 4) | Hex(escaped[i + 4]);
                    i += 4;
                }
            }
            var isLow = unit is >= 0xDC00 and <= 0xDFFF;
            if (isLow != highBefore)
                return true;
            highBefore = unit is >= 0xD800 and <= 0xDBFF;
        }
        return highBefore;
    }

    private static int Hex(byte c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}
