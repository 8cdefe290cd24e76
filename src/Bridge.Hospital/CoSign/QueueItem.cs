using System.Diagnostics.CodeAnalysis;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>Something that waits for a doctor's signature, as it was read: a summary, or the taking back of one.</summary>
/// <param name="RowId">The summary's row.</param>
/// <param name="SummaryId">Its id.</param>
/// <param name="Holder">Whose queue it is in; null = nobody's.</param>
/// <param name="Waits">False where it was decided, or left the queue.</param>
/// <param name="Kind"><c>summary</c> or <c>retraction</c>, as the audit log calls it.</param>
internal abstract record QueueItem(long RowId, string SummaryId, string? Holder, bool Waits, string Kind)
{
    /// <summary>Ends the waiting with a doctor's no and its reason, provided that it is as it was read.</summary>
    public abstract Task<TransitionOutcome> DeclineAsync(Work work, string why, DateTimeOffset now);

    /// <summary>Puts it into other hands, provided that it is as it was read.</summary>
    /// <param name="work">The transaction.</param>
    /// <param name="change">Who has it next, and for whom.</param>
    /// <param name="keepsReason">Whether what it waits for stays said.</param>
    /// <param name="now">The moment.</param>
    public abstract Task<TransitionOutcome> HandAsync(Work work, SummaryChange change, bool keepsReason, DateTimeOffset now);

    /// <summary>Leaves it to the operators to name a doctor, provided that it is as it was read.</summary>
    public abstract Task<TransitionOutcome> ReleaseAsync(Work work, DateTimeOffset now);

    /// <summary>Why an operator may not put it into a doctor's queue; null = she may.</summary>
    public abstract Task<DecisionOutcome?> AssignRefusalAsync(Work work, DateTimeOffset now);
}

/// <summary>Finds, by the id of a summary, what waits about it: its signing, or its taking back.</summary>
internal delegate Task<QueueItem?> QueueFinder(Work work, string summaryId);

/// <summary>A summary to be signed.</summary>
internal sealed record SummaryInQueue(SummaryRow Row)
    : QueueItem(Row.RowId, Row.SummaryId, Row.DoctorLicence, Row.Status == SummaryStatus.AwaitingCoSign, "summary")
{
    public static readonly QueueFinder Finder = async (work, summaryId) => await FindAsync(work, summaryId);

    public static async Task<SummaryInQueue?> FindAsync(Work work, string summaryId) => await SummaryRows.BySummaryAsync(work, summaryId) is { } row ? new SummaryInQueue(row) : null;

    public override Task<TransitionOutcome> DeclineAsync(Work work, string why, DateTimeOffset now) => SummaryRows.MoveAsync(work, Row, SummaryStatus.Declined, why, now);

    public override Task<TransitionOutcome> HandAsync(Work work, SummaryChange change, bool keepsReason, DateTimeOffset now) => SummaryRows.MoveAsync(
        work, Row, SummaryStatus.AwaitingCoSign, keepsReason ? Row.Reason : null, now, change.Set("queued_at", Row.QueuedAt ?? now.ToUnixTimeMilliseconds()));

    public override Task<TransitionOutcome> ReleaseAsync(Work work, DateTimeOffset now) =>
        SummaryRows.MoveAsync(work, Row, SummaryStatus.Withheld, Reasons.NoDoctor, now, new SummaryChange().Set("doctor_licence", null));

    public override async Task<DecisionOutcome?> AssignRefusalAsync(Work work, DateTimeOffset now) =>
        Row.Payload is null || !(Waits || Row is { Status: SummaryStatus.Withheld, Reason: Reasons.NoDoctor }) ? DecisionOutcome.AlreadyDecided
        : await EnrolmentRows.LiveAsync(work, Row.PatientKey, now) is not { } enrolment || enrolment.EnrolmentId != Row.EnrolmentId ? DecisionOutcome.NoConsent
        : null;
}

