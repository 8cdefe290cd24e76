using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bridge.FlowTests.Ledger;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>
/// A ledger of its own (a hospital discards requests that it did not ask for, so it shares its mailbox with no other tests) and a FHIR server. Tests of this
/// collection run one after the other; each makes its own patients and doctors.
/// </summary>
public sealed partial class HospitalFixture : IAsyncLifetime
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-hospital-").FullName;
    private readonly LedgerFixture ledger = new();
    private readonly HttpClient http = new();
    private ChildProcess? fhir;
    private int made;

    internal LedgerFixture Ledger => ledger;

    internal Uri Fhir { get; private set; } = null!;

    public async ValueTask InitializeAsync()
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

    public async ValueTask DisposeAsync()
    {
        if (fhir is not null)
            await fhir.DisposeAsync();
        await ledger.DisposeAsync();
        http.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"^ready (http://\S+)")]
    private static partial Regex FhirReady();
}

[CollectionDefinition(Name, DisableParallelization = false)]
public sealed class HospitalCollection : ICollectionFixture<HospitalFixture>
{
    public const string Name = "Hospital";
}
