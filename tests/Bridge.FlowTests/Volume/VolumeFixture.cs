using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Bridge.FhirServers;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Volume;

/// <summary>
/// One hospital with the 100 Synthea patients: each enrolled through the ledger, each finished encounter taken as far as it goes, with scripted doctors. It is
/// walked once; the tests of this collection look at what it left.
/// </summary>
public sealed class VolumeFixture : IAsyncLifetime
{
    private const int DoctorCount = 5;
    private const int AtOnce = 16;

    private readonly HospitalFixture hospital = new();
    private readonly StringBuilder times = new();
    private readonly Stopwatch watch = Stopwatch.StartNew();

    internal HospitalFixture Hospital => hospital;

    internal Rig Rig { get; private set; } = null!;

    internal QuirkServer Fhir { get; private set; } = null!;

    internal OtlpReceiver Telemetry { get; private set; } = null!;

    /// <summary>Thumbprint of the web server's certificate.</summary>
    internal string WebCertificate { get; private set; } = "";

    internal IEnumerable<string> Addresses => Rig.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;

    internal Synthea Samples { get; private set; } = null!;

    /// <summary>How long each part took, for whoever looks for where the time goes.</summary>
    internal string Times => times.ToString();

    public async ValueTask InitializeAsync()
    {
        Samples = Synthea.Load();
        var starting = hospital.InitializeAsync().AsTask();
        Fhir = await QuirkServer.StartAsync();
        Samples.PutInto(Fhir.Store);
        await starting;
        Note("servers run, samples loaded");

        Rig = Rig.Create(hospital);
        for (var i = 0; i < DoctorCount; i++)
            await Rig.AddDoctorAsync();
        Telemetry = await OtlpReceiver.StartAsync();
        // The exporter's own setting: it waits a minute otherwise.
        Environment.SetEnvironmentVariable("OTEL_METRIC_EXPORT_INTERVAL", "2000");
        await Rig.StartAsync(
            ("Fhir:BaseUrl", Fhir.BaseUrl.ToString()), ("Anchoring:MaxBatch", "100"), ("Watching:Reread", "1.00:00:00"), ("Telemetry:OtlpEndpoint", Telemetry.Address.ToString()),
            ("Server:Urls", "http://127.0.0.1:0;https://127.0.0.1:0"), ("Server:Certificate", MakeWebCertificate()), ("Server:Key", Path.Combine(Rig.Folder, "web.key.pem")));
        Note("hospital runs, doctors are active");

        await MapPractitionersAsync();
        var patients = Samples.Of("Patient").Select(patient => (string)patient["id"]!).ToList();
        await Parallel.ForEachAsync(patients, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (patient, _) => await Rig.RequestAsync(patient));
        Note("codes are out and used");
        await Rig.UntilAsync("all to be enrolled", async () => await CountAsync("SELECT COUNT(*) FROM enrolment WHERE state = 'Enrolled'") == patients.Count, 180);
        Note("all are enrolled");
        await Rig.UntilAsync("all to be read", async () => await CountAsync("SELECT COUNT(*) FROM sweep") == 0, 180);
        Note("all are read");
        await Parallel.ForEachAsync(Rig.Doctors.Keys.ToList(), async (licence, _) => await SignAllAsync(licence));
        Note("doctors have signed");
        await Rig.UntilAsync("all to be anchored", async () => await CountAsync("SELECT COUNT(*) FROM summary WHERE status IN ('AwaitingCoSign', 'CoSigned', 'Anchoring')") == 0, 300,
            async () => string.Join(' ', (await CountsAsync()).Select(pair => $"{pair.Key} {pair.Value}")));
        Note("all are anchored");
        await Rig.PostAsync("operator", "/api/operations/reconcile");
        Note("reconciled");
    }

    /// <summary>How many encounters stand where.</summary>
    internal async Task<SortedDictionary<string, long>> CountsAsync() => new(
        (await Rig.Database.ReadAsync(SummaryRows.CountsAsync)).ToDictionary(count => count.Reason is null ? count.Status : $"{count.Status}({count.Reason})", count => count.Count),
        StringComparer.Ordinal);

    internal Task<long> CountAsync(string sql) => Rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql));

    public async ValueTask DisposeAsync()
    {
        if (Rig is not null)
            await Rig.DisposeAsync();
        if (Telemetry is not null)
            await Telemetry.DisposeAsync();
        if (Fhir is not null)
            await Fhir.DisposeAsync();
        await hospital.DisposeAsync();
    }

    // An operator tells which doctor each practitioner of the EHR is.
    private async Task MapPractitionersAsync()
    {
        var licences = Rig.Doctors.Keys.ToList();
        foreach (var (practitioner, i) in Samples.Of("Practitioner").Select((practitioner, i) => ((string)practitioner["id"]!, i)))
            Assert.Equal("MAPPED", (await Rig.CallAsync("operator", HttpMethod.Put, $"/api/practitioners/{practitioner}", new { licence = licences[i % licences.Count] })).Outcome);
    }

    private async Task SignAllAsync(string licence)
    {
        while (true)
        {
            var waiting = (await Rig.GetAsync(licence, "/api/cosign/queue?limit=200")).Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetString()!).ToList();
            if (waiting.Count == 0)
                return;
            foreach (var summary in waiting)
                Assert.Equal("APPROVED", (await Rig.ApproveAsync(licence, summary)).Outcome);
        }
    }

    private string MakeWebCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
        WebCertificate = certificate.Thumbprint;
        File.WriteAllText(Path.Combine(Rig.Folder, "web.key.pem"), key.ExportPkcs8PrivateKeyPem());
        var file = Path.Combine(Rig.Folder, "web.cert.pem");
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return file;
    }

    private void Note(string what)
    {
        times.AppendLine(CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalSeconds,7:F1} s  {what}");
        if (Environment.GetEnvironmentVariable("BRIDGE_TEST_TIMES") is { } file)
            File.WriteAllText(file, times.ToString());
    }
}

[CollectionDefinition(Name)]
public sealed class VolumeCollection : ICollectionFixture<VolumeFixture>
{
    public const string Name = "Volume";
}