/// <summary>The taking back of a summary.</summary>
internal sealed record RetractionInQueue(RetractionRow Row)
    : QueueItem(Row.RowId, Row.SummaryId, Row.DoctorLicence, Row.State == RetractionState.AwaitingCoSign, "retraction")
{
    public static readonly QueueFinder Finder = async (work, summaryId) => await FindAsync(work, summaryId);

    public static async Task<RetractionInQueue?> FindAsync(Work work, string summaryId) => await RetractionRows.OpenOfSummaryAsync(work, summaryId) is { } row ? new RetractionInQueue(row) : null;

    public override Task<TransitionOutcome> DeclineAsync(Work work, string why, DateTimeOffset now) => RetractionRows.MoveAsync(work, Row, RetractionState.Declined, why, now);

    // A signature that was given is of no use in other hands.
    public override Task<TransitionOutcome> HandAsync(Work work, SummaryChange change, bool keepsReason, DateTimeOffset now) => RetractionRows.MoveAsync(
        work, Row, RetractionState.AwaitingCoSign, keepsReason ? Row.LastCode : null, now, change.Set("input", null).Set("decision_id", null));

    public override Task<TransitionOutcome> ReleaseAsync(Work work, DateTimeOffset now) => HandAsync(work, new SummaryChange().Set("doctor_licence", null), keepsReason: false, now);

    public override Task<DecisionOutcome?> AssignRefusalAsync(Work work, DateTimeOffset now) =>
        Task.FromResult<DecisionOutcome?>(Waits || Row.State is RetractionState.Declined or RetractionState.Failed ? null : DecisionOutcome.AlreadyDecided);
}

/// <summary>What doctors and operators do alike with everything that waits, guarded once: it is the doctor's own, it still waits, and nobody was first.</summary>
internal static class QueueActs
{
    /// <summary>Whether a doctor may decide about it; else what she is told.</summary>
    public static bool MayDecide([NotNullWhen(true)] QueueItem? item, string licence, out DecisionOutcome refusal)
    {
        refusal = item is null || item.Holder != licence ? DecisionOutcome.NotFound : DecisionOutcome.AlreadyDecided;
        return item is { Waits: true } && item.Holder == licence;
    }

    /// <summary>A reason or a note as it is stored; null where it is empty or longer than 400 characters.</summary>
    public static string? Words(string? text) => text?.Trim() is { Length: > 0 and <= 400 } words ? words : null;

    /// <summary>Stores a doctor's no with its reason, within the caller's transaction.</summary>
    /// <param name="work">The transaction.</param>
    /// <param name="item">What she says no to; null = there is none.</param>
    /// <param name="decision">The kind of the decision.</param>
    /// <param name="why">The code that says it in the row.</param>
    /// <param name="actor">Who.</param>
    /// <param name="licence">The doctor's licence.</param>
    /// <param name="reason">1 to 400 characters of hers; null where the code says all.</param>
    /// <param name="now">The moment.</param>
    public static async Task<DecisionOutcome> DeclineAsync(
        Work work, QueueItem? item, string decision, string why, Actor actor, string licence, string? reason, DateTimeOffset now)
    {
        if (!MayDecide(item, licence, out var refusal))
            return refusal;
        if (await item.DeclineAsync(work, why, now) != TransitionOutcome.Done)
            return DecisionOutcome.AlreadyDecided;
        var id = await RecordAsync(work, item, decision, actor, licence, reason, now);
        await AuditLog.AppendAsync(work, actor, $"{item.Kind}.{(item is RetractionInQueue ? "decline" : decision)}", $"summary/{item.RowId}", new { decision = id }, now);
        return DecisionOutcome.Declined;
    }

    /// <summary>Puts something into the queue of a doctor who may sign now, within the caller's transaction.</summary>
    public static async Task<DecisionOutcome> AssignAsync(Work work, HospitalOptions hospital, QueueItem? item, Actor actor, string licence, DateTimeOffset now)
    {
        if (await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, licence, now) is null)
            return DecisionOutcome.DoctorUnknown;
        return item is null ? DecisionOutcome.NotFound : await PutAsync(work, item, actor, licence, now);
    }

    /// <summary>As <see cref="AssignAsync"/>, where it is known that the doctor may sign.</summary>
    public static async Task<DecisionOutcome> PutAsync(Work work, QueueItem item, Actor actor, string licence, DateTimeOffset now)
    {
        if (await item.AssignRefusalAsync(work, now) is { } refusal)
            return refusal;
        if (await item.HandAsync(work, new SummaryChange().Set("doctor_licence", licence), keepsReason: false, now) != TransitionOutcome.Done)
            return DecisionOutcome.AlreadyDecided;
        await AuditLog.AppendAsync(work, actor, $"{item.Kind}.assign", $"summary/{item.RowId}", new { licence }, now);
        return DecisionOutcome.Assigned;
    }

    /// <summary>Keeps what a doctor did with it, besides signing.</summary>
    public static Task<long> RecordAsync(Work work, QueueItem item, string kind, Actor actor, string licence, string? reason, DateTimeOffset now) =>
        CoSignRows.InsertDecisionAsync(work, new DecisionRow
        {
            RowId = item.RowId,
            SummaryId = item.SummaryId,
            Kind = kind,
            Person = actor.Person,
            Licence = licence,
            Reason = reason,
            DecidedAt = now.ToUnixTimeMilliseconds(),
        });
}
