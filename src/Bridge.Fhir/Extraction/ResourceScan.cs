using System.Text;
using System.Text.Json;
using Bridge.Fhir.Client;

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
    /// <summary>Reads a child.</summary>
    /// <param name="json">Its bytes.</param>
    /// <param name="use">What it is read for.</param>
    /// <param name="parent">The encounter, whose own references a child most likely repeats.</param>
    /// <param name="child">What was read.</param>
    public static bool Child(ReadOnlySpan<byte> json, CodeUse use, EncounterScan parent, out ChildScan child)
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
                if (Fields.Is(ref reader, "id"u8))
                    child.Id = Fields.Text(ref reader, 256);
                else if (Fields.Is(ref reader, "meta"u8))
                    child.LastUpdated = LastUpdated(ref reader);
                else if (Fields.Is(ref reader, "subject"u8))
                    child.Subject = Fields.Reference(ref reader, parent.Subject).Reference;
                else if (Fields.Is(ref reader, "encounter"u8))
                    child.Encounter = Fields.Reference(ref reader, parent.Name).Reference;
                else if (Fields.Is(ref reader, "code"u8) && use != CodeUse.Medication)
                    child.Code = CodeReading.Concept(ref reader, use, ref child.SawCode);
                else if (Fields.Is(ref reader, "medicationCodeableConcept"u8) && use == CodeUse.Medication)
                    child.Code = CodeReading.Concept(ref reader, use, ref child.SawCode);
                else if (Fields.Is(ref reader, "medicationReference"u8))
                    child.MedicationReference = Fields.Reference(ref reader).Reference;
                else if (Fields.Is(ref reader, "verificationStatus"u8) && use == CodeUse.Condition)
                    status = EncounterScan.HasCode(ref reader, "confirmed"u8);
                else if (Fields.Is(ref reader, "status"u8))
                    status = IsCounted(ref reader, use, status);
                else if (Fields.Is(ref reader, "intent"u8) && use == CodeUse.Medication)
                    intent = Fields.IsText(ref reader) && Fields.Is(ref reader, "order"u8);
                else if (Fields.Is(ref reader, "doNotPerform"u8))
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
                if (Fields.Is(ref reader, "code"u8))
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

    /// <summary>The reference of one member; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Reference(ReadOnlySpan<byte> json, ReadOnlySpan<byte> member)
    {
        var value = JsonMembers.Find(JsonMembers.Find(json, member), "reference"u8);
        if (value is not [(byte)'"', .., (byte)'"'])
            return default;
        return value.Contains((byte)'\\') ? Encoding.UTF8.GetBytes(JsonMembers.Text(value) ?? "") : value[1..^1];
    }

    /// <summary>The resource's logical id, as far as it can be told; null where there is none. The resource may be cut short behind it.</summary>
    public static string? Id(ReadOnlySpan<byte> json)
    {
        var value = JsonMembers.Find(json, "id"u8);
        return value.Length <= 258 ? JsonMembers.Text(value) : null;
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
                if (Fields.Is(ref reader, "practitioner"u8))
                {
                    (practitioner, practitionerIdentifier) = Fields.Reference(ref reader);
                }
                else if (Fields.Is(ref reader, "identifier"u8) && Fields.IntoArray(ref reader))
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
                if (!Fields.Is(ref reader, "contained"u8) || !Fields.IntoArray(ref reader))
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
            if (!Fields.Is(ref reader, "lastUpdated"u8))
                Fields.Skip(ref reader);
            else if (Fields.IsText(ref reader) && FhirDate.TryParse(Fields.Value(ref reader), out var date))
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
            CodeUse.Procedure => Fields.Is(ref reader, "completed"u8),
            CodeUse.Medication => Fields.Is(ref reader, "active"u8) || Fields.Is(ref reader, "completed"u8),
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
