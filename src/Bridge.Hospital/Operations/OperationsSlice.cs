using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Hospital.Access;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Quartz;

namespace Bridge.Hospital.Operations;

/// <summary>Body of a pause, a resume, a re-run.</summary>
internal sealed record ReasonRequest(string? Reason);

/// <summary>How the bridge is run and watched: ticks, health, counts, audit log, pause, re-run.</summary>
internal static class OperationsSlice
{
    private const int MaxPage = 1000;

    private static readonly JsonSerializerOptions HealthJson = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static void AddOperations(this WebApplicationBuilder builder, OperationsOptions options)
    {
        var services = builder.Services;
        services.AddSingleton(options);
        services.AddSingleton<HospitalMetrics>();
        services.AddSingleton<StageBoard>();
        services.AddSingleton<StageRunner>();
        services.AddSingleton<PauseSwitch>();
        services.AddSingleton<RestoredDatabase>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<Rerun>();
        services.AddSingleton<Reconciliation>();
        services.AddSingleton<StateGauge>();
        services.AddSingleton<JobBoard>();
        services.AddSingleton<JobJournal>();
        services.AddHostedService(provider => provider.GetRequiredService<JobJournal>());   // stops after the jobs
        services.AddQuartz();
        services.AddQuartzHostedService(quartz => quartz.WaitForJobsToComplete = true);
        if (options.Workers)
        {
            services.AddHostedService<StageTicker>();
            services.AddHostedService<LedgerListener>();
        }
        services.AddSingleton<LiveConnections>();
        services.AddSingleton<LiveFeed>();
        services.AddHostedService(provider => provider.GetRequiredService<LiveFeed>());
        // Clients send nothing but their greeting and signs of life.
        services.AddSignalR(hubs =>
        {
            hubs.KeepAliveInterval = TimeSpan.FromSeconds(5);
            hubs.ClientTimeoutInterval = TimeSpan.FromSeconds(20);
            hubs.MaximumReceiveMessageSize = 1024;
        });
        services.AddStage<StateGauge>("gauge", _ => TimeSpan.FromSeconds(15), _ => null, (gauge, token) => gauge.ShowAsync(token));
        services.AddStage<JobJournal>("history", _ => TimeSpan.FromSeconds(15), _ => null, (journal, token) => journal.StoreAsync(token));
        services.AddStage<Reconciliation>("reconcile", _ => options.Reconcile, _ => null, (reconciliation, token) => reconciliation.RunDueAsync(options.Reconcile, token));

        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        if (!builder.Configuration.GetSection("Logging").Exists())
            builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("Quartz", LogLevel.Warning).AddFilter("System", LogLevel.Warning)
                // It would print the path of every request with its ids.
                .AddFilter("Microsoft.AspNetCore", LogLevel.Error);
        builder.Logging.AddJsonConsole(console =>
        {
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
            console.IncludeScopes = false;
        });
        if (options.OtlpEndpoint is { } endpoint)
            services.AddOpenTelemetry()
                .WithMetrics(metrics => metrics.AddMeter(HospitalMetrics.MeterName, "Bridge.Fhir", "Bridge.Ledger", "Microsoft.AspNetCore.Hosting", "System.Runtime")
                    .AddOtlpExporter(exporter => exporter.Endpoint = endpoint))
                .WithTracing(traces => traces.AddSource("Bridge.Hospital", "Bridge.Ledger").AddOtlpExporter(exporter => exporter.Endpoint = endpoint));
    }

