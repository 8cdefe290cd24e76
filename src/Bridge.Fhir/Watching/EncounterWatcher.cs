using System.Globalization;
using System.Runtime.CompilerServices;
using Bridge.Fhir.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.Fhir.Watching;

/// <summary>
/// Finds changed encounters. A walk asks for everything at or after the cursor, of any status (a status filter would hide
/// corrections and re-opening), drops what the cursor has seen, and hands the rest out page by page, each with the cursor that covers
/// it. What becomes visible late, within the overlap, is found by the next walk. Delivery is at least once: a crash before the
/// caller's commit brings the same sightings again.
/// </summary>
public sealed class EncounterWatcher
{
    private readonly FhirClient _client;
    private readonly WatchOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private volatile bool _serverIgnoresSort;

    /// <summary>Creates a watcher over one server.</summary>
    public EncounterWatcher(FhirClient client, WatchOptions options, TimeProvider? time = null, ILogger<EncounterWatcher>? log = null)
    {
        _client = client;
        _options = options;
        _time = time ?? TimeProvider.System;
        _log = log ?? NullLogger<EncounterWatcher>.Instance;
    }

    /// <summary>One walk across the server (<see cref="WatchStrategy.LastUpdated"/>). The caller repeats it at its own interval.</summary>
    /// <param name="from">Where the last committed batch ended.</param>
    /// <param name="cancellation">Ends it; throttling and outages do not.</param>
    /// <exception cref="FhirException">The server refuses the search, or page links keep expiring.</exception>
    public IAsyncEnumerable<WatchBatch> WalkAsync(Cursor from, CancellationToken cancellation = default) =>
        WalkAsync(from, () => new FhirSearch("Encounter")
            .Where("_lastUpdated", "ge" + Instant(from.From))
            .Where("_sort", "_lastUpdated")
            .Where("_count", Count()), cancellation);

    /// <summary>
    /// One walk over a single patient's encounters (<see cref="WatchStrategy.RosterSweep"/>), with a cursor of that patient's own.
    /// Servers that need this sort by their own order and may ignore <c>_lastUpdated</c>: all encounters are read, and told by version.
    /// </summary>
    public IAsyncEnumerable<WatchBatch> WalkPatientAsync(string patientId, Cursor from, CancellationToken cancellation = default) =>
        WalkAsync(from, () => new FhirSearch("Encounter").Where("patient", patientId).Where("_count", Count()), cancellation, wholeSet: true);

    private string Count() => _options.PageSize.ToString(CultureInfo.InvariantCulture);

