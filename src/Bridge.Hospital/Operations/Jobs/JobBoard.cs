using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>A job as operators see it.</summary>
/// <param name="Job">Its name.</param>
/// <param name="EverySeconds">How often it is due; null where it runs all the time.</param>
/// <param name="RunningSince">Where it runs now, on this instance.</param>
/// <param name="Last">Its newest stretch on any instance.</param>
/// <param name="NextAt">When it is due again; events may wake it before.</param>
internal sealed record JobView(string Job, double? EverySeconds, DateTimeOffset? RunningSince, JobStretch? Last, DateTimeOffset? NextAt);

/// <summary>A stretch of runs that ended alike.</summary>
internal sealed record JobStretch(
    long? Id, string Job, string Instance, DateTimeOffset BeganAt, DateTimeOffset LastBeganAt, DateTimeOffset EndedAt, long Runs, long TotalMs, long LongestMs, string Outcome, string? Fault)
{
    public static JobStretch Of(JobRow row) => new(
        row.RunId == 0 ? null : row.RunId, row.Job, row.Instance, Time(row.BeganAt), Time(row.LastBeganAt), Time(row.EndedAt), row.Runs, row.TotalMs, row.LongestMs, row.Outcome.ToString(), row.Fault);

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}

/// <summary>The schedule of jobs: every instance knows it; the history tells which instance last did which.</summary>
internal sealed class JobBoard(IEnumerable<Stage> stages, StageBoard board, JobJournal journal, Instance instance)
{
    private readonly Stage[] _stages = [.. stages.OrderBy(stage => stage.Name, StringComparer.Ordinal)];

    public async Task<IReadOnlyList<JobView>> ReadAsync(Work work)
    {
        var newest = (await JobRows.LatestAsync(work)).Concat(journal.Latest)
            .GroupBy(row => row.Job, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.MaxBy(row => row.EndedAt)!, StringComparer.Ordinal);
        var running = journal.Running;
        var views = _stages.Select(stage =>
        {
            var last = newest.GetValueOrDefault(stage.Name);
            DateTimeOffset? since = running.TryGetValue(stage.Name, out var at) ? at : null;
            return new JobView(
                stage.Name, stage.Interval.TotalSeconds, since, last is null ? null : JobStretch.Of(last),
                last is null || since is not null ? null : DateTimeOffset.FromUnixTimeMilliseconds(last.LastBeganAt) + stage.Interval);
        }).ToList();
        // Not a job of ticks, but what it does is missed just as much.
        if (board.Of(LedgerListener.Stage) is { } listening)
            views.Add(new JobView(LedgerListener.Stage, null, listening.LastError is null ? listening.LastSuccess : null, Listening(listening), null));
        return views;
    }

    private JobStretch? Listening(StageRun run) => (run.LastError is null ? run.LastSuccess : run.LastFailure) is { } at
        ? new JobStretch(null, LedgerListener.Stage, instance.Name, at, at, at, run.Runs, 0, 0, (run.LastError is null ? JobOutcome.Done : JobOutcome.Failed).ToString(), run.LastError)
        : null;
}
