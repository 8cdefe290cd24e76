namespace Bridge.Fhir.Extraction;

/// <summary>Age bands at an encounter's end, from dates that may be vague.</summary>
internal static class Ages
{
    /// <summary>The 10-year band; null where the dates leave two possible.</summary>
    public static string? Band(in FhirDate birth, in FhirDate end)
    {
        var (least, most) = Range(birth, end);
        return AgeBands.Of(least) == AgeBands.Of(most) ? AgeBands.Of(most) : null;
    }

    /// <summary>The 20-year band; null where the dates leave two possible.</summary>
    public static string? WideBand(in FhirDate birth, in FhirDate end)
    {
        var (least, most) = Range(birth, end);
        return AgeBands.WideOf(least) == AgeBands.WideOf(most) ? AgeBands.WideOf(most) : null;
    }

    private static (int Least, int Most) Range(in FhirDate birth, in FhirDate end)
    {
        var (firstBirth, lastBirth) = Bounds(birth);
        var (firstEnd, lastEnd) = Bounds(end);
        return (Math.Max(0, Years(lastBirth, firstEnd)), Math.Max(0, Years(firstBirth, lastEnd)));
    }

    private static (DateOnly First, DateOnly Last) Bounds(in FhirDate date)
    {
        var first = new DateOnly(date.Year, date.Month, date.Day);
        return date.Precision switch
        {
            DatePrecision.Year => (first, new DateOnly(date.Year, 12, 31)),
            DatePrecision.Month => (first, new DateOnly(date.Year, date.Month, DateTime.DaysInMonth(date.Year, date.Month))),
            _ => (first, first),
        };
    }

    private static int Years(DateOnly from, DateOnly to)
    {
        var years = to.Year - from.Year;
        return to.Month < from.Month || (to.Month == from.Month && to.Day < from.Day) ? years - 1 : years;
    }
}
