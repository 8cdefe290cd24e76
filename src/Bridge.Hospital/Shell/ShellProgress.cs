using System.Globalization;
using Spectre.Console;

namespace Bridge.Hospital.Shell;

/// <summary>Progress of long work: bars on a terminal, lines where the output is piped, nothing beside JSON.</summary>
internal static class ShellProgress
{
    /// <summary>Runs the work with something to report to.</summary>
    public static async Task<T> RunAsync<T>(TextWriter output, bool silent, Func<IShellTasks, Task<T>> work)
    {
        if (silent)
            return await work(new Silent());
        if (!ReferenceEquals(output, Console.Out) || Console.IsOutputRedirected)
            return await work(new Lines(output));
        return await AnsiConsole.Progress().AutoClear(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(context => work(new Bars(context)));
    }

    private sealed class Silent : IShellTasks
    {
        public IShellTask Begin(string what, long of) => new Task();

        private sealed class Task : IShellTask
        {
            public void Advance(long by)
            {
            }

            public void End(string result)
            {
            }
        }
    }

    // A line when a piece of work ends, and one every few seconds while it is under way.
    private sealed class Lines(TextWriter output) : IShellTasks
    {
        private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

        public IShellTask Begin(string what, long of) => new Task(output, what, of);

        private sealed class Task(TextWriter output, string what, long of) : IShellTask
        {
            private long _done;
            private long _said = Environment.TickCount64;

            public void Advance(long by)
            {
                var done = Interlocked.Add(ref _done, by);
                var now = Environment.TickCount64;
                var said = Interlocked.Read(ref _said);
                if (now - said >= Pause.TotalMilliseconds && Interlocked.CompareExchange(ref _said, now, said) == said)
                    output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {what}: {done}{(of > 0 ? $" of {of}" : "")}"));
            }

            public void End(string result) => output.WriteLine($"  {what}: {result}");
        }
    }

    private sealed class Bars(ProgressContext context) : IShellTasks
    {
        public IShellTask Begin(string what, long of) => new Task(context.AddTask(Markup.Escape(what), maxValue: Math.Max(1, of)), what, of);

        private sealed class Task(ProgressTask bar, string what, long of) : IShellTask
        {
            public void Advance(long by)
            {
                if (of > 0)
                    bar.Increment(by);
            }

            public void End(string result)
            {
                bar.Description = Markup.Escape($"{what}: {result}");
                bar.Value = bar.MaxValue;
                bar.StopTask();
            }
        }
    }
}

/// <summary>Pieces of long work.</summary>
internal interface IShellTasks
{
    /// <param name="what">In a few words.</param>
    /// <param name="of">How much there is; 0 where that is not known.</param>
    IShellTask Begin(string what, long of);
}

/// <summary>One piece; safe for use by many threads.</summary>
internal interface IShellTask
{
    void Advance(long by);

    void End(string result);
}
