using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bridge.Fhir.Client;

/// <summary>
/// Steps over JSON objects and arrays 64 bytes at a time: bit masks of quotes and brackets tell where a value ends, without looking at single
/// tokens (the way of simdjson). Nothing is validated; who reads the value does that.
/// </summary>
internal static class JsonBlocks
{
    private const int Width = 64;

    /// <summary>From an opening bracket to just past its closing one; -1 = cut short.</summary>
    public static int SkipContainer(ReadOnlySpan<byte> s, int at) => Walk(s, at, int.MaxValue, out _);

    /// <summary>Whether brackets are nested deeper than <paramref name="max"/> anywhere from the beginning on.</summary>
    public static bool DeeperThan(ReadOnlySpan<byte> s, int max)
    {
        for (var at = 0; at >= 0 && at < s.Length;)
        {
            var open = s[at..].IndexOfAny((byte)'{', (byte)'[');
            if (open < 0)
                return false;
            at = Walk(s, at + open, max, out var tooDeep);
            if (tooDeep)
                return true;
        }
        return false;
    }

    private static int Walk(ReadOnlySpan<byte> s, int start, int max, out bool tooDeep)
    {
        tooDeep = false;
        var depth = 0;
        var (inString, escaped) = (0UL, false);
        Span<byte> tail = stackalloc byte[Width];
        for (var at = start; at < s.Length; at += Width)
        {
            scoped var block = s[at..];
            if (block.Length < Width)
            {
                tail.Fill((byte)' ');
                block.CopyTo(tail);
                block = tail;
            }
            var (quotes, backslashes, opens, closes) = Masks(ref MemoryMarshal.GetReference(block));
            if (backslashes != 0 || escaped)
                quotes &= ~Escaped(backslashes, ref escaped);
            // a bit is set from each opening quote up to, not including, its closing one
            var strings = PrefixXor(quotes) ^ inString;
            inString = (ulong)((long)strings >> 63);
            opens &= ~strings;
            closes &= ~strings;
            var (down, up) = (BitOperations.PopCount(closes), BitOperations.PopCount(opens));
            if (down < depth && depth + up <= max)
            {
                depth += up - down;
                continue;
            }
            for (var both = opens | closes; both != 0; both &= both - 1)
            {
                var bit = both & (0 - both);
                if ((opens & bit) == 0)
                {
                    if (--depth == 0)
                        return at + BitOperations.TrailingZeroCount(bit) + 1;
                }
                else if (++depth > max)
                {
                    tooDeep = true;
                    return -1;
                }
            }
        }
        return -1;
    }

    /// <summary>The bytes that a backslash stands before, sequences of backslashes taken in pairs.</summary>
    private static ulong Escaped(ulong backslashes, ref bool carry)
    {
        var escaped = 0UL;
        if (carry)
        {
            escaped = 1;
            backslashes &= ~1UL;
            carry = false;
        }
        while (backslashes != 0)
        {
            var at = BitOperations.TrailingZeroCount(backslashes);
            if (at == Width - 1)
            {
                carry = true;
                break;
            }
            escaped |= 2UL << at;
            backslashes &= ~(3UL << at);
        }
        return escaped;
    }

    private static ulong PrefixXor(ulong bits)
    {
        bits ^= bits << 1;
        bits ^= bits << 2;
        bits ^= bits << 4;
        bits ^= bits << 8;
        bits ^= bits << 16;
        return bits ^ (bits << 32);
    }

    private static (ulong Quotes, ulong Backslashes, ulong Opens, ulong Closes) Masks(ref byte block)
    {
        var (quotes, backslashes, opens, closes) = (0UL, 0UL, 0UL, 0UL);
        if (Vector256.IsHardwareAccelerated)
        {
            for (var i = 0; i < Width; i += Vector256<byte>.Count)
            {
                var v = Vector256.LoadUnsafe(ref block, (nuint)i);
                // '[' and '{', ']' and '}' differ in one bit
                var folded = v | Vector256.Create((byte)0x20);
                quotes |= (ulong)Vector256.Equals(v, Vector256.Create((byte)'"')).ExtractMostSignificantBits() << i;
                backslashes |= (ulong)Vector256.Equals(v, Vector256.Create((byte)'\\')).ExtractMostSignificantBits() << i;
                opens |= (ulong)Vector256.Equals(folded, Vector256.Create((byte)'{')).ExtractMostSignificantBits() << i;
                closes |= (ulong)Vector256.Equals(folded, Vector256.Create((byte)'}')).ExtractMostSignificantBits() << i;
            }
        }
        else
        {
            for (var i = 0; i < Width; i += Vector128<byte>.Count)
            {
                var v = Vector128.LoadUnsafe(ref block, (nuint)i);
                var folded = v | Vector128.Create((byte)0x20);
                quotes |= (ulong)Vector128.Equals(v, Vector128.Create((byte)'"')).ExtractMostSignificantBits() << i;
                backslashes |= (ulong)Vector128.Equals(v, Vector128.Create((byte)'\\')).ExtractMostSignificantBits() << i;
                opens |= (ulong)Vector128.Equals(folded, Vector128.Create((byte)'{')).ExtractMostSignificantBits() << i;
                closes |= (ulong)Vector128.Equals(folded, Vector128.Create((byte)'}')).ExtractMostSignificantBits() << i;
            }
        }
        return (quotes, backslashes, opens, closes);
    }
}
