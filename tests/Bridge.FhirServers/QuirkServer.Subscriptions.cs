using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>R4 rest-hook subscriptions over encounters, and the backport's topic form with <c>$status</c> and <c>$events</c>; as unreliable as the switches say.</summary>
public sealed partial class QuirkServer
{
    private readonly HttpClient _knocker = new() { Timeout = TimeSpan.FromSeconds(10) };
    private readonly ConcurrentDictionary<string, List<string>> _events = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Task, bool> _deliveries = [];
    private int _dropped;
    private int _delivered;

    /// <summary>Notifications that an endpoint took.</summary>
    public int Delivered => Volatile.Read(ref _delivered);

    /// <summary>Notifications that nobody got.</summary>
    public int Dropped => Volatile.Read(ref _dropped);

    /// <summary>Until every notification so far is delivered or dropped.</summary>
    public async Task DeliveredAsync() => await Task.WhenAll(_deliveries.Keys);

    /// <summary>Has a subscription say this of itself from now on: <c>off</c>, <c>error</c>.</summary>
    public void SetSubscription(string id, string status) => Change(id, resource => resource["status"] = status);

    private void Change(string id, Action<JsonObject> change)
    {
        if (Store.Read("Subscription", id) is not { Deleted: false } row)
            return;
        var resource = (JsonObject)JsonNode.Parse(row.Json(Quirks.Stamp).Span)!;
        change(resource);
        Store.Put(resource);
    }

    private async Task<bool> SubscriptionAsync(HttpContext context, string method, string[] parts, string body)
    {
        if (parts is not ["Subscription", ..])
            return false;
        if (!Quirks.TakesSubscriptions)
        {
            await OutcomeAsync(context, 404, "no such type");
            return true;
        }
        switch (method, parts)
        {
            case ("GET", [_, var id, "$status"]) when Quirks.TakesTopics:
                await JsonAsync(context, 200, Notice("query-status", id, [], 0).ToJsonString());
                return true;
            case ("GET", [_, var id, "$events"]) when Quirks.TakesTopics:
                var from = int.Parse(context.Request.Query["eventsSinceNumber"].ToString(), CultureInfo.InvariantCulture);
                var until = int.Parse(context.Request.Query["eventsUntilNumber"].ToString(), CultureInfo.InvariantCulture);
                await JsonAsync(context, 200, Notice("query-event", id, [.. EventsOf(id).Skip(from - 1).Take(until - from + 1)], from).ToJsonString());
                return true;
            case ("POST" or "PUT", [_] or [_, _]) when ParseObject(body) is { } resource:
                if ((string?)resource["criteria"] is not { } criteria || (criteria.StartsWith("http", StringComparison.Ordinal) && !Quirks.TakesTopics))
                {
                    await OutcomeAsync(context, 422, "no such topic");
                    return true;
                }
                var name = parts.Length == 2 ? parts[1] : Guid.NewGuid().ToString();
                resource["id"] = name;
                resource["status"] = "active";
                Store.Put(resource);
                context.Response.Headers.Location = $"{BaseUrl}Subscription/{name}/_history/1";
                if (Quirks.MinimalWriteAnswers)
                    context.Response.StatusCode = 201;
                else
                    await BytesAsync(context, 201, Store.Read("Subscription", name)!.Json(Quirks.Stamp));
                return true;
            default:
                return false;
        }
    }

    private List<string> EventsOf(string subscription)
    {
        var events = _events.GetOrAdd(subscription, _ => []);
        lock (events)
            return [.. events];
    }

    private void OnChanged(string type, string id)
    {
        if (type != "Encounter" || !Quirks.TakesSubscriptions)
            return;
        foreach (var row in Store.Find("Subscription", []))
        {
            var subscription = (JsonObject)JsonNode.Parse(row.Json(Quirks.Stamp).Span)!;
            if ((string?)subscription["status"] != "active")
                continue;
            var events = _events.GetOrAdd(row.Id, _ => []);
            int number;
            lock (events)
            {
                events.Add(id);
                number = events.Count;
            }
            if (number > Quirks.NotificationsUntilSilent)
            {
                Interlocked.Increment(ref _dropped);
                continue;
            }
            var delivery = Task.Run(() => DeliverAsync(row.Id, subscription, id, number));
            _deliveries[delivery] = true;
        }
    }

    private async Task DeliverAsync(string id, JsonObject subscription, string encounter, int number)
    {
        var channel = subscription["channel"]!;
        using var request = new HttpRequestMessage(HttpMethod.Post, (string)channel["endpoint"]!);
        if (((string)subscription["criteria"]!).StartsWith("http", StringComparison.Ordinal))
            request.Content = new StringContent(Notice("event-notification", id, [encounter], number).ToJsonString(), Encoding.UTF8, MediaTypeHeaderValue.Parse("application/fhir+json"));
        foreach (var header in channel["header"] as JsonArray ?? [])
            if (((string)header!).Split(": ", 2) is [var name, var value])
                request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            using var response = await _knocker.SendAsync(request);
            Interlocked.Increment(ref response.IsSuccessStatusCode ? ref _delivered : ref _dropped);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            Interlocked.Increment(ref _dropped);
            if (Quirks.FailedDeliveryStops)
                SetSubscription(id, "error");
        }
    }

    private JsonObject Notice(string kind, string id, IReadOnlyList<string> encounters, int first)
    {
        var status = Store.Read("Subscription", id) is { Deleted: false } row ? (string?)JsonNode.Parse(row.Json(Quirks.Stamp).Span)!["status"] : "off";
        var parameters = new JsonArray(
            new JsonObject { ["name"] = "subscription", ["valueReference"] = new JsonObject { ["reference"] = $"{BaseUrl}Subscription/{id}" } },
            new JsonObject { ["name"] = "status", ["valueCode"] = status },
            new JsonObject { ["name"] = "type", ["valueCode"] = kind },
            new JsonObject { ["name"] = "events-since-subscription-start", ["valueString"] = EventsOf(id).Count.ToString(CultureInfo.InvariantCulture) });
        for (var i = 0; i < encounters.Count; i++)
            parameters.Add(new JsonObject
            {
                ["name"] = "notification-event",
                ["part"] = new JsonArray(
                    new JsonObject { ["name"] = "event-number", ["valueString"] = (first + i).ToString(CultureInfo.InvariantCulture) },
                    new JsonObject { ["name"] = "focus", ["valueReference"] = new JsonObject { ["reference"] = $"{BaseUrl}Encounter/{encounters[i]}" } }),
            });
        return new JsonObject
        {
            ["resourceType"] = "Bundle",
            ["type"] = kind == "query-status" ? "searchset" : "history",
            ["entry"] = new JsonArray(new JsonObject { ["resource"] = new JsonObject { ["resourceType"] = "Parameters", ["parameter"] = parameters } }),
        };
    }
}
