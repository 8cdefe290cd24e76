using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Bridge.DevLedger.Chaincode;

/// <summary>How an organisation's contract is reached.</summary>
/// <param name="MspId">Whose contract it is.</param>
/// <param name="Address">A contract that runs already; null: start one.</param>
/// <param name="Directory">Where the built contract lies (its package.json and node_modules).</param>
/// <param name="Name">The chaincode's name, the label of its package id.</param>
/// <param name="Environment">Added to the process's environment.</param>
/// <param name="LogFile">Takes what the process prints.</param>
internal sealed record ChaincodeSource(
    string MspId, Uri? Address, string? Directory, string Name, IReadOnlyDictionary<string, string> Environment, string LogFile);

/// <summary>Keeps one organisation's contract running and connected; starts it anew when it is called after it went away.</summary>
internal sealed class ChaincodeRunner(ChaincodeSource source, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim gate = new(1);
    private ChaincodeLink? link;
    private Process? process;
    private bool disposed;

    /// <exception cref="ChaincodeException">The contract does not start or does not answer; the message says why and where its output is.</exception>
    public async Task<ChaincodeLink> GetLinkAsync(CancellationToken ct)
    {
        if (link is { Ended.IsCompleted: false } current)
            return current;
        await gate.WaitAsync(ct);
        try
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (link is { Ended.IsCompleted: false } other)
                return other;
            if (link is not null)
                await link.DisposeAsync();
            link = null;
            return link = source.Address is not null
                ? await DialAsync(source.Address, null, ct)
                : await StartAsync(ct);
        }
        finally
        {
            gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        try
        {
            disposed = true;
            if (link is not null)
                await link.DisposeAsync();
            StopProcess();
        }
        finally
        {
            gate.Release();
        }

        gate.Dispose();
    }

    private async Task<ChaincodeLink> StartAsync(CancellationToken ct)
    {
        StopProcess();
        var port = FreePort();
        var address = new Uri($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}");
        var start = new ProcessStartInfo("node")
        {
            WorkingDirectory = source.Directory,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[]
        {
            "--require", Path.Combine(AppContext.BaseDirectory, "exit-with-parent.cjs"),
            Path.Combine("node_modules", "fabric-shim", "cli.js"), "server",
            "--chaincode-address", $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}",
            "--chaincode-id", $"{source.Name}:{source.MspId}",
        })
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CORE_PEER_LOCALMSPID"] = source.MspId;
        foreach (var (name, value) in source.Environment)
            start.Environment[name] = value;
        try
        {
            process = Process.Start(start) ?? throw new ChaincodeException("node did not start");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new ChaincodeException($"node could not be started ({e.Message}): install Node.js 20 or later and have it on the PATH");
        }

        _ = CopyOutputAsync(process);
        ChaincodeLog.Started(logger, source.MspId, process.Id, address);
        return await DialAsync(address, process, ct);
    }

    private async Task<ChaincodeLink> DialAsync(Uri address, Process? started, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(started is null ? TimeSpan.FromSeconds(10) : StartLimit);
        while (true)
        {
            if (started is { HasExited: true })
            {
                throw new ChaincodeException(
                    $"the contract of {source.MspId} ended at its start (exit code {started.ExitCode}); what it printed is in {source.LogFile}");
            }

            try
            {
                return await ChaincodeLink.ConnectAsync(address, logger, limit.Token);
            }
            catch (HttpRequestException) when (!limit.IsCancellationRequested)
            {
                await Task.Delay(50, ct);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !ct.IsCancellationRequested)
            {
                throw new ChaincodeException(started is null
                    ? $"no contract of {source.MspId} answers at {address}: start it with 'fabric-chaincode-node server', or let the dev ledger start it"
                    : $"the contract of {source.MspId} did not answer within {StartLimit.TotalSeconds} s; what it printed is in {source.LogFile}");
            }
        }
    }

    private async Task CopyOutputAsync(Process child)
    {
        try
        {
            await using var file = new FileStream(source.LogFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
            await using var writer = TextWriter.Synchronized(new StreamWriter(file) { AutoFlush = true });
            await Task.WhenAll(CopyAsync(child.StandardOutput), CopyAsync(child.StandardError));
            await child.WaitForExitAsync();
            if (!disposed)
                ChaincodeLog.Stopped(logger, source.MspId, child.ExitCode, source.LogFile);

            async Task CopyAsync(StreamReader reader)
            {
                while (await reader.ReadLineAsync() is { } line)
                    await writer.WriteLineAsync(line);
            }
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or ObjectDisposedException)
        {
            // the process is gone, or its log cannot be written: neither may stop the ledger
        }
    }

    private void StopProcess()
    {
        if (process is null)
            return;
        try
        {
            // It has no children. To kill a tree it would be stopped first and then looked for children: were we killed in between, it would stay stopped for ever.
            process.Kill();
            process.WaitForExit(2000);
        }
        catch (InvalidOperationException)
        {
            // it has ended by itself
        }

        process.Dispose();
        process = null;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
