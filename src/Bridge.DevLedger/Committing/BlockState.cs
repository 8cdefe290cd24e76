using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Bridge.DevLedger.Committing;

/// <summary>
/// The committed state with the writes of a block's valid transactions on top: decides MVCC, phantom reads and what is written in the end.
/// </summary>
internal sealed class BlockState(Snapshot committed)
{
    private readonly Dictionary<(string Namespace, string Key), Update> state = [];
    private readonly Dictionary<(string Namespace, string Collection, ByteString KeyHash), Update> hashes = [];

    /// <summary>Keys with what became of them; a null value is a deletion.</summary>
    public IEnumerable<(string Namespace, string Key, byte[]? Value, byte[]? Metadata, Height Version)> State =>
        state.OrderBy(u => u.Key.Namespace, StringComparer.Ordinal).ThenBy(u => u.Key.Key, Utf8Order.Instance)
            .Select(u => (u.Key.Namespace, u.Key.Key, u.Value.Value, u.Value.Metadata, u.Value.Version));

    public IEnumerable<(string Namespace, string Collection, byte[] KeyHash, byte[]? ValueHash, byte[]? Metadata, Height Version)> Hashes =>
        hashes.Select(u => (u.Key.Namespace, u.Key.Collection, Hash: u.Key.KeyHash.ToByteArray(), u.Value.Value, u.Value.Metadata, u.Value.Version))
            .OrderBy(u => u.Namespace, StringComparer.Ordinal).ThenBy(u => u.Collection, StringComparer.Ordinal)
            .ThenBy(u => Convert.ToHexString(u.Hash), StringComparer.Ordinal);

    /// <summary>VALID, MVCC_READ_CONFLICT or PHANTOM_READ_CONFLICT.</summary>
    public TxValidationCode Check(IReadOnlyList<NamespaceSet> sets)
    {
        foreach (var set in sets)
        {
            foreach (var read in set.Public.Reads)
            {
                if (state.ContainsKey((set.Name, read.Key)) || committed.GetState(set.Name, read.Key)?.Version != Height.From(read.Version))
                    return TxValidationCode.MvccReadConflict;
            }

            foreach (var range in set.Public.RangeQueriesInfo)
            {
                if (!IsUnchanged(set.Name, range))
                    return TxValidationCode.PhantomReadConflict;
            }

            foreach (var (name, hashed, _) in set.Collections)
            {
                foreach (var read in hashed.HashedReads)
                {
                    if (hashes.ContainsKey((set.Name, name, read.KeyHash))
                        || committed.GetHash(set.Name, name, read.KeyHash.ToByteArray())?.Version != Height.From(read.Version))
                    {
                        return TxValidationCode.MvccReadConflict;
                    }
                }
            }
        }

        return TxValidationCode.Valid;
    }

    public void Apply(IReadOnlyList<NamespaceSet> sets, Height version)
    {
        foreach (var set in sets)
        {
            var publicOps = new Dictionary<string, Operation>(StringComparer.Ordinal);
            foreach (var write in set.Public.Writes)
                Of(publicOps, write.Key).Write(write.IsDelete || write.Value.IsEmpty, write.Value);
            foreach (var write in set.Public.MetadataWrites)
                Of(publicOps, write.Key).WriteMetadata(write.Entries);
            foreach (var (key, operation) in publicOps)
            {
                if (operation.Resolve(() => Latest(state.GetValueOrDefault((set.Name, key)), () => committed.GetState(set.Name, key)), version) is { } update)
                    state[(set.Name, key)] = update;
            }

            foreach (var (name, hashed, _) in set.Collections)
            {
                var hashedOps = new Dictionary<ByteString, Operation>();
                foreach (var write in hashed.HashedWrites)
                    Of(hashedOps, write.KeyHash).Write(write.IsDelete || write.ValueHash.IsEmpty, write.ValueHash);
                foreach (var write in hashed.MetadataWrites)
                    Of(hashedOps, write.KeyHash).WriteMetadata(write.Entries);
                foreach (var (key, operation) in hashedOps)
                {
                    var place = (set.Name, name, key);
                    if (operation.Resolve(
                        () => Latest(hashes.GetValueOrDefault(place), () => committed.GetHash(set.Name, name, key.ToByteArray())), version) is { } update)
                    {
                        hashes[place] = update;
                    }
                }
            }
        }
    }

    private static (byte[]? Value, byte[]? Metadata) Latest(Update? update, Func<VersionedValue?> committed)
    {
        if (update is not null)
            return (update.Value, update.Metadata);
        var value = committed();
        return (value?.Value, value?.Metadata);
    }

    private static Operation Of<TKey>(Dictionary<TKey, Operation> operations, TKey key)
        where TKey : notnull
    {
        if (!operations.TryGetValue(key, out var operation))
            operations[key] = operation = new Operation();
        return operation;
    }

    private bool IsUnchanged(string ns, RangeQueryInfo range)
    {
        // Not read to its end: the last key seen belongs to the range.
        var end = range.ItrExhausted ? range.EndKey : range.EndKey + '\0';
        var now = new RangeQueryInfo();
        var reads = new RangeReads();
        foreach (var (key, version) in Merge(ns, range.StartKey, end))
            reads.Add(new KVRead { Key = key, Version = version.ToMessage() });
        reads.WriteTo(now);
        return range.ReadsInfoCase == RangeQueryInfo.ReadsInfoOneofCase.ReadsMerkleHashes
            ? range.ReadsMerkleHashes.Equals(now.ReadsMerkleHashes)
            : now.ReadsInfoCase != RangeQueryInfo.ReadsInfoOneofCase.ReadsMerkleHashes
                && (range.RawReads?.KvReads ?? []).Equals(now.RawReads?.KvReads ?? []);
    }

    private IEnumerable<(string Key, Height Version)> Merge(string ns, string start, string end)
    {
        var rows = new SortedDictionary<string, Height>(Utf8Order.Instance);
        foreach (var row in committed.GetStateRange(ns, start, end))
            rows[row.Key] = row.Value.Version;
        foreach (var ((updatedNamespace, key), update) in state)
        {
            if (updatedNamespace != ns || Utf8Order.Instance.Compare(key, start) < 0
                || (end.Length > 0 && Utf8Order.Instance.Compare(key, end) >= 0))
            {
                continue;
            }

            if (update.Value is null)
                rows.Remove(key);
            else
                rows[key] = update.Version;
        }

        return rows.Select(row => (row.Key, row.Value));
    }

    private sealed record Update(byte[]? Value, byte[]? Metadata, Height Version);

    private sealed class Operation
    {
        private bool deleted;
        private byte[]? value;
        private bool metadataWritten;
        private byte[]? metadata;

        public void Write(bool isDelete, ByteString content)
        {
            deleted = isDelete;
            value = isDelete ? null : content.ToByteArray();
        }

        public void WriteMetadata(RepeatedField<KVMetadataEntry> entries)
        {
            metadataWritten = true;
            metadata = entries.Count == 0 ? null : KeyMetadata.Write(entries);
        }

        /// <summary>Null: nothing happens (metadata for a key that does not exist).</summary>
        public Update? Resolve(Func<(byte[]? Value, byte[]? Metadata)> latest, Height version)
        {
            if (deleted)
                return new Update(null, null, version);
            if (value is not null)
                return new Update(value, metadataWritten ? metadata : latest().Metadata, version);
            return latest().Value is { } kept ? new Update(kept, metadata, version) : null;
        }
    }
}
