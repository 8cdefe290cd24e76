using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>
/// Brings together what a summary is read from: encounters, patients, conditions, procedures, medication requests and the people who
/// took part, for many encounters in few requests. Reads nothing of encounters that it was not asked for.
/// </summary>
public sealed class EncounterReader
{
    private const int MostMerges = 8;

    private readonly FhirClient _client;
    private readonly WatchOptions _options;
    private readonly SemaphoreSlim _chunks;
    private volatile bool _childrenByPatient;

    /// <summary>Creates a reader over one server.</summary>
    public EncounterReader(FhirClient client, WatchOptions options) => (_client, _options, _chunks) = (client, options, new SemaphoreSlim(Math.Max(1, options.ChunksAtOnce)));

    /// <summary>
    /// The files of these sightings, in their order. Unreadable ones (<see cref="EncounterSighting.Poison"/>) give a file with nothing
    /// but the encounter, which extraction then names.
    /// </summary>
    public Task<IReadOnlyList<EncounterFile>> ReadAsync(IReadOnlyList<EncounterSighting> sightings, CancellationToken cancellation = default) =>
        ReadAsync(sightings, static file => file, cancellation);

    /// <summary>
    /// As the other, with <paramref name="use"/> made of each file as soon as its chunk has come, side by side with others and while more is on its way. What it
    /// returns is all that is kept.
    /// </summary>
    public async Task<IReadOnlyList<T>> ReadAsync<T>(IReadOnlyList<EncounterSighting> sightings, Func<EncounterFile, T> use, CancellationToken cancellation = default)
    {
        var results = new T[sightings.Count];
        var wanted = new List<int>();
        for (var i = 0; i < sightings.Count; i++)
        {
            if (sightings[i].Poison == SetAsideReason.None)
                wanted.Add(i);
            else
                results[i] = use(new EncounterFile { Encounter = sightings[i].Resource });
        }
        await Parallel.ForEachAsync(wanted.Chunk(Math.Max(1, _options.ChildrenPerRequest)), Parallelism(cancellation), async (chunk, token) =>
        {
            // the bound is the server's: it holds over all that is read at a time
            await _chunks.WaitAsync(token);
            EncounterFile[] assembled;
            try
            {
                assembled = await AssembleAsync(Array.ConvertAll(chunk, i => sightings[i]), token);
            }
            finally
            {
                _chunks.Release();
            }
            for (var i = 0; i < chunk.Length; i++)
                results[chunk[i]] = use(assembled[i]);
        });
        return results;
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
            var found = new Dictionary<string, EncounterSighting>(StringComparer.Ordinal);
            foreach (var resource in await SearchAllAsync("Encounter", "_id", chunk.Select(i => encounterIds[i]), cancellation))
            {
                if (SightingReader.Read(resource) is { EncounterId.Length: > 0 } sighting)
                    found[sighting.EncounterId] = sighting;
            }
            var present = chunk.Where(i => found.ContainsKey(encounterIds[i])).ToArray();
            var assembled = await AssembleAsync([.. present.Select(i => found[encounterIds[i]])], cancellation);
            for (var i = 0; i < present.Length; i++)
                files[present[i]] = assembled[i];
        }
        return files;
    }

    /// <summary>These encounters as a walk would come across them, in the order of their change; those that are gone are left out.</summary>
    public async Task<IReadOnlyList<EncounterSighting>> FindAsync(IReadOnlyList<string> encounterIds, CancellationToken cancellation = default) =>
        PatientOrder.Sort([.. (await SearchAllAsync("Encounter", "_id", encounterIds, cancellation)).Select(SightingReader.Read)]);

    /// <summary>
    /// What these patients' records say about others of the same person; records that were merged into them are followed, so that a chain of merges is one.
    /// </summary>
    /// <returns>One for each id that the server has.</returns>
    public async Task<IReadOnlyList<PatientLinks>> ReadLinksAsync(IReadOnlyList<string> patientIds, CancellationToken cancellation = default)
    {
        var all = new Dictionary<string, PatientLinks>(StringComparer.Ordinal);
        var wanted = patientIds.ToList();
        for (var hop = 0; hop < MostMerges && wanted.Count > 0; hop++)
        {
            foreach (var resource in await SearchAllAsync("Patient", "_id", wanted, cancellation))
                if (PatientLinks.Read(resource) is { PatientId.Length: > 0 } links)
                    all[links.PatientId] = links;
            wanted = [.. all.Values.SelectMany(links => links.Replaces).Where(id => !all.ContainsKey(id)).Distinct(StringComparer.Ordinal)];
        }
        return [.. patientIds.Where(all.ContainsKey).Select(id =>
        {
            var merged = new HashSet<string>(StringComparer.Ordinal);
            var open = new Queue<string>(all[id].Replaces);
            while (open.TryDequeue(out var other))
                if (other != id && merged.Add(other) && all.TryGetValue(other, out var further))
                    foreach (var next in further.Replaces)
                        open.Enqueue(next);
            return all[id] with { Replaces = [.. merged] };
        })];
    }

    // The record in use at the end of each chain of merges; none where it cannot be read or leads back.
    private async Task<Dictionary<string, FhirResource>> SurvivorsAsync(Dictionary<string, FhirResource> patients, CancellationToken cancellation)
    {
        var survivors = new Dictionary<string, FhirResource>(StringComparer.Ordinal);
        // most records have no links: seen at memory speed, without reading the rest of them
        if (patients.Values.All(patient => patient.Json.Span.IndexOf("\"link\""u8) < 0 || JsonMembers.Find(patient.Json.Span, "link"u8).IsEmpty))
            return survivors;
        var known = new Dictionary<string, FhirResource>(patients, StringComparer.Ordinal);
        for (var hop = 0; hop < MostMerges; hop++)
        {
            var missing = known.Values.Select(patient => PatientLinks.Read(patient).ReplacedBy).OfType<string>().Where(id => !known.ContainsKey(id)).Distinct(StringComparer.Ordinal).ToList();
            if (missing.Count == 0)
                break;
            var before = known.Count;
            foreach (var resource in await SearchAllAsync("Patient", "_id", missing, cancellation))
                known.TryAdd(EncounterLinks.IdOf(resource), resource);
            if (known.Count == before)
                break;
        }
        foreach (var id in patients.Keys)
        {
            var at = id;
            for (var hop = 0; hop <= MostMerges && at is not null && known.TryGetValue(at, out var resource); hop++)
            {
                var next = PatientLinks.Read(resource).ReplacedBy;
                if (next is null && at != id)
                    survivors[id] = resource;
                at = next;
            }
        }
        return survivors;
    }

    private ParallelOptions Parallelism(CancellationToken cancellation) =>
        new() { MaxDegreeOfParallelism = Math.Max(1, _options.ChunksAtOnce), CancellationToken = cancellation };

    private async Task<EncounterFile[]> AssembleAsync(EncounterSighting[] encounters, CancellationToken cancellation)
    {
        if (encounters.Length == 0)
            return [];
        var links = new EncounterLinks[encounters.Length];
        HashSet<string> ids = new(StringComparer.Ordinal), patientIds = new(StringComparer.Ordinal), roleIds = new(StringComparer.Ordinal), people = new(StringComparer.Ordinal);
        var diagnosed = false;
        for (var i = 0; i < links.Length; i++)
        {
            var link = links[i] = EncounterLinks.Of(encounters[i]);
            if (link.Id.Length > 0)
                ids.Add(link.Id);
            Add(patientIds, link.Subject, "Patient");
            diagnosed |= link.Diagnoses.Count > 0;
            foreach (var participant in link.Participants)
            {
                Add(roleIds, participant, "PractitionerRole");
                Add(people, participant, "Practitioner");
            }
        }

        var conditionsTask = ChildrenAsync("Condition", ids, patientIds, cancellation);
        var proceduresTask = ChildrenAsync("Procedure", ids, patientIds, cancellation);
        var requestsTask = ChildrenAsync("MedicationRequest", ids, patientIds, cancellation);
        var patientsTask = SearchAllAsync("Patient", "_id", patientIds, cancellation);
        var rolesTask = SearchAllAsync("PractitionerRole", "_id", roleIds, cancellation);
        // roles name further practitioners; where there are none, nobody is to be waited for
        var practitionersTask = roleIds.Count == 0 ? SearchAllAsync("Practitioner", "_id", people, cancellation) : null;
        var conditions = await conditionsTask;
        var procedures = await proceduresTask;
        var requests = await requestsTask;
        var patients = await patientsTask;
        var roles = await rolesTask;

        if (practitionersTask is null)
        {
            foreach (var role in roles)
                Add(people, FhirReference.Parse(EncounterLinks.PractitionerOf(role)), "Practitioner");
            practitionersTask = SearchAllAsync("Practitioner", "_id", people, cancellation);
        }
        // diagnoses that the search by encounter did not bring (a problem-list entry has no encounter)
        var missing = new HashSet<string>(StringComparer.Ordinal);
        if (diagnosed)
        {
            foreach (var link in links)
                foreach (var diagnosis in link.Diagnoses)
                    Add(missing, diagnosis, "Condition");
            missing.ExceptWith(conditions.Select(EncounterLinks.IdOf));
        }
        var diagnosesTask = SearchAllAsync("Condition", "_id", missing, cancellation);
        var drugs = new HashSet<string>(StringComparer.Ordinal);
        foreach (var request in requests)
            Add(drugs, FhirReference.Parse(EncounterLinks.MedicationOf(request)), "Medication");
        var medicationsTask = SearchAllAsync("Medication", "_id", drugs, cancellation);
        conditions.AddRange(await diagnosesTask);
        var practitioners = await practitionersTask;
        var medications = await medicationsTask;

        var (ofConditions, ofProcedures, ofRequests) = (new ByEncounter(conditions, ids, diagnosed), new ByEncounter(procedures, ids, diagnosed), new ByEncounter(requests, ids, diagnosed));
        var patientSet = new ResourceSet(patients);
        var (medicationSet, practitionerSet, roleSet) = (new ResourceSet(medications), new ResourceSet(practitioners), new ResourceSet(roles));
        var byId = new Dictionary<string, FhirResource>(patients.Count, StringComparer.Ordinal);
        foreach (var patient in patients)
            byId.TryAdd(EncounterLinks.IdOf(patient), patient);
        var survivors = await SurvivorsAsync(byId, cancellation);
        var files = new EncounterFile[encounters.Length];
        for (var i = 0; i < files.Length; i++)
        {
            var link = links[i];
            var subject = link.Subject.Id ?? "";
            files[i] = new EncounterFile
            {
                Encounter = encounters[i].Resource,
                Scan = encounters[i].Scan,
                Patient = byId.TryGetValue(subject, out var patient) ? patient : null,
                Survivor = survivors.TryGetValue(subject, out var survivor) ? survivor : null,
                Patients = patientSet,
                Conditions = ofConditions.Of(link),
                Procedures = ofProcedures.Of(link),
                MedicationRequests = ofRequests.Of(link),
                Medications = medicationSet,
                Practitioners = practitionerSet,
                PractitionerRoles = roleSet,
            };
        }
        return files;
    }

    /// <summary>Children by the encounter that they name; those that name none in plain words are given to every encounter, which then tells.</summary>
    private sealed class ByEncounter
    {
        private readonly Dictionary<string, List<FhirResource>?> _named;
        private readonly List<FhirResource> _unnamed = [];
        private readonly Dictionary<string, FhirResource>? _byId;

        public ByEncounter(List<FhirResource> children, HashSet<string> encounters, bool byId)
        {
            _byId = byId ? new(StringComparer.Ordinal) : null;
            _named = new(children.Count == 0 ? 0 : encounters.Count, StringComparer.Ordinal);
            if (children.Count == 0)
                return;
            foreach (var encounter in encounters)
                _named.Add(encounter, null);
            var lookup = _named.GetAlternateLookup<ReadOnlySpan<char>>();
            Span<char> name = stackalloc char[64];
            foreach (var child in children)
            {
                _byId?.TryAdd(EncounterLinks.IdOf(child), child);
                var plain = EncounterLinks.PlainEncounterOf(child);
                ReadOnlySpan<char> id = name[..Encoding.ASCII.GetChars(plain, name)];
                if (plain.IsEmpty)
                {
                    if (EncounterLinks.EncounterOf(child) is not { } other)
                    {
                        _unnamed.Add(child);
                        continue;
                    }
                    id = other;
                }
                ref var list = ref CollectionsMarshal.GetValueRefOrNullRef(lookup, id);
                if (!Unsafe.IsNullRef(ref list))
                    (list ??= []).Add(child);
            }
        }

        public IReadOnlyList<FhirResource> Of(EncounterLinks link)
        {
            IReadOnlyList<FhirResource> own = _named.TryGetValue(link.Id, out var list) && list is not null ? list : [];
            if (_unnamed.Count == 0 && link.Diagnoses.Count == 0)
                return own;
            // a diagnosis may be a Condition of another encounter, or of none
            var diagnosed = link.Diagnoses.Where(d => d.Type == "Condition" && d.Id is not null && _byId!.ContainsKey(d.Id)).Select(d => _byId![d.Id!]);
            return [.. own.Concat(_unnamed).Concat(diagnosed).DistinctBy(r => r.Json)];
        }
    }

    private static void Add(HashSet<string> ids, in FhirReference reference, string type)
    {
        if (reference.Type == type && reference.Form is ReferenceForm.Relative or ReferenceForm.Absolute && reference.Id is not null)
            ids.Add(reference.Id);
    }

    /// <summary>
    /// The children of some encounters. Servers that only search within a patient (Oracle Health) refuse this; from then on a patient's children are
    /// read as a whole, and told by the encounter that they name.
    /// </summary>
    private async Task<List<FhirResource>> ChildrenAsync(string type, HashSet<string> encounters, HashSet<string> patients, CancellationToken cancellation)
    {
        if (!_childrenByPatient)
        {
            try
            {
                return await SearchAllAsync(type, "encounter", encounters, cancellation);
            }
            catch (FhirException e) when (e.Fault == FhirFault.Refused && patients.Count > 0)
            {
                _childrenByPatient = true;
            }
        }
        var all = new List<FhirResource>();
        foreach (var patient in patients)
            all.AddRange(await SearchAllAsync(type, "patient", [patient], cancellation));
        return all;
    }

    private async Task<List<FhirResource>> SearchAllAsync(string type, string parameter, IEnumerable<string> values, CancellationToken cancellation)
    {
        var all = new List<FhirResource>();
        byte[] beginning = [.. "{\"resourceType\":\""u8, .. Encoding.ASCII.GetBytes(type), (byte)'"'];
        foreach (var chunk in values.Chunk(Math.Max(1, _options.ChildrenPerRequest)))
        {
            var search = new FhirSearch(type).WhereAny(parameter, chunk).Where("_count", Math.Max(_options.PageSize, 500).ToString(CultureInfo.InvariantCulture));
            await foreach (var page in _client.PagesAsync(search, cancellation))
                foreach (var resource in page.Resources)
                    if (resource.Json.Span.StartsWith(beginning) || BundleFraming.TypeOf(resource.Json.Span) == type)
                        all.Add(resource);
        }
        return all;
    }
}
