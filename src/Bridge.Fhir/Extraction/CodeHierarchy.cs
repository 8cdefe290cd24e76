using System.Collections.Frozen;
using System.IO.Compression;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>
/// Chapters, blocks, categories and codes of an ICD-10 release, read from a table of <c>code, parent, title</c> separated by tabs (a
/// header line first; a chapter has no parent). One hierarchy serves ICD-10, ICD-10-CM and ICD-10-CN: what a national release adds
/// below a known code is found by its beginning.
/// </summary>
public sealed class CodeHierarchy
{
    private readonly FrozenDictionary<string, Node> _nodes;

    private readonly (string From, string To, string Range)[] _chapters;

    private CodeHierarchy(Dictionary<string, Node> nodes)
    {
        _nodes = nodes.ToFrozenDictionary(StringComparer.Ordinal);
        _chapters = [.. nodes.Values.Where(n => n.Parent is null && n.Range is [_, _, _, '-', _, _, _]).Select(n => (n.Range[..3], n.Range[4..], n.Range))];
    }

    /// <summary>A hierarchy without nodes: nothing can be generalised but by its category's three characters.</summary>
    public static CodeHierarchy Empty { get; } = new([]);

    /// <summary>Number of nodes.</summary>
    public int Count => _nodes.Count;

    /// <summary>Reads a table from a file, gzip-compressed where its name ends with <c>.gz</c>.</summary>
    /// <exception cref="FormatException">A line has another form; says which.</exception>
    public static CodeHierarchy Load(string path) => Load(Tables.Read(path, 2));

    internal static CodeHierarchy Load(IEnumerable<string[]> rows)
    {
        var nodes = new Dictionary<string, Node>(StringComparer.Ordinal);
        // a block of one category has the category's own name in the CDC's table: it leads nowhere, its chapter is told by the range
        foreach (var row in rows.Where(r => r[0] != r[1]))
            nodes[row[0]] = new Node(row[1].Length == 0 ? null : row[1], row.Length > 2 ? RangeOf(row[0], row[2]) : row[0], row.Length > 2 ? row[2] : "");
        return new CodeHierarchy(nodes);
    }

    /// <summary>Whether the release has this node.</summary>
    public bool Contains(string code) => _nodes.ContainsKey(code);

    /// <summary>The release's own title of a node; null where unknown.</summary>
    public string? TitleOf(string code) => _nodes.TryGetValue(code, out var node) ? node.Title : null;

    /// <summary>The node above <paramref name="code"/> at a level, as it leaves (a chapter by its range); null where unknown.</summary>
    public string? Generalise(string code, CodeLevel level)
    {
        if (level == CodeLevel.Code)
            return code;
        var category = code.Length >= 3 ? code[..3] : code;
        if (level == CodeLevel.Category)
            return category;
        if (level == CodeLevel.Chapter)
        {
            foreach (var (from, to, range) in _chapters)
            {
                if (string.CompareOrdinal(category, from) >= 0 && string.CompareOrdinal(category, to) <= 0)
                    return range;
            }
            return null;
        }
        var at = Nearest(code);
        for (var hops = 0; at is not null && _nodes.TryGetValue(at, out var node) && node.Parent is not null && hops < 32; hops++)
        {
            if (at.Contains('-', StringComparison.Ordinal))
                return at;
            at = node.Parent;
        }
        return null;
    }

    /// <summary>The longest known beginning of a code; null where not even its category is known.</summary>
    private string? Nearest(string code)
    {
        for (var length = code.Length; length >= 3; length--)
        {
            if (length == 4)
                continue;
            var head = length == code.Length ? code : code[..length];
            if (_nodes.ContainsKey(head))
                return head;
        }
        return null;
    }

    /// <summary>A chapter of the CDC's table is called <c>Ch4</c>; what leaves is the range at the end of its title.</summary>
    private static string RangeOf(string code, string title)
    {
        if (!code.StartsWith("Ch", StringComparison.Ordinal))
            return code;
        var open = title.LastIndexOf('(');
        return open >= 0 && title.EndsWith(')') ? title[(open + 1)..^1] : code;
    }

    private sealed record Node(string? Parent, string Range, string Title);
}

/// <summary>Tab-separated tables with a header line; <c>#</c> starts a comment line.</summary>
internal static class Tables
{
    public static IEnumerable<string[]> Read(string path, int columns)
    {
        using Stream file = File.OpenRead(path);
        using var stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
        foreach (var row in Read(stream, Path.GetFileName(path), columns))
            yield return row;
    }

    public static IEnumerable<string[]> Read(Stream stream, string name, int columns)
    {
        using var reader = new StreamReader(stream);
        var header = true;
        for (var line = 1; reader.ReadLine() is { } text; line++)
        {
            if (text.Length == 0 || text[0] == '#')
                continue;
            if (header)
            {
                header = false;
                continue;
            }
            var row = text.Split('\t');
            if (row.Length < columns)
                throw new FormatException($"{name}, line {line}: {row.Length} columns, {columns} expected, separated by tabs");
            for (var i = 0; i < row.Length; i++)
                row[i] = row[i].Trim();
            if (row[0].Length == 0)
                throw new FormatException($"{name}, line {line}: the first column is empty");
            yield return row;
        }
    }
}
