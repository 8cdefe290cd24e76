using System.Globalization;
using System.Text;

namespace Bridge.Records;

/// <summary>What breaks the rules of DER, or those of this profile.</summary>
internal sealed class DerException(string message) : Exception(message);

/// <summary>One DER element (X.690), read as the contract's <c>rules/der.ts</c> reads it: what one of the two refuses, the other refuses.</summary>
/// <param name="Tag">The tag's one byte.</param>
/// <param name="Contents">Without the header.</param>
/// <param name="Whole">With the header.</param>
internal readonly record struct Der(byte Tag, ReadOnlyMemory<byte> Contents, ReadOnlyMemory<byte> Whole)
{
    public const byte Boolean = 0x01, Integer = 0x02, BitString = 0x03, OctetString = 0x04, Oid = 0x06, Utf8String = 0x0c, PrintableString = 0x13, UtcTime = 0x17, GeneralizedTime = 0x18, Sequence = 0x30, Set = 0x31;

    private const long MaxArc = 9007199254740991;

    /// <summary>Reads exactly one element; anything after it is refused.</summary>
    public static Der Read(ReadOnlyMemory<byte> bytes)
    {
        var element = Next(bytes);
        return element.Whole.Length == bytes.Length ? element : throw new DerException("bytes after the element");
    }

    /// <summary>The elements inside a constructed one.</summary>
    public List<Der> Children()
    {
        var children = new List<Der>();
        for (var rest = Contents; !rest.IsEmpty; rest = rest[children[^1].Whole.Length..])
            children.Add(Next(rest));
        return children;
    }

    public Der Expect(byte tag) => Tag == tag ? this : throw new DerException($"tag {tag:x2} expected");

    private static Der Next(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length < 2)
            throw new DerException("cut off");
        if ((span[0] & 0x1f) == 0x1f)
            throw new DerException("a tag of several bytes");
        int length = span[1], start = 2;
        if (length >= 0x80)
        {
            var count = length & 0x7f;
            if (count is 0 or > 3)
                throw new DerException("a length that DER does not know, or too large");
            if (span.Length < start + count)
                throw new DerException("cut off");
            length = 0;
            foreach (var one in span.Slice(start, count))
                length = (length << 8) | one;
            start += count;
            if (length < 0x80 || length < 1 << (8 * (count - 1)))
                throw new DerException("a length in a longer form than needed");
        }
        if (span.Length - start < length)
            throw new DerException("cut off");
        return new Der(span[0], bytes.Slice(start, length), bytes[..(start + length)]);
    }

    public string ReadOid()
    {
        Expect(Oid);
        var parts = new List<long>();
        var value = 0L;
        var open = false;
        foreach (var one in Contents.Span)
        {
            if (!open && one == 0x80)
                throw new DerException("an object identifier with padding");
            value = value * 128 + (one & 0x7f);
            if (value > MaxArc)
                throw new DerException("an object identifier out of range");
            open = (one & 0x80) != 0;
            if (open)
                continue;
            parts.Add(value);
            value = 0;
        }
        if (open || parts.Count == 0)
            throw new DerException("an object identifier cut off");
        var root = Math.Min(2, parts[0] / 40);
        return string.Join('.', new[] { root, parts[0] - root * 40 }.Concat(parts.Skip(1)).Select(p => p.ToString(CultureInfo.InvariantCulture)));
    }

    public bool ReadBoolean()
    {
        Expect(Boolean);
        return Contents.Span is [0 or 0xff] ? Contents.Span[0] == 0xff : throw new DerException("a boolean that DER does not know");
    }

    /// <summary>The contents of a non-negative INTEGER without its sign byte.</summary>
    public ReadOnlyMemory<byte> ReadUnsigned()
    {
        Expect(Integer);
        var contents = Contents.Span;
        if (contents.IsEmpty || (contents[0] & 0x80) != 0)
            throw new DerException("a number that is negative or empty");
        if (contents is not [0, _, ..])
            return Contents;
        return (contents[1] & 0x80) != 0 ? Contents[1..] : throw new DerException("a number with padding");
    }

    /// <summary>Bits of a BIT STRING and how many of the last byte are unused.</summary>
    public (ReadOnlyMemory<byte> Bits, int Unused) ReadBits()
    {
        Expect(BitString);
        var contents = Contents.Span;
        if (contents.IsEmpty || contents[0] > 7 || (contents.Length == 1 && contents[0] > 0))
            throw new DerException("a broken bit string");
        if ((contents[^1] & ((1 << contents[0]) - 1)) != 0 && contents.Length > 1)
            throw new DerException("unused bits that are not zero");
        return (Contents[1..], contents[0]);
    }

    /// <summary>UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5, in unix seconds.</summary>
    public long ReadTime()
    {
        var text = Encoding.Latin1.GetString(Contents.Span);
        var length = Tag switch { UtcTime => 13, GeneralizedTime => 15, _ => 0 };
        if (length == 0 || text.Length != length || text[^1] != 'Z' || !SummarySchema.IsDigits(text.AsSpan(0, length - 1)))
            throw new DerException("a time in a form that certificates do not use");
        if (Tag == UtcTime)
            text = (string.CompareOrdinal(text, 0, "50", 0, 2) >= 0 ? "19" : "20") + text;
        if (string.CompareOrdinal(text, 0, "1950", 0, 4) < 0
            || !DateTime.TryParseExact(text, "yyyyMMddHHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            throw new DerException("an impossible time");
        return new DateTimeOffset(time, TimeSpan.Zero).ToUnixTimeSeconds();
    }
}
