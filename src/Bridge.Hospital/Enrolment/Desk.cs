using Bridge.Fhir.Client;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>What became of an act of the desk.</summary>
internal enum DeskOutcome
{
    Done,
    NotFound,

    /// <summary>The patient has an enrolment in force or under way.</summary>
    AlreadyEnrolled,

    /// <summary>A code is out for this patient: cancel or re-issue it.</summary>
    AlreadyOpen,

    /// <summary>The FHIR server knows no such patient.</summary>
    UnknownPatient,

    /// <summary>The FHIR server did not answer in time.</summary>
    SourceUnreachable,

    /// <summary>Recorded; it is done when what is under way on the ledger has come to its end.</summary>
    Waiting,

    /// <summary>The enrolment is not in a state in which that can be done.</summary>
    WrongState,

    /// <summary>The request lacks what it needs.</summary>
    BadRequest,
}

/// <summary>An opened enrolment; the code is in no table and cannot be shown again.</summary>
internal sealed record OpenedEnrolment(DeskOutcome Outcome, long EnrolmentId, EnrolmentTicket? Ticket, DateTimeOffset ExpiresAt);

/// <summary>What the enrolment desk does. Everything is durable when a method returns.</summary>
internal sealed class Desk(Database database, EnrolmentOptions options, HospitalOptions hospital, FhirClient fhir, EnrolmentSignals signals, TimeProvider clock)
{
    /// <summary>Why an enrolment ended whose code somebody else had used.</summary>
    public const string CodeMisused = "code misused";

    /// <summary>Why an enrolment ended that the patient asked to end.</summary>
    public const string WrittenRequest = "written request";

    private static readonly TimeSpan LookUpTime = TimeSpan.FromSeconds(10);

    /// <summary>The logical id in a reference (<c>Patient/17</c>) or id; null where it is neither.</summary>
    public static string? KeyOf(string? patient)
    {
        var key = patient?.Trim() ?? "";
        if (key.StartsWith("Patient/", StringComparison.Ordinal))
            key = key["Patient/".Length..];
        return key.Length is 0 or > 64 || !key.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') ? null : key;
    }

