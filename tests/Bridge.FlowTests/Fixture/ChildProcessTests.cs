using System.Text.RegularExpressions;
using Bridge.Sandbox;
using Bridge.Sandbox.Processes;
using Xunit;

namespace Bridge.FlowTests.Fixture;

public partial class ChildProcessTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly string folder = Directory.CreateTempSubdirectory("bridge-child-").FullName;

    public void Dispose()
    {
        Directory.Delete(folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task WaitForOutput_LineComesLater_ReturnsTheMatch()
    {
        await using var child = ChildProcess.Start(Node("console.log('starting'); setTimeout(() => console.log('listening on 4711'), 50); setInterval(() => {}, 1e6)"));

        var match = await child.WaitForOutputAsync(Listening(), Limit, TestContext.Current.CancellationToken);

        Assert.Equal("4711", match.Groups[1].Value);
        Assert.True(await child.StopAsync(Limit));
    }

    [Fact]
    public async Task WaitForOutput_ProcessEndsFirst_SaysWhyWithItsLastLines()
    {
        await using var child = ChildProcess.Start(Node("console.error('no such port'); process.exit(3)"));

        var failure = await Assert.ThrowsAsync<SandboxException>(
            () => child.WaitForOutputAsync(Listening(), Limit, TestContext.Current.CancellationToken));

        Assert.Contains("ended with exit code 3", failure.Message, StringComparison.Ordinal);
        Assert.Contains("no such port", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kill_ProcessIgnoresTermination_IsGone()
    {
        await using var child = ChildProcess.Start(Node("process.on('SIGTERM', () => {}); console.log('listening on 1'); setInterval(() => {}, 1e6)"));
        await child.WaitForOutputAsync(Listening(), Limit, TestContext.Current.CancellationToken);

        await child.KillAsync();

        Assert.True(child.HasExited);
        Assert.Contains("listening on 1", await File.ReadAllTextAsync(child.Command.LogFile, TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public void Start_ProgramIsMissing_SaysWhich()
    {
        var failure = Assert.Throws<SandboxException>(() => ChildProcess.Start(new ChildCommand("part", "no-such-program", [], Path.Combine(folder, "log"))));

        Assert.Contains("no-such-program", failure.Message, StringComparison.Ordinal);
    }

    private ChildCommand Node(string script) => new("part", "node", ["--eval", script], Path.Combine(folder, "part.log"));

    [GeneratedRegex(@"listening on (\d+)")]
    private static partial Regex Listening();
}
