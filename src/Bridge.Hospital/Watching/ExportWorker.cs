using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>What outlives a crash of an export.</summary>
/// <param name="Path">What was exported; another one begins from the start.</param>
/// <param name="Job">Where the job under way is asked for; null = none.</param>
/// <param name="Since">Up to here everything was taken: the next job's <c>_since</c>.</param>
/// <param name="Started">When the job under way was asked for.</param>
/// <param name="Full">Whether the job under way brings everything, not only what changed.</param>
/// <param name="NotBefore">The server wants to be left alone until then.</param>
/// <param name="Ended">When the last export was taken.</param>
internal sealed record ExportState(string Path, Uri? Job, DateTimeOffset? Since, DateTimeOffset? Started, bool Full, DateTimeOffset? NotBefore, DateTimeOffset? Ended)
{
    private const string Bookmark = "export";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static async Task<ExportState> ReadAsync(Work work, string path)
    {
        var state = await Bookmarks.ReadAsync(work, Bookmark) is { } text ? JsonSerializer.Deserialize<ExportState>(text, Json) : null;
        return state?.Path == path ? state : new ExportState(path, null, null, null, false, null, null);
    }

    public Task KeepAsync(Work work, DateTimeOffset now) => Bookmarks.WriteAsync(work, Bookmark, JsonSerializer.Serialize(this, Json), now);
}

/// <summary>Pure decisions about the next step of an export.</summary>
internal static class ExportRules
{
    /// <summary>Longest time between two looks at a job, whatever the server asks for.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    private static readonly TimeSpan Unasked = TimeSpan.FromSeconds(30);

    /// <summary>Whether one is to begin: none is under way, the interval is over or somebody waits whom only a full one brings.</summary>
    public static bool Begins(ExportState state, TimeSpan interval, bool somebodyWaits, DateTimeOffset now) =>
        state.Job is null && (somebodyWaits || state.Ended is not { } ended || now - ended >= interval);

    /// <summary>When to ask again.</summary>
    public static DateTimeOffset AskAgain(TimeSpan? asked, DateTimeOffset now)
    {
        var wait = asked ?? Unasked;
        return now + (wait < LongestWait ? wait : LongestWait);
    }
}

