using Bridge.Cli;
using Microsoft.Extensions.Time.Testing;

namespace Bridge.Tests.Cli;

/// <summary>Runs <c>bridge</c> in this process, in a folder of its own, with a fixed time.</summary>
internal sealed class CliDesk : IDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 11, 20, 8, 0, 0, TimeSpan.Zero);

    public CliDesk() => Folder = Directory.CreateTempSubdirectory("bridge-cli-").FullName;

    public string Folder { get; }

    public FakeTimeProvider Clock { get; } = new(Now);

    public string Out { get; private set; } = "";

    public string Error { get; private set; } = "";

    public string At(string name) => Path.Combine(Folder, name);

    /// <summary>Words that start with <c>@</c> are files in the folder. What the person types is <paramref name="typed"/>.</summary>
    public async Task<int> RunAsync(string typed, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await BridgeCommand.RunAsync([.. args.Select(a => a.StartsWith('@') ? At(a[1..]) : a)], new Terminal(new StringReader(typed), output, error, Clock));
        (Out, Error) = (output.ToString(), error.ToString());
        return code;
    }

    public async Task DoneAsync(params string[] args)
    {
        var code = await RunAsync("", args);
        if (code != 0)
            throw new InvalidOperationException($"bridge {string.Join(' ', args)} ended with {code}: {Error}{Out}");
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
