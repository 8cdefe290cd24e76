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
    Database database, EncounterWatcher watcher, EncounterReader reader, FhirClient fhir, Intake intake, WatchingOptions options, Instance instance, CrashPoints crash,
    HospitalMetrics metrics, TimeProvider clock, ILogger<WatchWorker> log)
{
    /// <summary>Who watches, where several instances share a database.</summary>
    public const string LeaseName = "watch";

    public static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    /// <summary>One walk over what changed.</summary>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        var (stored, mine) = await database.WriteAsync(async work => await PauseSwitch.IsOnAsync(work)
            ? (null, false)
            : (await Bookmarks.ReadAsync(work, Bookmarks.WatchCursor), await TakeLeaseAsync(work)), cancellationToken);
        if (!mine)
            return;
        var cursor = stored is null ? Cursor.StartingAt(options.Since ?? clock.GetUtcNow() - options.Watch.Overlap) : Cursor.Parse(stored);
        // The next pages are fetched and read while one is stored. What stands in those before may not be stored yet, and counts as known all the same.
        var before = new Queue<Task<IReadOnlyList<EncounterSighting>>>();
        await foreach (var (batch, prepared) in watcher.WalkAsync(cursor, cancellationToken).AheadAsync((batch, token) =>
        {
            var wanted = WantedAfterAsync(batch.Sightings, [.. before], token);
            before.Enqueue(wanted);
            if (before.Count > ReadAhead.Steps)
                before.Dequeue();
            return PrepareAsync(batch.Sightings, wanted, token);
        }, cancellationToken))
        {
            if (!await StoreAsync(prepared, async work =>
                {
                    if (!await TakeLeaseAsync(work))
                        return false;
                    await Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, batch.Next.ToString(), clock.GetUtcNow());
                    return true;
                }, cancellationToken))
                return;
        }
    }

    /// <summary>Reads all encounters of patients who enrolled lately.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        if (await database.ReadAsync(
                async work => await PauseSwitch.IsOnAsync(work)
                    || await work.ScalarAsync<long>("SELECT (SELECT COUNT(*) FROM sweep) + (SELECT COUNT(*) FROM patient_walk)") == 0, cancellationToken)
            || !await database.WriteAsync(work => Leases.TryTakeAsync(work, "sweep", instance.Name, clock.GetUtcNow(), Lease), cancellationToken))
            return;
        await WalkPatientsAsync(cancellationToken);
        foreach (var (enrolmentId, patient) in await database.ReadAsync(
            async work => (await work.ListAsync<Sweep>("SELECT enrolment_id AS EnrolmentId, patient_key AS PatientKey FROM sweep ORDER BY created_at LIMIT 1000"))
                .Select(sweep => (sweep.EnrolmentId, sweep.PatientKey)).ToList(), cancellationToken))
        {
            await foreach (var batch in watcher.WalkPatientAsync(patient, Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellationToken))
                if (!await TakeBatchAsync(batch.Sightings, async work =>
                    {
                        if (!batch.EndsWalk)
                            return true;
                        await work.RunAsync("DELETE FROM sweep WHERE enrolment_id = @enrolmentId", new { enrolmentId });
                        if (options.Strategy == WatchStrategy.RosterSweep)
                            await RosterRows.KeepAsync(work, new RosterEntry { PatientKey = patient, EnrolmentId = enrolmentId }, batch.Next, clock.GetUtcNow());
                        return true;
                    }, cancellationToken))
                    return;
        }
    }

    // Encounters of a patient whose record was merged or parted, or of whom something is no longer said.
    private async Task WalkPatientsAsync(CancellationToken cancellationToken)
    {
        foreach (var walk in await database.ReadAsync(work => PatientWalks.DueAsync(work, 1000), cancellationToken))
        {
            await foreach (var batch in watcher.WalkPatientAsync(walk.PatientKey, Cursor.StartingAt(DateTimeOffset.UnixEpoch), cancellationToken))
                if (!await TakeBatchAsync(batch.Sightings, async work =>
                    {
                        if (batch.EndsWalk)
                            await PatientWalks.DoneAsync(work, walk);
                        return true;
                    }, cancellationToken))
                    return;
        }
    }

    /// <summary>Reads again what settles, waits for a doctor, has none yet or waits to leave, where it is due; and once what was anchored.</summary>
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
                foreach (var row in await SummaryRows.DueAsync(work, now, 100))
                    if (await work.RunAsync(
                        "UPDATE summary SET lease_owner = @owner, lease_until = @until WHERE row_id = @RowId AND revision = @Revision AND lease_until <= @now",
                        new { row.RowId, row.Revision, owner = instance.Name, now = now.ToUnixTimeMilliseconds(), until = (now + Lease).ToUnixTimeMilliseconds() }) == 1)
                        mine.Add(row);
                return mine;
            }, cancellationToken);
            if (due.Count == 0)
                return;
            await LookAsync(due, due.Count, cancellationToken);
        }
    }

    /// <summary>Reads the encounters of these rows again; what the source no longer has is ended.</summary>
    /// <param name="rows">Whose encounters.</param>
    /// <param name="among">Of how many they were picked: where too many of those are gone at once, it is the server that is at fault.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SourceShrankException">More is gone than a hospital deletes; nothing was changed.</exception>
    public async Task LookAsync(IReadOnlyList<SummaryRow> rows, int among, CancellationToken cancellationToken)
    {
        var files = await reader.ReadAgainAsync([.. rows.Select(row => row.EncounterKey)], cancellationToken);
        var absent = rows.Zip(files).Where(pair => pair.Second is null).Select(pair => pair.First.EncounterKey).ToList();
        if (!GoneRules.IsPlausible(absent.Count, among))
            throw new SourceShrankException(absent.Count, among);
        var gone = new HashSet<string>(StringComparer.Ordinal);
        foreach (var encounter in absent)
            if (await IsGoneAsync(encounter, cancellationToken))
                gone.Add(encounter);
        // crash point watching.3: read again, nothing stored; the rows are still due when their leases end.
        crash.Pass("watching.3");
        await database.WriteAsync(async work =>
        {
            var batch = await IntakeBatch.ReadAsync(work, rows.Select(row => row.EncounterKey), rows.Select(row => row.PatientKey), clock.GetUtcNow());
            foreach (var (row, file) in rows.Zip(files).OrderBy(pair => pair.First.FinishedAt).ThenBy(pair => pair.First.RowId))
                if (file is not null)
                    await intake.TakeAsync(work, batch, intake.Look(file, clock.GetUtcNow()), row.EncounterKey, clock.GetUtcNow());
                else if (gone.Contains(row.EncounterKey))
                    await intake.GoneAsync(work, row.EncounterKey, clock.GetUtcNow());
            // Whatever could not be placed is looked at again later, not at once; what stands, not at all.
            await work.RunAsync(
                """
                UPDATE summary SET ready_at = CASE WHEN status = 'Anchored' THEN 0 ELSE @later END, lease_owner = NULL, lease_until = 0
                WHERE row_id IN @rows AND lease_owner = @owner
                """,
                new { rows = rows.Select(row => row.RowId), owner = instance.Name, later = (clock.GetUtcNow() + options.Reread).ToUnixTimeMilliseconds() });
        }, cancellationToken);
    }

    // A search may lag behind or be cut short; only the server's own word about the one encounter ends it.
    private async Task<bool> IsGoneAsync(string encounter, CancellationToken cancellationToken)
    {
        try
        {
            return await fhir.ReadAsync("Encounter", encounter, cancellationToken) is null;
        }
        catch (FhirException e) when (e.Fault is FhirFault.NotFound or FhirFault.Gone)
        {
            return true;
        }
    }

    /// <summary>Those of these sightings that a walk would read, and of which not this very version is stored already; of some patients, all.</summary>
    public async Task<IReadOnlyList<EncounterSighting>> NewAmongAsync(IReadOnlyList<EncounterSighting> sightings, IReadOnlySet<string> again, CancellationToken cancellationToken)
    {
        var wanted = await WantedAsync(sightings, [], cancellationToken);
        if (wanted.Count == 0)
            return wanted;
        var stored = await database.ReadAsync(work => EncounterRows.VersionsAsync(work, wanted.Select(sighting => sighting.EncounterId)), cancellationToken);
        return [.. wanted.Where(sighting => stored.GetValueOrDefault(sighting.EncounterId) != sighting.Version || sighting.PatientId is { } patient && again.Contains(patient))];
    }

    /// <summary>Looks for the rows of encounters that are said to be gone; the server's own word about each decides.</summary>
    public async Task LookForGoneAsync(IReadOnlyList<string> encounters, CancellationToken cancellationToken)
    {
        foreach (var chunk in encounters.Distinct(StringComparer.Ordinal).Chunk(100))
        {
            var rows = await database.ReadAsync(work => EncounterRows.CurrentAsync(work, chunk), cancellationToken);
            if (rows.Count > 0)
                await LookAsync(rows, encounters.Count, cancellationToken);
        }
    }

    /// <summary>
    /// Reads these encounters now, as the walk will when it comes to them; of what may not be read, only what the walk reads too. False where it must stop.
    /// </summary>
    public async Task<bool> TakeEncountersAsync(IReadOnlyList<string> encounters, CancellationToken cancellationToken)
    {
        foreach (var chunk in encounters.Distinct(StringComparer.Ordinal).Chunk(options.Watch.PageSize))
        {
            var sightings = await reader.FindAsync(chunk, cancellationToken);
            if (!await TakeBatchAsync(sightings, _ => Task.FromResult(true), cancellationToken))
                return false;
        }
        return true;
    }

    /// <summary>
    /// Stores what these sightings lead to, with what <paramref name="advance"/> writes, in one transaction. False where the walk must stop: another instance has
    /// taken it over, or the bridge was paused.
    /// </summary>
    public async Task<bool> TakeBatchAsync(IReadOnlyList<EncounterSighting> sightings, Func<Work, Task<bool>> advance, CancellationToken cancellationToken) =>
        await StoreAsync(await PrepareAsync(sightings, WantedAsync(sightings, [], cancellationToken), cancellationToken), advance, cancellationToken);

    /// <summary>What is to be read of some sightings, and what was read of it.</summary>
    private sealed record Prepared(IReadOnlyList<EncounterSighting> Seen, IReadOnlyList<EncounterSighting> Wanted, IReadOnlyList<EncounterReading> Readings);

    private async Task<Prepared> PrepareAsync(
        IReadOnlyList<EncounterSighting> sightings, Task<IReadOnlyList<EncounterSighting>> wanting, CancellationToken cancellationToken)
    {
        var wanted = await wanting;
        var now = clock.GetUtcNow();
        return new Prepared(sightings, wanted, wanted.Count == 0 ? [] : await reader.ReadAsync(wanted, file => intake.Look(file, now), cancellationToken));
    }

    private async Task<bool> StoreAsync(Prepared prepared, Func<Work, Task<bool>> advance, CancellationToken cancellationToken)
    {
        // crash point watching.1: read, nothing stored; the next walk brings the same.
        crash.Pass("watching.1");
        var counted = new List<SummaryStatus>();
        var went = await database.WriteAsync(async work =>
        {
            counted.Clear();
            if (await PauseSwitch.IsOnAsync(work) || !await advance(work))
                return false;
            if (prepared.Wanted.Count == 0)
                return true;
            var batch = await IntakeBatch.ReadAsync(
                work, prepared.Wanted.Select(sighting => sighting.EncounterId), prepared.Readings.Select(reading => reading.First.PatientId), clock.GetUtcNow());
            foreach (var (sighting, reading) in prepared.Wanted.Zip(prepared.Readings))
                if (await intake.TakeAsync(work, batch, reading, sighting.EncounterId, clock.GetUtcNow()) is { } status)
                    counted.Add(status);
            return true;
        }, cancellationToken);
        // crash point watching.2: rows and cursor are stored together.
        crash.Pass("watching.2");
        foreach (var status in counted)
            metrics.Encounter(status.ToString());
        if (counted.Count > 0)
            Log.Took(log, counted.Count, prepared.Seen.Count);
        return went;
    }

    private async Task<IReadOnlyList<EncounterSighting>> WantedAfterAsync(
        IReadOnlyList<EncounterSighting> sightings, Task<IReadOnlyList<EncounterSighting>>[] before, CancellationToken cancellationToken) =>
        await WantedAsync(sightings, [.. (await Task.WhenAll(before)).SelectMany(earlier => earlier)], cancellationToken);

    // Children are read only of finished encounters of patients with a live consent, and of those a row exists for, whoever's they are now.
    private async Task<IReadOnlyList<EncounterSighting>> WantedAsync(
        IReadOnlyList<EncounterSighting> sightings, IReadOnlyList<EncounterSighting> before, CancellationToken cancellationToken)
    {
        foreach (var sighting in sightings)
            if (sighting.Poison != SetAsideReason.None && sighting.PatientId is null)
            {
                metrics.Unreadable(sighting.Poison.ToString());
                Log.Unreadable(log, sighting.Poison);
            }
        return await database.ReadAsync<IReadOnlyList<EncounterSighting>>(async work =>
        {
            var named = sightings.Select(sighting => sighting.PatientId).OfType<string>().ToList();
            var into = await PatientLinkRows.IntoAsync(work, named);
            var live = await EnrolmentRows.LiveAmongAsync(work, named.Concat(into.Values), clock.GetUtcNow());
            var known = await EncounterRows.KnownAmongAsync(work, sightings.Select(sighting => sighting.EncounterId));
            known.UnionWith(before.Select(sighting => sighting.EncounterId));
            return [.. sightings.Where(sighting => sighting.EncounterId.Length > 0
                && (known.Contains(sighting.EncounterId)
                    || sighting.PatientId is { } patient && live.ContainsKey(into.GetValueOrDefault(patient, patient)) && (sighting.IsFinished || sighting.Poison != SetAsideReason.None)))];
        }, cancellationToken);
    }

    private Task<bool> TakeLeaseAsync(Work work) => Leases.TryTakeAsync(work, LeaseName, instance.Name, clock.GetUtcNow(), Lease);

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
        services.AddSingleton(_ => extraction.Extractor(options.Ready));
        services.AddSingleton<Intake>();
        services.AddSingleton<WatchWorker>();
        services.AddSingleton<PatientMerges>();
        services.AddStage<PatientMerges>("merges", _ => options.Reread, _ => null, (worker, token) => worker.RunAsync(token));
        if (options.Export is { } export)
        {
            services.AddSingleton(export).AddSingleton<ExportWorker>();
            services.AddSingleton(provider => new BulkExport(provider.GetRequiredService<FhirClient>()));
            services.AddStage<ExportWorker>(
                options.Strategy == WatchStrategy.BulkExport ? Stage : "export", _ => options.Interval,
                provider => options.Strategy == WatchStrategy.BulkExport ? provider.GetRequiredService<WatchingSignals>().Sweep : null, (worker, token) => worker.RunAsync(token));
        }
        if (options.Strategy == WatchStrategy.RosterSweep)
            services.AddSingleton<RosterSweep>().AddStage<RosterSweep>(Stage, _ => options.Interval, Watch, (sweep, token) => sweep.RunAsync(token));
        else if (options.Strategy != WatchStrategy.BulkExport)
            services.AddStage<WatchWorker>(Stage, _ => options.Interval, Watch, (worker, token) => worker.WatchAsync(token));
        if (options.Subscription is { } subscription)
        {
            services.AddSingleton(subscription).AddSingleton<Notifications>().AddSingleton<SubscriptionWorker>();
            services.AddSingleton(provider => new FhirSubscriptions(provider.GetRequiredService<FhirClient>()));
            services.AddStage<SubscriptionWorker>("subscription", _ => subscription.Check, _ => null, (worker, token) => worker.RunAsync(token));
        }
        // Where encounters come by export only, a full one brings what was before.
        if (options.Strategy != WatchStrategy.BulkExport)
            services.AddStage<WatchWorker>(
                "sweep", _ => options.Interval, provider => provider.GetRequiredService<WatchingSignals>().Sweep, (worker, token) => worker.SweepAsync(token));
        services.AddStage<WatchWorker>(
            "reread", _ => options.Interval, provider => provider.GetRequiredService<WatchingSignals>().Due, (worker, token) => worker.RereadAsync(token));

        static Wakeable Watch(IServiceProvider provider) => provider.GetRequiredService<WatchingSignals>().Watch;
    }
}
