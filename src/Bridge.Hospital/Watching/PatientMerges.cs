using Bridge.Fhir.Watching;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>Which records of the source are known to be one patient's.</summary>
internal static class PatientLinkRows
{
    public sealed class Row
    {
        public string FromKey { get; init; } = "";
        public string IntoKey { get; init; } = "";
    }

    /// <summary>The record in use for each of these that was merged away; the others are not in it.</summary>
    public static async Task<Dictionary<string, string>> IntoAsync(Work work, IEnumerable<string> patientKeys)
    {
        var into = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var chunk in patientKeys.Distinct(StringComparer.Ordinal).Chunk(500))
            foreach (var row in await work.ListAsync<Row>("SELECT from_key AS FromKey, into_key AS IntoKey FROM patient_link WHERE from_key IN @chunk", new { chunk }))
                into[row.FromKey] = row.IntoKey;
        return into;
    }

    /// <summary>Stores what an enrolled patient's record says now; every record whose fate changed is walked.</summary>
    /// <returns>How many changed.</returns>
    public static async Task<int> StoreAsync(Work work, EnrolmentRow enrolment, PatientLinks links, DateTimeOffset now)
    {
        var known = await work.ListAsync<Row>(
            "SELECT from_key AS FromKey, into_key AS IntoKey FROM patient_link WHERE enrolment_id = @EnrolmentId", new { enrolment.EnrolmentId });
        var changed = 0;
        var wanted = MergeRules.Edges(links);
        foreach (var gone in known.Where(row => wanted.GetValueOrDefault(row.FromKey) != row.IntoKey))
        {
            await work.RunAsync("DELETE FROM patient_link WHERE from_key = @FromKey AND into_key = @IntoKey", gone);
            await PatientWalks.AskAsync(work, gone.FromKey, now);
            changed++;
        }
        foreach (var (from, into) in wanted)
            if (await work.InsertIfNewAsync(
                "patient_link (from_key, into_key, enrolment_id, seen_at) VALUES (@from, @into, @EnrolmentId, @now)",
                new { from, into, enrolment.EnrolmentId, now = now.ToUnixTimeMilliseconds() }))
            {
                await PatientWalks.AskAsync(work, from, now);
                changed++;
            }
        if (changed > 0)
            await AuditLog.AppendAsync(work, Actor.Bridge, "patient.merge", $"enrolment/{enrolment.EnrolmentId}", new { changed }, now);
        return changed;
    }
}

/// <summary>Pure reading of links.</summary>
internal static class MergeRules
{
    /// <summary>From which record into which, by what one patient's record says.</summary>
    public static IReadOnlyDictionary<string, string> Edges(PatientLinks links)
    {
        var edges = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var other in links.Replaces)
            edges[other] = links.PatientId;
        if (links.ReplacedBy is { } into)
            edges[links.PatientId] = into;
        return edges;
    }
}

/// <summary>
/// Looks whether records of enrolled patients were merged or parted. Neither touches an encounter, so no walk shows it; nobody else's record is read but those
/// that an enrolled patient's own names.
/// </summary>
internal sealed partial class PatientMerges(
    Database database, EncounterReader reader, WatchingOptions options, Instance instance, WatchingSignals signals, CrashPoints crash, TimeProvider clock, ILogger<PatientMerges> log)
{
    private const string LeaseName = "merges";
    private const int PageSize = 200;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var mine = await database.WriteAsync(async work =>
            !await PauseSwitch.IsOnAsync(work) && await Leases.TryTakeAsync(work, LeaseName, instance.Name, clock.GetUtcNow(), options.Reread), cancellationToken);
        if (!mine)
            return;
        var changed = 0;
        for (long after = 0; ;)
        {
            var page = await database.ReadAsync(work => EnrolmentRows.LivePageAsync(work, after, PageSize, clock.GetUtcNow()), cancellationToken);
            if (page.Count == 0)
                break;
            after = page[^1].EnrolmentId;
            var links = (await reader.ReadLinksAsync([.. page.Select(row => row.PatientKey)], cancellationToken)).ToDictionary(link => link.PatientId, StringComparer.Ordinal);
            // crash point watching.4: read, nothing stored; the next run reads the same.
            crash.Pass("watching.4");
            changed += await database.WriteAsync(async work =>
            {
                var count = 0;
                foreach (var row in page)
                    if (links.TryGetValue(row.PatientKey, out var link))
                        count += await PatientLinkRows.StoreAsync(work, row, link, clock.GetUtcNow());
                return count;
            }, cancellationToken);
        }
        if (changed == 0)
            return;
        Log.Merged(log, changed);
        signals.Sweep.Wake();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2003, Level = LogLevel.Information, Message = "{Count} patient records were merged or parted; their encounters are read again")]
        public static partial void Merged(ILogger logger, int count);
    }
}
