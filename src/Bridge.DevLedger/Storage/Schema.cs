using Microsoft.Data.Sqlite;

namespace Bridge.DevLedger.Storage;

/// <summary>The one database file of a data directory.</summary>
internal static class Schema
{
    private const long Version = 1;

    // Keys are BLOBs (UTF-8): ranges must run in byte order, as Fabric's do.
    private const string Tables = """
        CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS blocks(number INTEGER PRIMARY KEY, header_hash BLOB NOT NULL, block BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS transactions(
          txid TEXT PRIMARY KEY, block INTEGER NOT NULL, place INTEGER NOT NULL, code INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS state(
          ns TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, metadata BLOB, block INTEGER NOT NULL, place INTEGER NOT NULL,
          PRIMARY KEY(ns, key)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS hashes(
          ns TEXT NOT NULL, collection TEXT NOT NULL, key_hash BLOB NOT NULL, value_hash BLOB NOT NULL, metadata BLOB,
          block INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(ns, collection, key_hash)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS private(
          org TEXT NOT NULL, ns TEXT NOT NULL, collection TEXT NOT NULL, key BLOB NOT NULL, key_hash BLOB NOT NULL, value BLOB NOT NULL,
          block INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(org, ns, collection, key)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS private_by_hash ON private(ns, collection, key_hash);
        CREATE TABLE IF NOT EXISTS private_sets(
          org TEXT NOT NULL, block INTEGER NOT NULL, place INTEGER NOT NULL, ns TEXT NOT NULL, collection TEXT NOT NULL, rwset BLOB NOT NULL,
          PRIMARY KEY(block, place, ns, collection, org)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS private_set_keys(
          ns TEXT NOT NULL, collection TEXT NOT NULL, key_hash BLOB NOT NULL, block INTEGER NOT NULL, place INTEGER NOT NULL,
          PRIMARY KEY(ns, collection, key_hash, block, place)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS history(
          ns TEXT NOT NULL, key BLOB NOT NULL, block INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(ns, key, block, place)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS transient(
          txid TEXT NOT NULL, digest BLOB NOT NULL, rwset BLOB NOT NULL, height INTEGER NOT NULL, PRIMARY KEY(txid, digest)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS pending(seq INTEGER PRIMARY KEY AUTOINCREMENT, envelope BLOB NOT NULL);
        """;

    public static void Create(SqliteConnection connection)
    {
        var version = (long)Scalar(connection, "PRAGMA user_version")!;
        if (version is not (0 or Version))
        {
            throw new InvalidOperationException(
                $"The data directory was written by another version of the dev ledger (format {version}, this one reads {Version}): start it with an empty one.");
        }

        Run(connection, Tables);
        Run(connection, $"PRAGMA user_version = {Version}");
    }

    /// <summary>
    /// FULL: what is acknowledged outlives a power failure too. secure_delete: purged private values are overwritten in the file.
    /// </summary>
    public static void Configure(SqliteConnection connection)
    {
        Run(connection, "PRAGMA journal_mode = WAL");
        Run(connection, "PRAGMA synchronous = FULL");
        Run(connection, "PRAGMA secure_delete = ON");
        Run(connection, "PRAGMA busy_timeout = 30000");
    }

    public static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // constants of this folder only
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }
}
