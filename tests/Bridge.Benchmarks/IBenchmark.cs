namespace Bridge.Benchmarks;

/// <summary>One named measurement. Implementations need a constructor without parameters; they are found by reflection.</summary>
internal interface IBenchmark
{
    /// <summary>What the command line calls it, such as <c>extract</c>.</summary>
    string Name { get; }

    /// <summary>One line for the list.</summary>
    string What { get; }

    /// <summary>
    /// Measures, prints what was seen and under which conditions, and returns the figures with their goals; none where the run was only a part
    /// of another one (a process that a benchmark starts itself).
    /// </summary>
    /// <exception cref="BenchmarkUsageException">The options or the machine do not fit: the message says what to do.</exception>
    Task<IReadOnlyList<Goal>> RunAsync(string[] options, CancellationToken cancellation);
}

/// <summary>A measured figure beside its goal, both with their units.</summary>
/// <param name="Figure">Such as <c>0.91 of a bare walk</c>.</param>
/// <param name="Target">Such as <c>≥ 0.8</c>.</param>
/// <param name="Met">Whether the figure reaches it.</param>
internal sealed record Goal(string Figure, string Target, bool Met);

/// <summary>A benchmark cannot run as asked.</summary>
internal sealed class BenchmarkUsageException(string message) : Exception(message);

/// <summary>What all benchmarks share: exit codes, the closing line, the list.</summary>
internal static class Benchmark
{
    public const int Met = 0;
    public const int Usage = 2;
    public const int Missed = 3;

    public static IReadOnlyList<IBenchmark> All() =>
        [.. typeof(IBenchmark).Assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IBenchmark)))
            .Select(t => (IBenchmark)Activator.CreateInstance(t)!).OrderBy(b => b.Name, StringComparer.Ordinal)];

    public static string LastLine(string name, IReadOnlyList<Goal> goals) =>
        $"{name}: {string.Join("; ", goals.Select(g => g.Figure))} (goal {string.Join("; ", goals.Select(g => g.Target))})";
}
