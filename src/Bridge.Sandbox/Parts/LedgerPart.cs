using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.Sandbox.Parts;

/// <summary>The development ledger in a process of its own, with the real contract for each organisation.</summary>
internal sealed partial class LedgerPart(Checkout checkout, string data, string consortiumFile, string logs, int firstPort)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly string[] Organisations = ["HospitalAMSP", "HospitalBMSP", "PortalMSP"];

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

    /// <summary>Address of an organisation's gateway.</summary>
    public Uri Endpoint(string msp) =>
        new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{firstPort + Array.IndexOf(Organisations, msp)}"));

    /// <summary>The organisation's Fabric root.</summary>
    public KeyPair Root(string msp) => KeyPair.In(Path.Combine(data, "crypto", msp), "ca");

    /// <summary>The organisation's client that acts as its bridge, or as the portal.</summary>
    public KeyPair Client(string msp) => KeyPair.In(Path.Combine(data, "crypto", msp, "clients"), "bridge");

    /// <summary>A connection as the organisation's client.</summary>
    public Gateway Connect(string msp) => Gateway.Connect(ConnectionProfile.Load(Path.Combine(data, $"connection-{msp}.json")).ToGatewayOptions());

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
