using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Checking;

/// <summary>Tries the database as it is: makes and migrates nothing.</summary>
internal sealed partial class DatabaseCheck(StoreOptions options, CheckReport report, TimeProvider clock)
{
    private const string Area = "database";
    private const long LeastSpace = 1L << 30;
    private const long LeastPacket = 16L << 20;
    private static readonly string[] Rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES", "TRIGGER"];

    /// <summary>Enrolled patients and one of them, for the other parts of the check; zero and null where it cannot be read.</summary>
    public async Task<(int Enrolled, string? SomePatient)> RunAsync()
    {
        Database database;
        try
        {
            if (options.File is not null && !File.Exists(options.File))
            {
                var folder = Path.GetDirectoryName(options.File)!;
                report.Warn(Area, "file", $"{options.File} does not exist yet", Directory.Exists(folder) ? "`init` or the first `serve` makes it" : $"Make the folder {folder} first, for the user that the server runs as");
                return (0, null);
            }
            database = ShellSetup.Open(options, write: false);
        }
        catch (UnavailableException e)
        {
            report.Fault(Area, "file", e.Message, "Run the command as the user that the server runs as, or give that user the file");
            return (0, null);
        }
        using (database)
        {
            var opens = options.Dialect == Dialect.Sqlite
                ? await report.TryAsync(Area, "file", $"{options.File}: stop the server, keep the file, restore the last good backup, and run `verify`", async () => await database.ReadAsync(work => SqliteAsync(work, options.File!)))
                : await report.TryAsync(Area, "server", "Start the database server, open the way to it, or correct Database:ConnectionString", async () => await database.ReadAsync(MySqlAsync));
            if (!opens)
            {
                report.NotTried(Area, "schema", "the database cannot be opened");
                return (0, null);
            }
            await report.TryAsync(Area, "schema", "Start the server once: it brings the schema up to date", async () => await database.ReadAsync(SchemaAsync));
            try
            {
                return await database.ReadAsync(async work => (
                    (int)await work.ScalarAsync<long>("SELECT COUNT(*) FROM enrolment WHERE state = 'Enrolled'"),
                    await work.ScalarAsync<string>("SELECT patient_key FROM enrolment WHERE state = 'Enrolled' LIMIT 1")));
            }
            catch (System.Data.Common.DbException)
            {
                // The schema line says why.
                return (0, null);
            }
        }
    }

    private async Task<int> SqliteAsync(Work work, string file)
    {
        report.Good(Area, "engine", $"SQLite {await work.ScalarAsync<string>("SELECT sqlite_version()")}{(DatabaseFile.IsHeld(file) ? "; the server runs on it" : "")}");
        KeyFiles.Judge(report, Area, "file", file);
        var whole = await work.ScalarAsync<string>("PRAGMA quick_check(1)");
        report.Judge(Area, "integrity", whole == "ok", whole == "ok" ? "the file is whole" : "the file is damaged", "Stop the server, keep the file, restore the last good backup, and run `verify`");
        var drive = new DriveInfo(Path.GetPathRoot(Path.GetFullPath(file))!);
        foreach (var candidate in DriveInfo.GetDrives().Where(candidate => file.StartsWith(candidate.RootDirectory.FullName, StringComparison.Ordinal)))
            if (candidate.RootDirectory.FullName.Length > drive.RootDirectory.FullName.Length)
                drive = candidate;
        var space = string.Create(CultureInfo.InvariantCulture, $"{drive.AvailableFreeSpace / (1 << 20)} MiB free beside {new FileInfo(file).Length / (1 << 20)} MiB of data");
        if (drive.AvailableFreeSpace < LeastSpace)
            report.Fault(Area, "space", space, "Make room: at least 1 GiB, and as much again as the data for a backup");
        else
            report.Good(Area, "space", space);
        return 0;
    }

