using System.Collections.Concurrent;
using Quartz;

namespace Bridge.Hospital.Operations;

/// <summary>A piece of periodic work. Runs of one stage never overlap in a process; row leases keep instances apart.</summary>
/// <param name="Name">For logs, health and metrics.</param>
/// <param name="Interval">From one tick to the next.</param>
/// <param name="Wakeable">Runs it before its tick; null where nothing does.</param>
/// <param name="RunAsync">One run. Throwing is logged and counted; the next tick tries again.</param>
/// <param name="TellsTheLedger">Whether it says to the ledger what its tables say: not before they are known to be the newest.</param>
internal sealed record Stage(string Name, TimeSpan Interval, Wakeable? Wakeable, Func<CancellationToken, Task> RunAsync, bool TellsTheLedger = false);

/// <summary>How a stage has been faring.</summary>
internal sealed record StageRun(DateTimeOffset? LastSuccess, DateTimeOffset? LastFailure, string? LastError, long Runs, long Failures);

/// <summary>What health and operators are told about stages.</summary>
internal sealed class StageBoard
{
    private readonly ConcurrentDictionary<string, StageRun> _runs = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, StageRun> Runs => _runs;

    public StageRun? Of(string stage) => _runs.GetValueOrDefault(stage);

    public void Succeeded(string stage, DateTimeOffset now) => _runs.AddOrUpdate(
        stage, _ => new StageRun(now, null, null, 1, 0), (_, run) => run with { LastSuccess = now, LastError = null, Runs = run.Runs + 1 });

    public void Failed(string stage, string error, DateTimeOffset now) => _runs.AddOrUpdate(
        stage, _ => new StageRun(null, now, error, 1, 1),
        (_, run) => run with { LastFailure = now, LastError = error, Runs = run.Runs + 1, Failures = run.Failures + 1 });
}

/// <summary>Turns stages into Quartz jobs in memory: Quartz gives the ticks, the tables say who does the work.</summary>
internal sealed class StageTicker(ISchedulerFactory schedulers, IEnumerable<Stage> stages, StageRunner runner) : IHostedService
{
    private readonly Stage[] _stages = [.. stages];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var scheduler = await schedulers.GetScheduler(cancellationToken);
        foreach (var stage in _stages)
        {
            var key = new JobKey(stage.Name);
            var job = JobBuilder.Create<StageJob>().WithIdentity(key).Build();
            var trigger = TriggerBuilder.Create().WithIdentity(stage.Name).StartNow()
                .WithSimpleSchedule(schedule => schedule.WithInterval(stage.Interval).RepeatForever())
                .Build();
            await scheduler.ScheduleJob(job, trigger, cancellationToken: cancellationToken);
            stage.Wakeable?.Connect(() => runner.Wake(scheduler, key));
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>Runs stages by name.</summary>
internal sealed partial class StageRunner(
    IEnumerable<Stage> stages, RestoredDatabase restored, StageBoard board, JobJournal journal, HospitalMetrics metrics, TimeProvider clock, ILogger<StageRunner> log, IHostApplicationLifetime lifetime)
{
    private readonly Dictionary<string, Stage> _stages = stages.ToDictionary(stage => stage.Name, StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _woken = new(StringComparer.Ordinal);

    /// <summary>Asks for a run; asking again before it begins adds none.</summary>
    public void Wake(IScheduler scheduler, JobKey key)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested || !_woken.TryAdd(key.Name, true))
            return;
        _ = TriggerAsync();

        async Task TriggerAsync()
        {
            try
            {
                await scheduler.TriggerJob(key);
            }
            catch (Exception)
            {
                // The scheduler is going down: the work is in the tables, the next start finds it.
                _woken.TryRemove(key.Name, out _);
            }
        }
    }

    public async Task RunAsync(string name, CancellationToken cancellationToken)
    {
        _woken.TryRemove(name, out _);
        if (lifetime.ApplicationStopping.IsCancellationRequested || !_stages.TryGetValue(name, out var stage))
            return;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        var (began, at) = (clock.GetTimestamp(), clock.GetUtcNow());
        var (outcome, fault) = (JobOutcome.Done, (string?)null);
        journal.Began(name, at);
        try
        {
            if (stage.TellsTheLedger)
                await restored.LookOnceAsync(stop.Token);
            await stage.RunAsync(stop.Token);
            board.Succeeded(name, clock.GetUtcNow());
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            outcome = JobOutcome.Stopped;
        }
        catch (Exception e)
        {
            (outcome, fault) = (JobOutcome.Failed, Faults.Describe(e));
            board.Failed(name, fault, clock.GetUtcNow());
            metrics.StageFailed(name);
            Log.StageFailed(log, name, fault);
        }
        journal.Ended(name, at, clock.GetElapsedTime(began), outcome, fault);
        metrics.StageRan(name, clock.GetElapsedTime(began));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6001, Level = LogLevel.Error, Message = "Stage {Stage} failed and will be tried again: {Fault}")]
        public static partial void StageFailed(ILogger logger, string stage, string fault);
    }
}

/// <summary>The one Quartz job: runs the stage that it is named after.</summary>
[DisallowConcurrentExecution]
internal sealed class StageJob(StageRunner runner) : IJob
{
    public async ValueTask Execute(IJobExecutionContext context, CancellationToken cancellationToken) =>
        await runner.RunAsync(context.JobDetail.Key.Name, cancellationToken);
}

/// <summary>Exceptions as log lines: types and messages of our own protocols, which carry no patient data; others by type only.</summary>
internal static class Faults
{
    public static string Describe(Exception exception)
    {
        var parts = new List<string>();
        for (var e = exception; e is not null && parts.Count < 4; e = e.InnerException)
            parts.Add(e is Fhir.Client.FhirException or Ledger.GatewayException or Ledger.CommitException or Ledger.CheckpointException or System.Net.Sockets.SocketException
                or HttpRequestException or TimeoutException or Store.MigrationException or Watching.SourceShrankException
                ? $"{e.GetType().Name}: {e.Message}"
                : e is System.Data.Common.DbException fault
                ? $"{e.GetType().Name}: {Store.StoreFaults.Describe(fault)}"
                : $"{e.GetType().FullName} at {Where(e)}");
        return string.Join(" <- ", parts);
    }

    private static string Where(Exception exception)
    {
        var frame = new System.Diagnostics.StackTrace(exception).GetFrames().FirstOrDefault(
            candidate => candidate.GetMethod()?.DeclaringType?.FullName?.StartsWith("Bridge.", StringComparison.Ordinal) == true);
        var method = frame?.GetMethod();
        return method is null ? "unknown place" : $"{method.DeclaringType!.FullName}.{method.Name}";
    }
}

internal static class StageRegistration
{
    /// <summary>Adds a stage that runs a method of a service.</summary>
    public static void AddStage<TWorker>(
        this IServiceCollection services, string name, Func<IServiceProvider, TimeSpan> interval, Func<IServiceProvider, Wakeable?> wakeable,
        Func<TWorker, CancellationToken, Task> run, bool tellsTheLedger = false)
        where TWorker : notnull =>
        services.AddSingleton(provider =>
        {
            var worker = new Lazy<TWorker>(provider.GetRequiredService<TWorker>);
            return new Stage(name, interval(provider), wakeable(provider), token => run(worker.Value, token), tellsTheLedger);
        });
}
