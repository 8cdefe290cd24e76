using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;

namespace Bridge.Sandbox.Consortium;

/// <summary>A certificate and its key in two PEM files: <c>NAME.pem</c> and <c>NAME.key</c>.</summary>
/// <param name="CertificateFile">Full path.</param>
/// <param name="KeyFile">Full path; only its owner may read it.</param>
internal sealed record KeyPair(string CertificateFile, string KeyFile)
{
    /// <summary>Where a pair lies in a folder.</summary>
    public static KeyPair In(string folder, string name) => new(Path.Combine(folder, name + ".pem"), Path.Combine(folder, name + ".key"));

    /// <summary>Makes a key and has it certified.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="name">The files' name.</param>
    /// <param name="certify">Key to DER certificate.</param>
    public static KeyPair Create(string folder, string name, Func<ECDsa, byte[]> certify)
    {
        Directory.CreateDirectory(folder);
        var pair = In(folder, name);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        PrivateFile.Write(pair.KeyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
        // The certificate comes last: where it is, its key is.
        File.WriteAllText(pair.CertificateFile, PemEncoding.WriteString("CERTIFICATE", certify(key)) + "\n");
        return pair;
    }

    public bool Exists => File.Exists(CertificateFile);

    public byte[] Der()
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(CertificateFile));
        return certificate.RawData;
    }

    public ECDsa LoadKey()
    {
        var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(KeyFile));
        return key;
    }

    /// <summary>Issues with this pair; the key is released afterwards.</summary>
    public T Issue<T>(Func<CertificateIssuer, T> issue)
    {
        using var key = LoadKey();
        return issue(new CertificateIssuer(Der(), key));
    }
}
