namespace Bridge.Hospital.Store;

/// <summary>Where a summary stands. Each finished encounter of an enrolled patient is in exactly one of these.</summary>
internal enum SummaryStatus
{
    /// <summary>Waits for coding to follow discharge.</summary>
    Settling,

    /// <summary>Not put before a doctor; the reason says why.</summary>
    Withheld,

    /// <summary>In a doctor's queue.</summary>
    AwaitingCoSign,

    /// <summary>A doctor said no.</summary>
    Declined,

    /// <summary>Signed by a doctor, on its way to the ledger.</summary>
    CoSigned,

    /// <summary>Handed to the ledger; the answer is awaited.</summary>
    Anchoring,

    /// <summary>On the ledger, with a receipt.</summary>
    Anchored,

    /// <summary>Replaced on the ledger by a newer summary.</summary>
    Superseded,

    /// <summary>Taken back by hospital and doctor.</summary>
    Retracted,

    /// <summary>Consent withdrawn; content wiped here.</summary>
    Withdrawn,

    /// <summary>Erased by the patient; content wiped here.</summary>
    Erased,

    /// <summary>An operator has to look; can be run again.</summary>
    Failed,
}

/// <summary>What became of a compare-and-set transition.</summary>
internal enum TransitionOutcome
{
    /// <summary>The row has the new status.</summary>
    Done,

    /// <summary>Another process or person was first: the row is no longer as it was read.</summary>
    Stale,

    /// <summary>There is no such row.</summary>
    NotFound,
}

/// <summary>Which transitions exist.</summary>
internal static class SummaryFlow
{
    /// <summary>Statuses whose content counts as said already about the patient.</summary>
    public static readonly IReadOnlyList<SummaryStatus> Live =
        [SummaryStatus.AwaitingCoSign, SummaryStatus.CoSigned, SummaryStatus.Anchoring, SummaryStatus.Anchored];

    /// <summary>Statuses that a changed encounter is read again in; later ones need a new summary.</summary>
    public static bool IsOpenToSource(SummaryStatus status) =>
        status is SummaryStatus.Settling or SummaryStatus.Withheld or SummaryStatus.AwaitingCoSign or SummaryStatus.Declined or SummaryStatus.Failed;

    /// <summary>True where a summary may go from one status to the other.</summary>
    public static bool Allows(SummaryStatus from, SummaryStatus to) => from switch
    {
        SummaryStatus.Settling => to is SummaryStatus.Settling or SummaryStatus.AwaitingCoSign or SummaryStatus.Withheld or SummaryStatus.Failed
            or SummaryStatus.Withdrawn,
        SummaryStatus.Withheld => to is SummaryStatus.Withheld or SummaryStatus.Settling or SummaryStatus.AwaitingCoSign or SummaryStatus.Failed
            or SummaryStatus.Withdrawn,
        SummaryStatus.AwaitingCoSign => to is SummaryStatus.AwaitingCoSign or SummaryStatus.CoSigned or SummaryStatus.Declined
            or SummaryStatus.Settling or SummaryStatus.Withheld or SummaryStatus.Failed or SummaryStatus.Withdrawn,
        SummaryStatus.Declined => to is SummaryStatus.Settling or SummaryStatus.AwaitingCoSign or SummaryStatus.Withheld or SummaryStatus.Failed
            or SummaryStatus.Withdrawn,
        SummaryStatus.CoSigned => to is SummaryStatus.Anchoring or SummaryStatus.AwaitingCoSign or SummaryStatus.Settling or SummaryStatus.Withheld
            or SummaryStatus.Failed or SummaryStatus.Withdrawn or SummaryStatus.Erased,
        SummaryStatus.Anchoring => to is SummaryStatus.Anchored or SummaryStatus.AwaitingCoSign or SummaryStatus.CoSigned or SummaryStatus.Failed
            or SummaryStatus.Withheld or SummaryStatus.Withdrawn or SummaryStatus.Erased,
        SummaryStatus.Anchored => to is SummaryStatus.Superseded or SummaryStatus.Retracted or SummaryStatus.Withdrawn or SummaryStatus.Erased,
        SummaryStatus.Failed => to is SummaryStatus.Failed or SummaryStatus.Settling or SummaryStatus.CoSigned or SummaryStatus.AwaitingCoSign
            or SummaryStatus.Withheld or SummaryStatus.Withdrawn,
        SummaryStatus.Superseded or SummaryStatus.Retracted or SummaryStatus.Erased => to is SummaryStatus.Withdrawn,
        _ => false,
    };
}

/// <summary>Reasons of the hospital's own, beside those that extraction names.</summary>
internal static class Reasons
{
    /// <summary>The consent ended before the summary left.</summary>
    public const string NoConsent = "NoConsent";

    /// <summary>Declined, in the doctor's own words.</summary>
    public const string Doctor = "Doctor";

    /// <summary>Of a sensitive category that the consent does not name, or marked as too sensitive by the doctor.</summary>
    public const string Sensitive = "Sensitive";

    /// <summary>No doctor could be told; an operator assigns one.</summary>
    public const string NoDoctor = "NoDoctor";

    /// <summary>The source took the encounter back or re-opened it: the row no longer counts as a finished encounter.</summary>
    public const string SourceVoid = "SourceVoid";

    /// <inheritdoc cref="SourceVoid"/>
    public const string Reopened = "Reopened";

    /// <summary>The source moved the encounter to another patient: what was said under the first counts for nothing, or has to be retracted.</summary>
    public const string PatientMoved = "PatientMoved";

    /// <summary>The patient's record was merged into another one's, or parted from it again: otherwise as <see cref="PatientMoved"/>.</summary>
    public const string PatientMerged = "PatientMerged";

    /// <summary>What the source says now may not leave, so what stands on the ledger has to go.</summary>
    public const string AmendmentWithheld = "AmendmentWithheld";

    /// <summary>The source says again what stands on the ledger: nothing is to be replaced.</summary>
    public const string AsAnchored = "AsAnchored";

    /// <summary>The patient erased what it was to replace: the encounter is not summarised again.</summary>
    public const string ErasedByPatient = "ErasedByPatient";

    /// <summary>The source said something else before the signed summary was on the ledger.</summary>
    public const string ContentChanged = "ContentChanged";
}
