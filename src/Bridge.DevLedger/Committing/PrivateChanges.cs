using System.Security.Cryptography;
using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Committing;

/// <summary>What a block changes in the private stores of the collections' member organisations.</summary>
internal sealed class PrivateChanges(ChannelDefinition definition, IReadOnlyList<Member> peers, Snapshot committed)
{
    public List<PrivateWrite> Writes { get; } = [];

    public List<(string Organization, PrivateSet Set, IReadOnlyList<byte[]> KeyHashes)> Sets { get; } = [];

    public List<(string Namespace, string Collection, byte[] KeyHash, Height Version)> Purges { get; } = [];

    /// <summary>Call for each valid transaction, in the block's order.</summary>
    public void Add(CheckedTransaction transaction, Height version)
    {
        IReadOnlyList<TxPvtReadWriteSet>? kept = null;
        foreach (var set in transaction.Sets)
        {
            foreach (var (name, hashed, privateHash) in set.Collections)
            {
                if (!privateHash.IsEmpty && definition.FindCollection(name) is { } collection)
                {
                    kept ??= committed.GetTransient(transaction.TxId);
                    // Where the endorsers' set is lost only the hashes are written, as on a peer that could not fetch it.
                    if (Find(kept, set.Name, name, privateHash) is { } rwset)
                        Write(collection, set.Name, rwset, version);
                }

                foreach (var write in hashed.HashedWrites.Where(w => w.IsPurge))
                    Purges.Add((set.Name, name, write.KeyHash.ToByteArray(), version));
            }
        }
    }

    /// <summary>Collections with a life in blocks, with the block before which all goes when this one is committed.</summary>
    public IReadOnlyList<(string Namespace, string Collection, ulong Before)> Expiries(ulong block) =>
        definition.Collections
            .Where(c => c.BlockToLive > 0 && block > c.BlockToLive)
            .Select(c => (definition.Chaincode, c.Name, block - c.BlockToLive))
            .ToList();

    private static ByteString? Find(IReadOnlyList<TxPvtReadWriteSet> kept, string ns, string collection, ByteString hash) =>
        kept.SelectMany(set => set.NsPvtRwset)
            .Where(set => set.Namespace == ns)
            .SelectMany(set => set.CollectionPvtRwset)
            .Where(set => set.CollectionName == collection && SHA256.HashData(set.Rwset.Span).AsSpan().SequenceEqual(hash.Span))
            .Select(set => set.Rwset)
            .FirstOrDefault();

    private void Write(Collection collection, string ns, ByteString rwset, Height version)
    {
        var set = KVRWSet.Parser.ParseFrom(rwset);
        var keyHashes = set.Writes.Select(w => w.Key).Concat(set.MetadataWrites.Select(w => w.Key)).Distinct(StringComparer.Ordinal)
            .ToDictionary(key => key, key => SHA256.HashData(Snapshot.Bytes(key)), StringComparer.Ordinal);
        var written = set.Writes.Select(w => w.Key).ToHashSet(StringComparer.Ordinal);
        foreach (var organization in peers.Where(collection.HasMember).Select(peer => peer.MspId))
        {
            foreach (var write in set.Writes)
            {
                var value = write.IsDelete || write.Value.IsEmpty ? null : write.Value.ToByteArray();
                Writes.Add(new PrivateWrite(organization, ns, collection.Name, write.Key, keyHashes[write.Key], value, false, version));
            }

            foreach (var write in set.MetadataWrites.Where(w => !written.Contains(w.Key)))
                Writes.Add(new PrivateWrite(organization, ns, collection.Name, write.Key, keyHashes[write.Key], null, true, version));
            Sets.Add((organization, new PrivateSet((int)version.Transaction, ns, collection.Name, rwset.ToByteArray()), [.. keyHashes.Values]));
        }
    }
}
