using System.Text;
using Microsoft.Data.Sqlite;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>Looks for a text in what the parts keep.</summary>
internal static class Traces
{
    /// <summary>Tables of an embedded database with a value that holds the text, as text or as bytes; <paramref name="tables"/> empty: of all tables.</summary>
    public static IReadOnlyList<string> InDatabase(string file, string text, params string[] tables)
    {
        using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ToString());
        connection.Open();
        var found = new List<string>();
        var wanted = Encoding.UTF8.GetBytes(text);
        foreach (var table in Strings(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"))
        {
            if ((tables.Length == 0 || tables.Contains(table)) && HoldsAny(connection, table, text, wanted))
            {
                found.Add(table);
            }
        }

        return found;
    }

    /// <summary>Files under the folder, of the names given, whose bytes hold the text.</summary>
    public static IReadOnlyList<string> InFiles(string folder, string text, string pattern = "*")
    {
        var wanted = Encoding.UTF8.GetBytes(text);
        return
        [
            .. Directory.EnumerateFiles(folder, pattern, SearchOption.AllDirectories).Where(file =>
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using var copy = new MemoryStream();
                stream.CopyTo(copy);
                return copy.GetBuffer().AsSpan(0, (int)copy.Length).IndexOf(wanted) >= 0;
            }),
        ];
    }

    private static bool HoldsAny(SqliteConnection connection, string table, string text, byte[] wanted)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // the name comes from the database's own schema
        command.CommandText = $"SELECT * FROM \"{table.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
#pragma warning restore CA2100
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            for (var column = 0; column < rows.FieldCount; column++)
            {
                var holds = rows[column] switch
                {
                    string value => value.Contains(text, StringComparison.Ordinal),
                    byte[] value => value.AsSpan().IndexOf(wanted) >= 0,
                    _ => false,
                };
                if (holds)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static List<string> Strings(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a constant
        command.CommandText = sql;
#pragma warning restore CA2100
        using var rows = command.ExecuteReader();
        var values = new List<string>();
        while (rows.Read())
        {
            values.Add(rows.GetString(0));
        }

        return values;
    }
}
