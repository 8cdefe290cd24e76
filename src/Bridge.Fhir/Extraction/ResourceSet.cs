using System.Collections;
using Bridge.Fhir.Client;

namespace Bridge.Fhir.Extraction;

/// <summary>Resources of one type, found by any form of reference. The index is made when it is first needed.</summary>
internal sealed class ResourceSet(IReadOnlyList<FhirResource> resources) : IReadOnlyList<FhirResource>
{
    public static readonly ResourceSet None = new([]);

    private Dictionary<string, int>? _byName;
    private Dictionary<BusinessIdentifier, int>? _byIdentifier;

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
