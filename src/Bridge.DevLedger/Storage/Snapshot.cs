using System.Text;
using Bridge.Ledger.Protocol;
using Microsoft.Data.Sqlite;

namespace Bridge.DevLedger.Storage;

/// <summary>Where a transaction stands and what became of it.</summary>
internal readonly record struct TransactionRecord(ulong Block, int Place, TxValidationCode Code);

/// <summary>
/// The ledger as it was when the snapshot was opened; later blocks do not show. For one caller at a time. Close it before awaiting a write:
/// the writer may be waiting for all snapshots to close.
/// </summary>
internal sealed class Snapshot : IDisposable
{
    private const int Chunk = 100;

    private readonly SqliteConnection connection;
    private readonly Action<Snapshot> giveBack;
    private readonly Statement begin;
    private readonly Statement end;
    private readonly Statement height;
    private readonly Statement state;
    private readonly Statement hash;
    private readonly Statement privateValue;
    private readonly Statement stateRange;
    private readonly Statement privateRange;
    private readonly Statement block;
    private readonly Statement headerHash;
    private readonly Statement transaction;
    private readonly Statement history;
    private readonly Statement transient;
    private readonly Statement privateSets;

    public Snapshot(SqliteConnection connection, Action<Snapshot> giveBack)
    {
        this.connection = connection;
        this.giveBack = giveBack;
        begin = new Statement(connection, "BEGIN DEFERRED", 0);
        end = new Statement(connection, "COMMIT", 0);
        height = new Statement(connection, "SELECT coalesce(max(number) + 1, 0) FROM blocks", 0);
        state = new Statement(connection, "SELECT value, metadata, block, place FROM state WHERE ns = $0 AND key = $1", 2);
        hash = new Statement(
            connection, "SELECT value_hash, metadata, block, place FROM hashes WHERE ns = $0 AND collection = $1 AND key_hash = $2", 3);
        privateValue = new Statement(
            connection, "SELECT value, NULL, block, place FROM private WHERE org = $0 AND ns = $1 AND collection = $2 AND key = $3", 4);
        stateRange = new Statement(
            connection,
            "SELECT value, metadata, block, place, key FROM state WHERE ns = $0 AND key >= $1 AND ($2 IS NULL OR key < $2) AND ($3 IS NULL OR key > $3) ORDER BY key LIMIT $4",
            5);
        privateRange = new Statement(
            connection,
            "SELECT value, NULL, block, place, key FROM private WHERE org = $0 AND ns = $1 AND collection = $2 AND key >= $3 AND ($4 IS NULL OR key < $4) AND ($5 IS NULL OR key > $5) ORDER BY key LIMIT $6",
            7);
        block = new Statement(connection, "SELECT block FROM blocks WHERE number = $0", 1);
        headerHash = new Statement(connection, "SELECT header_hash FROM blocks WHERE number = $0", 1);
        transaction = new Statement(connection, "SELECT block, place, code FROM transactions WHERE txid = $0", 1);
        history = new Statement(connection, "SELECT block, place FROM history WHERE ns = $0 AND key = $1 ORDER BY block DESC, place DESC", 2);
        transient = new Statement(connection, "SELECT rwset FROM transient WHERE txid = $0", 1);
        privateSets = new Statement(
            connection, "SELECT place, ns, collection, rwset FROM private_sets WHERE block = $0 AND org = $1 ORDER BY place, ns, collection", 2);
    }

    /// <summary>Number of blocks.</summary>
    public ulong Height { get; private set; }

    public void Begin()
    {
        begin.Run();
        Height = (ulong)(long)height.Scalar()!; // the first read is what fixes the snapshot
    }

    public VersionedValue? GetState(string ns, string key) => One(state.Query(ns, Bytes(key)));

    public VersionedValue? GetHash(string ns, string collection, byte[] keyHash) => One(hash.Query(ns, collection, keyHash));

    public VersionedValue? GetPrivate(string org, string ns, string collection, string key) =>
        One(privateValue.Query(org, ns, collection, Bytes(key)));

