using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>How patients are enrolled.</summary>
/// <param name="CodeLifetime"><c>Enrolment:CodeLifetime</c>: how long a code can be used. Default 72 h.</param>
/// <param name="CertificateLifetime"><c>Enrolment:CertificateLifetime</c>: of a patient's certificate, cut at the patient CA's end. Default 730 days.</param>
/// <param name="Interval"><c>Enrolment:Interval</c>: how often requests are looked for; ledger events wake it too. Default 1 min.</param>
/// <param name="Lease"><c>Enrolment:Lease</c>: how long an instance holds an enrolment it works on. Default 3 min.</param>
/// <param name="SweepAfter"><c>Enrolment:SweepAfter</c>: how long after a withdrawal the patient's index stays on the ledger, so that the portal can read there what
/// ended. Default 1 day.</param>
/// <param name="Page"><c>Enrolment:Page</c>: address of the portal's enrolment page, which the printed QR leads to, the code behind its <c>#</c>. Null = none: the QR
/// carries the ticket alone.</param>
/// <param name="PortalName"><c>Enrolment:PortalName</c>: the portal's name for people. Default: its MSP id.</param>
/// <param name="CaDigests">Digests of <c>Enrolment:PeopleCas</c> and <c>Enrolment:BridgeCas</c> (PEM files): the browser's trust anchor, printed with each code.</param>
/// <param name="PatientCa"><c>Enrolment:PatientCaCertificate</c> and <c>Enrolment:PatientCaKey</c>.</param>
internal sealed record EnrolmentOptions(
    TimeSpan CodeLifetime, TimeSpan CertificateLifetime, TimeSpan Interval, TimeSpan Lease, TimeSpan SweepAfter, Uri? Page, string? PortalName, CaDigests CaDigests,
    SigningIdentity PatientCa)
{
    public static EnrolmentOptions Read(ConfigurationReader reader)
    {
        const string cure = "PEM certificate; make key and request with `init`, and have the request signed by the hospital's people CA (`bridge ca`)";
        var certificate = reader.ExistingFile("Enrolment:PatientCaCertificate", required: true, "the patient CA's " + cure);
        var key = reader.ExistingFile("Enrolment:PatientCaKey", required: true, "the patient CA's PEM key, as `init` made it");
        var digests = ReadCaDigests(reader);
        var patientCa = SigningIdentity.Read(reader, "Enrolment:PatientCaCertificate", certificate, "Enrolment:PatientCaKey", key);
        if (patientCa is not null && !patientCa.Certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority))
            reader.Fault("Enrolment:PatientCaCertificate", certificate, "the certificate is no CA certificate; have the request signed as a patient CA (`bridge ca`)");
        return new EnrolmentOptions(
            reader.Duration("Enrolment:CodeLifetime", TimeSpan.FromHours(72), TimeSpan.FromMinutes(1), TimeSpan.FromDays(30)),
            reader.Duration("Enrolment:CertificateLifetime", TimeSpan.FromDays(730), TimeSpan.FromDays(1), TimeSpan.FromDays(3660)),
            reader.Duration("Enrolment:Interval", TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            reader.Duration("Enrolment:Lease", TimeSpan.FromMinutes(3), TimeSpan.FromSeconds(5), TimeSpan.FromHours(1)),
            reader.Duration("Enrolment:SweepAfter", TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.FromDays(30)),
            ReadPage(reader),
            reader.Raw("Enrolment:PortalName"),
            digests,
            patientCa!);
    }

    private static Uri? ReadPage(ConfigurationReader reader)
    {
        var page = reader.SecureAddress("Enrolment:Page", required: false, "the https address of the portal's enrolment page");
        if (page is null || page.Fragment.Length == 0 && page.Query.Length == 0)
            return page;
        reader.Fault("Enrolment:Page", page.ToString(), "the address alone, without ? and #: the code is put behind its #");
        return null;
    }

    /// <summary>The digests that are printed with each code.</summary>
    public static CaDigests ReadCaDigests(ConfigurationReader reader)
    {
        var people = Cas(reader, "Enrolment:PeopleCas", "PEM root certificate(s) of the hospital's people CA");
        return new CaDigests(Cas(reader, "Enrolment:BridgeCas", "PEM root certificate(s) of the hospital's Fabric MSP"), people);
    }

    private static List<Digest> Cas(ConfigurationReader reader, string key, string cure)
    {
        var digests = new List<Digest>();
        foreach (var file in reader.ExistingFiles(key, cure))
        {
            var certificates = new X509Certificate2Collection();
            try
            {
                certificates.ImportFromPemFile(file);
            }
            catch (CryptographicException)
            {
            }
            if (certificates.Count == 0)
                reader.Fault(key, file, "the file holds no PEM certificate");
            foreach (var certificate in certificates)
            {
                digests.Add(Digest.Of(certificate.RawData));
                certificate.Dispose();
            }
        }
        return [.. digests.Distinct().Order()];
    }
}