/// <summary>
/// Bulk export as back-fill and daily reconciliation, or as the watch of a server that searches encounters no other way. Of the files, line by line, only the
/// names of encounters are kept that a walk would read and that are not stored in that version; those are read back from the server in the order of their
/// change. The moment up to which everything was taken moves when all of it is stored, so a crash at any point repeats what is not stored and nothing else.
/// </summary>
internal sealed partial class ExportWorker(
    Database database, BulkExport bulk, ExportOptions options, WatchingOptions watching, WatchWorker worker, Instance instance, CrashPoints crash, TimeProvider clock,
    ILogger<ExportWorker> log)
{
    private const string LeaseName = "export";
    private const int LookedUpTogether = 500;
    private static readonly string[] Types = ["Encounter"];
    private static readonly TimeSpan AfterAFailure = TimeSpan.FromMinutes(10);

    /// <summary>One step: begins a job, asks how it stands, or takes what it brought.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var (mine, state, waiting) = await database.WriteAsync(async work =>
            (!await PauseSwitch.IsOnAsync(work) && await Leases.TryTakeAsync(work, LeaseName, instance.Name, clock.GetUtcNow(), WatchWorker.Lease),
                await ExportState.ReadAsync(work, options.Path),
                watching.Strategy == WatchStrategy.BulkExport && await work.ScalarAsync<long>("SELECT (SELECT COUNT(*) FROM sweep) + (SELECT COUNT(*) FROM patient_walk)") > 0),
            cancellationToken);
        var now = clock.GetUtcNow();
        if (!mine || state.NotBefore > now)
            return;
        if (state.Job is null)
        {
            if (ExportRules.Begins(state, options.Interval, waiting, now))
                await BeginAsync(state, waiting, cancellationToken);
            else if (watching.Strategy == WatchStrategy.BulkExport)
                await database.WriteAsync(work => Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, Cursor.StartingAt(state.Since ?? now).ToString(), now), cancellationToken);
            return;
        }
        try
        {
            var step = await bulk.LookAsync(state.Job, cancellationToken);
            if (step.Manifest is { } manifest)
                await TakeAsync(state, manifest, cancellationToken);
            else
                await KeepAsync(state with { NotBefore = ExportRules.AskAgain(step.NotBefore, now) }, cancellationToken);
        }
        catch (FhirException e) when (e.Fault is FhirFault.Gone or FhirFault.NotFound or FhirFault.ServerError or FhirFault.Garbage or FhirFault.Refused)
        {
            // The job failed or its files are gone: another one brings the same, since nothing was said to be taken.
            await KeepAsync(state with { Job = null, NotBefore = now + AfterAFailure }, cancellationToken);
            throw;
        }
    }

    private async Task BeginAsync(ExportState state, bool full, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        full |= state.Since is null;
        var step = await bulk.StartAsync(options.Path, full ? null : state.Since, Types, cancellationToken);
        // crash point watching.5: the server has begun, nobody here knows; it refuses a second job until the first is done, and is asked again.
        crash.Pass("watching.5");
        if (step.Job is null)
            Log.Throttled(log, step.NotBefore ?? TimeSpan.Zero);
        await KeepAsync(step.Job is null
            ? state with { NotBefore = ExportRules.AskAgain(step.NotBefore, now) }
            : state with { Job = step.Job, Started = now, Full = full, NotBefore = null }, cancellationToken);
    }

    private async Task TakeAsync(ExportState state, ExportManifest manifest, CancellationToken cancellationToken)
    {
        var wanted = new Dictionary<string, (string Id, DateTimeOffset At)>(StringComparer.Ordinal);
        var looking = new List<EncounterSighting>(LookedUpTogether);
        var again = await AgainAsync(state, cancellationToken);
        long lines = 0;
        foreach (var file in manifest.Output.Where(file => file.Type == "Encounter"))
        {
            await foreach (var line in bulk.ReadAsync(file, cancellationToken))
            {
                lines++;
                // The bytes are not held: of an encounter that cannot be read, its own search will say what is wrong.
                looking.Add(EncounterSighting.Of(line).WithoutResource());
                if (looking.Count == LookedUpTogether)
                    await PickAsync(looking, again, wanted, cancellationToken);
            }
        }
        await PickAsync(looking, again, wanted, cancellationToken);
        var gone = new List<string>();
        foreach (var file in manifest.Deleted)
            await foreach (var line in bulk.ReadAsync(file, cancellationToken))
                gone.AddRange(BulkExport.DeletedOf(line, "Encounter"));
        if (!await worker.TakeEncountersAsync([.. wanted.Values.OrderBy(one => one.At).Select(one => one.Id)], cancellationToken))
            return;
        await worker.LookForGoneAsync(gone, cancellationToken);
        // crash point watching.6: all of it is stored, the moment has not moved; the next start asks the job again and finds nothing new.
        crash.Pass("watching.6");
        var now = clock.GetUtcNow();
        var stored = await database.WriteAsync(async work =>
        {
            if (await PauseSwitch.IsOnAsync(work) || !await Leases.TryTakeAsync(work, LeaseName, instance.Name, now, WatchWorker.Lease))
                return false;
            await (state with { Job = null, Since = manifest.TransactionTime, NotBefore = null, Ended = now }).KeepAsync(work, now);
            if (watching.Strategy != WatchStrategy.BulkExport)
                return true;
            if (state.Full)
            {
                await work.RunAsync("DELETE FROM sweep WHERE created_at <= @started", new { started = state.Started!.Value.ToUnixTimeMilliseconds() });
                await work.RunAsync("DELETE FROM patient_walk WHERE asked_at <= @started", new { started = state.Started!.Value.ToUnixTimeMilliseconds() });
            }
            await Bookmarks.WriteAsync(work, Bookmarks.WatchCursor, Cursor.StartingAt(manifest.TransactionTime).ToString(), now);
            return true;
        }, cancellationToken);
        if (!stored)
            return;
        Log.Taken(log, lines, wanted.Count, manifest.TransactionTime);
        await bulk.EndAsync(state.Job!, cancellationToken);
    }

    // Whoever enrolled, or whose record was merged, since the last full one is read from the start, whatever is stored.
    private async Task<HashSet<string>> AgainAsync(ExportState state, CancellationToken cancellationToken) =>
        !state.Full || watching.Strategy != WatchStrategy.BulkExport
            ? []
            : (await database.ReadAsync(
                work => work.ListAsync<string>("SELECT patient_key FROM sweep UNION SELECT patient_key FROM patient_walk"), cancellationToken)).ToHashSet(StringComparer.Ordinal);

    private async Task PickAsync(
        List<EncounterSighting> looking, HashSet<string> again, Dictionary<string, (string Id, DateTimeOffset At)> wanted, CancellationToken cancellationToken)
    {
        foreach (var sighting in await worker.NewAmongAsync(looking, again, cancellationToken))
            wanted[sighting.EncounterId] = (sighting.EncounterId, sighting.LastUpdated ?? DateTimeOffset.MinValue);
        looking.Clear();
    }

    private Task KeepAsync(ExportState state, CancellationToken cancellationToken) =>
        database.WriteAsync(work => state.KeepAsync(work, clock.GetUtcNow()), cancellationToken);

    private static partial class Log
    {
        [LoggerMessage(EventId = 2020, Level = LogLevel.Information, Message = "The FHIR server takes no export now; asked again in {Wait}")]
        public static partial void Throttled(ILogger logger, TimeSpan wait);

        [LoggerMessage(EventId = 2021, Level = LogLevel.Information, Message = "Took an export: {Lines} encounters, {Read} of them read; it covers everything until {Until:O}")]
        public static partial void Taken(ILogger logger, long lines, int read, DateTimeOffset until);
    }
}
