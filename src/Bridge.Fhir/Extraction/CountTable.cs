using System.Collections.Frozen;
using System.Globalization;

namespace Bridge.Fhir.Extraction;

/// <summary>
/// How many people of the hospital's region or records stand in each cell of (code node × sex × age band): from the hospital's
/// statistics office or a public prevalence table. Bridge never counts patients itself.
/// Table: <c>code, sex, ageBand, people</c> separated by tabs (a header line first); <c>code</c> is a SNOMED CT code or an ICD-10 code,
/// category, block or chapter range. A person counts in one band. A 20-year band without a row of its own is the sum of its two
/// 10-year bands.
/// </summary>
public sealed class CountTable
{
    private readonly FrozenDictionary<Cell, int> _cells;

    private CountTable(Dictionary<Cell, int> cells) => _cells = cells.ToFrozenDictionary();

    /// <summary>A table without cells: everything is rare.</summary>
    public static CountTable Empty { get; } = new([]);

    /// <summary>Number of cells.</summary>
    public int Count => _cells.Count;

    /// <summary>Reads a table from a file, gzip-compressed where its name ends with <c>.gz</c>.</summary>
    /// <exception cref="FormatException">A line has another form; says which.</exception>
    public static CountTable Load(string path)
    {
        var cells = new Dictionary<Cell, int>();
        foreach (var row in Tables.Read(path, 4))
        {
            if (SexIndex(row[1]) is not { } sex || AgeBands.Index(row[2]) is not { } band
                || !int.TryParse(row[3], NumberStyles.None, CultureInfo.InvariantCulture, out var people))
            {
                throw new FormatException($"{Path.GetFileName(path)}: '{string.Join(' ', row)}' is no cell: code, sex (male, female, other, unknown), age band (0-9 … 90+, 0-19 … 80+), people");
            }
            cells[new Cell(row[0], sex, band)] = people;
        }
        return new CountTable(cells);
    }

    /// <summary>People in a cell; 0 where the table does not say.</summary>
    public int People(string node, string sex, string ageBand)
    {
        if (SexIndex(sex) is not { } s || AgeBands.Index(ageBand) is not { } band)
            return 0;
        if (_cells.TryGetValue(new Cell(node, s, band), out var people))
            return people;
        if (band < AgeBands.FirstWide)
            return 0;
        var first = (band - AgeBands.FirstWide) * 2;
        return _cells.GetValueOrDefault(new Cell(node, s, (byte)first)) + _cells.GetValueOrDefault(new Cell(node, s, (byte)(first + 1)));
    }

    private static byte? SexIndex(string sex) => sex switch { "male" => 0, "female" => 1, "other" => 2, "unknown" => 3, _ => null };

    private readonly record struct Cell(string Node, byte Sex, byte Band);
}

/// <summary>Age bands of ten and of twenty years.</summary>
internal static class AgeBands
{
    /// <summary>Index of the first 20-year band.</summary>
    public const byte FirstWide = 10;

    private static readonly string[] Names =
        ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+", "0-19", "20-39", "40-59", "60-79", "80+"];

    public static string Of(int age) => Names[Math.Min(age / 10, 9)];

    public static string WideOf(int age) => Names[FirstWide + Math.Min(age / 20, 4)];

    public static string Widen(string band) => Index(band) is { } i && i < FirstWide ? Names[FirstWide + i / 2] : band;

    public static byte? Index(string band)
    {
        var at = Array.IndexOf(Names, band);
        return at < 0 ? null : (byte)at;
    }
}
