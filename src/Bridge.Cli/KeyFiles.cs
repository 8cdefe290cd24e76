using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary>Keys and certificates in files: PKCS#8 and X.509 in PEM (DER is read too).</summary>
internal static class KeyFiles
{
    private static readonly PbeParameters Encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, iterationCount: 600_000);

    /// <summary>Writes a new key, readable by its owner only; encrypted where a password is given.</summary>
    public static void Write(FileInfo file, ECDsa key, string? password) =>
        TextFiles.WriteNew(file, (password is null ? key.ExportPkcs8PrivateKeyPem() : key.ExportEncryptedPkcs8PrivateKeyPem(password, Encryption)) + "\n", secret: true);

    /// <summary>Reads a P-256 key; asks for the password where it is encrypted.</summary>
    public static ECDsa Read(FileInfo file, FileInfo? passwordFile, Terminal terminal)
    {
        var pem = TextFiles.Read(file);
        var key = ECDsa.Create();
        try
        {
            if (pem.Contains("BEGIN ENCRYPTED PRIVATE KEY", StringComparison.Ordinal))
                key.ImportFromEncryptedPem(pem, terminal.Password($"Password of {file.Name}", passwordFile));
            else
                key.ImportFromPem(pem);
            if (key.KeySize == 256 && key.ExportSubjectPublicKeyInfo().Length == 91 && key.ExportParameters(true).D is not null)
                return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new CliFault(
                ExitCode.Input, $"{file.FullName} is no private key that can be opened: a PKCS#8 PEM of a P-256 key is expected, and the right password where it is encrypted.");
        }
        catch (CliFault)
        {
            key.Dispose();
            throw;
        }
        key.Dispose();
        throw new CliFault(ExitCode.Input, $"{file.FullName} holds no P-256 private key: make one with `bridge key create`.");
    }

    /// <summary>The DER of the one certificate in a PEM or DER file.</summary>
    public static byte[] ReadCertificate(FileInfo file)
    {
        var bytes = TextFiles.ReadBytes(file);
        try
        {
            using var certificate = bytes is [0x30, ..]
                ? X509CertificateLoader.LoadCertificate(bytes)
                : X509Certificate2.CreateFromPem(System.Text.Encoding.ASCII.GetString(bytes));
            return certificate.RawData;
        }
        catch (CryptographicException)
        {
            throw new CliFault(ExitCode.Input, $"{file.FullName} holds no X.509 certificate: PEM or DER is expected.");
        }
    }

    public static void WriteCertificate(FileInfo file, byte[] certificate) => TextFiles.WriteNew(file, PemEncoding.WriteString("CERTIFICATE", certificate) + "\n");

    /// <summary>Key and certificate of one who signs; refused where they do not belong together.</summary>
    public static (ECDsa Key, byte[] Certificate) ReadPair(FileInfo keyFile, FileInfo certificateFile, FileInfo? passwordFile, Terminal terminal)
    {
        var der = ReadCertificate(certificateFile);
        var key = Read(keyFile, passwordFile, terminal);
        using var certificate = X509CertificateLoader.LoadCertificate(der);
        if (certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
            return (key, der);
        key.Dispose();
        throw new CliFault(ExitCode.Input, $"{keyFile.FullName} is not the key of the certificate in {certificateFile.FullName}: name the pair that belongs together.");
    }

    /// <summary>The P-256 key in a PEM <c>PUBLIC KEY</c> file, as DER.</summary>
    public static byte[] ReadPublicKey(FileInfo file)
    {
        using var key = ECDsa.Create();
        try
        {
            var pem = TextFiles.Read(file);
            if (pem.Contains("PRIVATE KEY", StringComparison.Ordinal))
                throw new CliFault(ExitCode.Input, $"{file.FullName} holds a private key, which its owner keeps: ask for the public key or a certificate request.");
            key.ImportFromPem(pem);
            if (key.ExportSubjectPublicKeyInfo() is { Length: 91 } publicKey)
                return publicKey;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            // said below
        }
        throw new CliFault(ExitCode.Input, $"{file.FullName} holds no P-256 public key: a PEM with BEGIN PUBLIC KEY is expected.");
    }

    /// <summary>A certificate request for a P-256 key whose own signature holds.</summary>
    public static PersonRequest ReadRequest(FileInfo file) => PersonRequest.TryRead(TextFiles.Read(file))
        ?? throw new CliFault(ExitCode.Input, $"{file.FullName} is no certificate request for a P-256 key whose signature holds: a PEM with BEGIN CERTIFICATE REQUEST is expected, as `bridge key create` makes it.");

    /// <summary>How a certificate is named to people.</summary>
    public static string Describe(byte[] certificate)
    {
        using var loaded = X509CertificateLoader.LoadCertificate(certificate);
        return $"{loaded.Subject}, {loaded.NotBefore.ToUniversalTime():yyyy-MM-dd} to {loaded.NotAfter.ToUniversalTime():yyyy-MM-dd}, SHA-256 {Digest.Of(certificate)}";
    }
}
