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
/// One development ledger with the real contract for two hospitals and a portal, initialised with real keys. Tests share it: each makes its own doctors and
/// patients, and none counts what others did.
/// </summary>
public sealed class LedgerFixture : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-flow-").FullName;
    private readonly List<Gateway> gateways = [];
    private LedgerPart? ledger;

    internal SampleConsortium Consortium { get; private set; } = null!;

    internal LedgerPart Ledger => ledger!;

    /// <summary>What InitConsortium said to a file that differs from the one its organisation holds.</summary>
    public string? RefusalOfForeignConsortium { get; private set; }

    /// <summary>What InitConsortium said to the second caller.</summary>
    public string? RefusalOfSecondInitialisation { get; private set; }

    internal Actors Actors { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var ct = CancellationToken.None;
        var checkout = Checkout.Find();
        await Toolchain.PrepareContractAsync(checkout, _ => { }, ct);
        Consortium = new SampleConsortium(folder);
        Consortium.CreateKeys(DateTimeOffset.UtcNow);
        ledger = new LedgerPart(checkout, Path.Combine(folder, "ledger"), Consortium.ConsortiumFile, Path.Combine(folder, "logs"), Ports.FreeRun(0, 3));
        await ledger.StartAsync(ct);
        var text = Consortium.WriteFile(ledger.Root, ledger.Client);

        Actors = new Actors(this);
        RefusalOfForeignConsortium = await Refused.ByAsync(() => InitAsync(Consortium.B.Msp, text.Replace("Linden Hospital", "Linden Hospice", StringComparison.Ordinal)));
        await InitAsync(Consortium.A.Msp, text);
        RefusalOfSecondInitialisation = await Refused.ByAsync(() => InitAsync(Consortium.B.Msp, text));

        Task<string> InitAsync(string msp, string json) =>
            Contract(msp).SubmitAsync("InitConsortium", [json], null, [Consortium.A.Msp, Consortium.B.Msp], ct);
    }

    /// <summary>A connection as the organisation's bridge, or as the portal.</summary>
    internal Contract Contract(string msp) => Contract(ledger!.Connect(msp));

    /// <summary>A connection as any client certificate of an organisation, by way of its gateway.</summary>
    internal Contract Contract(string msp, KeyPair client, TimeProvider? clock = null) => Contract(Gateway.Connect(new GatewayOptions
    {
        Identity = new Identity(msp, File.ReadAllBytes(client.CertificateFile)),
        Signer = Signers.NewPrivateKeySigner(client.LoadKey()),
        Endpoints = [new GatewayEndpoint(ledger!.Endpoint(msp))],
        TimeProvider = clock ?? TimeProvider.System,
    }));

    /// <summary>A further client identity of an organisation: somebody whom its Fabric CA knows, but no hospital record names.</summary>
    internal KeyPair NewClient(string msp, string name) => KeyPair.Create(Actors.Folder(), name, key => ledger!.Root(msp).Issue(
        issuer => CertificateProfile.IssueFabricIdentity(
            issuer, key.ExportSubjectPublicKeyInfo(), name, "client", DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1))));

    public async ValueTask DisposeAsync()
    {
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

    private Contract Contract(Gateway gateway)
    {
        lock (gateways)
        {
            gateways.Add(gateway);
        }

        return gateway.Summaries();
    }
}
