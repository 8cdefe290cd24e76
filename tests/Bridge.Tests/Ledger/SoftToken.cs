using System.Diagnostics;
using System.Security.Cryptography;
using Bridge.Ledger;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;

namespace Bridge.Tests.Ledger;

/// <summary>A real token (SoftHSM) in a folder of its own, without keys.</summary>
public class SoftToken : IDisposable
{
    public const string Pin = "4711";
    private const string Variable = "SOFTHSM2_CONF";
    private static readonly string[] Places =
        ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"];
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("bridge-token-");

    public SoftToken()
    {
        Library = Array.Find(Places, File.Exists) ?? throw new InvalidOperationException("SoftHSM is not installed: apt-get install softhsm2 (tests/run.sh does)");
        Directory.CreateDirectory(PathOf("tokens"));
        File.WriteAllText(PathOf("softhsm2.conf"), $"directories.tokendir = {PathOf("tokens")}\nobjectstore.backend = file\nlog.level = ERROR\n");
        // SoftHSM reads its environment in C, where .NET's own copy of it does not reach.
        Environment.SetEnvironmentVariable(Variable, PathOf("softhsm2.conf"));
        _ = SetInC(Variable, PathOf("softhsm2.conf"), 1);
        Run("--init-token", "--free", "--label", "bridge", "--pin", Pin, "--so-pin", "0815");
        File.WriteAllText(PathOf("pin"), Pin + "\n");
    }

    public string Library { get; }

    /// <summary>A file of the token's folder; <c>pin</c> holds the PIN.</summary>
    public string PathOf(string name) => Path.Combine(folder.FullName, name);

    /// <summary>What drawing the token or a fault of its connection does to every session of this process.</summary>
    public void CloseAllSessions()
    {
        System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(Pkcs11Key).TypeHandle);
        var factories = new Pkcs11InteropFactories();
        var library = factories.Pkcs11LibraryFactory.LoadPkcs11Library(factories, Library, AppType.MultiThreaded);
        foreach (var slot in library.GetSlotList(SlotsType.WithTokenPresent))
            slot.CloseAllSessions();
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        folder.Delete(recursive: true);
    }

    /// <summary>Puts a copy of a key into the token.</summary>
    public void Import(ECDsa key, string label, string id)
    {
        File.WriteAllText(PathOf("import.pem"), key.ExportPkcs8PrivateKeyPem());
        Run("--import", PathOf("import.pem"), "--token", "bridge", "--label", label, "--id", id, "--pin", Pin);
        File.Delete(PathOf("import.pem"));
    }

    private static void Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("softhsm2-util", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"softhsm2-util {arguments[0]}: {said}");
    }

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "setenv", CharSet = System.Runtime.InteropServices.CharSet.Ansi)]
    [System.Runtime.InteropServices.DefaultDllImportSearchPaths(System.Runtime.InteropServices.DllImportSearchPath.SafeDirectories)]
    private static extern int SetInC(
        [System.Runtime.InteropServices.MarshalAs(System.Runtime.InteropServices.UnmanagedType.LPUTF8Str)] string name,
        [System.Runtime.InteropServices.MarshalAs(System.Runtime.InteropServices.UnmanagedType.LPUTF8Str)] string value,
        int overwrite);
}
