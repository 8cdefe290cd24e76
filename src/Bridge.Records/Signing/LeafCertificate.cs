using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

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
    private const int MostKnown = 1024;

    // Bridges, offices and doctors come again with every record; reading is pure, so nothing but time depends on what is here. Bad ones are not kept.
    private static readonly ConcurrentDictionary<(Digest Thumbprint, LeafKey Kind), LeafCertificate> Known = new();

    private static readonly byte[] P256Prefix = Convert.FromHexString("3059301306072A8648CE3D020106082A8648CE3D03010703420004");

    /// <summary>No certificate of this system is near it; it bounds what a stranger can make a reader parse.</summary>
    public const int MaxBytes = 8192;

    private LeafCertificate(byte[] der, byte[] publicKey)
    {
        Der = der;
        SubjectPublicKeyInfo = publicKey;
    }

    public byte[] Der { get; }

    public byte[] SubjectPublicKeyInfo { get; }

    /// <summary>The one spelling of a P-256 public key: 91 bytes, uncompressed point.</summary>
    public static bool IsP256(ReadOnlySpan<byte> subjectPublicKeyInfo) =>
        subjectPublicKeyInfo.Length == 91 && subjectPublicKeyInfo.StartsWith(P256Prefix);

    /// <summary>Null for anything but one certificate with a key of the wanted kind and no byte more.</summary>
    public static LeafCertificate? TryRead(string? base64, LeafKey wanted)
    {
        if (base64 is null || base64.Length > (MaxBytes + 2) / 3 * 4)
            return null;
        var der = new byte[base64.Length / 4 * 3];
        if (!Convert.TryFromBase64String(base64, der, out var length) || Convert.ToBase64String(der, 0, length) != base64)
            return null;
        return TryRead(der.AsSpan(0, length).ToArray(), wanted);
    }

    public static LeafCertificate? TryRead(byte[] der, LeafKey wanted)
    {
        if (der.Length is 0 or > MaxBytes || der[0] != 0x30) // the loader would take PEM too
            return null;
        var place = (Digest.Of(der), wanted);
        if (Known.TryGetValue(place, out var before))
            return before;
        if (Parse((byte[])der.Clone(), wanted) is not { } read) // its own copy: the caller may change what it gave
            return null;
        if (Known.Count >= MostKnown)
            Known.Clear();
        Known[place] = read;
        return read;
    }

    private static LeafCertificate? Parse(byte[] der, LeafKey wanted)
    {
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            if (!certificate.RawDataMemory.Span.SequenceEqual(der))
                return null;
            var publicKey = certificate.PublicKey.ExportSubjectPublicKeyInfo();
            if (wanted == LeafKey.P256)
            {
                if (!IsP256(publicKey))
                    return null;
                using var key = ImportP256(publicKey); // a point off the curve is refused here
            }
            else
            {
                using var rsa = certificate.GetRSAPublicKey();
                if (rsa is null || rsa.KeySize < 2048)
                    return null;
            }
            return new LeafCertificate(der, publicKey);
        }
        catch (CryptographicException)
        {
            return null;
        }
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
