using System.Security.Cryptography;
using Bridge.Records;

namespace Bridge.Tests.Records;

/// <summary>A hospital with all its keys, made for one test.</summary>
internal sealed class TestHospital : IDisposable
{
    private static readonly DateTimeOffset From = TestRecords.Now.AddDays(-30);
    private static readonly DateTimeOffset To = TestRecords.Now.AddYears(5);

    public TestHospital(string msp, string name)
    {
        People = new(CertificateProfile.CreateRoot(PeopleKey, $"{name} people", name, From, To), PeopleKey);
        BridgeCa = new(CertificateProfile.CreateRoot(BridgeCaKey, $"{name} bridge", name, From, To), BridgeCaKey);
        PatientCa = new(CertificateProfile.IssuePatientCa(People, PatientCaKey.ExportSubjectPublicKeyInfo(), $"{name} patients", name, From, To), PatientCaKey);
        Registrar = CertificateProfile.IssuePerson(People, RegistrarKey.ExportSubjectPublicKeyInfo(), PersonRole.Registrar, "Registrar Ruth", name, From, To);
        StatusCertificate = CertificateProfile.IssuePerson(People, StatusKey.ExportSubjectPublicKeyInfo(), PersonRole.StatusKey, $"{name} status", name, From, To);
        Bridge = CertificateProfile.IssueFabricIdentity(BridgeCa, BridgeKey.ExportSubjectPublicKeyInfo(), "bridge", "client", From, To);
        Record = new HospitalRecord
        {
            Msp = msp,
            Name = name,
            Seq = 1,
            Cas = [new(CaUse.People, People.Certificate), new(CaUse.Bridge, BridgeCa.Certificate)],
            Registrar = Registrar,
            StatusKey = StatusCertificate,
            PatientCa = PatientCa.Certificate,
            Bridges = [Digest.Of(Bridge)],
            Origins = ["https://bridge.hospital.example"],
            RpId = null,
        };
    }

    public ECDsa PeopleKey { get; } = NewKey();
    public ECDsa BridgeCaKey { get; } = NewKey();
    public ECDsa PatientCaKey { get; } = NewKey();
    public ECDsa RegistrarKey { get; } = NewKey();
    public ECDsa StatusKey { get; } = NewKey();
    public ECDsa BridgeKey { get; } = NewKey();
    public CertificateIssuer People { get; }
    public CertificateIssuer BridgeCa { get; }
    public CertificateIssuer PatientCa { get; }
    public byte[] Registrar { get; }
    public byte[] StatusCertificate { get; }
    public byte[] Bridge { get; }
    public HospitalRecord Record { get; set; }

    public static ECDsa NewKey() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public byte[] IssueDoctor(ECDsa key, string name) => Issue(key, PersonRole.Doctor, name);

    public byte[] Issue(ECDsa key, PersonRole role, string name) => CertificateProfile.IssuePerson(People, key.ExportSubjectPublicKeyInfo(), role, name, Record.Name, From, To);

    public byte[] IssuePatient(ECDsa key) => CertificateProfile.IssuePatient(PatientCa, key.ExportSubjectPublicKeyInfo(), From, To);

    public void Dispose()
    {
        foreach (var key in new[] { PeopleKey, BridgeCaKey, PatientCaKey, RegistrarKey, StatusKey, BridgeKey })
            key.Dispose();
    }
}
