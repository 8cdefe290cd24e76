using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Bridge.Hospital;

/// <summary>The hospital's host: as a process by <see cref="RunAsync"/>, inside another one by <see cref="Build"/>.</summary>
public static class HospitalApp
{
    /// <summary>
    /// Builds the host from configuration (<c>--config file</c>, default <c>hospital.json</c> beside the working directory where it exists, then
    /// environment variables such as <c>Ledger__Key</c>, then <c>--Section:Key value</c>). Nothing is opened before it starts. Its addresses are in
    /// <see cref="WebApplication.Urls"/> once started, with port 0 replaced by the real one.
    /// </summary>
    /// <param name="args">As on the command line, without the command.</param>
    /// <param name="configure">Called before anything is read: more configuration sources, other services (a clock, say).</param>
    /// <exception cref="ConfigurationException">With every fault in the configuration.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        var file = ConfigFile.Of(args, out var rest);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(HospitalApp).Assembly.GetName().Name });
        if (file is not null)
            builder.Configuration.AddJsonFile(file, optional: false, reloadOnChange: false);
        builder.Configuration.AddEnvironmentVariables().AddCommandLine(rest);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.Services.AddRoutingCore();
        configure?.Invoke(builder);

        var settings = Settings.Read(builder.Configuration, file is null ? Directory.GetCurrentDirectory() : Path.GetDirectoryName(file)!);
        builder.Listen(settings.Server);
        builder.AddSettings(settings);

        // The stages, in the order in which an encounter walks through them.
        builder.AddStore(settings.Store);
        builder.AddAccess(settings.Access);
        builder.AddLedger(settings.Ledger, settings.Bridge);
        builder.AddEnrolment(settings.Enrolment);       // whose encounters may be read at all
        builder.AddWatching(settings.Watching, settings.Extraction);    // FHIR server -> extraction -> summary rows, with the cursor
        builder.AddCoSign();                            // a doctor's decision -> anchor row
        builder.AddAnchoring(settings.Anchoring);       // anchor row -> ledger -> receipt
        builder.AddCertificates(settings.Certificates); // who may sign: directory and status lists
        builder.AddOperations(settings.Operations);     // ticks, health, metrics, audit

        var app = builder.Build();
        app.MapAccess();
        app.MapEnrolment();
        app.MapCoSign();
        app.MapCertificates();
        app.MapOperations();
        return app;
    }

    /// <summary>The program: <c>serve</c> (default), <c>init</c>. Returns the exit code: 0 done, 1 failed, 2 configuration or usage.</summary>
    public static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error) => Commands.RunAsync(args, output, error);

    private static void Listen(this WebApplicationBuilder builder, ServerOptions server)
    {
        builder.WebHost.UseUrls([.. server.Urls]);
        if (server.Certificate is not null)
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https =>
            {
                var chain = new X509Certificate2Collection();
                chain.ImportFromPemFile(server.Certificate);
                https.ServerCertificate = X509Certificate2.CreateFromPemFile(server.Certificate, server.Key);
                https.ServerCertificateChain = chain;
            }));
        builder.Services.AddSingleton(server);
        builder.Services.AddHostedService<AddressAnnouncer>();
    }

    private static void AddSettings(this WebApplicationBuilder builder, Settings settings)
    {
        builder.Services.AddSingleton(settings.Hospital);
        builder.Services.AddSingleton<Instance>();
        builder.Services.AddSingleton<CrashPoints>();
        if (!builder.Services.Any(service => service.ServiceType == typeof(TimeProvider)))
            builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.MaxDepth = 32);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
    }
}

/// <summary>Which configuration file is meant.</summary>
internal static class ConfigFile
{
    public const string Standard = "hospital.json";

    /// <summary>Takes <c>--config</c> out of the arguments; null where none is named and the standard one does not exist.</summary>
    /// <exception cref="ConfigurationException">The named file is not there.</exception>
    public static string? Of(string[] args, out string[] rest)
    {
        var at = Array.IndexOf(args, "--config");
        if (at < 0 || at + 1 >= args.Length)
        {
            rest = args;
            return File.Exists(Standard) ? Path.GetFullPath(Standard) : null;
        }
        rest = [.. args[..at], .. args[(at + 2)..]];
        var file = Path.GetFullPath(args[at + 1]);
        return File.Exists(file)
            ? file
            : throw new ConfigurationException([new ConfigurationFault("--config", args[at + 1], "there is no such file; `init --config FILE` makes one")]);
    }
}

/// <summary>Says where the server listens, once it does.</summary>
internal sealed partial class AddressAnnouncer(
    IServer server, ServerOptions options, IHostApplicationLifetime lifetime, ILogger<AddressAnnouncer> log) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStarted.Register(() =>
        {
            var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
            foreach (var address in addresses)
                Log.Listening(log, address);
            if (options.AddressFile is null)
                return;
            // Written beside and moved: whoever waits for the file never reads half of it.
            File.WriteAllLines(options.AddressFile + ".new", addresses);
            File.Move(options.AddressFile + ".new", options.AddressFile, overwrite: true);
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(EventId = 6010, Level = LogLevel.Information, Message = "Listening on {Address}")]
        public static partial void Listening(ILogger logger, string address);
    }
}
