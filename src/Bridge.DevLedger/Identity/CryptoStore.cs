using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.DevLedger.Identity;

/// <summary>
/// Keys and certificates that the dev ledger makes for itself at run time, kept under <c>crypto/</c> of its data directory:
/// <c>MSP/ca.pem</c>, <c>MSP/peer.pem</c>, <c>MSP/clients/NAME.pem</c>, each with its key beside it.
/// </summary>
internal sealed class CryptoStore(string directory, TimeProvider clock)
{
    private const int YearsOfAuthority = 10;
    private const int YearsOfMember = 5;

    private readonly Lock gate = new();

    public string Path(string mspId, params ReadOnlySpan<string> parts) =>
        System.IO.Path.Combine([directory, "crypto", mspId, .. parts]);

    public X509Certificate2 Authority(string mspId)
    {
        lock (gate)
        {
            var file = Path(mspId, "ca.pem");
            if (!File.Exists(file))
                MakeAuthority(mspId, file);
            return X509Certificate2.CreateFromPem(File.ReadAllText(file));
        }
    }

    /// <summary>Makes the member on the first call; later ones give the same.</summary>
    /// <param name="name">The common name, and the file's.</param>
    public (X509Certificate2 Certificate, ECDsa Key, string CertificateFile, string KeyFile) Member(string mspId, NodeRole role, string name)
    {
        using var authority = Authority(mspId);
        lock (gate)
        {
            var file = role == NodeRole.Client || role == NodeRole.Admin ? Path(mspId, "clients", name + ".pem") : Path(mspId, name + ".pem");
            var keyFile = System.IO.Path.ChangeExtension(file, ".key");
            if (!File.Exists(file))
                MakeMember(mspId, role, name, authority, file, keyFile);
            var key = ECDsa.Create();
            key.ImportFromPem(File.ReadAllText(keyFile));
            return (X509Certificate2.CreateFromPem(File.ReadAllText(file)), key, file, keyFile);
        }
    }

    private void MakeAuthority(string mspId, string file)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var name = new X500DistinguishedNameBuilder();
        name.AddOrganizationName(mspId);
        name.AddCommonName($"{mspId} dev ledger authority");
        var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = clock.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddYears(YearsOfAuthority));
        WriteKey(System.IO.Path.ChangeExtension(file, ".key"), key);
        WriteText(file, certificate.ExportCertificatePem() + "\n");
    }

    private void MakeMember(string mspId, NodeRole role, string name, X509Certificate2 authority, string file, string keyFile)
    {
        using var authorityKey = ECDsa.Create();
        authorityKey.ImportFromPem(File.ReadAllText(Path(mspId, "ca.key")));
        using var signer = authority.CopyWithPrivateKey(authorityKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedNameBuilder();
        subject.AddOrganizationName(mspId);
        subject.AddOrganizationalUnitName(role.ToString().ToLowerInvariant());
        subject.AddCommonName(name);
        var request = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        var now = clock.GetUtcNow();
        var end = now.AddYears(YearsOfMember);
        using var certificate = request.Create(
            signer, now.AddHours(-1), end < authority.NotAfter ? end : authority.NotAfter, RandomNumberGenerator.GetBytes(16));
        WriteKey(keyFile, key);
        WriteText(file, certificate.ExportCertificatePem() + "\n");
    }

    private static void WriteKey(string file, ECDsa key) => WriteText(file, key.ExportPkcs8PrivateKeyPem() + "\n", isSecret: true);

    // The certificate is written last and moved into place whole: where it is, its key is.
    private static void WriteText(string file, string text, bool isSecret = false)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        var part = file + ".part";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (isSecret && !OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(part, options))
            writer.Write(text);
        File.Move(part, file, overwrite: true);
    }
}
