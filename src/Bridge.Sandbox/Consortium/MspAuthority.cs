using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.Sandbox.Consortium;

/// <summary>
/// An organisation's Fabric CA, as cryptogen would make it: a self-signed root and members whose unit (NodeOUs) says what they are.
/// ECDSA P-256. In a real network this is the operator's Fabric CA; the Sandbox makes everything at run time.
/// </summary>
internal static class MspAuthority
{
    private const int Years = 10;

    /// <summary>Makes <c>msp-ca.pem</c> and <c>msp-ca-key.pem</c> in the folder.</summary>
    public static X509Certificate2 CreateRoot(string folder, string organisation, DateTimeOffset now)
    {
        Directory.CreateDirectory(folder);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name($"ca.{organisation}", organisation, unit: null), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var root = request.CreateSelfSigned(now.AddMinutes(-5), now.AddYears(Years));
        Write(folder, "msp-ca", root, key);
        return root;
    }

    /// <summary>Makes <c>NAME.pem</c> and <c>NAME-key.pem</c> in the folder, issued by the folder's root; the unit is client, peer, admin or orderer.</summary>
    public static X509Certificate2 Issue(string folder, string name, string organisation, string unit, DateTimeOffset now)
    {
        using var root = X509Certificate2.CreateFromPemFile(Path.Combine(folder, "msp-ca.pem"), Path.Combine(folder, "msp-ca-key.pem"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(Name($"{name}.{organisation}", organisation, unit), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, true, false));
        var serial = new byte[16];
        RandomNumberGenerator.Fill(serial);
        serial[0] &= 0x7f;
        serial[0] |= 0x40;
        using var signed = request.Create(root, now.AddMinutes(-5), now.AddYears(Years - 1), serial);
        var certificate = signed.CopyWithPrivateKey(key);
        Write(folder, name, certificate, key);
        return certificate;
    }

    private static X500DistinguishedName Name(string common, string organisation, string? unit)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCountryOrRegion("CH");
        builder.AddOrganizationName(organisation);
        if (unit is not null)
        {
            builder.AddOrganizationalUnitName(unit);
        }

        builder.AddCommonName(common);
        return builder.Build();
    }

    private static void Write(string folder, string name, X509Certificate2 certificate, ECDsa key)
    {
        File.WriteAllText(Path.Combine(folder, name + ".pem"), certificate.ExportCertificatePem() + "\n");
        PrivateFile.Write(Path.Combine(folder, name + "-key.pem"), key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
