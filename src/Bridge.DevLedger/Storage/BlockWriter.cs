using System.Security.Cryptography;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Microsoft.Data.Sqlite;

namespace Bridge.DevLedger.Storage;

/// <summary>The statements of the one writing connection. Called by the store's writer thread only, within a transaction of its.</summary>
internal sealed class BlockWriter : IDisposable
{
    // Private sets of endorsements that never came to a block are dropped after so many blocks, as a peer does.
    private const ulong TransientRetention = 1000;

    private const string UpTo = "(block < $3 OR (block = $3 AND place <= $4))";

    private readonly List<Statement> statements = [];
    private readonly SqliteConnection connection;
    private readonly Statement addBlock;
    private readonly Statement addTransaction;
    private readonly Statement putState;
    private readonly Statement deleteState;
    private readonly Statement addHistory;
    private readonly Statement putHash;
    private readonly Statement deleteHash;
    private readonly Statement putPrivate;
    private readonly Statement deletePrivate;
    private readonly Statement versionPrivate;
    private readonly Statement purgePrivate;
    private readonly Statement addPrivateSet;
    private readonly Statement addPrivateSetKey;
    private readonly Statement setsWithKey;
    private readonly Statement setsAt;
    private readonly Statement replaceSet;
    private readonly Statement dropSet;
    private readonly Statement dropSetKeys;
    private readonly Statement expireHashes;
    private readonly Statement expirePrivate;
    private readonly Statement expireSets;
    private readonly Statement expireSetKeys;
    private readonly Statement putFact;
    private readonly Statement addPending;
    private readonly Statement removePending;
    private readonly Statement addTransient;
    private readonly Statement removeTransient;
    private readonly Statement expireTransient;

    public BlockWriter(SqliteConnection connection)
    {
        this.connection = connection;
        addBlock = Prepare("INSERT INTO blocks VALUES($0, $1, $2)", 3);
        addTransaction = Prepare("INSERT INTO transactions VALUES($0, $1, $2, $3) ON CONFLICT DO NOTHING", 4);
        putState = Prepare("INSERT OR REPLACE INTO state VALUES($0, $1, $2, $3, $4, $5)", 6);
        deleteState = Prepare("DELETE FROM state WHERE ns = $0 AND key = $1", 2);
        addHistory = Prepare("INSERT OR IGNORE INTO history VALUES($0, $1, $2, $3)", 4);
        putHash = Prepare("INSERT OR REPLACE INTO hashes VALUES($0, $1, $2, $3, $4, $5, $6)", 7);
        deleteHash = Prepare("DELETE FROM hashes WHERE ns = $0 AND collection = $1 AND key_hash = $2", 3);
        putPrivate = Prepare("INSERT OR REPLACE INTO private VALUES($0, $1, $2, $3, $4, $5, $6, $7)", 8);
        deletePrivate = Prepare("DELETE FROM private WHERE org = $0 AND ns = $1 AND collection = $2 AND key = $3", 4);
        versionPrivate = Prepare("UPDATE private SET block = $4, place = $5 WHERE org = $0 AND ns = $1 AND collection = $2 AND key = $3", 6);
        purgePrivate = Prepare($"DELETE FROM private WHERE ns = $0 AND collection = $1 AND key_hash = $2 AND {UpTo}", 5);
        addPrivateSet = Prepare("INSERT OR REPLACE INTO private_sets VALUES($0, $1, $2, $3, $4, $5)", 6);
        addPrivateSetKey = Prepare("INSERT OR IGNORE INTO private_set_keys VALUES($0, $1, $2, $3, $4)", 5);
        setsWithKey = Prepare(
            $"SELECT block, place FROM private_set_keys WHERE ns = $0 AND collection = $1 AND key_hash = $2 AND {UpTo}", 5);
        setsAt = Prepare("SELECT org, rwset FROM private_sets WHERE block = $0 AND place = $1 AND ns = $2 AND collection = $3", 4);
        replaceSet = Prepare(
            "UPDATE private_sets SET rwset = $5 WHERE block = $0 AND place = $1 AND ns = $2 AND collection = $3 AND org = $4", 6);
        dropSet = Prepare("DELETE FROM private_sets WHERE block = $0 AND place = $1 AND ns = $2 AND collection = $3 AND org = $4", 5);
        dropSetKeys = Prepare($"DELETE FROM private_set_keys WHERE ns = $0 AND collection = $1 AND key_hash = $2 AND {UpTo}", 5);
        expireHashes = Prepare("DELETE FROM hashes WHERE ns = $0 AND collection = $1 AND block < $2", 3);
        expirePrivate = Prepare("DELETE FROM private WHERE ns = $0 AND collection = $1 AND block < $2", 3);
        expireSets = Prepare("DELETE FROM private_sets WHERE ns = $0 AND collection = $1 AND block < $2", 3);
        expireSetKeys = Prepare("DELETE FROM private_set_keys WHERE ns = $0 AND collection = $1 AND block < $2", 3);
        putFact = Prepare("INSERT OR REPLACE INTO facts VALUES($0, $1)", 2);
        addPending = Prepare("INSERT INTO pending(envelope) VALUES($0) RETURNING seq", 1);
        removePending = Prepare("DELETE FROM pending WHERE seq = $0", 1);
        addTransient = Prepare("INSERT OR IGNORE INTO transient VALUES($0, $1, $2, $3)", 4);
        removeTransient = Prepare("DELETE FROM transient WHERE txid = $0", 1);
        expireTransient = Prepare("DELETE FROM transient WHERE height < $0", 1);
    }

