using System.Buffers;
using System.Text;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>
/// The written form of each allowed system's codes. What has another form does not leave: a source may carry a name, a birth date, a telephone or record number under a code's name. The
/// forms are as narrow as real releases allow, and where a system has a check digit it is checked.
/// </summary>
internal static class CodeForms
{
    private static readonly SearchValues<byte> Places = SearchValues.Create("0123456789xX"u8);

    // Verhoeff's dihedral group of order 10, and his permutation
    private static ReadOnlySpan<byte> Times =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 0, 6, 7, 8, 9, 5, 2, 3, 4, 0, 1, 7, 8, 9, 5, 6, 3, 4, 0, 1, 2, 8, 9, 5, 6, 7, 4, 0, 1, 2, 3, 9, 5, 6, 7, 8,
        5, 9, 8, 7, 6, 0, 4, 3, 2, 1, 6, 5, 9, 8, 7, 1, 0, 4, 3, 2, 7, 6, 5, 9, 8, 2, 1, 0, 4, 3, 8, 7, 6, 5, 9, 3, 2, 1, 0, 4, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    ];

    private static ReadOnlySpan<byte> Permuted =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 5, 7, 6, 2, 8, 3, 0, 9, 4, 5, 8, 0, 3, 7, 9, 6, 1, 4, 2, 8, 9, 1, 6, 0, 4, 3, 5, 2, 7, 9, 4, 5, 3, 1, 2, 6, 8, 7, 0,
        4, 2, 8, 6, 5, 7, 3, 9, 0, 1, 2, 7, 9, 3, 8, 0, 6, 4, 1, 5, 7, 0, 4, 6, 9, 1, 3, 2, 5, 8,
    ];

    /// <summary>The code in its system's usual form; null where it has another.</summary>
    public static string? Of(string system, ReadOnlySpan<byte> code)
    {
        code = code.Trim(" \t"u8);
        return system switch
        {
            CodeSystems.Snomed => IsSnomedConcept(code) ? Ascii(code) : null,
            // RXCUIs have seven digits today; eight would let dates pass
            CodeSystems.RxNorm => code.Length is >= 1 and <= 7 && AllDigits(code) && code[0] != '0' ? Ascii(code) : null,
            CodeSystems.Icd10 or CodeSystems.Icd10Cm or CodeSystems.Icd10Cn => Icd10(code),
            CodeSystems.Atc => Atc(code),
            CodeSystems.Icd10Pcs => IsIcd10Pcs(code) ? Upper(code) : null,
            CodeSystems.Icd9Cm => Icd9Procedure(code),
            CodeSystems.Cpt => code.Length == 5 && AllDigits(code[..4]) && char.IsAsciiLetterOrDigit((char)code[4]) ? Upper(code) : null,
            _ => null,
        };
    }

    // SNOMED CT Release File Specification, SCTID: a concept's partition is 00, or 10 with a namespace of seven digits; the last digit is Verhoeff's
    private static bool IsSnomedConcept(ReadOnlySpan<byte> code)
    {
        if (code.Length is < 6 or > 18 || !AllDigits(code) || code[0] == '0')
            return false;
        var partition = code[^3..^1];
        if (!partition.SequenceEqual("00"u8) && !(partition.SequenceEqual("10"u8) && code.Length >= 11))
            return false;
        var check = 0;
        for (var i = 0; i < code.Length; i++)
            check = Times[check * 10 + Permuted[i % 8 * 10 + code[^(i + 1)] - '0']];
        return check == 0;
    }

    // letter, digit, digit or letter (C4A), then up to 4 more (CM) or a Chinese extension such as E11.900x001; the dot may be missing
    private static string? Icd10(ReadOnlySpan<byte> code)
    {
        if (code.Length < 3 || !char.IsAsciiLetter((char)code[0]) || !char.IsAsciiDigit((char)code[1]) || !char.IsAsciiLetterOrDigit((char)code[2]))
            return null;
        var rest = code[3..];
        if (rest is [(byte)'.', ..])
            rest = rest[1..];
        var isExtended = IsChineseExtension(rest, 3);
        if (!isExtended && (rest.Length > 4 || !AllAlphanumeric(rest) || !HasOnlyExtensionLetters(rest)))
            return null;
        var head = Upper(code[..3]);
        return rest.Length == 0 ? head : $"{head}.{(isExtended ? Ascii(rest).Replace('X', 'x') : Upper(rest))}";
    }

    // 900x001, 10xx002, x00x002: places of the code, x in empty ones, an x, three digits of the release's own
    private static bool IsChineseExtension(ReadOnlySpan<byte> rest, int places) =>
        rest.Length == places + 4 && IsX(rest[places]) && AllDigits(rest[^3..]) && !rest[..places].ContainsAnyExcept(Places);

    private static bool IsX(byte b) => b is (byte)'x' or (byte)'X';

    // a word under a code's name ("E11.smit") has several letters; ICD-10-CM has at most A, B, X fillers and a final letter
    private static bool HasOnlyExtensionLetters(ReadOnlySpan<byte> rest)
    {
        var other = 0;
        foreach (var b in rest)
        {
            if (char.IsAsciiLetter((char)b) && !IsX(b))
                other++;
        }
        return other <= 2;
    }

    private static string? Atc(ReadOnlySpan<byte> code)
    {
        if (code.Length is not (1 or 3 or 4 or 5 or 7))
            return null;
        for (var i = 0; i < code.Length; i++)
        {
            var letter = i is 0 or 3 or 4;
            if (letter ? !char.IsAsciiLetter((char)code[i]) : !char.IsAsciiDigit((char)code[i]))
                return null;
        }
        return Upper(code);
    }

    // a section's character, six more without I and O; a name has seven letters too, a code has a digit or ends in Z's (GZFZZZZ)
    private static bool IsIcd10Pcs(ReadOnlySpan<byte> code)
    {
        if (code.Length != 7 || !AllAlphanumeric(code) || code.IndexOfAny("iIoO"u8) >= 0 || "0123456789BCDFGHXbcdfghx"u8.IndexOf(code[0]) < 0)
            return false;
        return !AllDigits(code) && (code.ContainsAnyInRange((byte)'0', (byte)'9') || !code[^3..].ContainsAnyExcept((byte)'z', (byte)'Z'));
    }

    // two digits, a dot, up to two more; Chinese releases go on: 36.0601, 36.06x005, 36.0700x004
    private static string? Icd9Procedure(ReadOnlySpan<byte> code)
    {
        if (code.Length < 2 || !AllDigits(code[..2]))
            return null;
        var rest = code[2..];
        if (rest is not [(byte)'.', ..])
            return rest.Length <= 2 && AllDigits(rest) ? Ascii(code) : null;
        rest = rest[1..];
        var fits = (rest.Length <= 4 && AllDigits(rest)) || IsChineseExtension(rest, 2) || IsChineseExtension(rest, 4);
        return fits ? Ascii(code) : null;
    }

    private static bool AllDigits(ReadOnlySpan<byte> s) => !s.ContainsAnyExceptInRange((byte)'0', (byte)'9');

    private static bool AllAlphanumeric(ReadOnlySpan<byte> s)
    {
        foreach (var b in s)
        {
            if (!char.IsAsciiLetterOrDigit((char)b))
                return false;
        }
        return true;
    }

    private static string Ascii(ReadOnlySpan<byte> s) => Encoding.ASCII.GetString(s);

    private static string Upper(ReadOnlySpan<byte> s) => Encoding.ASCII.GetString(s).ToUpperInvariant();
}
