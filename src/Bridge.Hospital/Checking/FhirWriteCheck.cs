using System.Text.Json;
using Bridge.Hospital.Watching;
using Bridge.Hospital.WriteBack;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.Hospital.Checking;

/// <summary>Tries what can be tried of writing to the FHIR server without writing anything: the token, and what the server says that it takes.</summary>
internal static class FhirWriteCheck
{
    private const string Area = "fhir";

    public static async Task RunAsync(WatchingOptions watching, WriteBackOptions options, IReadOnlyList<WrittenType> types, CheckReport report, TimeProvider clock)
    {
        using var writer = new FhirWriter(watching, options, types, clock, NullLoggerFactory.Instance);
        await report.TryAsync(Area, "writing", "Correct Fhir:BaseUrl, Fhir:Smart or WriteBack:Scope, or have the server started", async () =>
        {
            using var metadata = JsonDocument.Parse(await writer.Client.GetAsync("metadata"));
            var resources = Items(metadata.RootElement, "rest").SelectMany(rest => Items(rest, "resource")).ToList();
            foreach (var type in types)
            {
                var listed = resources.Where(resource => Text(resource, "type") == type.Name).ToList();
                var able = listed.SelectMany(resource => Items(resource, "interaction")).Select(interaction => Text(interaction, "code")).ToHashSet(StringComparer.Ordinal);
                var conditional = listed.Any(resource => resource.TryGetProperty("conditionalCreate", out var flag) && flag.ValueKind == JsonValueKind.True);
                if (!able.Contains("create") || type.Updated && !able.Contains("update"))
                    report.Warn(Area, $"{type.Name} writing", $"/metadata does not say that {type.Name} can be {(type.Updated ? "created and updated" : "created")}",
                        "Ask the server's operators; if it cannot, switch off WriteBack:Provenance or Announcing:Task");
                else if (!conditional)
                    report.Warn(Area, $"{type.Name} writing", "the server takes it, and does not say that it honours If-None-Exist",
                        "Nothing to do: before a second attempt the bridge looks whether the first one came through");
                else
                    report.Good(Area, $"{type.Name} writing", "the server takes it, and honours If-None-Exist");
            }
        });
        if (watching.Smart is not { } smart)
            return;
        var granted = (writer.GrantedScope ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var lacking = types.Where(type => !granted.Any(type.IsCoveredBy)).Select(type => type.Name).ToList();
        report.Judge(Area, "token for writing", lacking.Count == 0, $"granted: {string.Join(' ', granted)}{(lacking.Count == 0 ? "" : $"; nothing covers writing {string.Join(", ", lacking)}")}",
            $"Ask the server's operators for {options.Scopes(smart.Scope, types)}");
    }

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static JsonElement.ArrayEnumerator Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : default;
}
