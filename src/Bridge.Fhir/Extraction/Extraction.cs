using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>What became of one encounter when it was read. Every input ends in exactly one of these.</summary>
public enum ExtractionOutcome
{
    /// <summary>The draft may be queued for co-signature.</summary>
    Ready,

    /// <summary>Finished, but coding may still follow: read the encounter again at <see cref="Extraction.ReadAgainAt"/>.</summary>
    Settling,

    /// <summary>Finished and readable, but it must not leave now: see <see cref="Extraction.Withheld"/>.</summary>
    Withheld,

    /// <summary>Planned, in progress, on leave, re-opened: nothing to do until it changes.</summary>
    NotFinished,

    /// <summary>The source declares it cancelled or entered in error: what was queued is dropped, what was anchored is retracted.</summary>
    Void,

    /// <summary>The input cannot be read as an encounter: see <see cref="Extraction.SetAside"/>.</summary>
    SetAside,
}

/// <summary>Why a finished encounter is held back.</summary>
public enum WithheldReason
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>No usable diagnosis when the longest wait of its class was over.</summary>
    NoCondition,

    /// <summary>The patient's live summaries already say everything it would say.</summary>
    NothingNew,

    /// <summary>No treating doctor could be told: an operator assigns one. The draft is complete.</summary>
    NoDoctor,

    /// <summary>No diagnosis is common enough, even generalised. Only the patient's consent to rare diagnoses lifts it.</summary>
    TooRare,

    /// <summary>It touches a sensitive category that the consent does not name: see <see cref="Extraction.SensitiveCategories"/>.</summary>
    Sensitive,
}

/// <summary>Why an input could not be read as an encounter.</summary>
public enum SetAsideReason
{
    /// <summary>It could.</summary>
    None,

    /// <summary>Not well-formed JSON, or a member has the wrong JSON type.</summary>
    Malformed,

    /// <summary>Nested deeper than <see cref="ResourceLimits.MaxDepth"/>.</summary>
    TooDeep,

    /// <summary>Larger than <see cref="ResourceLimits.MaxResourceBytes"/>.</summary>
    TooLarge,

    /// <summary>The resource is no Encounter.</summary>
    NotAnEncounter,

    /// <summary>The encounter has no id.</summary>
    NoId,

    /// <summary>The encounter's status is missing or none of FHIR R4's.</summary>
    UnknownStatus,

    /// <summary>The encounter names no patient, or one that cannot be resolved.</summary>
    NoSubject,

    /// <summary>The patient resource is not at hand or cannot be read.</summary>
    PatientUnreadable,

    /// <summary>The patient has no birth date, or one too vague for an age band.</summary>
    NoBirthDate,

    /// <summary>The encounter has no class, or one outside HL7 v3 ActCode that the configuration does not map.</summary>
    UnknownClass,

    /// <summary>The encounter has no end (outpatient classes: nor a start).</summary>
    NoPeriod,

    /// <summary>A date does not exist, the end lies before the start or the birth, or in the future.</summary>
    ImpossibleDate,

    /// <summary>References lead back to themselves.</summary>
    ReferenceLoop,
}

/// <summary>What reading one encounter gave: the outcome, the draft where there is one, and where each field came from.</summary>
public sealed record Extraction
{
    /// <summary>What became of it.</summary>
    public required ExtractionOutcome Outcome { get; init; }

    /// <summary>Set when <see cref="Outcome"/> is <see cref="ExtractionOutcome.Withheld"/>.</summary>
    public WithheldReason Withheld { get; init; }

    /// <summary>Set when <see cref="Outcome"/> is <see cref="ExtractionOutcome.SetAside"/>.</summary>
    public SetAsideReason SetAside { get; init; }

    /// <summary>Logical id of the encounter; empty only where the input had none.</summary>
    public string EncounterId { get; init; } = "";

    /// <summary><c>meta.versionId</c>, else <c>meta.lastUpdated</c>, else a digest of the bytes: equal exactly when the source did not change.</summary>
    public string EncounterVersion { get; init; } = "";

    /// <summary>Logical id of the patient (without <c>Patient/</c>), null where it could not be told.</summary>
    public string? PatientId { get; init; }

    /// <summary>The patient record that the encounter names, where it was merged into <see cref="PatientId"/>; else null.</summary>
    public string? MergedFrom { get; init; }

    /// <summary>
    /// What would leave. Present for <see cref="ExtractionOutcome.Ready"/>, <see cref="WithheldReason.NoDoctor"/> and
    /// <see cref="WithheldReason.NothingNew"/>; never for the sensitive, rare or unreadable.
    /// </summary>
    public SummaryDraft? Draft { get; init; }

    /// <summary>The treating doctors, best first; empty where none could be told. All stand at the same step (attending, else primary performer, …).</summary>
    public IReadOnlyList<DoctorReference> Doctors { get; init; } = [];

    /// <summary>For each field of the draft: where it came from and why it leaves. For the doctor's eyes; contains no text of the source.</summary>
    public IReadOnlyList<SourceField> Sources { get; init; } = [];

    /// <summary>The sensitive categories found (<c>mental-health</c>, …), whether consented or not; sorted, without doubles.</summary>
    public IReadOnlyList<string> SensitiveCategories { get; init; } = [];

    /// <summary>True where a diagnosis leaves only by the patient's consent to rare diagnoses.</summary>
    public bool ReleasesRare { get; init; }

    /// <summary>When to read the encounter and its children again; null where nothing is waited for.</summary>
    public DateTimeOffset? ReadAgainAt { get; init; }

    /// <summary>
    /// SHA-256 (lower-case hex) over all that the draft and its doctors say: unchanged exactly when a later reading would queue the same
    /// thing. Empty where there is no draft.
    /// </summary>
    public string ContentDigest { get; init; } = "";

