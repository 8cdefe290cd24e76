using System.Text;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Microsoft.Data.Sqlite;

namespace Bridge.FlowTests.Ledger;

/// <summary>The blocks as every member of the channel and the orderer hold them, read from the ledger's own disk.</summary>
internal static class BlockStore
{
    public static IReadOnlyList<(byte[] Bytes, CommittedBlock Block)> Read(string ledgerData)
    {
        var blocks = new List<(byte[], CommittedBlock)>();
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(ledgerData, "ledger.db"),
            Mode = SqliteOpenMode.ReadOnly,
        }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT block FROM blocks ORDER BY number";
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            var bytes = (byte[])rows[0];
            blocks.Add((bytes, new CommittedBlock(Block.Parser.ParseFrom(bytes))));
        }

        return blocks;
    }

    /// <summary>True where the text stands anywhere in the bytes, as UTF-8.</summary>
    public static bool Holds(this byte[] bytes, string text) => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0;

    /// <summary>Every opaque value a transaction shows: hashes of private keys and values, read or written, and what else is at least 16 bytes long.</summary>
    public static IEnumerable<string> PublicTraces(this CommittedTransaction transaction)
    {
        foreach (var set in transaction.ReadWriteSets)
        {
            foreach (var read in set.Public.Reads)
            {
                yield return "key " + read.Key;
            }

            foreach (var write in set.Public.Writes)
            {
                yield return "key " + write.Key;
                yield return "value " + Convert.ToHexString(write.Value.Span);
            }

            foreach (var collection in set.Collections)
            {
                foreach (var read in collection.Hashed.HashedReads)
                {
                    yield return "hash " + Convert.ToHexString(read.KeyHash.Span);
                }

                foreach (var write in collection.Hashed.HashedWrites)
                {
                    yield return "hash " + Convert.ToHexString(write.KeyHash.Span);
                    if (!write.ValueHash.IsEmpty)
                    {
                        yield return "hash " + Convert.ToHexString(write.ValueHash.Span);
                    }
                }

                foreach (var write in collection.Hashed.MetadataWrites)
                {
                    yield return "hash " + Convert.ToHexString(write.KeyHash.Span);
                }
            }
        }
    }
}
