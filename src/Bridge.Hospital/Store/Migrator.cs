using System.Globalization;
using System.Security.Cryptography;
using System.Text;
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
/// Brings the schema up to date at start. Each migration runs in a transaction (MySQL commits each DDL statement by itself, so a migration that
/// failed there is named and mended by hand) and is recorded with the checksum of its text.
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
    /// <exception cref="MigrationException">An applied migration was changed, or the database is newer than the program.</exception>
    public static async Task<IReadOnlyList<string>> ApplyAsync(
        Database database, IReadOnlyList<Migration> migrations, DateTimeOffset now, CancellationToken cancellationToken = default)
    {
        await database.WriteAsync(work => work.RunAsync(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
              number INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, checksum VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL)
            """), cancellationToken);

        // Two instances that start together: one migrates, the other waits (SQLite's single writer needs no further lock).
        if (database.Dialect == Dialect.Sqlite)
            return await RunAsync();
        await using var guard = await database.OpenAsync(cancellationToken);
        if (await guard.ExecuteScalarAsync<long?>("SELECT GET_LOCK('bridge-hospital-schema', 120)") != 1)
            throw new MigrationException("another instance has been migrating this database for two minutes; wait for it or look at its log");
        try
        {
            return await RunAsync();
        }
        finally
        {
            await guard.ExecuteAsync("DO RELEASE_LOCK('bridge-hospital-schema')");
        }

        async Task<IReadOnlyList<string>> RunAsync()
        {
            var applied = new List<string>();
            foreach (var migration in migrations)
                if (await database.WriteAsync(work => ApplyOneAsync(work, migration, now), cancellationToken))
                    applied.Add(migration.Name);
            var newest = await database.ReadAsync(
                work => work.ScalarAsync<long?>("SELECT MAX(number) FROM schema_migration"), cancellationToken) ?? 0;
            return newest > migrations[^1].Number
                ? throw new MigrationException(
                    $"the database is at schema {newest}, this program knows {migrations[^1].Number}: start the newer program, or restore the backup made before it ran")
                : applied;
        }
    }

    private static async Task<bool> ApplyOneAsync(Work work, Migration migration, DateTimeOffset now)
    {
        var checksum = await work.ScalarAsync<string>("SELECT checksum FROM schema_migration WHERE number = @Number", migration);
        if (checksum == migration.Checksum)
            return false;
        if (checksum is not null)
            throw new MigrationException(
                $"migration {migration.Name} was applied with checksum {checksum[..12]}…, the program carries {migration.Checksum[..12]}…: "
                + "an applied migration must not change; start the program version that applied it, and report the difference");
        await work.RunAsync(migration.Sql);
        await work.RunAsync(
            "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (@Number, @Name, @Checksum, @At)",
            new { migration.Number, migration.Name, migration.Checksum, At = now.ToUnixTimeMilliseconds() });
        return true;
    }
}
