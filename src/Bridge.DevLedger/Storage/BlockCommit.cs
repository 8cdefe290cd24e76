using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Storage;

/// <summary>Everything that one block changes; written in one database transaction or not at all.</summary>
internal sealed class BlockCommit
{
    public required Block Block { get; init; }

    public required byte[] HeaderHash { get; init; }

    /// <summary>Transaction ids with their code, in the block's order; an id that stood in an earlier place keeps its first record.</summary>
    public required IReadOnlyList<(string TxId, int Place, TxValidationCode Code)> Transactions { get; init; }

    /// <summary>Null value: the key is deleted.</summary>
    public required IReadOnlyList<(string Namespace, string Key, byte[]? Value, byte[]? Metadata, Height Version)> State { get; init; }

    public required IReadOnlyList<(string Namespace, string Key, Height Version)> History { get; init; }

    public required IReadOnlyList<(string Namespace, string Collection, byte[] KeyHash, byte[]? ValueHash, byte[]? Metadata, Height Version)> Hashes
    {
        get;
        init;
    }

    /// <summary>In order; a later write of the same key overrides.</summary>
    public required IReadOnlyList<PrivateWrite> Private { get; init; }

    public required IReadOnlyList<(string Organization, PrivateSet Set, IReadOnlyList<byte[]> KeyHashes)> PrivateSets { get; init; }

    /// <summary>Keys whose private values leave every block up to the purge too.</summary>
    public required IReadOnlyList<(string Namespace, string Collection, byte[] KeyHash, Height Version)> Purges { get; init; }

    /// <summary>Collections with a life in blocks: what was written before the given block is gone.</summary>
    public required IReadOnlyList<(string Namespace, string Collection, ulong Before)> Expiries { get; init; }

    /// <summary>Facts that hold from this block on.</summary>
    public IReadOnlyList<(string Name, byte[] Value)> Facts { get; init; } = [];

    /// <summary>Rows of the queue that this block empties.</summary>
    public required IReadOnlyList<long> PendingRows { get; init; }
}

/// <summary>A private value on one organisation's peer.</summary>
/// <param name="Value">Null deletes.</param>
/// <param name="OnlyVersion">Only the key's metadata changed: the value stays and takes the new version.</param>
internal sealed record PrivateWrite(
    string Organization, string Namespace, string Collection, string Key, byte[] KeyHash, byte[]? Value, bool OnlyVersion, Height Version);
