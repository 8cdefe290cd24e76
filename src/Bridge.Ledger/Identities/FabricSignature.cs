using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Bridge.Ledger;

/// <summary>
/// The one form of signature that Fabric takes: ECDSA P-256 as ASN.1 DER with the lower of the two possible values of S. The platform gives
/// r ‖ s (IEEE P1363) with any S.
/// </summary>
public static class FabricSignature
{
    private const int Half = 32;

    // the order n of P-256, and n / 2 rounded down
    private static readonly byte[] Order = Convert.FromHexString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    private static readonly byte[] HalfOrder = Convert.FromHexString("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");

    /// <summary>DER with low S.</summary>
    /// <param name="p1363">r ‖ s, 64 bytes; S is replaced in place where it is the higher one.</param>
    /// <exception cref="ArgumentException">Not 64 bytes.</exception>
    public static byte[] ToDerLowS(Span<byte> p1363)
    {
        if (p1363.Length != 2 * Half)
            throw new ArgumentException($"a P-256 signature has {2 * Half} bytes, this one {p1363.Length}", nameof(p1363));
        var s = p1363[Half..];
        if (s.SequenceCompareTo(HalfOrder) > 0)
            Negate(s);
        var r = Unsigned(p1363[..Half]);
        s = Unsigned(s);
        var rLength = IntegerLength(r);
        var sLength = IntegerLength(s);
        var der = new byte[6 + rLength + sLength];
        der[0] = 0x30;
        der[1] = (byte)(4 + rLength + sLength);
        WriteInteger(der.AsSpan(2), r, rLength);
        WriteInteger(der.AsSpan(4 + rLength), s, sLength);
        return der;
    }

    /// <summary>Signs a SHA-256 digest.</summary>
    /// <param name="key">A P-256 private key.</param>
    /// <param name="digest">32 bytes.</param>
    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> digest)
    {
        Span<byte> p1363 = stackalloc byte[2 * Half];
        if (!key.TrySignHash(digest, p1363, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, out var written) || written != p1363.Length)
            throw new CryptographicException($"the key gave a signature of {written} bytes: Fabric identities here are ECDSA P-256");
        return ToDerLowS(p1363);
    }

    /// <summary>Whether this is DER of a P-256 signature with low S. It does not check the signature against anything.</summary>
    public static bool IsDerLowS(ReadOnlySpan<byte> der)
    {
        try
        {
            AsnDecoder.ReadSequence(der, AsnEncodingRules.DER, out var offset, out var length, out var consumed);
            if (consumed != der.Length)
                return false;
            var content = der.Slice(offset, length);
            var r = AsnDecoder.ReadIntegerBytes(content, AsnEncodingRules.DER, out var rConsumed);
            var s = AsnDecoder.ReadIntegerBytes(content[rConsumed..], AsnEncodingRules.DER, out var sConsumed);
            if (rConsumed + sConsumed != length || !InRange(r) || !InRange(s))
                return false;
            s = s.TrimStart((byte)0);
            return s.Length < Half || s.SequenceCompareTo(HalfOrder) <= 0;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static bool InRange(ReadOnlySpan<byte> integer)
    {
        if ((integer[0] & 0x80) != 0)
            return false;
        var magnitude = integer.TrimStart((byte)0);
        return magnitude.Length is > 0 and <= Half && (magnitude.Length < Half || magnitude.SequenceCompareTo(Order) < 0);
    }

    // s = n - s
    private static void Negate(Span<byte> s)
    {
        var borrow = 0;
        for (var i = Half - 1; i >= 0; i--)
        {
            var difference = Order[i] - s[i] - borrow;
            borrow = difference < 0 ? 1 : 0;
            s[i] = (byte)difference;
        }
    }

    private static Span<byte> Unsigned(Span<byte> value)
    {
        var zeros = 0;
        while (zeros < Half - 1 && value[zeros] == 0)
            zeros++;
        return value[zeros..];
    }

    // DER integers are signed: a leading bit needs a zero byte before it
    private static int IntegerLength(ReadOnlySpan<byte> value) => value.Length + (value[0] >> 7);

    private static void WriteInteger(Span<byte> target, ReadOnlySpan<byte> value, int length)
    {
        target[0] = 0x02;
        target[1] = (byte)length;
        value.CopyTo(target[(2 + length - value.Length)..]);
    }
}
