namespace Bridge.Ledger;

/// <summary>What a proposal carries besides the function's name.</summary>
public sealed record ProposalOptions
{
    internal static readonly ProposalOptions None = new();

    /// <summary>Arguments after the function's name. They stand in the block for ever, in clear.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Arguments { get; init; } = [];

    /// <summary>Goes to the endorsing peers only and never into a block.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> TransientData { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>
    /// MSP ids of exactly the organisations that shall endorse (or evaluate). Empty: the gateway plans from the policies. Name them
    /// whenever there is transient data: whoever endorses sees it.
    /// </summary>
    public IReadOnlyList<string> EndorsingOrganizations { get; init; } = [];
}
