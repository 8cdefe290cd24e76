using Bridge.Ledger.Protocol;

namespace Bridge.Ledger;

/// <summary>A channel: its contracts, its events, its blocks.</summary>
public sealed class Network
{
    private readonly Gateway gateway;

    internal Network(Gateway gateway, string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        this.gateway = gateway;
        Name = name;
    }

    /// <summary>The channel's name.</summary>
    public string Name { get; }

    /// <summary>A contract of a chaincode.</summary>
    /// <param name="chaincodeName">The chaincode's name in its definition.</param>
    /// <param name="contractName">Where the chaincode holds several contracts; null: its default one.</param>
    public Contract GetContract(string chaincodeName, string? contractName = null) => new(gateway, Name, chaincodeName, contractName);

    /// <summary>Asks what became of a transaction of this identity's or any other's, by its id alone.</summary>
    public Commit NewCommit(string transactionId)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(transactionId);
        return new Commit(gateway, transactionId, CommitRequests.New(gateway.Identity, Name, transactionId));
    }

    /// <summary>
    /// Events of valid transactions as they are committed, in the ledger's order, until the stream breaks
    /// (<see cref="GatewayException"/>) or the caller stops. <see cref="FollowChaincodeEventsAsync"/> goes on after a break.
    /// </summary>
    public IAsyncEnumerable<ChaincodeEvent> GetChaincodeEventsAsync(
        string chaincodeName, EventOptions? options = null, CancellationToken cancellationToken = default) =>
        NewChaincodeEventsRequest(chaincodeName, options).GetEventsAsync(cancellationToken);

    /// <summary>The same as a request whose digest can be signed elsewhere.</summary>
    public ChaincodeEventsRequest NewChaincodeEventsRequest(string chaincodeName, EventOptions? options = null) =>
        ChaincodeEventsRequest.Create(gateway, Name, chaincodeName, options ?? new EventOptions());

    /// <summary>
    /// Events without an end: after a break the stream is taken up again behind the last event that was handed out, at the next gateway
    /// where there are several. No event is left out and none comes twice, across restarts too when
    /// <see cref="EventOptions.Checkpoint"/> is what the caller stored last.
    /// </summary>
    /// <exception cref="GatewayException">The request itself is refused: no rights, no such channel.</exception>
    /// <exception cref="CheckpointException">The ledger does not hold the checkpoint's transaction.</exception>
    public IAsyncEnumerable<ChaincodeEvent> FollowChaincodeEventsAsync(
        string chaincodeName, EventOptions? options = null, CancellationToken cancellationToken = default) =>
        EventFollower.ChaincodeEventsAsync(gateway, this, chaincodeName, options ?? new EventOptions(), cancellationToken);

    /// <summary>Whole blocks as they are committed, until the stream breaks.</summary>
    public IAsyncEnumerable<Block> GetBlockEventsAsync(EventOptions? options = null, CancellationToken cancellationToken = default) =>
        NewBlockEventsRequest(options).GetEventsAsync(cancellationToken);

    /// <summary>The same as a request whose digest can be signed elsewhere.</summary>
    public BlockEventsRequest<Block> NewBlockEventsRequest(EventOptions? options = null) =>
        BlockEventKinds.Blocks.Create(gateway, Name, options ?? new EventOptions());

    /// <summary>Blocks as lists of transaction ids, validation codes and event names, until the stream breaks.</summary>
    public IAsyncEnumerable<FilteredBlock> GetFilteredBlockEventsAsync(
        EventOptions? options = null, CancellationToken cancellationToken = default) =>
        NewFilteredBlockEventsRequest(options).GetEventsAsync(cancellationToken);

    /// <summary>The same as a request whose digest can be signed elsewhere.</summary>
    public BlockEventsRequest<FilteredBlock> NewFilteredBlockEventsRequest(EventOptions? options = null) =>
        BlockEventKinds.FilteredBlocks.Create(gateway, Name, options ?? new EventOptions());

    /// <summary>Whole blocks, each with the private data that the identity's organisation may see, until the stream breaks.</summary>
    public IAsyncEnumerable<BlockAndPrivateData> GetBlockAndPrivateDataEventsAsync(
        EventOptions? options = null, CancellationToken cancellationToken = default) =>
        NewBlockAndPrivateDataEventsRequest(options).GetEventsAsync(cancellationToken);

    /// <summary>The same as a request whose digest can be signed elsewhere.</summary>
    public BlockEventsRequest<BlockAndPrivateData> NewBlockAndPrivateDataEventsRequest(EventOptions? options = null) =>
        BlockEventKinds.BlocksAndPrivateData.Create(gateway, Name, options ?? new EventOptions());

    /// <summary>Blocks without an end: after a break the stream is taken up again behind the last block that was handed out.</summary>
    public IAsyncEnumerable<CommittedBlock> FollowBlocksAsync(
        EventOptions? options = null, CancellationToken cancellationToken = default) =>
        EventFollower.BlocksAsync(gateway, this, BlockEventKinds.Blocks, options ?? new EventOptions(), cancellationToken);

    /// <summary>The same with private data: <see cref="CommittedTransaction.PrivateWrites"/> is filled for the caller's collections.</summary>
    public IAsyncEnumerable<CommittedBlock> FollowBlocksWithPrivateDataAsync(
        EventOptions? options = null, CancellationToken cancellationToken = default) =>
        EventFollower.BlocksAsync(gateway, this, BlockEventKinds.BlocksAndPrivateData, options ?? new EventOptions(), cancellationToken);

    /// <summary>The number of blocks that the gateway's peer has committed: the next block's number.</summary>
    public async Task<ulong> GetHeightAsync(CancellationToken cancellationToken = default)
    {
        await foreach (var block in BlockEventKinds.FilteredBlocks.CreateNewest(gateway, Name).GetEventsAsync(cancellationToken))
            return block.Number + 1;
        throw new InvalidOperationException($"the gateway showed no block of channel {Name}");
    }
}
