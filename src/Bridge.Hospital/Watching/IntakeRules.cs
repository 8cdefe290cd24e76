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

    /// <summary>The source took it back before a doctor signed: the row stops counting as a finished encounter.</summary>
    Drop,

    /// <summary>Signed already: what the source says now waits until the ledger has answered.</summary>
    Later,
}

/// <summary>What to do, and what the row will say.</summary>
internal sealed record IntakeDecision(IntakeStep Step, SummaryStatus Status = SummaryStatus.Settling, string? Reason = null);

/// <summary>Pure decisions about an encounter that was read, given what is stored about it.</summary>
internal static class IntakeRules
{
    /// <summary>Decides. The caller has made sure that the patient has a live consent.</summary>
    /// <param name="extraction">What the reading gave.</param>
    /// <param name="current">The encounter's current row, or null.</param>
    /// <param name="licence">The doctor whose queue it goes to, or null where none could be told.</param>
    public static IntakeDecision Decide(Extraction extraction, SummaryRow? current, string? licence)
    {
        var (status, reason) = Target(extraction, licence);
        if (current is null)
            return status is { } first ? new(IntakeStep.Insert, first, reason) : new(IntakeStep.Nothing);

        switch (current.Status)
        {
            case SummaryStatus.CoSigned or SummaryStatus.Anchoring:
                return new(IntakeStep.Later);
            case SummaryStatus.Anchored:
                // A changed encounter gets a summary that supersedes the anchored one; what merely moved is left alone.
                return extraction.Outcome == ExtractionOutcome.Ready && current.ContentDigest != extraction.ContentDigest
                    ? new(IntakeStep.Insert, status!.Value, reason)
                    : new(IntakeStep.Nothing);
            case SummaryStatus.Withdrawn:
                return status is { } renewed ? new(IntakeStep.Insert, renewed, reason) : new(IntakeStep.Nothing);
            case SummaryStatus.Erased or SummaryStatus.Superseded or SummaryStatus.Retracted:
                return new(IntakeStep.Nothing);
            case SummaryStatus.Declined when extraction.ContentDigest == current.ContentDigest:
                return new(IntakeStep.Touch);
            case SummaryStatus.Failed when extraction.Outcome == ExtractionOutcome.Ready && extraction.ContentDigest == current.ContentDigest:
                // Its signature and its bytes still hold: an operator runs it again, the doctor has nothing new to sign.
                return new(IntakeStep.Touch);
            case SummaryStatus.AwaitingCoSign when extraction.Outcome == ExtractionOutcome.Ready && extraction.ContentDigest == current.ContentDigest:
                return new(IntakeStep.Touch);
            case SummaryStatus.AwaitingCoSign when extraction.Withheld is WithheldReason.NoDoctor && current.DoctorLicence is not null
                && extraction.ContentDigest == current.ContentDigest:
                return new(IntakeStep.Touch);
            default:
                break;
        }

        if (status is null)
            return new(IntakeStep.Drop, SummaryStatus.Withheld, extraction.Outcome == ExtractionOutcome.Void ? Reasons.SourceVoid : Reasons.Reopened);
        return status == current.Status && reason == current.Reason && extraction.ContentDigest == (current.ContentDigest ?? "")
            ? new(IntakeStep.Touch)
            : new(IntakeStep.Update, status.Value, reason);
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
}
