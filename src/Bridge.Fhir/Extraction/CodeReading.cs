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
            if (!Fields.Is(ref reader, "coding"u8) || !Fields.IntoArray(ref reader))
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
                    if (Fields.Is(ref reader, "system"u8))
                    {
                        if (Fields.IsText(ref reader))
                            system = KnownSystem(ref reader);
                    }
                    else if (Fields.Is(ref reader, "code"u8))
                    {
                        if (Fields.IsText(ref reader))
                            code = Fields.Value(ref reader);
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
                if (rank < bestRank && CodeForms.Of(system, code) is { } text)
                    (best, bestRank) = (new AllowedCode(system, text), rank);
            }
        }
        return best;
    }

    /// <summary>The system's own constant; null where it is not on the list. Object identifiers of the same systems are known too.</summary>
    public static string? KnownSystem(ref Utf8JsonReader reader)
    {
        if (Fields.Is(ref reader, "http://snomed.info/sct"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.96"u8))
            return CodeSystems.Snomed;
        if (Fields.Is(ref reader, "http://www.nlm.nih.gov/research/umls/rxnorm"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.88"u8))
            return CodeSystems.RxNorm;
        if (Fields.Is(ref reader, "http://hl7.org/fhir/sid/icd-10-cm"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.90"u8))
            return CodeSystems.Icd10Cm;
        if (Fields.Is(ref reader, "http://hl7.org/fhir/sid/icd-10"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.3"u8))
            return CodeSystems.Icd10;
        if (Fields.Is(ref reader, "http://hl7.org/fhir/sid/icd-10-cn"u8))
            return CodeSystems.Icd10Cn;
        if (Fields.Is(ref reader, "http://www.whocc.no/atc"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.73"u8))
            return CodeSystems.Atc;
        if (Fields.Is(ref reader, "http://hl7.org/fhir/sid/icd-10-pcs"u8) || Fields.Is(ref reader, "http://www.cms.gov/Medicare/Coding/ICD10"u8)
            || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.4"u8))
        {
            return CodeSystems.Icd10Pcs;
        }
        if (Fields.Is(ref reader, "http://hl7.org/fhir/sid/icd-9-cm"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.104"u8))
            return CodeSystems.Icd9Cm;
        return Fields.Is(ref reader, "http://www.ama-assn.org/go/cpt"u8) || Fields.Is(ref reader, "urn:oid:2.16.840.1.113883.6.12"u8) ? CodeSystems.Cpt : null;
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
}
