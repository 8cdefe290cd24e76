using System.Security.Cryptography;

namespace Bridge.Ledger;

/// <summary>
/// A file that says who connects where. JSON:
/// <code>
/// {"mspId":"HospitalAMSP","channel":"bridge","chaincode":"summaries","certificate":"cert.pem","key":"key.pem",
///  "gateways":[{"endpoint":"https://127.0.0.1:7051","tlsRoots":"ca.pem","serverName":"peer0.hospital-a",
///               "tlsCertificate":"client.pem","tlsKey":"client-key.pem"}]}
/// </code>
/// Paths are relative to the file. <c>tlsRoots</c>, <c>serverName</c>, <c>tlsCertificate</c> and <c>tlsKey</c> may be left out. Where the key lies in a PKCS#11 token,
/// <c>pkcs11</c> stands in place of <c>key</c>:
/// <code>
/// "pkcs11":{"library":"/usr/lib/softhsm/libsofthsm2.so","token":"bridge","key":"bridge","id":"01","pinFile":"pin","pinVariable":"BRIDGE_PIN"}
/// </code>
/// with <c>key</c> (label), <c>id</c> (hexadecimal) or both, and the PIN in a file or in an environment variable.
/// </summary>
public sealed class ConnectionProfile
{
    private readonly Signer signer;

    internal ConnectionProfile(
        string channel, string chaincode, Identity identity, ECDsa? key, Signer signer, IReadOnlyList<GatewayEndpoint> gateways)
    {
        PrivateKey = key;
        Channel = channel;
        Chaincode = chaincode;
        Identity = identity;
        Gateways = gateways;
        this.signer = signer;
    }

    /// <summary>Name of the channel.</summary>
    public string Channel { get; }

    /// <summary>Name of the chaincode.</summary>
    public string Chaincode { get; }

    /// <summary>Who connects.</summary>
    public Identity Identity { get; }

    /// <summary>The private key that the profile names, in a file or in a token; null where the caller gave a signer.</summary>
    public ECDsa? PrivateKey { get; }

    /// <summary>The preferred gateway first.</summary>
    public IReadOnlyList<GatewayEndpoint> Gateways { get; }

    /// <summary>Reads the file and all that it names.</summary>
    /// <param name="path">The profile.</param>
    /// <param name="signer">Where the private key is not in a file; then the profile has no <c>key</c>.</param>
    /// <param name="time">Judges whether certificates are in force; null: the system's clock.</param>
    /// <exception cref="ConnectionProfileException">All faults at once.</exception>
    public static ConnectionProfile Load(string path, Signer? signer = null, TimeProvider? time = null) =>
        new ConnectionProfileReader(Path.GetFullPath(path), (time ?? TimeProvider.System).GetUtcNow()).Read(signer);

    /// <summary>Options of a gateway with the defaults for everything that the profile does not say.</summary>
    public GatewayOptions ToGatewayOptions() => new() { Identity = Identity, Signer = signer, Endpoints = Gateways };
}

/// <summary>A connection profile cannot be used.</summary>
public sealed class ConnectionProfileException : Exception
{
    internal ConnectionProfileException(string path, IReadOnlyList<string> faults)
        : base($"{path} cannot be used:{string.Concat(faults.Select(fault => $"{Environment.NewLine}- {fault}"))}") => Faults = faults;

    /// <summary>Each with the member, its value and what to do.</summary>
    public IReadOnlyList<string> Faults { get; }
}
