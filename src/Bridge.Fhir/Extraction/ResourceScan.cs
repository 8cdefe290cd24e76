using System.Text;
using System.Text.Json;

namespace Bridge.Fhir.Extraction;

/// <summary>What is read of a Condition, Procedure or MedicationRequest.</summary>
internal struct ChildScan
{
    public string? Id;
    public string? Encounter;
    public string? Subject;
    public bool Counts;
    public AllowedCode Code;
    public bool SawCode;
    public string? MedicationReference;
    public DateTimeOffset? LastUpdated;
}

/// <summary>Reads children and people of an encounter. What cannot be read counts as not there: false.</summary>
internal static class ResourceScan
{
    public static bool Child(ReadOnlySpan<byte> json, CodeUse use, out ChildScan child)
    {
        child = default;
        try
        {
            var reader = new Utf8JsonReader(json, Fields.Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            var (status, intent, forbidden) = (use == CodeUse.Condition, use != CodeUse.Medication, false);
            while (Fields.Next(ref reader))
            {
                if (reader.ValueTextEquals("id"u8))
                    child.Id = Fields.Text(ref reader, 256);
                else if (reader.ValueTextEquals("meta"u8))
                    child.LastUpdated = LastUpdated(ref reader);
                else if (reader.ValueTextEquals("subject"u8))
                    child.Subject = Fields.Reference(ref reader).Reference;
                else if (reader.ValueTextEquals("encounter"u8))
                    child.Encounter = Fields.Reference(ref reader).Reference;
                else if (reader.ValueTextEquals("code"u8) && use != CodeUse.Medication)
                    child.Code = CodeReading.Concept(ref reader, use, ref child.SawCode);
                else if (reader.ValueTextEquals("medicationCodeableConcept"u8) && use == CodeUse.Medication)
                    child.Code = CodeReading.Concept(ref reader, use, ref child.SawCode);
                else if (reader.ValueTextEquals("medicationReference"u8))
                    child.MedicationReference = Fields.Reference(ref reader).Reference;
                else if (reader.ValueTextEquals("verificationStatus"u8) && use == CodeUse.Condition)
                    status = EncounterScan.HasCode(ref reader, "confirmed"u8);
                else if (reader.ValueTextEquals("status"u8))
                    status = IsCounted(ref reader, use, status);
                else if (reader.ValueTextEquals("intent"u8) && use == CodeUse.Medication)
                    intent = Fields.IsText(ref reader) && reader.ValueTextEquals("order"u8);
                else if (reader.ValueTextEquals("doNotPerform"u8))
                    forbidden = IsTrue(ref reader);
                else
                    Fields.Skip(ref reader);
            }
            child.Counts = status && intent && !forbidden;
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The code of a Medication.</summary>
    public static AllowedCode MedicationCode(ReadOnlySpan<byte> json)
    {
        AllowedCode code = default;
        try
        {
            var reader = new Utf8JsonReader(json, Fields.Options);
            var saw = false;
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (Fields.Next(ref reader))
            {
                if (reader.ValueTextEquals("code"u8))
                    code = CodeReading.Concept(ref reader, CodeUse.Medication, ref saw);
                else
                    Fields.Skip(ref reader);
            }
            return code;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return default;
        }
    }

    /// <summary>The reference of one member, without reading further.</summary>
    public static bool Reference(ReadOnlySpan<byte> json, ReadOnlySpan<byte> member, out ReadOnlySpan<byte> reference)
    {
        reference = default;
        try
        {
            var reader = new Utf8JsonReader(json, Fields.Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (Fields.Next(ref reader))
            {
                if (!reader.ValueTextEquals(member))
                {
                    Fields.Skip(ref reader);
                    continue;
                }
                if (!Fields.IntoObject(ref reader))
                    return false;
                while (Fields.Next(ref reader))
                {
                    if (!reader.ValueTextEquals("reference"u8))
                    {
                        Fields.Skip(ref reader);
                        continue;
                    }
                    if (!Fields.IsText(ref reader))
                        return false;
                    reference = reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(reader.GetString()!) : reader.ValueSpan;
                    return true;
                }
                return false;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // unreadable: it belongs to no encounter
        }
        return false;
    }

    public static string? Id(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, isFinalBlock: false, new JsonReaderState(Fields.Options));
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (Fields.Next(ref reader))
            {
                if (reader.ValueTextEquals("id"u8))
                    return reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= 256 ? reader.GetString() : null;
                if (!reader.Read() || !reader.TrySkip())
                    return null;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // no id
        }
        return null;
    }

    /// <summary>Business identifiers of a person or encounter, and the practitioner that a PractitionerRole names.</summary>
    public static bool Person(ReadOnlySpan<byte> json, out List<BusinessIdentifier> identifiers, out string? practitioner, out BusinessIdentifier? practitionerIdentifier)
    {
        (identifiers, practitioner, practitionerIdentifier) = ([], null, null);
        try
        {
            var reader = new Utf8JsonReader(json, Fields.Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (Fields.Next(ref reader))
            {
                if (reader.ValueTextEquals("practitioner"u8))
                {
                    (practitioner, practitionerIdentifier) = Fields.Reference(ref reader);
                }
                else if (reader.ValueTextEquals("identifier"u8) && Fields.IntoArray(ref reader))
                {
                    while (Fields.NextObject(ref reader))
                    {
                        if (Fields.IdentifierHere(ref reader) is { } identifier && identifiers.Count < 32)
                            identifiers.Add(identifier);
                    }
                }
                else if (reader.TokenType == JsonTokenType.PropertyName)
                {
                    Fields.Skip(ref reader);
                }
            }
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The contained resource of this id, as it stands in its container; empty where there is none.</summary>
    public static ReadOnlyMemory<byte> Contained(ReadOnlyMemory<byte> container, string id)
    {
        try
        {
            var reader = new Utf8JsonReader(container.Span, Fields.Options);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return default;
            while (Fields.Next(ref reader))
            {
                if (!reader.ValueTextEquals("contained"u8) || !Fields.IntoArray(ref reader))
                {
                    if (reader.TokenType == JsonTokenType.PropertyName)
                        Fields.Skip(ref reader);
                    continue;
                }
                while (Fields.NextObject(ref reader))
                {
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    var resource = container[start..(int)reader.BytesConsumed];
                    if (Id(resource.Span) == id)
                        return resource;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // nothing contained that can be read
        }
        return default;
    }

    private static DateTimeOffset? LastUpdated(ref Utf8JsonReader reader)
    {
        DateTimeOffset? at = null;
        if (!Fields.IntoObject(ref reader))
            return null;
        while (Fields.Next(ref reader))
        {
            if (!reader.ValueTextEquals("lastUpdated"u8))
                Fields.Skip(ref reader);
            else if (Fields.IsText(ref reader) && FhirDate.TryParse(reader.ValueSpan, out var date))
                at = date.Instant;
        }
        return at;
    }

    private static bool IsCounted(ref Utf8JsonReader reader, CodeUse use, bool before)
    {
        if (!Fields.IsText(ref reader))
            return false;
        return use switch
        {
            CodeUse.Procedure => reader.ValueTextEquals("completed"u8),
            CodeUse.Medication => reader.ValueTextEquals("active"u8) || reader.ValueTextEquals("completed"u8),
            _ => before,
        };
    }

    private static bool IsTrue(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.True)
            return true;
        reader.Skip();
        return false;
    }
}
