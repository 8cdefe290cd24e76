namespace Bridge.Ledger;

/// <summary>Why the contract says no. In text the words are upper-case and joined by underscores.</summary>
public enum RefusalCode
{
    /// <summary>A code that this version does not know; its text is in the exception.</summary>
    Other,

    /// <summary>More than 64 KiB.</summary>
    TooLarge,

    /// <summary>Not UTF-8 JSON of the expected kind.</summary>
    Malformed,

    /// <summary>A member stands twice.</summary>
    DuplicateMember,

    /// <summary>A member is missing.</summary>
    MissingMember,

    /// <summary>A member does not belong there.</summary>
    UnknownMember,

    /// <summary>Not exactly two signatures.</summary>
    SignatureCount,

    /// <summary>A header outside the signature.</summary>
    UnprotectedHeader,

    /// <summary>A passkey signature where the hospital has not enabled them.</summary>
    ShapeNotEnabled,

    /// <summary>A protected header cannot be read.</summary>
    BadHeader,

    /// <summary>A header with crit or b64.</summary>
    CriticalHeader,

    /// <summary>A header member too many, missing, or of a wrong type.</summary>
    UnknownHeader,

    /// <summary>Another algorithm.</summary>
    WrongAlg,

    /// <summary>A signature of another kind.</summary>
    WrongTyp,

    /// <summary>Doctor and bridge are not in this order.</summary>
    WrongRole,

    /// <summary>Not exactly one readable P-256 certificate.</summary>
    BadCertificate,

    /// <summary>Not 64 bytes of a possible signature.</summary>
    SignatureForm,

    /// <summary>The higher of the two possible values of S.</summary>
    HighS,

    /// <summary>One key signed in both roles.</summary>
    SameKey,

    /// <summary>The payload cannot be read.</summary>
    BadPayload,

    /// <summary>The payload is not its RFC 8785 form.</summary>
    NotCanonical,

    /// <summary>The payload breaks its schema.</summary>
    Schema,

    /// <summary>A signature does not verify.</summary>
    BadSignature,

    /// <summary>A passkey signature of another form.</summary>
    WebauthnForm,

    /// <summary>A passkey signed something else.</summary>
    WebauthnChallenge,

    /// <summary>A passkey signed for another web site.</summary>
    WebauthnOrigin,

    /// <summary>A passkey signed without its user present and verified.</summary>
    WebauthnFlags,

    /// <summary>The consortium stands.</summary>
    AlreadyInitialised,

    /// <summary>An organisation's contract process holds no consortium.json.</summary>
    ConsortiumFileMissing,

    /// <summary>An organisation holds another consortium.json.</summary>
    ConsortiumDiffers,

    /// <summary>The hospital record breaks its rules.</summary>
    BadRecord,

    /// <summary>Not the next sequence number.</summary>
    WrongSeq,

    /// <summary>The portal organisation cannot become a hospital.</summary>
    PortalNotHospital,

    /// <summary>A new people CA that no old one issued.</summary>
    CaRollover,

    /// <summary>No such proposal.</summary>
    NotProposed,

    /// <summary>The approval is not for this record.</summary>
    BadApproval,

    /// <summary>Not signed by the registrar.</summary>
    NotRegistrar,

    /// <summary>This hospital has approved this record.</summary>
    AlreadyApproved,

    /// <summary>The registrar's statement breaks its rules.</summary>
    BadStatement,

    /// <summary>The doctor's certificate breaks its rules.</summary>
    BadDoctorCertificate,

    /// <summary>The handle holds a record.</summary>
    DoctorExists,

    /// <summary>The certificate has a record.</summary>
    LeafInUse,

    /// <summary>The doctor's key has another role.</summary>
    KeyInOtherRole,

    /// <summary>No such doctor.</summary>
    DoctorUnknown,

    /// <summary>The doctor does not wait for confirmation.</summary>
    NotPending,

    /// <summary>The confirmation is for something else.</summary>
    BadConfirmation,

    /// <summary>A hospital cannot confirm its own doctor.</summary>
    OwnConfirmation,

    /// <summary>Neither another hospital's registrar nor the attestor.</summary>
    NotConfirmer,

    /// <summary>Revoked already.</summary>
    AlreadyRevoked,

