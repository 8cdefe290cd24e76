using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Bridge.Records;

namespace Bridge.Tests.Records.Vectors;

/// <summary>Certificates that no issuer of this system makes, with the issuer's true signature over what is odd.</summary>
internal static class OddCertificates
{
    /// <summary>What is signed, changed, and signed again.</summary>
    public static byte[] Resigned(byte[] certificate, ECDsa issuer, Func<byte[], byte[]> change)
    {
        AsnDecoder.ReadSequence(certificate, AsnEncodingRules.DER, out var start, out _, out _);
        AsnDecoder.ReadEncodedValue(certificate.AsSpan(start), AsnEncodingRules.DER, out _, out _, out var length);
        return Signed(change(certificate[start..(start + length)]), issuer);
    }

    public static byte[] Signed(byte[] toBeSigned, ECDsa issuer)
    {
        var signature = issuer.SignData(toBeSigned, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        byte[] body = [.. toBeSigned, 0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 3, (byte)(signature.Length + 1), 0, .. signature];
        return [0x30, 0x82, (byte)(body.Length >> 8), (byte)body.Length, .. body];
    }

    /// <summary>The same bytes under a length in a longer form than needed, which BER allows.</summary>
    public static byte[] LongForm(byte[] toBeSigned) => [0x30, 0x83, 0, .. toBeSigned[2..]];

    /// <summary>The same contents, which BER may end by two zero bytes.</summary>
    public static byte[] Indefinite(byte[] toBeSigned) => [0x30, 0x80, .. toBeSigned[4..], 0, 0];

    /// <summary>Bytes of the same number in place of others that stand there once or more.</summary>
    public static Func<byte[], byte[]> Replaced(ReadOnlySpan<byte> old, ReadOnlySpan<byte> by)
    {
        var (from, to) = (Encoding.Latin1.GetString(old), Encoding.Latin1.GetString(by));
        if (from.Length != to.Length)
            throw new ArgumentException("lengths of DER elements are not mended here", nameof(by));
        return bytes =>
        {
            var text = Encoding.Latin1.GetString(bytes);
            return text.Contains(from, StringComparison.Ordinal) ? Encoding.Latin1.GetBytes(text.Replace(from, to, StringComparison.Ordinal)) : throw new InvalidOperationException("nothing to replace");
        };
    }

    /// <summary>A doctor whose subject is given in DER, or who has one more extension.</summary>
    public static byte[] Doctor(CertificateIssuer issuer, ECDsa key, byte[]? subject = null, params X509Extension[] more)
    {
        using var ca = X509CertificateLoader.LoadCertificate(issuer.Certificate);
        var request = new CertificateRequest(subject is null ? new X500DistinguishedName("CN=Dr Odd") : new X500DistinguishedName(subject), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(CertificateProfile.DocumentSigning), new Oid(RoleMark.Of(PersonRole.Doctor))], false));
        foreach (var extension in more)
            request.CertificateExtensions.Add(extension);
        return request.Create(ca.SubjectName, X509SignatureGenerator.CreateForECDsa(issuer.Key), TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1), [1, 2, 3]).RawData;
    }

    /// <summary>A subject of sets of attributes: each (object identifier, tag, text bytes).</summary>
    public static byte[] Subject(params (string Type, byte Tag, byte[] Text)[][] sets)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
            foreach (var set in sets)
                using (writer.PushSetOf())
                    foreach (var (type, tag, text) in set)
                        using (writer.PushSequence())
                        {
                            writer.WriteObjectIdentifier(type);
                            writer.WriteEncodedValue([tag, (byte)text.Length, .. text]);
                        }
        return writer.Encode();
    }
}
