using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bridge.Ledger;

namespace Bridge.FlowTests.DevLedger;

/// <summary>The dev ledger as a process of its own, that can be killed at any moment.</summary>
internal sealed class DevLedgerProcess : IDisposable
{
    private readonly Process process;
    private readonly string data;

    private DevLedgerProcess(Process process, string data) => (this.process, this.data) = (process, data);

    public static async Task<DevLedgerProcess> StartAsync(string data, Uri contract, CancellationToken ct)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
        {
            typeof(Bridge.DevLedger.DevLedgerHost).Assembly.Location, "--data", data, "--name", "fixture", "--batch-timeout", "20",
            "--chaincode-address", contract.GetLeftPart(UriPartial.Authority),
            "--collections", Path.Combine(FixtureContract.Folder, "collections.json"),
        })
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(ct);
        while (await process.StandardOutput.ReadLineAsync(ct) is { } line)
        {
            if (!line.StartsWith("Ready.", StringComparison.Ordinal))
                continue;
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            return new DevLedgerProcess(process, data);
        }

        throw new InvalidOperationException($"the dev ledger did not start: {await errors}");
    }

    public Gateway Connect(string mspId) =>
        Gateway.Connect(ConnectionProfile.Load(Path.Combine(data, $"connection-{mspId}.json")).ToGatewayOptions());

    /// <summary>SIGKILL: nothing of the process runs any more.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit();
    }

    public void Dispose()
    {
        if (!process.HasExited)
            Kill();
        process.Dispose();
    }
}

/// <summary>The fixture contract of <c>tests/node/contract</c>, served for any number of peers.</summary>
internal sealed class FixtureContract : IAsyncDisposable
{
    private readonly Process process;

    private FixtureContract(Process process, Uri address) => (this.process, Address) = (process, address);

    public static string Folder { get; } = Path.Combine(FindRoot(), "tests", "node", "contract");

    public Uri Address { get; }

    public static async Task<FixtureContract> StartAsync(CancellationToken ct)
    {
        if (!File.Exists(Path.Combine(Folder, "node_modules", "fabric-shim", "cli.js")))
            throw new InvalidOperationException($"run 'npm ci' in {Folder} first (tests/run.sh does)");
        var port = Bridge.Sandbox.Processes.Ports.Free();
        var start = new ProcessStartInfo("node") { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in new[]
        {
            Path.Combine("node_modules", "fabric-shim", "cli.js"), "server",
            "--chaincode-address", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "--chaincode-id", "fixture:test",
        })
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        while (!await AnswersAsync(port, ct))
        {
            if (process.HasExited)
                throw new InvalidOperationException("the fixture contract ended at its start");
            await Task.Delay(50, ct);
        }

        return new FixtureContract(process, new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")));
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static async Task<bool> AnswersAsync(int port, CancellationToken ct)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Bridge.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new DirectoryNotFoundException("Bridge.sln is in no folder above the tests");
    }
}