    private async Task<int> MySqlAsync(Work work)
    {
        var version = await work.ScalarAsync<string>("SELECT VERSION()") ?? "";
        report.Judge(Area, "engine", IsGood(version), version, "MariaDB 10.6 or MySQL 8.0 and newer: SKIP LOCKED and transactional DDL locks are needed");
        var theirs = await work.ScalarAsync<DateTime>("SELECT UTC_TIMESTAMP(6)");
        var skew = (DateTime.SpecifyKind(theirs, DateTimeKind.Utc) - clock.GetUtcNow().UtcDateTime).Duration();
        report.Judge("clocks", "database", skew <= CheckCommand.MostSkew, string.Create(CultureInfo.InvariantCulture, $"{skew.TotalSeconds:F1} s from this machine's"), "Let both machines follow the same time servers (NTP)");
        report.Good(Area, "time zone", $"{await work.ScalarAsync<string>("SELECT CONCAT(@@session.time_zone, ' (', @@system_time_zone, ')')")}; the bridge stores unix milliseconds, so it does not matter");
        var charset = await work.ScalarAsync<string>("SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()");
        report.Judge(Area, "character set", charset == "utf8mb4", $"{charset}, {await work.ScalarAsync<string>("SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = DATABASE()")}", "ALTER DATABASE … CHARACTER SET utf8mb4, before the first start");
        var packet = await work.ScalarAsync<long>("SELECT @@max_allowed_packet");
        report.Judge(Area, "packet size", packet >= LeastPacket, string.Create(CultureInfo.InvariantCulture, $"max_allowed_packet is {packet / (1 << 20)} MiB"), "Set max_allowed_packet to 16M or more in the server's configuration");
        var mode = await work.ScalarAsync<string>("SELECT @@sql_mode") ?? "";
        report.Judge(Area, "sql_mode", mode.Contains("STRICT_", StringComparison.Ordinal), mode.Length == 0 ? "empty" : mode, "Add STRICT_TRANS_TABLES: without it the server cuts values off silently");
        var durable = await work.ScalarAsync<long>("SELECT @@innodb_flush_log_at_trx_commit");
        report.Judge(Area, "durability", durable == 1, string.Create(CultureInfo.InvariantCulture, $"innodb_flush_log_at_trx_commit is {durable}"), "Set it to 1: otherwise a power cut loses what the bridge has reported as done");
        var cipher = (await work.FirstAsync<Status>("SHOW STATUS LIKE 'Ssl_cipher'"))?.Value;
        if (string.IsNullOrEmpty(cipher))
            report.Warn(Area, "TLS", "the connection is not encrypted", "Add SslMode=VerifyFull to Database:ConnectionString unless the server is on this machine");
        else
            report.Good(Area, "TLS", cipher);
        var lacking = Lacking(await work.ListAsync<string>("SHOW GRANTS"), await work.ScalarAsync<string>("SELECT DATABASE()") ?? "");
        report.Judge(Area, "privileges", lacking.Count == 0, lacking.Count == 0 ? "all that it needs" : $"lacking {string.Join(", ", lacking)}", "GRANT them on the bridge's database to its user");
        return 0;
    }

    /// <summary>Rights that none of an account's grants gives it on a database.</summary>
    /// <param name="grants">As <c>SHOW GRANTS</c> says them: <c>GRANT SELECT, INSERT ON `bridge`.* TO …</c>.</param>
    /// <param name="database">Whose tables.</param>
    internal static IReadOnlyList<string> Lacking(IEnumerable<string> grants, string database)
    {
        var held = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var grant in grants.Where(grant => grant.StartsWith("GRANT ", StringComparison.OrdinalIgnoreCase)))
        {
            var on = grant.IndexOf(" ON ", StringComparison.OrdinalIgnoreCase);
            var to = grant.IndexOf(" TO ", Math.Max(0, on), StringComparison.OrdinalIgnoreCase);
            // In a grant the name of a database is a pattern, in which an underscore and a percent sign stand for others unless a backslash is before them.
            if (on < 0 || to < 0 || grant[(on + 4)..to].Trim() is var place && place != "*.*" && !Covers(place, database))
                continue;
            held.UnionWith(grant[6..on].Split(',', StringSplitOptions.TrimEntries));
        }
        return held.Contains("ALL PRIVILEGES") ? [] : [.. Rights.Where(right => !held.Contains(right))];

        static bool Covers(string place, string database) =>
            place.EndsWith(".*", StringComparison.Ordinal)
            && Regex.IsMatch(database, "^" + Pattern().Replace(place[..^2].Trim('`'), part => part.Value switch { "%" => ".*", "_" => ".", _ => Regex.Escape(part.Value[^1..]) }) + "$", RegexOptions.IgnoreCase);
    }

    [GeneratedRegex(@"\\.|[\s\S]")]
    private static partial Regex Pattern();

    private static bool IsGood(string version)
    {
        var number = Version.TryParse(version.Split('-', '+')[0], out var parsed) ? parsed : new Version(0, 0);
        return version.Contains("MariaDB", StringComparison.OrdinalIgnoreCase) ? number >= new Version(10, 6) : number >= new Version(8, 0);
    }

    private async Task<int> SchemaAsync(Work work)
    {
        var shipped = Migrator.Shipped(options.Dialect);
        if (await work.ScalarAsync<long>(options.Dialect == Dialect.Sqlite
            ? "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_migration'"
            : "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'schema_migration'") == 0)
        {
            report.Warn(Area, "schema", "the database is empty", "`init` or the first `serve` makes the tables");
            return 0;
        }
        var applied = await work.ListAsync<AppliedMigration>("SELECT number AS Number, checksum AS Checksum FROM schema_migration ORDER BY number");
        var newest = applied.Count == 0 ? 0 : applied[^1].Number;
        var missing = shipped.Count(migration => applied.All(row => row.Number != migration.Number));
        if (newest > shipped[^1].Number)
            report.Fault(Area, "schema", $"number {newest}, this program knows {shipped[^1].Number}", "Use the newer program, or restore the backup made before it ran");
        else if (shipped.FirstOrDefault(migration => applied.Any(row => row.Number == migration.Number && row.Checksum != migration.Checksum)) is { } changed)
            report.Fault(Area, "schema", $"{changed.Name} was applied with another content than this program carries", "Use the program version that made this database, or restore the backup made before it ran");
        else if (missing > 0)
            report.Warn(Area, "schema", $"{missing} migrations of {shipped.Count} are not applied yet", "Back up; the next start of `serve` applies them");
        else
            report.Good(Area, "schema", shipped[^1].Name);
        return 0;
    }

    private sealed class AppliedMigration
    {
        public long Number { get; init; }
        public string Checksum { get; init; } = "";
    }

    private sealed class Status
    {
        public string Value { get; init; } = "";
    }
}
