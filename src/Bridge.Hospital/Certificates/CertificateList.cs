using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Bridge.Hospital.Access;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>A certificate on which the bridge's work hangs.</summary>
/// <param name="Kind">bridge, patientCa, statusKey, webServer, peopleCa, bridgeCa, registrar or doctor.</param>
/// <param name="Name">Whose it is, where there are several of the kind.</param>
/// <param name="NotAfter">Its end.</param>
/// <param name="State">GOOD, EXPIRING within <c>Certificates:WarnBefore</c>, or EXPIRED.</param>
internal sealed record CertificateLine(string Kind, string? Name, DateTimeOffset NotAfter, string State)
{
    /// <summary>What it is, in English, for scripts and people at the API.</summary>
    public string What => Kind switch
    {
        "patientCa" => "patient CA",
        "statusKey" => "status key",
        "webServer" => "web server",
        "peopleCa" => $"people CA {Name}",
        "bridgeCa" => $"bridge CA {Name}",
        "doctor" => $"doctor {Name}",
        _ => Kind,
    };
}

/// <summary>All certificates on which the bridge's work hangs, and their ends: its own, the doctors', and those of the hospital's record on the ledger.</summary>
internal sealed class CertificateList(
    HospitalOptions hospital, CertificatesOptions options, EnrolmentOptions enrolment, ServerOptions server, [FromKeyedServices("bridge")] SigningIdentity bridge, SummaryLedger ledger,
    TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepRecord = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _one = new(1);
    private readonly (string Kind, DateTimeOffset NotAfter)? _web = server.Certificate is null ? null : Web(server.Certificate);
    private IReadOnlyList<(string Kind, string? Name, DateTimeOffset NotAfter)>? _record;
    private DateTimeOffset _askAt;

    /// <summary>False while the ledger never said what stands in the hospital's record, so that CAs and registrar are missing in the list.</summary>
    public bool IsComplete => _record is not null;

    /// <summary>Reads the hospital's record where that is due: it changes seldom.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (clock.GetUtcNow() < _askAt)
                return;
            _askAt = clock.GetUtcNow() + AskAgain;
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            var reading = await ledger.ReadHospitalAsync(hospital.Msp, patience.Token);
            if (HospitalRecord.Parse(Encoding.UTF8.GetBytes(reading.Record), out _) is { } record)
            {
                _record = [.. Of(record)];
                _askAt = clock.GetUtcNow() + KeepRecord;
            }
        }
        catch (Exception e) when (e is LedgerRefusalException or GatewayException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            // Readiness says that the ledger does not answer; here the last reading stands.
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The list as it is known, the first to end first.</summary>
    public async Task<IReadOnlyList<CertificateLine>> ReadAsync(Work work)
    {
        var now = clock.GetUtcNow();
        var doctors = (await DoctorRows.AllAsync(work, hospital.Msp)).Where(doctor => doctor.Status == "ACTIVE");
        var all = new List<(string Kind, string? Name, DateTimeOffset NotAfter)>
        {
            ("bridge", null, End(bridge.Certificate)), ("patientCa", null, End(enrolment.PatientCa.Certificate)), ("statusKey", null, End(options.StatusKey.Certificate)),
        };
        if (_web is { } web)
            all.Add((web.Kind, null, web.NotAfter));
        all.AddRange(_record ?? []);
        all.AddRange(doctors.Select(doctor => ("doctor", (string?)doctor.Name, DateTimeOffset.FromUnixTimeSeconds(doctor.NotAfter))));
        return [.. all.OrderBy(line => line.NotAfter).Select(line => new CertificateLine(
            line.Kind, line.Name, line.NotAfter, line.NotAfter <= now ? "EXPIRED" : line.NotAfter - now <= options.WarnBefore ? "EXPIRING" : "GOOD"))];
    }

    public void Dispose() => _one.Dispose();

    private static IEnumerable<(string, string?, DateTimeOffset)> Of(HospitalRecord record)
    {
        foreach (var ca in record.Cas)
        {
            using var certificate = X509CertificateLoader.LoadCertificate(ca.Certificate);
            yield return (ca.Use == CaUse.People ? "peopleCa" : "bridgeCa", certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false), End(certificate));
        }
        using var registrar = X509CertificateLoader.LoadCertificate(record.Registrar);
        yield return ("registrar", null, End(registrar));
    }

    private static (string, DateTimeOffset)? Web(string file)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(file));
            return ("webServer", End(certificate));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            // The server would not have started with it; replaced on disk since.
            return null;
        }
    }

    private static DateTimeOffset End(X509Certificate2 certificate) => new(certificate.NotAfter.ToUniversalTime());
}
