using System.Globalization;
using Bridge.Fhir.Watching;

namespace Bridge.Hospital.Checking;

/// <summary>What a FHIR server was seen to do with the searches that watching is made of.</summary>
/// <param name="SearchesAcross">It answers <c>Encounter?_lastUpdated=ge…&amp;_sort=_lastUpdated</c> without naming a patient; else why not.</param>
/// <param name="Refusal">What it answered instead.</param>
/// <param name="FiltersByLastUpdated">Asked for what changes tomorrow, it shows nothing.</param>
/// <param name="Sorts">A page comes in the order of lastUpdated.</param>
/// <param name="SearchesByPatient">It answers <c>Encounter?patient=…</c>; null where no patient was at hand to try it with.</param>
/// <param name="Subscriptions">It says that it takes subscriptions.</param>
/// <param name="BulkExport">It says that it exports in bulk.</param>
internal sealed record SeenSearches(
    bool SearchesAcross, string? Refusal, bool FiltersByLastUpdated, bool Sorts, bool? SearchesByPatient, bool Subscriptions, bool BulkExport);

/// <summary>Which way of watching is best here, and why.</summary>
internal sealed record WatchChoice(WatchStrategy? Strategy, string Why);

/// <summary>Calls to expect at the FHIR server in a day.</summary>
internal sealed record DailyCalls(long Watching, long Children, long Rereading, long Reconciling)
{
    public long Total => Watching + Children + Rereading + Reconciling;
}

/// <summary>Pure decisions of the check.</summary>
internal static class WatchAdvice
{
    /// <summary>Searches that one group of encounters' children cost: conditions, procedures, medication requests, patients, practitioners, roles.</summary>
    public const int ChildSearches = 6;

    // Kick-off, looks, files and farewell of the daily export.
    private const int ExportCalls = 50;

    /// <summary>The best way that the server was seen to support.</summary>
    /// <param name="seen">What it did.</param>
    /// <param name="canKnock">Whether it was told where this hospital takes notifications (<c>Watching:Subscription:Endpoint</c>).</param>
    public static WatchChoice Choose(SeenSearches seen, bool canKnock = false)
    {
        if (seen is { SearchesAcross: true, FiltersByLastUpdated: true })
        {
            var why = "the server searches encounters of all patients by _lastUpdated, and filters by it" + (seen.Sorts ? "" : "; it does not sort, so each walk is held until its last page");
            return seen.Subscriptions && canKnock
                ? new WatchChoice(WatchStrategy.Subscription, why + "; it takes subscriptions, which wake the watch at once, and the poll closes the gaps that they leave")
                : new WatchChoice(WatchStrategy.LastUpdated, why
                    + (seen.Subscriptions ? "; its subscriptions could only wake the watch earlier (Watching:Strategy Subscription), the poll stays what is relied on" : ""));
        }
        var refused = !seen.SearchesAcross
            ? $"a search across all patients is answered with {seen.Refusal}"
            : "the server ignores _lastUpdated: asked for what changes tomorrow it shows encounters, so that every walk would read all of them";
        if (seen.SearchesByPatient != false)
            return new WatchChoice(WatchStrategy.RosterSweep, refused + (seen.SearchesByPatient is null
                ? "; a search by patient could not be tried, for want of a patient: enrol one and check again"
                : "; it searches by patient, so each enrolled patient is asked for in turn")
                + (seen.BulkExport ? "; it exports in bulk, which can find daily what a sweep missed (Watching:Export)" : ""));
        return seen.BulkExport
            ? new WatchChoice(WatchStrategy.BulkExport, $"{refused}, and a search by patient is refused too; it exports in bulk")
            : new WatchChoice(null, $"{refused}, and a search by patient is refused too");
    }

    /// <summary>Whether a way works on the server at all, be it the best or not.</summary>
    public static bool Works(WatchStrategy strategy, SeenSearches seen) => strategy switch
    {
        WatchStrategy.LastUpdated => seen is { SearchesAcross: true, FiltersByLastUpdated: true },
        WatchStrategy.Subscription => seen is { SearchesAcross: true, FiltersByLastUpdated: true, Subscriptions: true },
        WatchStrategy.RosterSweep => seen.SearchesByPatient != false,
        _ => seen.BulkExport,
    };

    /// <summary>What the watch costs the server in a day.</summary>
    /// <param name="strategy">How it is watched.</param>
    /// <param name="interval">From one walk, or one round of all patients, to the next.</param>
    /// <param name="reread">How often a waiting summary's encounter is read again.</param>
    /// <param name="reconcile">How often the states are added up.</param>
    /// <param name="patients">Enrolled.</param>
    /// <param name="encountersOnServer">Finished ones, for the reconciliation's pages; null = not known.</param>
    /// <param name="watch">Page sizes.</param>
    public static DailyCalls PerDay(
        WatchStrategy strategy, TimeSpan interval, TimeSpan reread, TimeSpan reconcile, int patients, long? encountersOnServer, WatchOptions watch)
    {
        var rounds = TimeSpan.FromDays(1) / interval;
        // Ten finished encounters per patient and year; each is read when it is seen and once more before it is queued, in a group of its own at worst.
        var encounters = patients * 10 / 365.0;
        var waiting = Math.Ceiling(encounters * 2);
        return new DailyCalls(
            (long)Math.Ceiling(strategy switch { WatchStrategy.RosterSweep => rounds * patients, WatchStrategy.BulkExport => ExportCalls, _ => rounds }),
            (long)Math.Ceiling(encounters * 2 * ChildSearches),
            waiting == 0 ? 0 : (long)Math.Ceiling(TimeSpan.FromDays(1) / reread * (1 + ChildSearches) * Math.Ceiling(waiting / watch.ChildrenPerRequest)),
            (long)Math.Ceiling(TimeSpan.FromDays(1) / reconcile * Math.Max(1, Math.Ceiling((encountersOnServer ?? 0) / (double)watch.PageSize))));
    }

    public static string Describe(DailyCalls calls, WatchStrategy strategy, int patients, TimeSpan interval) => string.Create(
        CultureInfo.InvariantCulture,
        $"about {calls.Total} calls a day for {patients} enrolled patients ({strategy}, every {interval:c}): {calls.Watching} watching, {calls.Children} for what belongs to finished encounters (10 per patient and year), {calls.Rereading} reading again what waits for a doctor (two days), {calls.Reconciling} reconciling");

    /// <summary>How far two clocks lie apart, where one of them only tells whole seconds.</summary>
    /// <param name="before">Own clock before the question.</param>
    /// <param name="other">The other's answer, cut to its second.</param>
    /// <param name="after">Own clock after the answer.</param>
    public static TimeSpan Skew(DateTimeOffset before, DateTimeOffset other, DateTimeOffset after)
    {
        if (other > after)
            return other - after;
        return other + TimeSpan.FromSeconds(1) < before ? other + TimeSpan.FromSeconds(1) - before : TimeSpan.Zero;
    }
}
