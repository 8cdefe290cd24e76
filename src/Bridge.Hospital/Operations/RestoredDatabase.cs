using System.Globalization;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Notices that the database is older than what this hospital has told the ledger: a backup was put back. A status list is stored before it is sent, so one on the ledger that no
/// row knows proves it; one is sent every half of its life, so it is known of a backup of a day ago, not of one of an hour ago.
/// </summary>
internal sealed partial class RestoredDatabase(Database database, SummaryLedger ledger, HospitalOptions hospital, TimeProvider clock, ILogger<RestoredDatabase> log)
{
    public const string Code = "RESTORED";

    private const int Together = 100;
    private volatile bool looked;

    /// <summary>
    /// Looks, once a process, before anything is told to the ledger. In an older database words that only stop something may be missing: a signature called back, a key reported lost,
    /// a code taken back, a withdrawal on paper. So on return the bridge is paused, what was signed and has not left waits for a signature again, and codes that are out enrol nobody.
    /// </summary>
    /// <exception cref="GatewayException">The ledger cannot be asked; the next call asks again.</exception>
    public Task LookOnceAsync(CancellationToken cancellationToken) => looked ? Task.CompletedTask : LookAsync(cancellationToken);

    /// <summary>Looks now: a server's database may have been put back under the running program.</summary>
    /// <exception cref="GatewayException">The ledger cannot be asked; the next call asks again.</exception>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        // The ledger first: what is sent meanwhile is in the tables before.
        if (await NewestAsync(cancellationToken) is { } newest && await database.WriteAsync(work => PauseAsync(work, newest), cancellationToken) is { } at)
        {
            Log.Older(log, newest);
            await AskAnewAsync(at, cancellationToken);
            await database.WriteAsync(work => EndAsync(work, newest, at), cancellationToken);
        }
        looked = true;
    }

    private async Task<long?> NewestAsync(CancellationToken cancellationToken)
    {
        long? newest = null;
        for (var (part, parts) = (0, 1); part < parts; part++)
        {
            try
            {
                if (CompactJws.Verify<StatusList>(await ledger.ReadStatusAsync(hospital.Msp, part, cancellationToken)).Value?.Statement is not { } list)
                    continue;
                newest = Math.Max(newest ?? 0, list.Seq);
                parts = list.Parts;
            }
            catch (LedgerRefusalException)
            {
                // Nobody published it yet, or this hospital is none of the ledger's yet.
            }
        }
        return newest;
    }

    // Since when the bridge is paused for this; null where it need not be, or was.
    private async Task<DateTimeOffset?> PauseAsync(Work work, long newest)
    {
        // A database that never published one is new: nothing has been signed in it.
        if (await work.ScalarAsync<long?>("SELECT MAX(seq) FROM status_list") is not { } mine || mine >= newest)
            return null;
        var noted = (await Bookmarks.ReadAsync(work, Bookmarks.Restored))?.Split(' ');
        if (noted?[0] == $"{newest}")
            // Another stage is at it, or whoever began with it died on the way: what follows may be done twice.
            return noted.Length > 1 ? DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(noted[1], CultureInfo.InvariantCulture)) : null;
        var now = DateTimeOffset.FromUnixTimeMilliseconds(clock.GetUtcNow().ToUnixTimeMilliseconds());
        await Bookmarks.WriteAsync(work, Bookmarks.Restored, $"{newest} {now.ToUnixTimeMilliseconds()}", now);
        await Bookmarks.WriteAsync(work, Bookmarks.Paused, "true", now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "operations.restored", "bridge", new { list = newest, known = mine }, now);
        return now;
    }

    // What was signed before that and has not left; what left in the lost time stays, and is recognised when its turn comes. Some at a time: others write too.
    private async Task AskAnewAsync(DateTimeOffset at, CancellationToken cancellationToken)
    {
        long after = 0;
        while (true)
        {
            var queued = await database.ReadAsync(
                work => work.ListAsync<SummaryRow>(
                    $"""
                    SELECT {SummaryRows.Columns} FROM summary WHERE status = 'CoSigned' AND row_id > @after
                      AND row_id IN (SELECT active_row FROM anchor WHERE state = 'Queued' AND created_at <= @at) ORDER BY row_id LIMIT {Together}
                    """,
                    new { after, at = at.ToUnixTimeMilliseconds() }),
                cancellationToken);
            if (queued.Count == 0)
                return;
            after = queued[^1].RowId;
            var there = await ledger.ReadSummariesAsync(hospital.Msp, [.. queued.Select(row => SummaryId.Parse(row.SummaryId))], cancellationToken);
            await database.WriteAsync(
                async work =>
                {
                    var now = clock.GetUtcNow();
                    foreach (var row in queued.Zip(there).Where(pair => pair.Second.State != SummaryState.Live).Select(pair => pair.First))
                        if (await SummaryRows.ByRowAsync(work, row.RowId) is { Status: SummaryStatus.CoSigned } summary && summary.Revision == row.Revision)
                        {
                            await AnchorSteps.VoidActiveAsync(work, row.RowId, Code, now);
                            await SummaryRows.MoveAsync(work, summary, SummaryStatus.AwaitingCoSign, Code, now);
                            await AuditLog.AppendAsync(work, Actor.Bridge, "summary.back", $"summary/{row.RowId}", new { code = Code }, now);
                        }
                },
                cancellationToken);
        }
    }

    private async Task EndAsync(Work work, long newest, DateTimeOffset at)
    {
        var now = clock.GetUtcNow();
        foreach (var row in await work.ListAsync<RetractionRow>(
            $"SELECT {RetractionRows.Columns} FROM retraction WHERE open_row IS NOT NULL AND state = 'CoSigned' AND updated_at <= @at", new { at = at.ToUnixTimeMilliseconds() }))
            await Retractions.AskAgainAsync(work, row, row.DoctorLicence, Code, now);
        foreach (var row in await work.ListAsync<EnrolmentRow>(
            $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE state = 'Open' AND opened_at <= @at", new { at = at.ToUnixTimeMilliseconds() }))
        {
            await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Cancelled, now, endReason: "restored");
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.cancel", $"enrolment/{row.EnrolmentId}", new { code = Code }, now);
        }
        await Bookmarks.WriteAsync(work, Bookmarks.Restored, $"{newest}", now);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6020, Level = LogLevel.Error, Message = "This database is older than the ledger, which holds status list {List} of this hospital: a backup was put back, or another database tells the ledger too. The bridge is paused; what was signed and had not left waits for a signature again; enrolment codes are taken back. See \"Putting a backup back\" in Store/README.md, then resume")]
        public static partial void Older(ILogger logger, long list);
    }
}
