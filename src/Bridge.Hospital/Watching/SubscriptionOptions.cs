using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Watching;

/// <summary>How the FHIR server may wake the watch. It is only woken: what changed is read back, and the poll goes on all the same.</summary>
/// <param name="Endpoint"><c>Watching:Subscription:Endpoint</c>: this hospital's <c>/api/watching/notifications</c> as the FHIR server reaches it.</param>
/// <param name="Secret"><c>Watching:Subscription:Secret</c>: what each notification must bring in <see cref="SecretHeader"/>; at least 32 characters.</param>
/// <param name="Topic"><c>Watching:Subscription:Topic</c>: canonical URL of a backport topic, such as <c>…/encounter-complete</c>; absent = plain R4 rest-hook.</param>
/// <param name="Criteria"><c>Watching:Subscription:Criteria</c>: default <c>Encounter?status=finished</c>, with a topic nothing.</param>
/// <param name="Create"><c>Watching:Subscription:Create</c>: whether the bridge makes and renews the subscription. Default true; else the server's operators do.</param>
/// <param name="Id"><c>Watching:Subscription:Id</c>: the one that the operators made, so that its status is watched. Only with Create false.</param>
/// <param name="Lifetime"><c>Watching:Subscription:Lifetime</c>: its end lies so far ahead, and is moved on at half time. Default 7 days.</param>
/// <param name="Check"><c>Watching:Subscription:Check</c>: how often its status is read. Default 5 min.</param>
internal sealed record SubscriptionOptions(
    Uri Endpoint, string Secret, string? Topic, string Criteria, bool Create, string? Id, TimeSpan Lifetime, TimeSpan Check)
{
    public const string SecretHeader = "X-Bridge-Notification";

    private const string Section = "Watching:Subscription";

    /// <summary>Null where the strategy is another.</summary>
    public static SubscriptionOptions? Read(ConfigurationReader reader, bool wanted)
    {
        var endpoint = reader.SecureAddress($"{Section}:Endpoint", required: wanted, "this hospital's notification address as the FHIR server reaches it, such as https://bridge.hospital.example/api/watching/notifications");
        var secret = reader.Secret($"{Section}:Secret", required: wanted, "at least 32 random characters that notifications must bring, such as from `openssl rand -hex 32`");
        if (secret is not null && (secret.Length is < 32 or > 200 || secret.Any(c => c is < '!' or > '~')))
            reader.Fault($"{Section}:Secret", "…", "32 to 200 visible ASCII characters without spaces");
        var topic = reader.Raw($"{Section}:Topic");
        if (topic is not null && !Uri.TryCreate(topic, UriKind.Absolute, out _))
            reader.Fault($"{Section}:Topic", topic, "the canonical URL of a topic that the FHIR server knows, such as http://hl7.org/SubscriptionTopic/encounter-complete");
        var criteria = reader.Text($"{Section}:Criteria", topic is null ? "Encounter?status=finished" : "");
        if (topic is null && !criteria.StartsWith("Encounter", StringComparison.Ordinal))
            reader.Fault($"{Section}:Criteria", criteria, "a search over encounters, such as Encounter?status=finished");
        var create = reader.Flag($"{Section}:Create", true);
        var id = reader.Raw($"{Section}:Id");
        if (create && id is not null)
            reader.Fault($"{Section}:Id", id, "only with Create false: the bridge keeps the id of a subscription that it makes itself");
        var lifetime = reader.Duration($"{Section}:Lifetime", TimeSpan.FromDays(7), TimeSpan.FromMinutes(1), TimeSpan.FromDays(366));
        var check = reader.Duration($"{Section}:Check", TimeSpan.FromMinutes(5), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1));
        if (wanted)
            return new SubscriptionOptions(endpoint ?? new Uri("http://127.0.0.1/"), secret ?? "", topic, criteria, create, id, lifetime, check);
        if (endpoint is not null)
            reader.Fault($"{Section}:Endpoint", endpoint.AbsoluteUri, "only with Watching:Strategy Subscription: set that, or remove this section");
        return null;
    }
}
