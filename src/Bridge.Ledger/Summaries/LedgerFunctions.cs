namespace Bridge.Ledger;

/// <summary>Functions that write: they are submitted.</summary>
internal enum UpdateFunction
{
    InitConsortium,
    ProposeHospital,
    ApproveHospital,
    ProposeDoctor,
    ConfirmDoctor,
    RevokeDoctor,
    PublishStatus,
    RequestEnrolment,
    EnrolPatient,
    DiscardRequests,
    AnchorSummaries,
    RetractSummary,
    EraseSummary,
    WithdrawConsent,
    SweepIndex,
}

/// <summary>
/// Functions that read: there is no way here to submit one. A submitted read would leave its answer in a block, for every member of the
/// channel, for ever.
/// </summary>
internal enum ReadFunction
{
    ReadConsortium,
    ReadHospital,
    ReadDoctor,
    ListDoctors,
    ReadStatus,
    ReadSummary,
    ReadSummaries,
    ListSummaries,
    ReadEnrolments,
    ReadPatient,
    ReadEvents,
}
