using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>How a run of a job ended.</summary>
internal enum JobOutcome
{
    Done,
    Failed,

    /// <summary>The process was told to stop.</summary>
    Stopped,
}

/// <summary>A stretch of runs of one job on one instance that ended alike, within an hour; or a single one.</summary>
internal sealed record JobRow
{
    public long RunId { get; init; }
    public string Job { get; init; } = "";
    public string Instance { get; init; } = "";

    /// <summary>Of the first run, in unix milliseconds; with job and instance it names the stretch.</summary>
    public long BeganAt { get; init; }
    public long LastBeganAt { get; init; }
    public long EndedAt { get; init; }
    public long Runs { get; init; }
    public long TotalMs { get; init; }
    public long LongestMs { get; init; }
    public JobOutcome Outcome { get; init; }

    /// <summary>Of the last run: types and codes, never data.</summary>
    public string? Fault { get; init; }
}

/// <summary>The history of jobs.</summary>
internal static class JobRows
{
    /// <summary>How many rows of each job are kept.</summary>
    public const int Kept = 500;

    private const string Columns =
        """
        run_id AS RunId, job AS Job, instance AS Instance, began_at AS BeganAt, last_began_at AS LastBeganAt, ended_at AS EndedAt, runs AS Runs, total_ms AS TotalMs,
        longest_ms AS LongestMs, outcome AS Outcome, fault AS Fault
        """;

    /// <summary>Stores a stretch as far as it has come; storing it again changes nothing. A job's oldest rows give way to a new one.</summary>
    public static async Task PutAsync(Work work, JobRow row)
    {
        var values = new { row.Job, row.Instance, row.BeganAt, row.LastBeganAt, row.EndedAt, row.Runs, row.TotalMs, row.LongestMs, outcome = row.Outcome.ToString(), row.Fault };
        if (await work.RunAsync(
                """
                UPDATE job_run SET last_began_at = @LastBeganAt, ended_at = @EndedAt, runs = @Runs, total_ms = @TotalMs, longest_ms = @LongestMs, outcome = @outcome, fault = @Fault
                WHERE job = @Job AND instance = @Instance AND began_at = @BeganAt
                """, values) > 0)
            return;
        await work.InsertIfNewAsync(
            """
            job_run (job, instance, began_at, last_began_at, ended_at, runs, total_ms, longest_ms, outcome, fault)
            VALUES (@Job, @Instance, @BeganAt, @LastBeganAt, @EndedAt, @Runs, @TotalMs, @LongestMs, @outcome, @Fault)
            """, values);
        if (await work.ScalarAsync<long?>("SELECT run_id FROM job_run WHERE job = @Job ORDER BY run_id DESC LIMIT 1 OFFSET @Kept", new { row.Job, Kept }) is { } last)
            await work.RunAsync("DELETE FROM job_run WHERE job = @Job AND run_id <= @last", new { row.Job, last });
    }

    /// <summary>A job's history, newest first; of all jobs where <paramref name="job"/> is null.</summary>
    public static Task<IReadOnlyList<JobRow>> PageAsync(Work work, string? job, long before, int limit) => work.ListAsync<JobRow>(
        $"SELECT {Columns} FROM job_run WHERE {(job is null ? "" : "job = @job AND ")}run_id < @before ORDER BY run_id DESC LIMIT @limit", new { job, before, limit });

    /// <summary>Of each job and instance the newest stretch.</summary>
    public static Task<IReadOnlyList<JobRow>> LatestAsync(Work work) =>
        work.ListAsync<JobRow>($"SELECT {Columns} FROM job_run WHERE run_id IN (SELECT MAX(run_id) FROM job_run GROUP BY job, instance)");
}
