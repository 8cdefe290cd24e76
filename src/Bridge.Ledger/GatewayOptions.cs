namespace Bridge.Ledger;

/// <summary>How a client meets its gateway. Deadlines are those of one call.</summary>
public sealed record GatewayOptions
{
    /// <summary>Who transacts.</summary>
    public required Identity Identity { get; init; }

    /// <summary>Null: everything is signed elsewhere (offline signing).</summary>
    public Signer? Signer { get; init; }

    /// <summary>Gateways of the identity's own organisation, the preferred first; the others take over when it cannot be reached.</summary>
    public required IReadOnlyList<GatewayEndpoint> Endpoints { get; init; }

    /// <summary>Default 30 s.</summary>
    public TimeSpan EvaluateTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Default 45 s: the first call after another organisation's peer died took 24 s.</summary>
    public TimeSpan EndorseTimeout { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Default 30 s.</summary>
    public TimeSpan SubmitTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Default 120 s; a transaction that the ledger never sees takes all of it.</summary>
    public TimeSpan CommitStatusTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Default 5 s for the connection itself, TLS included.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Calls in flight at one endpoint, commit-status calls that wait for a block among them; more wait here. Default 400: a peer refuses
    /// the 501st, and other clients and this one's event streams share it. At most 500.
    /// </summary>
    public int MaxConcurrentCalls { get; init; } = 400;

    /// <summary>Bytes of the longest answer that is taken. Default 100 MiB, Fabric's own limit.</summary>
    public int MaxMessageSize { get; init; } = 100 * 1024 * 1024;

    /// <summary>Clock for proposals' timestamps, deadlines and waits between attempts.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Check()
    {
        var faults = new List<string>();
        if (Endpoints.Count == 0)
            faults.Add($"{nameof(Endpoints)} is empty: name at least one gateway");
        foreach (var endpoint in Endpoints)
        {
            if (endpoint.Address is not { IsAbsoluteUri: true, Scheme: "http" or "https", AbsolutePath: "/" })
                faults.Add($"{nameof(Endpoints)}: {endpoint.Address} is not https://host:port");
        }

        foreach (var (name, timeout) in new[]
        {
            (nameof(EvaluateTimeout), EvaluateTimeout), (nameof(EndorseTimeout), EndorseTimeout), (nameof(SubmitTimeout), SubmitTimeout),
            (nameof(CommitStatusTimeout), CommitStatusTimeout), (nameof(ConnectTimeout), ConnectTimeout),
        })
        {
            if (timeout <= TimeSpan.Zero || timeout > TimeSpan.FromHours(24))
                faults.Add($"{name} is {timeout}: it must be over zero and at most a day");
        }

        if (MaxConcurrentCalls is < 1 or > 500)
            faults.Add($"{nameof(MaxConcurrentCalls)} is {MaxConcurrentCalls}: it must be from 1 to 500, beyond which a peer refuses calls");
        if (MaxMessageSize < 1)
            faults.Add($"{nameof(MaxMessageSize)} is {MaxMessageSize}: it must be at least 1");
        if (faults.Count > 0)
            throw new ArgumentException(string.Join("; ", faults));
    }
}
