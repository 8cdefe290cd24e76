using System.Text.Json;

namespace Bridge.Fhir.Extraction;

/// <summary>Discharge dispositions as HL7's discharge-disposition codes; NUBC and the usual SNOMED CT codes are mapped to them.</summary>
internal static class DispositionCodes
{
    public static string? Read(ref Utf8JsonReader reader, out bool sawAny)
    {
        sawAny = false;
        string? found = null;
        if (!Fields.IntoObject(ref reader))
            return null;
        while (Fields.Next(ref reader))
        {
            if (!Fields.Is(ref reader, "coding"u8))
            {
                Fields.Skip(ref reader);
                continue;
            }
            if (!Fields.IntoArray(ref reader))
                continue;
            while (Fields.NextObject(ref reader))
            {
                var system = 0;
                ReadOnlySpan<byte> code = default;
                while (Fields.Next(ref reader))
                {
                    if (Fields.Is(ref reader, "system"u8))
                    {
                        if (Fields.IsText(ref reader))
                            system = SystemOf(ref reader);
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
                sawAny |= code.Length > 0;
                found ??= system switch { 1 => Hl7(code), 2 => Nubc(code), 3 => Snomed(code), _ => null };
            }
        }
        return found;
    }

    private static int SystemOf(ref Utf8JsonReader reader)
    {
        if (Fields.Is(ref reader, "http://terminology.hl7.org/CodeSystem/discharge-disposition"u8))
            return 1;
        if (Fields.Is(ref reader, "http://www.nubc.org/patient-discharge"u8) || Fields.Is(ref reader, "https://www.nubc.org/CodeSystem/PatDischargeStatus"u8))
            return 2;
        return Fields.Is(ref reader, "http://snomed.info/sct"u8) ? 3 : 0;
    }

    private static string? Hl7(ReadOnlySpan<byte> code) => code switch
    {
        _ when code.SequenceEqual("home"u8) => "home",
        _ when code.SequenceEqual("alt-home"u8) => "alt-home",
        _ when code.SequenceEqual("other-hcf"u8) => "other-hcf",
        _ when code.SequenceEqual("hosp"u8) => "hosp",
        _ when code.SequenceEqual("long"u8) => "long",
        _ when code.SequenceEqual("aadvice"u8) => "aadvice",
        _ when code.SequenceEqual("exp"u8) => "exp",
        _ when code.SequenceEqual("psy"u8) => "psy",
        _ when code.SequenceEqual("rehab"u8) => "rehab",
        _ when code.SequenceEqual("snf"u8) => "snf",
        _ when code.SequenceEqual("oth"u8) => "oth",
        _ => null,
    };

    // UB-04 form locator 17, two digits
    private static string? Nubc(ReadOnlySpan<byte> code) => code.Length != 2 ? null : ((code[0] - (byte)'0') * 10 + code[1] - (byte)'0') switch
    {
        1 or 6 => "home",
        2 or 5 or 66 => "other-hcf",
        3 or 61 or 64 => "snf",
        4 => "alt-home",
        7 => "aadvice",
        20 or 40 or 41 or 42 => "exp",
        50 or 51 => "hosp",
        62 => "rehab",
        63 => "long",
        65 => "psy",
        _ => null,
    };

    private static string? Snomed(ReadOnlySpan<byte> code) => code switch
    {
        _ when code.SequenceEqual("306689006"u8) => "home",
        _ when code.SequenceEqual("306694006"u8) => "long",
        _ when code.SequenceEqual("306701001"u8) => "other-hcf",
        _ when code.SequenceEqual("225928004"u8) => "aadvice",
        _ when code.SequenceEqual("371828006"u8) => "exp",
        _ => null,
    };
}
