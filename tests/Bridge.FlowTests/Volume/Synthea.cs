using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.FhirServers;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Volume;

/// <summary>The 100 Synthea bundles as a hospital's records: what a FHIR server makes of the transactions, each under its own id.</summary>
internal sealed class Synthea
{
    private static readonly HashSet<string> Read = ["Patient", "Practitioner", "Encounter", "Condition", "Procedure", "MedicationRequest"];

    private Synthea(IReadOnlyList<JsonObject> resources) => Resources = resources;

    public IReadOnlyList<JsonObject> Resources { get; }

    public IEnumerable<JsonObject> Of(string type) => Resources.Where(resource => (string?)resource["resourceType"] == type);

    public static Synthea Load()
    {
        var file = Path.GetFullPath(Path.Combine(Checkout.Find().Samples, "..", "..", "shared", "data", "synthea-100.zip"));
        if (!File.Exists(file))
            Assert.Skip("the shared test data is absent: ../shared/data/synthea-100.zip");
        var resources = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        using var zip = ZipFile.OpenRead(file);
        foreach (var entry in zip.Entries.Where(entry => entry.Name.EndsWith(".json", StringComparison.Ordinal)).OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            using var reader = new StreamReader(entry.Open(), Encoding.UTF8);
            var bundle = JsonNode.Parse(reader.ReadToEnd())!;
            var names = bundle["entry"]!.AsArray().ToDictionary(
                item => (string)item!["fullUrl"]!, item => $"{(string)item!["resource"]!["resourceType"]!}/{(string)item["resource"]!["id"]!}", StringComparer.Ordinal);
            foreach (var item in bundle["entry"]!.AsArray())
            {
                var resource = item!["resource"]!.AsObject();
                if (!Read.Contains((string)resource["resourceType"]!))
                    continue;
                Point(resource, names);
                item.AsObject().Remove("resource");
                resources[$"{resource["resourceType"]}/{resource["id"]}"] = resource;
            }
        }
        return new Synthea([.. resources.Values]);
    }

    /// <summary>Puts all of it into a server, as changed a day ago.</summary>
    public void PutInto(FhirStore store)
    {
        var then = DateTimeOffset.UtcNow.AddDays(-1);
        foreach (var resource in Resources)
            store.Put(resource, then, then);
    }

    // References between the bundle's entries become references between the server's resources.
    private static void Point(JsonNode node, Dictionary<string, string> names)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (var (name, value) in members.ToList())
                    if (name == "reference" && value is JsonValue text && names.TryGetValue((string)text!, out var to))
                        members[name] = to;
                    else if (value is not null)
                        Point(value, names);
                break;
            case JsonArray items:
                foreach (var item in items.OfType<JsonNode>())
                    Point(item, names);
                break;
        }
    }
}
