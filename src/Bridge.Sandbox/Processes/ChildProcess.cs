using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Bridge.Sandbox.Processes;

/// <summary>What to start, and where its output goes.</summary>
/// <param name="Name">Shown in messages.</param>
/// <param name="Program">Program on the PATH, or a path.</param>
/// <param name="Arguments">One element an argument, unquoted.</param>
/// <param name="LogFile">Takes what the process prints; appended to.</param>
/// <param name="Environment">Added to this process's environment; null removes a variable.</param>
/// <param name="WorkingDirectory">Default: this process's.</param>
internal sealed record ChildCommand(
    string Name,
    string Program,
    IReadOnlyList<string> Arguments,
    string LogFile,
    IReadOnlyDictionary<string, string?>? Environment = null,
    string? WorkingDirectory = null);

/// <summary>A process of its own: started, watched until it says that it is ready, stopped gracefully or killed.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptLines = 40;

    private readonly Process process;
    private readonly StreamWriter log;
    private readonly Lock gate = new();
    private readonly List<string> lines = [];
    private readonly Queue<string> last = new();
    private readonly Task ended;
    private TaskCompletionSource moreOutput = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(ChildCommand command, Process process, StreamWriter log)
    {
        Command = command;
        this.process = process;
        this.log = log;
        var outputs = Task.WhenAll(CopyAsync(process.StandardOutput), CopyAsync(process.StandardError));
        ended = EndAsync(outputs);
    }

    public ChildCommand Command { get; }

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>Meaningful once <see cref="HasExited"/>.</summary>
    public int ExitCode => process.ExitCode;

    /// <exception cref="SandboxException">The program is not there.</exception>
    public static ChildProcess Start(ChildCommand command)
    {
        var start = new ProcessStartInfo(command.Program, command.Arguments)
        {
            UseShellExecute = false,
            // A process that watches its standard input ends with its parent, even where the parent is killed.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = command.WorkingDirectory ?? "",
        };
        foreach (var (key, value) in command.Environment ?? new Dictionary<string, string?>())
        {
            start.Environment[key] = value;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(command.LogFile)!);
        var log = new StreamWriter(new FileStream(command.LogFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
        try
        {
            return new ChildProcess(command, Process.Start(start)!, log);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            log.Dispose();
            throw new SandboxException($"{command.Name}: {command.Program} cannot be started ({e.Message})");
        }
    }

    /// <summary>Waits until a line of output matches, the whole output so far included.</summary>
    /// <exception cref="SandboxException">The process ended, or did not say it in time; with its last lines.</exception>
    public async Task<Match> WaitForOutputAsync(Regex pattern, TimeSpan limit, CancellationToken ct)
    {
        var from = 0;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(limit);
        while (true)
        {
            Task more;
            lock (gate)
            {
                for (; from < lines.Count; from++)
                {
                    if (pattern.Match(lines[from]) is { Success: true } match)
                    {
                        return match;
                    }
                }

                more = moreOutput.Task;
            }

            try
            {
                var first = await Task.WhenAny(more, ended).WaitAsync(deadline.Token);
                if (first == ended && more.IsCompleted is false)
                {
                    throw new SandboxException($"{Command.Name} ended with exit code {ExitCode}.{Tail()}");
                }
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new SandboxException(
                    string.Create(CultureInfo.InvariantCulture, $"{Command.Name} was not ready after {limit.TotalSeconds:0} s.{Tail()}"));
            }
        }
    }

    /// <summary>Waits for the process's own end.</summary>
    public async Task<int> WaitForExitAsync(CancellationToken ct)
    {
        await ended.WaitAsync(ct);
        return process.ExitCode;
    }

    /// <summary>All it printed so far, line by line.</summary>
    public IReadOnlyList<string> Output()
    {
        lock (gate)
        {
            return [.. lines];
        }
    }

    /// <summary>Asks it to end (SIGTERM), and kills it when it has not after <paramref name="patience"/>.</summary>
    /// <returns>False when it had to be killed.</returns>
    public async Task<bool> StopAsync(TimeSpan patience)
    {
        if (!process.HasExited)
        {
            if (OperatingSystem.IsWindows())
            {
                process.Kill(entireProcessTree: true);
            }
            else
            {
                using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
                await kill.WaitForExitAsync();
            }
        }

        try
        {
            await ended.WaitAsync(patience);
            return true;
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            await ended;
            return false;
        }
    }

    /// <summary>Ends it at once, as a power cut would (SIGKILL): nothing of its own runs any more.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await ended;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.FromSeconds(10));
        process.Dispose();
        await log.DisposeAsync();
    }

    private string Tail()
    {
        lock (gate)
        {
            var text = last.Count == 0 ? " It printed nothing." : $" The end of its output:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", last)}";
            return $"{text}{Environment.NewLine}  (all of it: {Command.LogFile})";
        }
    }

    private async Task EndAsync(Task outputs)
    {
        await process.WaitForExitAsync();
        // A grandchild may hold the pipes open: what it would still print is not waited for long.
        await Task.WhenAny(outputs, Task.Delay(TimeSpan.FromSeconds(2)));
        lock (gate)
        {
            moreOutput.TrySetResult();
            moreOutput = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private async Task CopyAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            TaskCompletionSource woken;
            lock (gate)
            {
                lines.Add(line);
                last.Enqueue(line);
                if (last.Count > KeptLines)
                {
                    last.Dequeue();
                }

                log.WriteLine(line);
                woken = moreOutput;
                moreOutput = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            woken.TrySetResult();
        }
    }
}
