using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>Pure pace of a round: how long to wait before each patient.</summary>
internal static class RosterPace
{
    /// <summary>When the patient of this place is due in a round that begins now: the round's requests lie evenly over the interval.</summary>
    public static DateTimeOffset DueAt(DateTimeOffset began, TimeSpan interval, int place, int patients) => began + interval * ((double)place / Math.Max(1, patients));

    /// <summary>Longest time between two requests of a round.</summary>
    public static TimeSpan Gap(TimeSpan interval, int patients) => interval / Math.Max(1, patients);
}

/// <summary>
/// Watches a server that searches within a patient only: each enrolled patient is asked for once in an interval, one after the other and evenly spread, so that
/// the server sees a trickle and never a burst. Each has a cursor of her own, which commits with what was found; a patient whose search fails is passed over
/// until the next round and does not stop the others.
/// </summary>
internal sealed partial class RosterSweep(
    Database database, EncounterWatcher watcher, WatchWorker worker, WatchingOptions options, Instance instance, StageBoard board, TimeProvider clock,
    ILogger<RosterSweep> log)
{
    // Patients of whom there is nothing new are noted together: not a transaction each.
    private const int NotedTogether = 100;
    private static readonly TimeSpan NotedWithin = TimeSpan.FromSeconds(10);

    private List<string> _looked = [];
    private DateTimeOffset _noted;

    /// <summary>One round; it takes about an interval.</summary>
    /// <exception cref="FhirException">Of the patients that were passed over, the first one's; or at once where the server lets the bridge in no more.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetUtcNow();
        (_looked, _noted) = ([], began);
        var round = await database.ReadAsync(work => RosterRows.AllAsync(work, began), cancellationToken);
        if (!await NoteAsync(round.Count, cancellationToken))
            return;
        FhirException? first = null;
        for (var place = 0; place < round.Count; place++)
        {
            var wait = RosterPace.DueAt(began, options.Interval, place, round.Count) - clock.GetUtcNow();
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, clock, cancellationToken);
            if (_looked.Count >= NotedTogether || clock.GetUtcNow() - _noted >= NotedWithin)
            {
                if (!await NoteAsync(round.Count, cancellationToken))
                    return;
                // A round may take hours: that it comes on is what health is told meanwhile.
                if (first is null)
                    board.Succeeded(WatchingSlice.Stage, clock.GetUtcNow());
            }
            var entry = await database.ReadAsync(
                async work => await PauseSwitch.IsOnAsync(work) ? null : await RosterRows.OneAsync(work, round[place], clock.GetUtcNow()), cancellationToken);
            if (entry is null)
                continue;
            try
            {
                if (!await WalkAsync(entry, round.Count, cancellationToken))
                    return;
            }
            catch (FhirException e) when (e.Fault is not (FhirFault.Unauthorized or FhirFault.Forbidden or FhirFault.NoToken))
            {
                first ??= e;
                _looked.Add(entry.PatientKey);
                Log.PassedOver(log, entry.EnrolmentId, e.Fault);
            }
        }
        await NoteAsync(round.Count, cancellationToken);
        if (first is not null)
            throw first;
    }

    /// <summary>False where another instance took the watch over.</summary>
    private async Task<bool> WalkAsync(RosterEntry entry, int patients, CancellationToken cancellationToken)
    {
        var cursor = entry.Seen is null ? Cursor.StartingAt(DateTimeOffset.UnixEpoch) : Cursor.Parse(entry.Seen);
        await foreach (var batch in watcher.WalkPatientAsync(entry.PatientKey, cursor, cancellationToken))
        {
            if (batch.Sightings.Count == 0 && entry.Seen is not null && batch.Next.Equals(cursor))
            {
                _looked.Add(entry.PatientKey);
                continue;
            }
            if (!await worker.TakeBatchAsync(batch.Sightings, async work =>
                {
                    if (!await TakeLeaseAsync(work, patients))
                        return false;
                    await RosterRows.KeepAsync(work, entry, batch.Next, clock.GetUtcNow());
                    return true;
                }, cancellationToken))
                return false;
        }
        return true;
    }

    // The bookmark says when the watch last came on; how far is each patient's own.
    private async Task<bool> NoteAsync(int patients, CancellationToken cancellationToken)
    {
        var mine = await database.WriteAsync(async work =>
        {
            if (await PauseSwitch.IsOnAsync(work) || !await TakeLeaseAsync(work, patients))
                return false;
            await RosterRows.LookedAsync(work, _looked, clock.GetUtcNow());
            await Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, Cursor.StartingAt(clock.GetUtcNow()).ToString(), clock.GetUtcNow());
            return true;
        }, cancellationToken);
        (_looked, _noted) = ([], clock.GetUtcNow());
        return mine;
    }

    private Task<bool> TakeLeaseAsync(Work work, int patients) =>
        Leases.TryTakeAsync(work, WatchWorker.LeaseName, instance.Name, clock.GetUtcNow(), WatchWorker.Lease + RosterPace.Gap(options.Interval, patients));

    private static partial class Log
    {
        [LoggerMessage(EventId = 2004, Level = LogLevel.Warning, Message = "The search for the patient of enrolment {Enrolment} failed and is tried again in the next round: {Fault}")]
        public static partial void PassedOver(ILogger logger, long enrolment, FhirFault fault);
    }
}
