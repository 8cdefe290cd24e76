using Bridge.Fhir.Extraction;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>What to do with one reading of one encounter.</summary>
internal enum IntakeStep
{
    /// <summary>Nothing: the row stands as it should, or there is nothing to store.</summary>
    Nothing,

    /// <summary>Same content: remember the version that was read and when to read again.</summary>
    Touch,

    /// <summary>A first row, or a next generation of an encounter whose earlier summary stands on the ledger.</summary>
    Insert,

    /// <summary>The row that is there changes.</summary>
    Update,

    /// <summary>The source says again what stands on the ledger: the row that was to replace it is dropped.</summary>
    Restore,

    /// <summary>On its way to the ledger: read again once the ledger has answered.</summary>
    Later,
}

/// <summary>What to do, and what the row will say.</summary>
/// <param name="Step">What to do.</param>
/// <param name="Status">Of the row, where one is inserted or updated.</param>
/// <param name="Reason">Of that status.</param>
/// <param name="TakesBack">True where what stands on the ledger must go and nothing may take its place.</param>
internal sealed record IntakeDecision(IntakeStep Step, SummaryStatus Status = SummaryStatus.Settling, string? Reason = null, bool TakesBack = false);

/// <summary>Pure decisions about a finished encounter that was read, given what is stored about it.</summary>
internal static class IntakeRules
{
    /// <summary>Decides. The caller has made sure that the encounter is finished and the patient has a live consent.</summary>
    /// <param name="extraction">What the reading gave.</param>
    /// <param name="current">The encounter's current row, or null.</param>
    /// <param name="standing">An older summary of the same encounter that stands on the ledger until <paramref name="current"/> replaces it, or null.</param>
    /// <param name="licence">The doctor whose queue it goes to, or null where none could be told.</param>
    public static IntakeDecision Decide(Extraction extraction, SummaryRow? current, SummaryRow? standing, string? licence)
    {
        var (target, reason) = Target(extraction, licence);
        if (target is not { } status)
            return new(IntakeStep.Nothing);
        if (current is null)
            return new(IntakeStep.Insert, status, reason);
        var says = Says(extraction);
        if (standing is not null && says is not null && says == standing.ContentDigest && IsBeforeLedger(current.Status))
            return new(IntakeStep.Restore);
        var unchanged = says is not null && says == current.ContentDigest;
        var takesBack = extraction.Outcome == ExtractionOutcome.Withheld && says is null;

        switch (current.Status)
        {
            case SummaryStatus.CoSigned:
                // A signature outlives what says nothing about the content; anything else voids it.
                return unchanged || extraction.Outcome is ExtractionOutcome.Settling or ExtractionOutcome.SetAside || extraction.Withheld == WithheldReason.NothingNew
                    ? new(IntakeStep.Touch)
                    : new(IntakeStep.Update, status, reason, takesBack && standing is not null);
            case SummaryStatus.Anchoring:
                return unchanged ? new(IntakeStep.Touch) : new(IntakeStep.Later);
            case SummaryStatus.Anchored:
                // A changed encounter gets a summary that supersedes the anchored one; what merely moved is left alone.
                return unchanged || extraction.Outcome is ExtractionOutcome.Settling or ExtractionOutcome.SetAside
                    ? new(IntakeStep.Touch)
                    : new(IntakeStep.Insert, status, reason, takesBack);
            case SummaryStatus.Withdrawn:
                return new(IntakeStep.Insert, status, reason);
            case SummaryStatus.Erased or SummaryStatus.Superseded or SummaryStatus.Retracted:
                return new(IntakeStep.Nothing);
            case SummaryStatus.Declined when unchanged:
                return new(IntakeStep.Touch);
            case SummaryStatus.Failed when unchanged && extraction.Outcome == ExtractionOutcome.Ready:
                // Its signature and its bytes still hold: an operator runs it again, the doctor has nothing new to sign.
                return new(IntakeStep.Touch);
            case SummaryStatus.AwaitingCoSign when unchanged && (extraction.Outcome == ExtractionOutcome.Ready || current.DoctorLicence is not null):
                return new(IntakeStep.Touch);
            default:
                return status == current.Status && reason == current.Reason && extraction.ContentDigest == (current.ContentDigest ?? "")
                    ? new(IntakeStep.Touch)
                    : new(IntakeStep.Update, status, reason, takesBack && standing is not null);
        }
    }

    private static (SummaryStatus? Status, string? Reason) Target(Extraction extraction, string? licence) => extraction.Outcome switch
    {
        ExtractionOutcome.Ready => licence is null ? (SummaryStatus.Withheld, Reasons.NoDoctor) : (SummaryStatus.AwaitingCoSign, null),
        ExtractionOutcome.Settling => (SummaryStatus.Settling, null),
        // An operator's assignment outlives the reading that found no doctor.
        ExtractionOutcome.Withheld when extraction.Withheld == WithheldReason.NoDoctor && licence is not null => (SummaryStatus.AwaitingCoSign, null),
        ExtractionOutcome.Withheld => (SummaryStatus.Withheld, extraction.Withheld.ToString()),
        ExtractionOutcome.SetAside => (SummaryStatus.Failed, $"SetAside({extraction.SetAside})"),
        _ => (null, null),
    };

    // The digest of what would be put before a doctor; null where nothing would.
    private static string? Says(Extraction extraction) =>
        extraction.Outcome == ExtractionOutcome.Ready || extraction.Withheld is WithheldReason.NoDoctor ? extraction.ContentDigest : null;

    private static bool IsBeforeLedger(SummaryStatus status) => status == SummaryStatus.CoSigned || SummaryFlow.IsOpenToSource(status);
}
