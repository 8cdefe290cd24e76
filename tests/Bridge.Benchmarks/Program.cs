using Bridge.Benchmarks;

// The numbers that the README claims. Each benchmark is one file here: a class that implements IBenchmark is found by itself.
var all = Benchmark.All();
if (args.Length == 0)
{
    Console.WriteLine("dotnet run -c Release --project tests/Bridge.Benchmarks -- <name> [options]");
    foreach (var benchmark in all)
        Console.WriteLine($"  {benchmark.Name,-16} {benchmark.What}");
    return 0;
}
if (all.FirstOrDefault(b => b.Name == args[0]) is not { } chosen)
{
    Console.Error.WriteLine($"There is no benchmark '{args[0]}'; there are: {string.Join(", ", all.Select(b => b.Name))}");
    return Benchmark.Usage;
}
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
try
{
    var goals = await chosen.RunAsync(args[1..], stop.Token);
    if (goals.Count == 0)
        return Benchmark.Met;
    Console.WriteLine(Benchmark.LastLine(chosen.Name, goals));
    return goals.All(g => g.Met) ? Benchmark.Met : Benchmark.Missed;
}
catch (BenchmarkUsageException e)
{
    Console.Error.WriteLine($"{chosen.Name}: {e.Message}");
    return Benchmark.Usage;
}
