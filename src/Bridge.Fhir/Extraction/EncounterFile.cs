namespace Bridge.Fhir.Extraction;

/// <summary>
/// All that one encounter's summary is read from: the encounter, its patient, its children and the people who took part. Resources of
/// other encounters or patients among them do no harm: what counts is what the references say.
/// </summary>
public sealed class EncounterFile
{
    /// <summary>The encounter.</summary>
    public required FhirResource Encounter { get; init; }

    /// <summary>The patient; null where it could not be read.</summary>
    public FhirResource? Patient { get; init; }

    /// <summary>The record in use for that patient, where the encounter's was merged away (<c>Patient.link</c>); else null.</summary>
    public FhirResource? Survivor { get; init; }

    /// <summary>Conditions of the encounter, and those its <c>diagnosis</c> names.</summary>
    public IReadOnlyList<FhirResource> Conditions { get; init; } = [];

    /// <summary>Procedures of the encounter.</summary>
    public IReadOnlyList<FhirResource> Procedures { get; init; } = [];

    /// <summary>Medication requests of the encounter.</summary>
    public IReadOnlyList<FhirResource> MedicationRequests { get; init; } = [];

    /// <summary>Medications that the requests name by reference.</summary>
    public IReadOnlyList<FhirResource> Medications { get; init; } = [];

    /// <summary>Practitioners who took part.</summary>
    public IReadOnlyList<FhirResource> Practitioners { get; init; } = [];

    /// <summary>Practitioner roles that took part.</summary>
    public IReadOnlyList<FhirResource> PractitionerRoles { get; init; } = [];

    /// <summary>What was read of the encounter when it was come across; null where it is still to be read.</summary>
    internal EncounterScan? Scan { get; init; }

    /// <summary>More patients to resolve the subject in.</summary>
    internal ResourceSet Patients { get; init; } = ResourceSet.None;

    /// <summary>More conditions to resolve the encounter's <c>diagnosis</c> in.</summary>
    internal ResourceSet DiagnosisConditions { get; init; } = ResourceSet.None;
}
