using System.Security.Cryptography;

namespace Bridge.Records;

/// <summary>Key algorithms that a signature's certificate may hold.</summary>
internal enum LeafKey
{
    P256,
    Rsa,
}

/// <summary>A signer's certificate as a protected header carries it: parsed for its key only. Whom it names and who issued it is judged elsewhere.</summary>
internal sealed class LeafCertificate
{
    private const int LeastRsaBits = 2048;

    private static readonly byte[] P256Prefix = Convert.FromHexString("3059301306072A8648CE3D020106082A8648CE3D03010703420004");

    private readonly ParsedCertificate _certificate;

    private LeafCertificate(ParsedCertificate certificate) => _certificate = certificate;

    public byte[] Der => _certificate.Der;

    public byte[] SubjectPublicKeyInfo => _certificate.SubjectPublicKeyInfo;

    /// <summary>The one spelling of a P-256 public key: 91 bytes, uncompressed point.</summary>
    public static bool IsP256(ReadOnlySpan<byte> subjectPublicKeyInfo) =>
        subjectPublicKeyInfo.Length == 91 && subjectPublicKeyInfo.StartsWith(P256Prefix);

    /// <summary>Null for anything but one certificate with a key of the wanted kind and no byte more.</summary>
    public static LeafCertificate? TryRead(string? base64, LeafKey wanted) => Fitting(ParsedCertificate.TryRead(base64), wanted);

    /// <summary>As the other overload, of DER.</summary>
    public static LeafCertificate? TryRead(ReadOnlySpan<byte> der, LeafKey wanted) => Fitting(ParsedCertificate.TryRead(der), wanted);

    private static LeafCertificate? Fitting(ParsedCertificate? certificate, LeafKey wanted)
    {
        var fits = wanted == LeafKey.P256 ? certificate?.KeyKind == KeyKind.P256 : certificate is { KeyKind: KeyKind.Rsa, RsaBits: >= LeastRsaBits };
        return fits ? new LeafCertificate(certificate!) : null;
    }

    public static ECDsa ImportP256(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out _);
            return key;
        }
        catch (CryptographicException)
        {
            key.Dispose();
            throw;
        }
    }
}
