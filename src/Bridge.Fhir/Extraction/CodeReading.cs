using System.Text;
using System.Text.Json;
using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>What a code is read for; decides which systems are allowed and preferred.</summary>
internal enum CodeUse
{
    Condition,
    Procedure,
    Medication,
}

/// <summary>A code of an allowed system and form; default where there was none.</summary>
internal readonly record struct AllowedCode(string? System, string? Code)
{
    public bool IsEmpty => Code is null;
}

/// <summary>
/// Picks the one coding of a CodeableConcept that may leave. Deny by default: the system must be on the list, and the code must have
/// that system's own form, so that no free text leaves under a code's name.
/// </summary>
internal static class CodeReading
{
    /// <summary>Reads the CodeableConcept that the member holds.</summary>
    /// <param name="reader">Stands on the member's name.</param>
    /// <param name="use">What for.</param>
    /// <param name="sawCoding">Whether there was any coding with a code at all.</param>
    public static AllowedCode Concept(ref Utf8JsonReader reader, CodeUse use, ref bool sawCoding)
    {
        if (!Fields.IntoObject(ref reader))
            return default;
        return ConceptHere(ref reader, use, ref sawCoding);
    }

    /// <summary>Reads the CodeableConcept object that is stood in.</summary>
    public static AllowedCode ConceptHere(ref Utf8JsonReader reader, CodeUse use, ref bool sawCoding)
    {
        AllowedCode best = default;
        var bestRank = int.MaxValue;
        while (Fields.Next(ref reader))
        {
            if (!reader.ValueTextEquals("coding"u8) || !Fields.IntoArray(ref reader))
            {
                if (reader.TokenType == JsonTokenType.PropertyName)
                    Fields.Skip(ref reader);
                continue;
            }
            while (Fields.NextObject(ref reader))
            {
                string? system = null;
                ReadOnlySpan<byte> code = default;
                while (Fields.Next(ref reader))
                {
                    if (reader.ValueTextEquals("system"u8))
                    {
                        if (Fields.IsText(ref reader))
                            system = KnownSystem(ref reader);
                    }
                    else if (reader.ValueTextEquals("code"u8))
                    {
                        if (Fields.IsText(ref reader))
                            code = reader.ValueSpan;
                    }
                    else
                    {
                        Fields.Skip(ref reader);
                    }
                }
                sawCoding |= code.Length > 0;
                if (system is null || code.Length == 0)
                    continue;
                var rank = Preference(system, use);
                if (rank < bestRank && Form(system, code) is { } text)
                    (best, bestRank) = (new AllowedCode(system, text), rank);
            }
        }
        return best;
    }

