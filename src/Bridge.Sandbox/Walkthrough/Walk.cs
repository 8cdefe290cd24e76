using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Setup;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>Plays one encounter all the way, from the doctor's confirmation to the patient's erasure, and checks each hand-off.</summary>
internal static class Walk
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>On free ports and a data folder of its own, which is removed; a failure leaves it and says where.</summary>
    /// <param name="fabric">On a Fabric network instead of the development ledger.</param>
    /// <param name="output">Takes the steps.</param>
    /// <param name="error">Takes what went wrong.</param>
    /// <param name="ct">Stops it.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(bool fabric, TextWriter output, TextWriter error, CancellationToken ct)
    {
        var data = Directory.CreateTempSubdirectory("bridge-walkthrough-").FullName;
        var report = new Report(output);
        try
        {
            report.Heading("Start");
            await using (var system = await SampleSystem.StartAsync(Checkout.Find(), new SampleOptions(data, Samples: null, FixedPorts: false, fabric), report, ct))
            {
                await PlayAsync(system, report, ct);
            }

            Directory.Delete(data, recursive: true);
            report.Heading(string.Create(CultureInfo.InvariantCulture, $"Done: one encounter, both signatures, on the ledger, and gone again; {report.Elapsed.TotalSeconds:0.0} s."));
            return 0;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            await error.WriteLineAsync($"{Environment.NewLine}The walkthrough failed: {(e is SandboxException ? e.Message : e.ToString())}");
            await error.WriteLineAsync($"Logs and data are kept in {data}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            Directory.Delete(data, recursive: true);
            return 1;
        }
    }

    /// <summary>The walk itself, on a running system.</summary>
    public static async Task PlayAsync(SampleSystem system, Report report, CancellationToken ct)
    {
        var (gateway, portal) = system.Connect(SampleConsortium.PortalMsp);
        using var closing = gateway;

        report.Heading("A doctor is confirmed");
        var doctor = await SampleDoctor.ConfirmedAsync(system, report, ct);

        report.Heading("A patient enrols");
        var visit = new SampleEncounter(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4)));
        await system.Fhir.PutAsync(SampleEncounter.Practitioner(), ct);
        await system.Fhir.PutAsync(visit.Patient(), ct);
        using var patient = await report.StepAsync(
            "the desk printed a code with the digests of the hospital's CAs", () => SamplePatient.AtTheDeskAsync(system, visit.PatientId, ct));
        await report.StepAsync("the patient made a key, consented, proved the code; the portal put the request on the ledger", () => patient.RequestAsync(portal, ct));
        await report.StepAsync($"the hospital checked the MAC and enrolled {patient.Pseudonym}", () => patient.WaitEnrolledAsync(system, ct));

        report.Heading("An encounter walks");
        await report.StepAsync("the encounter finished in the EHR", async () =>
        {
            await system.Fhir.PutAsync(visit.Encounter("in-progress"), ct);
            await system.Fhir.PutAsync(visit.Condition(), ct);
            await system.Fhir.PutAsync(visit.MedicationRequest(), ct);
            await system.Fhir.PutAsync(visit.Encounter("finished"), ct);
        });
        var id = await report.StepAsync(
            "the bridge saw it, extracted the least that can find a peer, and queued it for the doctor", () => QueuedAsync(system, visit.EncounterId, ct));
        await report.StepAsync("the doctor read it and signed its exact bytes on her own machine (bridge sign)", async () =>
        {
            var outcome = await doctor.ApproveAsync(id.ToString(), ct);
            Require(outcome == "APPROVED", $"the decision was taken ({outcome})");
        });
        await report.StepAsync("the bridge signed too and anchored it: endorsed by hospital and portal, committed", () => AnchoredAsync(portal, system.Consortium.A.Msp, id, ct));

        report.Heading("It is read back");
        var (signed, verdict) = await report.StepAsync(
            "a reader who trusts only the CA digests read and verified it", () => Reader.ReadAsync(portal, patient.Hospital, id, patient.Trust, patient.Pseudonym, ct));
        report.Line($"signed by {verdict.DoctorName} (vouched for by {verdict.VouchedBy}, confirmed by {verdict.ConfirmedBy}) and the bridge of {verdict.HospitalName}:");
        report.Line(Encoding.UTF8.GetString(signed.Payload.Span));
        await report.StepAsync(
            "nothing of the source's names, notes or addresses is in the ledger, the hospital's database or any log", () => Task.Run(() => RequireNoCanary(system), ct));

        report.Heading("The patient erases it");
        var content = new Content(system, signed);
        Require((content.IsInLedger() || !system.Ledger.FindsValues) && content.IsInHospital(), "the search finds the content while it is there");
        await report.StepAsync("the patient signed the erasure; the portal carried it to the ledger", () => patient.EraseAsync(portal, id, ct));
        await report.StepAsync("the ledger refuses to read it, for portal and hospital", () => RequireErasedAsync(system, portal, id, ct));
        await report.StepAsync("no block, no table of the ledger and no table of the hospital holds its content", () => RequireGoneAsync(content, ct));
    }

    private static async Task<SummaryId> QueuedAsync(SampleSystem system, string encounter, CancellationToken ct)
    {
        var console = system.Hospital.As("doctor");
        var id = await Poll.UntilAsync("The summary reaching the doctor's queue", Limit, async () =>
        {
            var queue = await console.GetAsync("/api/cosign/queue", ct);
            return queue.GetProperty("items").EnumerateArray()
                .Where(item => item.GetProperty("encounter").GetString() is { } key && key.EndsWith(encounter, StringComparison.Ordinal))
                .Select(item => item.GetProperty("id").GetString())
                .FirstOrDefault();
        }, ct);
        return SummaryId.Parse(id);
    }

    private static async Task AnchoredAsync(SummaryLedger ledger, string hospital, SummaryId id, CancellationToken ct) => await Poll.UntilAsync(
        "The summary's anchoring", Limit,
        async () => (await ledger.ReadSummariesAsync(hospital, [id], ct))[0] is { State: SummaryState.Live } reading ? reading : null, ct);

    private static void RequireNoCanary(SampleSystem system)
    {
        var ledger = system.Ledger.Find(SampleEncounter.Canary);
        var hospital = Traces.InDatabase(system.Hospital.DatabaseFile, SampleEncounter.Canary);
        var logs = Traces.InFiles(system.Logs, SampleEncounter.Canary);
        Require(ledger.Count + hospital.Count + logs.Count == 0, $"no trace of the source's texts ({string.Join(", ", ledger.Concat(hospital).Concat(logs))})");
    }

    private static async Task RequireErasedAsync(SampleSystem system, SummaryLedger portal, SummaryId id, CancellationToken ct)
    {
        var (gateway, hospital) = system.Connect(system.Consortium.A.Msp);
        using (gateway)
        {
            foreach (var reader in new[] { portal, hospital })
            {
                try
                {
                    await reader.ReadSummaryAsync(system.Consortium.A.Msp, id, ct);
                    throw new SandboxException($"{reader.MspId} can still read the erased summary.");
                }
                catch (LedgerRefusalException e)
                {
                    Require(e.Code == RefusalCode.Erased, $"the refusal to {reader.MspId} says ERASED ({e.CodeText})");
                }
            }
        }
    }

    private static async Task RequireGoneAsync(Content content, CancellationToken ct)
    {
        try
        {
            await Poll.UntilAsync("The content's disappearance", Limit, () => Task.FromResult(content.IsInLedger() || content.IsInHospital() ? null : "gone"), ct);
        }
        catch (SandboxException e)
        {
            throw new SandboxException($"{e.Message} It is still in: {string.Join(", ", content.Places())}.");
        }
    }

    private static void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new SandboxException($"This does not hold: {what}.");
        }
    }
}

/// <summary>A record's content in the forms in which parts keep it: the payload's own text, and as the signed record carries it.</summary>
internal sealed class Content(SampleSystem system, SignedSummary signed)
{
    private readonly string[] forms = [Encoding.UTF8.GetString(signed.Payload.Span), Base64Url.Encode(signed.Payload.Span)];

    public bool IsInLedger() => InLedger().Any();

    public bool IsInHospital() => Find(system.Hospital.DatabaseFile).Count > 0;

    public IEnumerable<string> Places() =>
        InLedger().Concat(Find(system.Hospital.DatabaseFile).Select(table => $"hospital table {table}"));

    private IEnumerable<string> InLedger() => forms.SelectMany(system.Ledger.Find).Distinct();

    private List<string> Find(string database) => [.. forms.SelectMany(form => Traces.InDatabase(database, form)).Distinct()];
}
