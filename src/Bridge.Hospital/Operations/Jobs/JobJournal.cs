using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Notes each run of each job. Runs that end alike are one entry for up to an hour, so that a job of every second leaves as few rows as one of every day. Entries are kept
/// in memory until <see cref="StoreAsync"/>: what a killed process ran in its last seconds is not in the history.
/// </summary>
internal sealed class JobJournal(Database database, Instance instance, TimeProvider clock) : IHostedService, IDisposable
{
    private static readonly TimeSpan Stretch = TimeSpan.FromHours(1);
    private const int MaxUnstored = 1000;
    private const int MaxFault = 1000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, JobRow> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Job, long BeganAt), JobRow> _unstored = [];
    private readonly SemaphoreSlim _oneStore = new(1);

    /// <summary>Jobs that run now on this instance, and since when.</summary>
    public IReadOnlyDictionary<string, DateTimeOffset> Running
    {
        get
        {
            lock (_gate)
                return new Dictionary<string, DateTimeOffset>(_running, StringComparer.Ordinal);
        }
    }

    /// <summary>Each job's newest entry on this instance.</summary>
    public IReadOnlyList<JobRow> Latest
    {
        get
        {
            lock (_gate)
                return [.. _open.Values];
        }
    }

    public void Began(string job, DateTimeOffset at)
    {
        lock (_gate)
            _running[job] = at;
    }

    public void Ended(string job, DateTimeOffset began, TimeSpan took, JobOutcome outcome, string? fault)
    {
        var (beganAt, ms) = (began.ToUnixTimeMilliseconds(), (long)took.TotalMilliseconds);
        if (fault?.Length > MaxFault)
            fault = fault[..MaxFault];
        lock (_gate)
        {
            _running.Remove(job);
            var open = _open.GetValueOrDefault(job);
            var goesOn = open is not null && open.Outcome == outcome && open.Fault == fault && beganAt - open.BeganAt < Stretch.TotalMilliseconds;
            var row = goesOn
                ? open! with { LastBeganAt = beganAt, EndedAt = beganAt + ms, Runs = open.Runs + 1, TotalMs = open.TotalMs + ms, LongestMs = Math.Max(open.LongestMs, ms) }
                : new JobRow
                {
                    Job = job,
                    Instance = instance.Name,
                    // Two stretches may begin within a millisecond, or the clock be set back: each has a name of its own.
                    BeganAt = Math.Max(beganAt, open is null ? 0 : open.BeganAt + 1),
                    LastBeganAt = beganAt,
                    EndedAt = beganAt + ms,
                    Runs = 1,
                    TotalMs = ms,
                    LongestMs = ms,
                    Outcome = outcome,
                    Fault = fault,
                };
            _open[job] = row;
            _unstored[(job, row.BeganAt)] = row;
            if (_unstored.Count > MaxUnstored)
                _unstored.Remove(_unstored.MinBy(entry => entry.Key.BeganAt).Key);
        }
    }

    /// <summary>Puts into the tables what is new; what could not be stored is tried again next time.</summary>
    public async Task StoreAsync(CancellationToken cancellationToken)
    {
        await _oneStore.WaitAsync(cancellationToken);
        try
        {
            KeyValuePair<(string Job, long BeganAt), JobRow>[] news;
            lock (_gate)
                news = [.. _unstored];
            if (news.Length == 0)
                return;
            await database.WriteAsync(async work =>
            {
                foreach (var (_, row) in news.OrderBy(entry => entry.Key.BeganAt))
                    await JobRows.PutAsync(work, row);
            }, cancellationToken);
            lock (_gate)
                foreach (var (key, row) in news)
                    if (_unstored.GetValueOrDefault(key) == row)
                        _unstored.Remove(key);
        }
        finally
        {
            _oneStore.Release();
        }
    }

    public void Dispose() => _oneStore.Dispose();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var (job, since) in Running)
            Ended(job, since, clock.GetUtcNow() - since, JobOutcome.Stopped, null);
        try
        {
            await StoreAsync(cancellationToken);
        }
        catch (System.Data.Common.DbException)
        {
            // The database is away and the process goes: the logs have what failed.
        }
    }
}
