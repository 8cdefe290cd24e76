using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>
/// What follows when a consent is over. One that ran out empties the doctors' queues of what nobody may sign any more; after a withdrawal the patient's index is
/// removed from the ledger too, which takes both organisations and so cannot be part of the withdrawal itself.
/// </summary>
internal sealed partial class ConsentEnds(
    Database database, SummaryLedger ledger, EnrolmentOptions options, HospitalOptions hospital, Instance instance, CrashPoints crash, TimeProvider clock,
    ILogger<ConsentEnds> log)
{
    private const int Looked = 100;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await LapseAsync(cancellationToken) == Looked)
            cancellationToken.ThrowIfCancellationRequested();
        await SweepAsync(cancellationToken);
    }

    // What is on its way is left to the ledger's answer; what stands, to a withdrawal or to the consent that takes this one's place.
    private Task<int> LapseAsync(CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        var rows = await work.ListAsync<SummaryRow>(
            $"""
            SELECT {SummaryRows.Columns} FROM summary WHERE status IN ('Settling', 'AwaitingCoSign', 'CoSigned') AND enrolment_id IN
              (SELECT enrolment_id FROM enrolment WHERE state IN ('Enrolled', 'Lapsed') AND consent_until <= @now)
            ORDER BY row_id LIMIT {Looked}
            """,
            new { now = now.ToUnixTimeMilliseconds() });
        foreach (var row in rows)
        {
            await AnchorSteps.VoidActiveAsync(work, row.RowId, "CONSENT_EXPIRED", now);
            await SummaryRows.MoveAsync(work, row, SummaryStatus.Withheld, Reasons.NoConsent, now,
                new SummaryChange().Set("payload", null).Set("draft", null).Set("content_digest", null));
            await AuditLog.AppendAsync(work, Actor.Bridge, "summary.withhold", $"summary/{row.RowId}", new { code = "CONSENT_EXPIRED", from = row.Status.ToString() }, now);
        }
        return rows.Count;
    }, cancellationToken);

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        var due = await database.ReadAsync(
            work => work.ListAsync<EnrolmentRow>(
                $"""
                SELECT {EnrolmentRows.Columns} FROM enrolment WHERE state = 'Withdrawn' AND index_handle IS NOT NULL AND swept_at IS NULL AND ended_at <= @ended
                  AND next_attempt_at <= @now AND lease_until <= @now ORDER BY enrolment_id LIMIT {Looked}
                """,
                new { now = clock.GetUtcNow().ToUnixTimeMilliseconds(), ended = (clock.GetUtcNow() - options.SweepAfter).ToUnixTimeMilliseconds() }),
            cancellationToken);
        foreach (var row in due)
        {
            if (!await database.WriteAsync(work => EnrolmentRows.TakeAsync(work, row, instance.Name, clock.GetUtcNow(), options.Lease), cancellationToken))
                continue;
            try
            {
                while (!await ledger.SweepIndexAsync(hospital.Msp, Handle.Parse(row.IndexHandle!), cancellationToken))
                    cancellationToken.ThrowIfCancellationRequested();
            }
            catch (LedgerRefusalException e) when (e.Code == RefusalCode.IndexUnknown)
            {
                // Gone already: by a former attempt, or by the portal.
            }
            catch (Exception e) when (e is GatewayException or CommitException or LedgerRefusalException)
            {
                var code = e is LedgerRefusalException refusal ? refusal.CodeText : "NOT_SWEPT";
                await database.WriteAsync(work => EnrolmentRows.RetryLaterAsync(
                    work, row, code, clock.GetUtcNow() + AnchorRules.Backoff(row.Attempts, Random.Shared.NextDouble())), CancellationToken.None);
                Log.Later(log, row.EnrolmentId, e is LedgerRefusalException ? code : Faults.Describe(e));
                continue;
            }
            // crash point enrolment.6: swept on the ledger, not noted here; the next run is told that there is no such index, and notes it.
            crash.Pass("enrolment.6");
            await database.WriteAsync(async work =>
            {
                var now = clock.GetUtcNow();
                if (await work.RunAsync(
                    """
                    UPDATE enrolment SET swept_at = @now, revision = revision + 1, lease_owner = NULL, lease_until = 0, last_code = NULL
                    WHERE enrolment_id = @EnrolmentId AND swept_at IS NULL AND revision = @Revision
                    """,
                    new { row.EnrolmentId, row.Revision, now = now.ToUnixTimeMilliseconds() }) == 1)
                    await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.swept", $"enrolment/{row.EnrolmentId}", null, now);
            }, CancellationToken.None);
            Log.Swept(log, row.EnrolmentId);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4201, Level = LogLevel.Information, Message = "The index of withdrawn enrolment {Enrolment} is off the ledger")]
        public static partial void Swept(ILogger logger, long enrolment);

        [LoggerMessage(EventId = 4202, Level = LogLevel.Warning, Message = "The index of withdrawn enrolment {Enrolment} could not be swept and will be tried again: {Fault}")]
        public static partial void Later(ILogger logger, long enrolment, string fault);
    }
}
