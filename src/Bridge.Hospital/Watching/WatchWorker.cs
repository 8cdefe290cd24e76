using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>What wakes the readers.</summary>
internal sealed class WatchingSignals
{
    /// <summary>A patient enrolled: read what was before.</summary>
    public Wakeable Sweep { get; } = new();

    /// <summary>Something is to be read again now.</summary>
    public Wakeable Due { get; } = new();

    /// <summary>The source may have changed.</summary>
    public Wakeable Watch { get; } = new();
}

/// <summary>
/// Brings finished encounters of enrolled patients into rows. Each batch of a walk commits with the cursor that covers it; one patient's encounters
/// are taken in the source's order.
/// </summary>
internal sealed partial class WatchWorker(
    Database database, EncounterWatcher watcher, EncounterReader reader, Intake intake, WatchingOptions options, Instance instance, CrashPoints crash,
    HospitalMetrics metrics, TimeProvider clock, ILogger<WatchWorker> log)
{
    private const string LeaseName = "watch";
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    /// <summary>One walk over what changed.</summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        if (options.Strategy == WatchStrategy.RosterSweep)
        {
            await AddRosterAsync(cancellationToken);
            await SweepAsync(cancellationToken);
            return;
        }
        var (stored, mine) = await database.WriteAsync(async work => await PauseSwitch.IsOnAsync(work)
            ? (null, false)
            : (await Bookmarks.ReadAsync(work, Bookmarks.WatchCursor), await TakeLeaseAsync(work)), cancellationToken);
        if (!mine)
            return;
        var cursor = stored is null ? Cursor.StartingAt(options.Since ?? clock.GetUtcNow() - options.Watch.Overlap) : Cursor.Parse(stored);
        await foreach (var batch in watcher.WalkAsync(cursor, cancellationToken))
        {
            if (!await TakeBatchAsync(batch.Sightings, async work =>
                {
                    if (!await TakeLeaseAsync(work))
                        return false;
                    await Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, batch.Next.ToString(), clock.GetUtcNow());
                    return true;
                }, cancellationToken))
                return;
        }
    }

    /// <summary>Reads all encounters of patients who enrolled lately (in a roster sweep: of all).</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        if (await database.ReadAsync(PauseSwitch.IsOnAsync, cancellationToken))
            return;
        foreach (var (enrolmentId, patient) in await database.ReadAsync(
            async work => (await work.ListAsync<Sweep>("SELECT enrolment_id AS EnrolmentId, patient_key AS PatientKey FROM sweep ORDER BY created_at LIMIT 1000"))
                .Select(sweep => (sweep.EnrolmentId, sweep.PatientKey)).ToList(), cancellationToken))
        {
            await foreach (var batch in watcher.WalkPatientAsync(patient, Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellationToken))
                if (!await TakeBatchAsync(batch.Sightings, async work =>
                    {
                        if (batch.EndsWalk)
                            await work.RunAsync("DELETE FROM sweep WHERE enrolment_id = @enrolmentId", new { enrolmentId });
                        return true;
                    }, cancellationToken))
                    return;
        }
    }

    /// <summary>Reads again what settles, waits for a doctor, or has none yet, where it is due.</summary>
    public async Task RereadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var now = clock.GetUtcNow();
            var due = await database.WriteAsync(async work =>
            {
                if (await PauseSwitch.IsOnAsync(work))
                    return [];
                var mine = new List<SummaryRow>();
                foreach (var row in await work.ListAsync<SummaryRow>(
                    $"""
                    SELECT {SummaryRows.Columns} FROM summary
                    WHERE (status IN ('Settling', 'AwaitingCoSign') OR status = 'Withheld' AND reason = 'NoDoctor')
                      AND is_current = 1 AND ready_at <= @now AND lease_until <= @now
                    ORDER BY ready_at, row_id LIMIT 100
                    """,
                    new { now = now.ToUnixTimeMilliseconds() }))
                    if (await work.RunAsync(
                        "UPDATE summary SET lease_owner = @owner, lease_until = @until WHERE row_id = @RowId AND revision = @Revision AND lease_until <= @now",
                        new { row.RowId, row.Revision, owner = instance.Name, now = now.ToUnixTimeMilliseconds(), until = (now + Lease).ToUnixTimeMilliseconds() }) == 1)
                        mine.Add(row);
                return mine;
            }, cancellationToken);
            if (due.Count == 0)
                return;
            var files = await reader.ReadAgainAsync([.. due.Select(row => row.EncounterKey)], cancellationToken);
            await database.WriteAsync(async work =>
            {
                foreach (var (row, file) in due.Zip(files).OrderBy(pair => pair.First.FinishedAt).ThenBy(pair => pair.First.RowId))
                    if (file is null)
                        await GoneAsync(work, row, clock.GetUtcNow());
                    else
                        await intake.TakeAsync(work, file, row.EncounterKey, clock.GetUtcNow());
                // Whatever could not be placed is looked at again later, not at once.
                await work.RunAsync(
                    "UPDATE summary SET ready_at = @later, lease_owner = NULL, lease_until = 0 WHERE row_id IN @rows AND lease_owner = @owner",
                    new { rows = due.Select(row => row.RowId), owner = instance.Name, later = (clock.GetUtcNow() + options.Reread).ToUnixTimeMilliseconds() });
            }, cancellationToken);
        }
    }

    /// <summary>False where the walk must stop: another instance has taken it over, or the bridge was paused.</summary>
    private async Task<bool> TakeBatchAsync(IReadOnlyList<EncounterSighting> sightings, Func<Work, Task<bool>> advance, CancellationToken cancellationToken)
    {
        var wanted = await WantedAsync(sightings, cancellationToken);
        var files = wanted.Count == 0 ? [] : await reader.ReadAsync(wanted, cancellationToken);
        // crash point watching.1: read, nothing stored; the next walk brings the same.
        crash.Pass("watching.1");
        var counted = new List<SummaryStatus>();
        var went = await database.WriteAsync(async work =>
        {
            counted.Clear();
            if (await PauseSwitch.IsOnAsync(work) || !await advance(work))
                return false;
            foreach (var (sighting, file) in wanted.Zip(files))
                if (await intake.TakeAsync(work, file, sighting.EncounterId, clock.GetUtcNow()) is { } status)
                    counted.Add(status);
            return true;
        }, cancellationToken);
        // crash point watching.2: rows and cursor are stored together.
        crash.Pass("watching.2");
        foreach (var status in counted)
            metrics.Encounter(status.ToString());
        if (counted.Count > 0)
            Log.Took(log, counted.Count, sightings.Count);
        return went;
    }

    // Children are read only of finished encounters of patients with a live consent, and of those a row exists for.
    private async Task<IReadOnlyList<EncounterSighting>> WantedAsync(IReadOnlyList<EncounterSighting> sightings, CancellationToken cancellationToken)
    {
        foreach (var sighting in sightings)
            if (sighting.Poison != SetAsideReason.None && sighting.PatientId is null)
            {
                metrics.Unreadable(sighting.Poison.ToString());
                Log.Unreadable(log, sighting.Poison);
            }
        return await database.ReadAsync<IReadOnlyList<EncounterSighting>>(async work =>
        {
            var live = await EnrolmentRows.LiveAmongAsync(
                work, sightings.Where(sighting => sighting.PatientId is not null).Select(sighting => sighting.PatientId!), clock.GetUtcNow());
            var wanted = new List<EncounterSighting>();
            foreach (var sighting in sightings)
                if (sighting.EncounterId.Length > 0 && sighting.PatientId is { } patient && live.ContainsKey(patient)
                    && (sighting.IsFinished || sighting.Poison != SetAsideReason.None || await SummaryRows.CurrentOfEncounterAsync(work, sighting.EncounterId) is not null))
                    wanted.Add(sighting);
            return wanted;
        }, cancellationToken);
    }

    private Task<bool> TakeLeaseAsync(Work work) => Leases.TryTakeAsync(work, LeaseName, instance.Name, clock.GetUtcNow(), Lease);

    private Task AddRosterAsync(CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var row in await work.ListAsync<Sweep>(
            "SELECT enrolment_id AS EnrolmentId, patient_key AS PatientKey FROM enrolment WHERE state = 'Enrolled' AND consent_until > @now", new { now }))
            await work.InsertIfNewAsync("sweep (enrolment_id, patient_key, created_at) VALUES (@EnrolmentId, @PatientKey, @now)", new { row.EnrolmentId, row.PatientKey, now });
        await Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, Cursor.StartingAt(clock.GetUtcNow()).ToString(), clock.GetUtcNow());
    }, cancellationToken);

    private static Task<TransitionOutcome> GoneAsync(Work work, SummaryRow row, DateTimeOffset now) => SummaryRows.MoveAsync(
        work, row, SummaryStatus.Withheld, Reasons.SourceVoid, now, new SummaryChange().Set("is_current", 0).Set("payload", null).Set("draft", null));

    private sealed class Sweep
    {
        public long EnrolmentId { get; init; }
        public string PatientKey { get; init; } = "";
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "Took {Count} encounters of {Seen} that changed")]
        public static partial void Took(ILogger logger, int count, int seen);

        [LoggerMessage(EventId = 2002, Level = LogLevel.Warning, Message = "Passed over a resource that names no readable patient: {Reason}")]
        public static partial void Unreadable(ILogger logger, SetAsideReason reason);
    }
}