    /// <summary>The system's own constant; null where it is not on the list. Object identifiers of the same systems are known too.</summary>
    public static string? KnownSystem(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("http://snomed.info/sct"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.96"u8))
            return CodeSystems.Snomed;
        if (reader.ValueTextEquals("http://www.nlm.nih.gov/research/umls/rxnorm"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.88"u8))
            return CodeSystems.RxNorm;
        if (reader.ValueTextEquals("http://hl7.org/fhir/sid/icd-10-cm"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.90"u8))
            return CodeSystems.Icd10Cm;
        if (reader.ValueTextEquals("http://hl7.org/fhir/sid/icd-10"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.3"u8))
            return CodeSystems.Icd10;
        if (reader.ValueTextEquals("http://hl7.org/fhir/sid/icd-10-cn"u8))
            return CodeSystems.Icd10Cn;
        if (reader.ValueTextEquals("http://www.whocc.no/atc"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.73"u8))
            return CodeSystems.Atc;
        if (reader.ValueTextEquals("http://hl7.org/fhir/sid/icd-10-pcs"u8) || reader.ValueTextEquals("http://www.cms.gov/Medicare/Coding/ICD10"u8)
            || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.4"u8))
        {
            return CodeSystems.Icd10Pcs;
        }
        if (reader.ValueTextEquals("http://hl7.org/fhir/sid/icd-9-cm"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.104"u8))
            return CodeSystems.Icd9Cm;
        return reader.ValueTextEquals("http://www.ama-assn.org/go/cpt"u8) || reader.ValueTextEquals("urn:oid:2.16.840.1.113883.6.12"u8) ? CodeSystems.Cpt : null;
    }

    /// <summary>Lower is better; <see cref="int.MaxValue"/> = not for this use.</summary>
    private static int Preference(string system, CodeUse use) => use switch
    {
        CodeUse.Condition => system switch
        {
            CodeSystems.Icd10Cn => 0,
            CodeSystems.Icd10Cm => 1,
            CodeSystems.Icd10 => 2,
            CodeSystems.Snomed => 3,
            _ => int.MaxValue,
        },
        CodeUse.Procedure => system switch
        {
            CodeSystems.Snomed => 0,
            CodeSystems.Icd10Pcs => 1,
            CodeSystems.Icd9Cm => 2,
            CodeSystems.Cpt => 3,
            _ => int.MaxValue,
        },
        _ => system switch
        {
            CodeSystems.RxNorm => 0,
            CodeSystems.Atc => 1,
            CodeSystems.Snomed => 2,
            _ => int.MaxValue,
        },
    };

    /// <summary>The code in its system's usual form; null where it has another.</summary>
    internal static string? Form(string system, ReadOnlySpan<byte> code)
    {
        code = code.Trim(" \t"u8);
        return system switch
        {
            CodeSystems.Snomed => code.Length is >= 6 and <= 18 && AllDigits(code) && code[0] != '0' ? Ascii(code) : null,
            CodeSystems.RxNorm => code.Length is >= 1 and <= 8 && AllDigits(code) ? Ascii(code) : null,
            CodeSystems.Icd10 or CodeSystems.Icd10Cm or CodeSystems.Icd10Cn => Icd10(code),
            CodeSystems.Atc => Atc(code),
            CodeSystems.Icd10Pcs => code.Length == 7 && AllAlphanumeric(code) ? Upper(code) : null,
            CodeSystems.Icd9Cm => Icd9Procedure(code),
            CodeSystems.Cpt => code.Length == 5 && AllDigits(code[..4]) && char.IsAsciiLetterOrDigit((char)code[4]) ? Upper(code) : null,
            _ => null,
        };
    }

    // letter, digit, digit or letter (C4A), then up to 4 more (CM) or a national extension such as E11.900x001; the dot may be missing
    private static string? Icd10(ReadOnlySpan<byte> code)
    {
        if (code.Length is < 3 or > 12 || !char.IsAsciiLetter((char)code[0]) || !char.IsAsciiDigit((char)code[1]) || !char.IsAsciiLetterOrDigit((char)code[2]))
            return null;
        var rest = code[3..];
        if (rest is [(byte)'.', ..])
            rest = rest[1..];
        if (rest.Length > 8 || !AllAlphanumeric(rest) || !HasOnlyExtensionLetters(rest))
            return null;
        Span<char> text = stackalloc char[13];
        for (var i = 0; i < 3; i++)
            text[i] = char.ToUpperInvariant((char)code[i]);
        if (rest.Length == 0)
            return new string(text[..3]);
        text[3] = '.';
        for (var i = 0; i < rest.Length; i++)
            text[4 + i] = rest[i] is (byte)'x' && rest.Length > 4 ? 'x' : char.ToUpperInvariant((char)rest[i]);
        return new string(text[..(4 + rest.Length)]);
    }

    // a word under a code's name ("E11.smith") has several letters; ICD-10-CM has at most A, B, X fillers and a final letter
    private static bool HasOnlyExtensionLetters(ReadOnlySpan<byte> rest)
    {
        var other = 0;
        foreach (var b in rest)
        {
            if (char.IsAsciiLetter((char)b) && b is not ((byte)'X' or (byte)'x'))
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

    private static string? Icd9Procedure(ReadOnlySpan<byte> code)
    {
        if (code.Length < 2 || !AllDigits(code[..2]))
            return null;
        var rest = code[2..];
        if (rest is [(byte)'.', ..])
            rest = rest[1..];
        // Chinese releases extend the two digits after the dot: 36.0601, 36.06x005
        return rest.Length <= 6 && AllAlphanumeric(rest) && HasOnlyExtensionLetters(rest) ? Ascii(code) : null;
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
