using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Bridge.Benchmarks;

/// <summary>Where a benchmark's input lies, and on what it runs.</summary>
internal static class SampleBytes
{
    public static string Root { get; } = FindRoot();

    public static string Maps => Path.Combine(Root, "fhir-samples", "maps");

    /// <summary>Cores, runtime and build, for the line of conditions.</summary>
    public static string Machine
    {
        get
        {
#if DEBUG
            const string build = "Debug build: figures mean nothing, use -c Release";
#else
            const string build = "Release";
#endif
            return $"{Environment.ProcessorCount} cores, {RuntimeInformation.FrameworkDescription}, {build}";
        }
    }

    /// <summary>The 100 Synthea bundles, in ordinal order of their names.</summary>
    public static List<byte[]> Synthea()
    {
        using var zip = ZipFile.OpenRead(Shared("synthea-100.zip"));
        var files = new List<byte[]>();
        foreach (var entry in zip.Entries.Where(e => e.Name.EndsWith(".json", StringComparison.Ordinal)).OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            var bytes = new byte[entry.Length];
            using var stream = entry.Open();
            stream.ReadExactly(bytes);
            files.Add(bytes);
        }
        return files;
    }

    /// <summary>A file of the data beside the project.</summary>
    /// <exception cref="BenchmarkUsageException">It is not there.</exception>
    public static string Shared(string name)
    {
        var path = Path.GetFullPath(Path.Combine(Root, "..", "shared", "data", name));
        return File.Exists(path) ? path : throw new BenchmarkUsageException($"the shared data is absent: ../shared/data/{name} beside the project");
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Bridge.sln")))
                return at.FullName;
        throw new BenchmarkUsageException("run it inside the project's tree: the samples are read from there");
    }
}
