using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.Records;

/// <summary>A CA that issues: its certificate and its key, which may be in a token.</summary>
/// <param name="Certificate">DER.</param>
/// <param name="Key">The CA's private key, P-256.</param>
public sealed record CertificateIssuer(byte[] Certificate, ECDsa Key);

/// <summary>Issues the consortium's certificates (RFC 5280, ECDSA P-256 with SHA-256). Every method returns DER.</summary>
public static class CertificateProfile
{
    /// <summary>id-kp-documentSigning (RFC 9336): doctors, registrars, status keys.</summary>
    public const string DocumentSigning = "1.3.6.1.5.5.7.3.36";

    /// <summary>id-kp-clientAuth: patients.</summary>
    public const string ClientAuth = "1.3.6.1.5.5.7.3.2";

    /// <summary>A self-signed root: the hospital's people CA, or a Fabric organisation's where no Fabric CA serves.</summary>
    /// <param name="key">The new root's key.</param>
    /// <param name="name">CN.</param>
    /// <param name="organisation">O; null for none.</param>
    /// <param name="from">Valid from; whole seconds.</param>
    /// <param name="to">Valid to.</param>
    public static byte[] CreateRoot(ECDsa key, string name, string? organisation, DateTimeOffset from, DateTimeOffset to)
    {
        ArgumentNullException.ThrowIfNull(key);
        var request = new CertificateRequest(Name(name, organisation), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        using var certificate = request.Create(request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), from, to, Serial());
        return certificate.RawData;
    }

