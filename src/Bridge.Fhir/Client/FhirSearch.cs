using System.Buffers;

namespace Bridge.Fhir.Client;

/// <summary>A type-level search, built parameter by parameter.</summary>
public sealed class FhirSearch
{
    // %xx for each of the three bytes that one character has at most
    private const int MostEscaped = 9;

    private readonly List<KeyValuePair<string, string>> _parameters = [];

    /// <summary>A search over one resource type.</summary>
    public FhirSearch(string type) => Type = type;

    /// <summary>The resource type searched.</summary>
    public string Type { get; }

    /// <summary>The parameters in the order given.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Parameters => _parameters;

    /// <summary>True where the search goes as POST <c>_search</c> whatever its length, so that what is looked for stands in no server's log of addresses.</summary>
    public bool InBody { get; init; }

    /// <summary>Adds one parameter; the same name may come twice (AND).</summary>
    public FhirSearch Where(string name, string value)
    {
        _parameters.Add(new(name, value));
        return this;
    }

    /// <summary>Adds one parameter with alternatives (OR); commas and dollars in a value are escaped as FHIR wants it.</summary>
    public FhirSearch WhereAny(string name, IEnumerable<string> values) =>
        Where(name, string.Join(',', values.Select(Escape)));

    private static string Escape(string value) => value.AsSpan().IndexOfAny('\\', ',', '$') < 0
        ? value
        : value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal).Replace("$", "\\$", StringComparison.Ordinal);

    /// <summary>The parameters in the form of a query, without its question mark, behind what is given.</summary>
    internal string ToQuery(string before = "")
    {
        var most = before.Length;
        foreach (var (name, value) in _parameters)
            most += 2 + (name.Length + value.Length) * MostEscaped;
        var rented = ArrayPool<char>.Shared.Rent(most);
        Span<char> query = rented;
        before.CopyTo(query);
        var length = before.Length;
        foreach (var (name, value) in _parameters)
        {
            if (length > before.Length)
                query[length++] = '&';
            Uri.TryEscapeDataString(name, query[length..], out var written);
            length += written;
            query[length++] = '=';
            Uri.TryEscapeDataString(value, query[length..], out written);
            length += written;
        }
        var text = new string(query[..length]);
        ArrayPool<char>.Shared.Return(rented);
        return text;
    }
}
