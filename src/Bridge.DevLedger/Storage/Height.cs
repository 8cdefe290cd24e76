
namespace Bridge.DevLedger.Storage;

/// <summary>The place of the transaction that last wrote a key: the version that MVCC compares.</summary>
internal readonly record struct Height(ulong Block, ulong Transaction)
{
    public Ledger.Protocol.Version ToMessage() => new() { BlockNum = Block, TxNum = Transaction };

    public static Height? From(Ledger.Protocol.Version? version) =>
        version is null ? null : new Height(version.BlockNum, version.TxNum);

    /// <summary>As Fabric prints it in its errors.</summary>
    public override string ToString() => $"{{BlockNum: {Block}, TxNum: {Transaction}}}";
}

/// <summary>A stored value. For a hashed key the value is the SHA-256 of the private value.</summary>
internal sealed record VersionedValue(byte[] Value, byte[]? Metadata, Height Version);

internal sealed record VersionedKey(string Key, VersionedValue Value);
