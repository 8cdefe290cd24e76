using System.Buffers;

namespace Bridge.Fhir.Client;

/// <summary>The forms that a FHIR reference comes in.</summary>
public enum ReferenceForm
{
    /// <summary>Nothing to follow: display only, or not understood.</summary>
    None,

    /// <summary><c>Type/id</c>.</summary>
    Relative,

    /// <summary><c>https://…/Type/id</c>.</summary>
    Absolute,

    /// <summary><c>urn:uuid:…</c> or <c>urn:oid:…</c>: the fullUrl of an entry in the same bundle.</summary>
    Urn,

    /// <summary><c>Type?identifier=system|value</c>.</summary>
    Conditional,

    /// <summary><c>#id</c>: inside the same resource.</summary>
    Contained,
}

/// <summary>A reference taken apart.</summary>
/// <param name="Form">Its form.</param>
/// <param name="Type">Resource type, where the form says it.</param>
/// <param name="Id">Logical id (relative, absolute, contained), without version.</param>
/// <param name="Url">The text without version (absolute, URN).</param>
/// <param name="Identifier">System and value (conditional).</param>
public readonly record struct FhirReference(ReferenceForm Form, string? Type, string? Id, string? Url, Extraction.BusinessIdentifier? Identifier)
{
    private static readonly SearchValues<char> IdLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");

    /// <summary>Takes a reference apart; whatever is not understood has the form <see cref="ReferenceForm.None"/>.</summary>
    public static FhirReference Parse(string? reference)
    {
        if (string.IsNullOrWhiteSpace(reference) || reference.Length > 2048)
            return default;
        var text = reference.Trim();
        if (text[0] == '#')
            return text.Length > 1 ? new(ReferenceForm.Contained, null, text[1..], null, null) : default;
        if (text.StartsWith("urn:", StringComparison.OrdinalIgnoreCase))
            return new(ReferenceForm.Urn, null, null, text, null);
        var query = text.IndexOf('?', StringComparison.Ordinal);
        if (query > 0)
            return Conditional(text, query);
        var history = text.IndexOf("/_history/", StringComparison.Ordinal);
        if (history > 0)
            text = text[..history];
        text = text.TrimEnd('/');
        var slash = text.LastIndexOf('/');
        if (slash <= 0 || !IsId(text.AsSpan(slash + 1)))
            return default;
        var before = text.LastIndexOf('/', slash - 1);
        if (TypeOf(text.AsSpan(before + 1, slash - before - 1)) is not { } type)
            return default;
        var absolute = text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        return absolute || before < 0
            ? new(absolute ? ReferenceForm.Absolute : ReferenceForm.Relative, type, text[(slash + 1)..], absolute ? text : null, null)
            : default;
    }

    /// <summary>FHIR's id: 1–64 of letters, digits, <c>-</c> and <c>.</c>.</summary>
    public static bool IsId(ReadOnlySpan<char> id) =>
        id.Length is > 0 and <= 64 && !id.ContainsAnyExcept(IdLetters);

    private static FhirReference Conditional(string text, int query)
    {
        var path = text.AsSpan(0, query);
        if (TypeOf(path[(path.LastIndexOf('/') + 1)..]) is not { } type)
            return default;
        foreach (var part in text[(query + 1)..].Split('&'))
        {
            if (!part.StartsWith("identifier=", StringComparison.Ordinal))
                continue;
            var token = Uri.UnescapeDataString(part["identifier=".Length..]);
            var bar = token.IndexOf('|', StringComparison.Ordinal);
            var (system, value) = bar < 0 ? (null, token) : (token[..bar], token[(bar + 1)..]);
            return value.Length == 0 ? default : new(ReferenceForm.Conditional, type, null, null, new(system is "" ? null : system, value));
        }
        return default;
    }

    // null = no type's name; those that encounters refer to are always the same string
    private static string? TypeOf(ReadOnlySpan<char> name) => name switch
    {
        "Patient" => "Patient",
        "Practitioner" => "Practitioner",
        "PractitionerRole" => "PractitionerRole",
        "Encounter" => "Encounter",
        "Condition" => "Condition",
        "Medication" => "Medication",
        { Length: > 0 and <= 64 } when char.IsAsciiLetterUpper(name[0]) && !name.ContainsAnyExceptInRange('A', 'z') && !name.ContainsAnyInRange('[', '`') => name.ToString(),
        _ => null,
    };
}
