using System.Data.Common;
using Microsoft.Data.Sqlite;
using MySql.Data.MySqlClient;

namespace Bridge.Hospital.Store;

/// <summary>
/// Errors of the engines in words for operators. A server's own message may quote values of a row ("Duplicate entry 'patient' for key …"), so of those only the
/// ones that are about the server are passed on.
/// </summary>
internal static class StoreFaults
{
    // Connecting, rights, limits, disks, locks, schema: their texts name hosts, accounts, files, tables and columns.
    private static readonly HashSet<int> Harmless =
    [
        1005, 1016, 1020, 1021, 1023, 1026, 1030, 1040, 1042, 1044, 1045, 1049, 1050, 1051, 1053, 1054, 1060, 1061, 1091, 1114, 1129, 1130, 1142, 1146, 1152, 1153, 1159,
        1161, 1180, 1194, 1205, 1206, 1213, 1227, 1290, 1298, 1317, 1359, 1360, 1418, 1419, 1526, 1567, 1615, 1698, 1792, 1836, 1927, 1969, 3024, 3159, 4031,
    ];

    /// <summary>True where the server was reached and TLS with it failed; the driver gives no number for it.</summary>
    public static bool IsAboutTls(DbException exception) =>
        exception is MySqlException { Number: 0 or 1042 } && exception.ToString().Contains("SSL", StringComparison.Ordinal);

    /// <summary>True where nobody answers, or the server is just starting or stopping: waiting helps.</summary>
    public static bool IsUnreachable(DbException exception) =>
        exception is MySqlException mysql && !IsAboutTls(mysql) && (mysql.Number is 1040 or 1042 or 1053 || MySqlSession.IsLost(mysql));

    private static string Cause(MySqlException exception) => exception.Message.Contains("does not support", StringComparison.Ordinal)
        ? "the server offers no TLS"
        : "the server's certificate is not for that host name, or not of a CA that this machine trusts";

    public static string Describe(DbException exception) => exception switch
    {
        // SQLite names tables and columns, never values.
        SqliteException sqlite => sqlite.SqliteErrorCode == 13 ? $"the disk is full, nothing can be written: {sqlite.Message}" : sqlite.Message,
        MySqlException mysql when IsAboutTls(mysql) =>
            $"no connection that can be trusted: {Cause(mysql)}. The server must offer TLS, with a certificate for the host name in Server=…, whose CA is among the system's "
            + "(/usr/local/share/ca-certificates and update-ca-certificates, or the file that the environment variable SSL_CERT_FILE names)",
        MySqlException { Number: 1042 } mysql => $"the database server cannot be reached: {mysql.Message}",
        MySqlException mysql when MySqlSession.IsLost(mysql) => "the database server went away in the middle of it",
        MySqlException { Number: 1021 or 1114 or 1026 or 1030 } mysql => $"the database server cannot write, its disk may be full: {mysql.Message}",
        MySqlException { Number: 0 } mysql => $"the database server cannot be reached: {mysql.Message}",
        MySqlException mysql when Harmless.Contains(mysql.Number) => $"{mysql.Message} (error {mysql.Number})",
        MySqlException mysql => $"the database server refused a statement with error {mysql.Number}",
        _ => exception.GetType().Name,
    };
}
