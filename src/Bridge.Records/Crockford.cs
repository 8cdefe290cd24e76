namespace Bridge.Records;

/// <summary>Crockford's base32, lower case, most significant bit first; a last group is filled with zero bits.</summary>
public static class Crockford
{
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
    private const string CheckAlphabet = Alphabet + "*~$=u";
    private static readonly System.Buffers.SearchValues<char> Lower = System.Buffers.SearchValues.Create(Alphabet);

    /// <summary>Encodes without a check character.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new char[(bytes.Length * 8 + 4) / 5];
        int buffer = 0, bits = 0, at = 0;
        foreach (var b in bytes)
        {
            buffer = (buffer << 8) | b;
            bits += 8;
            while (bits >= 5)
            {
                bits -= 5;
                text[at++] = Alphabet[(buffer >> bits) & 31];
            }
            buffer &= (1 << bits) - 1;
        }
        if (bits > 0)
            text[at] = Alphabet[(buffer << (5 - bits)) & 31];
        return new string(text);
    }

    /// <summary>
    /// Decodes what a person typed: case does not matter, <c>o</c> reads as 0, <c>i</c> and <c>l</c> as 1, hyphens and spaces are passed over.
    /// False for another character or for fill bits that are not zero.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        var result = new List<byte>(text.Length * 5 / 8);
        int buffer = 0, bits = 0;
        foreach (var c in text)
        {
            if (c is '-' or ' ')
                continue;
            var value = Value(c);
            if (value is < 0 or > 31)
                return false;
            buffer = (buffer << 5) | value;
            bits += 5;
            if (bits >= 8)
            {
                bits -= 8;
                result.Add((byte)(buffer >> bits));
                buffer &= (1 << bits) - 1;
            }
        }
        if (bits >= 5 || buffer != 0)
            return false;
        bytes = [.. result];
        return true;
    }

    /// <summary>The check character (value modulo 37) of a big-endian number.</summary>
    public static char CheckCharacter(ReadOnlySpan<byte> bytes)
    {
        var remainder = 0;
        foreach (var b in bytes)
            remainder = ((remainder << 8) | b) % 37;
        return CheckAlphabet[remainder];
    }

    /// <summary>The number that a typed character stands for, 32 to 36 for check characters, -1 for none.</summary>
    public static int Value(char c)
    {
        var lower = char.ToLowerInvariant(c);
        return lower switch
        {
            'o' => 0,
            'i' or 'l' => 1,
            _ => CheckAlphabet.IndexOf(lower, StringComparison.Ordinal),
        };
    }

    internal static bool IsLowerCase(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Lower);
}
