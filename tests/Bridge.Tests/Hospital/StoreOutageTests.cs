using System.Data.Common;
using System.Diagnostics;
using System.Globalization;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using MySql.Data.MySqlClient;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>A database that goes away, is killed or fills up, under writers that go on trying as the stages do.</summary>
public class StoreOutageTests
{
    private const string Table = "CREATE TABLE line (patient VARCHAR(20) NOT NULL, n BIGINT NOT NULL, filler TEXT NULL, PRIMARY KEY (patient, n))";

    [Fact]
    public async Task Server_KilledUnderWriters_LosesNothingAndOrderHolds()
    {
        await using var server = await MariaDbServer.StartAsync();
        using var database = new Database(Dialect.MySql, await server.NewDatabaseAsync());
        await PrepareAsync(database);
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 4).Select(i => Task.Run(() => WriteInOrderAsync(database, $"p{i}", stop.Token))).ToArray();
        for (var i = 0; i < 3; i++)
        {
            await UntilGrownAsync(database);
            await server.KillAsync();
            await UntilAsync("the fault to show", () => Task.FromResult(database.LastWriteFault is not null));
            Assert.DoesNotContain("INSERT", Faults.Describe(database.LastWriteFault!), StringComparison.Ordinal);
            await server.RunAsync();
        }
        await UntilGrownAsync(database);

