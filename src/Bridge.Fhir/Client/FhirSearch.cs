using System.Text;

namespace Bridge.Fhir.Client;

/// <summary>A type-level search, built parameter by parameter.</summary>
public sealed class FhirSearch
{
    private readonly List<KeyValuePair<string, string>> _parameters = [];

    /// <summary>A search over one resource type.</summary>
    public FhirSearch(string type) => Type = type;

    /// <summary>The resource type searched.</summary>
    public string Type { get; }

    /// <summary>The parameters in the order given.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Parameters => _parameters;

    /// <summary>Adds one parameter; the same name may come twice (AND).</summary>
    public FhirSearch Where(string name, string value)
    {
        _parameters.Add(new(name, value));
        return this;
    }

    /// <summary>Adds one parameter with alternatives (OR); commas and dollars in a value are escaped as FHIR wants it.</summary>
    public FhirSearch WhereAny(string name, IEnumerable<string> values) =>
        Where(name, string.Join(',', values.Select(v => v.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(",", "\\,", StringComparison.Ordinal)
            .Replace("$", "\\$", StringComparison.Ordinal))));

    internal string ToQuery()
    {
        var query = new StringBuilder();
        foreach (var (name, value) in _parameters)
        {
            if (query.Length > 0)
                query.Append('&');
            query.Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
        }
        return query.ToString();
    }
}
