using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace Bridge.DevLedger.Storage;

/// <summary>
/// Blocks, state, private data and the queue of one data directory. All writes go through one thread, which commits what has gathered in one
/// database transaction: a write's task completes when it is on the disk. Reads are snapshots.
/// </summary>
internal sealed class LedgerStore : IAsyncDisposable
{
    private const int MaxSnapshots = 64;
    private const int MaxGroup = 256;
    private const long LargeLog = 64 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PauseBetweenAttempts = TimeSpan.FromSeconds(1);

    private readonly string path;
    private readonly FileStream guard;
    private readonly SqliteConnection connection;
    private readonly BlockWriter writer;
    private readonly Channel<Job> jobs = Channel.CreateUnbounded<Job>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Thread thread;
    private readonly SemaphoreSlim snapshots = new(MaxSnapshots);
    private readonly ConcurrentBag<Snapshot> idle = [];
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private long lastAttempt;

    private LedgerStore(string path, FileStream guard, SqliteConnection connection)
    {
        this.path = path;
        this.guard = guard;
        this.connection = connection;
        writer = new BlockWriter(connection);
        thread = new Thread(Work) { IsBackground = true, Name = "dev ledger writer" };
        thread.Start();
    }

    /// <exception cref="IOException">Another process has the directory open.</exception>
    public static LedgerStore Open(string directory)
    {
        Directory.CreateDirectory(directory);
        FileStream guard;
        try
        {
            guard = new FileStream(Path.Combine(directory, "ledger.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException(
                $"The data directory {directory} is in use by another dev ledger: stop that one, or give this one a directory of its own.", e);
        }

        try
        {
            var path = Path.Combine(directory, "ledger.db");
            var connection = Connect(path, SqliteOpenMode.ReadWriteCreate);
            Schema.Configure(connection);
            Schema.Create(connection);
            return new LedgerStore(path, guard, connection);
        }
        catch
        {
            guard.Dispose();
            throw;
        }
    }

    /// <summary>Waits while many snapshots are open.</summary>
    public async Task<Snapshot> OpenSnapshotAsync(CancellationToken ct)
    {
        await snapshots.WaitAsync(ct);
        try
        {
            if (!idle.TryTake(out var snapshot))
                snapshot = new Snapshot(Connect(path, SqliteOpenMode.ReadOnly), GiveBack);
            snapshot.Begin();
            return snapshot;
        }
        catch
        {
            snapshots.Release();
            throw;
        }
    }

    /// <summary>Completes when the block and all its changes are on the disk.</summary>
    public Task CommitAsync(BlockCommit commit) => WriteAsync(w => w.Commit(commit), null);

    /// <summary>Keeps a private write set until its transaction stands in a block.</summary>
    public Task AddTransientAsync(string txId, byte[] rwset, ulong height) => WriteAsync(w => w.AddTransient(txId, rwset, height), null);

    /// <summary>Queues an envelope. <paramref name="queued"/> is called with its row in the order of the queue, when it is on the disk.</summary>
    public Task AddPendingAsync(byte[] envelope, Action<long> queued)
    {
        long row = 0;
        return WriteAsync(w => row = w.AddPending(envelope), () => queued(row));
    }

    /// <summary>What was queued and had not come into a block when the process ended, in order.</summary>
    public async Task<IReadOnlyList<(long Row, byte[] Envelope)>> ReadPendingAsync()
    {
        var rows = new List<(long, byte[])>();
        await WriteAsync(
            _ =>
            {
                using var statement = new Statement(connection, "SELECT seq, envelope FROM pending ORDER BY seq", 0);
                using var reader = statement.Query();
                while (reader.Read())
                    rows.Add((reader.GetInt64(0), (byte[])reader.GetValue(1)));
            },
            null);
        return rows;
    }

    public async Task<byte[]?> ReadFactAsync(string name)
    {
        byte[]? value = null;
        await WriteAsync(
            _ =>
            {
                using var statement = new Statement(connection, "SELECT value FROM facts WHERE name = $0", 1);
                value = statement.Scalar(name) as byte[];
            },
            null);
        return value;
    }

    public async ValueTask DisposeAsync()
    {
        jobs.Writer.TryComplete();
        await stopped.Task;
        for (var i = 0; i < MaxSnapshots; i++)
            await snapshots.WaitAsync();
        while (idle.TryTake(out var snapshot))
            snapshot.Close();
        writer.Dispose();
        connection.Dispose();
        snapshots.Dispose();
        await guard.DisposeAsync();
    }

    private static SqliteConnection Connect(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString());
        connection.Open();
        if (mode == SqliteOpenMode.ReadOnly)
            Schema.Run(connection, "PRAGMA busy_timeout = 30000");
        return connection;
    }

    private void GiveBack(Snapshot snapshot)
    {
        idle.Add(snapshot);
        snapshots.Release();
    }

    private async Task WriteAsync(Action<BlockWriter> apply, Action? committed)
    {
        var job = new Job(apply, committed);
        if (!jobs.Writer.TryWrite(job))
            throw new ObjectDisposedException(nameof(LedgerStore), "The dev ledger is stopping.");
        await job.Done.Task;
    }

    private void Work()
    {
        var group = new List<Job>();
        while (WaitForJobs())
        {
            group.Clear();
            while (group.Count < MaxGroup && jobs.Reader.TryRead(out var job))
                group.Add(job);
            try
            {
                Schema.Run(connection, "BEGIN IMMEDIATE");
                foreach (var job in group)
                    job.Apply(writer);
                Schema.Run(connection, "COMMIT");
            }
            catch (Exception e)
            {
                TryRollback();
                foreach (var job in group)
                    job.Done.TrySetException(new IOException($"The dev ledger could not write to {path}: {e.Message}", e));
                continue;
            }

            foreach (var job in group)
            {
                job.Committed?.Invoke();
                job.Done.TrySetResult();
            }

            ShortenLog();
        }

        stopped.TrySetResult();
    }

    private bool WaitForJobs()
    {
        var more = jobs.Reader.WaitToReadAsync().AsTask();
        while (writer.HasPurged && !more.Wait(PauseBetweenAttempts))
            ShortenLog();
        return more.GetAwaiter().GetResult();
    }

    private void TryRollback()
    {
        try
        {
            Schema.Run(connection, "ROLLBACK");
        }
        catch (SqliteException)
        {
            // the engine has rolled back already
        }
    }

    // SQLite starts its log anew only while nobody reads from it; under a steady load of readers that moment never comes by itself. After a
    // purge the log must go soon: until then it holds what the file has forgotten. No simulation may hold up the writer for long, though.
    private void ShortenLog()
    {
        var log = new FileInfo(path + "-wal");
        if ((!writer.HasPurged && (!log.Exists || log.Length < LargeLog)) || Stopwatch.GetElapsedTime(lastAttempt) < PauseBetweenAttempts)
            return;
        lastAttempt = Stopwatch.GetTimestamp();
        var held = 0;
        for (var left = Patience; held < MaxSnapshots && left >= TimeSpan.Zero && snapshots.Wait(left); left = Patience - Stopwatch.GetElapsedTime(lastAttempt))
            held++;
        try
        {
            if (held < MaxSnapshots)
                return;
            Schema.Run(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
            writer.HasPurged = false;
        }
        finally
        {
            if (held > 0)
                snapshots.Release(held);
        }
    }

    private sealed record Job(Action<BlockWriter> Apply, Action? Committed)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
