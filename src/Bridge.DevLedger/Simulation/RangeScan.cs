using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Simulation;

/// <summary>A range query over the public state, read as the chaincode asks; keeps what validation needs to see a phantom.</summary>
internal sealed class RangeScan : IDisposable
{
    private readonly IEnumerator<VersionedKey> rows;
    private readonly string end;
    private readonly int pageSize;
    private readonly RangeQueryInfo info;
    private readonly RangeReads reads = new();
    private int returned;

    public RangeScan(IEnumerable<VersionedKey> rows, string start, string end, int pageSize)
    {
        this.rows = rows.GetEnumerator();
        this.end = end;
        this.pageSize = pageSize;
        info = new RangeQueryInfo { StartKey = start };
    }

    public VersionedKey? Next()
    {
        if ((pageSize > 0 && returned >= pageSize) || !rows.MoveNext())
        {
            // Read to its end: then the whole range counts, otherwise only up to the last key that was seen.
            info.ItrExhausted = true;
            info.EndKey = end;
            return null;
        }

        returned++;
        var row = rows.Current;
        reads.Add(new KVRead { Key = row.Key, Version = row.Value.Version.ToMessage() });
        info.EndKey = row.Key;
        return row;
    }

    /// <summary>The key at which the next page starts; empty after the last page.</summary>
    public string Bookmark() => rows.MoveNext() ? rows.Current.Key : "";

    public RangeQueryInfo Finish()
    {
        reads.WriteTo(info);
        rows.Dispose();
        return info;
    }

    public void Dispose() => rows.Dispose();
}
