namespace Bridge.Records;

/// <summary>How a reader who trusts only CA digests judges a record. The first that applies is the answer.</summary>
public enum RecordOutcome
{
    /// <summary>Signed by a doctor of the hospital and by its bridge, for this patient; the doctor was not revoked when the list was made, and the list is fresh.</summary>
    Valid,

    /// <summary>The signed summary does not hold together: see <see cref="RecordVerdict.Signature"/>.</summary>
    Forged,

    /// <summary>It is about another patient.</summary>
    NotThisPatient,

    /// <summary>The summary names another hospital than the record beside it.</summary>
    WrongHospital,

    /// <summary>The reader's own hospital's CA certificates are not those it trusts, nor signed by them.</summary>
    UntrustedCa,

    /// <summary>A hospital record whose registrar, status key or patient CA its own CA did not issue.</summary>
    UntrustedHospital,

    /// <summary>Another hospital, and the reader's own has not approved this record of it.</summary>
    HospitalNotApproved,

    /// <summary>The bridge that signed is none of the hospital's.</summary>
    BridgeNotOfHospital,

    /// <summary>The doctor's certificate was not issued by the hospital.</summary>
    DoctorNotOfHospital,

    /// <summary>No registrar of the hospital stands behind the doctor.</summary>
    DoctorNotVouched,

    /// <summary>Nobody outside the hospital confirmed the doctor.</summary>
    DoctorNotConfirmed,

    /// <summary>The doctor was revoked.</summary>
    DoctorRevoked,

    /// <summary>All else is good, but there is no fresh status list: whether the doctor was revoked since is not known. Never show this as valid.</summary>
    FreshnessUnknown,
}

/// <summary>Whom the reader trusts: its own hospital, by the digests printed with its enrolment code.</summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="CaDigests">Digests of its CA certificates.</param>
public sealed record TrustAnchor(string Hospital, CaDigests CaDigests);

/// <summary>The answer, and what a page may show beside it.</summary>
public sealed record RecordVerdict
{
    /// <summary>The answer.</summary>
    public required RecordOutcome Outcome { get; init; }

    /// <summary>How the signatures were judged; not <see cref="VerificationOutcome.Valid"/> only where <see cref="RecordOutcome.Forged"/>.</summary>
    public required VerificationOutcome Signature { get; init; }

    /// <summary>The part at fault in a forged one; never a value.</summary>
    public string? Where { get; init; }

    /// <summary>The summary; null where forged. Show it only beside the outcome.</summary>
    public MinimalSummary? Summary { get; init; }

    /// <summary>The doctor's real name by her certificate; null unless the hospital issued it.</summary>
    public string? DoctorName { get; init; }

    /// <summary>Her licence number as the registrar stated it; null unless vouched.</summary>
    public string? Licence { get; init; }

    /// <summary>The register in which the registrar looked; null unless vouched.</summary>
    public string? Registry { get; init; }

    /// <summary>First moment of the doctor's certificate.</summary>
    public DateTimeOffset? DoctorFrom { get; init; }

    /// <summary>Last moment of the doctor's certificate. That it is past does not matter here: the ledger judged it when the record was anchored.</summary>
    public DateTimeOffset? DoctorTo { get; init; }

    /// <summary>Name of the person of the hospital who vouched for the doctor.</summary>
    public string? VouchedBy { get; init; }

    /// <summary>True where that is the hospital's registrar of today.</summary>
    public bool VouchedByRegistrarOfToday { get; init; }

    /// <summary>Name in the certificate of the one outside the hospital who confirmed.</summary>
    public string? ConfirmedBy { get; init; }

    /// <summary>The hospital's name, as its record says it; null unless its record is trusted.</summary>
    public string? HospitalName { get; init; }

    /// <summary>When the status list was made; null where none was good.</summary>
    public DateTimeOffset? StatusFrom { get; init; }

    /// <summary>When it ends.</summary>
    public DateTimeOffset? StatusTo { get; init; }
}
