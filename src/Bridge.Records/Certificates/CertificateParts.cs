using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.Records;

/// <summary>What the platform's certificate class does not do: verify one certificate's signature by another's key, without a chain.</summary>
internal static class CertificateParts
{
    private const string EcdsaWithSha256 = "1.2.840.10045.4.3.2";

    /// <summary><see cref="CertificateFault.None"/> where <paramref name="issuer"/>'s name and key stand behind the certificate.</summary>
    public static CertificateFault IssuedBy(X509Certificate2 certificate, X509Certificate2 issuer)
    {
        if (!certificate.IssuerName.RawData.AsSpan().SequenceEqual(issuer.SubjectName.RawData))
            return CertificateFault.WrongIssuer;
        if (certificate.SignatureAlgorithm.Value != EcdsaWithSha256)
            return CertificateFault.SignatureAlgorithm;
        var publicKey = issuer.PublicKey.ExportSubjectPublicKeyInfo();
        if (!LeafCertificate.IsP256(publicKey))
            return CertificateFault.KeyNotP256;
        try
        {
            var reader = new AsnReader(certificate.RawDataMemory, AsnEncodingRules.DER).ReadSequence();
            var toBeSigned = reader.ReadEncodedValue();
            reader.ReadSequence();
            var signature = reader.ReadBitString(out _);
            using var key = LeafCertificate.ImportP256(publicKey);
            return key.VerifyData(toBeSigned.Span, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
                ? CertificateFault.None
                : CertificateFault.WrongIssuer;
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException)
        {
            return CertificateFault.Unreadable;
        }
    }

    /// <summary>The one common name of the subject; null where there is none or more than one.</summary>
    public static string? CommonName(X509Certificate2 certificate)
    {
        string? found = null;
        foreach (var name in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (name.HasMultipleElements || name.GetSingleElementType().Value != "2.5.4.3")
                continue;
            if (found is not null)
                return null;
            found = name.GetSingleElementValue();
        }
        return found;
    }

    public static X509Certificate2? TryLoad(ReadOnlySpan<byte> der)
    {
        if (der.IsEmpty || der[0] != 0x30)
            return null;
        try
        {
            var certificate = X509CertificateLoader.LoadCertificate(der);
            if (certificate.RawDataMemory.Span.SequenceEqual(der))
                return certificate;
            certificate.Dispose();
            return null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
