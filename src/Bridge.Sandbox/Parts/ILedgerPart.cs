using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;

namespace Bridge.Sandbox.Parts;

/// <summary>The ledger with the real contract: the development ledger, or a Fabric network on the operator's own binaries.</summary>
internal interface ILedgerPart
{
    /// <summary>The folder of its keys, blocks and connection profiles.</summary>
    string Data { get; }

    /// <summary>Afterwards the organisations' keys are there; whether the contract answers already is the ledger's own affair.</summary>
    Task StartAsync(CancellationToken ct);

    /// <summary>Gives every organisation's contract its consortium.json; afterwards the contract answers.</summary>
    /// <param name="consortiumFile">Written after <see cref="StartAsync"/>, since it names the organisations' certificates.</param>
    /// <param name="ct">Gives up waiting.</param>
    Task DistributeAsync(string consortiumFile, CancellationToken ct);

    /// <summary>The organisation's Fabric root.</summary>
    KeyPair Root(string msp);

    /// <summary>The organisation's client that acts as its bridge, or as the portal.</summary>
    KeyPair Client(string msp);

    /// <summary>The connection profile of the organisation's client; it names the organisation's own gateways.</summary>
    string Profile(string msp);

    /// <summary>What a hospital's configuration says in its section Ledger about how to reach the ledger.</summary>
    JsonObject Settings(string msp);

    /// <summary>Whether <see cref="Find"/> sees the values that stand now, beside what stays for ever.</summary>
    bool FindsValues { get; }

    /// <summary>Places that hold the text and must not once it is erased.</summary>
    IReadOnlyList<string> Find(string text);

    /// <summary>Completes when a part of the ledger has ended that nothing starts again; the text says which, and where its log is.</summary>
    Task<string> EndedAsync(CancellationToken ct);

    Task StopAsync();
}

/// <summary>What a connection profile gives, whichever ledger wrote it.</summary>
internal static class LedgerConnections
{
    /// <summary>A connection as the organisation's client, by way of its own gateway.</summary>
    public static Gateway Connect(this ILedgerPart ledger, string msp) => Gateway.Connect(ConnectionProfile.Load(ledger.Profile(msp)).ToGatewayOptions());

    /// <summary>The organisation's own gateways, with all that is needed to trust them.</summary>
    public static IReadOnlyList<GatewayEndpoint> Gateways(this ILedgerPart ledger, string msp) => ConnectionProfile.Load(ledger.Profile(msp)).Gateways;

    /// <summary>Address of the organisation's first gateway.</summary>
    public static Uri Endpoint(this ILedgerPart ledger, string msp) => ledger.Gateways(msp)[0].Address;
}
