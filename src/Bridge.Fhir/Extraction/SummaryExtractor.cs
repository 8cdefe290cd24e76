namespace Bridge.Fhir.Extraction;

/// <summary>How encounters are read.</summary>
public sealed record ExtractionOptions
{
    /// <summary>The waits of the ready rule.</summary>
    public ReadyOptions Ready { get; init; } = new();

    /// <summary>A hospital's own class codes, mapped to v3 ActCode (AMB, IMP, EMER, …). Default none.</summary>
    public IReadOnlyDictionary<string, string> ClassMap { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// Reads one encounter's file into a summary draft, or a named reason why there is none. Streams over the bytes and touches only the
/// members it needs; throws on no input. Thread-safe.
/// </summary>
public sealed class SummaryExtractor
{
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromDays(1);

    [ThreadStatic]
    private static ExtractionScratch? s_scratch;

    private readonly Minimiser _minimiser;
    private readonly ExtractionOptions _options;

    /// <summary>Creates an extractor.</summary>
    public SummaryExtractor(Minimiser minimiser, ExtractionOptions? options = null) => (_minimiser, _options) = (minimiser, options ?? new());

    /// <summary>Reads one encounter.</summary>
    /// <param name="file">The encounter and what belongs to it.</param>
    /// <param name="context">Patient's consent, what is known already, and the moment.</param>
    public Extraction Extract(EncounterFile file, ExtractionContext context)
    {
        var scratch = s_scratch ?? new ExtractionScratch();
        s_scratch = null;
        try
        {
            return new ExtractionRun(_minimiser, _options, file, context, scratch).Run();
        }
        finally
        {
            scratch.Clear();
            s_scratch = scratch;
        }
    }

    internal static bool TooFarAhead(in FhirDate date, DateTimeOffset now) => date.Earliest > now + ClockTolerance;
}

/// <summary>Lists that one extraction after another uses.</summary>
internal sealed class ExtractionScratch
{
    public EncounterScan Encounter { get; } = new();
    public List<RecordedCondition> Conditions { get; } = [];
    public List<(AllowedCode Code, bool Medication, string? SourceId)> Treatments { get; } = [];
    public List<AllowedCode> Denied { get; } = [];
    public List<SourceField> Sources { get; } = [];
    public SortedSet<string> Sensitive { get; } = new(StringComparer.Ordinal);

    public void Clear()
    {
        Conditions.Clear();
        Treatments.Clear();
        Denied.Clear();
        Sources.Clear();
        Sensitive.Clear();
    }
}
