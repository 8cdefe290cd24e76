using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Access;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Bridge.Hospital;

/// <content>What every stage stands on.</content>
public static partial class HospitalApp
{
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
