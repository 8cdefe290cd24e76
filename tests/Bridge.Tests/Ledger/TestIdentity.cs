using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Bridge.Ledger;

namespace Bridge.Tests.Ledger;

/// <summary>A key and a self-signed certificate for it.</summary>
internal sealed class TestIdentity
{
    public TestIdentity(string mspId = "HospitalAMSP")
    {
        Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=bridge.{mspId}", Key, HashAlgorithmName.SHA256);
        var now = DateTimeOffset.UtcNow;
        using var certificate = request.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(1));
        CertificatePem = certificate.ExportCertificatePem();
        Identity = new Identity(mspId, Encoding.UTF8.GetBytes(CertificatePem));
    }

    public ECDsa Key { get; }

    public string CertificatePem { get; }

    public Identity Identity { get; }

    public GatewayOptions Options(params Uri[] addresses) => new()
    {
        Identity = Identity,
        Signer = Signers.NewPrivateKeySigner(Key),
        Endpoints = [.. addresses.Select(address => new GatewayEndpoint(address))],
    };

    public bool Signed(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        FabricSignature.IsDerLowS(signature)
        && Key.VerifyData(message, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
}
