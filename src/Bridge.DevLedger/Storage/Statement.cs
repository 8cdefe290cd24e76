using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Bridge.DevLedger.Storage;

/// <summary>A prepared statement with parameters <c>$0</c>, <c>$1</c>, … that is run again and again on its one connection.</summary>
internal sealed class Statement : IDisposable
{
    private readonly SqliteCommand command;

    public Statement(SqliteConnection connection, string sql, int parameters)
    {
        command = connection.CreateCommand();
#pragma warning disable CA2100 // constants of this folder only
        command.CommandText = sql;
#pragma warning restore CA2100
        for (var i = 0; i < parameters; i++)
            command.Parameters.Add(new SqliteParameter { ParameterName = "$" + i.ToString(CultureInfo.InvariantCulture) });
    }

    public int Run(params ReadOnlySpan<object?> arguments)
    {
        Bind(arguments);
        return command.ExecuteNonQuery();
    }

    public SqliteDataReader Query(params ReadOnlySpan<object?> arguments)
    {
        Bind(arguments);
        return command.ExecuteReader();
    }

    public object? Scalar(params ReadOnlySpan<object?> arguments)
    {
        Bind(arguments);
        return command.ExecuteScalar();
    }

    public void Dispose() => command.Dispose();

    private void Bind(ReadOnlySpan<object?> arguments)
    {
        for (var i = 0; i < arguments.Length; i++)
        {
            command.Parameters[i].Value = arguments[i] switch
            {
                null => DBNull.Value,
                ulong number => (long)number,
                var other => other,
            };
        }
    }
}
