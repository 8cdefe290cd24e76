using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Adds the states up against the FHIR server: finished encounters there = those of patients who are not enrolled + those that stand in a state here.
/// Counts only; of patients who are not enrolled nothing is kept. A patient of whom something is missing is read again, and so is an encounter that
/// stands here but no longer among the server's finished ones: a deletion shows nowhere else. Where the server refuses a search across patients, the enrolled
/// ones are counted one by one, and the result says that the others cannot be.
/// </summary>
internal sealed class Reconciliation(
    Database database, EncounterWatcher watcher, WatchWorker worker, WatchingOptions options, Instance instance, WatchingSignals signals, TimeProvider clock)
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
        try
        {
            return await AddUpAsync(cancellationToken);
        }
        catch (Exception)
        {
            // Whoever asks again is not to be told for an hour that it is being done.
            await database.WriteAsync(work => Leases.ReleaseAsync(work, "reconcile", instance.Name), CancellationToken.None);
            throw;
        }
    }

    private async Task<ReconciliationRow?> AddUpAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetUtcNow();
        // null = every patient of the server
        var patients = options.Strategy == WatchStrategy.RosterSweep ? await PatientsAsync(cancellationToken) : null;
        var count = new Counting();
        try
        {
            await CountAsync(patients, count, cancellationToken);
        }
        catch (FhirException e) when (patients is null && count.Finished == 0 && e.Fault is FhirFault.Refused or FhirFault.Forbidden)
        {
            patients = await PatientsAsync(cancellationToken);
            await CountAsync(patients, count, cancellationToken);
        }
        var enrolments = patients?.Select(patient => patient.EnrolmentId).ToHashSet();
        await LookForUnseenAsync(count.Seen, enrolments, began, cancellationToken);
        var row = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var known = await KnownAsync(work, enrolments, now);
            var result = new ReconciliationRow
            {
                At = now.ToUnixTimeMilliseconds(),
                Scope = patients is null ? ReconciliationRow.Server : ReconciliationRow.Enrolled,
                ServerFinished = count.Finished,
                NotEnrolled = count.NotEnrolled,
                Known = known.Count,
                Difference = count.Finished - count.NotEnrolled - known.Count,
            };
            await ReconciliationRows.InsertAsync(work, result);
            foreach (var patient in count.Missing)
                await PatientWalks.AskAsync(work, patient, now);
            await Leases.ReleaseAsync(work, "reconcile", instance.Name);
            return result;
        }, cancellationToken);
        if (count.Missing.Count > 0)
            signals.Sweep.Wake();
        return row;
    }

    private Task<IReadOnlyList<RosterEntry>> PatientsAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(work => RosterRows.AllAsync(work, clock.GetUtcNow()), cancellationToken);

    private async Task CountAsync(IReadOnlyList<RosterEntry>? patients, Counting count, CancellationToken cancellationToken)
    {
        var everything = Cursor.StartingAt(DateTimeOffset.UnixEpoch);
        if (patients is null)
            await foreach (var batch in watcher.WalkAsync(everything, cancellationToken))
                await CountAsync(batch, null, count, cancellationToken);
        foreach (var patient in patients ?? [])
            // Who withdrew while others were counted is not read.
            if (await database.ReadAsync(work => RosterRows.OneAsync(work, patient, clock.GetUtcNow()), cancellationToken) is not null)
                await foreach (var batch in watcher.WalkPatientAsync(patient.PatientKey, everything, cancellationToken))
                    await CountAsync(batch, patient.PatientKey, count, cancellationToken);
    }

    private async Task CountAsync(WatchBatch batch, string? asked, Counting count, CancellationToken cancellationToken)
    {
        var sightings = batch.Sightings.Where(sighting => sighting.IsFinished).ToList();
        count.Finished += sightings.Count;
        count.NotEnrolled += await database.WriteAsync(async work =>
        {
            long without = 0;
            var now = clock.GetUtcNow();
            var named = sightings.Select(sighting => sighting.PatientId).OfType<string>().ToList();
            var into = await PatientLinkRows.IntoAsync(work, named);
            var live = await EnrolmentRows.LiveAmongAsync(work, named.Concat(into.Values), now);
            var rows = await EncounterRows.CountedByAsync(work, [.. sightings.Select(sighting => sighting.EncounterId)], now);
            foreach (var sighting in sightings)
            {
                if (rows.TryGetValue(sighting.EncounterId, out var row))
                    count.Seen.Add(row);
                else if (sighting.PatientId is { } patient && live.ContainsKey(into.GetValueOrDefault(patient, patient)))
                    count.Missing.Add(patient);
                else if (asked is not null && sighting.PatientId is null)
                    // The server says whose it is, the encounter does not in plain words.
                    count.Missing.Add(asked);
                else
                    without++;
            }
            return without;
        }, cancellationToken);
    }

    private static async Task<IReadOnlyList<long>> KnownAsync(Work work, HashSet<long>? enrolments, DateTimeOffset before) =>
        [.. (await work.ListAsync<CountedRow>(
            "SELECT row_id AS RowId, enrolment_id AS EnrolmentId FROM summary WHERE is_current = 1 AND created_at <= @before ORDER BY row_id",
            new { before = before.ToUnixTimeMilliseconds() })).Where(row => enrolments?.Contains(row.EnrolmentId) != false).Select(row => row.RowId)];

    private async Task LookForUnseenAsync(HashSet<long> seen, HashSet<long>? enrolments, DateTimeOffset began, CancellationToken cancellationToken)
    {
        var counted = await database.ReadAsync(work => KnownAsync(work, enrolments, began.AddMilliseconds(-1)), cancellationToken);
        foreach (var chunk in counted.Where(row => !seen.Contains(row)).Chunk(100))
        {
            var rows = await database.WriteAsync(async work =>
            {
                var named = new List<SummaryRow>();
                foreach (var id in chunk)
                    if (await SummaryRows.ByRowAsync(work, id) is { IsCurrent: 1 } row)
                    {
                        // Of a withdrawn patient's encounter not even the name is known: it is no longer among those that count.
                        if (row.Status == SummaryStatus.Withdrawn)
                            await SummaryRows.CountAsync(work, row, counts: false);
                        else
                            named.Add(row);
                    }
                return named;
            }, cancellationToken);
            if (rows.Count > 0)
                await worker.LookAsync(rows, counted.Count, cancellationToken);
        }
    }

    /// <summary>What a reconciliation has come across so far.</summary>
    private sealed class Counting
    {
        public long Finished { get; set; }
        public long NotEnrolled { get; set; }
        public HashSet<long> Seen { get; } = [];
        public HashSet<string> Missing { get; } = new(StringComparer.Ordinal);
    }

    private sealed class CountedRow
    {
        public long RowId { get; init; }
        public long EnrolmentId { get; init; }
    }
}