    /// <summary>From <paramref name="start"/> (inclusive) to <paramref name="end"/> (exclusive; empty: to the last key), read as it is asked for.</summary>
    public IEnumerable<VersionedKey> GetStateRange(string ns, string start, string end)
    {
        object? after = null;
        while (true)
        {
            var rows = Many(stateRange.Query(ns, Bytes(start), end.Length == 0 ? null : Bytes(end), after, Chunk));
            foreach (var row in rows)
                yield return row;
            if (rows.Count < Chunk)
                yield break;
            after = Bytes(rows[^1].Key);
        }
    }

    public IEnumerable<VersionedKey> GetPrivateRange(string org, string ns, string collection, string start, string end)
    {
        object? after = null;
        while (true)
        {
            var rows = Many(privateRange.Query(org, ns, collection, Bytes(start), end.Length == 0 ? null : Bytes(end), after, Chunk));
            foreach (var row in rows)
                yield return row;
            if (rows.Count < Chunk)
                yield break;
            after = Bytes(rows[^1].Key);
        }
    }

    public Block? GetBlock(ulong number) => block.Scalar(number) is byte[] bytes ? Block.Parser.ParseFrom(bytes) : null;

    public byte[]? GetHeaderHash(ulong number) => headerHash.Scalar(number) as byte[];

    public TransactionRecord? FindTransaction(string txId)
    {
        using var reader = transaction.Query(txId);
        return reader.Read()
            ? new TransactionRecord((ulong)reader.GetInt64(0), reader.GetInt32(1), (TxValidationCode)reader.GetInt32(2))
            : null;
    }

    /// <summary>Places of the valid transactions that wrote the key, the newest first.</summary>
    public IReadOnlyList<Height> GetHistory(string ns, string key)
    {
        var places = new List<Height>();
        using var reader = history.Query(ns, Bytes(key));
        while (reader.Read())
            places.Add(new Height((ulong)reader.GetInt64(0), (ulong)reader.GetInt64(1)));
        return places;
    }

    /// <summary>The private write sets that endorsers kept for a transaction that is not yet in a block.</summary>
    public IReadOnlyList<TxPvtReadWriteSet> GetTransient(string txId)
    {
        var sets = new List<TxPvtReadWriteSet>();
        using var reader = transient.Query(txId);
        while (reader.Read())
            sets.Add(TxPvtReadWriteSet.Parser.ParseFrom((byte[])reader.GetValue(0)));
        return sets;
    }

    /// <summary>What one organisation's peer holds of the private write sets of a block.</summary>
    public IReadOnlyList<PrivateSet> GetPrivateSets(ulong number, string org)
    {
        var sets = new List<PrivateSet>();
        using var reader = privateSets.Query(number, org);
        while (reader.Read())
            sets.Add(new PrivateSet(reader.GetInt32(0), reader.GetString(1), reader.GetString(2), (byte[])reader.GetValue(3)));
        return sets;
    }

    public void Dispose()
    {
        end.Run();
        giveBack(this);
    }

    public void Close()
    {
        foreach (var statement in new[]
        {
            begin, end, height, state, hash, privateValue, stateRange, privateRange, block, headerHash, transaction, history, transient, privateSets,
        })
        {
            statement.Dispose();
        }

        connection.Dispose();
    }

    internal static byte[] Bytes(string key) => Encoding.UTF8.GetBytes(key);

    private static VersionedValue? One(SqliteDataReader reader)
    {
        using (reader)
            return reader.Read() ? Value(reader) : null;
    }

    private static List<VersionedKey> Many(SqliteDataReader reader)
    {
        var rows = new List<VersionedKey>();
        using (reader)
        {
            while (reader.Read())
                rows.Add(new VersionedKey(Encoding.UTF8.GetString((byte[])reader.GetValue(4)), Value(reader)));
        }

        return rows;
    }

    private static VersionedValue Value(SqliteDataReader reader) => new(
        (byte[])reader.GetValue(0),
        reader.IsDBNull(1) ? null : (byte[])reader.GetValue(1),
        new Height((ulong)reader.GetInt64(2), (ulong)reader.GetInt64(3)));
}

/// <summary>The private writes of one transaction to one collection.</summary>
/// <param name="Place">The transaction's index in its block.</param>
/// <param name="RwSet">Bytes of <c>kvrwset.KVRWSet</c>.</param>
internal sealed record PrivateSet(int Place, string Namespace, string Collection, byte[] RwSet);
