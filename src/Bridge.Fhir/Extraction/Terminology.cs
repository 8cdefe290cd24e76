namespace Bridge.Fhir.Extraction;

/// <summary>The tables that minimisation works with. Immutable; loaded once.</summary>
public sealed record Terminology
{
    /// <summary>ICD-10 hierarchy.</summary>
    public CodeHierarchy Hierarchy { get; init; } = CodeHierarchy.Empty;

    /// <summary>SNOMED CT to ICD-10-CM.</summary>
    public CodeMap Map { get; init; } = CodeMap.Empty;

    /// <summary>People per cell.</summary>
    public CountTable Counts { get; init; } = CountTable.Empty;

    /// <summary>Sensitive nodes. Default: the shipped list.</summary>
    public SensitiveNodes Sensitive { get; init; } = SensitiveNodes.Shipped;

    /// <summary>Titles in further languages, by language tag and code: words for a reader, which judge nothing. Default: none.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> Titles { get; init; } = new Dictionary<string, IReadOnlyDictionary<string, string>>();

    /// <summary>
    /// Reads a folder: <c>icd10-hierarchy.tsv</c>, <c>snomed-to-icd10cm.tsv</c>, <c>people-counts.tsv</c> and <c>sensitive-nodes.tsv</c>, each optionally with <c>.gz</c>; the
    /// last may be missing (the shipped list then holds). <c>titles.LANGUAGE.tsv</c> (code, title; as <c>titles.zh-CN.tsv</c>) adds words in another language.
    /// </summary>
    /// <exception cref="FileNotFoundException">One of the first three is missing; says which.</exception>
    /// <exception cref="FormatException">A line has another form; says file and line.</exception>
    public static Terminology LoadFolder(string folder)
    {
        string? Find(string name) => new[] { name, name + ".gz" }.Select(n => Path.Combine(folder, n)).FirstOrDefault(File.Exists);
        string Need(string name) => Find(name) ?? throw new FileNotFoundException($"the terminology folder '{folder}' has no {name} (or {name}.gz)", name);
        return new Terminology
        {
            Hierarchy = CodeHierarchy.Load(Need("icd10-hierarchy.tsv")),
            Map = CodeMap.Load(Need("snomed-to-icd10cm.tsv")),
            Counts = CountTable.Load(Need("people-counts.tsv")),
            Sensitive = Find("sensitive-nodes.tsv") is { } own ? SensitiveNodes.Load(own) : SensitiveNodes.Shipped,
            Titles = Directory.EnumerateFiles(folder, "titles.*.tsv*").Order(StringComparer.Ordinal).DistinctBy(path => Path.GetFileName(path).Split('.')[1]).ToDictionary(
                path => Path.GetFileName(path).Split('.')[1],
                IReadOnlyDictionary<string, string> (path) => Tables.Read(path, 2).DistinctBy(row => row[0]).ToDictionary(row => row[0], row => row[1], StringComparer.Ordinal),
                StringComparer.OrdinalIgnoreCase),
        };
    }
}
