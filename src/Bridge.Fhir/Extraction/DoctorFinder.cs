using Bridge.Fhir.Client;

namespace Bridge.Fhir.Extraction;

/// <summary>Tells the treating doctor: ATND, else PPRF, else CON, else the sole practitioner. Roles are resolved to their practitioner.</summary>
internal static class DoctorFinder
{
    private const int MaxHops = 4;

    public static IReadOnlyList<DoctorReference> Find(EncounterScan encounter, EncounterFile file, out bool loop)
    {
        loop = false;
        if (encounter.Participants.Count == 0)
            return [];
        var (practitioners, roles) = (ResourceSet.Of(file.Practitioners), ResourceSet.Of(file.PractitionerRoles));
        var step = DoctorRole.Sole;
        foreach (var participant in encounter.Participants)
        {
            if (participant.Role < step && IsPerson(participant))
                step = participant.Role.Value;
        }
        var doctors = new List<DoctorReference>(1);
        foreach (var participant in encounter.Participants)
        {
            if (!IsPerson(participant) || (step != DoctorRole.Sole && participant.Role != step))
                continue;
            if (Resolve(participant, step, file.Encounter.Json, practitioners, roles, ref loop) is { } doctor && !doctors.Exists(d => Same(d, doctor)))
                doctors.Add(doctor);
        }
        // without a type that says so, only a single practitioner is the treating one
        return step == DoctorRole.Sole && doctors.Count > 1 ? [] : doctors;
    }

    private static bool IsPerson(in ParticipantScan participant)
    {
        var reference = FhirReference.Parse(participant.Reference);
        return reference.Type is null or "Practitioner" or "PractitionerRole";
    }

    private static bool Same(DoctorReference a, DoctorReference b) =>
        a.PractitionerId is not null ? a.PractitionerId == b.PractitionerId : b.PractitionerId is null && a.Identifiers.SequenceEqual(b.Identifiers);

    private static DoctorReference? Resolve(
        in ParticipantScan participant, DoctorRole step, ReadOnlyMemory<byte> container, ResourceSet practitioners, ResourceSet roles, ref bool loop)
    {
        var (text, identifier) = (participant.Reference, participant.Identifier);
        for (var hop = 0; hop < MaxHops; hop++)
        {
            var reference = FhirReference.Parse(text);
            if (reference.Form == ReferenceForm.None)
                return identifier is null ? null : ByIdentifier(identifier, step, practitioners);
            var isRole = reference.Type == "PractitionerRole" || (reference.Type is null && roles.Find(text, default) is not null);
            var found = isRole ? roles.Find(text, container) : practitioners.Find(text, container);
            if (found is { } inside && reference.Form == ReferenceForm.Contained)
                isRole = BundleFraming.TypeOf(inside.Json.Span) == "PractitionerRole";
            if (!isRole)
                return Practitioner(reference, found, practitioners, text, identifier, step);
            if (found is not { } role || roles.Person(role, text) is not { Readable: true } named)
                return null;
            (text, identifier) = (named.Practitioner, named.PractitionerIdentifier);
        }
        loop = true;
        return null;
    }

    private static DoctorReference? Practitioner(
        in FhirReference reference, FhirResource? found, ResourceSet practitioners, string? text, BusinessIdentifier? identifier, DoctorRole step)
    {
        if (found is { } practitioner)
        {
            if (reference.Form == ReferenceForm.Contained && BundleFraming.TypeOf(practitioner.Json.Span) is not "Practitioner")
                return null;
            var read = practitioners.Person(practitioner, text);
            var id = reference.Form == ReferenceForm.Contained ? null : read.Id;
            return id is null && read.Identifiers.Count == 0 ? null : new DoctorReference(id, read.Identifiers, step);
        }
        BusinessIdentifier? known = reference.Form == ReferenceForm.Conditional ? reference.Identifier : identifier;
        var logical = reference.Form is ReferenceForm.Relative or ReferenceForm.Absolute && reference.Type == "Practitioner" ? reference.Id : null;
        return logical is null && known is null ? null : new DoctorReference(logical, known is null ? [] : [known], step);
    }

    private static DoctorReference ByIdentifier(BusinessIdentifier identifier, DoctorRole step, ResourceSet practitioners)
    {
        if (practitioners.FindIdentifier(identifier) is not { } practitioner)
            return new DoctorReference(null, [identifier], step);
        ResourceScan.Person(practitioner.Json.Span, out var identifiers, out _, out _);
        return new DoctorReference(ResourceScan.Id(practitioner.Json.Span), identifiers, step);
    }
}
