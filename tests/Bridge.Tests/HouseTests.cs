using System.Diagnostics;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bridge.Tests;

/// <summary>The house rules that no compiler holds: who may reference whom, log event ids, what may be committed.</summary>
public partial class HouseTests
{
    private static readonly string Root = FindRoot();

    /// <summary>References are the data flow. A room that is not listed does not exist.</summary>
    private static readonly Dictionary<string, string[]> Walls = new(StringComparer.Ordinal)
    {
        ["Bridge.Records"] = [],
        ["Bridge.Fhir"] = ["Bridge.Records"],
        ["Bridge.Ledger"] = ["Bridge.Records"],
        ["Bridge.Ordering"] = ["Bridge.Ledger"],
        ["Bridge.DevLedger"] = ["Bridge.Ledger", "Bridge.Ordering"],
        ["Bridge.Hospital"] = ["Bridge.Fhir", "Bridge.Ledger", "Bridge.Records"],
        ["Bridge.Portal"] = ["Bridge.Ledger", "Bridge.Records"],
        ["Bridge.Cli"] = ["Bridge.Ledger", "Bridge.Records"],
        ["Bridge.Sandbox"] =
        [
            "Bridge.Records", "Bridge.Fhir", "Bridge.Ledger", "Bridge.Ordering", "Bridge.DevLedger", "Bridge.Hospital", "Bridge.Portal", "Bridge.Cli",
        ],
    };

    private static readonly string[] MaySpeakProtobuf = ["Bridge.Ledger", "Bridge.DevLedger", "Bridge.Ordering"];