    /// <summary>Set by a purge; reset by whoever has emptied the log of what was purged.</summary>
    public bool HasPurged { get; set; }

    public long AddPending(byte[] envelope) => (long)addPending.Scalar(envelope)!;

    public void AddTransient(string txId, byte[] rwset, ulong height) => addTransient.Run(txId, SHA256.HashData(rwset), rwset, height);

    public void Commit(BlockCommit commit)
    {
        var number = commit.Block.Header.Number;
        addBlock.Run(number, commit.HeaderHash, commit.Block.ToByteArray());
        foreach (var (txId, place, code) in commit.Transactions)
        {
            addTransaction.Run(txId, number, place, (int)code);
            removeTransient.Run(txId);
        }

        foreach (var (ns, key, value, metadata, version) in commit.State)
        {
            if (value is null)
                deleteState.Run(ns, Snapshot.Bytes(key));
            else
                putState.Run(ns, Snapshot.Bytes(key), value, metadata, version.Block, version.Transaction);
        }

        foreach (var (ns, key, version) in commit.History)
            addHistory.Run(ns, Snapshot.Bytes(key), version.Block, version.Transaction);

        foreach (var (ns, collection, keyHash, valueHash, metadata, version) in commit.Hashes)
        {
            if (valueHash is null)
                deleteHash.Run(ns, collection, keyHash);
            else
                putHash.Run(ns, collection, keyHash, valueHash, metadata, version.Block, version.Transaction);
        }

        foreach (var write in commit.Private)
            Write(write);
        foreach (var (org, set, keyHashes) in commit.PrivateSets)
        {
            addPrivateSet.Run(org, number, set.Place, set.Namespace, set.Collection, set.RwSet);
            foreach (var keyHash in keyHashes)
                addPrivateSetKey.Run(set.Namespace, set.Collection, keyHash, number, set.Place);
        }

        foreach (var (ns, collection, keyHash, version) in commit.Purges)
            Purge(ns, collection, keyHash, version);
        foreach (var (ns, collection, before) in commit.Expiries)
        {
            expireHashes.Run(ns, collection, before);
            expirePrivate.Run(ns, collection, before);
            expireSets.Run(ns, collection, before);
            expireSetKeys.Run(ns, collection, before);
        }

        foreach (var (name, value) in commit.Facts)
            putFact.Run(name, value);
        foreach (var row in commit.PendingRows)
            removePending.Run(row);
        if (number > TransientRetention)
            expireTransient.Run(number - TransientRetention);
    }

    public void Dispose()
    {
        foreach (var statement in statements)
            statement.Dispose();
    }

    private void Write(PrivateWrite write)
    {
        var key = Snapshot.Bytes(write.Key);
        if (write.OnlyVersion)
            versionPrivate.Run(write.Organization, write.Namespace, write.Collection, key, write.Version.Block, write.Version.Transaction);
        else if (write.Value is null)
            deletePrivate.Run(write.Organization, write.Namespace, write.Collection, key);
        else
        {
            putPrivate.Run(
                write.Organization, write.Namespace, write.Collection, key, write.KeyHash, write.Value, write.Version.Block, write.Version.Transaction);
        }
    }

    private void Purge(string ns, string collection, byte[] keyHash, Height version)
    {
        HasPurged = true;
        purgePrivate.Run(ns, collection, keyHash, version.Block, version.Transaction);
        var places = new List<(long Block, long Place)>();
        using (var reader = setsWithKey.Query(ns, collection, keyHash, version.Block, version.Transaction))
        {
            while (reader.Read())
                places.Add((reader.GetInt64(0), reader.GetInt64(1)));
        }

        foreach (var (block, place) in places)
        {
            var sets = new List<(string Org, byte[] RwSet)>();
            using (var reader = setsAt.Query(block, place, ns, collection))
            {
                while (reader.Read())
                    sets.Add((reader.GetString(0), (byte[])reader.GetValue(1)));
            }

            foreach (var (org, bytes) in sets)
            {
                var set = KVRWSet.Parser.ParseFrom(bytes);
                Remove(set.Writes, write => SHA256.HashData(Snapshot.Bytes(write.Key)).AsSpan().SequenceEqual(keyHash));
                Remove(set.MetadataWrites, write => SHA256.HashData(Snapshot.Bytes(write.Key)).AsSpan().SequenceEqual(keyHash));
                if (set.Writes.Count + set.MetadataWrites.Count == 0)
                    dropSet.Run(block, place, ns, collection, org);
                else
                    replaceSet.Run(block, place, ns, collection, org, set.ToByteArray());
            }
        }

        dropSetKeys.Run(ns, collection, keyHash, version.Block, version.Transaction);
    }

    private static void Remove<T>(IList<T> list, Predicate<T> match)
    {
        for (var i = list.Count - 1; i >= 0; i--)
        {
            if (match(list[i]))
                list.RemoveAt(i);
        }
    }

    private Statement Prepare(string sql, int parameters)
    {
        var statement = new Statement(connection, sql, parameters);
        statements.Add(statement);
        return statement;
    }
}
