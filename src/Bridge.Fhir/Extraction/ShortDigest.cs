using System.Security.Cryptography;

namespace Bridge.Fhir.Extraction;

/// <summary>SHA-256 of a few bytes. To prepare a hash takes the platform several times as long as to compute one so short: each thread keeps its own prepared.</summary>
internal static class ShortDigest
{
    [ThreadStatic]
    private static IncrementalHash? s_hash;

    /// <summary>Writes the 32 bytes of the digest.</summary>
    public static void Of(ReadOnlySpan<byte> data, Span<byte> digest)
    {
        var hash = s_hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(data);
        hash.GetHashAndReset(digest);
    }
}
