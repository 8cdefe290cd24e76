using System.Collections.Concurrent;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>
/// The code nodes that leave only where the consent names their category: mental-health, hiv, reproductive, addiction, abuse, genetics.
/// Table: <c>category, system, node, title</c> separated by tabs (a header line first). <c>system</c> is <c>icd10</c> (a code with all below it, or
/// a range of categories such as <c>F10-F19</c>), <c>atc</c> (a beginning), or <c>snomed</c>, <c>rxnorm</c>, <c>icd10pcs</c>, <c>icd9cm</c>, <c>cpt</c> (exact codes).
/// </summary>
public sealed class SensitiveNodes
{
    /// <summary>The categories that a consent can name.</summary>
    public static IReadOnlyList<string> Categories { get; } = ["abuse", "addiction", "genetics", "hiv", "mental-health", "reproductive"];

    private readonly Dictionary<(string System, string Code), string[]> _exact = [];
    private readonly List<(string Category, string From, string To)> _ranges = [];
    private readonly List<(string Category, string Prefix)> _icdPrefixes = [];
    private readonly List<(string Category, string Prefix)> _atcPrefixes = [];
    private readonly ConcurrentDictionary<(string System, string Code), string[]> _known = [];

    private SensitiveNodes(IEnumerable<string[]> rows, string name)
    {
        foreach (var row in rows)
            Add(row, name);
    }

    /// <summary>The list that ships with Bridge.</summary>
    public static SensitiveNodes Shipped { get; } = LoadShipped();

    /// <summary>Reads a hospital's own list, which takes the place of the shipped one.</summary>
    /// <exception cref="FormatException">A line has another form; says which.</exception>
    public static SensitiveNodes Load(string path) => new(Tables.Read(path, 3), Path.GetFileName(path));

    /// <summary>The categories that a code touches, sorted; empty where none.</summary>
    /// <param name="system">One of <see cref="CodeSystems"/>.</param>
    /// <param name="code">The code as it was recorded.</param>
    /// <param name="map">For SNOMED CT: judged by its place in ICD-10 as well.</param>
    public IReadOnlyList<string> CategoriesOf(string system, string code, CodeMap map)
    {
        if (_known.TryGetValue((system, code), out var known))
            return known;
        var found = new SortedSet<string>(StringComparer.Ordinal);
        if (_exact.TryGetValue((system, code), out var exact))
            found.UnionWith(exact);
        if (system == CodeSystems.Atc)
            found.UnionWith(_atcPrefixes.Where(p => code.StartsWith(p.Prefix, StringComparison.Ordinal)).Select(p => p.Category));
        if (CodeSystems.IsForConditions(system) && map.InHierarchy(system, code) is { } icd)
            AddIcd10(icd.Code, found);
        string[] categories = [.. found];
        // codes are bounded by their forms, but a hostile source could still invent many
        if (_known.Count < 100_000)
            _known.TryAdd((system, code), categories);
        return categories;
    }

    private void AddIcd10(string code, SortedSet<string> found)
    {
        var category = code.Length > 3 ? code[..3] : code;
        foreach (var (name, from, to) in _ranges)
        {
            if (string.CompareOrdinal(category, from) >= 0 && string.CompareOrdinal(category, to) <= 0)
                found.Add(name);
        }
        foreach (var (name, prefix) in _icdPrefixes)
        {
            if (code.StartsWith(prefix, StringComparison.Ordinal))
                found.Add(name);
        }
    }

    private void Add(string[] row, string name)
    {
        var (category, system, node) = (row[0], row[1], row[2]);
        if (!Categories.Contains(category) || node.Length == 0)
            throw new FormatException($"{name}: '{category}' is no sensitive category; known are {string.Join(", ", Categories)}");
        switch (system)
        {
            case "icd10" when node.Split('-') is [{ Length: 3 } from, { Length: 3 } to]:
                _ranges.Add((category, from, to));
                break;
            case "icd10":
                _icdPrefixes.Add((category, node));
                break;
            case "atc":
                _atcPrefixes.Add((category, node));
                break;
            default:
                var uri = system switch
                {
                    "snomed" => CodeSystems.Snomed,
                    "rxnorm" => CodeSystems.RxNorm,
                    "icd10pcs" => CodeSystems.Icd10Pcs,
                    "icd9cm" => CodeSystems.Icd9Cm,
                    "cpt" => CodeSystems.Cpt,
                    _ => throw new FormatException($"{name}: '{system}' is no system of this list; known are icd10, atc, snomed, rxnorm, icd10pcs, icd9cm, cpt"),
                };
                _exact[(uri, node)] = _exact.TryGetValue((uri, node), out var others) ? [.. others, category] : [category];
                break;
        }
    }

    private static SensitiveNodes LoadShipped()
    {
        const string name = "Bridge.Fhir.Extraction.sensitive-nodes.tsv";
        using var stream = typeof(SensitiveNodes).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is missing from the assembly");
        return new SensitiveNodes(Tables.Read(stream, "sensitive-nodes.tsv", 3), "sensitive-nodes.tsv");
    }
}