    /// <summary>Opens an enrolment for a patient of the FHIR server.</summary>
    public async Task<OpenedEnrolment> OpenAsync(Actor actor, string? patient, bool guardian, CancellationToken cancellationToken)
    {
        if (KeyOf(patient) is not { } key)
            return Refused(DeskOutcome.BadRequest);
        var known = await KnowsAsync(key, cancellationToken);
        if (known != DeskOutcome.Done)
            return Refused(known);
        return await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await EnrolmentRows.ActiveAsync(work, key) is { } active)
            {
                var lapsed = active.State == EnrolmentState.Enrolled && active.ConsentUntil <= now.ToUnixTimeMilliseconds();
                var late = active.State == EnrolmentState.Open && active.ExpiresAt <= now.ToUnixTimeMilliseconds();
                if (!lapsed && !late)
                    return Refused(active.State == EnrolmentState.Open ? DeskOutcome.AlreadyOpen : DeskOutcome.AlreadyEnrolled);
                if (await EnrolmentRows.MoveAsync(work, active, lapsed ? EnrolmentState.Lapsed : EnrolmentState.Expired, now) != TransitionOutcome.Done)
                    return Refused(DeskOutcome.WrongState);
                await AuditLog.AppendAsync(work, Actor.Bridge, lapsed ? "enrolment.lapse" : "enrolment.expire", $"enrolment/{active.EnrolmentId}", null, now);
            }
            return await OpenNewAsync(work, actor, key, guardian, null, now);
        }, cancellationToken);
    }

    /// <summary>Takes an unused code back.</summary>
    public Task<DeskOutcome> CancelAsync(Actor actor, long enrolmentId, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        if (await EnrolmentRows.ByIdAsync(work, enrolmentId) is not { } row)
            return DeskOutcome.NotFound;
        if (row.State != EnrolmentState.Open || await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Cancelled, now) != TransitionOutcome.Done)
            return DeskOutcome.WrongState;
        await AuditLog.AppendAsync(work, actor, "enrolment.cancel", $"enrolment/{enrolmentId}", null, now);
        return DeskOutcome.Done;
    }, cancellationToken);

    /// <summary>A new code in place of one that was lost, mistyped too often or reported used.</summary>
    public Task<OpenedEnrolment> ReissueAsync(Actor actor, long enrolmentId, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        if (await EnrolmentRows.ByIdAsync(work, enrolmentId) is not { } row)
            return Refused(DeskOutcome.NotFound);
        if (row.State == EnrolmentState.Open)
        {
            if (await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Cancelled, now, endReason: "reissued") != TransitionOutcome.Done)
                return Refused(DeskOutcome.WrongState);
            await AuditLog.AppendAsync(work, actor, "enrolment.cancel", $"enrolment/{enrolmentId}", new { code = "REISSUED" }, now);
        }
        else if (row.State is not (EnrolmentState.Cancelled or EnrolmentState.Expired or EnrolmentState.Failed))
            return Refused(DeskOutcome.WrongState);
        if (await EnrolmentRows.ActiveAsync(work, row.PatientKey) is not null)
            return Refused(DeskOutcome.AlreadyEnrolled);
        return await OpenNewAsync(work, actor, row.PatientKey, row.Guardian != 0, enrolmentId, now);
    }, cancellationToken);

    /// <summary>
    /// Withdraws on the patient's written request, or because somebody else used her code: at once nothing more leaves, and the ledger is told. An enrolment that is on its
    /// way to the ledger is withdrawn as soon as it stands there; if it never gets there, it ends all the same.
    /// </summary>
    /// <param name="actor">Who.</param>
    /// <param name="enrolmentId">Which.</param>
    /// <param name="request">Reference of the written request, for the audit log: 1 to 200 characters.</param>
    /// <param name="codeMisused">True where the patient finds her code used and did not use it: whose key was enrolled is not known.</param>
    /// <param name="cancellationToken">Before the commit only.</param>
    public async Task<DeskOutcome> WithdrawAsync(Actor actor, long enrolmentId, string? request, bool codeMisused, CancellationToken cancellationToken)
    {
        if (request?.Trim() is not { Length: > 0 and <= 200 } reference)
            return DeskOutcome.BadRequest;
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await EnrolmentRows.ByIdAsync(work, enrolmentId) is not { } row)
                return DeskOutcome.NotFound;
            if (row.State == EnrolmentState.Enrolling)
            {
                // Said twice, it is recorded once; that the code was misused is never left unsaid.
                if (row.WithdrawAt is null || codeMisused && row.WithdrawReason != CodeMisused)
                {
                    await EnrolmentRows.AskWithdrawalAsync(work, row, codeMisused ? CodeMisused : WrittenRequest, now);
                    await AuditLog.AppendAsync(work, actor, "enrolment.withdraw", $"enrolment/{enrolmentId}", new { reference, codeMisused, waits = true }, now);
                }
                return DeskOutcome.Waiting;
            }
            // A consent that ran out still stands on the ledger with what was anchored under it: the patient may end that too.
            if (row.State is not (EnrolmentState.Enrolled or EnrolmentState.Lapsed)
                || await EnrolmentRows.MoveAsync(
                    work, row, EnrolmentState.Withdrawing, now, codeMisused ? new SummaryChange().Set("end_reason", CodeMisused) : null) != TransitionOutcome.Done)
                return DeskOutcome.WrongState;
            await AuditLog.AppendAsync(work, actor, "enrolment.withdraw", $"enrolment/{enrolmentId}", new { reference, codeMisused }, now);
            return DeskOutcome.Done;
        }, cancellationToken);
        if (outcome is DeskOutcome.Done or DeskOutcome.Waiting)
            signals.Enrolment.Wake();
        return outcome;
    }

    private async Task<OpenedEnrolment> OpenNewAsync(Work work, Actor actor, string patientKey, bool guardian, long? insteadOf, DateTimeOffset now)
    {
        var code = EnrolmentCode.New();
        var keys = code.Derive(hospital.Msp, options.CaDigests);
        var expires = now + options.CodeLifetime;
        var id = await EnrolmentRows.InsertAsync(work, new EnrolmentRow
        {
            PatientKey = patientKey,
            Code = keys.MacKey.ToArray(),
            CodeId = keys.CodeId.ToString(),
            CaDigests = options.CaDigests.ToCanonicalText(),
            Guardian = guardian ? 1 : 0,
            OpenedBy = actor.Person,
            OpenedAt = now.ToUnixTimeMilliseconds(),
            ExpiresAt = expires.ToUnixTimeMilliseconds(),
        });
        await AuditLog.AppendAsync(work, actor, "enrolment.open", $"enrolment/{id}", insteadOf is { } old ? (object)new { guardian, insteadOf = old } : new { guardian }, now);
        return new OpenedEnrolment(DeskOutcome.Done, id, new EnrolmentTicket(hospital.Msp, code, options.CaDigests), expires);
    }

    private async Task<DeskOutcome> KnowsAsync(string patient, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(LookUpTime);
        try
        {
            return await fhir.ReadAsync("Patient", patient, time.Token) is null ? DeskOutcome.UnknownPatient : DeskOutcome.Done;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return DeskOutcome.SourceUnreachable;
        }
        catch (FhirException e)
        {
            return e.Fault is FhirFault.NotFound or FhirFault.Gone ? DeskOutcome.UnknownPatient : DeskOutcome.SourceUnreachable;
        }
    }

    private static OpenedEnrolment Refused(DeskOutcome outcome) => new(outcome, 0, null, default);
}
