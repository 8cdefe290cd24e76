using System.Text.Json;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>What a patient's record says about records of the same person (R4 <c>Patient.link</c>).</summary>
/// <param name="PatientId">Logical id of the record.</param>
/// <param name="ReplacedBy">The record that is in use instead, where this one was merged away; null where none is named.</param>
/// <param name="Replaces">Records that were merged into this one.</param>
public sealed record PatientLinks(string PatientId, string? ReplacedBy, IReadOnlyList<string> Replaces)
{
    /// <summary>Reads the links of a Patient; of anything else, or where it cannot be read, it has none.</summary>
    public static PatientLinks Read(FhirResource patient)
    {
        string? id = null, replacedBy = null;
        var replaces = new List<string>();
        if (patient.Oversize)
            return new PatientLinks("", null, replaces);
        try
        {
            var reader = new Utf8JsonReader(patient.Json.Span, Fields.Options);
            if (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                while (Fields.Next(ref reader))
                {
                    if (reader.ValueTextEquals("id"u8))
                        id = Fields.Text(ref reader, 256);
                    else if (!reader.ValueTextEquals("link"u8))
                        Fields.Skip(ref reader);
                    else if (Fields.IntoArray(ref reader))
                        while (Fields.NextObject(ref reader))
                            Link(ref reader, ref replacedBy, replaces);
                }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return new PatientLinks(id ?? "", null, []);
        }
        return new PatientLinks(id ?? "", replacedBy == id ? null : replacedBy, [.. replaces.Where(other => other != id).Distinct(StringComparer.Ordinal)]);
    }

    private static void Link(ref Utf8JsonReader reader, ref string? replacedBy, List<string> replaces)
    {
        string? type = null, other = null;
        while (Fields.Next(ref reader))
        {
            if (reader.ValueTextEquals("type"u8))
                type = Fields.Text(ref reader, 64);
            else if (!reader.ValueTextEquals("other"u8))
                Fields.Skip(ref reader);
            else if (Fields.IntoObject(ref reader))
                while (Fields.Next(ref reader))
                {
                    if (reader.ValueTextEquals("reference"u8))
                        other = Fields.Text(ref reader);
                    else
                        Fields.Skip(ref reader);
                }
        }
        if (SightingReader.PatientIdOf(other) is not { } id)
            return;
        if (type == "replaced-by")
            replacedBy ??= id;
        else if (type == "replaces")
            replaces.Add(id);
    }
}
