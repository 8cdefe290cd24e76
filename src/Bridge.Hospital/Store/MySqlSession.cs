using System.Data.Common;
using MySql.Data.MySqlClient;

namespace Bridge.Hospital.Store;

/// <summary>One try of a transaction.</summary>
internal sealed class Attempt
{
    /// <summary>The commit was asked for: from here on a lost connection leaves the outcome unknown.</summary>
    public bool Committing { get; set; }
}

/// <summary>What a session on MariaDB or MySQL must be like, whatever the server's defaults, and when it is worth another try.</summary>
internal static class MySqlSession
{
    /// <summary>How many statements run at once at most; writers stand in line, so all but one of these read.</summary>
    public const int Connections = 8;

    /// <summary>
    /// Sent on every connection taken from the pool. Results in utf8mb4: the driver knows no <c>utf8mb3</c>, the name that newer servers give their own tables'
    /// texts, and falls out of step with the server at the first such column, in SHOW WARNINGS too. Strict: what does not fit is refused, never cut. A
    /// transaction whose process is gone without a word holds up the others for a minute at most.
    /// </summary>
    public const string Setup =
        """
        SET SESSION character_set_results = 'utf8mb4', sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', sql_notes = 0,
          innodb_lock_wait_timeout = 10, wait_timeout = 300 /*M!100300 , idle_transaction_timeout = 60 */
        """;

    private const int Attempts = 6;
    private const int LostAttempts = 2;

    /// <summary>The hospital's connection string with what this program relies on.</summary>
    public static string Complete(string connectionString)
    {
        var builder = new MySqlConnectionStringBuilder(connectionString)
        {
            CharacterSet = "utf8mb4",
            // Rows matched, not rows changed: compare-and-set counts on it.
            UseAffectedRows = false,
            AllowUserVariables = false,
            Pooling = true,
            MaximumPoolSize = 2 * Connections,
        };
        if (!connectionString.Contains("timeout", StringComparison.OrdinalIgnoreCase))
            builder.ConnectionTimeout = 5;
        return builder.ToString();
    }

    /// <summary>
    /// Runs what may be run again: a deadlock's loser and who waited too long for a row up to six times, who lost the server before the commit was asked for
    /// once more (the server may have restarted under a pooled connection).
    /// </summary>
    public static async Task<T> AgainAsync<T>(Func<Attempt, Task<T>> run, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var attempt = new Attempt();
            try
            {
                return await run(attempt);
            }
            catch (MySqlException e) when (tries < Attempts && e.Number is 1205 or 1213 || tries < LostAttempts && !attempt.Committing && IsLost(e))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10 * tries * (1 + Random.Shared.NextDouble())), cancellationToken);
            }
        }
    }

    /// <summary>True where the connection broke, or the server ended it.</summary>
    public static bool IsLost(DbException exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
            if (e is IOException or System.Net.Sockets.SocketException || e is MySqlException { Number: 1053 or 1927 or 2006 or 2013 })
                return true;
        return false;
    }
}
