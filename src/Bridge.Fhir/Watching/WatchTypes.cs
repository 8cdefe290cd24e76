using Bridge.Fhir.Extraction;

namespace Bridge.Fhir.Watching;

/// <summary>How changed encounters are found.</summary>
public enum WatchStrategy
{
    /// <summary><c>Encounter?_lastUpdated=ge…</c> across the server.</summary>
    LastUpdated,

    /// <summary><c>Encounter?patient=…</c> for each enrolled patient, for servers that refuse a search across patients.</summary>
    RosterSweep,

    /// <summary>As <see cref="LastUpdated"/>, woken by the server's notifications (R4 rest-hook, or a topic of the backport) besides.</summary>
    Subscription,

    /// <summary>Bulk <c>$export</c> of what changed since the last one.</summary>
    BulkExport,
}

/// <summary>How to watch.</summary>
public sealed record WatchOptions
{
    /// <summary>
    /// How long a change may become visible after the moment it is stamped with: transaction time-out plus clock drift. Default 5 minutes.
    /// The cursor never moves closer to now than this.
    /// </summary>
    public TimeSpan Overlap { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Encounters asked for per page. Default 200; servers may give fewer.</summary>
    public int PageSize { get; init; } = 200;

    /// <summary>Encounters whose children are asked for in one request (FHIR OR-list). Default 40; 1 for servers without OR-lists.</summary>
    public int ChildrenPerRequest { get; init; } = 40;

    /// <summary>
    /// For how many such requests' worth of encounters children are read side by side, over all pages under way. Default 3, which is at most 15 requests at once; a
    /// server that throttles is honoured whatever stands here.
    /// </summary>
    public int ChunksAtOnce { get; init; } = 3;

    /// <summary>How often a walk starts again from its cursor when a page link has expired, before the fault surfaces. Default 5.</summary>
    public int RestartsPerWalk { get; init; } = 5;
}

/// <summary>One encounter version that the watcher came across.</summary>
public sealed record EncounterSighting
{
    /// <summary>Logical id; empty only where the resource has none.</summary>
    public required string EncounterId { get; init; }

    /// <summary>As <see cref="Extraction.Extraction.EncounterVersion"/>.</summary>
    public required string Version { get; init; }

    /// <summary>Logical id of the patient; null where the subject is missing or no plain reference.</summary>
    public string? PatientId { get; init; }

    /// <summary>The encounter's status as written; null where missing.</summary>
    public string? Status { get; init; }

    /// <summary>When the server says that it changed last.</summary>
    public DateTimeOffset? LastUpdated { get; init; }

    /// <summary>Set where the resource cannot be read at all; the others are usable.</summary>
    public SetAsideReason Poison { get; init; }

    /// <summary>The encounter itself.</summary>
    public required FhirResource Resource { get; init; }

    /// <summary>What was read of it already; null where it has a fault.</summary>
    internal EncounterScan? Scan { get; init; }

    /// <summary>Reads what a watcher needs of an encounter; never throws.</summary>
    public static EncounterSighting Of(FhirResource resource) => SightingReader.Read(resource);

    /// <summary>The same, holding no more of the encounter than what is said here.</summary>
    public EncounterSighting WithoutResource() => this with { Resource = default, Scan = null };

    /// <summary>True for <c>status = finished</c>.</summary>
    public bool IsFinished => Status == "finished";
}

/// <summary>Some sightings and the cursor that covers them and all before.</summary>
/// <param name="Sightings">In the order in which each patient's are to be handled. May be empty.</param>
/// <param name="Next">To be stored in the same transaction as what the sightings lead to.</param>
/// <param name="EndsWalk">True on the last batch of a walk.</param>
public sealed record WatchBatch(IReadOnlyList<EncounterSighting> Sightings, Cursor Next, bool EndsWalk);
