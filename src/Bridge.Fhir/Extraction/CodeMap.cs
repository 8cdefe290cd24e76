using System.Collections.Frozen;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>
/// SNOMED CT to ICD-10-CM, from a table of <c>snomed, icd10cm, title</c> separated by tabs (a header line first; the title may be missing). Used to generalise and to
/// tell sensitive codes; a SNOMED CT code that is common enough leaves as itself.
/// </summary>
public sealed class CodeMap
{
    private readonly FrozenDictionary<string, (string Icd10Cm, string? Title)> _targets;

    private CodeMap(Dictionary<string, (string Icd10Cm, string? Title)> targets) => _targets = targets.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>A map without entries.</summary>
    public static CodeMap Empty { get; } = new([]);

    /// <summary>Number of entries.</summary>
    public int Count => _targets.Count;

    /// <summary>Reads a table from a file, gzip-compressed where its name ends with <c>.gz</c>.</summary>
    /// <exception cref="FormatException">A line has another form; says which.</exception>
    public static CodeMap Load(string path)
    {
        var targets = new Dictionary<string, (string, string?)>(StringComparer.Ordinal);
        foreach (var row in Tables.Read(path, 2))
            targets[row[0]] = (row[1], row.Length > 2 ? row[2] : null);
        return new CodeMap(targets);
    }

    /// <summary>The ICD-10-CM code; null where there is none.</summary>
    public string? ToIcd10Cm(string snomed) => _targets.TryGetValue(snomed, out var target) ? target.Icd10Cm : null;

    /// <summary>The table's own title of a SNOMED CT code; null where it has none.</summary>
    public string? TitleOf(string snomed) => _targets.TryGetValue(snomed, out var target) ? target.Title : null;

    /// <summary>The code in the ICD-10 hierarchy: itself, or by the map; null where it has no place there.</summary>
    internal (string System, string Code)? InHierarchy(string system, string code) => system == CodeSystems.Snomed
        ? ToIcd10Cm(code) is { } icd ? (CodeSystems.Icd10Cm, icd) : null
        : (system, code);
}
