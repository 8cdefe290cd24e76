using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>A block as a peer committed it, taken apart.</summary>
public sealed class CommittedBlock
{
    private readonly Lazy<IReadOnlyList<CommittedTransaction>> transactions;

    /// <param name="block">Header, data and metadata must be there.</param>
    /// <param name="privateData">By the transaction's place in the block, as DeliverWithPrivateData gives it.</param>
    public CommittedBlock(Block block, IReadOnlyDictionary<ulong, TxPvtReadWriteSet>? privateData = null)
    {
        Block = block;
        transactions = new Lazy<IReadOnlyList<CommittedTransaction>>(() => Read(block, privateData));
    }

    internal CommittedBlock(Block block, Google.Protobuf.Collections.MapField<ulong, TxPvtReadWriteSet> privateData)
        : this(block, privateData.ToDictionary())
    {
    }

    /// <summary>The block itself.</summary>
    public Block Block { get; }

    /// <summary>Its place in the chain.</summary>
    public ulong Number => Block.Header.Number;

    /// <summary>All its transactions, valid and invalid, in order.</summary>
    /// <exception cref="InvalidProtocolBufferException">An envelope is not what Fabric writes.</exception>
    public IReadOnlyList<CommittedTransaction> Transactions => transactions.Value;

    private static CommittedTransaction[] Read(Block block, IReadOnlyDictionary<ulong, TxPvtReadWriteSet>? privateData)
    {
        var read = new CommittedTransaction[block.Data.Data.Count];
        for (var i = 0; i < read.Length; i++)
        {
            var code = BlockFormat.ValidationCode(block, i);
            read[i] = CommittedTransaction.Read(block.Data.Data[i], i, code, privateData?.GetValueOrDefault((ulong)i));
        }

        return read;
    }
}
