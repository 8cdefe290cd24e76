using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.WriteBack;

/// <summary>What the bridge writes to the hospital's own FHIR server.</summary>
/// <param name="Provenance"><c>WriteBack:Provenance</c>: after a summary is anchored, a Provenance says so beside its encounter. Default false.</param>
/// <param name="Interval"><c>WriteBack:Interval</c>: how often what is to be written is looked for. Default 30 s.</param>
/// <param name="Scope"><c>WriteBack:Scope</c>: SMART scopes asked for besides <c>Fhir:Smart:Scope</c>; default what is needed, in the version that <c>Fhir:Smart:Scope</c> is in.</param>
internal sealed record WriteBackOptions(bool Provenance, TimeSpan Interval, string? Scope)
{
    public static WriteBackOptions Read(ConfigurationReader reader) => new(
        reader.Flag("WriteBack:Provenance", false),
        reader.Duration("WriteBack:Interval", TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
        reader.Raw("WriteBack:Scope"));

    /// <summary>The scopes to ask for: those for reading, and creating (and where it is replaced later, updating) each type.</summary>
    /// <param name="reading">The scopes that reading asks for.</param>
    /// <param name="types">What is written.</param>
    public string Scopes(string reading, IEnumerable<WrittenType> types) => Scope is not null
        ? $"{reading} {Scope}"
        // SMART v1 knows no finer right than writing.
        : string.Join(' ', types.Select(type => reading.Contains(".read", StringComparison.Ordinal) ? $"system/{type.Name}.write" : $"system/{type.Name}.{(type.Updated ? "cu" : "c")}").Prepend(reading));
}

/// <summary>A type of resource that the bridge writes.</summary>
internal sealed record WrittenType(string Name, bool Updated)
{
    public static readonly WrittenType Provenance = new("Provenance", false);
    public static readonly WrittenType Task = new("Task", true);

    /// <summary>Whether a granted scope, of SMART v1 or v2, covers writing it.</summary>
    public bool IsCoveredBy(string scope)
    {
        var dot = scope.LastIndexOf('.');
        if (dot < 0 || scope[..dot] != "system/*" && scope[..dot] != $"system/{Name}")
            return false;
        var rights = scope[(dot + 1)..].Split('?')[0];
        return rights is "write" or "*" || rights.All(right => "cruds".Contains(right, StringComparison.Ordinal)) && rights.Contains('c', StringComparison.Ordinal)
            && (!Updated || rights.Contains('u', StringComparison.Ordinal));
    }
}
