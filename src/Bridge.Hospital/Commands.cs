using Bridge.Hospital.Checking;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Hospital.Verifying;

namespace Bridge.Hospital;

/// <summary>The command line.</summary>
internal static class Commands
{
    private const string Usage =
        """
        Bridge.Hospital: finished encounters -> doctors' co-signature -> ledger.

          serve   run the bridge (default)
          init    [--msp MSP]  make keys, certificate requests, a configuration and the database; never overwrites
          check   [--patients N] [--json]  try everything that the bridge stands on and say what is wrong, with the cure; N enrolled patients are
                  expected (default: those enrolled now) for the count of calls to the FHIR server
          verify  [--source] [--json]  recompute every signature, chain and digest and compare with the ledger; with --source read every encounter again
                  too and compare each summary with what it gives now
          status  [--json]  what stands where, what waits how long, what ends soon
          pause   --reason TEXT [--by NAME] [--json]  stop reading and anchoring at once, on all instances, until resumed
          resume  --reason TEXT [--by NAME] [--json]  go on
          help    this text

        All take [--config FILE] [--Section:Key VALUE …]. Configuration: FILE (default hospital.json), then environment variables (Ledger__Key=…), then
        --Section:Key VALUE. check, verify, status, pause and resume work beside the running server, on the same database and machine: run them as its user.

        Exit codes: 0 done, and no fault found; 1 faults found, or it failed; 2 the configuration or the command line is at fault; 3 something that it
        needs does not answer, so that it could not look at everything; 4 (verify --source) all agrees but what the EHR changed since it was read.
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
                case "check":
                    return await CheckCommand.RunAsync(rest, output);
                case "verify":
                    return await VerifyCommand.RunAsync(rest, output);
                case "status":
                    return await StatusCommand.RunAsync(rest, output);
                case "pause" or "resume":
                    return await PauseCommand.RunAsync(command == "pause", rest, output);
                case "help":
                    await output.WriteLineAsync(Usage);
                    return ExitCode.Done;
                default:
                    await error.WriteLineAsync($"there is no command '{command}'{Environment.NewLine}{Usage}");
                    return ExitCode.Usage;
            }
        }
        catch (Exception e) when (e is ConfigurationException or UsageException)
        {
            await error.WriteLineAsync(e.Message);
            return ExitCode.Usage;
        }
        catch (UnavailableException e)
        {
            await error.WriteLineAsync(e.Message);
            return ExitCode.Unfinished;
        }
        catch (Exception e) when (e is DatabaseInUseException or MigrationException)
        {
            await error.WriteLineAsync(e.Message);
            return ExitCode.Found;
        }
        catch (System.Data.Common.DbException e)
        {
            await error.WriteLineAsync($"the database cannot be used: {StoreFaults.Describe(e)} (Database:Engine, Database:File or Database:ConnectionString)");
            return command is "serve" or "init" ? ExitCode.Found : ExitCode.Unfinished;
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            await error.WriteLineAsync($"{e.Message} (Server:Urls)");
            return ExitCode.Found;
        }
    }

    private static async Task<int> ServeAsync(string[] args)
    {
        await using var app = HospitalApp.Build(args);
        await app.RunAsync();
        return ExitCode.Done;
    }
}
