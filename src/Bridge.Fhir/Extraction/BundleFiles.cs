using System.Text;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Extraction;

/// <summary>Takes a bundle that holds whole records (a transaction, a collection, an answer with includes) apart into encounter files.</summary>
public static class BundleFiles
{
    /// <summary>One file per encounter, in the bundle's order; empty where the input is no bundle or has no encounter.</summary>
    public static IReadOnlyList<EncounterFile> Read(ReadOnlyMemory<byte> bundle) =>
        Group(BundleFraming.Frame(bundle, ResourceLimits.MaxResourceBytes).Resources);

    /// <summary>One file per encounter among these resources, in their order.</summary>
    public static IReadOnlyList<EncounterFile> Group(IReadOnlyList<FhirResource> resources)
    {
        List<FhirResource> encounters = [], conditions = [], procedures = [], requests = [];
        List<FhirResource> patients = [], medications = [], practitioners = [], roles = [];
        foreach (var resource in resources)
        {
            var list = BundleFraming.TypeOf(resource.Json.Span) switch
            {
                "Encounter" => encounters,
                "Condition" => conditions,
                "Procedure" => procedures,
                "MedicationRequest" => requests,
                "Patient" => patients,
                "Medication" => medications,
                "Practitioner" => practitioners,
                "PractitionerRole" => roles,
                _ => null,
            };
            list?.Add(resource);
        }
        var index = IndexOf(encounters);
        var groups = new Children[encounters.Count];
        Assign(conditions, index, groups, static (ref Children c) => c.Conditions ??= []);
        Assign(procedures, index, groups, static (ref Children c) => c.Procedures ??= []);
        Assign(requests, index, groups, static (ref Children c) => c.Requests ??= []);

        var (allPatients, allConditions, allMedications) = (new ResourceSet(patients), new ResourceSet(conditions), new ResourceSet(medications));
        var (allPractitioners, allRoles) = (new ResourceSet(practitioners), new ResourceSet(roles));
        var files = new EncounterFile[encounters.Count];
        for (var i = 0; i < files.Length; i++)
        {
            files[i] = new EncounterFile
            {
                Encounter = encounters[i],
                Patients = allPatients,
                Conditions = groups[i].Conditions ?? (IReadOnlyList<FhirResource>)[],
                Procedures = groups[i].Procedures ?? (IReadOnlyList<FhirResource>)[],
                MedicationRequests = groups[i].Requests ?? (IReadOnlyList<FhirResource>)[],
                DiagnosisConditions = allConditions,
                Medications = allMedications,
                Practitioners = allPractitioners,
                PractitionerRoles = allRoles,
            };
        }
        return files;
    }

    private static Dictionary<string, int> IndexOf(List<FhirResource> encounters)
    {
        var index = new Dictionary<string, int>(encounters.Count * 2, StringComparer.Ordinal);
        for (var i = 0; i < encounters.Count; i++)
        {
            if (encounters[i].FullUrl is { } url)
                index.TryAdd(url, i);
            if (ResourceScan.Id(encounters[i].Json.Span) is { Length: > 0 } id)
                index.TryAdd(id, i);
        }
        return index;
    }

    private delegate List<FhirResource> Pick(ref Children children);

    private static void Assign(List<FhirResource> children, Dictionary<string, int> index, Children[] groups, Pick pick)
    {
        var lookup = index.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> text = stackalloc char[512];
        foreach (var child in children)
        {
            var reference = ResourceScan.Reference(child.Json.Span, "encounter"u8);
            if (reference.Length is 0 or > 512)
                continue;
            var length = Encoding.UTF8.GetChars(reference, text);
            ReadOnlySpan<char> name = text[..length];
            if (name.IndexOf("/_history/", StringComparison.Ordinal) is > 0 and var history)
                name = name[..history];
            if (lookup.TryGetValue(name, out var at) || (name.LastIndexOf('/') is >= 0 and var slash && lookup.TryGetValue(name[(slash + 1)..], out at)))
                pick(ref groups[at]).Add(child);
            else if (FhirReference.Parse(name.ToString()) is { Form: ReferenceForm.Conditional, Type: "Encounter" })
                // rare: only the encounter itself can tell, by its identifiers
                for (var i = 0; i < groups.Length; i++)
                    pick(ref groups[i]).Add(child);
        }
    }

    private struct Children
    {
        public List<FhirResource>? Conditions;
        public List<FhirResource>? Procedures;
        public List<FhirResource>? Requests;
    }
}
