using System.Text.Json;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.Sandbox;

/// <summary>What is kept of a data folder between starts: addresses, which other parts remember, and the people's tokens.</summary>
/// <param name="FhirPort">Of the FHIR server.</param>
/// <param name="LedgerPort">The lowest of the ledger's.</param>
/// <param name="HospitalPort">Of the hospital's bridge.</param>
/// <param name="People">Who may sign in.</param>
/// <param name="Fabric">On which ledger it was made.</param>
internal sealed record SampleSettings(int FhirPort, int LedgerPort, int HospitalPort, IReadOnlyList<SamplePerson> People, bool Fabric = false);

/// <summary>Where and how a sample system runs.</summary>
/// <param name="Data">Everything it writes lies under this folder; a later start goes on from it.</param>
/// <param name="Samples">Folder of FHIR bundles to load; null: none.</param>
/// <param name="FixedPorts">True: the well-known sample ports where they are free; false: any free ports.</param>
/// <param name="Fabric">True: on a Fabric network of the operator's own binaries; false: on the development ledger.</param>
internal sealed record SampleOptions(string Data, string? Samples, bool FixedPorts, bool Fabric = false);

/// <summary>The whole sample consortium: FHIR server, ledger, initialised contract, one hospital's bridge; each part a process of its own.</summary>
internal sealed class SampleSystem : IAsyncDisposable
{
    public const string DoctorName = "Dr. Iris Keller";
    public const string DoctorLicence = "LIC-4711";

    private const int SampleFhirPort = 8191;
    private const int SampleLedgerPort = 7051;
    private const int SampleFabricPort = 7050;
    private const int SampleHospitalPort = 8080;

    private SampleSystem(Checkout checkout, SampleOptions options)
    {
        Data = options.Data;
        Settings = LoadSettings(options);
        Consortium = new SampleConsortium(Data);
        Ledger = options.Fabric
            ? new FabricPart(checkout, Path.Combine(Data, "fabric"), Logs, Settings.LedgerPort)
            : new LedgerPart(checkout, Path.Combine(Data, "ledger"), Consortium.ConsortiumFile, Logs, Settings.LedgerPort);
        Fhir = new FhirPart(checkout, options.Samples, Logs, Settings.FhirPort);
        Hospital = new HospitalPart(checkout, Consortium.A, Ledger, Fhir, Settings.People, Path.Combine(Data, "hospital"), Logs, Settings.HospitalPort);
    }

    public string Data { get; }

    public string Logs => Path.Combine(Data, "logs");

    public SampleSettings Settings { get; }

    public SampleConsortium Consortium { get; }

    public FhirPart Fhir { get; }

    public ILedgerPart Ledger { get; }

    public HospitalPart Hospital { get; }

    /// <summary>Starts everything; each part answers when this returns.</summary>
    public static async Task<SampleSystem> StartAsync(Checkout checkout, SampleOptions options, Report report, CancellationToken ct)
    {
        Directory.CreateDirectory(options.Data);
        var system = new SampleSystem(checkout, options);
        try
        {
            await report.StepAsync("packages of the contract and the FHIR server are installed and built", () => Toolchain.PrepareAsync(checkout, report.Line, ct));
            await report.StepAsync("keys of two hospitals, a portal and an attestor are made", () => Task.Run(() => system.Consortium.CreateKeys(DateTimeOffset.UtcNow), ct));
            await report.StepAsync("FHIR server and ledger run", () => Task.WhenAll(system.Fhir.StartAsync(ct), system.Ledger.StartAsync(ct)));
            await report.StepAsync("the consortium stands on the ledger, each hospital approved by the other", () => system.InitialiseAsync(ct));
            await report.StepAsync($"the bridge of {system.Consortium.A.Name} runs", () => system.Hospital.StartAsync(ct));
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>The contract as an organisation's bridge or the portal calls it. Dispose of the gateway.</summary>
    public (Gateway Gateway, SummaryLedger Ledger) Connect(string msp)
    {
        var gateway = Ledger.Connect(msp);
        return (gateway, new SummaryLedger(gateway, ContractCalls.Channel, ContractCalls.Chaincode, new SummaryLedgerOptions
        {
            PortalMspId = SampleConsortium.PortalMsp,
            DirectoryEndorsers = [Consortium.A.Msp, Consortium.B.Msp],
        }));
    }

    /// <summary>A hospital's record in force, as the ledger gives it.</summary>
    public async Task<string> ReadRecordAsync(string msp, CancellationToken ct)
    {
        var (gateway, ledger) = Connect(Consortium.A.Msp);
        using (gateway)
        {
            return (await ledger.ReadHospitalAsync(msp, ct)).Record;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Hospital.StopAsync();
        await Task.WhenAll(Ledger.StopAsync(), Fhir.StopAsync());
    }

    private async Task InitialiseAsync(CancellationToken ct)
    {
        var text = Consortium.WriteFile(Ledger.Root, Ledger.Client);
        await Ledger.DistributeAsync(Consortium.ConsortiumFile, ct);
        var (gateway, ledger) = Connect(Consortium.A.Msp);
        using (gateway)
        {
            try
            {
                await ledger.InitConsortiumAsync(text, ct);
            }
            catch (LedgerRefusalException e) when (e.Code == RefusalCode.AlreadyInitialised)
            {
                return;
            }

            await ApproveAsync(ledger, Consortium.A, Consortium.B, ct);
            await ApproveAsync(ledger, Consortium.B, Consortium.A, ct);
        }
    }

    /// <summary>A registrar approves another hospital's record in force: the walk of trust that readers of other hospitals follow.</summary>
    private static async Task ApproveAsync(SummaryLedger ledger, SampleHospital approving, SampleHospital approved, CancellationToken ct)
    {
        var reading = await ledger.ReadHospitalAsync(approved.Msp, ct);
        var record = HospitalRecord.Parse(System.Text.Encoding.UTF8.GetBytes(reading.Record), out var fault)
            ?? throw new SandboxException($"The ledger's record of {approved.Msp} cannot be read: {fault}.");
        using var key = approving.Registrar.LoadKey();
        await ledger.ApproveHospitalAsync(approved.Msp, record.Seq, CompactJws.Sign(record.ApprovalBy(approving.Msp), key, approving.Registrar.Der()), ct);
    }

    private static SampleSettings LoadSettings(SampleOptions options)
    {
        var file = Path.Combine(options.Data, "sandbox.json");
        if (File.Exists(file) && JsonSerializer.Deserialize<SampleSettings>(File.ReadAllText(file)) is { } kept)
        {
            return kept.Fabric == options.Fabric
                ? kept
                : throw new SandboxException($"{options.Data} was made with --ledger {(kept.Fabric ? "fabric" : "dev")}: name another folder with --data, or that ledger.");
        }

        var settings = new SampleSettings(
            Ports.FreeRun(options.FixedPorts ? SampleFhirPort : 0, 1),
            options.Fabric ? FabricPart.FreeBase(options.FixedPorts ? SampleFabricPort : 0) : Ports.FreeRun(options.FixedPorts ? SampleLedgerPort : 0, 3),
            Ports.FreeRun(options.FixedPorts ? SampleHospitalPort : 0, 1),
            [
                SamplePerson.New(DoctorName, "doctor", DoctorLicence), SamplePerson.New("Front desk", "desk"),
                SamplePerson.New("Medical affairs", "registrar"), SamplePerson.New("Operations", "operator"),
            ],
            options.Fabric);
        PrivateFile.Write(file, JsonSerializer.Serialize(settings));
        return settings;
    }
}
