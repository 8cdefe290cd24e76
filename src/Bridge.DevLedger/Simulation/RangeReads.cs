using System.Security.Cryptography;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Simulation;

/// <summary>
/// What a range query read, as the read set keeps it: up to 50 reads as they are, more as a Merkle summary of degree 50.
/// Validation builds the same from the state of the day and compares.
/// </summary>
internal sealed class RangeReads
{
    private const int Degree = 50;

    private readonly List<List<byte[]>> levels = [];
    private List<KVRead> pending = [];

    public void Add(KVRead read)
    {
        pending.Add(read);
        if (pending.Count > Degree)
            Fold();
    }

    /// <summary>Call once, after the last read.</summary>
    public void WriteTo(RangeQueryInfo info)
    {
        if (levels.Count == 0)
        {
            if (pending.Count > 0)
            {
                info.RawReads = new QueryReads();
                info.RawReads.KvReads.AddRange(pending);
            }

            return;
        }

        if (pending.Count > 0)
            Fold();
        for (var level = 0; level < levels.Count - 1; level++)
        {
            var hashes = levels[level];
            if (hashes.Count == 0)
                continue;
            levels[level + 1].Add(hashes.Count == 1 ? hashes[0] : Combine(hashes));
            levels[level] = [];
        }

        if (levels[^1].Count > Degree)
        {
            var combined = Combine(levels[^1]);
            levels[^1] = [];
            levels.Add([combined]);
        }

        info.ReadsMerkleHashes = new QueryReadsMerkleSummary { MaxDegree = Degree, MaxLevel = (uint)levels.Count };
        info.ReadsMerkleHashes.MaxLevelHashes.AddRange(levels[^1].Select(hash => ByteString.CopyFrom(hash)));
    }

    private static byte[] Combine(List<byte[]> hashes) => SHA256.HashData(hashes.SelectMany(hash => hash).ToArray());

    private void Fold()
    {
        var reads = new QueryReads();
        reads.KvReads.AddRange(pending);
        pending = [];
        var hash = SHA256.HashData(reads.ToByteArray());
        for (var level = 0; ; level++)
        {
            if (level == levels.Count)
                levels.Add([]);
            levels[level].Add(hash);
            if (levels[level].Count <= Degree)
                return;
            hash = Combine(levels[level]);
            levels[level] = [];
        }
    }
}
