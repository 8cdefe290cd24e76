using Bridge.FlowTests.Hospital;
using Bridge.Hospital;
using Microsoft.Data.Sqlite;

namespace Bridge.FlowTests.Volume;

/// <summary>What a command printed, and its exit code.</summary>
internal sealed record Printed(int ExitCode, string Text);

/// <summary>The hospital's commands as an operator runs them, beside the running server.</summary>
internal static class Shell
{
    public static async Task<Printed> RunAsync(Rig rig, string command, params string[] arguments)
    {
        using var output = new StringWriter();
        // The rig's configuration comes first: what the test gives stands.
        var code = await HospitalApp.RunAsync([command, .. rig.Arguments(), .. arguments], output, output);
        return new Printed(code, output.ToString());
    }

    /// <summary>A copy of the hospital's database as it is now, to be tampered with.</summary>
    public static string CopyOf(string database, string copy)
    {
        using var from = Open(database);
        using var to = Open(copy);
        from.BackupDatabase(to);
        return copy;
    }

    /// <summary>What somebody with the file and a database tool can do.</summary>
    public static void Tamper(string database, string sql)
    {
        using var connection = Open(database);
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // the test's own text
        command.CommandText = "PRAGMA foreign_keys = OFF; DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete; " + sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    public static long Scalar(string database, string sql)
    {
        using var connection = Open(database);
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // the test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ToString());
        connection.Open();
        return connection;
    }
}
