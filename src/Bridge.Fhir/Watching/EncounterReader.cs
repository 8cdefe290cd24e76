using System.Globalization;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>
/// Brings together what a summary is read from: encounters, patients, conditions, procedures, medication requests and the people who
/// took part, for many encounters in few requests. Reads nothing of encounters that it was not asked for.
/// </summary>
public sealed class EncounterReader
{
    private readonly FhirClient _client;
    private readonly WatchOptions _options;

    /// <summary>Creates a reader over one server.</summary>
    public EncounterReader(FhirClient client, WatchOptions options) => (_client, _options) = (client, options);

    /// <summary>
    /// The files of these sightings, in their order. Unreadable ones (<see cref="EncounterSighting.Poison"/>) give a file with nothing
    /// but the encounter, which extraction then names.
    /// </summary>
    public async Task<IReadOnlyList<EncounterFile>> ReadAsync(IReadOnlyList<EncounterSighting> sightings, CancellationToken cancellation = default)
    {
        var files = new EncounterFile[sightings.Count];
        var wanted = new List<int>();
        for (var i = 0; i < sightings.Count; i++)
        {
            if (sightings[i].Poison == SetAsideReason.None)
                wanted.Add(i);
            else
                files[i] = new EncounterFile { Encounter = sightings[i].Resource };
        }
        foreach (var chunk in wanted.Chunk(Math.Max(1, _options.ChildrenPerRequest)))
        {
            var assembled = await AssembleAsync([.. chunk.Select(i => sightings[i].Resource)], cancellation);
            for (var i = 0; i < chunk.Length; i++)
                files[chunk[i]] = assembled[i];
        }
        return files;
    }

    /// <summary>
    /// Reads encounters again, with all their children: while a summary waits for co-signature, and once more after the settle time. A
    /// changed Condition does not touch the encounter's own lastUpdated.
    /// </summary>
    /// <returns>One file per id, in order; null where the encounter is no longer there.</returns>
    public async Task<IReadOnlyList<EncounterFile?>> ReadAgainAsync(IReadOnlyList<string> encounterIds, CancellationToken cancellation = default)
    {
        var files = new EncounterFile?[encounterIds.Count];
        foreach (var chunk in Enumerable.Range(0, encounterIds.Count).Chunk(Math.Max(1, _options.ChildrenPerRequest)))
        {
            var found = new Dictionary<string, FhirResource>(StringComparer.Ordinal);
            foreach (var resource in await SearchAllAsync("Encounter", "_id", chunk.Select(i => encounterIds[i]), cancellation))
            {
                if (SightingReader.Read(resource) is { EncounterId.Length: > 0 } sighting)
                    found[sighting.EncounterId] = resource;
            }
            var present = chunk.Where(i => found.ContainsKey(encounterIds[i])).ToArray();
            var assembled = await AssembleAsync([.. present.Select(i => found[encounterIds[i]])], cancellation);
            for (var i = 0; i < present.Length; i++)
                files[present[i]] = assembled[i];
        }
        return files;
    }

    private async Task<EncounterFile[]> AssembleAsync(IReadOnlyList<FhirResource> encounters, CancellationToken cancellation)
    {
        if (encounters.Count == 0)
            return [];
        var links = encounters.Select(EncounterLinks.Read).ToArray();
        var ids = links.Select(l => l.Id).Where(id => id.Length > 0).Distinct(StringComparer.Ordinal).ToArray();

        var conditionsTask = SearchAllAsync("Condition", "encounter", ids, cancellation);
        var proceduresTask = SearchAllAsync("Procedure", "encounter", ids, cancellation);
        var requestsTask = SearchAllAsync("MedicationRequest", "encounter", ids, cancellation);
        var patientsTask = SearchAllAsync("Patient", "_id", Ids(links.Select(l => l.Subject), "Patient"), cancellation);
        var rolesTask = SearchAllAsync("PractitionerRole", "_id", Ids(links.SelectMany(l => l.Participants), "PractitionerRole"), cancellation);
        var conditions = await conditionsTask;
        var procedures = await proceduresTask;
        var requests = await requestsTask;
        var patients = await patientsTask;
        var roles = await rolesTask;

        // diagnoses that the search by encounter did not bring (a problem-list entry has no encounter)
        var have = conditions.Select(EncounterLinks.IdOf).ToHashSet(StringComparer.Ordinal);
        conditions.AddRange(await SearchAllAsync("Condition", "_id",
            Ids(links.SelectMany(l => l.Diagnoses), "Condition").Where(id => !have.Contains(id)), cancellation));
        var people = Ids(links.SelectMany(l => l.Participants).Concat(roles.Select(EncounterLinks.PractitionerOf)), "Practitioner");
        var practitioners = await SearchAllAsync("Practitioner", "_id", people, cancellation);
        var medications = await SearchAllAsync("Medication", "_id", Ids(requests.Select(EncounterLinks.MedicationOf), "Medication"), cancellation);

        var files = new EncounterFile[encounters.Count];
        var patientById = patients.GroupBy(EncounterLinks.IdOf, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        for (var i = 0; i < files.Length; i++)
        {
            var link = links[i];
            var subject = FhirReference.Parse(link.Subject).Id;
            files[i] = new EncounterFile
            {
                Encounter = encounters[i],
                Patient = subject is not null && patientById.TryGetValue(subject, out var patient) ? patient : null,
                Conditions = Of(conditions, link),
                Procedures = Of(procedures, link),
                MedicationRequests = Of(requests, link),
                Medications = medications,
                Practitioners = practitioners,
                PractitionerRoles = roles,
            };
        }
        return files;
    }

    private static List<FhirResource> Of(List<FhirResource> resources, EncounterLinks link) =>
        [.. resources.Where(r => EncounterLinks.EncounterOf(r) is var e && (e is null || e == link.Id || link.NamesDiagnosis(r)))];

    private static IEnumerable<string> Ids(IEnumerable<string?> references, string type) =>
        references.Select(FhirReference.Parse).Where(r => r.Type == type && r.Form is ReferenceForm.Relative or ReferenceForm.Absolute && r.Id is not null)
            .Select(r => r.Id!).Distinct(StringComparer.Ordinal);

    private async Task<List<FhirResource>> SearchAllAsync(string type, string parameter, IEnumerable<string> values, CancellationToken cancellation)
    {
        var all = new List<FhirResource>();
        foreach (var chunk in values.Chunk(Math.Max(1, _options.ChildrenPerRequest)))
        {
            var search = new FhirSearch(type).WhereAny(parameter, chunk).Where("_count", Math.Max(_options.PageSize, 500).ToString(CultureInfo.InvariantCulture));
            await foreach (var page in _client.PagesAsync(search, cancellation))
                all.AddRange(page.Resources.Where(r => BundleFraming.TypeOf(r.Json.Span) == type));
        }
        return all;
    }
}