/// <summary>Watching's doors.</summary>
internal static class WatchingSlice
{
    public const string Stage = "watch";

    public static void AddWatching(this WebApplicationBuilder builder, WatchingOptions options, ExtractionSettings extraction)
    {
        var services = builder.Services;
        services.AddSingleton(options);
        services.AddSingleton<WatchingSignals>();
        services.AddSingleton(provider => new FhirClient(
            options.Client,
            options.Smart is null ? null : new SmartTokens(options.Smart, SmartKey.FromPem(File.ReadAllText(options.SmartKeyFile!)), provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<SmartTokens>>()),
            null,
            provider.GetRequiredService<ILogger<FhirClient>>()));
        services.AddSingleton(provider => new EncounterWatcher(
            provider.GetRequiredService<FhirClient>(), options.Watch, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<EncounterWatcher>>()));
        services.AddSingleton(provider => new EncounterReader(provider.GetRequiredService<FhirClient>(), options.Watch));
        services.AddSingleton(_ => new SummaryExtractor(
            new Minimiser(extraction.Terminology, new MinimiserOptions { K = extraction.MinimumPeople }), new ExtractionOptions { Ready = options.Ready }));
        services.AddSingleton<Intake>();
        services.AddSingleton<WatchWorker>();
        services.AddStage<WatchWorker>(
            Stage, _ => options.Interval, provider => provider.GetRequiredService<WatchingSignals>().Watch, (worker, token) => worker.WatchAsync(token));
        services.AddStage<WatchWorker>(
            "sweep", _ => options.Interval, provider => provider.GetRequiredService<WatchingSignals>().Sweep, (worker, token) => worker.SweepAsync(token));
        services.AddStage<WatchWorker>(
            "reread", _ => options.Interval, provider => provider.GetRequiredService<WatchingSignals>().Due, (worker, token) => worker.RereadAsync(token));
    }
}
