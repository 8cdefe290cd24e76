using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bridge.FlowTests.Ledger;
using Bridge.FlowTests.WebConsole;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>
/// A ledger of its own (a hospital discards requests that it did not ask for, so it shares its mailbox with no other tests) and a FHIR server. Tests of this
/// collection run one after the other; each makes its own patients and doctors.
/// </summary>
public partial class HospitalFixture : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-hospital-").FullName;
    private readonly LedgerFixture ledger;
    private readonly HttpClient http = new();
    private ChildProcess? fhir;
    private int made;

    public HospitalFixture()
        : this(new LedgerFixture())
    {
    }

    protected HospitalFixture(LedgerFixture ledger) => this.ledger = ledger;

    internal LedgerFixture Ledger => ledger;

    internal ConsoleBrowser Browser { get; } = new();

    internal Uri Fhir { get; private set; } = null!;

    public virtual async ValueTask InitializeAsync()
    {
        var ct = CancellationToken.None;
        var checkout = Checkout.Find();
        await Toolchain.PrepareAsync(checkout, _ => { }, ct);
        fhir = ChildProcess.Start(new ChildCommand(
            "The FHIR server", "node", ["server.mjs"], Path.Combine(folder, "fhir.log"), new Dictionary<string, string?> { ["PORT"] = "0" }, checkout.FhirServer));
        var ready = fhir.WaitForOutputAsync(FhirReady(), TimeSpan.FromMinutes(2), ct);
        await ledger.InitializeAsync();
        Fhir = new Uri((await ready).Groups[1].Value + "/");
    }

    public string NewFolder() => Directory.CreateDirectory(Path.Combine(folder, Interlocked.Increment(ref made).ToString(CultureInfo.InvariantCulture))).FullName;

    /// <summary>Creates or replaces a resource; returns its logical id.</summary>
    public async Task<string> PutAsync(JsonObject resource)
    {
        var type = (string)resource["resourceType"]!;
        using var response = resource["id"] is { } id
            ? await http.PutAsJsonAsync(new Uri(Fhir, $"{type}/{id}"), resource)
            : await http.PostAsJsonAsync(new Uri(Fhir, type), resource);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
    }

    /// <summary>A resource as the server has it.</summary>
    public async Task<JsonObject> GetAsync(string type, string id) => (await http.GetFromJsonAsync<JsonObject>(new Uri(Fhir, $"{type}/{id}")))!;

    /// <summary>All resources that a search finds.</summary>
    public async Task<IReadOnlyList<JsonObject>> SearchAsync(string query) =>
        [.. ((JsonArray?)(await http.GetFromJsonAsync<JsonObject>(new Uri(Fhir, query)))!["entry"])?.Select(entry => (JsonObject)entry!["resource"]!.DeepClone()) ?? []];

    public async Task DeleteAsync(string type, string id)
    {
        using var response = await http.DeleteAsync(new Uri(Fhir, $"{type}/{id}"));
        response.EnsureSuccessStatusCode();
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Browser.DisposeAsync();
        if (fhir is not null)
            await fhir.DisposeAsync();
        await ledger.DisposeAsync();
        http.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"^ready (http://\S+)")]
    private static partial Regex FhirReady();
}

/// <summary>Tests of one collection run one after the other. There are several, each with a ledger and a FHIR server of its own, so that more than one runs at a time.</summary>
[CollectionDefinition(Name)]
public sealed class HospitalCollection : ICollectionFixture<HospitalFixture>
{
    public const string Name = "Hospital";
}

/// <summary>What is asked and looked at from outside.</summary>
[CollectionDefinition(Name)]
public sealed class HospitalPagesCollection : ICollectionFixture<HospitalFixture>
{
    public const string Name = "Hospital, its pages";
}

/// <summary>Processes that are killed, a good third of all time.</summary>
[CollectionDefinition(Name)]
public sealed class KilledHospitalCollection : ICollectionFixture<HospitalFixture>
{
    public const string Name = "Hospital, killed";
}
