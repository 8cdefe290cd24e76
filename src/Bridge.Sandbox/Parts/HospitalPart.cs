using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.Sandbox.Parts;

/// <summary>A hospital's bridge in a process of its own, on an embedded database.</summary>
internal sealed partial class HospitalPart(
    Checkout checkout, SampleHospital hospital, ILedgerPart ledger, FhirPart fhir, IReadOnlyList<SamplePerson> people, string data, string logs, int port)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private ChildProcess? process;

    public SampleHospital Owner => hospital;

    public ChildProcess Process => process ?? throw new InvalidOperationException("the hospital has not been started");

    public Uri Address { get; } = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));

    public string DatabaseFile => Path.Combine(data, "hospital.db");

    public string ConfigurationFile => Path.Combine(data, "hospital.json");

    public SamplePerson Person(string role) => people.First(person => person.Role == role);

    /// <summary>Calls the API as one of the people.</summary>
    public HospitalClient As(string role) => new(Address, Person(role).Token);

    /// <summary>Writes the configuration and starts; it answers when this returns.</summary>
    /// <param name="environment">Further variables, for example a point at which it shall crash.</param>
    /// <param name="ct">Gives up waiting.</param>
    public async Task StartAsync(CancellationToken ct, IReadOnlyDictionary<string, string?>? environment = null)
    {
        Directory.CreateDirectory(data);
        PrivateFile.Write(ConfigurationFile, Configuration().ToJsonString(Indented) + "\n");
        process = ChildProcess.Start(Dotnet.Command(
            $"The bridge of {hospital.Name}", "Bridge.Hospital", ["serve", "--config", ConfigurationFile], Path.Combine(logs, $"{hospital.Msp}.log"), environment));
        await process.WaitForOutputAsync(Listening(), Limit, ct);
    }

    public async Task StopAsync()
    {
        if (process is not null)
        {
            await process.DisposeAsync();
        }
    }

    /// <summary>Everything waits as little as can be: in a hospital, coding settles for a day and anchors leave after days (see its README).</summary>
    public JsonObject Configuration() => new()
    {
        ["Hospital"] = new JsonObject { ["Msp"] = hospital.Msp, ["Name"] = hospital.Name },
        ["Server"] = new JsonObject { ["Urls"] = Address.GetLeftPart(UriPartial.Authority) },
        ["Database"] = new JsonObject { ["Engine"] = "sqlite", ["File"] = DatabaseFile },
        ["Fhir"] = new JsonObject { ["BaseUrl"] = fhir.Address.ToString() },
        ["Ledger"] = new JsonObject { ["Profile"] = ledger.Profile(hospital.Msp), ["PortalMsp"] = SampleConsortium.PortalMsp },
        ["Watching"] = new JsonObject
        {
            ["Interval"] = "00:00:01",
            ["Overlap"] = "00:00:05",
            ["Settle"] = "00:00:00",
            ["MaxWaitOutpatient"] = "00:00:00",
            ["MaxWaitInpatient"] = "00:00:00",
        },
        ["Extraction"] = new JsonObject { ["Terminology"] = Path.Combine(checkout.Samples, "maps") },
        ["Anchoring"] = new JsonObject { ["MinPatients"] = 1, ["MinDelay"] = "00:00:00", ["MaxDelay"] = "00:00:00", ["Interval"] = "00:00:01" },
        ["Enrolment"] = new JsonObject
        {
            ["PatientCaCertificate"] = hospital.PatientCa.CertificateFile,
            ["PatientCaKey"] = hospital.PatientCa.KeyFile,
            ["PeopleCas"] = new JsonArray(hospital.PeopleRoot.CertificateFile),
            ["BridgeCas"] = new JsonArray(ledger.Root(hospital.Msp).CertificateFile),
            ["Interval"] = "00:00:02",
            ["PortalName"] = "Sample patient portal",
        },
        ["Certificates"] = new JsonObject
        {
            ["StatusCertificate"] = hospital.StatusKey.CertificateFile,
            ["StatusKey"] = hospital.StatusKey.KeyFile,
            ["SyncInterval"] = "00:00:02",
        },
        ["SignIn"] = new JsonObject { ["SamplePeople"] = "true" },
        ["Access"] = new JsonObject { ["People"] = new JsonArray([.. people.Select(Person)]) },
    };

    private static JsonNode Person(SamplePerson person)
    {
        var entry = new JsonObject { ["Name"] = person.Name, ["Roles"] = new JsonArray(person.Role), ["TokenSha256"] = person.TokenSha256 };
        if (person.Licence is not null)
        {
            entry["Licence"] = person.Licence;
        }

        return entry;
    }

    [GeneratedRegex(@"Listening on http://")]
    private static partial Regex Listening();
}