    /// <summary>A new root signed by the old one's key, so that readers who trust the old digest follow (CA rollover).</summary>
    public static byte[] RollRoot(CertificateIssuer old, ReadOnlySpan<byte> newPublicKey, string name, string? organisation, DateTimeOffset from, DateTimeOffset to) =>
        Issue(old, newPublicKey, Name(name, organisation), from, to,
        [
            new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true),
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true),
        ]);

    /// <summary>A doctor's, registrar's or status key's certificate, from the people CA.</summary>
    /// <param name="issuer">The people CA.</param>
    /// <param name="publicKey">DER SubjectPublicKeyInfo, P-256.</param>
    /// <param name="role">What it is for, and for nothing else.</param>
    /// <param name="name">CN: a doctor's or registrar's real name; for a status key, what it is.</param>
    /// <param name="organisation">O: the hospital; null for none.</param>
    /// <param name="from">Valid from; whole seconds.</param>
    /// <param name="to">Valid to.</param>
    public static byte[] IssuePerson(
        CertificateIssuer issuer, ReadOnlySpan<byte> publicKey, PersonRole role, string name, string? organisation, DateTimeOffset from, DateTimeOffset to) =>
        Issue(issuer, publicKey, Name(name, organisation), from, to, LeafExtensions(DocumentSigning, RoleMark.Of(role)));

    /// <summary>The organisational unit that marks a patient's certificate whose key a guardian holds.</summary>
    public const string Guardian = "guardian";

    /// <summary>The patient CA's certificate, from the people CA: path length 0, so that it can mint no other CA and, by its place, no doctor.</summary>
    public static byte[] IssuePatientCa(CertificateIssuer issuer, ReadOnlySpan<byte> publicKey, string name, string? organisation, DateTimeOffset from, DateTimeOffset to) =>
        Issue(issuer, publicKey, Name(name, organisation), from, to,
        [
            new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true),
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true),
        ]);

    /// <summary>
    /// A patient's certificate, from the patient CA. Its CN is the key's pseudonym; nothing else is in its name but, where a guardian holds the key for a child or a
    /// dependent adult, the OU <see cref="Guardian"/>.
    /// </summary>
    public static byte[] IssuePatient(CertificateIssuer patientCa, ReadOnlySpan<byte> publicKey, DateTimeOffset from, DateTimeOffset to, bool guardian = false)
    {
        var subject = new X500DistinguishedNameBuilder();
        if (guardian)
            subject.AddOrganizationalUnitName(Guardian);
        subject.AddCommonName(Pseudonym.FromPublicKey(publicKey).ToString());
        return Issue(patientCa, publicKey, subject.Build(), from, to, LeafExtensions(ClientAuth));
    }

    /// <summary>A self-signed certificate as the attestor's stands in <c>consortium.json</c>.</summary>
    public static byte[] CreateAttestor(ECDsa key, string name, DateTimeOffset from, DateTimeOffset to)
    {
        ArgumentNullException.ThrowIfNull(key);
        var request = new CertificateRequest(Name(name, null), key, HashAlgorithmName.SHA256);
        foreach (var extension in LeafExtensions(DocumentSigning))
            request.CertificateExtensions.Add(extension);
        using var certificate = request.Create(request.SubjectName, X509SignatureGenerator.CreateForECDsa(key), from, to, Serial());
        return certificate.RawData;
    }

    /// <summary>A Fabric client identity (a bridge, the portal) where no Fabric CA serves. Fabric reads the role from OU (<c>client</c>, <c>peer</c>, <c>admin</c>).</summary>
    public static byte[] IssueFabricIdentity(CertificateIssuer issuer, ReadOnlySpan<byte> publicKey, string name, string role, DateTimeOffset from, DateTimeOffset to)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddOrganizationalUnitName(role);
        subject.AddCommonName(name);
        return Issue(issuer, publicKey, subject.Build(), from, to,
        [
            new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true),
            new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true),
        ]);
    }

    /// <summary>The next CRL of a CA (RFC 5280 §5).</summary>
    /// <param name="issuer">The CA.</param>
    /// <param name="previous">Its last CRL, DER, whose entries stay; empty for the first.</param>
    /// <param name="revoked">Certificates (DER) to add; what stands on the list already is passed over.</param>
    /// <param name="thisUpdate">Now.</param>
    /// <param name="nextUpdate">When the next list is due.</param>
    /// <exception cref="CryptographicException">The previous CRL is unreadable.</exception>
    /// <exception cref="ArgumentException">A certificate is unreadable or was issued by another CA.</exception>
    public static byte[] NextCrl(CertificateIssuer issuer, ReadOnlySpan<byte> previous, IEnumerable<byte[]> revoked, DateTimeOffset thisUpdate, DateTimeOffset nextUpdate)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        ArgumentNullException.ThrowIfNull(revoked);
        using var ca = X509CertificateLoader.LoadCertificate(issuer.Certificate);
        var issuing = ParsedCertificate.TryRead(issuer.Certificate) ?? throw new ArgumentException("the CA's certificate is not of the form that the consortium's rules ask for", nameof(issuer));
        var number = System.Numerics.BigInteger.Zero;
        var builder = previous.IsEmpty ? new CertificateRevocationListBuilder() : CertificateRevocationListBuilder.Load(previous, out number, out _);
        // a second copy tells what is listed already: an entry keeps the date it was first given
        var listed = previous.IsEmpty ? null : CertificateRevocationListBuilder.Load(previous, out _, out _);
        foreach (var der in revoked)
        {
            if (ParsedCertificate.TryRead(der) is not { } parsed)
                throw new ArgumentException("not a DER certificate", nameof(revoked));
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            if (parsed.IssuedBy(issuing) != CertificateFault.None)
                throw new ArgumentException($"the certificate {certificate.Subject} was not issued by {ca.Subject}", nameof(revoked));
            if (listed?.RemoveEntry(certificate.SerialNumberBytes.Span) != true)
                builder.AddEntry(certificate.SerialNumberBytes.Span, thisUpdate);
        }
        return builder.Build(
            ca.SubjectName, X509SignatureGenerator.CreateForECDsa(issuer.Key), number + 1, nextUpdate, HashAlgorithmName.SHA256,
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(ca, includeKeyIdentifier: true, includeIssuerAndSerial: false), thisUpdate);
    }

    private static X509Extension[] LeafExtensions(params string[] extendedKeyUsages) =>
    [
        new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true),
        new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true),
        new X509EnhancedKeyUsageExtension([.. extendedKeyUsages.Select(usage => new Oid(usage))], critical: false),
    ];

    private static byte[] Issue(
        CertificateIssuer issuer, ReadOnlySpan<byte> publicKey, X500DistinguishedName subject, DateTimeOffset from, DateTimeOffset to, X509Extension[] extensions)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        if (!LeafCertificate.IsP256(publicKey))
            throw new ArgumentException("not a P-256 public key with an uncompressed point", nameof(publicKey));
        using var ca = X509CertificateLoader.LoadCertificate(issuer.Certificate);
        using var key = LeafCertificate.ImportP256(publicKey);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        foreach (var extension in extensions)
            request.CertificateExtensions.Add(extension);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        if (ca.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Any())
            request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(ca, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        using var certificate = request.Create(ca.SubjectName, X509SignatureGenerator.CreateForECDsa(issuer.Key), from, to, Serial());
        return certificate.RawData;
    }

    private static X500DistinguishedName Name(string commonName, string? organisation)
    {
        if (string.IsNullOrWhiteSpace(commonName) || commonName.Length > 64)
            throw new ArgumentException($"a certificate's common name has 1 to 64 characters, this has {commonName?.Length ?? 0}", nameof(commonName));
        var builder = new X500DistinguishedNameBuilder();
        if (organisation is not null)
            builder.AddOrganizationName(organisation);
        builder.AddCommonName(commonName);
        return builder.Build();
    }

    /// <summary>128 random bits, positive, without a leading zero byte (RFC 5280 §4.1.2.2).</summary>
    private static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7f) | 0x40);
        return serial;
    }
}
