using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Bridge.Sandbox.Walkthrough;

namespace Bridge.Sandbox.Parts;

/// <summary>The development ledger in a process of its own, with the real contract for each organisation.</summary>
internal sealed partial class LedgerPart(Checkout checkout, string data, string consortiumFile, string logs, int firstPort) : ILedgerPart
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private ChildProcess? process;

    public string Data => data;

    /// <summary>Blocks, state and private data of all organisations.</summary>
    public string DatabaseFile => Path.Combine(data, "ledger.db");

    /// <summary>The running process; a test kills it.</summary>
    public ChildProcess Process => process ?? throw new InvalidOperationException("the ledger has not been started");

    public async Task StartAsync(CancellationToken ct)
    {
        string[] arguments =
        [
            "--data", data, "--port", firstPort.ToString(CultureInfo.InvariantCulture),
            "--chaincode", checkout.Contract,
            "--policy", "OutOf(2, 'HospitalAMSP.peer', 'HospitalBMSP.peer')",
            "--env", $"BRIDGE_CONSORTIUM_FILE={consortiumFile}",
        ];
        process = ChildProcess.Start(Dotnet.Command("The development ledger", "Bridge.DevLedger", arguments, Path.Combine(logs, "ledger.log")));
        await process.WaitForOutputAsync(Ready(), Limit, ct);
    }

    public bool FindsValues => true;

    /// <summary>The contract looks at the file when it is asked to initialise: nothing is left to do.</summary>
    public Task DistributeAsync(string consortiumFile, CancellationToken ct) => Task.CompletedTask;

    public JsonObject Settings(string msp) => new() { ["Endpoints"] = new JsonArray(this.Endpoint(msp).GetLeftPart(UriPartial.Authority)) };

    public IReadOnlyList<string> Find(string text) => [.. Traces.InDatabase(DatabaseFile, text).Select(table => $"ledger table {table}")];

    public KeyPair Root(string msp) => KeyPair.In(Path.Combine(data, "crypto", msp), "ca");

    public KeyPair Client(string msp) => KeyPair.In(Path.Combine(data, "crypto", msp, "clients"), "bridge");

    public string Profile(string msp) => Path.Combine(data, $"connection-{msp}.json");

    public async Task<string> EndedAsync(CancellationToken ct)
    {
        await Process.WaitForExitAsync(ct);
        return $"{Process.Command.Name} ended by itself (exit code {Process.ExitCode}); see {Process.Command.LogFile}";
    }

    public async Task StopAsync()
    {
        if (process is not null)
        {
            await process.DisposeAsync();
        }
    }

    [GeneratedRegex("^Ready")]
    private static partial Regex Ready();
}
