using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Store;

/// <summary>Where the data lies.</summary>
/// <param name="Dialect"><c>Database:Engine</c>: sqlite (default) or mysql (MariaDB too).</param>
/// <param name="File"><c>Database:File</c>: the embedded database.</param>
/// <param name="ConnectionString">What the engine is opened with.</param>
internal sealed record StoreOptions(Dialect Dialect, string? File, string ConnectionString)
{
    public static StoreOptions Read(ConfigurationReader reader)
    {
        var engine = reader.OneOf("Database:Engine", "sqlite", ["sqlite", "mysql"]);
        var file = reader.PathText("Database:File", "hospital.db");
        var connection = reader.Secret("Database:ConnectionString", required: engine == "mysql",
            "for the engine mysql, for example Server=db.example;Database=bridge;User ID=bridge;Password=…;SslMode=VerifyFull;CharSet=utf8mb4");
        return engine == "mysql"
            ? new StoreOptions(Dialect.MySql, null, connection ?? "")
            : new StoreOptions(Dialect.Sqlite, file, Database.ForFile(file));
    }
}
