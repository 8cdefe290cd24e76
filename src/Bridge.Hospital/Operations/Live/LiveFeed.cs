using System.Data.Common;
using System.Text.Json;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Looks at the tables while an operator is connected, and tells what changed: what several instances do shows in the tables alone. At most one message of a kind a second, and
/// never more than a tenth of the time is spent on looking. No client is waited for.
/// </summary>
internal sealed partial class LiveFeed(
    LiveConnections connections, Database database, JobBoard jobs, CertificateList certificates, Readiness readiness,
    HospitalOptions hospital, TimeProvider clock, ILogger<LiveFeed> log) : BackgroundService
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan HealthPace = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CertificatesPace = TimeSpan.FromSeconds(10);

    // What was not looked at for so long, because nobody was there, may be so no longer.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(30);

    private sealed record Said(string Json, Func<IOperationsClient, Task> Send, DateTimeOffset At);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Said> _said = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (bool Ready, DateTimeOffset Since)> _since = new(StringComparer.Ordinal);
    private bool _failing;

    /// <summary>Tells a new client all that was said to the others, and lets it in between two messages: it misses none.</summary>
    public void Welcome(LiveOutbox outbox, Action letIn)
    {
        lock (_lock)
        {
            foreach (var (kind, said) in _said.Where(said => clock.GetUtcNow() - said.Value.At < Fresh))
                outbox.Put(kind, said.Send);
            letIn();
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        RepeatAsync(Pace, LookAsync, stoppingToken), RepeatAsync(HealthPace, ProbeAsync, stoppingToken), RepeatAsync(CertificatesPace, ReadCertificatesAsync, stoppingToken),
        RepeatAsync(Pace, connections.EndOverdueAsync, stoppingToken));

    private async Task RepeatAsync(TimeSpan pace, Func<CancellationToken, Task> act, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await connections.AnyAsync(cancellationToken);
                var began = clock.GetTimestamp();
                try
                {
                    await act(cancellationToken);
                    _failing = false;
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested)
                {
                    // Health says that the database is away; one line of it is enough.
                    if (!_failing || e is not DbException)
                        Log.NotSeen(log, Faults.Describe(e));
                    _failing = true;
                }
                var took = clock.GetElapsedTime(began);
                await Task.Delay(took * 10 > pace ? took * 10 : pace, clock, cancellationToken);
            }
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var (standing, board, newest) = await database.ReadAsync(
            async work => (await StandingView.ReadAsync(work, hospital.Msp), await jobs.ReadAsync(work), await AuditLog.NewestAsync(work)), cancellationToken);
        Say("standing", standing, client => client.Standing(standing));
        Say("jobs", board, client => client.Jobs(board));
        Say("audit", newest, client => client.Audit(newest));
    }

    private async Task ReadCertificatesAsync(CancellationToken cancellationToken)
    {
        await certificates.RefreshAsync(cancellationToken);
        var view = CertificatesView.Of(await database.ReadAsync(certificates.ReadAsync, cancellationToken), certificates.IsComplete);
        Say("certificates", view, client => client.Certificates(view));
    }

    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var checks = (await readiness.CheckAsync(cancellationToken)).Select(check =>
        {
            if (!_since.TryGetValue(check.Name, out var known) || known.Ready != check.Ready)
                _since[check.Name] = known = (check.Ready, now);
            return new HealthView(check.Name, check.Ready, check.Code, check.Ready ? null : check.Detail, known.Since);
        }).ToList();
        Say("health", checks, client => client.Health(checks));
    }

    /// <summary>Tells all who are connected, where it differs from what they were told last.</summary>
    internal void Say<T>(string kind, T view, Func<IOperationsClient, Task> send)
    {
        var json = JsonSerializer.Serialize(view, JsonSerializerOptions.Web);
        lock (_lock)
        {
            var now = clock.GetUtcNow();
            var unchanged = _said.GetValueOrDefault(kind) is { } last && last.Json == json && now - last.At < Fresh;
            _said[kind] = new Said(json, send, now);
            if (!unchanged)
                foreach (var outbox in connections.Outboxes)
                    outbox.Put(kind, send);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6301, Level = LogLevel.Warning, Message = "What operators see live could not be read and will be tried again: {Fault}")]
        public static partial void NotSeen(ILogger logger, string fault);
    }
}
