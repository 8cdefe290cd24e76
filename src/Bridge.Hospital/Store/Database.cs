using System.Data;
using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;
using MySql.Data.MySqlClient;

namespace Bridge.Hospital.Store;

/// <summary>Which engine holds the data.</summary>
internal enum Dialect
{
    Sqlite,
    MySql,
}

/// <summary>
/// The hospital's database. Every statement runs through <see cref="Work"/>; a write is durable when <see cref="WriteAsync{T}"/> returns.
/// Times in tables are unix milliseconds in UTC.
/// </summary>
internal sealed class Database : IDisposable
{
    private const int Attempts = 6;

    // SQLite has one writer; waiting here in line is fairer and cheaper than its busy polling.
    private readonly SemaphoreSlim? _oneWriter;
    private readonly string _connectionString;

    public Database(Dialect dialect, string connectionString)
    {
        Dialect = dialect;
        if (dialect == Dialect.Sqlite)
        {
            _oneWriter = new SemaphoreSlim(1);
            _connectionString = new SqliteConnectionStringBuilder(connectionString) { ForeignKeys = true, DefaultTimeout = 30 }.ToString();
        }
        else
        {
            _connectionString = connectionString;
        }
    }

    public Dialect Dialect { get; }

    /// <summary>The connection string of an embedded database file.</summary>
    public static string ForFile(string path) => new SqliteConnectionStringBuilder { DataSource = path }.ToString();

    /// <summary>Runs reads on a connection of their own, outside a transaction.</summary>
    public async Task<T> ReadAsync<T>(Func<Work, Task<T>> read, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken);
        return await read(new Work(connection, null, Dialect, cancellationToken));
    }

    /// <summary>
    /// Runs <paramref name="write"/> in one transaction: all of it is durable when this returns, none of it when it throws. It may be run
    /// again from the start where the engine reports a deadlock, so it must have no effect outside the database.
    /// </summary>
    public async Task<T> WriteAsync<T>(Func<Work, Task<T>> write, CancellationToken cancellationToken = default)
    {
        if (_oneWriter is not null)
            await _oneWriter.WaitAsync(cancellationToken);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var connection = await OpenAsync(cancellationToken);
                    await using var transaction = await connection.BeginTransactionAsync(
                        Dialect == Dialect.Sqlite ? IsolationLevel.Serializable : IsolationLevel.ReadCommitted, cancellationToken);
                    var result = await write(new Work(connection, transaction, Dialect, cancellationToken));
                    // A commit that was begun is not cancelled: its outcome would be unknown.
                    await transaction.CommitAsync(CancellationToken.None);
                    return result;
                }
                catch (MySqlException e) when (e.Number is 1205 or 1213 && attempt < Attempts)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(10 * attempt * (1 + Random.Shared.NextDouble())), cancellationToken);
                }
            }
        }
        finally
        {
            _oneWriter?.Release();
        }
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    public Task WriteAsync(Func<Work, Task> write, CancellationToken cancellationToken = default) =>
        WriteAsync(async work => { await write(work); return 0; }, cancellationToken);

    public async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        DbConnection connection = Dialect == Dialect.Sqlite ? new SqliteConnection(_connectionString) : new MySqlConnection(_connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            if (Dialect == Dialect.Sqlite)
                // FULL: a committed transaction survives a power cut, which WAL's default of NORMAL does not promise.
                await connection.ExecuteAsync("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>True where a unique key refused a row.</summary>
    public static bool IsDuplicate(DbException exception) => exception switch
    {
        SqliteException sqlite => sqlite.SqliteExtendedErrorCode is 2067 or 1555,
        MySqlException mysql => mysql.Number == 1062,
        _ => false,
    };

    public void Dispose() => _oneWriter?.Dispose();
}

/// <summary>A connection, inside a transaction where it writes.</summary>
internal sealed class Work(DbConnection connection, DbTransaction? transaction, Dialect dialect, CancellationToken cancellationToken)
{
    public Dialect Dialect => dialect;

    public CancellationToken CancellationToken => cancellationToken;

    public async Task<IReadOnlyList<T>> ListAsync<T>(string sql, object? parameters = null) =>
        (await connection.QueryAsync<T>(Command(sql, parameters))).AsList();

    public Task<T?> FirstAsync<T>(string sql, object? parameters = null) => connection.QueryFirstOrDefaultAsync<T>(Command(sql, parameters));

    public Task<T?> ScalarAsync<T>(string sql, object? parameters = null) => connection.ExecuteScalarAsync<T>(Command(sql, parameters));

    /// <summary>Runs a statement and says how many rows it matched.</summary>
    public Task<int> RunAsync(string sql, object? parameters = null) => connection.ExecuteAsync(Command(sql, parameters));

    /// <summary>Inserts one row and returns the number the engine gave it.</summary>
    public async Task<long> InsertAsync(string sql, object parameters)
    {
        await RunAsync(sql, parameters);
        return await ScalarAsync<long>(dialect == Dialect.Sqlite ? "SELECT last_insert_rowid()" : "SELECT LAST_INSERT_ID()");
    }

    /// <summary>Inserts unless a unique key is taken; true where the row is new.</summary>
    public async Task<bool> InsertIfNewAsync(string tableAndValues, object parameters) =>
        await RunAsync((dialect == Dialect.Sqlite ? "INSERT OR IGNORE INTO " : "INSERT IGNORE INTO ") + tableAndValues, parameters) == 1;

    private CommandDefinition Command(string sql, object? parameters) =>
        new(sql, parameters, transaction, cancellationToken: cancellationToken);
}
