namespace Bridge.Ledger;

/// <summary>Where a stream of events begins.</summary>
public sealed record EventOptions
{
    /// <summary>The first block to read; null: the next one to be committed. A <see cref="Checkpoint"/> goes before it.</summary>
    public ulong? StartBlock { get; init; }

    /// <summary>What was handled last, as a checkpointer or the caller's own database keeps it; null: nothing was.</summary>
    public Checkpoint? Checkpoint { get; init; }
}

/// <summary>A place between two events of a channel.</summary>
/// <param name="BlockNumber">The block to go on with.</param>
/// <param name="TransactionId">The transaction of that block up to which, itself included, all is handled; null: none of the block is.</param>
public readonly record struct Checkpoint(ulong BlockNumber, string? TransactionId = null)
{
    /// <summary>The place behind a whole block.</summary>
    public static Checkpoint AfterBlock(ulong blockNumber) => new(blockNumber + 1);
}

/// <summary>An event that a chaincode emitted in a valid transaction.</summary>
/// <param name="BlockNumber">The block of its transaction.</param>
/// <param name="TransactionId">Its transaction.</param>
/// <param name="ChaincodeName">The chaincode that emitted it.</param>
/// <param name="EventName">Its name.</param>
/// <param name="Payload">Its content.</param>
public sealed record ChaincodeEvent(
    ulong BlockNumber, string TransactionId, string ChaincodeName, string EventName, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The place behind this event: store it together with what the event caused.</summary>
    public Checkpoint Checkpoint => new(BlockNumber, TransactionId);
}

/// <summary>A checkpoint names a transaction that its block does not hold: it was made on another ledger, or for another chaincode.</summary>
public sealed class CheckpointException : Exception
{
    internal CheckpointException(Checkpoint checkpoint)
        : base($"block {checkpoint.BlockNumber} holds no event of transaction {checkpoint.TransactionId}: the checkpoint belongs to another "
            + "ledger or chaincode; remove it and read from the first block, or restore the ledger it was made on") =>
        Checkpoint = checkpoint;

    /// <summary>The checkpoint that was asked for.</summary>
    public Checkpoint Checkpoint { get; }
}
