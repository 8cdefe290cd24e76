using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Ledger;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Xunit;

[assembly: AssemblyFixture(typeof(LedgerFixture))]

namespace Bridge.FlowTests.Ledger;

/// <summary>
/// One ledger with the real contract for two hospitals and a portal, initialised with real keys: the development ledger, or what a derived fixture makes. Tests
/// share it: each makes its own doctors and patients, and none counts what others did.
/// </summary>
public class LedgerFixture : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-flow-").FullName;
    private readonly List<Gateway> gateways = [];
    private ILedgerPart? ledger;

    internal SampleConsortium Consortium { get; private set; } = null!;

    internal ILedgerPart Ledger => ledger!;

    /// <summary>What InitConsortium said to a file that differs from the one its organisation holds.</summary>
    public string? RefusalOfForeignConsortium { get; private set; }

    /// <summary>What InitConsortium said to the second caller.</summary>
    public string? RefusalOfSecondInitialisation { get; private set; }

    internal Actors Actors { get; private set; } = null!;

    public virtual async ValueTask InitializeAsync()
    {
        var ct = CancellationToken.None;
        var checkout = Checkout.Find();
        await Toolchain.PrepareContractAsync(checkout, _ => { }, ct);
        Consortium = new SampleConsortium(folder);
        Consortium.CreateKeys(DateTimeOffset.UtcNow);
        ledger = NewLedger(checkout, Path.Combine(folder, "ledger"), Path.Combine(folder, "logs"));
        await ledger.StartAsync(ct);
        var text = Consortium.WriteFile(ledger.Root, ledger.Client);
        await ledger.DistributeAsync(Consortium.ConsortiumFile, ct);

        Actors = new Actors(this);
        RefusalOfForeignConsortium = await Refused.ByAsync(() => InitAsync(Consortium.B.Msp, text.Replace("Linden Hospital", "Linden Hospice", StringComparison.Ordinal)));
        await InitAsync(Consortium.A.Msp, text);
        RefusalOfSecondInitialisation = await Refused.ByAsync(() => InitAsync(Consortium.B.Msp, text));

        Task<string> InitAsync(string msp, string json) =>
            Contract(msp).SubmitAsync("InitConsortium", [json], null, [Consortium.A.Msp, Consortium.B.Msp], ct);
    }

    /// <summary>A connection as the organisation's bridge, or as the portal.</summary>
    internal ContractClient Contract(string msp) => Contract(Connect(msp));

    /// <summary>As <see cref="Contract(string)"/>, with all that a gateway offers. It is closed with the fixture.</summary>
    internal Gateway Connect(string msp) => Kept(ledger!.Connect(msp));

    /// <summary>The contract's typed face, for the organisation's bridge or the portal.</summary>
    internal SummaryLedger Typed(string msp) => new(Connect(msp), ContractCalls.Channel, ContractCalls.Chaincode);

    /// <summary>Returns once every organisation's peer holds what any of them held when it was called. The development ledger has one state for all.</summary>
    internal virtual Task SettledAsync() => Task.CompletedTask;

    /// <summary>The blocks as a member of the channel that shares none of the hospital's collections holds them, read from its disk.</summary>
    internal virtual Task<IReadOnlyList<(byte[] Bytes, CommittedBlock Block)>> BlocksAsync() => Task.FromResult(BlockStore.Read(ledger!.Data));

    /// <summary>A connection as any client certificate of an organisation, by way of its gateway.</summary>
    internal ContractClient Contract(string msp, KeyPair client, TimeProvider? clock = null) => Contract(Kept(Gateway.Connect(new GatewayOptions
    {
        Identity = new Identity(msp, File.ReadAllBytes(client.CertificateFile)),
        Signer = Signers.NewPrivateKeySigner(client.LoadKey()),
        Endpoints = ledger!.Gateways(msp),
        TimeProvider = clock ?? TimeProvider.System,
    })));

    /// <summary>A further client identity of an organisation: somebody whom its Fabric CA knows, but no hospital record names.</summary>
    internal KeyPair NewClient(string msp, string name) => KeyPair.Create(Actors.Folder(), name, key => ledger!.Root(msp).Issue(
        issuer => CertificateProfile.IssueFabricIdentity(
            issuer, key.ExportSubjectPublicKeyInfo(), name, "client", DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1))));

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var gateway in gateways)
        {
            gateway.Dispose();
        }

        if (ledger is not null)
        {
            await ledger.StopAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    internal virtual ILedgerPart NewLedger(Checkout checkout, string data, string logs) =>
        new LedgerPart(checkout, data, Consortium.ConsortiumFile, logs, Ports.FreeRun(0, 3));

    private ContractClient Contract(Gateway gateway) => new(gateway.Summaries(), SettledAsync);

    private Gateway Kept(Gateway gateway)
    {
        lock (gateways)
        {
            gateways.Add(gateway);
        }

        return gateway;
    }
}

/// <summary>The contract as one client calls it. A call that follows a commit finds it at every peer.</summary>
internal sealed class ContractClient(Contract contract, Func<Task> settledAsync)
{
    public async Task<string> SubmitAsync(string function, IEnumerable<string> arguments, JsonObject? input, string[] organisations, CancellationToken ct)
    {
        var answer = await contract.SubmitAsync(function, arguments, input, organisations, ct);
        await settledAsync();
        return answer;
    }

    public Task<JsonElement> EvaluateAsync(string function, IEnumerable<string> arguments, JsonObject? input, string[] organisations, CancellationToken ct) =>
        contract.EvaluateAsync(function, arguments, input, organisations, ct);

    public Task<byte[]> EvaluateAsync(string function, ProposalOptions options) => contract.EvaluateAsync(function, options);
}
