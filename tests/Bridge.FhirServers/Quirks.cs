namespace Bridge.FhirServers;

/// <summary>What a server does with a search parameter that it does not know.</summary>
public enum UnknownParameter
{
    /// <summary>Answers as if it were not there: the result is too wide (Azure without <c>Prefer: handling=strict</c>, fhir-candle).</summary>
    Ignored,

    /// <summary>400 (Medplum; Azure with <c>Prefer: handling=strict</c>).</summary>
    Refused,
}

/// <summary>What stands in <c>Bundle.total</c>.</summary>
public enum Total
{
    /// <summary>The count of matches.</summary>
    Exact,

    /// <summary>Nothing, unless <c>_total=accurate</c> is asked for (Medplum).</summary>
    Absent,

    /// <summary>An estimate that is wrong (Google).</summary>
    Estimate,
}

/// <summary>How <c>meta.lastUpdated</c> is written.</summary>
public enum Stamp
{
    /// <summary><c>…:05.678Z</c>.</summary>
    Milliseconds,

    /// <summary><c>…:05.6780000+00:00</c> (fhir-candle, Azure).</summary>
    SevenDigits,

    /// <summary><c>…:05Z</c>.</summary>
    Seconds,
}

/// <summary>
/// The switches of a <see cref="QuirkServer"/>. Each is something that a real server was seen to do; all off, it is a plain R4 server. They may be
/// thrown while it runs.
/// </summary>
public sealed class Quirks
{
    /// <summary>A posted transaction's rows are stamped at once and become visible this much later, when its answer goes out. Default zero.</summary>
    public TimeSpan CommitDelay { get; set; }

    /// <summary>An identical search is answered from a cache for so long, unless the request says <c>Cache-Control: no-cache</c> (HAPI: 60 s). Default zero.</summary>
    public TimeSpan SearchCache { get; set; }

    /// <summary>Page links older than this give 410 (HAPI). Default null: they hold.</summary>
    public TimeSpan? LinksExpireAfter { get; set; }

    /// <summary>So many page links give 410 before one works again. Default 0.</summary>
    public int LinksToExpire { get; set; }

    /// <summary>
    /// The next link is an offset into what matches when it is followed, not into what matched at first (Medplum). A row that changes meanwhile
    /// moves those behind it forward. Default false: the result is held as it was.
    /// </summary>
    public bool PagesByOffset { get; set; }

    /// <summary>Parameters that this server does not know, besides those that no server knows: <c>_lastUpdated</c>, <c>_revinclude</c>, … Default none.</summary>
    public HashSet<string> Unknown { get; } = new(StringComparer.Ordinal);

    /// <summary>What it does with them. Default refused. <c>Prefer: handling=strict</c> always has them refused.</summary>
    public UnknownParameter OnUnknown { get; set; } = UnknownParameter.Refused;

    /// <summary><c>_count</c> has no effect (fhir-candle). Default false.</summary>
    public bool IgnoresCount { get; set; }

    /// <summary><c>_sort</c> has no effect, and rows come as they were first made (fhir-candle, Millennium). Default false.</summary>
    public bool IgnoresSort { get; set; }

    /// <summary>Rows of a page where <c>_count</c> is absent or has no effect. Default 50.</summary>
    public int PageSize { get; set; } = 50;

    /// <summary>Largest page (Azure: 1000). Default 1000.</summary>
    public int MaxPageSize { get; set; } = 1000;

    /// <summary>A value with commas is taken as one value: the server has no OR-lists. Default false.</summary>
    public bool NoAlternatives { get; set; }

    /// <summary>Default exact.</summary>
    public Total Total { get; set; }

    /// <summary>Default milliseconds.</summary>
    public Stamp Stamp { get; set; }

    /// <summary><c>gt</c> with a moment to the second leaves out that whole second (one server) or takes it in (another). Default false.</summary>
    public bool GreaterTakesWholeSecondIn { get; set; }

    /// <summary>
    /// Encounter and its children can only be searched with <c>_id</c>, <c>patient</c>, <c>subject</c>, <c>account</c> or <c>identifier</c>; anything
    /// else is 400 (Oracle Health Millennium). Default false.
    /// </summary>
    public bool PatientScoped { get; set; }

    /// <summary>Reading a deleted resource gives 410 (Medplum); else 404. Default false.</summary>
    public bool DeletedIsGone { get; set; }

    /// <summary>The bearer token that requests must bring; others get 401. Default null: none asked for. <c>/token</c> hands it out.</summary>
    public string? Token { get; set; }

    /// <summary>Resource types that the granted scope does not cover: 403. Default none.</summary>
    public HashSet<string> OutOfScope { get; } = new(StringComparer.Ordinal);

    /// <summary>The origin that page links carry (a server behind a proxy that does not know its own name). Default null: its own.</summary>
    public Uri? LinkOrigin { get; set; }

    /// <summary>Content type of every answer. Default <c>application/fhir+json</c>.</summary>
    public string ContentType { get; set; } = "application/fhir+json";

    /// <summary>How long every answer takes. Default zero.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>It has R4 rest-hook subscriptions. Default false.</summary>
    public bool TakesSubscriptions { get; set; }

    /// <summary>Subscriptions may name a topic of the R5 backport, and answer <c>$status</c> and <c>$events</c>. Default false.</summary>
    public bool TakesTopics { get; set; }

    /// <summary>After so many notifications a subscription sends no more, and says that it is active all the same (HAPI under load). Default: never.</summary>
    public int NotificationsUntilSilent { get; set; } = int.MaxValue;

    /// <summary>A notification that finds nobody puts its subscription into <c>error</c>; else it is dropped (HAPI, after a minute). Default false.</summary>
    public bool FailedDeliveryStops { get; set; }

    /// <summary>A create is answered with no more than where the resource is. Default false.</summary>
    public bool MinimalWriteAnswers { get; set; }

    /// <summary>It exports in bulk. Default false.</summary>
    public bool Exports { get; set; }

    /// <summary>The one group that may be exported. Default <c>g1</c>.</summary>
    public string ExportGroup { get; set; } = "g1";

    /// <summary>How often a job says that it is not done yet. Default 2.</summary>
    public int ExportLooks { get; set; } = 2;

    /// <summary>Jobs end in failure. Default false.</summary>
    public bool ExportFails { get; set; }

    /// <summary>So many files break off in their middle when they are read. Default 0.</summary>
    public int FilesToCut { get; set; }
}
