using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>A migrated database of its own for one test, on either engine.</summary>
internal sealed class TestStore : IAsyncDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    private readonly string? folder;
    private readonly MariaDbServer? server;

    private TestStore(Dialect dialect, string connectionString, string? folder, MariaDbServer? server)
    {
        ConnectionString = connectionString;
        Database = new Database(dialect, connectionString);
        this.folder = folder;
        this.server = server;
    }

    public string ConnectionString { get; }

    public Database Database { get; }

    public Dialect Dialect => Database.Dialect;

    public IReadOnlyList<Migration> Shipped => Migrator.Shipped(Dialect);

    public static async Task<TestStore> CreateAsync(Engine engine, bool migrated = true)
    {
        TestStore store;
        if (engine == Engine.Sqlite)
        {
            var folder = Directory.CreateTempSubdirectory("bridge-store-").FullName;
            store = new TestStore(Dialect.Sqlite, Database.ForFile(Path.Combine(folder, "hospital.db")), folder, null);
        }
        else
        {
            var server = await MariaDbServer.SharedAsync();
            store = new TestStore(Dialect.MySql, await server.NewDatabaseAsync(), null, server);
        }
        if (migrated)
            await store.MigrateAsync(store.Shipped);
        return store;
    }

    /// <summary>The same database as another process would open it.</summary>
    public Database OpenAgain() => new(Dialect, ConnectionString);

    public Task<T> ReadAsync<T>(Func<Work, Task<T>> read) => Database.ReadAsync(read, TestContext.Current.CancellationToken);

    public Task<T> WriteAsync<T>(Func<Work, Task<T>> write) => WriteAsync(Database, write);

    public Task WriteAsync(Func<Work, Task> write) => Database.WriteAsync(write, TestContext.Current.CancellationToken);

    public static Task<T> WriteAsync<T>(Database database, Func<Work, Task<T>> write) => database.WriteAsync(write, TestContext.Current.CancellationToken);

    public Task<IReadOnlyList<string>> MigrateAsync(IReadOnlyList<Migration> migrations, Database? database = null, CrashPoints? crash = null) =>
        Migrator.ApplyAsync(database ?? Database, migrations, Now, crash, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Database.Dispose();
        if (server is not null)
            await server.DropDatabaseAsync(ConnectionString);
        if (folder is null)
            return;
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }
}
