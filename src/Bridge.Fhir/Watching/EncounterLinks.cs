using System.Buffers;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>The references that stand in an encounter, to know what else to read.</summary>
internal sealed class EncounterLinks
{
    private static readonly SearchValues<byte> IdLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"u8);

    public string Id { get; private set; } = "";
    public FhirReference Subject { get; private set; }
    public List<FhirReference> Participants { get; } = [];
    public List<FhirReference> Diagnoses { get; } = [];

    /// <summary>Those of an encounter that was come across.</summary>
    public static EncounterLinks Of(EncounterSighting sighting)
    {
        if (sighting.Scan is not { } scan)
            return Read(sighting.Resource);
        var links = new EncounterLinks { Id = scan.Id, Subject = scan.SubjectReference };
        foreach (var participant in scan.Participants)
            links.Participants.Add(FhirReference.Parse(participant.Reference));
        foreach (var diagnosis in scan.Diagnoses)
            links.Diagnoses.Add(FhirReference.Parse(diagnosis.Reference));
        return links;
    }

    private static EncounterLinks Read(FhirResource encounter)
    {
        var links = new EncounterLinks();
        if (encounter.Oversize)
            return links;
        foreach (var member in new JsonMembers(encounter.Json.Span))
        {
            if (member.Name.SequenceEqual("id"u8))
                links.Id = JsonMembers.Text(member.Value) ?? "";
            else if (member.Name.SequenceEqual("subject"u8))
                links.Subject = FhirReference.Parse(JsonMembers.Text(JsonMembers.Find(member.Value, "reference"u8)));
            else if (member.Name.SequenceEqual("participant"u8))
                References(member.Value, "individual"u8, links.Participants);
            else if (member.Name.SequenceEqual("diagnosis"u8))
                References(member.Value, "condition"u8, links.Diagnoses);
        }
        return links;
    }

    public static string IdOf(FhirResource resource) => ResourceScan.Id(resource.Json.Span) ?? "";

    /// <summary>The logical id of the encounter that a child names; null where that is no plain reference.</summary>
    public static string? EncounterOf(FhirResource child) => FhirReference.Parse(Reference(child, "encounter"u8)) is { Type: "Encounter" } r ? r.Id : null;

    /// <summary>The same where it is written <c>Encounter/id</c>, as nearly all are; empty otherwise.</summary>
    public static ReadOnlySpan<byte> PlainEncounterOf(FhirResource child)
    {
        if (child.Oversize)
            return default;
        var reference = JsonMembers.Find(JsonMembers.Find(child.Json.Span, "encounter"u8), "reference"u8);
        if (!reference.StartsWith("\"Encounter/"u8))
            return default;
        var id = reference[11..^1];
        return id.Length is > 0 and <= 64 && !id.ContainsAnyExcept(IdLetters) ? id : default;
    }

    public static string? PractitionerOf(FhirResource role) => Reference(role, "practitioner"u8);

    public static string? MedicationOf(FhirResource request) => Reference(request, "medicationReference"u8);

    private static string? Reference(FhirResource resource, ReadOnlySpan<byte> member) =>
        resource.Oversize ? null : JsonMembers.Text(JsonMembers.Find(JsonMembers.Find(resource.Json.Span, member), "reference"u8));

    /// <summary>Of each object of an array: the reference that its member holds.</summary>
    private static void References(ReadOnlySpan<byte> array, ReadOnlySpan<byte> member, List<FhirReference> into)
    {
        if (array is not [(byte)'[', ..])
            return;
        var at = JsonMembers.SkipBlank(array, 1);
        while (at < array.Length && array[at] != (byte)']')
        {
            var end = JsonMembers.SkipValue(array, at);
            if (end < 0)
                return;
            var held = JsonMembers.Find(array[at..end], member);
            if (!held.IsEmpty)
                into.Add(FhirReference.Parse(JsonMembers.Text(JsonMembers.Find(held, "reference"u8))));
            at = JsonMembers.SkipBlank(array, end);
            if (at < array.Length && array[at] == (byte)',')
                at = JsonMembers.SkipBlank(array, at + 1);
        }
    }
}
