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

    private volatile bool looked;

    /// <summary>
    /// Looks, once a process, before anything is told to the ledger. In an older database words that only stop something may be missing: a signature called back, a key reported lost,
    /// a code taken back, a withdrawal on paper. So on return the bridge is paused, what was signed and has not left waits for a signature again, and codes that are out enrol nobody.
    /// </summary>
    /// <exception cref="GatewayException">The ledger cannot be asked; the next call asks again.</exception>
    public async Task LookOnceAsync(CancellationToken cancellationToken)
    {
        if (looked)
            return;
        // Several stages may look at once: the first to write is the only one.
        if (await NewestAsync(cancellationToken) is { } newest && await database.WriteAsync(work => StopAsync(work, newest), cancellationToken))
            Log.Older(log, newest);
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
            catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
            {
                // Nobody published it yet.
            }
        }
        return newest;
    }

    private async Task<bool> StopAsync(Work work, long newest)
    {
        // A database that never published one is new: nothing has been signed in it.
        if (await work.ScalarAsync<long?>("SELECT MAX(seq) FROM status_list") is not { } mine || mine >= newest
            || await Bookmarks.ReadAsync(work, Bookmarks.Restored) == $"{newest}")
            return false;
        var now = clock.GetUtcNow();
        await Bookmarks.WriteAsync(work, Bookmarks.Restored, $"{newest}", now);
        await Bookmarks.WriteAsync(work, Bookmarks.Paused, "true", now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "operations.restored", "bridge", new { list = newest, known = mine }, now);
        foreach (var rowId in await work.ListAsync<long>("SELECT row_id FROM anchor WHERE active_row IS NOT NULL AND state = 'Queued' AND item IS NULL"))
            if (await SummaryRows.ByRowAsync(work, rowId) is { Status: SummaryStatus.CoSigned } summary)
            {
                await AnchorSteps.VoidActiveAsync(work, rowId, Code, now);
                await SummaryRows.MoveAsync(work, summary, SummaryStatus.AwaitingCoSign, Code, now);
                await AuditLog.AppendAsync(work, Actor.Bridge, "summary.back", $"summary/{rowId}", new { code = Code }, now);
            }
        foreach (var row in await work.ListAsync<RetractionRow>($"SELECT {RetractionRows.Columns} FROM retraction WHERE open_row IS NOT NULL AND state = 'CoSigned'"))
            await Retractions.AskAgainAsync(work, row, row.DoctorLicence, Code, now);
        foreach (var row in await work.ListAsync<EnrolmentRow>($"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE state = 'Open'"))
        {
            await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Cancelled, now, endReason: "restored");
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.cancel", $"enrolment/{row.EnrolmentId}", new { code = Code }, now);
        }
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6020, Level = LogLevel.Error, Message = "This database is older than the ledger, which holds status list {List} of this hospital: a backup was put back, or another database tells the ledger too. The bridge is paused; what was signed and had not left waits for a signature again; enrolment codes are taken back. See \"Putting a backup back\" in Store/README.md, then resume")]
        public static partial void Older(ILogger logger, long list);
    }
}
