using System.Net;
using Bridge.Hospital.Configuration;
using MySql.Data.MySqlClient;

namespace Bridge.Hospital.Store;

/// <summary>Where the data lies.</summary>
/// <param name="Dialect"><c>Database:Engine</c>: sqlite (default) or mysql (MariaDB too).</param>
/// <param name="File"><c>Database:File</c>: the embedded database.</param>
/// <param name="ConnectionString">What the engine is opened with.</param>
/// <param name="InstanceTimeout">
/// <c>Database:InstanceTimeout</c>: how long an instance on a shared database may say nothing before the others take its work over. Default 30 s. The server's
/// clock counts, not the instances'.
/// </param>
internal sealed record StoreOptions(Dialect Dialect, string? File, string ConnectionString, TimeSpan InstanceTimeout)
{
    private const string ConnectionKey = "Database:ConnectionString";

    /// <summary>What to write where the connection is not as safe as it must be.</summary>
    public const string UseTls =
        "this server is another machine: write SslMode=VerifyFull, so that nobody on the way can read or change patients' data (without TLS only 127.0.0.1, ::1 or localhost)";

    public static StoreOptions Read(ConfigurationReader reader)
    {
        var engine = reader.OneOf("Database:Engine", "sqlite", ["sqlite", "mysql"]);
        var file = reader.PathText("Database:File", "hospital.db");
        var connection = reader.Secret(ConnectionKey, required: engine == "mysql",
            "for the engine mysql, for example Server=db.example;Database=bridge;User ID=bridge;Password=…;SslMode=VerifyFull");
        var timeout = reader.Duration("Database:InstanceTimeout", TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(10));
        if (engine == "sqlite")
            return new StoreOptions(Dialect.Sqlite, file, Database.ForFile(file), timeout);
        if (connection is not null)
            Check(reader, connection);
        return new StoreOptions(Dialect.MySql, null, connection ?? "", timeout);
    }

    private static void Check(ConfigurationReader reader, string connection)
    {
        MySqlConnectionStringBuilder builder;
        try
        {
            builder = new MySqlConnectionStringBuilder(connection);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            reader.Fault(ConnectionKey, "…", "pairs of key=value with semicolons between them, with the keys of Connector/NET 8.0, such as Server, Port, Database, User ID, Password, SslMode");
            return;
        }
        if (builder.Database.Length == 0)
            reader.Fault(ConnectionKey, "…", "add Database=…: the name of the database");
        if (builder.SslMode != MySqlSslMode.VerifyFull && builder.Server.Split(',').Any(host => !IsLoopback(host.Trim())))
            reader.Fault(ConnectionKey, "…", UseTls);
        if (!string.IsNullOrEmpty(builder.SslCa) || !string.IsNullOrEmpty(builder.SslCert))
            reader.Fault(ConnectionKey, "…",
                "leave SslCa and SslCert out: with them the driver does not check the server's name. The CA of the server's certificate is looked for among the system's "
                + "(/usr/local/share/ca-certificates and update-ca-certificates, or the file that the environment variable SSL_CERT_FILE names)");
    }

    private static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
}
