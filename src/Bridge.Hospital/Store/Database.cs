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
/// The hospital's database. Every statement runs through <see cref="Work"/>; a write is durable when <see cref="WriteAsync{T}(Func{Work, Task{T}}, CancellationToken)"/>
/// returns. Writers stand in one line, in this process and, where several instances share a server, across them: what a write has read still holds when
/// it commits. Times in tables are unix milliseconds in UTC.
/// </summary>
internal sealed class Database : IDisposable
{
    // Waiting here is fairer and cheaper than SQLite's busy polling, and holds no connection to a server.
    private readonly SemaphoreSlim _oneWriter = new(1);
    private readonly string _connectionString;
    private readonly bool _readOnly;
    private readonly DatabaseThreads? _threads;

    public Database(Dialect dialect, string connectionString)
    {
        Dialect = dialect;
        _connectionString = dialect == Dialect.Sqlite
            ? new SqliteConnectionStringBuilder(connectionString) { ForeignKeys = true, DefaultTimeout = 30 }.ToString()
            : MySqlSession.Complete(connectionString);
        _readOnly = dialect == Dialect.Sqlite && new SqliteConnectionStringBuilder(connectionString).Mode == SqliteOpenMode.ReadOnly;
        _threads = dialect == Dialect.Sqlite ? null : new DatabaseThreads(MySqlSession.Connections);
    }

    public Dialect Dialect { get; }

    /// <summary>What kept the last write from being stored; null where it was. Reads may be answered all the same, on a full disk for instance.</summary>
    public DbException? LastWriteFault { get; private set; }

    /// <summary>The connection string of an embedded database file.</summary>
    public static string ForFile(string path) => new SqliteConnectionStringBuilder { DataSource = path }.ToString();

    /// <summary>Runs reads on a connection of their own, outside a transaction.</summary>
    public Task<T> ReadAsync<T>(Func<Work, Task<T>> read, CancellationToken cancellationToken = default) => OnThreadsAsync(
        () => MySqlSession.AgainAsync(async _ =>
        {
            var connection = await OpenAsync(cancellationToken);
            try
            {
                var result = await read(new Work(connection, null, Dialect, cancellationToken));
                await connection.DisposeAsync();
                return result;
            }
            catch
            {
                await AbandonAsync(connection, null);
                throw;
            }
        }, cancellationToken),
        cancellationToken);

    /// <summary>
    /// Runs <paramref name="write"/> in one transaction: all of it is durable when this returns, none of it when it throws before the commit. It may be run
    /// again from the start where the engine gave it up, so it must have no effect outside the database.
    /// </summary>
    public Task<T> WriteAsync<T>(Func<Work, Task<T>> write, CancellationToken cancellationToken = default) => WriteAsync(write, inLine: true, cancellationToken);

    /// <inheritdoc cref="WriteAsync{T}(Func{Work, Task{T}}, CancellationToken)"/>
    public Task WriteAsync(Func<Work, Task> write, CancellationToken cancellationToken = default) =>
        WriteAsync(async work => { await write(work); return 0; }, cancellationToken);

    /// <summary>As the others; not <paramref name="inLine"/> is the migrator alone, which makes the table that the line is kept by.</summary>
    public async Task<T> WriteAsync<T>(Func<Work, Task<T>> write, bool inLine, CancellationToken cancellationToken)
    {
        await _oneWriter.WaitAsync(cancellationToken);
        try
        {
            var result = await OnThreadsAsync(
                () => MySqlSession.AgainAsync(attempt => TransactAsync(write, inLine, attempt, cancellationToken), cancellationToken), cancellationToken);
            LastWriteFault = null;
            return result;
        }
        catch (DbException e) when (!IsDuplicate(e))
        {
            LastWriteFault = e;
            throw;
        }
        finally
        {
            _oneWriter.Release();
        }
    }

    public async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        DbConnection connection = Dialect == Dialect.Sqlite ? new SqliteConnection(_connectionString) : new MySqlConnection(_connectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            // Who only reads leaves the file as it is: a backup's copy need not be in WAL, and only a writer may put it there.
            if (_readOnly)
                return connection;
            await connection.ExecuteAsync(Dialect == Dialect.Sqlite
                // FULL: a committed transaction survives a power cut, which WAL's default of NORMAL does not promise.
                ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                : MySqlSession.Setup);
            return connection;
        }
        catch
        {
            await AbandonAsync(connection, null);
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

    public void Dispose()
    {
        _oneWriter.Dispose();
        _threads?.Dispose();
    }

    private async Task<T> TransactAsync<T>(Func<Work, Task<T>> write, bool inLine, Attempt attempt, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(cancellationToken);
        DbTransaction? transaction = null;
        try
        {
            transaction = await connection.BeginTransactionAsync(
                Dialect == Dialect.Sqlite ? IsolationLevel.Serializable : IsolationLevel.ReadCommitted, cancellationToken);
            var work = new Work(connection, transaction, Dialect, cancellationToken);
            // The line of writers across instances. Whoever stands first in it reads what the one before committed.
            if (inLine && Dialect == Dialect.MySql)
                await work.ScalarAsync<long>("SELECT one FROM audit_head WHERE one = 1 FOR UPDATE");
            var result = await write(work);
            // A commit that was begun is not cancelled: its outcome would be unknown.
            attempt.Committing = true;
            await transaction.CommitAsync(CancellationToken.None);
            await connection.DisposeAsync();
            return result;
        }
        catch
        {
            await AbandonAsync(connection, transaction);
            throw;
        }
    }

    // What is given up after a failure is rolled back; where even that fails, the pool forgets the connection and the server rolls back.
    private static async Task AbandonAsync(DbConnection connection, DbTransaction? transaction)
    {
        try
        {
            if (transaction is not null)
                await transaction.RollbackAsync(CancellationToken.None);
            await connection.DisposeAsync();
        }
        catch (Exception)
        {
            if (connection is MySqlConnection mysql)
                MySqlConnection.ClearPool(mysql);
            connection.Close();
        }
    }

    private Task<T> OnThreadsAsync<T>(Func<Task<T>> run, CancellationToken cancellationToken) =>
        _threads is null ? run() : Task.Factory.StartNew(run, cancellationToken, TaskCreationOptions.DenyChildAttach, _threads).Unwrap();
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

    /// <summary>Inserts unless a unique key is taken; true where the row is new. Any other refusal is one.</summary>
    public async Task<bool> InsertIfNewAsync(string tableAndValues, object parameters)
    {
        // INSERT IGNORE would let through what is cut off or missing, too.
        if (dialect == Dialect.Sqlite)
            return await RunAsync($"INSERT INTO {tableAndValues} ON CONFLICT DO NOTHING", parameters) == 1;
        try
        {
            return await RunAsync($"INSERT INTO {tableAndValues}", parameters) == 1;
        }
        catch (DbException e) when (Database.IsDuplicate(e))
        {
            return false;
        }
    }

    /// <summary>Runs a statement that may take as long as it takes: a change of the schema.</summary>
    public Task<int> RunLongAsync(string sql) => connection.ExecuteAsync(new CommandDefinition(sql, null, transaction, commandTimeout: 0, cancellationToken: cancellationToken));

    private CommandDefinition Command(string sql, object? parameters) =>
        new(sql, parameters, transaction, cancellationToken: cancellationToken);
}
