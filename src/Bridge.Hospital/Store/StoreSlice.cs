using System.Data.Common;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Operations;

namespace Bridge.Hospital.Store;

/// <summary>Opens the database before anything else starts, and brings its schema up to date.</summary>
internal static class StoreSlice
{
    public static void AddStore(this WebApplicationBuilder builder, StoreOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(_ => new Database(options.Dialect, options.ConnectionString));
        builder.Services.AddSingleton<Presence>();
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

    /// <summary>Whether a running server holds it. Others may read it meanwhile, and write a little.</summary>
    public static bool IsHeld(string file)
    {
        try
        {
            using var held = new FileStream(file + ".lock", FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }
}

/// <summary>
/// Locks the embedded file, or waits for the server; migrates; frees leases that a dead process left on an embedded file, and gives its own back at the end.
/// </summary>
internal sealed partial class StoreStart(
    Database database, StoreOptions options, Presence presence, CrashPoints crash, TimeProvider clock, ILogger<StoreStart> log) : IHostedService, IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private FileStream? _lock;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.File is not null)
        {
            DatabaseFile.Prepare(options.File);
            _lock = Lock(options.File);
        }
        foreach (var name in await MigrateAsync(cancellationToken))
            Log.Migrated(log, name);
        if (_lock is not null)
            await database.WriteAsync(Leases.FreeAllAsync, cancellationToken);
        else
            await presence.StartAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => _lock is null ? presence.StopAsync() : Task.CompletedTask;

    public void Dispose() => _lock?.Dispose();

    // A server that is not there yet comes: machines start in any order. One that does not trust us, or that we cannot trust, does not mend itself.
    private async Task<IReadOnlyList<string>> MigrateAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await Migrator.ApplyAsync(database, Migrator.Shipped(database.Dialect), clock.GetUtcNow(), crash, cancellationToken);
            }
            catch (DbException e) when (StoreFaults.IsAboutTls(e))
            {
                throw new ConfigurationException([new ConfigurationFault("Database:ConnectionString", "…", StoreFaults.Describe(e))]);
            }
            catch (DbException e) when (StoreFaults.IsUnreachable(e))
            {
                Log.Unreachable(log, StoreFaults.Describe(e));
                await Task.Delay(Pause, clock, cancellationToken);
            }
        }
    }

    // The system gives the lock back however the process ends. `status` looks at it for a moment, which must not keep a server from starting.
    private static FileStream Lock(string file)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(file + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (attempt < 5)
            {
                Thread.Sleep(50);
            }
            catch (IOException)
            {
                throw new DatabaseInUseException(file);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1001, Level = LogLevel.Information, Message = "Applied migration {Name}")]
        public static partial void Migrated(ILogger logger, string name);

        [LoggerMessage(EventId = 1002, Level = LogLevel.Warning, Message = "The database is not there yet and will be tried again: {Fault}")]
        public static partial void Unreachable(ILogger logger, string fault);
    }
}
