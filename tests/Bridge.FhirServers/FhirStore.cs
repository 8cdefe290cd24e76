using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Bridge.FhirServers;

/// <summary>
/// Resources and their versions in memory, on the test's own clock, found by reference. A row has the moment that it is stamped with and the moment
/// from which it can be seen: a transaction that takes time has them apart. Thread-safe.
/// </summary>
public sealed class FhirStore(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Shelf> _shelves = new(StringComparer.Ordinal);

    /// <summary>Called with type and id of what was stored.</summary>
    public event Action<string, string>? Changed;

    /// <summary>Stores a resource under its own id, stamped and visible now, with the next version number.</summary>
    public void Put(JsonObject resource)
    {
        var now = time.GetUtcNow();
        Put(resource, now, now);
    }

    /// <summary>Stores a resource under its own id.</summary>
    /// <param name="resource">With <c>resourceType</c> and <c>id</c>; its <c>meta</c> is replaced.</param>
    /// <param name="stamped">What <c>meta.lastUpdated</c> says.</param>
    /// <param name="visible">From when on it is found.</param>
    public void Put(JsonObject resource, DateTimeOffset stamped, DateTimeOffset visible)
    {
        var (type, id) = ((string)resource["resourceType"]!, (string)resource["id"]!);
        var row = new Row(type, id, stamped, visible, Keys.Of(resource), Encoding.UTF8.GetBytes(WithoutHead(resource)), null, Period(resource));
        Add(row);
        Changed?.Invoke(type, id);
    }

    /// <summary>Stores bytes as they are, readable or not; the keys say by which searches they are found.</summary>
    public void PutRaw(string type, string id, ReadOnlyMemory<byte> json, string? patient = null, string? encounter = null)
    {
        var keys = new Dictionary<string, List<string>>(StringComparer.Ordinal) { ["_id"] = [id] };
        if (patient is not null)
            (keys["patient"], keys["subject"]) = ([patient], [patient]);
        if (encounter is not null)
            keys["encounter"] = [encounter];
        var now = time.GetUtcNow();
        Add(new Row(type, id, now, now, keys, default, json, null));
    }

    /// <summary>Deletes; earlier versions stay known as deleted.</summary>
    public bool Delete(string type, string id)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (!_shelves.TryGetValue(type, out var shelf) || !shelf.ById.TryGetValue(id, out var versions))
                return false;
            versions.Add(new Row(type, id, now, now, [], default, null, null) { Version = versions.Count + 1, Deleted = true });
            return true;
        }
    }

    /// <summary>Takes a resource away as if it had never been there.</summary>
    public void Forget(string type, string id)
    {
        lock (_gate)
        {
            if (_shelves.TryGetValue(type, out var shelf) && shelf.ById.Remove(id))
                shelf.Order.Remove(id);
        }
    }

    /// <summary>What was deleted from a moment on.</summary>
    internal List<string> DeletedSince(string type, DateTimeOffset since)
    {
        lock (_gate)
            return _shelves.TryGetValue(type, out var shelf) ? [.. shelf.ById.Where(one => one.Value[^1] is { Deleted: true } last && last.Stamped >= since).Select(one => one.Key)] : [];
    }

    internal Row? Read(string type, string id)
    {
        var now = time.GetUtcNow();
        lock (_gate)
            return _shelves.TryGetValue(type, out var shelf) && shelf.ById.TryGetValue(id, out var versions) ? Newest(versions, now) : null;
    }

    /// <summary>The newest visible version of each, in the order in which they were first made; narrowed by index where one of the keys has one.</summary>
    internal List<Row> Find(string type, IEnumerable<(string Key, HashSet<string> Values)> keys)
    {
        var now = time.GetUtcNow();
        lock (_gate)
        {
            if (!_shelves.TryGetValue(type, out var shelf))
                return [];
            IEnumerable<string> ids = shelf.Order;
            foreach (var (key, values) in keys)
            {
                var found = new HashSet<string>(values.SelectMany(v => shelf.Index.TryGetValue((key, v), out var some) ? some : (IEnumerable<string>)[]), StringComparer.Ordinal);
                ids = ids is HashSet<string> before ? before.Intersect(found).ToHashSet(StringComparer.Ordinal) : found;
            }
            var rows = new List<Row>();
            foreach (var id in ids)
            {
                if (shelf.ById.TryGetValue(id, out var versions) && Newest(versions, now) is { Deleted: false } row)
                    rows.Add(row);
            }
            if (ids is HashSet<string>)
                rows.Sort((a, b) => a.Made.CompareTo(b.Made));
            return rows;
        }
    }

    private static Row? Newest(List<Row> versions, DateTimeOffset now) => versions.FindLast(r => r.Visible <= now);

    private void Add(Row row)
    {
        lock (_gate)
        {
            if (!_shelves.TryGetValue(row.Type, out var shelf))
                _shelves.Add(row.Type, shelf = new Shelf());
            if (!shelf.ById.TryGetValue(row.Id, out var versions))
            {
                shelf.ById.Add(row.Id, versions = []);
                shelf.Order.Add(row.Id);
            }
            versions.Add(row with { Version = versions.Count + 1, Made = versions.Count > 0 ? versions[0].Made : shelf.Made++ });
            foreach (var (key, values) in row.Keys)
            {
                foreach (var value in values)
                {
                    if (!shelf.Index.TryGetValue((key, value), out var ids))
                        shelf.Index.Add((key, value), ids = new(StringComparer.Ordinal));
                    ids.Add(row.Id);
                }
            }
        }
    }

    private static DateTimeOffset? Period(JsonObject resource) =>
        DateTimeOffset.TryParse((string?)resource["period"]?["start"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var start) ? start : null;

    // what stands behind id and meta, which are written when the row is served
    private static string WithoutHead(JsonObject resource)
    {
        var rest = new JsonObject();
        foreach (var (name, value) in resource)
        {
            if (name is not ("resourceType" or "id" or "meta"))
                rest[name] = value?.DeepClone();
        }
        return rest.Count == 0 ? "" : "," + rest.ToJsonString()[1..^1];
    }

    private sealed class Shelf
    {
        public Dictionary<string, List<Row>> ById { get; } = new(StringComparer.Ordinal);
        public List<string> Order { get; } = [];
        public Dictionary<(string Key, string Value), HashSet<string>> Index { get; } = [];
        public long Made { get; set; }
    }
}

