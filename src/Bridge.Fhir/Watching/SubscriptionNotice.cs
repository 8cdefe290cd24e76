using System.Globalization;
using System.Text.Json;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Watching;

/// <summary>
/// The status part of a notification, of <c>$status</c> or of <c>$events</c> (R4 backport: Parameters within a Bundle). Whoever sent it may have written anything:
/// of it only numbers, a status and well-formed ids are taken.
/// </summary>
/// <param name="Kind">handshake, heartbeat, event-notification, query-status, query-event; empty where none is named.</param>
/// <param name="Status">Of the subscription.</param>
/// <param name="Events">Events since it began; null where not told.</param>
/// <param name="Encounters">Logical ids of the encounters named as focus.</param>
public sealed record SubscriptionNotice(string Kind, SubscriptionStatus Status, long? Events, IReadOnlyList<string> Encounters)
{
    private const int MostEncounters = 10_000;

    private static readonly SubscriptionNotice Empty = new("", SubscriptionStatus.Unknown, null, []);

    /// <summary>Reads one; of what is none, everything is empty.</summary>
    public static SubscriptionNotice Read(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 32 });
            using var document = JsonDocument.ParseValue(ref reader);
            var encounters = new List<string>();
            var notice = Empty with { Encounters = encounters };
            foreach (var resource in Resources(document.RootElement))
                if (Text(resource, "resourceType") is "Parameters")
                    foreach (var parameter in Items(resource, "parameter"))
                        notice = Take(notice, parameter, encounters);
            return notice;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Empty;
        }
    }

    private static SubscriptionNotice Take(SubscriptionNotice notice, JsonElement parameter, List<string> encounters)
    {
        switch (Text(parameter, "name"))
        {
            case "type":
                return notice with { Kind = Value(parameter) };
            case "status":
                return notice with { Status = FhirSubscriptions.StatusOf(Value(parameter)) };
            case "events-since-subscription-start" or "eventsSinceSubscriptionStart":
                return notice with { Events = long.TryParse(Value(parameter), NumberStyles.None, CultureInfo.InvariantCulture, out var events) ? events : null };
            case "notification-event" or "notificationEvent":
                foreach (var part in Items(parameter, "part"))
                    if (Text(part, "name") == "focus" && part.TryGetProperty("valueReference", out var focus)
                        && FhirReference.Parse(Text(focus, "reference")) is { Type: "Encounter", Id: { } id } && FhirReference.IsId(id) && encounters.Count < MostEncounters)
                        encounters.Add(id);
                return notice;
            default:
                return notice;
        }
    }

    private static IEnumerable<JsonElement> Resources(JsonElement root) =>
        Text(root, "resourceType") == "Bundle" ? Items(root, "entry").Select(entry => entry.TryGetProperty("resource", out var resource) ? resource : default) : [root];

    private static IEnumerable<JsonElement> Items(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object) : [];

    // valueString, valueCode or whatever a server takes for one; numbers too
    private static string Value(JsonElement parameter)
    {
        foreach (var member in parameter.EnumerateObject())
            if (member.Name.StartsWith("value", StringComparison.Ordinal))
                return member.Value.ValueKind switch { JsonValueKind.String => member.Value.GetString()!, JsonValueKind.Number => member.Value.GetRawText(), _ => "" };
        return "";
    }

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
