using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Bridge.Records;

/// <summary>Kinds of public key that the rules tell apart.</summary>
internal enum KeyKind
{
    P256,
    Rsa,
    Other,
}

/// <summary>
/// What the rules need of an X.509 certificate (RFC 5280), read strictly and once: the counterpart of the contract's <c>rules/certificate.ts</c>. The platform's own class reads
/// more leniently, and throws late, on the first look at an extension.
/// </summary>
internal sealed class ParsedCertificate
{
    /// <summary>No certificate of this system is near it; it bounds what a stranger can make a reader parse.</summary>
    public const int MaxBytes = 8192;

    private const int MostKnown = 1024;
    private const string EcPublicKey = "1.2.840.10045.2.1", P256Curve = "1.2.840.10045.3.1.7", RsaKey = "1.2.840.113549.1.1.1", CommonNameType = "2.5.4.3";
    private const string BasicConstraints = "2.5.29.19", KeyUsageType = "2.5.29.15", ExtendedKeyUsageType = "2.5.29.37";

    // Bridges, offices and doctors come again with every record; reading is pure, so nothing but time depends on what is here. Bad ones are not kept.
    private static readonly ConcurrentDictionary<Digest, ParsedCertificate> Known = new();

    public required byte[] Der { get; init; }

    /// <summary>Digest of the DER.</summary>
    public required Digest Thumbprint { get; init; }

    public required byte[] SubjectPublicKeyInfo { get; init; }

    public required KeyKind KeyKind { get; init; }

    /// <summary>Bits of an RSA key's modulus; 0 for other keys.</summary>
    public required int RsaBits { get; init; }

    public required ReadOnlyMemory<byte> Issuer { get; init; }

    public required ReadOnlyMemory<byte> Subject { get; init; }

    /// <summary>The subject's one common name; null where there is none or more than one.</summary>
    public required string? CommonName { get; init; }

    /// <summary>Unix seconds, inclusive.</summary>
    public required long NotBefore { get; init; }

    /// <summary>Unix seconds, inclusive.</summary>
    public required long NotAfter { get; init; }

    /// <summary>BasicConstraints: null where absent.</summary>
    public bool? IsCa { get; private set; }

    /// <summary>True where BasicConstraints say path length 0: it may issue leaves only.</summary>
    public bool HasPathLengthZero { get; private set; }

    /// <summary>Numbers of the bits of KeyUsage (0 = digitalSignature); null where absent.</summary>
    public IReadOnlyList<int>? KeyUsage { get; private set; }

    public IReadOnlyList<string> ExtendedKeyUsage { get; private set; } = [];

    /// <summary>A critical extension that the rules do not judge.</summary>
    public bool HasUnknownCritical { get; private set; }

    private ReadOnlyMemory<byte> ToBeSigned { get; init; }

    private string SignatureAlgorithm { get; init; } = "";

    private ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>Reads standard base64 of the DER; null for anything but one certificate and no byte more.</summary>
    public static ParsedCertificate? TryRead(string? base64)
    {
        if (base64 is null || base64.Length > (MaxBytes + 2) / 3 * 4)
            return null;
        var der = new byte[base64.Length / 4 * 3];
        return Convert.TryFromBase64String(base64, der, out var length) && Convert.ToBase64String(der, 0, length) == base64 ? TryRead(der.AsSpan(0, length)) : null;
    }

