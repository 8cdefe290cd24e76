using System.Security.Cryptography.X509Certificates;

namespace Bridge.Ledger;

/// <summary>Where a gateway peer listens and how it proves itself.</summary>
/// <param name="Address"><c>https://host:port</c>, or <c>http://host:port</c> for HTTP/2 without TLS (loopback only, in practice).</param>
public sealed record GatewayEndpoint(Uri Address)
{
    /// <summary>The only roots that are trusted for this endpoint; null: those of the operating system.</summary>
    public X509Certificate2Collection? TlsRoots { get; init; }

    /// <summary>The name that the server's certificate must carry, where it is not the address's host.</summary>
    public string? ServerName { get; init; }

    /// <summary>For mutual TLS: a certificate with its private key; null: none is offered.</summary>
    public X509Certificate2? ClientCertificate { get; init; }
}