    private static string Instant(DateTimeOffset at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    private async IAsyncEnumerable<WatchBatch> WalkAsync(
        Cursor from, Func<FhirSearch> search, [EnumeratorCancellation] CancellationToken cancellation, bool wholeSet = false)
    {
        var walk = new Walk(from, _options.Overlap);
        var restarts = 0;
        FhirPage? page = null;
        var began = false;
        var waiting = new List<EncounterSighting>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // the page after the one that the caller is working on
        Task<FhirPage?>? ahead = null;
        try
        {
            while (true)
            {
                FhirPage? next;
                try
                {
                    next = began ? await ahead! : await _client.SearchAsync(search(), cancellation);
                }
                catch (FhirException e) when (began && e.Fault is FhirFault.Gone or FhirFault.NotFound && restarts < _options.RestartsPerWalk)
                {
                    // the page link expired: the walk starts again from the cursor; what it has delivered is remembered
                    restarts++;
                    WatchLog.Restarted(_log, restarts);
                    (began, page, ahead) = (false, null, null);
                    continue;
                }
                if (!began)
                    walk.Begin(_time.GetUtcNow(), next!.ServerTime);
                began = true;
                if (next is null)
                    break;
                page = next;
                ahead = page.Next is null ? null : _client.NextAsync(page, stop.Token);
                var fresh = walk.Take(page, out var outOfOrder);
                if (outOfOrder && !_serverIgnoresSort)
                {
                    _serverIgnoresSort = true;
                    if (!wholeSet)
                        WatchLog.SortIgnored(_log);
                }
                if (_serverIgnoresSort || wholeSet)
                    waiting.AddRange(fresh);
                else if (page.Next is not null)
                    yield return new WatchBatch(fresh, walk.Middle(), EndsWalk: false);
                else
                    waiting.AddRange(fresh);
                if (page.Next is null)
                    break;
            }
            yield return new WatchBatch(PatientOrder.Sort(waiting), walk.End(wholeSet), EndsWalk: true);
        }
        finally
        {
            // a caller that stops in mid-walk leaves a request behind
            await stop.CancelAsync();
            if (ahead is not null)
                await ((Task)ahead).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What one walk has come across.</summary>
    private sealed class Walk
    {
        private readonly Cursor _from;
        private readonly TimeSpan _overlap;

        // every version at or after the cursor that the server shows in this walk, with its time
        private readonly Dictionary<ulong, DateTimeOffset?> _met = [];
        // of them, those that the cursor in mid-walk has not taken in yet
        private readonly List<ulong> _fresh = [];
        private Cursor _middle;
        private DateTimeOffset _horizon;
        private DateTimeOffset _highest;
        private DateTimeOffset _last = DateTimeOffset.MinValue;
        private DateTimeOffset _earliestFresh = DateTimeOffset.MaxValue;
        private int _pages;

        public Walk(Cursor from, TimeSpan overlap) => (_from, _overlap, _middle, _highest) = (from, overlap, from, from.From);

        public void Begin(DateTimeOffset now, DateTimeOffset? serverNow)
        {
            // the slower of the two clocks: a cursor too far ahead would lose rows, one too far behind only reads again
            var slower = serverNow is { } s && s < now ? s : now;
            var horizon = slower - _overlap;
            _horizon = _horizon == default || horizon < _horizon ? horizon : _horizon;
            _last = DateTimeOffset.MinValue;
        }

        public List<EncounterSighting> Take(FhirPage page, out bool outOfOrder)
        {
            outOfOrder = false;
            var fresh = new List<EncounterSighting>();
            _pages++;
            foreach (var resource in page.Resources)
            {
                // includes and outcomes are not asked for; some servers send them all the same
                if (!resource.Oversize && BundleFraming.TypeOf(resource.Json.Span) is not ("Encounter" or null))
                    continue;
                var sighting = SightingReader.Read(resource);
                var key = Cursor.Key(sighting.EncounterId, sighting.Version);
                if (sighting.LastUpdated is { } at)
                {
                    outOfOrder |= at < _last;
                    _last = at;
                    if (at > _highest)
                        _highest = at;
                }
                if (!_met.TryAdd(key, sighting.LastUpdated) || _from.HasSeen(key))
                    continue;
                _fresh.Add(key);
                fresh.Add(sighting);
                if (sighting.LastUpdated < _earliestFresh)
                    _earliestFresh = sighting.LastUpdated.Value;
            }
            return PatientOrder.Sort(fresh);
        }

        /// <summary>In mid-walk the moment stays: a server that does not sort may still hold older rows back for later pages.</summary>
        public Cursor Middle()
        {
            _middle = _middle.With(_fresh);
            _fresh.Clear();
            return _middle;
        }

        public Cursor End(bool wholeSet)
        {
            if (wholeSet)
                return Cursor.Of(_from.From, _met.Keys);
            var reached = _highest < _horizon ? _highest : _horizon;
            // where pages are offsets into what matches now, a row that changes between two of them moves those behind it forward, and one is never
            // shown: a walk of several pages covers only what the walk before it had seen as well
            if (_pages > 1 && _earliestFresh < reached)
                reached = _earliestFresh;
            var moment = Cursor.WholeSecond(reached > _from.From ? reached : _from.From);
            return Cursor.Of(moment, _met.Where(m => m.Value is null || m.Value >= moment).Select(m => m.Key));
        }
    }
}
