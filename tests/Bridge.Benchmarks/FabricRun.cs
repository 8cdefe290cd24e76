using System.Diagnostics;
using System.Globalization;
using Bridge.Sandbox;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Setup;

namespace Bridge.Benchmarks;

/// <summary>A network of <c>network/</c> on the operator's own Fabric binaries, for one run; wiped at its end.</summary>
internal sealed class FabricRun : IAsyncDisposable
{
    private FabricRun(Checkout checkout, string folder, string[] options)
    {
        Checkout = checkout;
        Folder = folder;
        Network = new FabricPart(checkout, Path.Combine(folder, "state"), Path.Combine(folder, "logs"), FabricPart.FreeBase(0), options);
    }

    public Checkout Checkout { get; }

    public string Folder { get; }

    public FabricPart Network { get; }

    /// <summary>Brings a network up; <paramref name="options"/> are those of <c>network/up</c>.</summary>
    /// <exception cref="BenchmarkUsageException">There are no binaries.</exception>
    public static async Task<FabricRun> StartAsync(string[] options, CancellationToken ct)
    {
        if (!FabricPart.IsAvailable)
            throw new BenchmarkUsageException("FABRIC_BIN does not name a directory with Fabric's binaries (peer, orderer, configtxgen, cryptogen, osnadmin): set it and run again");
        var run = new FabricRun(Checkout.Find(), Directory.CreateTempSubdirectory("bridge-bench-").FullName, options);
        try
        {
            Console.WriteLine("  a network is made…");
            await run.Network.StartAsync(ct);
            return run;
        }
        catch (SandboxException e)
        {
            await run.DisposeAsync();
            throw new BenchmarkUsageException(e.Message);
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <summary>Release of the binaries, machine and date, for the first line of what is printed.</summary>
    public static string Conditions()
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Environment.GetEnvironmentVariable("FABRIC_BIN") ?? "", "peer"), ["version"]) { RedirectStandardOutput = true })!;
        var version = process.StandardOutput.ReadToEnd().Split('\n').FirstOrDefault(line => line.Contains("Version:", StringComparison.Ordinal))?.Split(':')[1].Trim();
        process.WaitForExit();
        return string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd}; Fabric {version}; {Environment.ProcessorCount} cores for client, three peers, orderer and contract together; batch timeout 200 ms");
    }

    public async ValueTask DisposeAsync()
    {
        await Network.StopAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>What one client did in one stretch of time.</summary>
/// <param name="Seconds">From the first call to the end of the last.</param>
/// <param name="Cpu">CPU seconds of the client's process.</param>
/// <param name="Latencies">Milliseconds of each call.</param>
internal sealed record Stretch(double Seconds, double Cpu, IReadOnlyList<double> Latencies)
{
    /// <summary>Calls without an end, so many at once, until the time is over and those under way have ended.</summary>
    public static async Task<Stretch> MeasureAsync(int inFlight, TimeSpan time, Func<Task> call)
    {
        var perWorker = new List<double>[inFlight];
        using var self = Process.GetCurrentProcess();
        var cpu = self.TotalProcessorTime;
        var from = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(worker => Task.Run(async () =>
        {
            var latencies = perWorker[worker] = [];
            while (Stopwatch.GetElapsedTime(from) < time)
            {
                var begun = Stopwatch.GetTimestamp();
                await call();
                latencies.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            }
        })));
        var took = Stopwatch.GetElapsedTime(from).TotalSeconds;
        self.Refresh();
        return new Stretch(took, (self.TotalProcessorTime - cpu).TotalSeconds, [.. perWorker.SelectMany(one => one)]);
    }
}

/// <summary>Several stretches of one client under one load.</summary>
internal sealed class Stretches
{
    private readonly List<Stretch> all = [];

    public void Add(Stretch stretch) => all.Add(stretch);

    /// <summary>Calls a second, over all stretches.</summary>
    public double Rate => all.Sum(one => one.Latencies.Count) / all.Sum(one => one.Seconds);

    /// <summary>Milliseconds of the client's CPU for each call.</summary>
    public double CpuPerCall => all.Sum(one => one.Cpu) * 1000 / all.Sum(one => one.Latencies.Count);

    /// <summary>Milliseconds.</summary>
    public double Percentile(double percent) => new Spread(all.SelectMany(one => one.Latencies)).Percentile(percent);

    public string Show() => string.Create(
        CultureInfo.InvariantCulture, $"{Rate,7:0.0} /s   p50 {Percentile(50),6:0.0} ms   p95 {Percentile(95),6:0.0} ms   {CpuPerCall,5:0.00} ms CPU a call");
}