    /// <summary>The named outcome as one word for rows and counters: <c>Ready</c>, <c>Withheld(TooRare)</c>, <c>SetAside(TooDeep)</c>, …</summary>
    public string Name => Outcome switch
    {
        ExtractionOutcome.Withheld => $"Withheld({Withheld})",
        ExtractionOutcome.SetAside => $"SetAside({SetAside})",
        _ => Outcome.ToString(),
    };
}

/// <summary>A <see cref="MinimalSummary"/> as far as the encounter decides it; the hospital adds id, pseudonym, its own name and what it supersedes.</summary>
public sealed record SummaryDraft
{
    /// <inheritdoc cref="MinimalSummary.Period"/>
    public required string Period { get; init; }

    /// <inheritdoc cref="MinimalSummary.Class"/>
    public required string Class { get; init; }

    /// <inheritdoc cref="MinimalSummary.Conditions"/>
    public required IReadOnlyList<CodedConcept> Conditions { get; init; }

    /// <inheritdoc cref="MinimalSummary.Treatments"/>
    public required IReadOnlyList<Treatment> Treatments { get; init; }

    /// <inheritdoc cref="MinimalSummary.AgeBand"/>
    public required string AgeBand { get; init; }

    /// <inheritdoc cref="MinimalSummary.Sex"/>
    public required string Sex { get; init; }

    /// <inheritdoc cref="MinimalSummary.Disposition"/>
    public string? Disposition { get; init; }

    /// <summary>The summary that leaves, once the hospital has added what the encounter does not know.</summary>
    public MinimalSummary ToSummary(SummaryId id, Pseudonym patient, string hospital, SummaryId? supersedes = null) => new()
    {
        Id = id,
        Patient = patient,
        Hospital = hospital,
        Period = Period,
        Class = Class,
        Conditions = Conditions,
        Treatments = Treatments,
        AgeBand = AgeBand,
        Sex = Sex,
        Disposition = Disposition,
        Supersedes = supersedes,
    };
}

/// <summary>How a treating doctor was told from an encounter's participants, in order of preference.</summary>
public enum DoctorRole
{
    /// <summary>Participant type ATND.</summary>
    Attending,

    /// <summary>Participant type PPRF.</summary>
    PrimaryPerformer,

    /// <summary>Participant type CON.</summary>
    Consultant,

    /// <summary>The only practitioner of the encounter.</summary>
    Sole,
}

/// <summary>A business identifier, such as a licence number under its register.</summary>
/// <param name="System">The register; null where the source gives none.</param>
/// <param name="Value">The number.</param>
public sealed record BusinessIdentifier(string? System, string Value);

/// <summary>A treating doctor, without a name.</summary>
/// <param name="PractitionerId">Logical id of the Practitioner; null where only identifiers are known (conditional references).</param>
/// <param name="Identifiers">Business identifiers of the practitioner, from the resource or from the reference itself.</param>
/// <param name="Role">How the doctor was told.</param>
public sealed record DoctorReference(string? PractitionerId, IReadOnlyList<BusinessIdentifier> Identifiers, DoctorRole Role);

/// <summary>What happened to a value on its way into the draft.</summary>
public enum FieldTreatment
{
    /// <summary>Leaves as recorded.</summary>
    AsRecorded,

    /// <summary>Leaves coarser than recorded (date to month, birth date to age band).</summary>
    Coarsened,

    /// <summary>Leaves as a wider code or band, because the recorded one is rare.</summary>
    GeneralisedForRarity,

    /// <summary>Leaves under a standard code of the same meaning.</summary>
    Mapped,

    /// <summary>Does not leave: too rare even at the widest node.</summary>
    DroppedAsRare,

    /// <summary>Does not leave: outside the allow-list of systems or forms.</summary>
    DroppedNotAllowed,

    /// <summary>Does not leave: the summary is full.</summary>
    DroppedOverCap,

    /// <summary>Does not leave: its status says that it is not so (refuted, not done, draft, …).</summary>
    DroppedByStatus,

    /// <summary>Leaves as recorded although rare, by the patient's consent to rare diagnoses.</summary>
    RareByConsent,
}

/// <summary>Where one field of the draft came from and why it leaves, for the doctor who signs.</summary>
/// <param name="Field">The draft's field: <c>period</c>, <c>class</c>, <c>conditions</c>, <c>treatments</c>, <c>ageBand</c>, <c>sex</c>, <c>disposition</c>.</param>
/// <param name="Path">The element it was read from: <c>Condition.code</c>, <c>Encounter.period.end</c>, …</param>
/// <param name="SourceId">Logical id of the resource it was read from; null for the encounter and the patient themselves.</param>
/// <param name="Treatment">What happened to it.</param>
/// <param name="Recorded">The recorded code, where the value is a code of an allowed form; never free text, never a date.</param>
/// <param name="Released">What leaves; null where nothing does.</param>
public sealed record SourceField(string Field, string Path, string? SourceId, FieldTreatment Treatment, string? Recorded, string? Released)
{
    /// <summary>Why a field of this name leaves (MinimalSummary's table of purposes).</summary>
    public string Why => Field switch
    {
        "period" => "recency",
        "class" => "kind of care",
        "conditions" or "treatments" or "ageBand" or "sex" => "to find a peer",
        "disposition" => "outcome",
        _ => "",
    };
}

/// <summary>Bounds on one resource; beyond them it is set aside with a named reason.</summary>
public static class ResourceLimits
{
    /// <summary>Deepest nesting read. R4 resources stay under 20.</summary>
    public const int MaxDepth = 64;

    /// <summary>Largest single resource read, in bytes: 16 MiB.</summary>
    public const int MaxResourceBytes = 16 * 1024 * 1024;
}
