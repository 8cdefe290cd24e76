using System.Text.Json;

namespace Bridge.Fhir.Extraction;

/// <summary>What is read of a Patient.</summary>
internal struct PatientScan
{
    public string? Id;
    public string Sex;
    public DateState BirthState;
    public FhirDate Birth;

    public static bool Read(ReadOnlySpan<byte> json, out PatientScan patient)
    {
        patient = new PatientScan { Sex = "unknown" };
        try
        {
            var reader = new Utf8JsonReader(json, Fields.Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            var type = false;
            while (Fields.Next(ref reader))
            {
                if (Fields.Is(ref reader, "resourceType"u8))
                    type = Fields.IsText(ref reader) && Fields.Is(ref reader, "Patient"u8);
                else if (Fields.Is(ref reader, "id"u8))
                    patient.Id = Fields.Text(ref reader, 256);
                else if (Fields.Is(ref reader, "gender"u8))
                    patient.Sex = Gender(ref reader);
                else if (Fields.Is(ref reader, "birthDate"u8))
                    patient.BirthState = Fields.Date(ref reader, out patient.Birth);
                else
                    Fields.Skip(ref reader);
            }
            return type;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static string Gender(ref Utf8JsonReader reader)
    {
        if (!Fields.IsText(ref reader))
            return "unknown";
        return Fields.Is(ref reader, "male"u8) ? "male" : Fields.Is(ref reader, "female"u8) ? "female" : Fields.Is(ref reader, "other"u8) ? "other" : "unknown";
    }
}
