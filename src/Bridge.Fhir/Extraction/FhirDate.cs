using System.Globalization;

namespace Bridge.Fhir.Extraction;

/// <summary>How fine a FHIR date is.</summary>
internal enum DatePrecision
{
    None,
    Year,
    Month,
    Day,
    Time,
}

/// <summary>A FHIR date or dateTime: its own local calendar date, its precision, and the instant where it has a time.</summary>
internal readonly record struct FhirDate(int Year, int Month, int Day, DatePrecision Precision, DateTimeOffset Instant)
{
    /// <summary>First moment that it may mean (UTC where it has no time).</summary>
    public DateTimeOffset Earliest => Instant;

    /// <summary>The first moment after everything that it may mean.</summary>
    public DateTimeOffset Latest => Precision switch
    {
        DatePrecision.Year => Instant.Year == 9999 ? DateTimeOffset.MaxValue : Instant.AddYears(1),
        DatePrecision.Month => Instant.Year == 9999 ? DateTimeOffset.MaxValue : Instant.AddMonths(1),
        DatePrecision.Day => Instant.Year == 9999 ? DateTimeOffset.MaxValue : Instant.AddDays(1),
        _ => Instant,
    };

    /// <summary>Reads a date; false where it is of another form, or where such a day or time does not exist.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out FhirDate date)
    {
        date = default;
        if (text.Length < 4 || !Number(text[..4], out var year) || year == 0)
            return false;
        if (text.Length == 4)
            return Make(year, 1, 1, DatePrecision.Year, out date);
        if (text.Length < 7 || text[4] != (byte)'-' || !Number(text[5..7], out var month) || month is < 1 or > 12)
            return false;
        if (text.Length == 7)
            return Make(year, month, 1, DatePrecision.Month, out date);
        if (text.Length < 10 || text[7] != (byte)'-' || !Number(text[8..10], out var day) || day < 1 || day > DateTime.DaysInMonth(year, month))
            return false;
        if (text.Length == 10)
            return Make(year, month, day, DatePrecision.Day, out date);
        return text[10] == (byte)'T' && WithTime(year, month, day, text[11..], out date);
    }

    public static bool TryParseInstant(string? text, out DateTimeOffset at)
    {
        at = default;
        if (text is null || text.Length > 64)
            return false;
        Span<byte> bytes = stackalloc byte[192];
        var length = System.Text.Encoding.UTF8.GetBytes(text, bytes);
        if (!TryParse(bytes[..length], out var date))
            return false;
        at = date.Instant;
        return true;
    }

    /// <summary><c>YYYY-MM</c>, or null where the date is only a year.</summary>
    public string? ToMonth() => Precision >= DatePrecision.Month ? string.Create(CultureInfo.InvariantCulture, $"{Year:D4}-{Month:D2}") : null;

    private static bool Make(int year, int month, int day, DatePrecision precision, out FhirDate date)
    {
        date = new FhirDate(year, month, day, precision, new DateTimeOffset(year, month, day, 0, 0, 0, TimeSpan.Zero));
        return true;
    }

    // hh:mm[:ss[.fraction]][Z|±hh:mm]; a missing zone (not allowed by FHIR, seen) counts as UTC
    private static bool WithTime(int year, int month, int day, ReadOnlySpan<byte> t, out FhirDate date)
    {
        date = default;
        if (t.Length < 5 || !Number(t[..2], out var hour) || t[2] != (byte)':' || !Number(t[3..5], out var minute) || hour > 24 || minute > 59)
            return false;
        t = t[5..];
        var second = 0;
        long ticks = 0;
        if (t is [(byte)':', ..])
        {
            if (t.Length < 3 || !Number(t[1..3], out second) || second > 60)
                return false;
            t = t[3..];
            if (t is [(byte)'.', ..])
            {
                var digits = 0;
                long scale = TimeSpan.TicksPerSecond;
                while (digits + 1 < t.Length && t[digits + 1] is >= (byte)'0' and <= (byte)'9')
                {
                    scale /= 10;
                    ticks += (t[digits + 1] - '0') * scale;
                    digits++;
                }
                if (digits == 0)
                    return false;
                t = t[(digits + 1)..];
            }
        }
        if (hour == 24 && (minute != 0 || second != 0))
            return false;
        var offset = TimeSpan.Zero;
        if (t is [(byte)'+' or (byte)'-', ..])
        {
            if (t.Length != 6 || !Number(t[1..3], out var oh) || t[3] != (byte)':' || !Number(t[4..6], out var om) || oh > 14 || om > 59 || (oh == 14 && om > 0))
                return false;
            offset = new TimeSpan(oh, om, 0) * (t[0] == (byte)'-' ? -1 : 1);
        }
        else if (t.Length != 0 && t is not [(byte)'Z'])
        {
            return false;
        }
        var local = new DateTime(year, month, day).Ticks + hour * TimeSpan.TicksPerHour + minute * TimeSpan.TicksPerMinute
            + Math.Min(second, 59) * TimeSpan.TicksPerSecond + ticks;
        var utc = local - offset.Ticks;
        if (local > DateTime.MaxValue.Ticks || utc < 0 || utc > DateTime.MaxValue.Ticks)
            return false;
        var day1 = new DateTime(local);
        date = new FhirDate(day1.Year, day1.Month, day1.Day, DatePrecision.Time, new DateTimeOffset(utc, TimeSpan.Zero));
        return true;
    }

    private static bool Number(ReadOnlySpan<byte> digits, out int value)
    {
        value = 0;
        foreach (var d in digits)
        {
            if (d is < (byte)'0' or > (byte)'9')
                return false;
            value = value * 10 + (d - '0');
        }
        return true;
    }
}
