using System.Text.Json;
using Bridge.Fhir.Extraction;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>Titles of codes for a reader, from the hospital's own terminology and never from the source.</summary>
internal sealed class CodeWords(Terminology terminology)
{
    /// <summary><c>{"system|code": title}</c> for what these payloads say; <c>{code: title}</c> for what the notes say was recorded, which name no system.</summary>
    /// <param name="payloads">Summaries.</param>
    /// <param name="notes">What was kept beside the draft, or null.</param>
    /// <param name="language">The reader's language tag. Where the terminology has no title in it, the one that the terminology itself gives.</param>
    public IReadOnlyDictionary<string, string> Of(IEnumerable<byte[]?> payloads, string? notes, string? language = null)
    {
        var local = language is null ? null : terminology.Titles.GetValueOrDefault(language);
        var words = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var payload in payloads)
            if (payload is not null && MinimalSummary.Read(payload, out _) is { } summary)
                foreach (var (system, code) in summary.Conditions.Select(item => (item.System, item.Code)).Concat(summary.Treatments.Select(item => (item.System, item.Code))))
                    Add($"{system}|{code}", local?.GetValueOrDefault(code) ?? TitleOf(system, code));
        if (notes is not null && JsonElement.Parse(notes).TryGetProperty("sources", out var sources) && sources.ValueKind == JsonValueKind.Array)
            foreach (var source in sources.EnumerateArray())
                if (source.TryGetProperty("recorded", out var recorded) && recorded.ValueKind == JsonValueKind.String && recorded.GetString() is { Length: > 0 } code)
                    Add(code, local?.GetValueOrDefault(code) ?? terminology.Map.TitleOf(code) ?? terminology.Hierarchy.TitleOf(code));
        return words;

        void Add(string key, string? title)
        {
            if (title is { Length: > 0 })
                words[key] = title;
        }
    }

    private string? TitleOf(string system, string code) => system switch
    {
        CodeSystems.Snomed => terminology.Map.TitleOf(code),
        CodeSystems.Icd10 or CodeSystems.Icd10Cm or CodeSystems.Icd10Cn => terminology.Hierarchy.TitleOf(code),
        _ => null,
    };
}
