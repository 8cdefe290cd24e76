namespace Bridge.Fhir.Client;

/// <summary>How to reach one FHIR R4 server.</summary>
public sealed record FhirClientOptions
{
    /// <summary>Service base URL, such as <c>https://ehr.example.org/fhir</c>; a closing slash does not matter.</summary>
    public required Uri BaseUrl { get; init; }

    /// <summary>A fixed bearer token, for gateways that want one; null = none. SMART Backend Services take a <see cref="SmartTokens"/> instead.</summary>
    public string? BearerToken { get; init; }

    /// <summary>Longest wait for one answer, its body included. Default 100 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>Largest answer kept, in bytes, after decompression. Default 128 MiB.</summary>
    public int MaxBodyBytes { get; init; } = 128 * 1024 * 1024;

    /// <summary>A search whose URL would be longer goes as POST <c>_search</c>. Default 1,800 characters; zero = always POST.</summary>
    public int MaxUrlLength { get; init; } = 1800;

    /// <summary>First back-off; doubles up to <see cref="MaxBackoff"/>. Default 500 ms.</summary>
    public TimeSpan FirstBackoff { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Longest back-off of our own. Default 60 s. What the server asks for is honoured up to <see cref="MaxServerDelay"/>.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest delay that a server may ask for by Retry-After or RateLimit. Default 1 hour.</summary>
    public TimeSpan MaxServerDelay { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How often a plain 500 (or a broken answer) is tried before it is an error. Default 4. Throttling and outages have no such end.</summary>
    public int ServerErrorAttempts { get; init; } = 4;

    /// <summary>When to stop retrying throttling and outages. Default null: never, only cancellation ends it. Commands that probe set it.</summary>
    public TimeSpan? GiveUpAfter { get; init; }

    /// <summary>Added to every request, for servers that want an API key. Default none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}
