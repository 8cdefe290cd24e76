using Bridge.Hospital.Checking;
using Bridge.Hospital.Store;
using Microsoft.Data.Sqlite;
using MySql.Data.MySqlClient;
using Xunit;

namespace Bridge.Tests.Hospital.Checking;

/// <summary>The check's part about the database, on real ones.</summary>
public class DatabaseCheckTests
{
    [Theory]
    [OnBothEngines]
    public async Task Run_DatabaseInUse_IsGood(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        if (engine == Engine.Sqlite)
            Let(FileOf(store), UnixFileMode.UserRead | UnixFileMode.UserWrite);

        var report = await CheckAsync(store);

        // The tests' server forgoes what only a power cut needs, and is on this machine; the check says both.
        Assert.Equal(engine == Engine.Sqlite ? [] : ["durability"], report.Lines.Where(line => line.State is CheckState.Fault or CheckState.NotTried).Select(line => line.Name));
        report.Only("schema", CheckState.Good);
        report.Only("engine", CheckState.Good);
        if (engine == Engine.MariaDb)
        {
            Assert.Contains("innodb_flush_log_at_trx_commit is 2", report.Only("durability").Says, StringComparison.Ordinal);
            report.Only("database", CheckState.Good);
            report.Only("privileges", CheckState.Good);
            report.Only("TLS", CheckState.Warning);
        }
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_SchemaOfAnotherVersion_SaysWhichAndWhatToDo(Engine engine)
    {
        await using (var store = await TestStore.CreateAsync(engine, migrated: false))
        {
            if (engine == Engine.Sqlite)
                DatabaseFile.Prepare(FileOf(store));
            Assert.Contains("empty", (await CheckAsync(store)).Only("schema", CheckState.Warning).Says, StringComparison.Ordinal);
            await store.MigrateAsync([.. store.Shipped.Take(2)]);
            var older = (await CheckAsync(store)).Only("schema", CheckState.Warning);
            Assert.Equal($"{store.Shipped.Count - 2} migrations of {store.Shipped.Count} are not applied yet", older.Says);
            Assert.Contains("Back up", older.Cure, StringComparison.Ordinal);
            await store.MigrateAsync(store.Shipped);

            await store.WriteAsync(work => work.RunAsync("UPDATE schema_migration SET checksum = 'another' WHERE number = 2"));
            Assert.StartsWith(store.Shipped[1].Name, (await CheckAsync(store)).Only("schema", CheckState.Fault).Says, StringComparison.Ordinal);
            await store.WriteAsync(work => work.RunAsync("INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (990, '0990_later', 'x', 0)"));
            var newer = (await CheckAsync(store)).Only("schema", CheckState.Fault);
            Assert.Equal($"number 990, this program knows {store.Shipped[^1].Number}", newer.Says);
            Assert.Contains("newer program", newer.Cure, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Run_SqliteFile_ReadableByOthersDamagedOrNone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "file modes are Unix'");
        await using var store = await TestStore.CreateAsync(Engine.Sqlite);
        var file = FileOf(store);
        Let(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        var open = (await CheckAsync(store)).Only("file", CheckState.Fault);
        Assert.Contains("mode 640", open.Says, StringComparison.Ordinal);
        Assert.StartsWith($"chmod 600 {file}", open.Cure, StringComparison.Ordinal);

        Let(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var copy = file + ".copy";
        await store.WriteAsync(async work =>
        {
            for (var i = 0; i < 200; i++)
                await Bookmarks.WriteAsync(work, $"b{i}", new string('x', 500), TestStore.Now);
        });
        await store.ReadAsync(work => work.ScalarAsync<long>("PRAGMA wal_checkpoint(TRUNCATE)"));
        // What a backup of the running file makes is not in WAL, and is looked at all the same.
        await store.ReadAsync(work => work.ScalarAsync<string>($"VACUUM INTO '{file}.backup'"));
        Let(file + ".backup", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.False((await CheckAsync(file + ".backup")).HasFaults);
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        // A page in the middle that a disk has lost.
        Array.Fill(bytes, (byte)0x5a, bytes.Length / 4096 / 2 * 4096, 3 * 4096);
        await File.WriteAllBytesAsync(copy, bytes, TestContext.Current.CancellationToken);
        Let(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var damaged = await CheckAsync(copy);
        Assert.True(damaged.HasFaults, damaged.Text());
        Assert.Contains(damaged.Lines, line => line.State == CheckState.Fault && line.Cure!.Contains("last good backup", StringComparison.Ordinal));

        copy += ".txt";
        await File.WriteAllTextAsync(copy, "this is no database at all, whatever its name may say to those who trust names", TestContext.Current.CancellationToken);
        Let(copy, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var other = await CheckAsync(copy);
        Assert.Contains("not a database", other.Only("file", CheckState.Fault).Says, StringComparison.Ordinal);
        other.Only("schema", CheckState.NotTried);

        File.Delete(copy);
        Assert.Contains("does not exist yet", (await CheckAsync(copy)).Only("file", CheckState.Warning).Says, StringComparison.Ordinal);
        Assert.Contains("Make the folder", (await CheckAsync(Path.Combine(file + ".d", "hospital.db"))).Only("file", CheckState.Warning).Cure, StringComparison.Ordinal);
        SqliteConnection.ClearAllPools();
    }

    [Fact]
    public async Task Run_ServerThatCannotBeUsed_SaysWhyAndShowsNoSecret()
    {
        var server = await MariaDbServer.SharedAsync();
        var database = new MySqlConnectionStringBuilder(await server.NewDatabaseAsync()).Database;
        await server.ExecuteAsync($"CREATE OR REPLACE USER 'checker' IDENTIFIED BY 'right'; GRANT SELECT, INSERT ON {database}.* TO 'checker'; GRANT ALL PRIVILEGES ON elsewhere.* TO 'checker'");
        string To(string user, string password, string name, int? port = null) =>
            $"Server=127.0.0.1;Port={port ?? server.Port};User ID={user};Password={password};Database={name};SslMode=None;Pooling=false";

        var nobody = await CheckServerAsync(To("checker", "canary", database, Sandbox.Processes.Ports.Free()));
        Assert.Contains("cannot be reached", nobody.Only("server", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("Database:ConnectionString", nobody.Only("server").Cure, StringComparison.Ordinal);
        nobody.Only("schema", CheckState.NotTried);
        var stranger = await CheckServerAsync(To("checker", "canary", database));
        Assert.Contains("1045", stranger.Only("server", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", nobody.Text() + stranger.Text(), StringComparison.Ordinal);
        var elsewhere = await CheckServerAsync(To("root", "", "no_such_database"));
        Assert.Contains("no_such_database", elsewhere.Only("server", CheckState.Fault).Says, StringComparison.Ordinal);

        // Rights on another database help nobody here.
        var poor = await CheckServerAsync(To("checker", "right", database));
        Assert.Equal("lacking UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER", poor.Only("privileges", CheckState.Fault).Says);
        poor.Only("schema", CheckState.Warning);
        await server.ExecuteAsync($"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER ON {database}.* TO 'checker'");
        await server.ExecuteAsync($"ALTER DATABASE {database} CHARACTER SET latin1 COLLATE latin1_bin");
        var enough = await CheckServerAsync(To("checker", "right", database));
        enough.Only("privileges", CheckState.Good);
        Assert.StartsWith("latin1", enough.Only("character set", CheckState.Fault).Says, StringComparison.Ordinal);
        Assert.Contains("utf8mb4", enough.Only("character set").Cure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`", 0)]
    [InlineData("GRANT ALL PRIVILEGES ON `bridge`.* TO `b`@`%`", 0)]
    [InlineData(@"GRANT ALL PRIVILEGES ON `bridge\_a`.* TO `b`@`%`", 10)]
    [InlineData("GRANT ALL PRIVILEGES ON `bridg_`.* TO `b`@`%`", 0)]
    [InlineData("GRANT ALL PRIVILEGES ON `br%`.* TO `b`@`%`", 0)]
    [InlineData("GRANT ALL PRIVILEGES ON `bridge_test`.* TO `b`@`%`", 10)]
    [InlineData("GRANT ALL PRIVILEGES ON `bridge`.`summary` TO `b`@`%`", 10)]
    [InlineData("GRANT SELECT, CREATE VIEW, SHOW VIEW ON `bridge`.* TO `b`@`%`", 9)]
    [InlineData("GRANT `role`@`%` TO `b`@`%`", 10)]
    [InlineData("GRANT USAGE ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD 'x'", 10)]
    public void Lacking_Grant_CountsForItsDatabaseOnly(string grant, int lacking) => Assert.Equal(lacking, DatabaseCheck.Lacking([grant], "bridge").Count);

    private static void Let(string file, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, mode);
    }

    private static string FileOf(TestStore store) => new SqliteConnectionStringBuilder(store.ConnectionString).DataSource;

    private static Task<CheckReport> CheckAsync(TestStore store) => store.Dialect == Dialect.Sqlite ? CheckAsync(FileOf(store)) : CheckServerAsync(store.ConnectionString);

    private static Task<CheckReport> CheckAsync(string file) => CheckAsync(new StoreOptions(Dialect.Sqlite, file, Database.ForFile(file), TimeSpan.FromSeconds(30)));

    private static Task<CheckReport> CheckServerAsync(string connection) => CheckAsync(new StoreOptions(Dialect.MySql, null, connection, TimeSpan.FromSeconds(30)));

    private static async Task<CheckReport> CheckAsync(StoreOptions options)
    {
        var report = new CheckReport();
        await new DatabaseCheck(options, report, TimeProvider.System).RunAsync();
        return report;
    }
}
