using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.DevLedger;

/// <summary>How a dev ledger is set up. Checked as a whole when it starts.</summary>
public sealed class DevLedgerOptions
{
    /// <summary>Holds blocks, state, keys and connection profiles; made when it does not exist. One dev ledger at a time may use it.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>One peer is played for each. Default: HospitalAMSP, HospitalBMSP, PortalMSP, each on a free port.</summary>
    public IReadOnlyList<DevOrganization> Organizations { get; init; } =
        [new DevOrganization("HospitalAMSP"), new DevOrganization("HospitalBMSP"), new DevOrganization("PortalMSP")];

    /// <summary>
    /// Where the built contract lies: package.json, node_modules and what the build gave. Run once for each organisation. Needed unless every
    /// organisation names the address of a contract that runs already.
    /// </summary>
    public string? ChaincodeDirectory { get; init; }

    /// <summary>Added to the environment of every contract process.</summary>
    public IReadOnlyDictionary<string, string> ChaincodeEnvironment { get; init; } = new Dictionary<string, string>();

    /// <summary>Fabric's collections configuration (JSON); null: no private data collections.</summary>
    public string? CollectionsConfigFile { get; init; }

    /// <summary>
    /// The chaincode's endorsement policy, as a Fabric policy string. Default: a majority of the organisations' peers.
    /// </summary>
    public string? EndorsementPolicy { get; init; }

    /// <summary>Default: bridge.</summary>
    public string Channel { get; init; } = "bridge";

    /// <summary>Name of the chaincode. Default: summaries.</summary>
    public string Chaincode { get; init; } = "summaries";

    /// <summary>Stands in every transaction. Default: 1.0.</summary>
    public string ChaincodeVersion { get; init; } = "1.0";

    /// <summary>From a block's first transaction until it is cut. Default 50 ms: the commit latency of an idle ledger.</summary>
    public TimeSpan BatchTimeout { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Transactions in a block, at most. Default 500.</summary>
    public int BatchSize { get; init; } = 500;

    /// <summary>A block that would grow beyond so many bytes is cut before. Default 2 MiB.</summary>
    public int PreferredMaxBytes { get; init; } = 2 << 20;

    /// <summary>A transaction of more bytes is refused. Default 99 MiB.</summary>
    public int AbsoluteMaxBytes { get; init; } = 99 << 20;

    /// <summary>Calls of the gateway that one peer serves at once, waiting ones included; more are refused. Default 500, as a Fabric peer.</summary>
    public int GatewayConcurrency { get; init; } = 500;

    /// <summary>Default: nothing is logged.</summary>
    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Judges expiry and time windows. Default: the system's clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>An organisation of the channel. Without certificates of its own, an authority, a peer and clients are made for it.</summary>
/// <param name="MspId">For example HospitalAMSP.</param>
public sealed record DevOrganization(string MspId)
{
    /// <summary>Of its gateway, on loopback. 0 (default): a free one.</summary>
    public int Port { get; init; }

    /// <summary>
    /// PEM files of authorities that exist already (roots and intermediates). Given, the peer's certificate and key are needed too, and
    /// <see cref="DevLedgerHost.IssueClientAsync"/> is not to be had for this organisation.
    /// </summary>
    public IReadOnlyList<string> RootCertificateFiles { get; init; } = [];

    /// <summary>PEM, with OU=peer.</summary>
    public string? PeerCertificateFile { get; init; }

    /// <summary>PEM, PKCS#8 or SEC 1.</summary>
    public string? PeerKeyFile { get; init; }

    /// <summary>Address (http://127.0.0.1:port) of a contract served by <c>fabric-chaincode-node server</c>; null: one is started.</summary>
    public Uri? ChaincodeAddress { get; init; }

    /// <summary>Added to the environment of this organisation's contract process.</summary>
    public IReadOnlyDictionary<string, string> ChaincodeEnvironment { get; init; } = new Dictionary<string, string>();
}

/// <summary>The options cannot work; <see cref="Faults"/> has every fault with its key, value and cure.</summary>
public sealed class DevLedgerOptionsException(IReadOnlyList<string> faults)
    : Exception("The dev ledger's options cannot work:\n" + string.Join('\n', faults.Select(fault => "  - " + fault)))
{
    /// <summary>One line each.</summary>
    public IReadOnlyList<string> Faults { get; } = faults;
}
