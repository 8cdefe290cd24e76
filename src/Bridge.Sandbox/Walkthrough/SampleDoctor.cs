using System.Text.Json.Nodes;
using Bridge.Records;
using Bridge.Sandbox.Consortium;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>The sample doctor: her key is hers; two offices that do not share a chief say that she is who she is.</summary>
internal sealed class SampleDoctor
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly SampleSystem system;

    private SampleDoctor(SampleSystem system) => this.system = system;

    /// <summary>Key and certificate, on the doctor's own machine.</summary>
    public KeyPair Keys => KeyPair.In(Path.Combine(system.Data, "doctor"), "iris-keller");

    /// <summary>Takes up the doctor of an earlier start, or has medical affairs certify and propose her and another hospital's registrar confirm her.</summary>
    public static async Task<SampleDoctor> ConfirmedAsync(SampleSystem system, Report report, CancellationToken ct)
    {
        var doctor = new SampleDoctor(system);
        var hospital = system.Consortium.A;
        if (!doctor.Keys.Exists)
        {
            var folder = Path.Combine(system.Data, "doctor");
            await report.StepAsync(
                $"{SampleSystem.DoctorName} made her key; the people CA of {hospital.Name} certified it",
                () => Task.Run(() => hospital.IssuePerson(folder, "iris-keller", SampleSystem.DoctorName, DateTimeOffset.UtcNow), ct));
        }

        if (await doctor.StandingAsync(ct) is "Active")
        {
            return doctor;
        }

        var statement = new DoctorStatement(
            hospital.Msp, Handle.New(), Digest.Of(doctor.Keys.Der()), SampleSystem.DoctorName, SampleSystem.DoctorLicence, "National register of physicians");
        var signed = Sign(statement, hospital.Registrar);
        var registrar = system.Hospital.As("registrar");
        await report.StepAsync($"the registrar of {hospital.Name} states that she is licensed: PENDING on the ledger", async () =>
        {
            await registrar.PostAsync("/api/doctors", new JsonObject { ["certificate"] = Convert.ToBase64String(doctor.Keys.Der()), ["statement"] = signed }, ct);
            await doctor.WaitAsync("Pending", ct);
        });
        await report.StepAsync($"the registrar of {system.Consortium.B.Name} confirms it: ACTIVE", async () =>
        {
            var confirmation = Sign(DoctorConfirmation.Of(statement, signed), system.Consortium.B.Registrar);
            await registrar.PostAsync("/api/doctors/confirmations", new JsonObject { ["statement"] = confirmation }, ct);
            await doctor.WaitAsync("Active", ct);
        });
        return doctor;
    }

    /// <summary>Signs what the queue shows, after looking that it is what would be signed; returns the decision's outcome.</summary>
    public async Task<string> ApproveAsync(string summaryId, CancellationToken ct)
    {
        var console = system.Hospital.As("doctor");
        var shown = await console.GetAsync($"/api/cosign/{summaryId}", ct);
        var payload = Base64Url.Decode(shown.GetProperty("payload").GetString()!);
        var expected = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, payload, Keys.Der());
        var offered = shown.GetProperty("signing").EnumerateArray()
            .Single(signing => signing.GetProperty("thumbprint").GetString() == Digest.Of(Keys.Der()).ToString());
        if (offered.GetProperty("protected").GetString() != expected.Protected)
        {
            throw new SandboxException("The hospital asks the doctor to sign something else than the summary it shows.");
        }

        using var key = Keys.LoadKey();
        var decision = new JsonObject { ["protected"] = expected.Protected, ["signature"] = Base64Url.Encode(expected.Sign(key)) };
        return (await console.PostAsync($"/api/cosign/{summaryId}/approve", decision, ct)).GetProperty("outcome").GetString()!;
    }

    private async Task WaitAsync(string standing, CancellationToken ct) => await Poll.UntilAsync(
        $"{SampleSystem.DoctorName} becoming {standing}", Limit, async () => await StandingAsync(ct) == standing ? standing : null, ct);

    private async Task<string?> StandingAsync(CancellationToken ct)
    {
        var thumbprint = Digest.Of(Keys.Der()).ToString();
        var listed = await system.Hospital.As("registrar").GetAsync("/api/doctors", ct);
        return listed.GetProperty("items").EnumerateArray()
            .Where(item => item.GetProperty("thumbprint").GetString() == thumbprint)
            .Select(item => item.GetProperty("standing").GetString())
            .FirstOrDefault();
    }

    private static string Sign<T>(T statement, KeyPair office)
        where T : class, IStatement<T>
    {
        using var key = office.LoadKey();
        return CompactJws.Sign(statement, key, office.Der());
    }
}
