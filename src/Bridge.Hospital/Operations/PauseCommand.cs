using System.Text.Json;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>
/// <c>pause</c> and <c>resume</c>: set the switch in the database, which every step of every instance asks within its own transaction. It takes effect whether
/// or not the server answers, and outlives restarts.
/// </summary>
internal static class PauseCommand
{
    public static async Task<int> RunAsync(bool on, string[] args, TextWriter output)
    {
        var arguments = ShellArguments.Parse(args, ["--json"], ["--reason", "--by"]);
        if (arguments.Value("--reason")?.Trim() is not { Length: > 0 and <= 400 } reason)
            throw new UsageException("--reason is missing: say in 1 to 400 characters why, for the audit log");
        if (arguments.Value("--by") is { } by && by.Trim().Length is 0 or > 100)
            throw new UsageException("--by is to be 1 to 100 characters: who acts, where that is not the user of this shell");
        var (configuration, baseDirectory) = ShellSetup.Configuration(arguments);
        var reader = new ConfigurationReader(configuration, baseDirectory);
        var store = StoreOptions.Read(reader);
        if (reader.Faults.Count > 0)
            throw new ConfigurationException([.. reader.Faults]);
        using var database = ShellSetup.Open(store, write: true);
        var actor = ShellSetup.Operator();
        if (arguments.Value("--by") is { } named)
            actor = actor with { Person = $"{named.Trim()} (shell: {actor.Person})" };
        var changed = await new PauseSwitch(database, TimeProvider.System).SetAsync(actor, on, reason, CancellationToken.None);
        if (arguments.Json)
            await output.WriteLineAsync(JsonSerializer.Serialize(new { paused = on, changed, by = actor.Person }, JsonSerializerOptions.Web));
        else if (!changed)
            await output.WriteLineAsync(on ? "The bridge was paused already." : "The bridge was not paused.");
        else
            await output.WriteLineAsync(on
                ? "Paused: nothing more is read from the FHIR server and nothing more leaves for the ledger, on any instance, until `resume`. A batch that was already handed to the ledger still ends there."
                : "Resumed.");
        return ExitCode.Done;
    }
}
