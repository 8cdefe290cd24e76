using System.Text;
using Bridge.Hospital.Operations;
using MySql.Data.MySqlClient;

namespace Bridge.Hospital.Store;

/// <summary>
/// Applies a migration on an engine whose schema changes are not part of a transaction. Beside the schema stands which statement was begun and which are done.
/// A statement that changes rows commits with its note. One that changes the schema may have been carried out without it where a crash came between; tried
/// again, it is then refused for being so already, and that alone is let pass.
/// </summary>
internal static class SchemaSteps
{
    // Table, column, key or trigger is there already; column, key or table to be dropped or renamed is there no more.
    private static readonly int[] SoAlready = [1050, 1051, 1054, 1060, 1061, 1091, 1146, 1359, 1360];

    private sealed class Step
    {
        public string Checksum { get; init; } = "";
        public long Begun { get; set; }
        public long Done { get; init; }
        public bool Resumed { get; init; } = true;
    }

    public static async Task<bool> ApplyAsync(Database database, Migration migration, DateTimeOffset now, CrashPoints? crash, CancellationToken cancellationToken)
    {
        var statements = Split(migration.Sql);
        await database.WriteAsync(work => work.RunAsync(
            """
            CREATE TABLE IF NOT EXISTS schema_step (number INTEGER PRIMARY KEY, checksum VARCHAR(64) NOT NULL, begun BIGINT NOT NULL, done BIGINT NOT NULL)
            """), inLine: false, cancellationToken);
        if (await database.WriteAsync(work => BeginAsync(work, migration, statements.Count), inLine: false, cancellationToken) is not { } step)
            return false;
        for (var i = (int)step.Done; i < statements.Count; i++)
        {
            var cutOff = step.Resumed && step.Begun == i + 1;
            if (step.Begun <= i)
                await NoteAsync(database, migration, begun: i + 1, done: i, cancellationToken);
            crash?.Pass("migration.1");
            try
            {
                await database.WriteAsync(async work =>
                {
                    await RunAsync(work, statements[i], cutOff);
                    crash?.Pass("migration.2");
                    // The next one is begun with the same note.
                    return await work.RunAsync(
                        "UPDATE schema_step SET done = @done, begun = @begun WHERE number = @Number", new { migration.Number, done = i + 1, begun = i + 2 });
                }, inLine: false, cancellationToken);
                step.Begun = i + 2;
            }
            catch (MySqlException e) when (!MySqlSession.IsLost(e))
            {
                await NoteAsync(database, migration, begun: i, done: i, CancellationToken.None);
                throw new MigrationException(
                    $"migration {migration.Name} stopped at statement {i + 1} of {statements.Count} (\"{Beginning(statements[i])}\"): {StoreFaults.Describe(e)}. "
                    + "What it did before stays, and the next start goes on with this statement: take away what it complains of, or restore the backup made before the upgrade");
            }
        }
        await database.WriteAsync(async work =>
        {
            await Migrator.RecordAsync(work, migration, now);
            return await work.RunAsync("DELETE FROM schema_step WHERE number = @Number", migration);
        }, inLine: false, cancellationToken);
        return true;
    }

    /// <summary>The statements of a migration without its comments. Each is one statement: no BEGIN … END.</summary>
    public static IReadOnlyList<string> Split(string sql)
    {
        var statements = new List<string>();
        var text = new StringBuilder();
        for (var i = 0; i < sql.Length; i++)
        {
            if (sql[i] is '\'' or '`' or '"')
            {
                var end = sql.IndexOf(sql[i], i + 1);
                text.Append(sql, i, end - i + 1);
                i = end;
            }
            else if (sql.AsSpan(i).StartsWith("--"))
            {
                var end = sql.IndexOf('\n', i);
                i = (end < 0 ? sql.Length : end) - 1;
            }
            else if (sql[i] == ';')
            {
                Add();
            }
            else
            {
                text.Append(sql[i]);
            }
        }
        Add();
        return statements;

        void Add()
        {
            var statement = text.ToString().Trim();
            if (statement.Length > 0)
                statements.Add(statement);
            text.Clear();
        }
    }

    // Null where the whole migration is applied.
    private static async Task<Step?> BeginAsync(Work work, Migration migration, int count)
    {
        if (await Migrator.IsAppliedAsync(work, migration))
            return null;
        if (await work.FirstAsync<Step>("SELECT checksum AS Checksum, begun AS Begun, done AS Done FROM schema_step WHERE number = @Number", migration) is not { } step)
        {
            await work.RunAsync("INSERT INTO schema_step (number, checksum, begun, done) VALUES (@Number, @Checksum, 1, 0)", migration);
            return new Step { Begun = 1, Resumed = false };
        }
        return step.Checksum == migration.Checksum
            ? step
            : throw new MigrationException(
                $"migration {migration.Name} was cut off after {step.Done} of its statements when its text was another ({step.Checksum[..12]}…, the program carries "
                + $"{migration.Checksum[..12]}… with {count}): start the program version that began it and let it finish, or restore the backup made before the upgrade");
    }

    private static async Task RunAsync(Work work, string statement, bool cutOff)
    {
        try
        {
            await work.RunLongAsync(statement);
        }
        catch (MySqlException e) when (cutOff && SoAlready.Contains(e.Number))
        {
            // It was carried out, and its note was not.
        }
    }

    private static Task<int> NoteAsync(Database database, Migration migration, int begun, int done, CancellationToken cancellationToken) => database.WriteAsync(
        work => work.RunAsync("UPDATE schema_step SET begun = @begun, done = @done WHERE number = @Number", new { migration.Number, begun, done }),
        inLine: false, cancellationToken);

    private static string Beginning(string statement)
    {
        var line = statement.ReplaceLineEndings(" ");
        return line.Length <= 80 ? line : line[..80] + "…";
    }
}
