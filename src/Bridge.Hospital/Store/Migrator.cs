using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bridge.Hospital.Operations;
using Dapper;

namespace Bridge.Hospital.Store;

/// <summary>A numbered change of the schema, for one dialect.</summary>
internal sealed record Migration(int Number, string Name, string Sql)
{
    public string Checksum => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql)));
}

/// <summary>The schema in the database is not one that this program can work with.</summary>
internal sealed class MigrationException(string message) : Exception(message);

/// <summary>
/// Brings the schema up to date at start. On SQLite each migration is one transaction. MariaDB and MySQL commit each change of the schema by itself, so there
/// each statement is noted before and after: a migration that was cut off goes on where it stopped. An applied one is recorded with the checksum of its text.
/// </summary>
internal static class Migrator
{
    /// <summary>The migrations that are part of the program.</summary>
    public static IReadOnlyList<Migration> Shipped(Dialect dialect)
    {
        var prefix = $"Bridge.Hospital.Store.Migrations.{(dialect == Dialect.Sqlite ? "sqlite" : "mysql")}/";
        var assembly = typeof(Migrator).Assembly;
        var list = new List<Migration>();
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            var file = resource[prefix.Length..^".sql".Length];
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
            list.Add(new Migration(int.Parse(file.AsSpan(0, 4), NumberStyles.None, CultureInfo.InvariantCulture), file, reader.ReadToEnd()));
        }
        return [.. list.OrderBy(migration => migration.Number)];
    }

    /// <summary>Applies what is missing; returns the names of what it applied.</summary>
    /// <param name="database">The database.</param>
    /// <param name="migrations">All that the program knows, in order.</param>
    /// <param name="now">Recorded with what is applied.</param>
    /// <param name="crash">Passed as <c>migration.1</c> before and <c>migration.2</c> after each statement on a server.</param>
    /// <param name="cancellationToken">Between statements only.</param>
    /// <exception cref="MigrationException">An applied migration was changed, the database is newer than the program, or a statement was refused.</exception>
    public static async Task<IReadOnlyList<string>> ApplyAsync(
        Database database, IReadOnlyList<Migration> migrations, DateTimeOffset now, CrashPoints? crash = null, CancellationToken cancellationToken = default)
    {
        // Two instances that start together: one migrates, the other waits (SQLite's single writer needs no further lock).
        if (database.Dialect == Dialect.Sqlite)
            return await RunAsync();
        await using var guard = await database.OpenAsync(cancellationToken);
        if (await guard.ExecuteScalarAsync<long?>(new CommandDefinition("SELECT GET_LOCK(CONCAT('bridge-schema-', LEFT(SHA1(DATABASE()), 40)), 120)", commandTimeout: 0)) != 1)
            throw new MigrationException("another instance has been migrating this database for two minutes; wait for it or look at its log");
        try
        {
            return await RunAsync();
        }
        finally
        {
            await guard.ExecuteAsync("DO RELEASE_LOCK(CONCAT('bridge-schema-', LEFT(SHA1(DATABASE()), 40)))");
        }

        async Task<IReadOnlyList<string>> RunAsync()
        {
            await database.WriteAsync(work => work.RunAsync(
                """
                CREATE TABLE IF NOT EXISTS schema_migration (
                  number INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, checksum VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL)
                """), inLine: false, cancellationToken);
            var newest = await database.ReadAsync(
                work => work.ScalarAsync<long?>("SELECT MAX(number) FROM schema_migration"), cancellationToken) ?? 0;
            if (newest > migrations[^1].Number)
                throw new MigrationException(
                    $"the database is at schema {newest}, this program knows {migrations[^1].Number}: start the newer program, or restore the backup made before it ran");
            var applied = new List<string>();
            foreach (var migration in migrations)
                if (database.Dialect == Dialect.Sqlite
                    ? await database.WriteAsync(work => ApplyAtOnceAsync(work, migration, now), inLine: false, cancellationToken)
                    : await SchemaSteps.ApplyAsync(database, migration, now, crash, cancellationToken))
                    applied.Add(migration.Name);
            return applied;
        }
    }

    /// <summary>True where it is applied already.</summary>
    /// <exception cref="MigrationException">It was, with another text.</exception>
    public static async Task<bool> IsAppliedAsync(Work work, Migration migration)
    {
        var checksum = await work.ScalarAsync<string>("SELECT checksum FROM schema_migration WHERE number = @Number", migration);
        if (checksum is null || checksum == migration.Checksum)
            return checksum is not null;
        throw new MigrationException(
            $"migration {migration.Name} was applied with checksum {checksum[..12]}…, the program carries {migration.Checksum[..12]}…: "
            + "an applied migration must not change; start the program version that applied it, and report the difference");
    }

    public static Task<int> RecordAsync(Work work, Migration migration, DateTimeOffset now) => work.RunAsync(
        "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (@Number, @Name, @Checksum, @At)",
        new { migration.Number, migration.Name, migration.Checksum, At = now.ToUnixTimeMilliseconds() });

    private static async Task<bool> ApplyAtOnceAsync(Work work, Migration migration, DateTimeOffset now)
    {
        if (await IsAppliedAsync(work, migration))
            return false;
        await work.RunLongAsync(migration.Sql);
        await RecordAsync(work, migration, now);
        return true;
    }
}