    /// <summary>Null for anything but one certificate and no byte more.</summary>
    public static ParsedCertificate? TryRead(ReadOnlySpan<byte> der)
    {
        if (der.Length is 0 or > MaxBytes)
            return null;
        var thumbprint = Digest.Of(der);
        if (Known.TryGetValue(thumbprint, out var before))
            return before;
        try
        {
            var read = Parse(der.ToArray(), thumbprint);
            // OpenSSL must read it too, as it must for the contract.
            using var loaded = X509CertificateLoader.LoadCertificate(der);
            if (!loaded.RawDataMemory.Span.SequenceEqual(der))
                return null;
            if (Known.Count >= MostKnown)
                Known.Clear();
            Known[thumbprint] = read;
            return read;
        }
        catch (Exception e) when (e is DerException or CryptographicException or DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary><see cref="CertificateFault.None"/> where <paramref name="issuer"/>'s name and key stand behind this certificate (ECDSA with SHA-256).</summary>
    public CertificateFault IssuedBy(ParsedCertificate issuer)
    {
        if (!Issuer.Span.SequenceEqual(issuer.Subject.Span))
            return CertificateFault.WrongIssuer;
        if (SignatureAlgorithm != "1.2.840.10045.4.3.2")
            return CertificateFault.SignatureAlgorithm;
        if (issuer.KeyKind != KeyKind.P256)
            return CertificateFault.KeyNotP256;
        using var key = LeafCertificate.ImportP256(issuer.SubjectPublicKeyInfo);
        return key.VerifyData(ToBeSigned.Span, Signature.Span, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) ? CertificateFault.None : CertificateFault.WrongIssuer;
    }

    private static ParsedCertificate Parse(byte[] der, Digest thumbprint)
    {
        if (Records.Der.Read(der).Expect(Records.Der.Sequence).Children() is not [var tbs, var algorithm, var signature])
            throw new DerException("three parts expected");
        var signatureAlgorithm = First(algorithm.Expect(Records.Der.Sequence)).ReadOid();
        var (signatureBits, unused) = signature.ReadBits();
        if (unused != 0)
            throw new DerException("a signature of broken bytes");
        if (tbs.Expect(Records.Der.Sequence).Children() is not [var version, var serial, var inner, var issuer, var validity, var subject, var spki, .. var rest])
            throw new DerException("parts are missing");
        if (version.Tag != 0xa0 || First(version).ReadUnsigned().Span is not [2])
            throw new DerException("version 3 expected");
        serial.ReadUnsigned();
        if (!inner.Expect(Records.Der.Sequence).Whole.Span.SequenceEqual(algorithm.Whole.Span))
            throw new DerException("two signature algorithms");
        if (validity.Expect(Records.Der.Sequence).Children() is not [var notBefore, var notAfter, ..])
            throw new DerException("a time is missing");
        var (kind, bits) = ReadKey(spki.Expect(Records.Der.Sequence));
        var certificate = new ParsedCertificate
        {
            Der = der,
            Thumbprint = thumbprint,
            SubjectPublicKeyInfo = spki.Whole.ToArray(),
            KeyKind = kind,
            RsaBits = bits,
            Issuer = issuer.Expect(Records.Der.Sequence).Whole,
            Subject = subject.Expect(Records.Der.Sequence).Whole,
            CommonName = ReadCommonName(subject),
            NotBefore = notBefore.ReadTime(),
            NotAfter = notAfter.ReadTime(),
            ToBeSigned = tbs.Whole,
            SignatureAlgorithm = signatureAlgorithm,
            Signature = signatureBits,
        };
        certificate.ReadExtensions(rest);
        return certificate;
    }

    private static (KeyKind Kind, int RsaBits) ReadKey(Der spki)
    {
        if (spki.Children() is not [var algorithm, var point, ..])
            throw new DerException("a key is missing");
        var parameters = algorithm.Expect(Records.Der.Sequence).Children();
        var type = First(algorithm).ReadOid();
        if (type == RsaKey)
        {
            using var rsa = RSA.Create();
            rsa.ImportSubjectPublicKeyInfo(spki.Whole.Span, out _);
            return (KeyKind.Rsa, rsa.KeySize);
        }
        var (bits, _) = point.ReadBits();
        if (type != EcPublicKey || parameters is not [_, { Tag: Records.Der.Oid } curve, ..] || curve.ReadOid() != P256Curve || !LeafCertificate.IsP256(spki.Whole.Span) || bits.Length != 65)
            return (KeyKind.Other, 0);
        using var key = LeafCertificate.ImportP256(spki.Whole.Span); // a point off the curve is refused here
        return (KeyKind.P256, 0);
    }

    private static string? ReadCommonName(Der subject)
    {
        var names = new List<string>();
        foreach (var set in subject.Children())
            foreach (var attribute in set.Expect(Records.Der.Set).Children())
            {
                if (attribute.Expect(Records.Der.Sequence).Children() is not [var type, .. var values])
                    throw new DerException("an attribute without type");
                if (type.ReadOid() != CommonNameType)
                    continue;
                if (values is not [{ Tag: Records.Der.Utf8String or Records.Der.PrintableString } value, ..])
                    throw new DerException("a common name that is not UTF-8");
                names.Add(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(value.Contents.Span));
            }
        return names is [var one] ? one : null;
    }

    private void ReadExtensions(IEnumerable<Der> rest)
    {
        var holder = rest.FirstOrDefault(element => element.Tag == 0xa3);
        if (holder.Tag == 0)
            return;
        var seen = new HashSet<string>();
        foreach (var extension in Records.Der.Read(holder.Contents).Children())
        {
            var parts = extension.Expect(Records.Der.Sequence).Children();
            var type = First(extension).ReadOid();
            if (!seen.Add(type))
                throw new DerException("an extension twice");
            var isCritical = parts.Count == 3 && parts[1].ReadBoolean();
            var value = Records.Der.Read(parts[^1].Expect(Records.Der.OctetString).Contents);
            switch (type)
            {
                case BasicConstraints:
                    var constraints = value.Expect(Records.Der.Sequence).Children();
                    IsCa = constraints is [{ Tag: Records.Der.Boolean }, ..] && constraints[0].ReadBoolean();
                    HasPathLengthZero = constraints.Find(element => element.Tag == Records.Der.Integer) is { Tag: not 0 } length && length.ReadUnsigned().Span is [0];
                    break;
                case KeyUsageType:
                    var (bits, _) = value.ReadBits();
                    KeyUsage = [.. bits.ToArray().SelectMany((one, i) => Enumerable.Range(0, 8).Where(bit => (one & (0x80 >> bit)) != 0).Select(bit => i * 8 + bit))];
                    break;
                case ExtendedKeyUsageType:
                    ExtendedKeyUsage = [.. value.Expect(Records.Der.Sequence).Children().Select(purpose => purpose.ReadOid())];
                    break;
                default:
                    HasUnknownCritical |= isCritical;
                    break;
            }
        }
    }

    private static Der First(Der holder) => holder.Children() is [var first, ..] ? first : throw new DerException("an element is missing");
}