        await CheckAsync(database, await StopAsync(writers, stop));
        Assert.Null(database.LastWriteFault);
    }

    [Fact]
    public async Task Server_RestartedBehindThePool_IsNotNoticed()
    {
        await using var server = await MariaDbServer.StartAsync();
        using var database = new Database(Dialect.MySql, await server.NewDatabaseAsync());
        await PrepareAsync(database);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => database.ReadAsync(work => work.ScalarAsync<long>("SELECT SLEEP(0.05)"), TestContext.Current.CancellationToken)));

        await server.StopAsync();
        await server.RunAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM line"), TestContext.Current.CancellationToken)));
        await database.WriteAsync(work => work.RunAsync("INSERT INTO line (patient, n) VALUES ('p', 1)"), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Connection_KilledByTheServer_IsReplaced()
    {
        await using var store = await TestStore.CreateAsync(Engine.MariaDb);
        var id = await store.ReadAsync(work => work.ScalarAsync<long>("SELECT CONNECTION_ID()"));
        await (await MariaDbServer.SharedAsync()).ExecuteAsync($"KILL {id}");

        await store.WriteAsync(work => Bookmarks.WriteAsync(work, "x", "1", TestStore.Now));

        Assert.Equal("1", await store.ReadAsync(work => Bookmarks.ReadAsync(work, "x")));
    }

    [Fact]
    public async Task Deadlock_BetweenTwoSessions_IsRunAgain()
    {
        await using var store = await TestStore.CreateAsync(Engine.MariaDb);
        foreach (var name in (string[])["a", "b"])
            await store.WriteAsync(work => Bookmarks.WriteAsync(work, name, "0", TestStore.Now));
        // Somebody outside the line, an administrator's tool for instance.
        await using var other = new MySqlConnection(store.ConnectionString);
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await using var transaction = await other.BeginTransactionAsync(TestContext.Current.CancellationToken);
        async Task RunAsync(string sql)
        {
            await using var command = new MySqlCommand(sql, other, transaction);
            await command.ExecuteNonQueryAsync();
        }
        // The one who changed more is spared; ours is the victim.
        await RunAsync("INSERT INTO bookmark (name, content, updated_at) SELECT CONCAT('x', seq), '', 0 FROM seq_1_to_200");
        await RunAsync("UPDATE bookmark SET content = '1' WHERE name = 'b'");
        var tries = 0;
        var holdsA = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ours = store.WriteAsync(async work =>
        {
            tries++;
            await work.RunAsync("UPDATE bookmark SET content = CONCAT(content, '+') WHERE name = 'a'");
            holdsA.TrySetResult();
            return await work.RunAsync("UPDATE bookmark SET content = CONCAT(content, '+') WHERE name = 'b'");
        });
        // From here on each wants what the other holds, whoever asks first.
        await holdsA.Task.WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken);

        await RunAsync("UPDATE bookmark SET content = '1' WHERE name = 'a'");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);
        await ours;

        Assert.Equal(2, tries);
        Assert.Equal("1+1+", await store.ReadAsync(async work => await Bookmarks.ReadAsync(work, "a") + await Bookmarks.ReadAsync(work, "b")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Disk_Full_IsToldAndPassesWhenThereIsRoom(Engine engine)
    {
        Assert.SkipUnless(CanMount(), "a file system of its own cannot be mounted here: this needs root");
        await using var disk = await SmallDisk.MountAsync(engine == Engine.Sqlite ? 8 : 250);
        await using var server = engine == Engine.Sqlite ? null : await MariaDbServer.StartAsync(Path.Combine(disk.Path, "data"));
        using var database = server is null
            ? new Database(Dialect.Sqlite, Database.ForFile(Path.Combine(disk.Path, "hospital.db")))
            : new Database(Dialect.MySql, await server.NewDatabaseAsync());
        await PrepareAsync(database);
        using var stop = new CancellationTokenSource();
        // Large rows until the disk is full, small ones after: else writers of their own speed could fill again what MakeRoom gives, before anybody has counted.
        var filler = 20_000;
        var writers = Enumerable.Range(0, 2).Select(i => Task.Run(() => WriteInOrderAsync(database, $"p{i}", stop.Token, () => Volatile.Read(ref filler)))).ToArray();
        await UntilGrownAsync(database);
        disk.Fill();

        await UntilAsync("the full disk to show", () => Task.FromResult(database.LastWriteFault is not null));

        // MariaDB ends itself where there is no room even to roll back; what runs it as a service starts it again.
        Assert.Matches(server is null ? "the disk is full" : "its disk may be full|went away|cannot be reached", Faults.Describe(database.LastWriteFault!));
        if (server is null)
            Assert.True(await database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM line"), TestContext.Current.CancellationToken) > 0);
        Volatile.Write(ref filler, 10);
        disk.MakeRoom();
        if (server is not null)
            await server.ReviveAsync();
        await UntilGrownAsync(database);
        await CheckAsync(database, await StopAsync(writers, stop));
    }

    private static async Task PrepareAsync(Database database)
    {
        await Migrator.ApplyAsync(database, Migrator.Shipped(database.Dialect), TestStore.Now, cancellationToken: TestContext.Current.CancellationToken);
        await database.WriteAsync(work => work.RunAsync(Table), TestContext.Current.CancellationToken);
    }

    // One patient's lines in order, each tried until it is stored; what was told stored is counted.
    private static async Task<long> WriteInOrderAsync(Database database, string patient, CancellationToken stop, Func<int>? filler = null)
    {
        long told = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                told = await database.WriteAsync(async work =>
                {
                    var next = 1 + (await work.ScalarAsync<long?>("SELECT MAX(n) FROM line WHERE patient = @patient", new { patient }) ?? 0);
                    await work.RunAsync("INSERT INTO line (patient, n, filler) VALUES (@patient, @next, @filler)", new { patient, next, filler = new string('x', filler?.Invoke() ?? 10) });
                    return next;
                }, CancellationToken.None);
            }
            catch (DbException)
            {
                await Task.Delay(50, CancellationToken.None);
            }
        }
        return told;
    }

    private static async Task<long[]> StopAsync(Task<long>[] writers, CancellationTokenSource stop)
    {
        await stop.CancelAsync();
        return await Task.WhenAll(writers);
    }

    // Every patient's lines are 1, 2, 3 … without a gap, and none that was told stored is missing.
    private static async Task CheckAsync(Database database, long[] told)
    {
        for (var i = 0; i < told.Length; i++)
        {
            var (count, last) = await database.ReadAsync(async work => (
                await work.ScalarAsync<long>("SELECT COUNT(*) FROM line WHERE patient = @patient", new { patient = $"p{i}" }),
                await work.ScalarAsync<long>("SELECT MAX(n) FROM line WHERE patient = @patient", new { patient = $"p{i}" })), TestContext.Current.CancellationToken);
            Assert.Equal(last, count);
            Assert.True(count >= told[i], $"{told[i]} told, {count} stored");
        }
    }

    private static async Task UntilGrownAsync(Database database)
    {
        Task<long> CountAsync() => database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM line"));
        long? from = null;
        await UntilAsync("writers to go on", async () =>
        {
            try
            {
                from ??= await CountAsync();
                return await CountAsync() > from + 5;
            }
            catch (DbException)
            {
                return false;
            }
        });
    }

    private static async Task UntilAsync(string what, Func<Task<bool>> isSo)
    {
        var end = DateTime.UtcNow.AddSeconds(150);
        while (!await isSo())
        {
            Assert.True(DateTime.UtcNow < end, $"waited a minute for {what}");
            await Task.Delay(20);
        }
    }

    private static bool CanMount() => OperatingSystem.IsLinux() && Environment.UserName == "root";

    /// <summary>A file system in memory of a few megabytes.</summary>
    private sealed class SmallDisk(string path) : IAsyncDisposable
    {
        public string Path => path;

        // However fast the writers were, this much is there once room is made.
        private const int Reserve = 8;

        private string Ballast => System.IO.Path.Combine(path, "ballast");

        public static async Task<SmallDisk> MountAsync(int megabytes)
        {
            var path = Directory.CreateTempSubdirectory("bridge-disk-").FullName;
            await RunAsync("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={megabytes + Reserve}m"), "tmpfs", path);
            var disk = new SmallDisk(path);
            await File.WriteAllBytesAsync(disk.Ballast, new byte[Reserve << 20]);
            return disk;
        }

        /// <summary>Takes what is left.</summary>
        public void Fill()
        {
            using var ballast = new FileStream(Ballast, FileMode.Append);
            try
            {
                while (true)
                {
                    ballast.Write(new byte[4096]);
                    ballast.Flush();
                }
            }
            catch (IOException)
            {
                // full
            }
        }

        public void MakeRoom() => File.Delete(Ballast);

        public async ValueTask DisposeAsync()
        {
            await RunAsync("umount", "-l", path);
            Directory.Delete(path);
        }

        private static async Task RunAsync(string program, params string[] arguments)
        {
            using var process = Process.Start(program, arguments);
            await process.WaitForExitAsync();
            Assert.Equal(0, process.ExitCode);
        }
    }
}
