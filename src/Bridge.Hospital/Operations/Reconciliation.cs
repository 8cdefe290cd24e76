using Bridge.Fhir.Watching;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Adds the states up against the FHIR server: finished encounters there = those of patients who are not enrolled + those that stand in a state here.
/// Counts only; of patients who are not enrolled nothing is kept. A patient of whom something is missing is read again.
/// </summary>
internal sealed class Reconciliation(Database database, EncounterWatcher watcher, Instance instance, WatchingSignals signals, TimeProvider clock)
{
    /// <summary>Reconciles where the last time is an interval ago; a restart does not read the whole server again.</summary>
    public async Task RunDueAsync(TimeSpan interval, CancellationToken cancellationToken)
    {
        var last = await database.ReadAsync(ReconciliationRows.LastAsync, cancellationToken);
        if (last is null || clock.GetUtcNow().ToUnixTimeMilliseconds() - last.At >= interval.TotalMilliseconds * 0.9)
            await RunAsync(cancellationToken);
    }

    /// <summary>Reconciles now; null while another instance does.</summary>
    public async Task<ReconciliationRow?> RunAsync(CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(
            work => Leases.TryTakeAsync(work, "reconcile", instance.Name, clock.GetUtcNow(), TimeSpan.FromHours(1)), cancellationToken))
            return null;
        long finished = 0, notEnrolled = 0;
        var missing = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var batch in watcher.WalkAsync(Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellationToken))
        {
            var sightings = batch.Sightings.Where(sighting => sighting.IsFinished).ToList();
            finished += sightings.Count;
            notEnrolled += await database.WriteAsync(async work =>
            {
                long without = 0;
                var now = clock.GetUtcNow();
                var live = await EnrolmentRows.LiveAmongAsync(work, sightings.Where(s => s.PatientId is not null).Select(s => s.PatientId!), now);
                foreach (var sighting in sightings)
                {
                    var known = await SummaryRows.CurrentOfEncounterAsync(work, sighting.EncounterId)
                        ?? await SummaryRows.CurrentOfEncounterAsync(work, await Withdrawals.ForgottenAsync(work, "encounter", sighting.EncounterId, now));
                    if (known is not null)
                        continue;
                    if (sighting.PatientId is { } patient && live.ContainsKey(patient))
                        missing.Add(patient);
                    else
                        without++;
                }
                return without;
            }, cancellationToken);
        }
        var row = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var known = await work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE is_current = 1");
            var result = new ReconciliationRow
            {
                At = now.ToUnixTimeMilliseconds(),
                ServerFinished = finished,
                NotEnrolled = notEnrolled,
                Known = known,
                Difference = finished - notEnrolled - known,
            };
            await ReconciliationRows.InsertAsync(work, result);
            foreach (var enrolment in (await EnrolmentRows.LiveAmongAsync(work, missing, now)).Values)
                await work.InsertIfNewAsync(
                    "sweep (enrolment_id, patient_key, created_at) VALUES (@EnrolmentId, @PatientKey, @now)",
                    new { enrolment.EnrolmentId, enrolment.PatientKey, now = now.ToUnixTimeMilliseconds() });
            await Leases.ReleaseAsync(work, "reconcile", instance.Name);
            return result;
        }, cancellationToken);
        if (missing.Count > 0)
            signals.Sweep.Wake();
        return row;
    }
}
