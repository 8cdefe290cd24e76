using System.Globalization;
using Microsoft.AspNetCore.WebUtilities;

namespace Bridge.FhirServers;

/// <summary>A search could not be carried out as asked.</summary>
internal sealed class SearchRefusedException(string message) : Exception(message);

/// <summary>One search over a store, as the switches have it.</summary>
internal static class Searching
{
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "_id", "_lastUpdated", "_count", "_sort", "_total", "_summary", "_revinclude", "_include", "_format", "_redirected",
        "patient", "subject", "encounter", "status", "identifier", "participant", "practitioner", "account", "url",
    };

    private static readonly string[] OfOnePatient = ["_id", "patient", "subject", "account", "identifier"];
    private static readonly string[] Indexed = ["_id", "patient", "subject", "encounter", "identifier", "participant", "practitioner", "url"];

    /// <summary>Every match, in the order in which pages hand them out.</summary>
    public static List<Row> Matches(FhirStore store, Quirks quirks, string type, IReadOnlyList<KeyValuePair<string, string>> parameters, bool strict)
    {
        var used = parameters.Where(p => Knows(quirks, p.Key)).ToList();
        if ((strict || quirks.OnUnknown == UnknownParameter.Refused) && parameters.FirstOrDefault(p => !Knows(quirks, p.Key)) is { Key: { } unknown })
            throw new SearchRefusedException($"unknown search parameter '{unknown}'");
        if (quirks.PatientScoped && type is not ("Subscription" or "Patient" or "Practitioner" or "PractitionerRole" or "Medication" or "Organization" or "Location")
            && !used.Exists(p => OfOnePatient.Contains(p.Key)))
        {
            throw new SearchRefusedException("at least one of these parameters must be provided: _id, patient, subject, account, identifier");
        }

        var keys = used.Where(p => Indexed.Contains(p.Key)).Select(p => (p.Key, Values: Alternatives(quirks, p.Value))).ToList();
        IEnumerable<Row> rows = store.Find(type, keys);
        // an index remembers every version; the newest decides
        foreach (var (key, values) in keys)
            rows = rows.Where(r => r.Keys.TryGetValue(key, out var has) && has.Exists(values.Contains));
        foreach (var (name, value) in used)
        {
            if (name == "status")
                rows = rows.Where(r => r.Keys.TryGetValue("status", out var has) && Alternatives(quirks, value).Contains(has[0]));
            else if (name == "_lastUpdated")
                rows = Since(rows, value, quirks);
        }
        var sort = used.LastOrDefault(p => p.Key == "_sort").Value;
        if (quirks.IgnoresSort || sort is null)
            return [.. rows];
        return sort switch
        {
            "_lastUpdated" => [.. rows.OrderBy(r => r.Stamped)],
            "-_lastUpdated" => [.. rows.OrderByDescending(r => r.Stamped)],
            "date" => [.. rows.OrderBy(r => r.Begins)],
            _ => throw new SearchRefusedException($"sorting by '{sort}' is not supported"),
        };
    }

    /// <summary>What <c>_revinclude</c> and <c>_include</c> bring to a page's rows.</summary>
    public static List<Row> Includes(FhirStore store, Quirks quirks, IReadOnlyList<Row> page, IEnumerable<KeyValuePair<string, string>> parameters)
    {
        var found = new List<Row>();
        var have = page.Select(r => (r.Type, r.Id)).ToHashSet();
        foreach (var (name, value) in parameters)
        {
            var parts = value.Split(':');
            if (parts.Length < 2 || !Knows(quirks, name))
                continue;
            if (name == "_revinclude")
            {
                foreach (var row in store.Find(parts[0], [(parts[1], page.Select(r => $"{r.Type}/{r.Id}").ToHashSet(StringComparer.Ordinal))]))
                    AddNew(row);
            }
            else if (name == "_include")
            {
                foreach (var reference in page.Where(r => r.Type == parts[0]).SelectMany(r => r.Keys.TryGetValue(parts[1], out var some) ? some : []))
                {
                    if (reference.Split('/') is [var type, var id] && store.Read(type, id) is { Deleted: false } row)
                        AddNew(row);
                }
            }
        }
        return found;

        void AddNew(Row row)
        {
            if (have.Add((row.Type, row.Id)))
                found.Add(row);
        }
    }

    public static List<KeyValuePair<string, string>> Parse(string query) =>
        [.. QueryHelpers.ParseQuery(query).SelectMany(p => p.Value.Select(v => new KeyValuePair<string, string>(p.Key, v ?? "")))];

    private static bool Knows(Quirks quirks, string name) => Known.Contains(name) && !quirks.Unknown.Contains(name);

    private static HashSet<string> Alternatives(Quirks quirks, string value)
    {
        if (quirks.NoAlternatives)
            return [value];
        var values = new HashSet<string>(StringComparer.Ordinal);
        var one = new System.Text.StringBuilder();
        for (var i = 0; i <= value.Length; i++)
        {
            if (i == value.Length || value[i] == ',')
            {
                values.Add(one.ToString());
                one.Clear();
            }
            else
            {
                one.Append(value[i] == '\\' && i + 1 < value.Length ? value[++i] : value[i]);
            }
        }
        return values;
    }

    private static IEnumerable<Row> Since(IEnumerable<Row> rows, string value, Quirks quirks)
    {
        var (prefix, text) = value.Length > 2 && char.IsAsciiLetter(value[0]) ? (value[..2], value[2..]) : ("eq", value);
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var from))
            throw new SearchRefusedException($"'{text}' is no moment");
        var width = text.Contains('.', StringComparison.Ordinal) ? TimeSpan.FromMilliseconds(1)
            : text.Contains('T', StringComparison.Ordinal) ? TimeSpan.FromSeconds(1) : TimeSpan.FromDays(1);
        return prefix switch
        {
            "ge" => rows.Where(r => r.Stamped >= from),
            "gt" when quirks.GreaterTakesWholeSecondIn => rows.Where(r => r.Stamped > from),
            "gt" => rows.Where(r => r.Stamped >= from + width),
            "le" => rows.Where(r => r.Stamped < from + width),
            "lt" => rows.Where(r => r.Stamped < from),
            _ => rows.Where(r => r.Stamped >= from && r.Stamped < from + width),
        };
    }
}
