using System.Security.Cryptography;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Simulation;

/// <summary>
/// Gathers what one simulation reads and writes. The bytes must not depend on the order of calls: namespaces, collections and keys are
/// sorted by their UTF-8 bytes, so that honest endorsers agree.
/// </summary>
internal sealed class ReadWriteSetBuilder
{
    private readonly SortedDictionary<string, Namespace> namespaces = new(Utf8Order.Instance);

    public void Read(string ns, string key, Height? version) =>
        Of(ns).Reads[key] = new KVRead { Key = key, Version = version?.ToMessage() };

    public void Write(string ns, string key, ByteString value) =>
        Of(ns).Writes[key] = new KVWrite { Key = key, IsDelete = value.IsEmpty, Value = value };

    public void WriteMetadata(string ns, string key, string name, ByteString value)
    {
        var write = new KVMetadataWrite { Key = key };
        write.Entries.Add(new KVMetadataEntry { Name = name, Value = value });
        Of(ns).MetadataWrites[key] = write;
    }

    public void ReadRange(string ns, RangeQueryInfo range)
    {
        var ranges = Of(ns).Ranges;
        if (!ranges.Any(r => r.StartKey == range.StartKey && r.EndKey == range.EndKey && r.ItrExhausted == range.ItrExhausted))
            ranges.Add(range);
    }

    public void ReadHashed(string ns, string collection, string key, Height? version) =>
        Of(ns, collection).Reads[key] = new KVReadHash { KeyHash = Hash(key), Version = version?.ToMessage() };

    public void WritePrivate(string ns, string collection, string key, ByteString value, bool purge)
    {
        var hashed = new KVWriteHash { KeyHash = Hash(key), IsDelete = value.IsEmpty, IsPurge = purge };
        if (!value.IsEmpty)
            hashed.ValueHash = ByteString.CopyFrom(SHA256.HashData(value.Span));
        var target = Of(ns, collection);
        target.Writes[key] = hashed;
        target.PrivateWrites[key] = new KVWrite { Key = key, IsDelete = value.IsEmpty, Value = value };
    }

    public void WritePrivateMetadata(string ns, string collection, string key, string name, ByteString value)
    {
        var hashed = new KVMetadataWriteHash { KeyHash = Hash(key) };
        hashed.Entries.Add(new KVMetadataEntry { Name = name, Value = value });
        var target = Of(ns, collection);
        target.MetadataWrites[key] = hashed;
        // The private set names the key without the metadata: its holders raise the value's version.
        target.PrivateMetadataWrites[key] = new KVMetadataWrite { Key = key };
    }

    /// <summary>The public set, and the private one when anything private was written.</summary>
    public (TxReadWriteSet Public, TxPvtReadWriteSet? Private) Build()
    {
        var publicSet = new TxReadWriteSet();
        var privateSet = new TxPvtReadWriteSet();
        foreach (var (name, content) in namespaces)
        {
            var rwset = new KVRWSet();
            rwset.Reads.AddRange(content.Reads.Values);
            rwset.RangeQueriesInfo.AddRange(content.Ranges);
            rwset.Writes.AddRange(content.Writes.Values);
            rwset.MetadataWrites.AddRange(content.MetadataWrites.Values);
            var entry = new NsReadWriteSet { Namespace = name, Rwset = rwset.ToByteString() };
            var privateEntry = new NsPvtReadWriteSet { Namespace = name };
            foreach (var (collectionName, collection) in content.Collections)
            {
                var hashed = new HashedRWSet();
                hashed.HashedReads.AddRange(collection.Reads.Values);
                hashed.HashedWrites.AddRange(collection.Writes.Values);
                hashed.MetadataWrites.AddRange(collection.MetadataWrites.Values);
                var hashedEntry = new CollectionHashedReadWriteSet { CollectionName = collectionName, HashedRwset = hashed.ToByteString() };
                if (collection.PrivateWrites.Count + collection.PrivateMetadataWrites.Count > 0)
                {
                    var secret = new KVRWSet();
                    secret.Writes.AddRange(collection.PrivateWrites.Values);
                    secret.MetadataWrites.AddRange(collection.PrivateMetadataWrites.Values);
                    var bytes = secret.ToByteString();
                    hashedEntry.PvtRwsetHash = ByteString.CopyFrom(SHA256.HashData(bytes.Span));
                    privateEntry.CollectionPvtRwset.Add(new CollectionPvtReadWriteSet { CollectionName = collectionName, Rwset = bytes });
                }

                entry.CollectionHashedRwset.Add(hashedEntry);
            }

            publicSet.NsRwset.Add(entry);
            if (privateEntry.CollectionPvtRwset.Count > 0)
                privateSet.NsPvtRwset.Add(privateEntry);
        }

        return (publicSet, privateSet.NsPvtRwset.Count > 0 ? privateSet : null);
    }

    private static ByteString Hash(string key) => ByteString.CopyFrom(SHA256.HashData(Snapshot.Bytes(key)));

    private Namespace Of(string ns)
    {
        if (!namespaces.TryGetValue(ns, out var content))
            namespaces[ns] = content = new Namespace();
        return content;
    }

    private CollectionContent Of(string ns, string collection)
    {
        var collections = Of(ns).Collections;
        if (!collections.TryGetValue(collection, out var content))
            collections[collection] = content = new CollectionContent();
        return content;
    }

    private sealed class Namespace
    {
        public SortedDictionary<string, KVRead> Reads { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVWrite> Writes { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVMetadataWrite> MetadataWrites { get; } = new(Utf8Order.Instance);

        public List<RangeQueryInfo> Ranges { get; } = [];

        public SortedDictionary<string, CollectionContent> Collections { get; } = new(Utf8Order.Instance);
    }

    private sealed class CollectionContent
    {
        public SortedDictionary<string, KVReadHash> Reads { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVWriteHash> Writes { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVMetadataWriteHash> MetadataWrites { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVWrite> PrivateWrites { get; } = new(Utf8Order.Instance);

        public SortedDictionary<string, KVMetadataWrite> PrivateMetadataWrites { get; } = new(Utf8Order.Instance);
    }
}

/// <summary>Orders strings as their UTF-8 bytes sort; UTF-16 order differs for characters past the first plane.</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static readonly Utf8Order Instance = new();

    public int Compare(string? x, string? y)
    {
        if (x is null || y is null)
            return string.CompareOrdinal(x, y);
        for (var i = 0; i < x.Length && i < y.Length; i++)
        {
            if (x[i] == y[i])
                continue;
            var (a, b) = (char.IsSurrogate(x[i]), char.IsSurrogate(y[i]));
            return a == b ? x[i].CompareTo(y[i]) : a ? 1 : -1;
        }

        return x.Length.CompareTo(y.Length);
    }
}
