using Bridge.Hospital.Checking;
using Xunit;

namespace Bridge.Tests.Hospital.Checking;

/// <summary>Looks into a check's report.</summary>
internal static class Reports
{
    public static string Text(this CheckReport report) => string.Join(Environment.NewLine, report.Lines);

    /// <summary>The one line of that name; it says what it saw, and what to do unless all is well.</summary>
    public static CheckLine Only(this CheckReport report, string name, CheckState? state = null)
    {
        var lines = report.Lines.Where(line => line.Name == name).ToList();
        Assert.True(lines.Count == 1 && (state is null || lines[0].State == state), $"'{name}' should be {state} once:{Environment.NewLine}{report.Text()}");
        Assert.True(lines[0].Says.Length > 0 && (lines[0].State == CheckState.Good) == (lines[0].Cure is null), lines[0].ToString());
        return lines[0];
    }
}

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("bridge-check-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
