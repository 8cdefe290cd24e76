using System.Text.Json.Nodes;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>
/// The sample doctor: her key is hers; two offices that do not share a chief say that she is who she is. She and they use the <c>bridge</c>
/// command, each with keys of their own.
/// </summary>
internal sealed class SampleDoctor
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly SampleSystem system;

    private SampleDoctor(SampleSystem system) => this.system = system;

    public static string FolderOf(string data) => Path.Combine(data, "doctor");

    /// <summary>Key and certificate, on the doctor's own machine.</summary>
    public KeyPair Keys => KeyPair.In(FolderOf(system.Data), "iris-keller");

    /// <summary>Takes up the doctor of an earlier start, or has medical affairs certify and propose her and another hospital's registrar confirm her.</summary>
    public static async Task<SampleDoctor> ConfirmedAsync(SampleSystem system, Report report, CancellationToken ct)
    {
        var doctor = new SampleDoctor(system);
        if (await doctor.StandingAsync(ct) is "Active")
        {
            return doctor;
        }

        var (own, other) = (system.Consortium.A, system.Consortium.B);
        var folder = Directory.CreateDirectory(FolderOf(system.Data)).FullName;
        var statement = Path.Combine(folder, "statement.jws");
        var confirmation = Path.Combine(folder, "confirmation.jws");
        var registrar = system.Hospital.As("registrar");
        if (!doctor.Keys.Exists)
        {
            var request = Path.Combine(folder, "iris-keller.csr");
            await report.StepAsync($"{SampleSystem.DoctorName} made her key on her own machine (bridge key create)", () =>
                BridgeCli.RunAsync(ct, "key", "create", "--name", SampleSystem.DoctorName, "--key", doctor.Keys.KeyFile, "--request", request));
            await report.StepAsync($"the people CA of {own.Name} certified it (bridge ca issue)", () => BridgeCli.RunAsync(
                ct, "ca", "issue", "--ca", own.PeopleRoot.CertificateFile, "--ca-key", own.PeopleRoot.KeyFile, "--kind", "doctor", "--request", request,
                "--out", doctor.Keys.CertificateFile, "--yes"));
        }

        if (!File.Exists(statement))
        {
            await report.StepAsync($"the registrar of {own.Name} stated that she is licensed (bridge registrar statement)", () => BridgeCli.RunAsync(
                ct, "registrar", "statement", "--key", own.Registrar.KeyFile, "--signer", own.Registrar.CertificateFile, "--hospital", own.Msp,
                "--certificate", doctor.Keys.CertificateFile, "--licence", SampleSystem.DoctorLicence, "--registry", "National register of physicians",
                "--out", statement, "--yes"));
        }

        await report.StepAsync("the hospital handed the statement in: PENDING on the ledger", async () =>
        {
            await HandInAsync(registrar, "/api/doctors", new JsonObject
            {
                ["certificate"] = Convert.ToBase64String(doctor.Keys.Der()),
                ["statement"] = await ReadAsync(statement, ct),
            }, ct);
            await doctor.WaitAsync("Pending", ct);
        });
        if (!File.Exists(confirmation))
        {
            var record = Path.Combine(folder, "hospital-record.json");
            await File.WriteAllTextAsync(record, await system.ReadRecordAsync(own.Msp, ct), ct);
            await report.StepAsync($"the registrar of {other.Name} looked for himself and confirmed (bridge registrar confirm)", () => BridgeCli.RunAsync(
                ct, "registrar", "confirm", "--key", other.Registrar.KeyFile, "--signer", other.Registrar.CertificateFile, "--statement", statement,
                "--certificate", doctor.Keys.CertificateFile, "--record", record, "--out", confirmation, "--yes"));
        }

        await report.StepAsync("the confirmation was handed in: ACTIVE", async () =>
        {
            await HandInAsync(registrar, "/api/doctors/confirmations", new JsonObject { ["statement"] = await ReadAsync(confirmation, ct) }, ct);
            await doctor.WaitAsync("Active", ct);
        });
        return doctor;
    }

    /// <summary>Takes the payload to her own machine, signs it with <c>bridge sign</c>, and sends the signature; returns the decision's outcome.</summary>
    public async Task<string> ApproveAsync(string summaryId, CancellationToken ct)
    {
        var console = system.Hospital.As("doctor");
        var shown = await console.GetAsync($"/api/cosign/{summaryId}", ct);
        var payload = Path.Combine(FolderOf(system.Data), "payload.json");
        var signature = payload + ".signature.json";
        File.Delete(signature);
        await File.WriteAllBytesAsync(payload, Base64Url.Decode(shown.GetProperty("payload").GetString()!), ct);
        await BridgeCli.RunAsync(ct, "sign", payload, "--key", Keys.KeyFile, "--certificate", Keys.CertificateFile, "--yes");
        var decision = (JsonObject)JsonNode.Parse(await File.ReadAllTextAsync(signature, ct))!;
        var answer = await console.PostAsync($"/api/cosign/{summaryId}/approve", decision, ct);
        File.Delete(payload);
        File.Delete(signature);
        return answer.GetProperty("outcome").GetString()!;
    }

    // Handed in already by an earlier, interrupted start: that is as good.
    private static async Task HandInAsync(HospitalClient registrar, string path, JsonObject body, CancellationToken ct)
    {
        var (status, text) = await registrar.SendAsync(HttpMethod.Post, path, body, ct);
        if ((int)status >= 300 && status != System.Net.HttpStatusCode.Conflict)
        {
            throw new SandboxException($"The hospital refused {path}: {(int)status} {text}");
        }
    }

    private static async Task<string> ReadAsync(string file, CancellationToken ct) => (await File.ReadAllTextAsync(file, ct)).Trim();

    private async Task WaitAsync(string standing, CancellationToken ct) => await Poll.UntilAsync(
        $"{SampleSystem.DoctorName} becoming {standing}", Limit,
        async () => await StandingAsync(ct) is { } now && (now == standing || now == "Active") ? now : null, ct);

    private async Task<string?> StandingAsync(CancellationToken ct)
    {
        if (!Keys.Exists)
        {
            return null;
        }

        var thumbprint = Digest.Of(Keys.Der()).ToString();
        var listed = await system.Hospital.As("registrar").GetAsync("/api/doctors", ct);
        return listed.GetProperty("items").EnumerateArray()
            .Where(item => item.GetProperty("thumbprint").GetString() == thumbprint)
            .Select(item => item.GetProperty("standing").GetString())
            .FirstOrDefault();
    }
}
