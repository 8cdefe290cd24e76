using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Bridge.Ledger;

/// <summary>Remembers which events were handled. Who keeps state in a database stores <see cref="ChaincodeEvent.Checkpoint"/> there instead.</summary>
public interface ICheckpointer
{
    /// <summary>What to give to <see cref="EventOptions.Checkpoint"/>; null before the first.</summary>
    Checkpoint? Current { get; }

    /// <summary>All of a block is handled.</summary>
    ValueTask CheckpointBlockAsync(ulong blockNumber);

    /// <summary>A block is handled up to this transaction, itself included.</summary>
    ValueTask CheckpointTransactionAsync(ulong blockNumber, string transactionId);

    /// <summary>All up to this event is handled.</summary>
    ValueTask CheckpointChaincodeEventAsync(ChaincodeEvent handled);
}

/// <summary>Remembers while the process lives.</summary>
public sealed class InMemoryCheckpointer : ICheckpointer
{
    /// <inheritdoc/>
    public Checkpoint? Current { get; private set; }

    /// <inheritdoc/>
    public ValueTask CheckpointBlockAsync(ulong blockNumber) => Set(Checkpoint.AfterBlock(blockNumber));

    /// <inheritdoc/>
    public ValueTask CheckpointTransactionAsync(ulong blockNumber, string transactionId) => Set(new Checkpoint(blockNumber, transactionId));

    /// <inheritdoc/>
    public ValueTask CheckpointChaincodeEventAsync(ChaincodeEvent handled) => Set(handled.Checkpoint);

    private ValueTask Set(Checkpoint checkpoint)
    {
        Current = checkpoint;
        return ValueTask.CompletedTask;
    }
}

/// <summary>
/// Remembers in a file. When a method returns, the checkpoint is on the disk: written beside, flushed, put in place at once, and the
/// directory flushed too. A crash leaves the old or the new checkpoint, never half of one. One process at a time.
/// </summary>
public sealed class FileCheckpointer : ICheckpointer
{
    private readonly string path;

    private FileCheckpointer(string path, Checkpoint? current)
    {
        this.path = path;
        Current = current;
    }

    /// <inheritdoc/>
    public Checkpoint? Current { get; private set; }

    /// <summary>Reads the file where it exists.</summary>
    /// <exception cref="InvalidDataException">The file exists and holds no checkpoint: going on from nothing would repeat all events.</exception>
    public static FileCheckpointer Open(string path)
    {
        var full = Path.GetFullPath(path);
        if (!File.Exists(full))
            return new FileCheckpointer(full, null);
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(full));
            var block = ulong.Parse(document.RootElement.GetProperty("blockNumber").GetString()!, NumberStyles.None, CultureInfo.InvariantCulture);
            var transaction = document.RootElement.TryGetProperty("transactionId", out var id) ? id.GetString() : null;
            return new FileCheckpointer(full, new Checkpoint(block, transaction));
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or FormatException or OverflowException
            or InvalidOperationException or ArgumentNullException)
        {
            throw new InvalidDataException(
                $"{full} is not a checkpoint ({exception.Message}); restore it, or remove it to read all events again", exception);
        }
    }

    /// <inheritdoc/>
    public ValueTask CheckpointBlockAsync(ulong blockNumber) => SaveAsync(Checkpoint.AfterBlock(blockNumber));

    /// <inheritdoc/>
    public ValueTask CheckpointTransactionAsync(ulong blockNumber, string transactionId) => SaveAsync(new Checkpoint(blockNumber, transactionId));

    /// <inheritdoc/>
    public ValueTask CheckpointChaincodeEventAsync(ChaincodeEvent handled) => SaveAsync(handled.Checkpoint);

    private async ValueTask SaveAsync(Checkpoint checkpoint)
    {
        // a block number may exceed what a JSON reader keeps exactly
        var number = checkpoint.BlockNumber.ToString(CultureInfo.InvariantCulture);
        var json = checkpoint.TransactionId is { } id
            ? JsonSerializer.SerializeToUtf8Bytes(new { blockNumber = number, transactionId = id })
            : JsonSerializer.SerializeToUtf8Bytes(new { blockNumber = number });
        var beside = path + ".new";
        await using (var file = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            await file.WriteAsync(json);
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
        DirectoryFlush.Flush(Path.GetDirectoryName(path)!);
        Current = checkpoint;
    }
}

/// <summary>Makes a rename durable: on Unix it lives in the directory, which the platform's classes cannot open.</summary>
internal static class DirectoryFlush
{
    public static void Flush(string directory)
    {
        if (OperatingSystem.IsWindows())
            return;
        const int readOnly = 0;
        var descriptor = Open(directory, readOnly);
        if (descriptor < 0)
            throw new IOException($"cannot open directory {directory}: {Marshal.GetLastPInvokeErrorMessage()}");
        try
        {
            if (Sync(descriptor) < 0)
                throw new IOException($"cannot flush directory {directory}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sync(int descriptor);

    [DllImport("libc", EntryPoint = "close", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int descriptor);
}
