using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Watching;

/// <summary>What a server says of a subscription (R4 <c>Subscription.status</c>).</summary>
public enum SubscriptionStatus
{
    /// <summary>Nothing that R4 knows.</summary>
    Unknown,

    /// <summary>Taken, not yet in force.</summary>
    Requested,

    /// <summary>In force.</summary>
    Active,

    /// <summary>Delivery failed; the server may try again or not.</summary>
    Error,

    /// <summary>The server has stopped it.</summary>
    Off,

    /// <summary>The server has no such subscription, or has no longer.</summary>
    Missing,
}

/// <summary>The subscription that is wanted.</summary>
/// <param name="Endpoint">Where the server is to knock.</param>
/// <param name="Header">A whole header line, <c>Name: value</c>, that each notification is to bring.</param>
/// <param name="Topic">Canonical URL of the R5 backport's topic, such as <c>…/encounter-complete</c>; null = a plain R4 rest-hook by <paramref name="Criteria"/>.</param>
/// <param name="Criteria">A search, such as <c>Encounter?status=finished</c>; with a topic, a filter within it or empty.</param>
/// <param name="End">Until when.</param>
public sealed record SubscriptionWish(Uri Endpoint, string Header, string? Topic, string Criteria, DateTimeOffset End);

/// <summary>A subscription as the server shows it.</summary>
/// <param name="Status">Its status.</param>
/// <param name="End">Until when; null = without end.</param>
/// <param name="Events">How many events there were since it began (<c>$status</c>); null where the server does not count.</param>
public sealed record SubscriptionSeen(SubscriptionStatus Status, DateTimeOffset? End, long? Events);

/// <summary>Subscriptions of a FHIR R4 server: the plain rest-hook, and the backport of R5's topics with <c>$status</c> and <c>$events</c>.</summary>
public sealed class FhirSubscriptions(FhirClient client)
{
    private const string Backport = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

    /// <summary>The id of a subscription to this endpoint that the server has already; null where it has none or cannot be asked.</summary>
    public async Task<string?> FindAsync(Uri endpoint, CancellationToken cancellation = default)
    {
        try
        {
            await foreach (var page in client.PagesAsync(new FhirSearch("Subscription").Where("url", endpoint.AbsoluteUri).Where("_count", "50"), cancellation))
                foreach (var resource in page.Resources)
                {
                    using var document = JsonDocument.Parse(resource.Json);
                    if (Text(Member(document.RootElement, "channel"), "endpoint") == endpoint.AbsoluteUri && Text(document.RootElement, "id") is { Length: > 0 } id)
                        return id;
                }
        }
        catch (Exception e) when (e is JsonException || e is FhirException { Fault: FhirFault.Refused or FhirFault.NotFound or FhirFault.Forbidden })
        {
            // it cannot be searched: then a second one may come to be, which knocks twice and does no harm
        }
        return null;
    }

    /// <summary>Creates the subscription, or puts it in the place of an earlier one, and returns its id.</summary>
    /// <exception cref="FhirException">The server refused or did not answer.</exception>
    public Task<string> PutAsync(SubscriptionWish wish, string? id, CancellationToken cancellation = default) =>
        client.WriteAsync("Subscription", id, Write(wish, id), cancellation);

    /// <summary>How a subscription stands. A server that does not know <c>$status</c> is asked for the resource itself.</summary>
    /// <exception cref="FhirException">The server refused.</exception>
    public async Task<SubscriptionSeen> LookAsync(string id, bool topic, CancellationToken cancellation = default)
    {
        if (await client.ReadAsync("Subscription", id, cancellation) is not { } resource)
            return new SubscriptionSeen(SubscriptionStatus.Missing, null, null);
        SubscriptionSeen seen;
        try
        {
            using var document = JsonDocument.Parse(resource.Json);
            var root = document.RootElement;
            seen = new SubscriptionSeen(
                StatusOf(Text(root, "status")),
                DateTimeOffset.TryParse(Text(root, "end"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var end) ? end : null, null);
        }
        catch (JsonException)
        {
            throw new FhirException(FhirFault.Garbage, "the server's Subscription is not FHIR JSON");
        }
        if (!topic)
            return seen;
        try
        {
            var status = SubscriptionNotice.Read((await client.GetAsync($"Subscription/{Uri.EscapeDataString(id)}/$status", cancellation)).Span);
            return seen with { Status = status.Status == SubscriptionStatus.Unknown ? seen.Status : status.Status, Events = status.Events };
        }
        catch (FhirException e) when (e.Fault is FhirFault.Refused or FhirFault.NotFound or FhirFault.Forbidden)
        {
            return seen;
        }
    }

    /// <summary>The encounters that events of these numbers were about (<c>$events</c>); empty where the server does not tell any more.</summary>
    public async Task<IReadOnlyList<string>> EventsAsync(string id, long from, long until, CancellationToken cancellation = default)
    {
        try
        {
            var path = string.Create(CultureInfo.InvariantCulture, $"Subscription/{Uri.EscapeDataString(id)}/$events?eventsSinceNumber={from}&eventsUntilNumber={until}&content=id-only");
            return SubscriptionNotice.Read((await client.GetAsync(path, cancellation)).Span).Encounters;
        }
        catch (FhirException e) when (e.Fault is FhirFault.Refused or FhirFault.NotFound or FhirFault.Forbidden or FhirFault.Gone)
        {
            return [];
        }
    }

    internal static string Write(SubscriptionWish wish, string? id)
    {
        var channel = new JsonObject { ["type"] = "rest-hook", ["endpoint"] = wish.Endpoint.AbsoluteUri };
        var subscription = new JsonObject { ["resourceType"] = "Subscription" };
        if (id is not null)
            subscription["id"] = id;
        if (wish.Topic is not null)
            subscription["meta"] = new JsonObject { ["profile"] = new JsonArray(Backport + "backport-subscription") };
        subscription["status"] = "requested";
        subscription["end"] = wish.End.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        subscription["reason"] = "wakes the summary bridge, which reads back what changed";
        subscription["criteria"] = wish.Topic ?? wish.Criteria;
        if (wish.Topic is not null && wish.Criteria.Length > 0)
            subscription["_criteria"] = Extension("backport-filter-criteria", "valueString", wish.Criteria);
        // Without a payload a plain rest-hook carries no patient data; a topic's says at most which encounter.
        if (wish.Topic is not null)
            (channel["payload"], channel["_payload"]) = ("application/fhir+json", Extension("backport-payload-content", "valueCode", "id-only"));
        channel["header"] = new JsonArray(wish.Header);
        subscription["channel"] = channel;
        return subscription.ToJsonString();
    }

    internal static SubscriptionStatus StatusOf(string text) => text switch
    {
        "requested" => SubscriptionStatus.Requested,
        "active" => SubscriptionStatus.Active,
        "error" => SubscriptionStatus.Error,
        "off" => SubscriptionStatus.Off,
        _ => SubscriptionStatus.Unknown,
    };

    private static JsonObject Extension(string name, string kind, string value) =>
        new() { ["extension"] = new JsonArray(new JsonObject { ["url"] = Backport + name, [kind] = value }) };

    private static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    private static string Text(JsonElement element, string name) => Member(element, name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";
}