/// <summary>One version of one resource.</summary>
internal sealed record Row(
    string Type, string Id, DateTimeOffset Stamped, DateTimeOffset Visible, Dictionary<string, List<string>> Keys, byte[]? Rest, ReadOnlyMemory<byte>? Raw, DateTimeOffset? Begins)
{
    public int Version { get; init; }
    public long Made { get; init; }
    public bool Deleted { get; init; }

    public ReadOnlyMemory<byte> Json(Stamp stamp)
    {
        if (Raw is { } raw)
            return raw;
        var text = stamp switch
        {
            Stamp.SevenDigits => Stamped.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffff+00:00", CultureInfo.InvariantCulture),
            Stamp.Seconds => Stamped.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            _ => Stamped.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
        };
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $$$"""{"resourceType":"{{{Type}}}","id":"{{{Id}}}","meta":{"versionId":"{{{Version}}}","lastUpdated":"{{{text}}}"}"""));
        return (byte[])[.. head, .. Rest!, (byte)'}'];
    }
}

/// <summary>What a resource is found by.</summary>
internal static class Keys
{
    public static Dictionary<string, List<string>> Of(JsonObject resource)
    {
        var keys = new Dictionary<string, List<string>>(StringComparer.Ordinal) { ["_id"] = [(string)resource["id"]!] };
        void Add(string key, JsonNode? value)
        {
            if (value is not JsonValue text || !text.TryGetValue<string>(out var s))
                return;
            if (!keys.TryGetValue(key, out var values))
                keys.Add(key, values = []);
            values.Add(s);
            // a reference is asked for by its id alone as well
            if (s.Contains('/', StringComparison.Ordinal))
                values.Add(s[(s.LastIndexOf('/') + 1)..]);
        }
        foreach (var subject in new[] { resource["subject"], resource["patient"] })
        {
            Add("patient", subject?["reference"]);
            Add("subject", subject?["reference"]);
        }
        Add("encounter", resource["encounter"]?["reference"]);
        Add("status", resource["status"]);
        foreach (var participant in resource["participant"] as JsonArray ?? [])
            Add("participant", participant?["individual"]?["reference"]);
        Add("practitioner", resource["practitioner"]?["reference"]);
        Add("url", resource["channel"]?["endpoint"]);
        foreach (var identifier in resource["identifier"] as JsonArray ?? [])
        {
            Add("identifier", identifier?["value"]);
            if ((string?)identifier?["system"] is { } system)
                keys["identifier"].Add($"{system}|{(string?)identifier["value"]}");
        }
        return keys;
    }
}
