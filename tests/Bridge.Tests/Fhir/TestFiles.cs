using System.Formats.Tar;
using System.IO.Compression;
using Bridge.Fhir.Extraction;
using Xunit;

namespace Bridge.Tests.Fhir;

/// <summary>Where the tests' FHIR data lies: the project's own samples, and the shared sets beside the project.</summary>
internal static class TestFiles
{
    public static string Root { get; } = FindRoot();

    public static string Samples => Path.Combine(Root, "fhir-samples");

    public static string Maps => Path.Combine(Samples, "maps");

    public static Lazy<Terminology> SampleTerms { get; } = new(() => Terminology.LoadFolder(Maps));

    /// <summary>A file of the shared data; the test is skipped, with the reason, where it is absent.</summary>
    public static string Shared(string name)
    {
        var path = Path.GetFullPath(Path.Combine(Root, "..", "shared", "data", name));
        if (!File.Exists(path))
            Assert.Skip($"the shared test data is absent: ../shared/data/{name}");
        return path;
    }

    /// <summary>The Synthea bundles by file name, in ordinal order.</summary>
    public static List<(string Name, byte[] Json)> Synthea()
    {
        using var zip = ZipFile.OpenRead(Shared("synthea-100.zip"));
        var files = new List<(string, byte[])>();
        foreach (var entry in zip.Entries.Where(e => e.Name.EndsWith(".json", StringComparison.Ordinal)).OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            using var stream = entry.Open();
            files.Add((entry.Name, ReadAll(stream)));
        }
        return files;
    }

    /// <summary>The one Synthea bundle whose file name starts so.</summary>
    public static byte[] Synthea(string startsWith)
    {
        using var zip = ZipFile.OpenRead(Shared("synthea-100.zip"));
        using var stream = zip.Entries.Single(e => e.Name.StartsWith(startsWith, StringComparison.Ordinal)).Open();
        return ReadAll(stream);
    }

    /// <summary>The regular files of a tar.gz, by file name.</summary>
    public static List<(string Name, byte[] Bytes)> TarGz(string name)
    {
        var files = new List<(string, byte[])>();
        using var gzip = new GZipStream(File.OpenRead(Shared(name)), CompressionMode.Decompress);
        using var tar = new TarReader(gzip);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && entry.DataStream is { } data)
                files.Add((Path.GetFileName(entry.Name), ReadAll(data)));
        }
        return [.. files.OrderBy(f => f.Item1, StringComparer.Ordinal)];
    }

    public static byte[] Gunzip(byte[] bytes)
    {
        using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        return ReadAll(gzip);
    }

    private static byte[] ReadAll(Stream stream)
    {
        using var memory = new MemoryStream();
        stream.CopyTo(memory);
        return memory.ToArray();
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Bridge.sln")))
                return at.FullName;
        }
        throw new InvalidOperationException("the tests run outside the project's tree");
    }
}