    public static void MapOperations(this WebApplication app)
    {
        app.MapGet("/health/live", () => Results.Ok(new { status = "live" })).AllowAnonymous();
        app.MapGet("/health/ready", async (ClaimsPrincipal user, Readiness readiness, CancellationToken cancellation) =>
        {
            var checks = await readiness.CheckAsync(cancellation);
            var ready = checks.All(check => check.Ready);
            return Results.Json(
                new
                {
                    status = ready ? "ready" : "not ready",
                    notReady = checks.Where(check => !check.Ready).Select(check => check.Name),
                    // Faults name addresses and versions: a monitor needs none of that, and whoever else asks still less.
                    checks = user.IsInRole(Roles.Operator) ? checks : null,
                },
                HealthJson, statusCode: ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
        }).AllowAnonymous();

        var group = app.MapGroup("/api/operations").RequireAuthorization(Roles.Operator);
        group.MapGet("/counts", CountsAsync);
        group.MapGet("/stages", (StageBoard board) => Results.Ok(board.Runs));
        group.MapGet("/held", HeldAsync);
        group.MapPost("/pause", (ReasonRequest body, ClaimsPrincipal user, PauseSwitch pause, CancellationToken cancellation) => SwitchAsync(true, body, user, pause, cancellation));
        group.MapPost("/resume", (ReasonRequest body, ClaimsPrincipal user, PauseSwitch pause, CancellationToken cancellation) => SwitchAsync(false, body, user, pause, cancellation));
        group.MapPost("/summaries/{row:long}/rerun", async (long row, ReasonRequest body, ClaimsPrincipal user, Rerun rerun, CancellationToken cancellation) =>
        {
            var outcome = await rerun.RunAsync(user.Actor(Roles.Operator), row, body.Reason, cancellation);
            return outcome switch
            {
                RerunOutcome.NotFound => Results.NotFound(new { outcome = "NOT_FOUND" }),
                RerunOutcome.NotHeld => Results.Conflict(new { outcome = "NOT_HELD", detail = "Only failed and withheld summaries can be run again; read where it stands." }),
                RerunOutcome.NoReason => Results.UnprocessableEntity(new { outcome = "NO_REASON", detail = "Say why, in 1 to 400 characters." }),
                _ => Results.Ok(new { outcome = "RUNNING" }),
            };
        });
        group.MapPost("/reconcile", ReconcileAsync);
        group.MapGet("/reconciliations", async (int? limit, Database database, CancellationToken cancellation) => Results.Ok(new
        {
            items = (await database.ReadAsync(work => ReconciliationRows.NewestAsync(work, Math.Clamp(limit ?? 20, 1, MaxPage)), cancellation)).Select(ReconciliationView.Of),
        }));
        group.MapGet("/jobs", JobsAsync);
        AuditEndpoints.Map(group);
        app.MapHub<OperationsHub>(OperationsHub.Path).RequireAuthorization(Roles.Operator);
    }

    /// <summary>
    /// <c>{states: [{status, reason, count}], known, leaving, retractions, paused, reconciliation}</c>: finished encounters = notEnrolled + known, as of the
    /// reconciliation; where its <c>scope</c> is <c>Enrolled</c> the server could be asked for enrolled patients' only, and the others are not counted.
    /// <c>leaving</c> stands on the ledger beside them: of encounters that are finished no longer, or another patient's by now.
    /// </summary>
    private static async Task<IResult> CountsAsync(Database database, CancellationToken cancellation)
    {
        var (counts, leaving, retractions, paused, last) = await database.ReadAsync(async work =>
            (await SummaryRows.CountsAsync(work), await SummaryRows.LeavingCountsAsync(work), await RetractionRows.CountsAsync(work), await PauseSwitch.IsOnAsync(work), await ReconciliationRows.LastAsync(work)), cancellation);
        return Results.Ok(new
        {
            states = counts,
            known = counts.Sum(count => count.Count),
            leaving,
            retractions = retractions.Select(count => new { state = count.Status, count.Reason, count.Count }),
            paused,
            reconciliation = last is null
                ? null
                : new { at = Time(last.At), last.Scope, last.ServerFinished, last.NotEnrolled, last.Known, last.Difference },
        });
    }

    /// <summary>
    /// A page of what failed or is withheld: <c>{items, next}</c>; <c>next</c> goes into <c>?after=</c> and is null at the end. <c>?status=</c> and <c>?reason=</c> choose. Ids and
    /// codes only: whose they are is not an operator's to know.
    /// </summary>
    private static async Task<IResult> HeldAsync(long? after, int? limit, string? status, string? reason, Database database, CancellationToken cancellation)
    {
        var size = Math.Clamp(limit ?? 100, 1, MaxPage);
        var rows = await database.ReadAsync(
            work => work.ListAsync<SummaryRow>(
                $"""
                SELECT row_id AS RowId, summary_id AS SummaryId, status AS Status, reason AS Reason, class AS Class, is_current AS IsCurrent, updated_at AS UpdatedAt
                FROM summary
                WHERE ((is_current = 1 AND status IN ('Failed', 'Withheld')) OR (is_current = 0 AND reason IS NOT NULL AND status IN ('Anchoring', 'Anchored')))
                  AND row_id > @after{(string.IsNullOrEmpty(status) ? "" : " AND status = @status")}{(string.IsNullOrEmpty(reason) ? "" : " AND reason = @reason")}
                ORDER BY row_id LIMIT @size
                """,
                new { after = after ?? 0, size, status, reason }),
            cancellation);
        return Results.Ok(new
        {
            items = rows.Select(row => new { row = row.RowId, id = row.SummaryId, status = row.Status.ToString(), row.Reason, row.Class, since = Time(row.UpdatedAt), rerun = row.IsCurrent == 1 }),
            next = rows.Count == size ? rows[^1].RowId : (long?)null,
        });
    }

    /// <summary>The schedule with each job's last stretch of runs: <c>{items}</c>; with <c>?job=</c> that job's history, newest first: <c>{items, next}</c>, <c>next</c> goes into <c>?before=</c>.</summary>
    private static async Task<IResult> JobsAsync(string? job, long? before, int? limit, Database database, JobBoard board, JobJournal journal, CancellationToken cancellation)
    {
        if (job is null)
            return Results.Ok(new { items = await database.ReadAsync(board.ReadAsync, cancellation) });
        await journal.StoreAsync(cancellation);
        var size = Math.Clamp(limit ?? 50, 1, MaxPage);
        var rows = await database.ReadAsync(work => JobRows.PageAsync(work, job, before ?? long.MaxValue, size), cancellation);
        return Results.Ok(new { items = rows.Select(JobStretch.Of), next = rows.Count == size ? rows[^1].RunId : (long?)null });
    }

    private static async Task<IResult> ReconcileAsync(ClaimsPrincipal user, Reconciliation reconciliation, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        var row = await reconciliation.RunAsync(cancellation);
        await database.WriteAsync(
            work => AuditLog.AppendAsync(work, user.Actor(Roles.Operator), "operations.reconcile", "bridge", new { row?.Difference }, clock.GetUtcNow()), cancellation);
        return Results.Ok(row);
    }

    private static async Task<IResult> SwitchAsync(bool on, ReasonRequest body, ClaimsPrincipal user, PauseSwitch pause, CancellationToken cancellation) =>
        body.Reason?.Trim() is { Length: > 0 and <= 400 } reason
            ? Results.Ok(new { outcome = on ? "PAUSED" : "RESUMED", paused = on, changed = await pause.SetAsync(user.Actor(Roles.Operator), on, reason, cancellation) })
            : Results.UnprocessableEntity(new { outcome = "NO_REASON", detail = "Say why, in 1 to 400 characters." });

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}

/// <summary>Puts the state of the tables before the metrics.</summary>
internal sealed class StateGauge(Database database, HospitalMetrics metrics, TimeProvider clock)
{
    public Task ShowAsync(CancellationToken cancellationToken) => database.ReadAsync(async work =>
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var counts = await SummaryRows.CountsAsync(work);
        var oldest = await work.ScalarAsync<long?>("SELECT MIN(queued_at) FROM summary WHERE status = 'AwaitingCoSign'");
        var cursor = await Bookmarks.UpdatedAtAsync(work, Bookmarks.WatchCursor);
        metrics.Show(counts, TimeSpan.FromMilliseconds(Math.Max(0, now - (oldest ?? now))), TimeSpan.FromMilliseconds(Math.Max(0, now - (cursor ?? now))));
        return 0;
    }, cancellationToken);
}
