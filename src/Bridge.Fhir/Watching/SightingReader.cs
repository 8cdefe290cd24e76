using System.Security.Cryptography;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>Reads the few members of an encounter that the watcher needs.</summary>
internal static class SightingReader
{
    /// <summary>Reads it whole, so that extraction need not do it again.</summary>
    public static EncounterSighting Read(FhirResource resource)
    {
        if (resource.Oversize || resource.Json.Length > ResourceLimits.MaxResourceBytes)
            return ReadWithFaults(resource);
        var scan = new EncounterScan();
        if (scan.Read(resource.Json.Span) != SetAsideReason.None || scan.IsOdd || scan.Id.Length == 0)
            return ReadWithFaults(resource);
        return new EncounterSighting
        {
            EncounterId = scan.Id,
            Version = VersionOf(scan.VersionId, scan.LastUpdatedText, resource.Json.Span),
            PatientId = PatientIdOf(scan.SubjectReference),
            Status = scan.StatusText,
            LastUpdated = scan.LastUpdated,
            Resource = resource,
            Scan = scan,
        };
    }

    /// <summary>What can be told of whatever it is.</summary>
    internal static EncounterSighting ReadWithFaults(FhirResource resource)
    {
        string? id = null, version = null, status = null, subject = null, updatedText = null;
        var poison = resource.Oversize ? SetAsideReason.TooLarge : SetAsideReason.None;
        try
        {
            var reader = new Utf8JsonReader(resource.Json.Span, isFinalBlock: !resource.Oversize,
                new JsonReaderState(new JsonReaderOptions { MaxDepth = ResourceLimits.MaxDepth }));
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return Unreadable(resource, SetAsideReason.Malformed);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("id"u8))
                    id = Text(ref reader) ?? id;
                else if (reader.ValueTextEquals("status"u8))
                    status = Text(ref reader) ?? status;
                else if (reader.ValueTextEquals("subject"u8))
                    subject = Member(ref reader, "reference"u8) ?? subject;
                else if (reader.ValueTextEquals("meta"u8))
                    ReadMeta(ref reader, ref version, ref updatedText);
                else if (!reader.Read() || !reader.TrySkip())
                    break;
            }
        }
        catch (JsonException)
        {
            poison = JsonBlocks.DeeperThan(resource.Json.Span, ResourceLimits.MaxDepth) ? SetAsideReason.TooDeep : SetAsideReason.Malformed;
        }
        catch (InvalidOperationException)
        {
            poison = SetAsideReason.Malformed;
        }
        DateTimeOffset? updated = FhirDate.TryParseInstant(updatedText, out var at) ? at : null;
        return new EncounterSighting
        {
            EncounterId = id ?? "",
            Version = VersionOf(version, updatedText, resource.Json.Span),
            PatientId = PatientIdOf(subject),
            Status = status,
            LastUpdated = updated,
            Poison = poison == SetAsideReason.None && string.IsNullOrEmpty(id) ? SetAsideReason.NoId : poison,
            Resource = resource,
        };
    }

    public static string VersionOf(string? versionId, string? lastUpdated, ReadOnlySpan<byte> json) =>
        !string.IsNullOrEmpty(versionId) ? versionId
        : !string.IsNullOrEmpty(lastUpdated) ? lastUpdated
        : Convert.ToHexStringLower(SHA256.HashData(json))[..32];

    public static string? PatientIdOf(string? subject) => PatientIdOf(FhirReference.Parse(subject));

    public static string? PatientIdOf(in FhirReference reference)
    {
        return reference.Form switch
        {
            ReferenceForm.Relative or ReferenceForm.Absolute when reference.Type == "Patient" => reference.Id,
            ReferenceForm.Urn when reference.Url!.StartsWith("urn:uuid:", StringComparison.OrdinalIgnoreCase) => reference.Url[9..],
            _ => null,
        };
    }

    private static EncounterSighting Unreadable(FhirResource resource, SetAsideReason reason) => new()
    {
        EncounterId = "",
        Version = VersionOf(null, null, resource.Json.Span),
        Poison = reason,
        Resource = resource,
    };

    private static void ReadMeta(ref Utf8JsonReader reader, ref string? version, ref string? updated)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("versionId"u8))
                version = Text(ref reader);
            else if (reader.ValueTextEquals("lastUpdated"u8))
                updated = Text(ref reader);
            else if (!reader.Read() || !reader.TrySkip())
                return;
        }
    }

    private static string? Member(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        string? value = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(name))
                value = Text(ref reader);
            else if (!reader.Read() || !reader.TrySkip())
                return value;
        }
        return value;
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        if (!reader.Read())
            return null;
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString();
        reader.TrySkip();
        return null;
    }
}
