using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.FhirServers;

/// <summary>One resource as a server holds it, with what it is found by.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Patient">Logical id of its patient; null where it has none.</param>
/// <param name="Encounter">Logical id of its encounter; null where it has none.</param>
/// <param name="Json">Its bytes, with <c>meta.versionId</c> and <c>meta.lastUpdated</c>.</param>
public sealed record SampleResource(string Type, string Id, string? Patient, string? Encounter, byte[] Json);

/// <summary>
/// The Synthea transaction bundles as a server would hold them after loading: references by <c>Type/id</c>, one change stamp each. Copies have ids of
/// their own, patients and practitioners included, so that ten copies are ten times as many people.
/// </summary>
public static class SyntheaSample
{
    /// <summary>The types that a summary is read from.</summary>
    public static readonly IReadOnlyList<string> Types = ["Patient", "Practitioner", "Encounter", "Condition", "Procedure", "MedicationRequest"];

    // stands behind every id of the sample until a copy's own suffix takes its place; JSON text never holds it
    private const char Mark = '\u0001';

    // as other servers write it: no escapes but those that JSON demands
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Stamp of the first encounter; each next one is 10 ms later.</summary>
    public static readonly DateTimeOffset FirstStamp = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Reads the archive's bundles.</summary>
    /// <param name="zip">Path of the archive of bundles.</param>
    /// <param name="copies">1 = the sample as it is.</param>
    public static IReadOnlyList<SampleResource> Load(string zip, int copies = 1)
    {
        var templates = Templates(zip);
        var all = new List<SampleResource>(templates.Count * copies);
        var encounters = 0;
        for (var copy = 0; copy < copies; copy++)
        {
            var suffix = copy == 0 ? "" : "-" + copy.ToString(CultureInfo.InvariantCulture);
            foreach (var (type, id, patient, encounter, text) in templates)
            {
                var at = FirstStamp.AddMilliseconds(10 * (type == "Encounter" ? encounters++ : encounters));
                var json = string.Create(CultureInfo.InvariantCulture,
                    $$$"""{"resourceType":"{{{type}}}","id":"{{{id}}}{{{suffix}}}","meta":{"versionId":"1","lastUpdated":"{{{at:yyyy-MM-ddTHH:mm:ss.fffZ}}}"},{{{text.Replace(Mark.ToString(), suffix, StringComparison.Ordinal)}}}}""");
                all.Add(new SampleResource(type, id + suffix, patient is null ? null : patient + suffix, encounter is null ? null : encounter + suffix, Encoding.UTF8.GetBytes(json)));
            }
        }
        return all;
    }

    private static List<(string Type, string Id, string? Patient, string? Encounter, string Text)> Templates(string path)
    {
        var templates = new List<(string, string, string?, string?, string)>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        using var zip = ZipFile.OpenRead(path);
        foreach (var file in zip.Entries.Where(e => e.Name.EndsWith(".json", StringComparison.Ordinal)).OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            using var stream = file.Open();
            var entries = JsonNode.Parse(stream)!["entry"]!.AsArray();
            var names = entries.ToDictionary(e => (string)e!["fullUrl"]!, e => $"{(string)e!["resource"]!["resourceType"]!}/{(string)e["resource"]!["id"]!}{Mark}", StringComparer.Ordinal);
            foreach (var resource in entries.Select(e => e!["resource"]!.AsObject()))
            {
                var type = (string)resource["resourceType"]!;
                var id = (string)resource["id"]!;
                if (!Types.Contains(type) || !known.Add(type + "/" + id))
                    continue;
                Rewrite(resource, names);
                var patient = IdOf((string?)resource["subject"]?["reference"]);
                var encounter = IdOf((string?)resource["encounter"]?["reference"]);
                foreach (var name in new[] { "resourceType", "id", "meta" })
                    resource.Remove(name);
                // the serialiser escapes the mark
                templates.Add((type, id, patient, encounter, resource.ToJsonString(Plain)[1..^1].Replace("\\u0001", Mark.ToString(), StringComparison.Ordinal)));
            }
        }
        return templates;
    }

    private static string? IdOf(string? reference) => reference?[(reference.LastIndexOf('/') + 1)..].TrimEnd(Mark);

    private static void Rewrite(JsonNode? node, Dictionary<string, string> names)
    {
        if (node is JsonArray array)
        {
            foreach (var item in array)
                Rewrite(item, names);
        }
        else if (node is JsonObject map)
        {
            if (map["reference"] is JsonValue value && value.TryGetValue<string>(out var text) && names.TryGetValue(text, out var name))
                map["reference"] = name;
            foreach (var (_, child) in map)
                Rewrite(child, names);
        }
    }
}
