using System.Security.Cryptography;
using System.Text;
using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.DevLedger;

public class ReadWriteSetTests
{
    [Fact]
    public void Build_CallsInAnyOrder_SameBytes()
    {
        var calls = new List<Action<ReadWriteSetBuilder>>
        {
            b => b.Read("cc", "b", new Height(1, 2)),
            b => b.Read("cc", "a", null),
            b => b.Write("cc", "z", ByteString.CopyFromUtf8("1")),
            b => b.Write("cc", "é", ByteString.CopyFromUtf8("2")),
            b => b.WriteMetadata("cc", "z", "VALIDATION_PARAMETER", ByteString.CopyFromUtf8("p")),
            b => b.ReadHashed("cc", "s", "k", new Height(3, 0)),
            b => b.WritePrivate("cc", "s", "k", ByteString.CopyFromUtf8("v"), false),
            b => b.WritePrivate("cc", "r", "k", ByteString.Empty, true),
            b => b.WritePrivateMetadata("cc", "s", "m", "VALIDATION_PARAMETER", ByteString.CopyFromUtf8("p")),
            b => b.Read("_lifecycle", "n", new Height(0, 0)),
        };
        var (expected, expectedPrivate) = Build(calls);

        calls.Reverse();
        var (actual, actualPrivate) = Build(calls);

        Assert.Equal(expected.ToByteArray(), actual.ToByteArray());
        Assert.Equal(expectedPrivate!.ToByteArray(), actualPrivate!.ToByteArray());
        Assert.Equal(["_lifecycle", "cc"], actual.NsRwset.Select(ns => ns.Namespace));
        Assert.Equal(["r", "s"], actual.NsRwset[1].CollectionHashedRwset.Select(c => c.CollectionName));
    }

    [Fact]
    public void Build_PrivateWrite_PublicSetHasHashesOnly()
    {
        var builder = new ReadWriteSetBuilder();
        builder.WritePrivate("cc", "s", "the key", ByteString.CopyFromUtf8("the value"), false);

        var (publicSet, privateSet) = builder.Build();

        var hashed = publicSet.NsRwset[0].CollectionHashedRwset[0];
        var write = HashedRWSet.Parser.ParseFrom(hashed.HashedRwset).HashedWrites[0];
        Assert.Equal(Hash("the key"), write.KeyHash.ToByteArray());
        Assert.Equal(Hash("the value"), write.ValueHash.ToByteArray());
        Assert.Equal(-1, publicSet.ToByteArray().AsSpan().IndexOf(Encoding.UTF8.GetBytes("the value")));
        Assert.Equal(SHA256.HashData(privateSet!.NsPvtRwset[0].CollectionPvtRwset[0].Rwset.Span), hashed.PvtRwsetHash.ToByteArray());
    }

    [Fact]
    public void Build_NothingPrivate_NoPrivateSet() => Assert.Null(Build([b => b.Read("cc", "a", null)]).Private);

    [Fact]
    public void Utf8Order_CharactersPastTheFirstPlane_SortAfterTheOthers()
    {
        string[] keys = ["\U0001F600", "\uFFFD", "z", "é", "", "a\0"];

        var sorted = keys.Order(Utf8Order.Instance).ToArray();

        Assert.Equal(keys.OrderBy(k => Convert.ToHexString(Encoding.UTF8.GetBytes(k)), StringComparer.Ordinal), sorted);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(50)]
    public void RangeReads_UpToFifty_KeptAsTheyAre(int count)
    {
        var info = Summarize(count);

        Assert.Equal(count, info.RawReads?.KvReads.Count ?? 0);
        Assert.Null(info.ReadsMerkleHashes);
    }

    [Fact]
    public void RangeReads_MoreThanFifty_HashesOfFiftyOneEach()
    {
        var info = Summarize(110);

        Assert.Equal(50u, info.ReadsMerkleHashes.MaxDegree);
        Assert.Equal(1u, info.ReadsMerkleHashes.MaxLevel);
        Assert.Equal(
            [HashOf(0, 51), HashOf(51, 51), HashOf(102, 8)],
            info.ReadsMerkleHashes.MaxLevelHashes.Select(h => h.ToByteArray()));
    }

    [Fact]
    public void RangeReads_MoreThanFiftyHashes_OneLevelUp()
    {
        var info = Summarize(51 * 51 + 1);

        Assert.Equal(2u, info.ReadsMerkleHashes.MaxLevel);
        var first = SHA256.HashData(Enumerable.Range(0, 51).SelectMany(i => HashOf(i * 51, 51)).ToArray());
        Assert.Equal([first, HashOf(51 * 51, 1)], info.ReadsMerkleHashes.MaxLevelHashes.Select(h => h.ToByteArray()));
    }

    private static (TxReadWriteSet Public, TxPvtReadWriteSet? Private) Build(IEnumerable<Action<ReadWriteSetBuilder>> calls)
    {
        var builder = new ReadWriteSetBuilder();
        foreach (var call in calls)
            call(builder);
        return builder.Build();
    }

    private static KVRead Read(int i) => new() { Key = $"k{i:D6}", Version = new Bridge.Ledger.Protocol.Version { BlockNum = 1, TxNum = (ulong)i } };

    private static RangeQueryInfo Summarize(int count)
    {
        var reads = new RangeReads();
        for (var i = 0; i < count; i++)
            reads.Add(Read(i));
        var info = new RangeQueryInfo();
        reads.WriteTo(info);
        return info;
    }

    private static byte[] HashOf(int from, int count)
    {
        var reads = new QueryReads();
        reads.KvReads.AddRange(Enumerable.Range(from, count).Select(Read));
        return SHA256.HashData(reads.ToByteArray());
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
