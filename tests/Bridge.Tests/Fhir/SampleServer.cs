using System.Diagnostics;
using Xunit;

namespace Bridge.Tests.Fhir;

/// <summary>The Sandbox's own FHIR server, run by Node on a free port.</summary>
public sealed class SampleServer : IAsyncLifetime
{
    private Process? _process;

    public Uri BaseUrl { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var folder = Path.Combine(TestFiles.Root, "src", "Bridge.Sandbox", "fhir-server");
        if (!Directory.Exists(Path.Combine(folder, "node_modules", "@medplum", "fhir-router")))
        {
            using var install = Start("npm", ["ci", "--no-audit", "--no-fund"], folder);
            _ = install.StandardOutput.ReadToEndAsync();
            await install.WaitForExitAsync();
            Assert.Equal(0, install.ExitCode);
        }
        _process = Start("node", ["server.mjs"], folder);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (await _process.StandardOutput.ReadLineAsync(deadline.Token) is { } line)
        {
            if (!line.StartsWith("ready ", StringComparison.Ordinal))
                continue;
            BaseUrl = new Uri(line.Split(' ')[1] + "/");
            _ = _process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return;
        }
        throw new InvalidOperationException("the sample FHIR server ended without saying where it listens");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
            return;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static Process Start(string command, string[] arguments, string folder)
    {
        var start = new ProcessStartInfo(command, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true };
        start.Environment["PORT"] = "0";
        start.Environment["FHIR_SAMPLES"] = TestFiles.Samples;
        return Process.Start(start) ?? throw new InvalidOperationException($"{command} did not start");
    }
}
