using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.DevLedger.Identity;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Tests.DevLedger;

/// <summary>Authorities and members made for one test.</summary>
internal sealed class TestAuthority
{
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public TestAuthority(string mspId)
    {
        MspId = mspId;
        var request = new CertificateRequest($"CN={mspId} root, O={mspId}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        Certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddYears(1));
    }

    public string MspId { get; }

    public X509Certificate2 Certificate { get; }

    public (X509Certificate2 Certificate, ECDsa Key) Issue(string subject, ECCurve? curve = null, bool isAuthority = false, TimeSpan? life = null)
    {
        var memberKey = ECDsa.Create(curve ?? ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, memberKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        var from = DateTimeOffset.UtcNow.AddHours(-2);
        return (request.Create(Certificate, from, from + (life ?? TimeSpan.FromDays(30)), RandomNumberGenerator.GetBytes(12)), memberKey);
    }

    public ByteString Serialize(X509Certificate2 certificate, string? mspId = null) => new SerializedIdentity
    {
        Mspid = mspId ?? MspId,
        IdBytes = ByteString.CopyFromUtf8(certificate.ExportCertificatePem()),
    }.ToByteString();

    public Member Member(string role) => new(MspId, Issue($"OU={role}, CN={role}").Certificate, null);
}
