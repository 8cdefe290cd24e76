using System.Security.Cryptography;
using Bridge.Records;

namespace Bridge.Hospital.Access;

/// <summary>AES-256-GCM over a random nonce, as text. What was sealed for one purpose opens for no other.</summary>
internal static class Sealed
{
    public static string Close(ReadOnlySpan<byte> key, ReadOnlySpan<byte> purpose, ReadOnlySpan<byte> plain)
    {
        var whole = new byte[AesGcm.NonceByteSizes.MaxSize + plain.Length + AesGcm.TagByteSizes.MaxSize];
        var (nonce, text, tag) = Parts(whole);
        RandomNumberGenerator.Fill(nonce.Span);
        using var aes = new AesGcm(key, AesGcm.TagByteSizes.MaxSize);
        aes.Encrypt(nonce.Span, plain, text.Span, tag.Span, purpose);
        return Base64Url.Encode(whole);
    }

    /// <summary>Null where it was not sealed with this key for this purpose.</summary>
    public static byte[]? Open(ReadOnlySpan<byte> key, ReadOnlySpan<byte> purpose, string closed)
    {
        if (!Base64Url.TryDecode(closed, out var whole) || whole.Length < AesGcm.NonceByteSizes.MaxSize + AesGcm.TagByteSizes.MaxSize)
            return null;
        var (nonce, text, tag) = Parts(whole);
        var plain = new byte[text.Length];
        using var aes = new AesGcm(key, AesGcm.TagByteSizes.MaxSize);
        try
        {
            aes.Decrypt(nonce.Span, text.Span, tag.Span, plain, purpose);
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static (Memory<byte> Nonce, Memory<byte> Text, Memory<byte> Tag) Parts(Memory<byte> whole)
    {
        var (first, last) = (AesGcm.NonceByteSizes.MaxSize, whole.Length - AesGcm.TagByteSizes.MaxSize);
        return (whole[..first], whole[first..last], whole[last..]);
    }
}
