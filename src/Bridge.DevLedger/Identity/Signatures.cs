using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;

namespace Bridge.DevLedger.Identity;

/// <summary>ECDSA P-256 over SHA-256 as Fabric writes it: a DER sequence of r and s, s in the lower half of the order.</summary>
internal static class Signatures
{
    private static readonly BigInteger Order = BigInteger.Parse(
        "0FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
        System.Globalization.NumberStyles.HexNumber,
        System.Globalization.CultureInfo.InvariantCulture);

    private static readonly BigInteger HalfOrder = Order >> 1;

    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> data)
    {
        var p1363 = key.SignData(data.ToArray(), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        var half = p1363.Length / 2;
        var r = new BigInteger(p1363.AsSpan(0, half), isUnsigned: true, isBigEndian: true);
        var s = new BigInteger(p1363.AsSpan(half), isUnsigned: true, isBigEndian: true);
        if (s > HalfOrder)
            s = Order - s;

        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(r);
            writer.WriteInteger(s);
        }

        return writer.Encode();
    }

    /// <summary>False also for a signature that is not DER, or whose s lies in the upper half: Fabric refuses both.</summary>
    public static bool Verify(ECDsa key, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (!IsLowS(signature))
            return false;
        try
        {
            return key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static bool IsLowS(ReadOnlySpan<byte> signature)
    {
        try
        {
            var reader = new AsnReader(signature.ToArray(), AsnEncodingRules.DER);
            var sequence = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            var r = sequence.ReadInteger();
            var s = sequence.ReadInteger();
            sequence.ThrowIfNotEmpty();
            return r.Sign > 0 && s.Sign > 0 && s <= HalfOrder;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }
}
