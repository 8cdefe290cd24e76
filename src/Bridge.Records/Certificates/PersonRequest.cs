using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.Records;

/// <summary>A certificate request (PKCS #10, RFC 2986) for a P-256 key, signed with that key: whoever certifies it knows that the asker has the key.</summary>
/// <param name="PublicKey">DER SubjectPublicKeyInfo.</param>
/// <param name="Name">The common name asked for; null where the request has none, or not exactly one.</param>
/// <param name="Marks">The role marks (<see cref="RoleMark"/>) among the extended key usages asked for; most tools ask for none.</param>
public sealed record PersonRequest(byte[] PublicKey, string? Name, IReadOnlyList<string> Marks)
{
    /// <summary>DER, at most.</summary>
    public const int MaxBytes = 4096;

    /// <summary>Makes a request.</summary>
    /// <param name="key">The key to be certified.</param>
    /// <param name="subject">Whose.</param>
    /// <param name="role">What for; null leaves it to whoever certifies.</param>
    /// <returns>PEM.</returns>
    public static string Create(ECDsa key, X500DistinguishedName subject, PersonRole? role)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        if (role is { } one)
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(CertificateProfile.DocumentSigning), new Oid(RoleMark.Of(one))], critical: false));
        return request.CreateSigningRequestPem();
    }

    /// <summary>Reads DER; null for anything but a request for a P-256 key that the key signed.</summary>
    public static PersonRequest? TryRead(ReadOnlySpan<byte> der)
    {
        if (der.Length > MaxBytes)
            return null;
        var copy = der.ToArray();
        return Try(() => CertificateRequest.LoadSigningRequest(copy, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions));
    }

    /// <summary>As the other overload, of PEM text.</summary>
    public static PersonRequest? TryRead(string pem) =>
        Try(() => CertificateRequest.LoadSigningRequestPem(pem, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions));

    /// <summary>True where the request asks for this role or leaves it open; null stands for no role.</summary>
    public bool MayBe(PersonRole? role) => Marks is [] || (role is { } one && Marks is [var mark] && mark == RoleMark.Of(one));

    private static PersonRequest? Try(Func<CertificateRequest> load)
    {
        try
        {
            // The options are called unsafe because a CA must not copy what a request asks for; here it is only compared.
            var request = load();
            var publicKey = request.PublicKey.ExportSubjectPublicKeyInfo();
            if (!LeafCertificate.IsP256(publicKey))
                return null;
            var names = request.SubjectName.EnumerateRelativeDistinguishedNames().Where(name => !name.HasMultipleElements && name.GetSingleElementType().Value == "2.5.4.3").ToList();
            var usages = request.CertificateExtensions.Where(extension => extension.Oid?.Value == "2.5.29.37")
                .SelectMany(extension => new X509EnhancedKeyUsageExtension(extension, extension.Critical).EnhancedKeyUsages.Cast<Oid>());
            return new PersonRequest(publicKey, names is [var one] ? one.GetSingleElementValue() : null, [.. usages.Select(usage => usage.Value ?? "").Where(RoleMark.IsMark)]);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            return null;
        }
    }
}
