using Bridge.Records;

namespace Bridge.Ledger;

/// <summary>Who the consortium is.</summary>
/// <param name="Portal">The portal's MSP id.</param>
/// <param name="AttestorName">Who may confirm doctors besides registrars.</param>
/// <param name="AttestorCertificate">Standard base64 of the DER.</param>
/// <param name="Hospitals">MSP ids.</param>
public sealed record ConsortiumReading(string Portal, string AttestorName, string AttestorCertificate, IReadOnlyList<string> Hospitals);

/// <summary>A hospital's record in force.</summary>
/// <param name="Record">Canonical JSON.</param>
/// <param name="Approvals">Compact JWS of the hospitals that approved it.</param>
public sealed record HospitalReading(string Record, IReadOnlyList<string> Approvals);

/// <summary>Where a doctor stands.</summary>
public enum DoctorStatus
{
    /// <summary>Waits for a registrar of another hospital, or the attestor.</summary>
    Pending,

    /// <summary>May sign.</summary>
    Active,

    /// <summary>Never again.</summary>
    Revoked,
}

/// <summary>A doctor's record.</summary>
/// <param name="Handle">Its key.</param>
/// <param name="Hospital">MSP id.</param>
/// <param name="Certificate">Standard base64 of the DER.</param>
/// <param name="Thumbprint">Base64url of the certificate's SHA-256.</param>
/// <param name="Name">As in the certificate.</param>
/// <param name="Licence">As the registrar checked it.</param>
/// <param name="NotBefore">The certificate's first second.</param>
/// <param name="NotAfter">The certificate's last second.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Statement">Compact JWS of the registrar.</param>
/// <param name="Confirmation">Compact JWS; null while pending.</param>
/// <param name="Revocation">Compact JWS; null unless revoked.</param>
/// <param name="StoredValue">The record byte for byte: what AnchorSummaries wants to be brought.</param>
public sealed record DoctorRecord(
    Handle Handle,
    string Hospital,
    string Certificate,
    string Thumbprint,
    string Name,
    string Licence,
    DateTimeOffset NotBefore,
    DateTimeOffset NotAfter,
    DoctorStatus Status,
    string Statement,
    string? Confirmation,
    string? Revocation,
    string StoredValue);

/// <summary>A part of a list.</summary>
/// <param name="Items">In the order of their keys; may be fewer than asked for though more follow.</param>
/// <param name="Next">What to give as <c>after</c> for the next part; null at the end.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, Handle? Next);

/// <summary>What a summary's key holds.</summary>
public enum SummaryState
{
    /// <summary>A body that the patient's index vouches for, under a live consent.</summary>
    Live,

    /// <summary>Nothing, and nothing was.</summary>
    NotFound,

    /// <summary>A tombstone.</summary>
    Erased,

    /// <summary>A body whose consent is withdrawn.</summary>
    Withdrawn,

    /// <summary>A body that the index does not vouch for.</summary>
    Forged,
}

/// <summary>An anchored summary.</summary>
/// <param name="Summary">The signed summary: JSON in UTF-8.</param>
/// <param name="Doctor">Record of the doctor who signed.</param>
/// <param name="Index">The patient's index.</param>
/// <param name="Consent">The consent that it stands under.</param>
public sealed record AnchoredSummary(ReadOnlyMemory<byte> Summary, Handle Doctor, Handle Index, Handle Consent);

/// <summary>One summary of several that were read.</summary>
/// <param name="Id">The summary.</param>
/// <param name="State">What its key holds.</param>
/// <param name="Content">Null unless live.</param>
public sealed record SummaryReading(SummaryId Id, SummaryState State, AnchoredSummary? Content);

/// <summary>A request in the mailbox.</summary>
/// <param name="Handle">Its key.</param>
/// <param name="Request">Null where the stored value is no request: someone overwrote it.</param>
public sealed record StoredEnrolment(Handle Handle, EnrolmentRequest? Request);

/// <summary>A patient as the ledger knows her.</summary>
/// <param name="Patient">Null after a withdrawal.</param>
/// <param name="Consent">Null after a withdrawal.</param>
/// <param name="Withdrawn">Whether the consent's tombstone stands.</param>
/// <param name="Index">The index.</param>
/// <param name="Entries">Her summaries.</param>
public sealed record PatientReading(
    StoredPatient? Patient, StoredConsent? Consent, bool Withdrawn, Handle Index, IReadOnlyList<PatientEntry> Entries);

/// <summary>A patient's own record.</summary>
/// <param name="Handle">Its key.</param>
/// <param name="Pseudonym">From the public key.</param>
/// <param name="Certificate">Standard base64 of the DER.</param>
public sealed record StoredPatient(Handle Handle, Pseudonym Pseudonym, string Certificate);

/// <summary>A consent.</summary>
/// <param name="Handle">Its key.</param>
/// <param name="Jws">Compact JWS of the patient.</param>
/// <param name="Expires">Its last day.</param>
public sealed record StoredConsent(Handle Handle, string Jws, DateOnly Expires);

/// <summary>A summary as the index lists it.</summary>
/// <param name="Id">The summary.</param>
/// <param name="State">Live, Erased or Forged.</param>
public sealed record PatientEntry(SummaryId Id, SummaryState State);

/// <summary>What an event is about.</summary>
public enum EventSubject
{
    /// <summary>A request in the mailbox.</summary>
    Request,

    /// <summary>A patient.</summary>
    Patient,

    /// <summary>A consent; the handle is the patient's index.</summary>
    Consent,

    /// <summary>A summary; the handle is its id.</summary>
    Summary,
}

/// <summary>What happened.</summary>
public enum EventStatus
{
    /// <summary>A request was put into the mailbox.</summary>
    Requested,

    /// <summary>A patient was enrolled.</summary>
    Enrolled,

    /// <summary>A summary was anchored.</summary>
    Anchored,

    /// <summary>A summary was replaced.</summary>
    Superseded,

    /// <summary>A summary was retracted by doctor and bridge.</summary>
    Retracted,

    /// <summary>A summary was erased by its patient.</summary>
    Erased,

    /// <summary>A consent was withdrawn.</summary>
    Withdrawn,
}

/// <summary>What a member learns of a one-time event id.</summary>
/// <param name="Event">The event id.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Handle">Its key.</param>
/// <param name="Status">What happened.</param>
public sealed record RecordEvent(Handle Event, EventSubject Subject, Handle Handle, EventStatus Status);

/// <summary>What the channel's members and orderers see of a transaction.</summary>
/// <param name="Event">One-time event id; who is a member asks <see cref="SummaryLedger.ReadEventsAsync"/> what it means.</param>
/// <param name="Status">What happened.</param>
public sealed record RecordNotice(Handle Event, EventStatus Status);

/// <summary>The notices of one transaction.</summary>
/// <param name="Checkpoint">The place behind it: store it together with what the notices caused.</param>
/// <param name="TransactionId">The transaction.</param>
/// <param name="BlockNumber">Its block.</param>
/// <param name="Notices">In the order of the transaction's items.</param>
public sealed record RecordNotices(Checkpoint Checkpoint, string TransactionId, ulong BlockNumber, IReadOnlyList<RecordNotice> Notices)
{
    /// <summary>True where the transaction's notices are not of the form that this version knows; the list is empty then.</summary>
    public bool Unreadable { get; init; }
}
