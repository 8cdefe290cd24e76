using Bridge.Hospital.Configuration;
using Bridge.Hospital.Store;

namespace Bridge.Hospital;

/// <summary>The command line.</summary>
internal static class Commands
{
    private const string Usage =
        """
        Bridge.Hospital: finished encounters -> doctors' co-signature -> ledger.

          serve [--config FILE] [--Section:Key VALUE …]   run the bridge (default)
          init  [--config FILE] [--msp MSP]               make keys, certificate requests, a configuration and the database; never overwrites
          help                                            this text

        Configuration: FILE (default hospital.json), then environment variables (Ledger__Key=…), then --Section:Key VALUE.
        """;

    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var command = args.Length > 0 && !args[0].StartsWith('-') ? args[0] : "serve";
        var rest = args.Length > 0 && !args[0].StartsWith('-') ? args[1..] : args;
        try
        {
            switch (command)
            {
                case "serve":
                    return await ServeAsync(rest);
                case "init":
                    return await InitCommand.RunAsync(rest, output);
                case "help":
                    await output.WriteLineAsync(Usage);
                    return 0;
                default:
                    await error.WriteLineAsync($"there is no command '{command}'{Environment.NewLine}{Usage}");
                    return 2;
            }
        }
        catch (ConfigurationException e)
        {
            await error.WriteLineAsync(e.Message);
            return 2;
        }
        catch (Exception e) when (e is DatabaseInUseException or MigrationException)
        {
            await error.WriteLineAsync(e.Message);
            return 1;
        }
        catch (System.Data.Common.DbException e)
        {
            await error.WriteLineAsync($"the database cannot be used: {e.Message} (Database:Engine, Database:File or Database:ConnectionString)");
            return 1;
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            await error.WriteLineAsync($"{e.Message} (Server:Urls)");
            return 1;
        }
    }

    private static async Task<int> ServeAsync(string[] args)
    {
        await using var app = HospitalApp.Build(args);
        await app.RunAsync();
        return 0;
    }
}
