using System.Diagnostics;

namespace Bridge.Benchmarks;

/// <summary>This program once more as a process of its own, so that its memory and processor time can be told from others'.</summary>
internal sealed class Child : IDisposable
{
    private readonly Process _process;

    private Child(Process process) => _process = process;

    public static Child Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardInput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(Child).Assembly.Location);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return new Child(Process.Start(start) ?? throw new InvalidOperationException("no process started"));
    }

    /// <summary>What it says next that begins with this word; what is before is passed on to the console.</summary>
    public async Task<string> SaysAsync(string word, CancellationToken cancellation)
    {
        while (await _process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            if (line.StartsWith(word + " ", StringComparison.Ordinal))
                return line[(word.Length + 1)..];
            Console.WriteLine(line);
        }
        throw new InvalidOperationException($"a process of the benchmark ended without saying '{word}'");
    }

    /// <summary>Runs it to its end and returns the line that begins with this word.</summary>
    public static async Task<string> RunAsync(string word, CancellationToken cancellation, params string[] arguments)
    {
        using var child = Start(arguments);
        var line = await child.SaysAsync(word, cancellation);
        await child._process.WaitForExitAsync(cancellation);
        return line;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
