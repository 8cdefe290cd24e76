using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.Sandbox.Parts;

/// <summary>The sample hospital's FHIR server, a Node.js process. It keeps everything in memory and loads the samples at each start.</summary>
internal sealed partial class FhirPart(Checkout checkout, string? samples, string logs, int port)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private static readonly HttpClient Http = new();

    private ChildProcess? process;

    public ChildProcess Process => process ?? throw new InvalidOperationException("the FHIR server has not been started");

    /// <summary>The service base address.</summary>
    public Uri Address { get; } = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/fhir"));

    public async Task StartAsync(CancellationToken ct)
    {
        var environment = new Dictionary<string, string?> { ["PORT"] = port.ToString(CultureInfo.InvariantCulture), ["FHIR_SAMPLES"] = samples };
        process = ChildProcess.Start(new ChildCommand(
            "The sample FHIR server", "node", ["server.mjs"], Path.Combine(logs, "fhir.log"), environment, checkout.FhirServer));
        await process.WaitForOutputAsync(Ready(), Limit, ct);
    }

    /// <summary>What a clinician's system would do: creates or updates a resource under its id.</summary>
    public async Task PutAsync(JsonObject resource, CancellationToken ct)
    {
        var address = new Uri($"{Address}/{(string)resource["resourceType"]!}/{(string)resource["id"]!}");
        using var content = new StringContent(resource.ToJsonString(), Encoding.UTF8, "application/fhir+json");
        using var answer = await Http.PutAsync(address, content, ct);
        if (!answer.IsSuccessStatusCode)
        {
            throw new SandboxException($"The sample FHIR server refused PUT {address}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(ct)}");
        }
    }

    public async Task StopAsync()
    {
        if (process is not null)
        {
            await process.DisposeAsync();
        }
    }

    [GeneratedRegex("^ready ")]
    private static partial Regex Ready();
}
