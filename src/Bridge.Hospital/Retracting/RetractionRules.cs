using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>What the ledger's answer to a retraction means.</summary>
internal enum RetractionStep
{
    /// <summary>A tombstone stands where the summary was.</summary>
    Done,

    /// <summary>The doctor's record has changed: read it again and retry.</summary>
    DoctorStale,

    /// <summary>The signature no longer counts: another doctor has to sign.</summary>
    AnotherDoctor,

    /// <summary>The patient withdrew: nothing is left to take back.</summary>
    Gone,

    /// <summary>Passing trouble of the ledger: the same bytes again, later.</summary>
    Retry,

    /// <summary>The bridge has another certificate now, or a handle is taken: its own part is made anew.</summary>
    MakeAnew,

    /// <summary>An operator has to look.</summary>
    Failed,
}

/// <summary>Pure decisions about taking back.</summary>
internal static class RetractionRules
{
    /// <summary>What a refusal of the contract asks for.</summary>
    public static RetractionStep Judge(string code) => code switch
    {
        "ERASED" => RetractionStep.Done,
        "DOCTOR_STALE" => RetractionStep.DoctorStale,
        "DOCTOR_UNKNOWN" or "DOCTOR_MISMATCH" or "DOCTOR_OF_OTHER_HOSPITAL" or "DOCTOR_PENDING" or "DOCTOR_REVOKED" or "DOCTOR_EXPIRED" => RetractionStep.AnotherDoctor,
        "BRIDGE_NOT_CREATOR" or "HANDLE_IN_USE" => RetractionStep.MakeAnew,
        "CLOCK_SKEW" or "NOT_INITIALISED" or "NOT_BRIDGE" or "NOT_MEMBER" or "UNKNOWN_HOSPITAL" => RetractionStep.Retry,
        _ => RetractionStep.Failed,
    };

    /// <summary>What stands under a summary's id says about a retraction whose transaction's fate is not known.</summary>
    public static RetractionStep JudgeFound(SummaryState found) => found switch
    {
        SummaryState.Erased => RetractionStep.Done,
        SummaryState.Live => RetractionStep.Retry,
        SummaryState.Withdrawn or SummaryState.NotFound => RetractionStep.Gone,
        _ => RetractionStep.Failed,
    };

    /// <summary>
    /// What is said to the ledger about a summary that must not stand any longer; null where nothing is taken back: the encounter is merely open again, or
    /// the consent's own end takes the summary along.
    /// </summary>
    public static RetractionReason? ReasonOf(string? leaving) => leaving switch
    {
        Reasons.SourceVoid or Reasons.AmendmentWithheld => RetractionReason.EnteredInError,
        Reasons.PatientMoved => RetractionReason.WrongPatient,
        Reasons.PatientMerged => RetractionReason.Merged,
        _ => null,
    };

    /// <summary>True where a retraction may go from one state to the other.</summary>
    public static bool Allows(RetractionState from, RetractionState to) => from switch
    {
        RetractionState.AwaitingCoSign or RetractionState.Declined =>
            to is RetractionState.AwaitingCoSign or RetractionState.Declined or RetractionState.CoSigned or RetractionState.Done or RetractionState.Void,
        RetractionState.CoSigned => to is RetractionState.Sent or RetractionState.AwaitingCoSign or RetractionState.Done or RetractionState.Void,
        RetractionState.Sent => to is RetractionState.CoSigned or RetractionState.AwaitingCoSign or RetractionState.Done or RetractionState.Void or RetractionState.Failed,
        RetractionState.Failed => to is RetractionState.AwaitingCoSign or RetractionState.Done or RetractionState.Void,
        _ => false,
    };
}