    [Fact]
    public void ProjectFiles_References_StayWithinTheWalls()
    {
        var faults = new List<string>();
        foreach (var (room, path) in ProjectFiles())
        {
            if (!Walls.TryGetValue(room, out var allowed))
            {
                faults.Add($"{room} is not in the list of rooms");
                continue;
            }

            var project = XDocument.Load(path);
            foreach (var reference in project.Descendants("ProjectReference").Select(e => (string?)e.Attribute("Include") ?? ""))
            {
                var target = Path.GetFileNameWithoutExtension(reference.Replace('\\', '/'));
                if (!allowed.Contains(target))
                {
                    faults.Add($"{room} references {target}");
                }
            }

            var packages = project.Descendants("PackageReference").Select(e => (string?)e.Attribute("Include") ?? "").ToArray();
            if (room == "Bridge.Records" && packages.Length > 0)
            {
                faults.Add($"{room} references packages: {string.Join(", ", packages)}");
            }

            foreach (var package in packages.Where(p => IsProtobuf(p) && !MaySpeakProtobuf.Contains(room)))
            {
                faults.Add($"{room} references package {package}");
            }

            foreach (var element in project.Descendants("DisableTransitiveProjectReferences").Where(e => (string)e != "true"))
            {
                faults.Add($"{room} sets {element}");
            }
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public void Assemblies_References_StayWithinTheWalls()
    {
        var roomOfAssembly = ProjectFiles().ToDictionary(p => AssemblyName(p.Path), p => p.Room, StringComparer.OrdinalIgnoreCase);
        var faults = new List<string>();
        foreach (var (assembly, room) in roomOfAssembly)
        {
            var file = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
            Assert.True(File.Exists(file), $"{file} is missing: add a ProjectReference to {room} to this test project");
            using var stream = File.OpenRead(file);
            using var image = new PEReader(stream);
            var metadata = image.GetMetadataReader();
            foreach (var name in metadata.AssemblyReferences.Select(h => metadata.GetString(metadata.GetAssemblyReference(h).Name)))
            {
                if (roomOfAssembly.TryGetValue(name, out var target) && !Walls[room].Contains(target))
                {
                    faults.Add($"{room} uses {target}");
                }

                if (IsProtobuf(name) && !MaySpeakProtobuf.Contains(room))
                {
                    faults.Add($"{room} uses {name}");
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public void Solution_Projects_AreAllListed()
    {
        var solution = File.ReadAllText(Path.Combine(Root, "Bridge.sln"));

        var missing = ProjectFiles().Select(p => p.Path)
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.csproj", SearchOption.AllDirectories))
            .Select(Path.GetFileName)
            .Where(name => !solution.Contains(name!, StringComparison.Ordinal));

        Assert.Empty(missing);
    }

    [Fact]
    public void LoggerMessages_EventIds_AreGivenAndUnique()
    {
        var seen = new Dictionary<int, string>();
        var faults = new List<string>();
        foreach (var name in ProjectFiles().Select(p => AssemblyName(p.Path)))
        {
            var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, name + ".dll"));
            const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
            foreach (var method in assembly.GetTypes().SelectMany(type => type.GetMethods(All)))
            {
                var attribute = method.GetCustomAttribute<LoggerMessageAttribute>();
                if (attribute is null)
                {
                    continue;
                }

                var where = $"{method.DeclaringType}.{method.Name}";
                if (attribute.EventId <= 0)
                {
                    faults.Add($"{where} has no event id");
                }
                else if (!seen.TryAdd(attribute.EventId, where))
                {
                    faults.Add($"{where} and {seen[attribute.EventId]} share event id {attribute.EventId}");
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public void TrackedFiles_Content_HoldsNoKeysMachinePathsOrRegistries()
    {
        var faults = new List<string>();
        foreach (var file in TrackedFiles().Where(f => !IsBinary(f)))
        {
            var text = File.ReadAllText(Path.Combine(Root, file));
            foreach (var (what, pattern) in Forbidden)
            {
                if (pattern.Match(text) is { Success: true } match)
                {
                    var line = text.AsSpan(0, match.Index).Count('\n') + 1;
                    faults.Add($"{file}:{line}: {what}");
                }
            }

            // A checkout whose own path stands in a file was written there by a tool or by mistake.
            if (Root.Length > 4 && text.Contains(Root + '/', StringComparison.Ordinal))
            {
                faults.Add($"{file}: the path of this checkout");
            }

            var name = Path.GetFileName(file);
            if (name is "package-lock.json" && text.Contains("\"resolved\": \"http", StringComparison.Ordinal))
            {
                faults.Add($"{file}: addresses of a registry (omit-lockfile-registry-resolved)");
            }

            if ((name == ".npmrc" && text.Contains("registry=", StringComparison.Ordinal)) || name.Equals("nuget.config", StringComparison.OrdinalIgnoreCase))
            {
                faults.Add($"{file}: names a registry; that is the machine's own setting");
            }
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    /// <summary>What the audit log notes is read by operators: every act has its words. Chinese ones are held to the English by the catalogues' own test.</summary>
    [Fact]
    public void AuditEntries_Actions_HaveAText()
    {
        var texts = File.ReadAllText(Path.Combine(Root, "src/web/console/src/texts/en.ts"));
        var actions = TrackedFiles().Where(f => f.StartsWith("src/Bridge.Hospital/", StringComparison.Ordinal) && f.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(f => AuditedAction().Matches(File.ReadAllText(Path.Combine(Root, f)))).Select(match => match.Groups[1].Value).Distinct().ToList();

        Assert.True(actions.Count > 50, $"{actions.Count} found");
        Assert.DoesNotContain(actions, action => !texts.Contains($"'did.{action}'", StringComparison.Ordinal));
    }

    /// <summary>The one thing of style that neither the build nor the formatter of white space sees.</summary>
    [Fact]
    public void SourceFiles_Usings_StandInOrderSystemFirst()
    {
        var faults = new List<string>();
        foreach (var file in TrackedFiles().Where(f => f.EndsWith(".cs", StringComparison.Ordinal)))
        {
            var names = File.ReadLines(Path.Combine(Root, file)).TakeWhile(line => line.Length == 0 || line.StartsWith("using ", StringComparison.Ordinal) || line.StartsWith('#'))
                .Select(line => PlainUsing().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value).ToList();
            var ordered = names.OrderBy(name => name == "System" || name.StartsWith("System.", StringComparison.Ordinal) ? 0 : 1)
                .ThenBy(name => name.Replace('.', '\0'), StringComparer.OrdinalIgnoreCase);
            if (names.Zip(ordered).FirstOrDefault(pair => pair.First != pair.Second) is { First: { } misplaced })
                faults.Add($"{file}: using {misplaced} is out of order");
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [GeneratedRegex(@"^using ([\w.]+);$")]
    private static partial Regex PlainUsing();

    /// <summary>Each pattern is written so that it does not match this file.</summary>
    private static readonly (string What, Regex Pattern)[] Forbidden =
    [
        ("a private key (PEM)", PrivateKeyPem()),
        ("a private key (base64 of PKCS#8 or SEC 1, P-256)", PrivateKeyBase64()),
        ("a private key (JWK)", PrivateKeyJwk()),
        ("a path of somebody's machine", MachinePath()),
        ("the host of a package registry", RegistryHost()),
    ];

    [GeneratedRegex("-----BEGIN (EC |RSA |ENCRYPTED |)PRIVATE KE[Y]-----")]
    private static partial Regex PrivateKeyPem();

    [GeneratedRegex("MIGHAgEAMBMGByqGSM4[9]|MHcCAQEEI[A-P]")]
    private static partial Regex PrivateKeyBase64();

    [GeneratedRegex("""["']?kty["']?\s*:\s*["'](EC|RSA|OKP)["'][^{}]*["']?\bd["']?\s*:\s*["'][A-Za-z0-9_-]{20}""")]
    private static partial Regex PrivateKeyJwk();

    [GeneratedRegex("""(?<![\w.$}~/-])/(work|root|home/[a-z]\w*)/|[A-Z]:\\Users\\""")]
    private static partial Regex MachinePath();

    [GeneratedRegex("""AppendAsync\(\s*work,[^;]*?"([a-z]+\.[a-z-]+)["]""")]
    private static partial Regex AuditedAction();

    [GeneratedRegex("""registry\.npmjs[.]org|api\.nuget[.]org|proxy\.golang[.]org|deb\.debian[.]org|files\.pythonhosted[.]org""")]
    private static partial Regex RegistryHost();

    private static bool IsProtobuf(string name) =>
        name.StartsWith("Google.Protobuf", StringComparison.Ordinal) || name.StartsWith("Grpc.", StringComparison.Ordinal);

    private static IEnumerable<(string Room, string Path)> ProjectFiles() =>
        Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(path => !path.Contains("node_modules", StringComparison.Ordinal))
            .Select(path => (Path.GetFileNameWithoutExtension(path), path));

    private static string AssemblyName(string projectFile) =>
        (string?)XDocument.Load(projectFile).Descendants("AssemblyName").FirstOrDefault() ?? Path.GetFileNameWithoutExtension(projectFile);

    private static bool IsBinary(string file)
    {
        Span<byte> start = stackalloc byte[4096];
        using var stream = File.OpenRead(Path.Combine(Root, file));
        return start[..stream.Read(start)].Contains((byte)0);
    }

    private static string[] TrackedFiles()
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files", "-z"]) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        var names = git.StandardOutput.ReadToEnd().Split('\0', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        Assert.True(git.ExitCode == 0 && names.Length > 0, "git ls-files found nothing: run the tests in a checkout");
        return [.. names.Where(name => File.Exists(Path.Combine(Root, name)))];
    }

    internal static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Bridge.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"No Bridge.sln above {AppContext.BaseDirectory}");
    }
}
