namespace Bridge.Ledger;

/// <summary>How <see cref="SummaryLedger"/> repeats what may be repeated.</summary>
public sealed record SummaryLedgerOptions
{
    /// <summary>The portal's MSP id; null: asked of the ledger once.</summary>
    public string? PortalMspId { get; init; }

    /// <summary>Organisations that endorse directory functions; empty: the gateway plans from the policies.</summary>
    public IReadOnlyList<string> DirectoryEndorsers { get; init; } = [];

    /// <summary>Attempts at each stage of a transaction, the first included. Default 6.</summary>
    public int MaxAttempts { get; init; } = 6;

    /// <summary>The first pause between attempts; each further one is up to twice as long. Default 250 ms.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Called with the transaction's id after it was endorsed and before it is submitted; it is not submitted if this throws. Who stores the
    /// id here can ask after a crash what became of it (<see cref="SummaryLedger.FindCommitAsync"/>).
    /// </summary>
    public Func<string, CancellationToken, Task>? BeforeSubmit { get; init; }
}
