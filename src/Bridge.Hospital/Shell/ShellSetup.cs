using Bridge.Hospital.Configuration;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Microsoft.Data.Sqlite;

namespace Bridge.Hospital.Shell;

/// <summary>
/// Configuration, database and ledger for a command. A command works beside the running server, not through it: it opens the same database (the
/// embedded one too, which takes readers and short writes of other processes of this machine at any time), so that an operator can look and pause
/// even where the server does not answer.
/// </summary>
internal static class ShellSetup
{
    /// <summary>The configuration as <c>serve</c> would read it, and the folder that its relative paths are meant from.</summary>
    /// <exception cref="ConfigurationException">The named file is not there or cannot be read.</exception>
    public static (IConfigurationRoot Configuration, string BaseDirectory) Configuration(ShellArguments arguments)
    {
        var file = ConfigFile.Of([.. arguments.Rest], out var rest);
        var builder = new ConfigurationBuilder();
        if (file is not null)
            builder.AddJsonFile(file, optional: false, reloadOnChange: false);
        try
        {
            return (builder.AddEnvironmentVariables().AddCommandLine(rest).Build(), file is null ? Directory.GetCurrentDirectory() : Path.GetDirectoryName(file)!);
        }
        catch (InvalidDataException e)
        {
            throw new ConfigurationException([new ConfigurationFault("--config", file, $"the file is not JSON: {e.InnerException?.Message ?? e.Message}")]);
        }
    }

    /// <summary>Opens the database as it is: makes none, migrates nothing.</summary>
    /// <exception cref="UnavailableException">There is none, or it cannot be opened by this user.</exception>
    public static Database Open(StoreOptions options, bool write)
    {
        if (options.File is null)
            return new Database(options.Dialect, options.ConnectionString);
        try
        {
            using var stream = new FileStream(options.File, FileMode.Open, write ? FileAccess.ReadWrite : FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (FileNotFoundException)
        {
            throw new UnavailableException($"there is no database {options.File}: correct Database:File, or make it with `init` or `serve`");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnavailableException($"the database {options.File} cannot be opened by this user ({e.GetType().Name}): run the command as the user that the server runs as");
        }
        return new Database(options.Dialect, new SqliteConnectionStringBuilder(options.ConnectionString) { Mode = write ? SqliteOpenMode.ReadWrite : SqliteOpenMode.ReadOnly }.ToString());
    }

    /// <summary>Connects as the bridge; nothing is sent before the first call.</summary>
    /// <param name="options">Where.</param>
    /// <param name="msp">Who.</param>
    /// <param name="bridge">With which certificate and key.</param>
    /// <param name="clock">For the proposals' timestamps; null = this machine's.</param>
    public static Gateway Connect(LedgerOptions options, string msp, SigningIdentity bridge, TimeProvider? clock = null) => Gateway.Connect(new GatewayOptions
    {
        Identity = new Identity(msp, bridge.Pem.Span),
        Signer = Signers.NewPrivateKeySigner(bridge.Key),
        Endpoints = options.Gateways,
        // Somebody waits before a terminal.
        EvaluateTimeout = TimeSpan.FromSeconds(15),
        CommitStatusTimeout = TimeSpan.FromSeconds(10),
        TimeProvider = clock ?? TimeProvider.System,
    });

    /// <summary>Who runs the command, for the audit log: the user of the operating system, behind <c>sudo</c> the one who called it.</summary>
    public static Actor Operator()
    {
        var sudo = Environment.GetEnvironmentVariable("SUDO_USER");
        return new Actor(string.IsNullOrEmpty(sudo) ? Environment.UserName : $"{sudo} (as {Environment.UserName})", "shell");
    }
}
