using System.Globalization;

namespace Bridge.Records;

/// <summary>Numbers as RFC 8785 §3.2.2.3 writes them: ECMAScript's Number::toString over the shortest digits that read back the same.</summary>
internal static class EcmaNumber
{
    /// <summary>Longest text form, e.g. <c>-1.2345678901234567e-308</c>.</summary>
    public const int MaxLength = 32;

    /// <summary>Writes a finite number; returns the number of bytes. <paramref name="destination"/> holds at least <see cref="MaxLength"/>.</summary>
    public static int Format(double value, Span<byte> destination)
    {
        if (!double.IsFinite(value))
            throw new ArgumentOutOfRangeException(nameof(value), "JSON has no such number");
        var at = 0;
        if (value == 0) // also -0
        {
            destination[0] = (byte)'0';
            return 1;
        }
        if (value < 0)
        {
            destination[at++] = (byte)'-';
            value = -value;
        }
        Span<byte> digits = stackalloc byte[MaxLength];
        var (count, point) = ShortestDigits(value, digits);
        return at + Place(digits[..count], point, destination[at..]);
    }

    /// <summary>The fewest digits that read back as the value, which is 0.digits × 10^point. "R" finds them, in a layout of its own.</summary>
    private static (int Count, int Point) ShortestDigits(double value, Span<byte> digits)
    {
        Span<byte> text = stackalloc byte[MaxLength];
        if (!value.TryFormat(text, out var length, "R", CultureInfo.InvariantCulture))
            throw new InvalidOperationException("a double needs at most 24 characters");
        text = text[..length];
        var exponent = 0;
        var e = text.IndexOf((byte)'E');
        if (e >= 0)
        {
            exponent = int.Parse(text[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..e];
        }
        var dot = text.IndexOf((byte)'.');
        var point = exponent + (dot < 0 ? text.Length : dot);
        var count = 0;
        foreach (var c in text)
        {
            if (c == '.')
                continue;
            if (count == 0 && c == '0')
                point--;
            else
                digits[count++] = c;
        }
        while (count > 1 && digits[count - 1] == '0')
            count--;
        return (count, point);
    }

    /// <summary>The number is 0.digits × 10^point; ECMA-262 Number::toString steps 5 to 10.</summary>
    private static int Place(ReadOnlySpan<byte> digits, int point, Span<byte> destination)
    {
        var at = 0;
        if (digits.Length <= point && point <= 21)
        {
            digits.CopyTo(destination);
            destination[digits.Length..point].Fill((byte)'0');
            return point;
        }
        if (point is > 0 and <= 21)
        {
            digits[..point].CopyTo(destination);
            destination[point] = (byte)'.';
            digits[point..].CopyTo(destination[(point + 1)..]);
            return digits.Length + 1;
        }
        if (point is > -6 and <= 0)
        {
            "0."u8.CopyTo(destination);
            destination.Slice(2, -point).Fill((byte)'0');
            digits.CopyTo(destination[(2 - point)..]);
            return 2 - point + digits.Length;
        }
        destination[at++] = digits[0];
        if (digits.Length > 1)
        {
            destination[at++] = (byte)'.';
            digits[1..].CopyTo(destination[at..]);
            at += digits.Length - 1;
        }
        destination[at++] = (byte)'e';
        var exponent = point - 1;
        destination[at++] = exponent < 0 ? (byte)'-' : (byte)'+';
        Math.Abs(exponent).TryFormat(destination[at..], out var written, provider: CultureInfo.InvariantCulture);
        return at + written;
    }
}
