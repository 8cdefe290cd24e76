using Bridge.Ledger;
using Xunit;

namespace Bridge.Tests.Ledger;

public sealed class CheckpointerTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("bridge-checkpoint-");

    private string File1 => Path.Combine(folder.FullName, "checkpoint.json");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public async Task File_EveryKind_IsReadBackByTheNext()
    {
        var checkpointer = FileCheckpointer.Open(File1);
        Assert.Null(checkpointer.Current);

        await checkpointer.CheckpointTransactionAsync(ulong.MaxValue, "t");
        Assert.Equal(new Checkpoint(ulong.MaxValue, "t"), FileCheckpointer.Open(File1).Current);
        await checkpointer.CheckpointChaincodeEventAsync(new ChaincodeEvent(7, "u", "c", "e", default));
        Assert.Equal(new Checkpoint(7, "u"), FileCheckpointer.Open(File1).Current);
        await checkpointer.CheckpointBlockAsync(7);
        Assert.Equal(new Checkpoint(8), FileCheckpointer.Open(File1).Current);
        Assert.Equal(checkpointer.Current, FileCheckpointer.Open(File1).Current);
        Assert.Equal("checkpoint.json", Assert.Single(folder.GetFiles()).Name);
    }

    [Fact]
    public async Task File_CrashWhileWriting_LeavesTheOldOne()
    {
        var checkpointer = FileCheckpointer.Open(File1);
        await checkpointer.CheckpointTransactionAsync(1, "t");
        await File.WriteAllTextAsync(File1 + ".new", "{\"blockNum", TestContext.Current.CancellationToken);

        var again = FileCheckpointer.Open(File1);
        Assert.Equal(new Checkpoint(1, "t"), again.Current);
        await again.CheckpointBlockAsync(1);
        Assert.Equal(new Checkpoint(2), FileCheckpointer.Open(File1).Current);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"blockNumber\":\"-1\"}")]
    [InlineData("{\"blockNumber\":null}")]
    [InlineData("{\"blockNumber\":7}")]
    public void File_NotACheckpoint_IsNotTakenForNone(string content)
    {
        File.WriteAllText(File1, content);

        Assert.Contains(File1, Assert.Throws<InvalidDataException>(() => FileCheckpointer.Open(File1)).Message);
    }

    [Fact]
    public async Task File_CannotBeWritten_ThrowsAndKeepsTheOld()
    {
        var checkpointer = FileCheckpointer.Open(Path.Combine(folder.FullName, "gone", "checkpoint.json"));

        await Assert.ThrowsAsync<DirectoryNotFoundException>(() => checkpointer.CheckpointBlockAsync(1).AsTask());

        Assert.Null(checkpointer.Current);
    }

    [Fact]
    public async Task InMemory_Remembers()
    {
        var checkpointer = new InMemoryCheckpointer();
        Assert.Null(checkpointer.Current);
        await checkpointer.CheckpointTransactionAsync(3, "t");
        Assert.Equal(new Checkpoint(3, "t"), checkpointer.Current);
        await checkpointer.CheckpointBlockAsync(3);
        Assert.Equal(new Checkpoint(4), checkpointer.Current);
    }
}
