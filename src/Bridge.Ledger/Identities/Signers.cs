using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Bridge.Ledger;

/// <summary>Signs a digest for an identity.</summary>
/// <param name="digest">SHA-256, 32 bytes.</param>
/// <param name="cancellationToken">Gives up waiting, for a token or a remote service.</param>
/// <returns>ASN.1 DER with low S (<see cref="FabricSignature"/>).</returns>
public delegate ValueTask<byte[]> Signer(ReadOnlyMemory<byte> digest, CancellationToken cancellationToken);

/// <summary>Signers over private keys.</summary>
public static class Signers
{
    /// <summary>
    /// Signs with a private key in this process, on as many threads at once as ask. The key is copied: the caller may dispose of its own.
    /// </summary>
    /// <param name="privateKey">
    /// ECDSA P-256. A <see cref="Pkcs11Key"/> is used as it is; so is any other that cannot be exported, one signature at a time.
    /// </param>
    /// <exception cref="ArgumentException">Another curve.</exception>
    public static Signer NewPrivateKeySigner(ECDsa privateKey)
    {
        if (privateKey.KeySize != 256)
            throw new ArgumentException($"the key has {privateKey.KeySize} bits: Fabric identities here are ECDSA P-256", nameof(privateKey));
        if (privateKey is Pkcs11Key token)
            return (digest, _) => ValueTask.FromResult(FabricSignature.Sign(token, digest.Span));
        ECParameters parameters;
        try
        {
            parameters = privateKey.ExportParameters(includePrivateParameters: true);
        }
        catch (CryptographicException)
        {
            return OneAtATime(privateKey);
        }

        // one key object is not promised to serve several threads; there come to be as many as threads that signed at once
        var idle = new ConcurrentBag<ECDsa>();
        return (digest, _) =>
        {
            var key = idle.TryTake(out var taken) ? taken : ECDsa.Create(parameters);
            var signature = FabricSignature.Sign(key, digest.Span);
            idle.Add(key);
            return ValueTask.FromResult(signature);
        };
    }

    private static Signer OneAtATime(ECDsa key)
    {
        var gate = new Lock();
        return (digest, _) =>
        {
            lock (gate)
                return ValueTask.FromResult(FabricSignature.Sign(key, digest.Span));
        };
    }
}
