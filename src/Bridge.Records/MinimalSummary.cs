namespace Bridge.Records;

/// <summary>How far a code was generalised for the rarity filter; <see cref="Code"/> is the code as the hospital recorded it.</summary>
public enum CodeLevel
{
    /// <summary>The recorded code.</summary>
    Code,

    /// <summary>ICD-10 three-character category, or the nearest such node of another hierarchy.</summary>
    Category,

    /// <summary>Block of categories, such as <c>E08-E13</c>.</summary>
    Block,

    /// <summary>Chapter, by its range, such as <c>E00-E89</c>.</summary>
    Chapter,
}

/// <summary>What a treatment is.</summary>
public enum TreatmentKind
{
    /// <summary>From a completed FHIR Procedure.</summary>
    Procedure,

    /// <summary>From an active or completed FHIR MedicationRequest with intent order.</summary>
    Medication,
}

/// <summary>A diagnosis: where the code comes from, the code, how far it was generalised, and its rank (1 = main diagnosis).</summary>
/// <param name="System">One of <see cref="CodeSystems"/>.</param>
/// <param name="Code">At most 32 characters.</param>
/// <param name="Level">Generalisation.</param>
/// <param name="Rank">1-based, dense, unique within a summary.</param>
public sealed record CodedConcept(string System, string Code, CodeLevel Level, int Rank);

/// <summary>A procedure or medication code.</summary>
/// <param name="System">One of <see cref="CodeSystems"/>.</param>
/// <param name="Code">At most 32 characters.</param>
/// <param name="Kind">Procedure or medication.</param>
public sealed record Treatment(string System, string Code, TreatmentKind Kind);

/// <summary>
/// The only thing that leaves a hospital (format version 1). The wire form is RFC 8785 canonical JSON with the members
/// <c>v id patient hospital period class conditions treatments ageBand sex disposition supersedes</c>; absent optional members are left out.
/// </summary>
public sealed record MinimalSummary
{
    /// <summary>Most diagnoses a summary may carry.</summary>
    public const int MaxConditions = 8;

    /// <summary>Most treatments a summary may carry.</summary>
    public const int MaxTreatments = 16;

    /// <summary>Reference; random.</summary>
    public required SummaryId Id { get; init; }

    /// <summary>Whose.</summary>
    public required Pseudonym Patient { get; init; }

    /// <summary>Fabric MSP id of the hospital that vouches.</summary>
    public required string Hospital { get; init; }

    /// <summary>End of the encounter: <c>YYYY-MM</c>, or generalised <c>YYYY-Qn</c> or <c>YYYY</c>.</summary>
    public required string Period { get; init; }

    /// <summary>v3 ActCode of the encounter: AMB, IMP, EMER, …</summary>
    public required string Class { get; init; }

    /// <summary>Diagnoses in rank order, 1 to <see cref="MaxConditions"/>.</summary>
    public required IReadOnlyList<CodedConcept> Conditions { get; init; }

    /// <summary>Treatments sorted by kind, system and code (ordinal), without doubles, 0 to <see cref="MaxTreatments"/>.</summary>
    public required IReadOnlyList<Treatment> Treatments { get; init; }

    /// <summary>Age at the encounter's end: <c>0-9</c> … <c>80-89</c>, <c>90+</c>, or generalised <c>0-19</c> … <c>60-79</c>, <c>80+</c>.</summary>
    public required string AgeBand { get; init; }

    /// <summary>FHIR administrative gender: male, female, other, unknown.</summary>
    public required string Sex { get; init; }

    /// <summary>Discharge disposition code, where known.</summary>
    public string? Disposition { get; init; }

    /// <summary>The summary that this one replaces.</summary>
    public SummaryId? Supersedes { get; init; }

    /// <summary>
    /// The canonical bytes, which both signatures cover. <see cref="InvalidOperationException"/> naming the member (never its value) where the summary
    /// breaks the schema: <see cref="SummarySchema"/> says so beforehand.
    /// </summary>
    public byte[] ToCanonicalJson() => SummaryJson.Write(this);

    /// <summary>Reads a summary that keeps the schema; otherwise null and the path of the first member at fault, such as <c>conditions[2].rank</c>.</summary>
    public static MinimalSummary? Read(System.Text.Json.JsonElement payload, out string? fault) => SummaryJson.Read(payload, out fault);

    /// <summary>As <see cref="Read(System.Text.Json.JsonElement, out string?)"/>, from bytes, which must be canonical.</summary>
    public static MinimalSummary? Read(ReadOnlyMemory<byte> canonicalJson, out string? fault) => SummaryJson.Read(canonicalJson, out fault);
}

/// <summary>The allow-list of code systems. What is not here never leaves.</summary>
public static class CodeSystems
{
    /// <summary>SNOMED CT.</summary>
    public const string Snomed = "http://snomed.info/sct";

    /// <summary>ICD-10 (WHO).</summary>
    public const string Icd10 = "http://hl7.org/fhir/sid/icd-10";

    /// <summary>ICD-10-CM (United States).</summary>
    public const string Icd10Cm = "http://hl7.org/fhir/sid/icd-10-cm";

    /// <summary>ICD-10-CN (China).</summary>
    public const string Icd10Cn = "http://hl7.org/fhir/sid/icd-10-cn";

    /// <summary>RxNorm, medications.</summary>
    public const string RxNorm = "http://www.nlm.nih.gov/research/umls/rxnorm";

    /// <summary>ATC, medications.</summary>
    public const string Atc = "http://www.whocc.no/atc";

    /// <summary>ICD-10-PCS, procedures.</summary>
    public const string Icd10Pcs = "http://hl7.org/fhir/sid/icd-10-pcs";

    /// <summary>ICD-9-CM procedures, still the base of procedure coding in many hospitals.</summary>
    public const string Icd9Cm = "http://hl7.org/fhir/sid/icd-9-cm";

    /// <summary>CPT, procedures.</summary>
    public const string Cpt = "http://www.ama-assn.org/go/cpt";

    /// <summary>Systems that a diagnosis may use.</summary>
    public static bool IsForConditions(string? system) => system is Snomed or Icd10 or Icd10Cm or Icd10Cn;

    /// <summary>Systems that a treatment of this kind may use.</summary>
    public static bool IsForTreatments(string? system, TreatmentKind kind) => kind switch
    {
        TreatmentKind.Procedure => system is Snomed or Icd10Pcs or Icd9Cm or Cpt,
        TreatmentKind.Medication => system is Snomed or RxNorm or Atc,
        _ => false,
    };
}
