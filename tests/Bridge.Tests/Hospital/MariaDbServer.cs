using System.Diagnostics;
using System.Globalization;
using Bridge.Sandbox.Processes;
using MySql.Data.MySqlClient;

namespace Bridge.Tests.Hospital;

/// <summary>
/// A MariaDB server as a process of its own on a free loopback port, its data in a temporary folder. Most tests share one, each with a database of its own;
/// those that stop, kill or fill a server start theirs. It ends with the process that started it, however that one ends.
/// </summary>
internal sealed class MariaDbServer : IAsyncDisposable
{
    private static readonly Lazy<Task<MariaDbServer>> OfThisRun = new(() => Task.Run(async () =>
    {
        var server = await StartAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => server.End();
        return server;
    }));

    // What a kill of the process leaves behind is all that these servers must survive: nothing waits for a disk.
    private static readonly string[] Fast = ["--innodb-flush-method=nosync", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=2"];

    private static int _databases;

    private readonly string _folder;
    private readonly string _data;
    private readonly string[] _options;
    private Process? _process;

    private MariaDbServer(string folder, string data, string[] options)
    {
        _folder = folder;
        _data = data;
        _options = options;
        Port = Ports.Free();
    }

    public int Port { get; }

    /// <summary>The server that the tests of this run share; started when first asked for.</summary>
    public static Task<MariaDbServer> SharedAsync() => OfThisRun.Value;

    /// <param name="data">Where its data lie; null: in its temporary folder.</param>
    /// <param name="options">More options of mariadbd.</param>
    public static async Task<MariaDbServer> StartAsync(string? data = null, params string[] options)
    {
        var folder = Directory.CreateTempSubdirectory("bridge-mariadb-").FullName;
        var server = new MariaDbServer(folder, data ?? Path.Combine(folder, "data"), options);
        await server.InstallAsync();
        await server.RunAsync();
        return server;
    }

    /// <summary>An empty database; returns what opens it.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"t{Interlocked.Increment(ref _databases)}");
        await ExecuteAsync($"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        return ConnectionString(name);
    }

    /// <summary>Removes a database and the connections to it that this process keeps.</summary>
    public async Task DropDatabaseAsync(string connectionString)
    {
        await using (var pooled = new MySqlConnection(connectionString))
            MySqlConnection.ClearPool(pooled);
        await ExecuteAsync($"DROP DATABASE IF EXISTS {new MySqlConnectionStringBuilder(connectionString).Database}");
    }

    public string ConnectionString(string database, string user = "root") => string.Create(CultureInfo.InvariantCulture,
        $"Server=127.0.0.1;Port={Port};User ID={user};Database={database};SslMode=None");

    /// <summary>Runs statements as the server's administrator.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new MySqlConnection(ConnectionString("mysql") + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Ends it as a power cut of its machine would end the process (SIGKILL).</summary>
    public async Task KillAsync()
    {
        if (int.TryParse(await ReadPidAsync(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            Process.GetProcessById(pid).Kill();
        await EndOfProcessAsync();
    }

    /// <summary>Stops it in order.</summary>
    public async Task StopAsync()
    {
        await ExecuteAsync("SHUTDOWN");
        await EndOfProcessAsync();
    }

    /// <summary>Starts it on its port and its data, and waits until it answers.</summary>
    public async Task RunAsync()
    {
        File.Delete(PidFile);
        // The shell holds this process's pipe: when it closes, by whatever end, the server goes too.
        var start = new ProcessStartInfo("sh", [
            "-c", "exec 3<&0; \"$@\" & server=$!; { read -r _ <&3; kill -KILL $server; } 2>/dev/null & watch=$!; wait $server 2>/dev/null; kill $watch 2>/dev/null", "sh", Program("mariadbd"), "--no-defaults", .. AsRoot(), $"--datadir={_data}", $"--socket={Path.Combine(_folder, "socket")}",
            string.Create(CultureInfo.InvariantCulture, $"--port={Port}"), "--bind-address=127.0.0.1", $"--pid-file={PidFile}", TemporaryFiles(), "--skip-log-bin", "--skip-name-resolve",
            "--max-connections=300", "--table-open-cache=1000", "--open-files-limit=4000", "--innodb-buffer-pool-size=64M", $"--log-error={LogFile}", .. Fast, .. _options])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
        };
        _process = Process.Start(start)!;
        var end = DateTime.UtcNow.AddSeconds(150);
        while (true)
        {
            try
            {
                await ExecuteAsync("DO 0");
                return;
            }
            catch (MySqlException) when (!_process.HasExited && DateTime.UtcNow < end)
            {
                await Task.Delay(50);
            }
            catch (MySqlException e)
            {
                throw new InvalidOperationException($"mariadbd does not answer ({e.Message}): {string.Join(Environment.NewLine, await LogAsync())}");
            }
        }
    }

    /// <summary>Starts it again where it ended by itself, as what runs it as a service does.</summary>
    public async Task ReviveAsync()
    {
        await Task.WhenAny(_process!.WaitForExitAsync(), Task.Delay(TimeSpan.FromSeconds(5)));
        if (!_process.HasExited)
            return;
        await EndOfProcessAsync();
        await RunAsync();
    }

    /// <summary>What the server wrote to its log so far.</summary>
    public async Task<string[]> LogAsync() => File.Exists(LogFile) ? await File.ReadAllLinesAsync(LogFile) : [];

    public async ValueTask DisposeAsync()
    {
        End();
        if (_process is not null)
            await _process.WaitForExitAsync();
    }

    private string PidFile => Path.Combine(_folder, "pid");

    private string LogFile => Path.Combine(_folder, "log");

    private async Task InstallAsync()
    {
        using var install = Process.Start(new ProcessStartInfo(Program("mariadb-install-db"), [
            "--no-defaults", $"--datadir={_data}", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", TemporaryFiles(), .. AsRoot(), .. Fast])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = Task.WhenAll(install.StandardOutput.ReadToEndAsync(), install.StandardError.ReadToEndAsync());
        await install.WaitForExitAsync();
        if (install.ExitCode != 0)
            throw new InvalidOperationException($"mariadb-install-db ended with {install.ExitCode}: {string.Concat(await output)}");
    }

    // Servers that share a folder for temporary files remove each other's.
    private string TemporaryFiles() => "--tmpdir=" + Directory.CreateDirectory(Path.Combine(_folder, "tmp")).FullName;

    private async Task<string> ReadPidAsync() => File.Exists(PidFile) ? (await File.ReadAllTextAsync(PidFile)).Trim() : "";

    private async Task EndOfProcessAsync()
    {
        if (_process is null)
            return;
        await _process.WaitForExitAsync();
        _process.StandardInput.Close();
        _process.Dispose();
        _process = null;
    }

    private void End()
    {
        _process?.StandardInput.Close();
        _process?.WaitForExit(TimeSpan.FromSeconds(10));
        Directory.Delete(_folder, recursive: true);
    }

    private static string[] AsRoot() => Environment.UserName == "root" ? ["--user=root"] : [];

    private static string Program(string name) =>
        ((string[])["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')])
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException($"{name} is not on this machine: tests/run.sh installs it (Debian's mariadb-server)");
}
