using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Fhir;
using Bridge.Fhir.Client;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.WriteBack;

/// <summary>
/// The connection over which the bridge writes to the hospital's FHIR server: with a token of its own, so that the one that reads carries no right to write, and without
/// waiting an outage out, since what is to be written stands in tables.
/// </summary>
internal sealed class FhirWriter(WatchingOptions watching, WriteBackOptions options, IEnumerable<WrittenType> types, TimeProvider clock, ILoggerFactory loggers) : IDisposable
{
    private readonly SmartTokens? _tokens = watching.Smart is null ? null : new SmartTokens(
        watching.Smart with { Scope = options.Scopes(watching.Smart.Scope, types) }, SmartKey.FromPem(File.ReadAllText(watching.SmartKeyFile!)), clock, loggers.CreateLogger<SmartTokens>());

    private FhirClient? _client;

    public FhirClient Client => _client ??= new FhirClient(
        watching.Client with { GiveUpAfter = TimeSpan.FromSeconds(5), RequestTimeout = TimeSpan.FromSeconds(30), ServerErrorAttempts = 2 }, _tokens, null, loggers.CreateLogger<FhirClient>());

    public string? GrantedScope => _tokens?.GrantedScope;

    /// <summary>When to try again after a fault: as the server asks, else 15 s doubling to an hour, with up to a quarter of jitter.</summary>
    public static TimeSpan Backoff(FhirException fault, long attempts, double random)
    {
        var seconds = Math.Min(3600, 15 * Math.Pow(2, Math.Min(attempts, 8)));
        var own = TimeSpan.FromSeconds(seconds * (1 + random / 4));
        return fault.RetryAfter is { } asked && asked > own ? asked : own;
    }

    /// <summary>
    /// A resource that is to be one of the bridge's own, as the server has it now; null where it is something else, or cannot be read: one that somebody spoilt must not
    /// hold up what is to be said of the others.
    /// </summary>
    public static (JsonObject Resource, string Id)? Read(FhirResource resource, string type)
    {
        try
        {
            return !resource.Oversize && JsonNode.Parse(resource.Json.Span, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false }) is JsonObject read
                && Text(read, "resourceType") == type && Text(read, "id") is { Length: > 0 } id
                ? (read, id)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }

        static string? Text(JsonObject from, string member) => from[member] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
    }

    public void Dispose()
    {
        _client?.Dispose();
        _tokens?.Dispose();
    }
}
