using Bridge.Sandbox.Processes;
using Xunit;

namespace Bridge.FlowTests.Sandbox;

/// <summary>The README's second command, as a person runs it.</summary>
public class WalkthroughTests
{
    [Fact]
    public async Task Walkthrough_AsAProcess_EndsWithZeroAndLeavesNothing()
    {
        var ct = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("bridge-walk-test-").FullName;
        try
        {
            var temporary = Directory.CreateDirectory(Path.Combine(folder, "tmp")).FullName;
            await using var walkthrough = ChildProcess.Start(Dotnet.Command(
                "The walkthrough", "Bridge.Sandbox", ["walkthrough"], Path.Combine(folder, "log"), new Dictionary<string, string?> { ["TMPDIR"] = temporary }));

            var code = await walkthrough.WaitForExitAsync(ct);

            var output = string.Join('\n', walkthrough.Output());
            Assert.True(code == 0, output);
            Assert.Contains("gone again", output, StringComparison.Ordinal);
            Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(temporary), entry => Path.GetFileName(entry).StartsWith("bridge-walkthrough-", StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
