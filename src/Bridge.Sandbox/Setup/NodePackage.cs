using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Bridge.Sandbox.Setup;

/// <summary>A package of the checkout that Node.js runs: installed when its lock file changed, built when its sources changed.</summary>
/// <param name="Folder">Where its package.json lies.</param>
/// <param name="Sources">Files and folders that the build reads, relative to <paramref name="Folder"/>; empty: nothing is built.</param>
internal sealed record NodePackage(string Folder, IReadOnlyList<string> Sources)
{
    private const int MinimumNode = 20;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <summary>Checks the toolchain before anything is started.</summary>
    /// <exception cref="SandboxException">Node.js or npm is missing or too old.</exception>
    public static async Task CheckToolchainAsync(CancellationToken ct)
    {
        var (code, version) = await RunAsync("node", ["--version"], Directory.GetCurrentDirectory(), ct);
        var text = version.Trim().TrimStart('v');
        if (code != 0 || !int.TryParse(text.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major))
        {
            throw new SandboxException($"Node.js {MinimumNode} or later is needed (the contract and the sample FHIR server run on it); `node --version` said: {version.Trim()}");
        }

        if (major < MinimumNode)
        {
            throw new SandboxException($"Node.js {MinimumNode} or later is needed; found {text}. Install a newer one and have it first on the PATH.");
        }

        var (npm, said) = await RunAsync(Npm, ["--version"], Directory.GetCurrentDirectory(), ct);
        if (npm != 0)
        {
            throw new SandboxException($"npm is needed (it comes with Node.js); `npm --version` said: {said.Trim()}");
        }
    }

    /// <summary>Installs and builds what changed. Several processes may ask at once: one works, the others wait.</summary>
    /// <returns>False when everything was up to date.</returns>
    public async Task<bool> PrepareAsync(Action<string> progress, CancellationToken ct)
    {
        await using var turn = await TakeTurnAsync(ct);
        var worked = false;
        var name = Path.GetFileName(Folder);

        var dependencies = Hash(["package.json", "package-lock.json"]);
        var installed = Path.Combine(Folder, "node_modules", ".bridge-stamp");
        if (Read(installed) != dependencies)
        {
            progress($"{name}: npm ci");
            await RunOrFailAsync(["ci", "--no-progress", "--no-audit", "--no-fund"], ct);
            await File.WriteAllTextAsync(installed, dependencies + "\n", ct);
            worked = true;
        }

        if (Sources.Count == 0)
        {
            return worked;
        }

        var sources = Hash(["package.json", "package-lock.json", .. Sources]);
        var built = Path.Combine(Folder, "dist", ".bridge-stamp");
        if (Read(built) != sources)
        {
            progress($"{name}: npm run build");
            await RunOrFailAsync(["run", "build", "--silent"], ct);
            await File.WriteAllTextAsync(built, sources + "\n", ct);
            worked = true;
        }

        return worked;
    }

    private static string Npm => OperatingSystem.IsWindows() ? "npm.cmd" : "npm";

    private static string? Read(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : null;

    /// <summary>Of file contents alone for the two package files (as tests/run.sh does); of names and contents for folders.</summary>
    private string Hash(IEnumerable<string> inputs)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var input in inputs)
        {
            var path = Path.Combine(Folder, input);
            if (File.Exists(path))
            {
                hash.AppendData(File.ReadAllBytes(path));
            }
            else if (Directory.Exists(path))
            {
                foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                {
                    hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(Folder, file)));
                    hash.AppendData(File.ReadAllBytes(file));
                }
            }
            else
            {
                throw new SandboxException($"{path} is missing: the checkout is not whole.");
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private async Task<FileStream> TakeTurnAsync(CancellationToken ct)
    {
        if (!Directory.Exists(Folder))
        {
            throw new SandboxException($"{Folder} is missing: the checkout is not whole.");
        }

        var path = Path.Combine(Folder, ".bridge-lock");
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.None);
            }
            catch (IOException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), ct);
            }
        }
    }

    private async Task RunOrFailAsync(string[] arguments, CancellationToken ct)
    {
        var (code, output) = await RunAsync(Npm, arguments, Folder, ct);
        if (code != 0)
        {
            var end = string.Join(Environment.NewLine, output.Split('\n').TakeLast(30).Select(line => "  " + line.TrimEnd()));
            throw new SandboxException($"`npm {string.Join(' ', arguments)}` failed in {Folder} (exit code {code}):{Environment.NewLine}{end}");
        }
    }

    private static async Task<(int Code, string Output)> RunAsync(string program, string[] arguments, string folder, CancellationToken ct)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (127, $"{program}: {e.Message}");
        }

        using (process)
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(ct))
        {
            limit.CancelAfter(Limit);
            process.StandardInput.Close();
            try
            {
                var output = process.StandardOutput.ReadToEndAsync(limit.Token);
                var error = process.StandardError.ReadToEndAsync(limit.Token);
                await process.WaitForExitAsync(limit.Token);
                return (process.ExitCode, await output + await error);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                ct.ThrowIfCancellationRequested();
                return (124, string.Create(CultureInfo.InvariantCulture, $"{program} {string.Join(' ', arguments)} took more than {Limit.TotalMinutes:0} minutes"));
            }
        }
    }
}
