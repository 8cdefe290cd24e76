using System.Diagnostics;

namespace Bridge.Sandbox.Processes;

/// <summary>The <c>bridge</c> command, as people run it on their own machines.</summary>
internal static class BridgeCli
{
    /// <summary>Runs it to its end.</summary>
    /// <exception cref="SandboxException">It did not end with 0; the message holds what it said.</exception>
    public static async Task<string> RunAsync(CancellationToken ct, params string[] arguments)
    {
        var command = Dotnet.Command("bridge", "bridge", arguments, logFile: "");
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in command.Environment!)
        {
            start.Environment[key] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var error = process.StandardError.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return process.ExitCode == 0
            ? await output
            : throw new SandboxException($"`bridge {string.Join(' ', arguments)}` ended with exit code {process.ExitCode}: {(await error + await output).Trim()}");
    }
}
