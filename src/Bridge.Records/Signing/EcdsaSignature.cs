using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;

namespace Bridge.Records;

/// <summary>
/// ECDSA P-256 with SHA-256 as records carry it: r ‖ s (IEEE P1363, 64 bytes), s in the lower half. .NET and WebCrypto give any s; the
/// helpers here bring a signature to its one spelling.
/// </summary>
public static class EcdsaSignature
{
    /// <summary>Bytes of r ‖ s.</summary>
    public const int Length = 64;

    private static readonly byte[] Order = Convert.FromHexString("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    private static readonly byte[] HalfOrder = Convert.FromHexString("7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8");

    /// <summary>Signs SHA-256 of the bytes; low-S.</summary>
    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(key);
        var signature = new byte[Length];
        if (!key.TrySignData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, out var written) || written != Length)
            throw new CryptographicException("the key is not on P-256");
        NormaliseInPlace(signature);
        return signature;
    }

    /// <summary>True where r ‖ s fits the key and the bytes. Says nothing of s's half: see <see cref="Check"/>.</summary>
    public static bool Verify(ECDsa key, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(key);
        return signature.Length == Length && key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    /// <summary>
    /// <see cref="VerificationOutcome.SignatureForm"/> where it is not 64 bytes or r or s is zero or not below the order, <see cref="VerificationOutcome.HighS"/>, or
    /// <see cref="VerificationOutcome.Valid"/> for a well-formed one.
    /// </summary>
    public static VerificationOutcome Check(ReadOnlySpan<byte> signature)
    {
        if (signature.Length != Length || !IsScalar(signature[..32]) || !IsScalar(signature[32..]))
            return VerificationOutcome.SignatureForm;
        return signature[32..].SequenceCompareTo(HalfOrder) > 0 ? VerificationOutcome.HighS : VerificationOutcome.Valid;
    }

    /// <summary>The same signature with s in the lower half. <see cref="FormatException"/> where it is not 64 bytes.</summary>
    public static byte[] NormaliseLowS(ReadOnlySpan<byte> signature)
    {
        if (signature.Length != Length)
            throw new FormatException($"a P-256 signature has {Length} bytes (r, s), this has {signature.Length}");
        var copy = signature.ToArray();
        NormaliseInPlace(copy);
        return copy;
    }

    /// <summary>r ‖ s, low-S, of a DER signature (as Fabric, OpenSSL and authenticators write it). <see cref="FormatException"/> for other bytes.</summary>
    public static byte[] FromDer(ReadOnlySpan<byte> der)
    {
        try
        {
            var signature = new byte[Length];
            AsnDecoder.ReadSequence(der, AsnEncodingRules.DER, out var offset, out var length, out var total);
            if (total != der.Length)
                throw new FormatException("bytes follow the DER signature");
            var content = der.Slice(offset, length);
            for (var i = 0; i < 2; i++)
            {
                var number = AsnDecoder.ReadInteger(content, AsnEncodingRules.DER, out var consumed);
                content = content[consumed..];
                if (number.Sign < 0 || number.GetByteCount(isUnsigned: true) > 32)
                    throw new FormatException("r or s is out of range");
                var size = number.GetByteCount(isUnsigned: true);
                number.TryWriteBytes(signature.AsSpan((i + 1) * 32 - size, size), out _, isUnsigned: true, isBigEndian: true);
            }
            if (!content.IsEmpty)
                throw new FormatException("the DER signature holds more than r and s");
            NormaliseInPlace(signature);
            return signature;
        }
        catch (AsnContentException e)
        {
            throw new FormatException("not a DER signature", e);
        }
    }

    /// <summary>The DER form of r ‖ s, as Fabric and X.509 carry it.</summary>
    public static byte[] ToDer(ReadOnlySpan<byte> signature)
    {
        if (signature.Length != Length)
            throw new FormatException($"a P-256 signature has {Length} bytes (r, s), this has {signature.Length}");
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(new BigInteger(signature[..32], isUnsigned: true, isBigEndian: true));
            writer.WriteInteger(new BigInteger(signature[32..], isUnsigned: true, isBigEndian: true));
        }
        return writer.Encode();
    }

    private static bool IsScalar(ReadOnlySpan<byte> number) => number.ContainsAnyExcept((byte)0) && number.SequenceCompareTo(Order) < 0;

    private static void NormaliseInPlace(Span<byte> signature)
    {
        var s = signature[32..];
        if (s.SequenceCompareTo(HalfOrder) <= 0 || s.SequenceCompareTo(Order) >= 0)
            return;
        var borrow = 0;
        for (var i = 31; i >= 0; i--)
        {
            var difference = Order[i] - s[i] - borrow;
            borrow = difference < 0 ? 1 : 0;
            s[i] = (byte)difference;
        }
    }
}
