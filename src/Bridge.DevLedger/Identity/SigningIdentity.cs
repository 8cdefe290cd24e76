using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Identity;

/// <summary>A peer's or the orderer's own key, with its serialised identity.</summary>
internal sealed class SigningIdentity : IDisposable
{
    private readonly ECDsa key;
    private readonly Lock gate = new();

    public SigningIdentity(string mspId, X509Certificate2 certificate, ECDsa key)
    {
        this.key = key;
        MspId = mspId;
        Serialized = new SerializedIdentity
        {
            Mspid = mspId,
            IdBytes = ByteString.CopyFromUtf8(certificate.ExportCertificatePem() + "\n"),
        }.ToByteString();
    }

    public string MspId { get; }

    /// <summary>Bytes of <c>msp.SerializedIdentity</c>.</summary>
    public ByteString Serialized { get; }

    public ByteString Sign(ReadOnlySpan<byte> data)
    {
        lock (gate)
            return ByteString.CopyFrom(Signatures.Sign(key, data));
    }

    public void Dispose() => key.Dispose();
}