    /// <summary>The revocation is for something else.</summary>
    BadRevocation,

    /// <summary>This key cannot revoke this doctor.</summary>
    NotRevoker,

    /// <summary>The status list breaks its rules.</summary>
    BadStatus,

    /// <summary>No such hospital.</summary>
    UnknownHospital,

    /// <summary>No such thing.</summary>
    NotFound,

    /// <summary>The consent breaks its rules.</summary>
    BadConsent,

    /// <summary>The consent does not name the portal.</summary>
    ConsentRecipient,

    /// <summary>The consent has ended.</summary>
    ConsentExpired,

    /// <summary>The code was tried too often.</summary>
    TooManyRequests,

    /// <summary>The code was used.</summary>
    CodeSpent,

    /// <summary>A handle that holds something.</summary>
    HandleInUse,

    /// <summary>No such request.</summary>
    RequestUnknown,

    /// <summary>The patient's certificate breaks its rules.</summary>
    BadPatientCertificate,

    /// <summary>The certificate is for another key than the request.</summary>
    KeyMismatch,

    /// <summary>The erasure is not signed by this patient for this summary.</summary>
    BadErasure,

    /// <summary>The key policy of the body is not the expected one.</summary>
    Locked,

    /// <summary>No such index.</summary>
    IndexUnknown,

    /// <summary>The withdrawal is not signed by this patient for this consent.</summary>
    BadWithdrawal,

    /// <summary>The consent has not been withdrawn.</summary>
    NotWithdrawn,

    /// <summary>Retired: only its tombstone is left.</summary>
    Erased,

    /// <summary>Its consent is withdrawn.</summary>
    Withdrawn,

    /// <summary>The index does not vouch for the body.</summary>
    Forged,

    /// <summary>No item of the batch could be anchored.</summary>
    NoneAnchored,

    /// <summary>A summary of another hospital.</summary>
    WrongHospital,

    /// <summary>The bridge that signed is not the one that submits.</summary>
    BridgeNotCreator,

    /// <summary>The doctor's record changed: read it again.</summary>
    DoctorStale,

    /// <summary>Another doctor's record than the one who signed.</summary>
    DoctorMismatch,

    /// <summary>A doctor of another hospital.</summary>
    DoctorOfOtherHospital,

    /// <summary>The doctor is not confirmed.</summary>
    DoctorPending,

    /// <summary>The doctor's certificate is revoked.</summary>
    DoctorRevoked,

    /// <summary>The doctor's certificate is not in force.</summary>
    DoctorExpired,

    /// <summary>The period lies ahead.</summary>
    PeriodInFuture,

    /// <summary>No such consent.</summary>
    ConsentUnknown,

    /// <summary>The index does not vouch for the consent.</summary>
    ConsentForged,

    /// <summary>Another patient's consent.</summary>
    ConsentMismatch,

    /// <summary>The consent is withdrawn.</summary>
    ConsentWithdrawn,

    /// <summary>Two items of one patient in a batch.</summary>
    DuplicatePatient,

    /// <summary>The summary's id is anchored already.</summary>
    IdInUse,

    /// <summary>The summary's id was used and is retired.</summary>
    IdRetired,

    /// <summary>The replaced summary is not this patient's.</summary>
    SupersedesUnknown,

    /// <summary>The replaced summary is retired already.</summary>
    SupersedesRetired,

    /// <summary>The patient's index is full.</summary>
    IndexFull,

    /// <summary>The private input is not of the interface's form; the detail names the member.</summary>
    BadInput,

    /// <summary>The contract has no such function.</summary>
    UnknownFunction,

    /// <summary>InitConsortium has not run.</summary>
    NotInitialised,

    /// <summary>The creator is not a registered bridge of that hospital.</summary>
    NotBridge,

    /// <summary>The creator is not of the portal organisation.</summary>
    NotPortal,

    /// <summary>The transaction's time and an endorser's clock are over 15 minutes apart.</summary>
    ClockSkew,

    /// <summary>The creator's organisation is not a member.</summary>
    NotMember,

    /// <summary>The peer refused a read or write of the contract: no rule, perhaps a passing fault.</summary>
    LedgerError,

    /// <summary>A fault of the contract.</summary>
    Internal,
}
