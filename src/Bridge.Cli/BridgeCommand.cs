using System.CommandLine;
using System.CommandLine.Parsing;

namespace Bridge.Cli;

/// <summary>The <c>bridge</c> command: what people do away from the servers, with keys that no server has.</summary>
internal static class BridgeCommand
{
    public static async Task<int> RunAsync(string[] args, Terminal terminal)
    {
        var root = new RootCommand($"Bridge: keys, certificates, statements and signatures, on their owners' own machines. {ExitCode.Help}")
        {
            KeyCommands.Create(terminal),
            CaCommands.Create(terminal),
            RegistrarCommands.Create(terminal),
            HospitalCommands.Create(terminal),
            SignCommand.Create(terminal),
            VerifyRecordCommand.Create(terminal),
        };
        var result = root.Parse(args);
        var invocation = new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false };
        try
        {
            var code = await result.InvokeAsync(invocation);
            return result.Errors.Count > 0 ? ExitCode.Usage : code;
        }
        catch (CliFault fault)
        {
            await terminal.Error.WriteLineAsync($"bridge: {fault.Message}");
            return fault.ExitCode;
        }
    }

    /// <summary>A required option that names a file.</summary>
    public static Option<FileInfo> RequiredFile(string name, string description) => new(name) { Description = description, Required = true };

    public static Option<FileInfo?> OptionalFile(string name, string description) => new(name) { Description = description };

    public static Option<string> RequiredText(string name, string description) => new(name) { Description = description, Required = true };

    public static Option<FileInfo?> PasswordFile() => OptionalFile("--password-file", "File whose first line is the key's password; asked for where the key is encrypted and this is left out.");

    public static Option<bool> Yes() => new("--yes") { Description = "Do not ask." };

    public static Option<int> Days(int standard) => new("--days")
    {
        Description = "Days of validity.",
        DefaultValueFactory = _ => standard,
        Validators = { result => Between(result, 1, 36500) },
    };

    private static void Between(OptionResult result, int min, int max)
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var days) && (days < min || days > max))
            result.AddError($"--days is {days}: give {min} to {max}.");
    }
}
