using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;

namespace Bridge.Tests.Records;

/// <summary>A key made for one test, with a self-signed certificate around it.</summary>
internal sealed class TestKey : IDisposable
{
    public TestKey(string name)
    {
        Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", Key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(TestRecords.Now.AddDays(-1), TestRecords.Now.AddYears(10));
        Certificate = certificate.RawData;
    }

    public ECDsa Key { get; }

    public byte[] Certificate { get; }

    public byte[] PublicKey => Key.ExportSubjectPublicKeyInfo();

    public void Dispose() => Key.Dispose();
}

internal static class TestRecords
{
    public static readonly DateTimeOffset Now = new(2026, 11, 20, 8, 0, 0, TimeSpan.Zero);

    public static MinimalSummary Summary(Pseudonym patient, string hospital = "HospitalAMSP") => new()
    {
        Id = SummaryId.New(),
        Patient = patient,
        Hospital = hospital,
        Period = "2026-10",
        Class = "AMB",
        Conditions = [new(CodeSystems.Icd10Cm, "E11.9", CodeLevel.Code, 1), new(CodeSystems.Snomed, "38341003", CodeLevel.Code, 2)],
        Treatments = [new(CodeSystems.RxNorm, "860975", TreatmentKind.Medication), new(CodeSystems.Snomed, "73761001", TreatmentKind.Procedure)],
        AgeBand = "50-59",
        Sex = "female",
        Disposition = "home",
    };
}
