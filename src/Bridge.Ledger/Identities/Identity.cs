using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>Who transacts: an organisation's MSP id and the certificate that it issued.</summary>
public sealed class Identity
{
    private readonly byte[] creator;

    /// <param name="mspId">MSP id of the organisation.</param>
    /// <param name="credentials">The certificate as PEM text, in the very bytes that stand in the file.</param>
    /// <exception cref="ArgumentException">The MSP id is empty, or the text holds no certificate.</exception>
    public Identity(string mspId, ReadOnlySpan<byte> credentials)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(mspId);
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.UTF8.GetString(credentials));
        }
        catch (CryptographicException exception)
        {
            throw new ArgumentException($"the credentials of {mspId} hold no PEM certificate", nameof(credentials), exception);
        }

        MspId = mspId;
        Credentials = credentials.ToArray();
        creator = new SerializedIdentity { Mspid = mspId, IdBytes = ByteString.CopyFrom(credentials) }.ToByteArray();
        CreatorBytes = UnsafeByteOperations.UnsafeWrap(creator);
    }

    /// <summary>MSP id of the organisation.</summary>
    public string MspId { get; }

    /// <summary>The certificate as PEM text.</summary>
    public ReadOnlyMemory<byte> Credentials { get; }

    /// <summary>The bytes of msp.SerializedIdentity: the creator in every header.</summary>
    public ReadOnlyMemory<byte> Creator => creator;

    internal ByteString CreatorBytes { get; }
}
