using Bridge.Records;

namespace Bridge.Ledger;

/// <summary>A doctor to be entered into the directory.</summary>
/// <param name="Doctor">The record's new handle.</param>
/// <param name="Certificate">Standard base64 of the DER.</param>
/// <param name="Statement">Compact JWS of the hospital's registrar.</param>
/// <param name="Salt">Of the record.</param>
/// <param name="LeafSalt">Of the entry by certificate.</param>
public sealed record DoctorProposalSubmission(Handle Doctor, string Certificate, string Statement, Salt Salt, Salt LeafSalt);

/// <summary>What makes a pending doctor active.</summary>
/// <param name="Doctor">The record.</param>
/// <param name="Confirmation">Compact JWS of another hospital's registrar or the attestor.</param>
/// <param name="Salt">Of the new record.</param>
public sealed record DoctorConfirmationSubmission(Handle Doctor, string Confirmation, Salt Salt);

/// <summary>What ends a doctor's certificate.</summary>
/// <param name="Doctor">The record.</param>
/// <param name="Revocation">Compact JWS of the hospital's registrar, the attestor, or the doctor's own key.</param>
/// <param name="Salt">Of the new record.</param>
public sealed record DoctorRevocationSubmission(Handle Doctor, string Revocation, Salt Salt);

/// <summary>A request on its way into the hospital's mailbox.</summary>
/// <param name="Request">The request's new handle.</param>
/// <param name="Content">What the browser sent.</param>
/// <param name="Salt">Of the request.</param>
/// <param name="CodeSalt">Of the code's new record.</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
public sealed record EnrolmentSubmission(Handle Request, EnrolmentRequest Content, Salt Salt, Salt CodeSalt, Handle Event, Salt EventSalt);

/// <summary>The hospital's answer to a request: the patient is enrolled.</summary>
/// <param name="Request">The request; it and all others of its code are purged.</param>
/// <param name="Certificate">Of the patient, standard base64 of the DER.</param>
/// <param name="Patient">New handle of the patient.</param>
/// <param name="Consent">New handle of the consent.</param>
/// <param name="Index">New handle of the patient's index.</param>
/// <param name="PatientSalt">Of the patient.</param>
/// <param name="ConsentSalt">Of the consent.</param>
/// <param name="IndexSalt">Of the index.</param>
/// <param name="CodeSalt">Of the code's new record.</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
public sealed record PatientEnrolment(
    Handle Request,
    string Certificate,
    Handle Patient,
    Handle Consent,
    Handle Index,
    Salt PatientSalt,
    Salt ConsentSalt,
    Salt IndexSalt,
    Salt CodeSalt,
    Handle Event,
    Salt EventSalt);

/// <summary>The end of a consent.</summary>
/// <param name="Index">The patient's index.</param>
/// <param name="Statement">Compact JWS of the patient; null where hospital or portal stop on their own (a written request, a lost phone).</param>
/// <param name="Event">One-time event id; each call needs a new one.</param>
/// <param name="EventSalt">Of the event's record.</param>
/// <param name="TombSalt">Of the tombstone.</param>
public sealed record ConsentWithdrawal(Handle Index, string? Statement, Handle Event, Salt EventSalt, Salt TombSalt);

/// <summary>The end of one summary by its patient's will.</summary>
/// <param name="Id">The summary.</param>
/// <param name="Statement">Compact JWS of the patient.</param>
/// <param name="Index">The patient's index, where the body was overwritten and cannot name it; else null.</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
/// <param name="TombSalt">Of the tombstone.</param>
public sealed record SummaryErasure(SummaryId Id, string Statement, Handle? Index, Handle Event, Salt EventSalt, Salt TombSalt);

/// <summary>The end of one summary by doctor and bridge.</summary>
/// <param name="Id">The summary.</param>
/// <param name="Document">The dual-signed retraction: JSON in UTF-8.</param>
/// <param name="Doctor">The doctor's record.</param>
/// <param name="DoctorValue">Its stored value, byte for byte (<see cref="DoctorRecord.StoredValue"/>).</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
/// <param name="TombSalt">Of the tombstone.</param>
public sealed record SummaryRetraction(
    SummaryId Id, ReadOnlyMemory<byte> Document, Handle Doctor, string DoctorValue, Handle Event, Salt EventSalt, Salt TombSalt);

/// <summary>A summary to be anchored. Everything in it is drawn once and stored before the first attempt.</summary>
/// <param name="Id">The summary's id, as in its payload.</param>
/// <param name="Summary">The signed summary: JSON in UTF-8, the same bytes at every attempt.</param>
/// <param name="Doctor">Record of the doctor who signed.</param>
/// <param name="Consent">The patient's consent.</param>
/// <param name="Salt">Of the body.</param>
/// <param name="Page">Handle of a new page, should the index be full.</param>
/// <param name="IndexSalt">Of the new index or page.</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
/// <param name="Supersession">Where the payload has <c>supersedes</c>; else null.</param>
public sealed record AnchorItem(
    SummaryId Id,
    ReadOnlyMemory<byte> Summary,
    Handle Doctor,
    Handle Consent,
    Salt Salt,
    Handle Page,
    Salt IndexSalt,
    Handle Event,
    Salt EventSalt,
    Supersession? Supersession = null);

/// <summary>What the end of a replaced summary needs.</summary>
/// <param name="TombSalt">Of its tombstone.</param>
/// <param name="Event">One-time event id.</param>
/// <param name="EventSalt">Of the event's record.</param>
public sealed record Supersession(Salt TombSalt, Handle Event, Salt EventSalt);
