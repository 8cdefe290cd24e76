using System.Text;
using System.Text.RegularExpressions;

namespace Bridge.Tests.Records.Differential;

/// <summary>Changes JSON texts in the ways that parsers are known to differ about: forms of number, escapes, members twice, depth, white space, bytes that are no UTF-8.</summary>
internal sealed partial class JsonMutator(Random random)
{
    private static readonly string[] Pieces =
    [
        "1.0", "1e0", "10E-1", "0.1e1", "-0", "0.0", "-0.0", "1E400", "-1e400", "1e-400", "5e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623159e308", "9007199254740991", "9007199254740992", "9007199254740993.0",
        "123456789012345678901234567890", "0.30000000000000004", "1e21", "1e20", "999999999999999900000", "1e-7", "0.000001", "333333333.33333329", "4.35", "01", "1.", ".1", "+1", "1e", "1e+", "--1", "Infinity", "NaN", "0x1", "1_0", "1f",
        "true", "false", "null", "True", "nul", "\"\"", "\"x\"", "\"\\u0041\"", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\uD800\\u0041\"", "\"\\/\"", "\"\\u002f\"", "\"\\u0000\"", "\"\\x41\"", "\"\\u00e9\"",
        "\"\u00e9\"", "\"e\u0301\"", "\"\u2028\"", "\"\ufeff\"", "\"\ud83d\ude00\"", "\"\uffff\"", "\"\u007f\"", "\"\t\"", "\"\\t\"", "'x'", "\"__proto__\"", "\"constructor\"", "\"toString\"", "\"length\"", "\"0\"",
        "{}", "[]", "[[]]", "{\"a\":{\"a\":1}}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}", "{\"__proto__\":1}", "{\"\":1,\"\":2}", ",", ":", "{", "}", "[", "]", " ", "\t\r\n", "\f", "\u00a0", "/**/", "//x\n", "\0", "\ufeff",
    ];

    private static readonly byte[][] Bytes = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xef, 0xbb, 0xbf], [0xef, 0xbf, 0xbf], [0x80], [0x00], [0x0b], [0x1f], [0x7f]];

    public byte[] Mutate(byte[] json)
    {
        var tokens = Token().Matches(Encoding.UTF8.GetString(json)).Select(m => m.Value).Append("").ToList();
        for (var i = random.Next(6) == 0 ? 3 : 1; i > 0; i--)
            Change(tokens);
        var bytes = Encoding.UTF8.GetBytes(string.Concat(tokens));
        switch (random.Next(24))
        {
            case 0 when bytes.Length > 0:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                var at = random.Next(bytes.Length + 1);
                bytes = [.. bytes[..at], .. Bytes[random.Next(Bytes.Length)], .. bytes[at..]];
                break;
            case 2 when bytes.Length > 0:
                bytes = bytes[..random.Next(bytes.Length)];
                break;
        }
        return bytes;
    }

    private void Change(List<string> tokens)
    {
        var at = random.Next(tokens.Count);
        switch (random.Next(9))
        {
            case 0:
                tokens[at] = Pieces[random.Next(Pieces.Length)];
                break;
            case 1:
                tokens.Insert(at, Pieces[random.Next(Pieces.Length)]);
                break;
            case 2:
                tokens.RemoveAt(at);
                if (tokens.Count == 0)
                    tokens.Add("");
                break;
            case 3:
                tokens[at] = Escaped(tokens[at]);
                break;
            case 4:
                (tokens[at], var other) = (tokens[random.Next(tokens.Count)], tokens[at]);
                if (random.Next(2) == 0)
                    tokens[random.Next(tokens.Count)] = other;
                break;
            case 5:
                Twice(tokens);
                break;
            case 6:
                var deep = random.Next(1, 19);
                tokens[at] = string.Concat(Enumerable.Repeat(random.Next(2) == 0 ? "[" : "{\"a\":", deep)) + tokens[at];
                tokens[at] += string.Concat(tokens[at].Take(tokens[at].Length).Where(c => c is '[' or '{').Reverse().Take(deep).Select(c => c == '[' ? ']' : '}'));
                break;
            case 7:
                tokens[at] = Number(tokens[at]);
                break;
            default:
                tokens.Insert(at, " \t\r\n"[random.Next(4)].ToString());
                break;
        }
    }

    /// <summary>A member stands twice, its name perhaps spelled another way.</summary>
    private void Twice(List<string> tokens)
    {
        var names = Enumerable.Range(0, Math.Max(0, tokens.Count - 1)).Where(i => tokens[i].StartsWith('"') && tokens[i + 1] == ":").ToList();
        if (names.Count == 0)
            return;
        var name = tokens[names[random.Next(names.Count)]];
        tokens.InsertRange(names[random.Next(names.Count)], [random.Next(2) == 0 ? name : Escaped(name), ":", Pieces[random.Next(Pieces.Length)], ","]);
    }

    private string Escaped(string token)
    {
        if (token.Length < 3 || token[0] != '"' || token.Contains('\\', StringComparison.Ordinal))
            return token;
        var at = random.Next(1, token.Length - 1);
        return $"{token[..at]}\\u{(int)token[at]:x4}{token[(at + 1)..]}";
    }

    private string Number(string token)
    {
        if (token.Length == 0 || !(char.IsAsciiDigit(token[0]) || token[0] == '-'))
            return token;
        return random.Next(6) switch
        {
            0 => token + ".0",
            1 => token + "e0",
            2 => token + "0e-1",
            3 => BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)).ToString("R", System.Globalization.CultureInfo.InvariantCulture),
            4 => string.Concat(Enumerable.Range(0, random.Next(1, 900)).Select(_ => (char)('0' + random.Next(10)))).TrimStart('0') + "e-" + random.Next(0, 900),
            _ => "-" + token,
        };
    }

    [GeneratedRegex("""
        "(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[a-z]+|\s+|.
        """, RegexOptions.Singleline | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Token();
}
