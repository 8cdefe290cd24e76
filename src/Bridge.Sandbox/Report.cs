using System.Diagnostics;
using System.Globalization;

namespace Bridge.Sandbox;

/// <summary>Prints what happens, one line a step, with the seconds that it took.</summary>
internal sealed class Report(TextWriter output)
{
    private readonly Stopwatch whole = Stopwatch.StartNew();

    public TimeSpan Elapsed => whole.Elapsed;

    public void Line(string text) => output.WriteLine($"            {text}");

    public void Heading(string text)
    {
        output.WriteLine();
        output.WriteLine(text);
    }

    public async Task StepAsync(string what, Func<Task> work) => await StepAsync(what, async () =>
    {
        await work();
        return true;
    });

    /// <summary>The line is printed when the step is done; a failure passes through with the step's name.</summary>
    public async Task<T> StepAsync<T>(string what, Func<Task<T>> work)
    {
        var watch = Stopwatch.StartNew();
        try
        {
            var result = await work();
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {watch.Elapsed.TotalSeconds,6:0.00} s  {what}"));
            return result;
        }
        catch (Exception)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {watch.Elapsed.TotalSeconds,6:0.00} s  FAILED: {what}"));
            throw;
        }
    }
}
