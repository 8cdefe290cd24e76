using System.Collections.Concurrent;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Committing;

/// <summary>Tells those who wait of new blocks and of what became of transactions.</summary>
internal sealed class LedgerFeed(LedgerStore store)
{
    private const int Recent = 16;

    private readonly ConcurrentDictionary<ulong, Block> recent = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<TransactionRecord>> waiting = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private TaskCompletionSource grown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong height;

    /// <summary>Number of blocks.</summary>
    public ulong Height
    {
        get
        {
            lock (gate)
                return height;
        }
    }

    /// <summary>Call when the block is on the disk.</summary>
    public void Publish(Block block, IEnumerable<(string TxId, int Place, TxValidationCode Code)> transactions)
    {
        TaskCompletionSource signal;
        recent[block.Header.Number] = block;
        if (block.Header.Number >= Recent)
            recent.TryRemove(block.Header.Number - Recent, out _);
        lock (gate)
        {
            height = block.Header.Number + 1;
            signal = grown;
            grown = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        signal.TrySetResult();
        foreach (var (txId, place, code) in transactions)
        {
            if (waiting.TryRemove(txId, out var waiter))
                waiter.TrySetResult(new TransactionRecord(block.Header.Number, place, code));
        }
    }

    public void Start(ulong blocks)
    {
        lock (gate)
            height = blocks;
    }

    /// <summary>Waits until the block exists.</summary>
    public async Task<Block> GetBlockAsync(ulong number, CancellationToken ct)
    {
        while (true)
        {
            Task signal;
            lock (gate)
                signal = number < height ? Task.CompletedTask : grown.Task;
            if (signal.IsCompletedSuccessfully && number < Height)
                break;
            await signal.WaitAsync(ct);
        }

        if (recent.TryGetValue(number, out var block))
            return block;
        using var snapshot = await store.OpenSnapshotAsync(ct);
        return snapshot.GetBlock(number) ?? throw new InvalidDataException($"block {number} is missing in the data directory");
    }

    /// <summary>Waits until the transaction stands in a block.</summary>
    public async Task<TransactionRecord> GetTransactionAsync(string txId, CancellationToken ct)
    {
        var waiter = waiting.GetOrAdd(txId, _ => new TaskCompletionSource<TransactionRecord>(TaskCreationOptions.RunContinuationsAsynchronously));
        using (var snapshot = await store.OpenSnapshotAsync(ct))
        {
            if (snapshot.FindTransaction(txId) is { } record)
            {
                waiting.TryRemove(txId, out _);
                waiter.TrySetResult(record);
                return record;
            }
        }

        return await waiter.Task.WaitAsync(ct);
    }
}
