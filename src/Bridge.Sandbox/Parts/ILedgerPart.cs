using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Sandbox.Consortium;

namespace Bridge.Sandbox.Parts;

/// <summary>The ledger with the real contract: the development ledger, or a Fabric network on the operator's own binaries.</summary>
internal interface ILedgerPart
{
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

    /// <summary>A connection as the organisation's client, by way of its own gateway.</summary>
    Gateway Connect(string msp);

    /// <summary>What a hospital's configuration says in its section Ledger about how to reach the ledger.</summary>
    JsonObject Settings(string msp);

    /// <summary>Whether <see cref="Find"/> sees the values that stand now, beside what stays for ever.</summary>
    bool FindsValues { get; }

    /// <summary>Places that hold the text and must not once it is erased.</summary>
    IReadOnlyList<string> Find(string text);

    Task StopAsync();
}
