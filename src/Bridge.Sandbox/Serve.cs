using System.Text.Json.Nodes;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Bridge.Sandbox.Walkthrough;

namespace Bridge.Sandbox;

/// <summary>The sample system, with something to look at, until Ctrl+C.</summary>
internal static class Serve
{
    // The case diabetes-clinic of fhir-samples: its patient and its doctor.
    private const string SamplePatientId = "pat-01";
    private const string SamplePractitionerId = "doc-01";

    public static async Task<int> RunAsync(string? data, bool fabric, TextWriter output, CancellationToken ct)
    {
        var checkout = Checkout.Find();
        var folder = Path.GetFullPath(data ?? Path.Combine(checkout.Root, ".data", fabric ? "sandbox-fabric" : "sandbox"));
        Directory.CreateDirectory(folder);
        using var turn = Take(folder);
        var report = new Report(output);
        report.Heading($"Starting the Bridge Sandbox: for trying and testing, on this machine only. Data: {folder}");
        try
        {
            await using var system = await SampleSystem.StartAsync(checkout, new SampleOptions(folder, checkout.Samples, FixedPorts: true, fabric), report, ct);
            await SampleDoctor.ConfirmedAsync(system, report, ct);
            await EnrolSampleAsync(system, report, ct);
            Print(system, output);
            await WaitAsync(system, ct);
            await output.WriteLineAsync("Stopping…");
            return 0;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return 0;
        }
    }

    /// <summary>One patient of the samples enrols, and her doctor is known by the licence of the sample doctor: so the queue has something.</summary>
    private static async Task EnrolSampleAsync(SampleSystem system, Report report, CancellationToken ct)
    {
        var enrolments = await system.Hospital.As("desk").GetAsync("/api/enrolments", ct);
        if (enrolments.GetProperty("items").EnumerateArray().Any(item => item.GetProperty("state").GetString() == "Enrolled"))
        {
            return;
        }

        var (gateway, portal) = system.Connect(SampleConsortium.PortalMsp);
        using (gateway)
        {
            await report.StepAsync($"sample patient {SamplePatientId} enrolled; her encounter goes to {SampleSystem.DoctorName}", async () =>
            {
                var (status, text) = await system.Hospital.As("operator").SendAsync(
                    HttpMethod.Put, $"/api/practitioners/{SamplePractitionerId}", new JsonObject { ["licence"] = SampleSystem.DoctorLicence }, ct);
                if ((int)status >= 300)
                {
                    throw new SandboxException($"The sample doctor could not be assigned: {(int)status} {text}");
                }

                using var patient = await SamplePatient.AtTheDeskAsync(system, SamplePatientId, ct);
                await patient.RequestAsync(portal, ct);
                await patient.WaitEnrolledAsync(system, ct);
            });
        }
    }

    private static async Task WaitAsync(SampleSystem system, CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            var first = await Task.WhenAny(EndedAsync(system.Fhir.Process, ended.Token), EndedAsync(system.Hospital.Process, ended.Token), system.Ledger.EndedAsync(ended.Token));
            var said = await first;
            // Ctrl+C reaches the whole terminal: a part may end a moment before this process hears of it.
            await Task.WhenAny(Task.Delay(TimeSpan.FromSeconds(1), ct));
            if (!ct.IsCancellationRequested)
            {
                throw new SandboxException(said);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Ctrl+C.
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    private static async Task<string> EndedAsync(ChildProcess process, CancellationToken ct)
    {
        await process.WaitForExitAsync(ct);
        return $"{process.Command.Name} ended by itself (exit code {process.ExitCode}); see {process.Command.LogFile}";
    }

    private static void Print(SampleSystem system, TextWriter output)
    {
        var hospital = new UriBuilder(system.Hospital.Address) { Host = "localhost" }.Uri.GetLeftPart(UriPartial.Authority);
        var fhir = new UriBuilder(system.Fhir.Address) { Host = "localhost" }.Uri.ToString();
        var ledger = new UriBuilder(system.Ledger.Endpoint(system.Consortium.A.Msp)) { Host = "localhost" }.Uri.GetLeftPart(UriPartial.Authority);
        output.WriteLine($"""

            Running.
              Console          {hospital}/        (open it in a browser and choose who to be)
              FHIR server      {fhir}
              Hospital bridge  {hospital}        ({system.Consortium.A.Name}, {system.Consortium.A.Msp})
              Ledger           {ledger}        (Fabric gateway of {system.Consortium.A.Msp}; connection profiles in {system.Ledger.Data})

            People, and the token each signs in with
            """);
        foreach (var person in system.Settings.People)
        {
            output.WriteLine($"  {person.Role,-10} {person.Name,-16} {person.Token}");
        }

        output.WriteLine($"""

            Try
              curl -H "Authorization: Bearer {system.Hospital.Person("operator").Token}" {hospital}/health/ready
              curl "{fhir}/Encounter?_count=3"
              curl -H "Authorization: Bearer {system.Hospital.Person("doctor").Token}" {hospital}/api/cosign/queue
              curl -H "Authorization: Bearer {system.Hospital.Person("operator").Token}" {hospital}/api/operations/counts
              curl -H "Authorization: Bearer {system.Hospital.Person("desk").Token}" -H "Content-Type: application/json" -d '{"{"}"patient":"pat-02","guardian":false{"}"}' {hospital}/api/enrolments
              dotnet run --project src/Bridge.Sandbox -- walkthrough       (one encounter all the way, on ports of its own)
            The doctor's key and certificate are in {SampleDoctor.FolderOf(system.Data)}. Logs: {system.Logs}
            Ctrl+C stops everything; the next start goes on from the same data.
            """);
    }

    private static FileStream Take(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, "sandbox.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new SandboxException($"Another Sandbox runs on {folder}: stop it, or name another folder with --data.");
        }
    }
}
