using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>The references that stand in an encounter, to know what else to read.</summary>
internal sealed class EncounterLinks
{
    public string Id { get; private set; } = "";
    public string? Subject { get; private set; }
    public List<string?> Participants { get; } = [];
    public List<string?> Diagnoses { get; } = [];

    public static EncounterLinks Read(FhirResource encounter)
    {
        var links = new EncounterLinks();
        Members(encounter, (string name, ref Utf8JsonReader reader) =>
        {
            switch (name)
            {
                case "id":
                    links.Id = Text(ref reader) ?? "";
                    break;
                case "subject":
                    links.Subject = Member(ref reader, "reference");
                    break;
                case "participant":
                    Array(ref reader, links.Participants, "individual");
                    break;
                case "diagnosis":
                    Array(ref reader, links.Diagnoses, "condition");
                    break;
                default:
                    return false;
            }
            return true;
        });
        return links;
    }

    public bool NamesDiagnosis(FhirResource condition)
    {
        var id = IdOf(condition);
        return Diagnoses.Exists(d => FhirReference.Parse(d) is { Type: "Condition" } r && r.Id == id);
    }

    public static string IdOf(FhirResource resource) => Find(resource, "id", null) ?? "";

    /// <summary>Logical id of the encounter that a child names; null where it is no plain reference.</summary>
    public static string? EncounterOf(FhirResource child) => FhirReference.Parse(Find(child, "encounter", "reference")) is { Type: "Encounter" } r ? r.Id : null;

    public static string? PractitionerOf(FhirResource role) => Find(role, "practitioner", "reference");

    public static string? MedicationOf(FhirResource request) => Find(request, "medicationReference", "reference");

    private delegate bool MemberHandler(string name, ref Utf8JsonReader reader);

    private static string? Find(FhirResource resource, string member, string? inner)
    {
        string? value = null;
        Members(resource, (string name, ref Utf8JsonReader reader) =>
        {
            if (name != member)
                return false;
            value ??= inner is null ? Text(ref reader) : Member(ref reader, inner);
            return true;
        });
        return value;
    }

    private static void Members(FhirResource resource, MemberHandler handle)
    {
        if (resource.Oversize)
            return;
        try
        {
            var reader = new Utf8JsonReader(resource.Json.Span, new JsonReaderOptions { MaxDepth = ResourceLimits.MaxDepth });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.ValueTextEquals("id"u8) ? "id"
                    : reader.ValueTextEquals("subject"u8) ? "subject"
                    : reader.ValueTextEquals("participant"u8) ? "participant"
                    : reader.ValueTextEquals("diagnosis"u8) ? "diagnosis"
                    : reader.ValueTextEquals("encounter"u8) ? "encounter"
                    : reader.ValueTextEquals("practitioner"u8) ? "practitioner"
                    : reader.ValueTextEquals("medicationReference"u8) ? "medicationReference" : "";
                reader.Read();
                if (name.Length == 0 || !handle(name, ref reader))
                    reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // the extractor names what is wrong with it; here it only has no links
        }
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString();
        reader.Skip();
        return null;
    }

    private static string? Member(ref Utf8JsonReader reader, string name)
    {
        string? value = null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var match = reader.ValueTextEquals(name);
            reader.Read();
            if (match && reader.TokenType == JsonTokenType.String)
                value = reader.GetString();
            else
                reader.Skip();
        }
        return value;
    }

    private static void Array(ref Utf8JsonReader reader, List<string?> into, string member)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return;
        }
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var match = reader.ValueTextEquals(member);
                reader.Read();
                if (match)
                    into.Add(Member(ref reader, "reference"));
                else
                    reader.Skip();
            }
        }
    }
}
