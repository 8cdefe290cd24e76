using Bridge.Records;

namespace Bridge.Fhir.Extraction;

/// <summary>What the hospital knows about the patient and the moment when an encounter is judged. Time is passed in, never asked for.</summary>
public sealed record ExtractionContext
{
    /// <summary>The moment of judgement.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>When the hospital first saw the encounter finished; null = not known, the encounter's end counts.</summary>
    public DateTimeOffset? FinishedSince { get; init; }

    /// <summary>Sensitive categories that the live consent names, without the <c>sensitive:</c> prefix: <c>mental-health</c>, <c>hiv</c>, …</summary>
    public IReadOnlyCollection<string> ConsentedCategories { get; init; } = [];

    /// <summary>True where the live consent names the purpose <c>rare</c>.</summary>
    public bool RareConsented { get; init; }

    /// <summary>
    /// What the patient's live (queued, signed or anchored) summaries say, the one that this encounter would replace left out. Used for
    /// <see cref="WithheldReason.NothingNew"/>.
    /// </summary>
    public IReadOnlyCollection<KnownContent> Known { get; init; } = [];

    /// <summary>True where an operator has assigned a doctor: a missing one does not hold the encounter back.</summary>
    public bool DoctorAssigned { get; init; }
}

/// <summary>What one live summary already says.</summary>
/// <param name="Conditions">Its diagnoses.</param>
/// <param name="Treatments">Its treatments.</param>
public sealed record KnownContent(IReadOnlyList<CodedConcept> Conditions, IReadOnlyList<Treatment> Treatments);
