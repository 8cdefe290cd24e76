using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>What is kept of the subscription, for the next look and for the operator.</summary>
/// <param name="Id">The server's name for it; null = none yet.</param>
/// <param name="Wish">Digest of what was asked for: after a change of the configuration it is put again.</param>
/// <param name="End">When it ends unless it is renewed.</param>
/// <param name="Status">As last seen.</param>
/// <param name="Since">Since when it is so.</param>
/// <param name="Told">How many events the server had counted at the last look.</param>
/// <param name="Read">Up to which event number the encounters were read back by name.</param>
internal sealed record SubscriptionState(
    string? Id, string? Wish, DateTimeOffset? End, SubscriptionStatus Status, DateTimeOffset Since, long? Told, long? Read)
{
    private const string Bookmark = "subscription";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    public static readonly SubscriptionState None = new(null, null, null, SubscriptionStatus.Unknown, DateTimeOffset.UnixEpoch, null, null);

    /// <summary>How many events the server has counted, as just read; not kept.</summary>
    [JsonIgnore]
    public long? Counted { get; init; }

    /// <summary>True where notifications may be expected.</summary>
    [JsonIgnore]
    public bool Works => Status is SubscriptionStatus.Active or SubscriptionStatus.Requested;

    public static async Task<SubscriptionState> ReadAsync(Work work) =>
        await Bookmarks.ReadAsync(work, Bookmark) is { } text ? JsonSerializer.Deserialize<SubscriptionState>(text, Json) ?? None : None;

    public Task KeepAsync(Work work, DateTimeOffset now) => Bookmarks.WriteAsync(work, Bookmark, JsonSerializer.Serialize(this, Json), now);

    /// <summary>For health and the operator.</summary>
    public string Describe() => Status switch
    {
        SubscriptionStatus.Active => "active",
        SubscriptionStatus.Requested => "asked for; the server has not put it in force yet",
        SubscriptionStatus.Missing => "the server does not have it",
        SubscriptionStatus.Unknown => "its status is not known",
        _ => $"{Status.ToString().ToLowerInvariant()} at the server",
    } + (Works ? "" : "; the poll goes on without it");
}

/// <summary>
/// Keeps the subscription alive and closes the gaps that it leaves: makes it where there is none, moves its end on, puts it again where the server stopped it, and
/// reads the encounters of events that no notification told of. Whatever fails here fails nothing else: the poll finds it all.
/// </summary>
internal sealed partial class SubscriptionWorker(
    Database database, FhirSubscriptions subscriptions, SubscriptionOptions options, WatchWorker worker, Notifications notifications, Instance instance, TimeProvider clock,
    ILogger<SubscriptionWorker> log)
{
    private const string LeaseName = "subscription";
    private const long MostEvents = 1000;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var (mine, before) = await database.WriteAsync(async work =>
            (!await PauseSwitch.IsOnAsync(work) && await Leases.TryTakeAsync(work, LeaseName, instance.Name, clock.GetUtcNow(), options.Check + TimeSpan.FromMinutes(1)),
                await SubscriptionState.ReadAsync(work)), cancellationToken);
        if (!mine)
            return;
        var now = clock.GetUtcNow();
        var state = before with { Id = options.Create ? before.Id : options.Id };
        if (!options.Create && state.Id is null)
            // The operators' own, and they did not say which: nothing can be known of it but that it knocks.
            return;
        if (state.Id is not null)
            state = Seen(state, await subscriptions.LookAsync(state.Id, options.Topic is not null, cancellationToken), now);
        var silent = !before.Works || !state.Works;
        if (options.Create && SubscriptionRules.WantsPutting(state, Digest(), options.Lifetime, now))
            state = await PutAsync(state, now, cancellationToken);
        state = await CatchUpAsync(state, cancellationToken);
        if (silent && state.Works)
            // What happened while nobody knocked.
            notifications.Wake();
        if (state.Status != before.Status)
            Log.Stands(log, state.Id ?? "", state.Status);
        await database.WriteAsync(work => state.KeepAsync(work, now), cancellationToken);
    }

    private static SubscriptionState Seen(SubscriptionState state, SubscriptionSeen seen, DateTimeOffset now) => state with
    {
        Status = seen.Status,
        End = seen.End ?? state.End,
        Since = seen.Status == state.Status ? state.Since : now,
        // A server that counts from the beginning again has begun again.
        Told = seen.Events < state.Told ? null : state.Told,
        Read = seen.Events < state.Told ? null : state.Read,
        Counted = seen.Events,
    };

    private async Task<SubscriptionState> PutAsync(SubscriptionState state, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var id = state.Id is not null && state.Status != SubscriptionStatus.Missing ? state.Id : await subscriptions.FindAsync(options.Endpoint, cancellationToken);
        var end = now + options.Lifetime;
        var header = $"{SubscriptionOptions.SecretHeader}: {options.Secret}";
        var put = await subscriptions.PutAsync(new SubscriptionWish(options.Endpoint, header, options.Topic, options.Criteria, end), id, cancellationToken);
        Log.Put(log, put, end);
        var seen = await subscriptions.LookAsync(put, options.Topic is not null, cancellationToken);
        return Seen(state with { Id = put, Wish = Digest(), End = end }, seen with { End = seen.End ?? end }, now);
    }

    // $status counts every event. The first look after some wakes the watch, which reads them in the order of their change; the next one reads back by name those
    // that the server's search may have been slow to show.
    private async Task<SubscriptionState> CatchUpAsync(SubscriptionState state, CancellationToken cancellationToken)
    {
        if (state.Id is not { } id || state.Counted is not { } counted)
            return state;
        if (state is { Read: { } read, Told: { } told } && told > read && told - read <= MostEvents)
            if (!await worker.TakeEncountersAsync(await subscriptions.EventsAsync(id, read + 1, told, cancellationToken), cancellationToken))
                return state;
        if (counted != state.Told)
            notifications.Wake();
        return state with { Told = counted, Read = state.Told ?? counted };
    }

    private string Digest() => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(
        System.Text.Encoding.UTF8.GetBytes($"{options.Endpoint}\n{options.Topic}\n{options.Criteria}\n{options.Secret}")))[..32];

    private static partial class Log
    {
        [LoggerMessage(EventId = 2011, Level = LogLevel.Information, Message = "Put subscription {Id} on the FHIR server, until {End:O}")]
        public static partial void Put(ILogger logger, string id, DateTimeOffset end);

        [LoggerMessage(EventId = 2012, Level = LogLevel.Warning, Message = "Subscription {Id} stands as {Status} at the FHIR server")]
        public static partial void Stands(ILogger logger, string id, SubscriptionStatus status);
    }
}

/// <summary>Pure decisions about a subscription.</summary>
internal static class SubscriptionRules
{
    /// <summary>Whether it is made, renewed or put again now.</summary>
    public static bool WantsPutting(SubscriptionState state, string wish, TimeSpan lifetime, DateTimeOffset now) =>
        state.Id is null || state.Wish != wish
        || state.Status is SubscriptionStatus.Missing or SubscriptionStatus.Off or SubscriptionStatus.Error
        || state.End is { } end && end - now < lifetime / 2;
}
