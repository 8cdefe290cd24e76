using Bridge.Hospital.Store;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>A migrated database of its own for one test.</summary>
internal sealed class TestStore : IDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);

    private readonly string folder = Directory.CreateTempSubdirectory("bridge-store-").FullName;

    private TestStore() => Database = new Database(Dialect.Sqlite, Database.ForFile(File));

    public string File => Path.Combine(folder, "hospital.db");

    public Database Database { get; }

    public static async Task<TestStore> CreateAsync(bool migrated = true)
    {
        var store = new TestStore();
        if (migrated)
            await store.MigrateAsync(Migrator.Shipped(Dialect.Sqlite));
        return store;
    }

    public Task<T> ReadAsync<T>(Func<Work, Task<T>> read) => Database.ReadAsync(read, TestContext.Current.CancellationToken);

    public Task<T> WriteAsync<T>(Func<Work, Task<T>> write) => WriteAsync(Database, write);

    public Task WriteAsync(Func<Work, Task> write) => Database.WriteAsync(write, TestContext.Current.CancellationToken);

    public static Task<T> WriteAsync<T>(Database database, Func<Work, Task<T>> write) => database.WriteAsync(write, TestContext.Current.CancellationToken);

    public Task<IReadOnlyList<string>> MigrateAsync(IReadOnlyList<Migration> migrations, Database? database = null) =>
        Migrator.ApplyAsync(database ?? Database, migrations, Now, TestContext.Current.CancellationToken);

    public void Dispose()
    {
        Database.Dispose();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }
}
