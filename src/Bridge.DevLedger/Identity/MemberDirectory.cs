using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Identity;

/// <summary>The channel's organisations and their roots: says who a serialised identity is.</summary>
internal sealed class MemberDirectory
{
    // Certificates are few; the bound only keeps a flood of invented ones from growing the process.
    private const int MaxCached = 10_000;

    private readonly ConcurrentDictionary<string, Member?> cache = new(StringComparer.Ordinal);
    private readonly Dictionary<string, X509Certificate2Collection> authorities;

    /// <param name="authorities">MSP id to the certificates of its authorities, self-signed roots and intermediates.</param>
    public MemberDirectory(IReadOnlyDictionary<string, X509Certificate2Collection> authorities)
    {
        this.authorities = new Dictionary<string, X509Certificate2Collection>(authorities, StringComparer.Ordinal);
    }

    public IReadOnlyCollection<string> MspIds => authorities.Keys;

    /// <summary>
    /// Null when the bytes are no identity, one of an organisation that the channel does not have, or one whose certificate that organisation's authorities did not issue:
    /// Fabric calls all of these malformed and names no organisation.
    /// </summary>
    public Member? Find(ByteString serializedIdentity)
    {
        var key = Convert.ToBase64String(SHA256.HashData(serializedIdentity.Span));
        if (cache.TryGetValue(key, out var known))
            return known;
        var member = Parse(serializedIdentity);
        if (cache.Count >= MaxCached)
            cache.Clear();
        cache[key] = member;
        return member;
    }

    private Member? Parse(ByteString serializedIdentity)
    {
        SerializedIdentity identity;
        X509Certificate2 certificate;
        try
        {
            identity = SerializedIdentity.Parser.ParseFrom(serializedIdentity);
            certificate = X509Certificate2.CreateFromPem(identity.IdBytes.ToStringUtf8());
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or CryptographicException or ArgumentException)
        {
            return null;
        }

        return authorities.TryGetValue(identity.Mspid, out var trusted) && IsIssuedBy(trusted, certificate)
            ? new Member(identity.Mspid, certificate, Check(certificate))
            : null;
    }

    private static string? Check(X509Certificate2 certificate)
    {
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(e => e.CertificateAuthority))
            return "a certificate of an authority cannot act as a member";
        return certificate.GetECDsaPublicKey() is { KeySize: 256 } ? null : "the key is not ECDSA P-256";
    }

    private static bool IsIssuedBy(X509Certificate2Collection trusted, X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        // As Fabric's MSP: the chain is judged at the certificate's own beginning; expiry is looked at where a message enters.
        chain.ChainPolicy.VerificationTime = certificate.NotBefore.AddSeconds(1);
        foreach (var authority in trusted)
        {
            if (authority.SubjectName.RawData.AsSpan().SequenceEqual(authority.IssuerName.RawData))
                chain.ChainPolicy.CustomTrustStore.Add(authority);
            else
                chain.ChainPolicy.ExtraStore.Add(authority);
        }

        return chain.Build(certificate);
    }
}
