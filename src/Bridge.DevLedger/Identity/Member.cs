using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bridge.DevLedger.Identity;

/// <summary>What an identity may be: the organisational unit of its certificate (NodeOUs), exactly one of them.</summary>
internal enum NodeRole
{
    None,
    Client,
    Peer,
    Admin,
    Orderer,
}

/// <summary>
/// An identity of a known organisation. It may still be invalid (<see cref="Fault"/>): Fabric tells such an identity from an unknown one.
/// </summary>
internal sealed class Member
{
    private readonly ConcurrentBag<ECDsa> keys = [];

    public Member(string mspId, X509Certificate2 certificate, string? fault)
    {
        MspId = mspId;
        Certificate = certificate;
        Thumbprint = Convert.ToHexString(SHA256.HashData(certificate.RawData));
        var roles = OrganizationalUnits(certificate)
            .Select(unit => unit switch
            {
                "client" => NodeRole.Client,
                "peer" => NodeRole.Peer,
                "admin" => NodeRole.Admin,
                "orderer" => NodeRole.Orderer,
                _ => NodeRole.None,
            })
            .Where(role => role != NodeRole.None)
            .Distinct()
            .ToList();
        Role = roles.Count == 1 ? roles[0] : NodeRole.None;
        Fault = fault ?? (roles.Count == 1
            ? null
            : $"the certificate must carry exactly one of the units client, peer, admin and orderer, and carries {roles.Count}");
    }

    public string MspId { get; }

    public X509Certificate2 Certificate { get; }

    /// <summary>SHA-256 of the certificate's DER, in hex: two serialised forms of one certificate are one identity.</summary>
    public string Thumbprint { get; }

    public NodeRole Role { get; }

    /// <summary>Why the identity is not a valid one of its organisation; null when it is.</summary>
    public string? Fault { get; }

    public bool IsExpired(DateTimeOffset now) => now > Certificate.NotAfter.ToUniversalTime();

    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        // An ECDsa instance is not promised to serve several threads: each verification borrows one.
        if (!keys.TryTake(out var key))
            key = Certificate.GetECDsaPublicKey();
        if (key is null)
            return false;
        var valid = Signatures.Verify(key, data, signature);
        keys.Add(key);
        return valid;
    }

    private static IEnumerable<string> OrganizationalUnits(X509Certificate2 certificate) =>
        certificate.SubjectName.EnumerateRelativeDistinguishedNames()
            .Where(name => !name.HasMultipleElements && name.GetSingleElementType().Value == "2.5.4.11")
            .Select(name => name.GetSingleElementValue() ?? "");
}
