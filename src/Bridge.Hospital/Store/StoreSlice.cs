namespace Bridge.Hospital.Store;

/// <summary>Opens the database before anything else starts, and brings its schema up to date.</summary>
internal static class StoreSlice
{
    public static void AddStore(this WebApplicationBuilder builder, StoreOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(_ => new Database(options.Dialect, options.ConnectionString));
        builder.Services.AddHostedService<StoreStart>();
    }
}

/// <summary>Another process has the embedded database open.</summary>
internal sealed class DatabaseInUseException(string file)
    : Exception($"{file} is in use by another Bridge.Hospital process: stop that one, or move to MariaDB/MySQL (Database:Engine mysql), which several instances may share");

/// <summary>The embedded database's file.</summary>
internal static class DatabaseFile
{
    /// <summary>Makes it where it is missing, for its owner's eyes only: it holds what patients consented to keep in the hospital.</summary>
    public static void Prepare(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.ReadWrite };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var stream = new FileStream(file, options);
    }
}

/// <summary>Locks the embedded file, migrates, and frees leases that a dead process left on it.</summary>
internal sealed partial class StoreStart(Database database, StoreOptions options, TimeProvider clock, ILogger<StoreStart> log) : IHostedService, IDisposable
{
    private FileStream? _lock;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.File is not null)
        {
            DatabaseFile.Prepare(options.File);
            _lock = Lock(options.File);
        }
        foreach (var name in await Migrator.ApplyAsync(database, Migrator.Shipped(database.Dialect), clock.GetUtcNow(), cancellationToken))
            Log.Migrated(log, name);
        if (_lock is not null)
            await database.WriteAsync(Leases.FreeAllAsync, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _lock?.Dispose();

    // The system gives the lock back however the process ends.
    private static FileStream Lock(string file)
    {
        try
        {
            return new FileStream(file + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new DatabaseInUseException(file);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1001, Level = LogLevel.Information, Message = "Applied migration {Name}")]
        public static partial void Migrated(ILogger logger, string name);
    }
}
