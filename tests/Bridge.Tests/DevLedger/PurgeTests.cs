using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.DevLedger;

public sealed class PurgeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-purge-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Commit_Purge_NoFileOfTheDirectoryHoldsTheValue()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var store = LedgerStore.Open(folder);
        var value = Encoding.UTF8.GetBytes("a value that must go " + Guid.NewGuid());
        await store.CommitAsync(Write(0, "k", value));
        Assert.True(Holds(value));

        await store.CommitAsync(Purge(1, "k"));

        using (var snapshot = await store.OpenSnapshotAsync(ct))
        {
            Assert.Null(snapshot.GetPrivate("AMSP", "cc", "s", "k"));
            Assert.Empty(snapshot.GetPrivateSets(0, "AMSP"));
        }

        var from = Stopwatch.GetTimestamp();
        while (Holds(value))
        {
            Assert.True(Stopwatch.GetElapsedTime(from) < TimeSpan.FromSeconds(30), "the value is still on the disk");
            await Task.Delay(20, ct);
        }
    }

    private bool Holds(byte[] value) => Directory.GetFiles(folder, "ledger.db*").Any(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray().AsSpan().IndexOf(value) >= 0;
    });

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private static BlockCommit Write(ulong number, string key, byte[] value)
    {
        var set = new KVRWSet();
        set.Writes.Add(new KVWrite { Key = key, Value = ByteString.CopyFrom(value) });
        return Commit(
            number,
            [new PrivateWrite("AMSP", "cc", "s", key, Hash(key), value, false, new Height(number, 0))],
            [("AMSP", new PrivateSet(0, "cc", "s", set.ToByteArray()), [Hash(key)])],
            []);
    }

    private static BlockCommit Purge(ulong number, string key) => Commit(number, [], [], [("cc", "s", Hash(key), new Height(number, 0))]);

    private static BlockCommit Commit(
        ulong number, IReadOnlyList<PrivateWrite> writes, IReadOnlyList<(string, PrivateSet, IReadOnlyList<byte[]>)> sets,
        IReadOnlyList<(string, string, byte[], Height)> purges) => new()
        {
            Block = BlockFormat.NewBlock(number, [], []),
            HeaderHash = [],
            Transactions = [],
            State = [],
            History = [],
            Hashes = [],
            Private = writes,
            PrivateSets = sets,
            Purges = purges,
            Expiries = [],
            PendingRows = [],
        };
}
