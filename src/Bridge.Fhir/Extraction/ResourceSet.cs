using System.Collections;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Extraction;

/// <summary>Resources of one type, found by any form of reference. The index is made when it is first needed.</summary>
internal sealed class ResourceSet(IReadOnlyList<FhirResource> resources) : IReadOnlyList<FhirResource>
{
    public static readonly ResourceSet None = new([]);

    private Dictionary<string, int>? _byName;
    private Dictionary<BusinessIdentifier, int>? _byIdentifier;
    private PatientRead?[]? _patients;
    private PersonRead?[]? _people;

    public int Count => resources.Count;

    public FhirResource this[int index] => resources[index];

    public static ResourceSet Of(IReadOnlyList<FhirResource> resources) =>
        resources as ResourceSet ?? (resources.Count == 0 ? None : new ResourceSet(resources));

    /// <summary>The resource that a reference points to.</summary>
    /// <param name="text">The reference.</param>
    /// <param name="container">The resource that the reference stands in, for contained ones.</param>
    public FhirResource? Find(string? text, ReadOnlyMemory<byte> container)
    {
        var reference = FhirReference.Parse(text);
        switch (reference.Form)
        {
            case ReferenceForm.Contained:
                var inside = ResourceScan.Contained(container, reference.Id!);
                return inside.IsEmpty ? null : new FhirResource(inside);
            case ReferenceForm.Conditional:
                return FindIdentifier(reference.Identifier!);
            case ReferenceForm.Urn:
                return At(ByName(), reference.Url!);
            case ReferenceForm.Relative:
                return At(ByName(), reference.Id!);
            case ReferenceForm.Absolute:
                return At(ByName(), reference.Url!) ?? At(ByName(), reference.Id!);
            default:
                return null;
        }
    }

    /// <summary>
    /// The patient that a reference points to; false where there is none or it cannot be read. Each is read once, however many encounters name it.
    /// </summary>
    public bool FindPatient(string? text, ReadOnlyMemory<byte> container, out PatientScan patient)
    {
        patient = default;
        var at = IndexOf(text);
        if (at < 0)
            return Find(text, container) is { Oversize: false } other && PatientScan.Read(other.Json.Span, out patient);
        _patients ??= new PatientRead?[resources.Count];
        var read = _patients[at];
        if (read is null)
        {
            var readable = !resources[at].Oversize && PatientScan.Read(resources[at].Json.Span, out patient);
            _patients[at] = read = new PatientRead(readable, patient);
        }
        patient = read.Patient;
        return read.Readable;
    }

    /// <summary>The business identifiers of a practitioner of this set, and the practitioner whom a role of this set names; each is read once.</summary>
    public PersonRead Person(in FhirResource resource, string? text)
    {
        var at = IndexOf(text);
        if (at < 0)
            return PersonRead.Of(resource);
        _people ??= new PersonRead?[resources.Count];
        return _people[at] ??= PersonRead.Of(resources[at]);
    }

    public FhirResource? FindIdentifier(BusinessIdentifier identifier)
    {
        if (_byIdentifier is null)
        {
            var index = new Dictionary<BusinessIdentifier, int>();
            for (var i = 0; i < resources.Count; i++)
            {
                ResourceScan.Person(resources[i].Json.Span, out var identifiers, out _, out _);
                foreach (var one in identifiers)
                {
                    index.TryAdd(one, i);
                    index.TryAdd(one with { System = null }, i);
                }
            }
            _byIdentifier = index;
        }
        return _byIdentifier.TryGetValue(identifier, out var at) ? resources[at] : null;
    }

    public IEnumerator<FhirResource> GetEnumerator() => resources.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Where the resource stands that a plain reference points to; -1 for the rarer forms.</summary>
    private int IndexOf(string? text)
    {
        // Type/id and urn:… are all that most servers write: no need to take them apart
        if (string.IsNullOrEmpty(text) || text.Length > 512 || text.Contains('?', StringComparison.Ordinal) || text.Contains("/_history/", StringComparison.Ordinal) || text[0] == '#')
            return -1;
        if (ByName().TryGetValue(text, out var at))
            return at;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && slash == text.LastIndexOf('/')
            && ByName().GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text.AsSpan(slash + 1), out at) ? at : -1;
    }

    private FhirResource? At(Dictionary<string, int> index, string name) => index.TryGetValue(name, out var at) ? resources[at] : null;

    private Dictionary<string, int> ByName()
    {
        if (_byName is not null)
            return _byName;
        var index = new Dictionary<string, int>(resources.Count * 2, StringComparer.Ordinal);
        for (var i = 0; i < resources.Count; i++)
        {
            if (resources[i].FullUrl is { } url)
                index.TryAdd(url, i);
            if (ResourceScan.Id(resources[i].Json.Span) is { Length: > 0 } id)
                index.TryAdd(id, i);
        }
        return _byName = index;
    }
}

/// <summary>A patient as read once.</summary>
internal sealed record PatientRead(bool Readable, PatientScan Patient);

/// <summary>A practitioner or practitioner role as read once.</summary>
internal sealed record PersonRead(bool Readable, string? Id, IReadOnlyList<BusinessIdentifier> Identifiers, string? Practitioner, BusinessIdentifier? PractitionerIdentifier)
{
    public static PersonRead Of(in FhirResource resource)
    {
        var readable = ResourceScan.Person(resource.Json.Span, out var identifiers, out var practitioner, out var identifier);
        return new PersonRead(readable, ResourceScan.Id(resource.Json.Span), identifiers, practitioner, identifier);
    }
}
