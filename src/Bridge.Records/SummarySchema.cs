using System.Buffers;

namespace Bridge.Records;

/// <summary>The closed schema of a summary, version 1: the same rule in the contract and in the browser.</summary>
public static class SummarySchema
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const string Digits = "0123456789";
    private static readonly SearchValues<char> MspCharacters = SearchValues.Create(Letters + Digits + ".-");
    private static readonly SearchValues<char> CodeCharacters = SearchValues.Create(Letters + Digits + ".+*/-");

    /// <summary>Encounter classes (v3 ActCode) that may leave.</summary>
    public static IReadOnlyList<string> Classes { get; } =
        ["AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR"];

    /// <summary>Age bands: of ten years, then the generalised ones of twenty.</summary>
    public static IReadOnlyList<string> AgeBands { get; } =
    [
        "0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+",
        "0-19", "20-39", "40-59", "60-79", "80+",
    ];

    /// <summary>Administrative genders of FHIR.</summary>
    public static IReadOnlyList<string> Sexes { get; } = ["male", "female", "other", "unknown"];

    /// <summary>Discharge dispositions of FHIR.</summary>
    public static IReadOnlyList<string> Dispositions { get; } =
        ["home", "alt-home", "other-hcf", "hosp", "long", "aadvice", "exp", "psy", "rehab", "snf", "oth"];

    /// <summary>A Fabric MSP id as this system allows them: a letter, then at most 63 letters, digits, dots and hyphens.</summary>
    public static bool IsMsp(string? text) =>
        text is { Length: >= 1 and <= 64 } && char.IsAsciiLetter(text[0]) && !text.AsSpan().ContainsAnyExcept(MspCharacters);

    /// <summary>A code: a letter or digit, then at most 31 of letters, digits and <c>. + * / -</c>.</summary>
    public static bool IsCode(string? text) =>
        text is { Length: >= 1 and <= 32 } && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(CodeCharacters);

    /// <summary><c>YYYY-MM</c>, <c>YYYY-Qn</c> or <c>YYYY</c>, 1900 to 2199.</summary>
    public static bool IsPeriod(string? text)
    {
        if (text is not { Length: 4 or 7 } || !IsDigits(text.AsSpan(0, 4)) || string.CompareOrdinal(text, "1900") < 0 || string.CompareOrdinal(text, 0, "2199", 0, 4) > 0)
            return false;
        if (text.Length == 4)
            return true;
        return text[4] == '-' && (text[5] == 'Q'
            ? text[6] is >= '1' and <= '4'
            : IsDigits(text.AsSpan(5, 2)) && ((text[5] - '0') * 10 + text[6] - '0') is >= 1 and <= 12);
    }

    /// <summary>The path of the first member that breaks the schema, such as <c>treatments[1].code</c>; null where all is good.</summary>
    public static string? FaultIn(MinimalSummary summary)
    {
        ArgumentNullException.ThrowIfNull(summary);
        if (summary.Id == default)
            return "id";
        if (summary.Patient == default)
            return "patient";
        if (!IsMsp(summary.Hospital))
            return "hospital";
        if (!IsPeriod(summary.Period))
            return "period";
        if (!Classes.Contains(summary.Class))
            return "class";
        if (FaultIn(summary.Conditions) is { } condition)
            return condition;
        if (FaultIn(summary.Treatments) is { } treatment)
            return treatment;
        if (!AgeBands.Contains(summary.AgeBand))
            return "ageBand";
        if (!Sexes.Contains(summary.Sex))
            return "sex";
        if (summary.Disposition is { } disposition && !Dispositions.Contains(disposition))
            return "disposition";
        if (summary.Supersedes is { } replaced && (replaced == default || replaced == summary.Id))
            return "supersedes";
        return null;
    }

    private static string? FaultIn(IReadOnlyList<CodedConcept> conditions)
    {
        if (conditions is not { Count: >= 1 and <= MinimalSummary.MaxConditions })
            return "conditions";
        for (var i = 0; i < conditions.Count; i++)
        {
            var condition = conditions[i];
            if (!CodeSystems.IsForConditions(condition.System))
                return $"conditions[{i}].system";
            if (!IsCode(condition.Code))
                return $"conditions[{i}].code";
            if (!Enum.IsDefined(condition.Level))
                return $"conditions[{i}].level";
            if (condition.Rank != i + 1)
                return $"conditions[{i}].rank";
            for (var j = 0; j < i; j++)
                if (conditions[j].System == condition.System && conditions[j].Code == condition.Code)
                    return $"conditions[{i}]";
        }
        return null;
    }

    private static string? FaultIn(IReadOnlyList<Treatment> treatments)
    {
        if (treatments is not { Count: <= MinimalSummary.MaxTreatments })
            return "treatments";
        for (var i = 0; i < treatments.Count; i++)
        {
            var treatment = treatments[i];
            if (!Enum.IsDefined(treatment.Kind))
                return $"treatments[{i}].kind";
            if (!CodeSystems.IsForTreatments(treatment.System, treatment.Kind))
                return $"treatments[{i}].system";
            if (!IsCode(treatment.Code))
                return $"treatments[{i}].code";
            if (i > 0 && Compare(treatments[i - 1], treatment) >= 0)
                return $"treatments[{i}]";
        }
        return null;
    }

    /// <summary>The order in which treatments stand: kind, system, code, each by UTF-16 unit of its text.</summary>
    public static int Compare(Treatment left, Treatment right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        var order = string.CompareOrdinal(SummaryJson.Text(left.Kind), SummaryJson.Text(right.Kind));
        if (order == 0)
            order = string.CompareOrdinal(left.System, right.System);
        return order != 0 ? order : string.CompareOrdinal(left.Code, right.Code);
    }

    internal static bool IsDigits(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');
}
