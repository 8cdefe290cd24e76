using System.Security.Cryptography;
using System.Text;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Operations;

namespace Bridge.Hospital.Watching;

/// <summary>What became of a notification.</summary>
internal enum NoticeOutcome
{
    /// <summary>The watch runs now, or is about to.</summary>
    Woken,

    /// <summary>A sign of life; nothing is to be read.</summary>
    Alive,

    /// <summary>It did not bring the secret.</summary>
    Forged,

    /// <summary>So many came without the secret that none is looked at for a while.</summary>
    TooMany,
}

/// <summary>
/// Notifications of the FHIR server. Nothing that they say is believed: one with the secret wakes the watch, which reads the server as its poll does. Many at
/// once are one waking, and two wakings lie a second apart, however many come.
/// </summary>
internal sealed class Notifications(SubscriptionOptions options, WatchingSignals signals, TimeProvider clock) : IDisposable
{
    private const int ForgedAMinute = 30;
    private static readonly TimeSpan BetweenWakings = TimeSpan.FromSeconds(1);

    private readonly byte[] _secret = SHA256.HashData(Encoding.UTF8.GetBytes(options.Secret));
    private readonly Lock _gate = new();
    private ITimer? _later;
    private DateTimeOffset _lastWaking = DateTimeOffset.MinValue;
    private DateTimeOffset _minute = DateTimeOffset.MinValue;
    private int _forged;
    private long _taken;

    /// <summary>How many came with the secret since the start.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>When the last one came with the secret; null = none since the start.</summary>
    public DateTimeOffset? LastAt { get; private set; }

    /// <summary>Whether the caller knows the secret; how long the comparison takes tells nothing about it.</summary>
    public NoticeOutcome Admit(string? secret)
    {
        lock (_gate)
        {
            var now = clock.GetUtcNow();
            if (now - _minute >= TimeSpan.FromMinutes(1))
                (_minute, _forged) = (now, 0);
            // Whoever has the secret gets in through any flood of others.
            if (secret is { Length: <= 400 } && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(secret)), _secret))
                return NoticeOutcome.Alive;
            return ++_forged > ForgedAMinute ? NoticeOutcome.TooMany : NoticeOutcome.Forged;
        }
    }

    /// <summary>Takes what an admitted caller sent.</summary>
    public NoticeOutcome Take(ReadOnlySpan<byte> body)
    {
        Interlocked.Increment(ref _taken);
        LastAt = clock.GetUtcNow();
        if (SubscriptionNotice.Read(body).Kind is "handshake" or "heartbeat")
            return NoticeOutcome.Alive;
        Wake();
        return NoticeOutcome.Woken;
    }

    /// <summary>Wakes the watch now, or when the last waking is a second ago.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            var now = clock.GetUtcNow();
            var wait = _lastWaking == DateTimeOffset.MinValue ? TimeSpan.Zero : _lastWaking + BetweenWakings - now;
            if (_later is not null)
                return;
            if (wait <= TimeSpan.Zero)
            {
                _lastWaking = now;
                signals.Watch.Wake();
                return;
            }
            _later = clock.CreateTimer(_ => WakeLater(), null, wait, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _later?.Dispose();

    private void WakeLater()
    {
        lock (_gate)
        {
            _later?.Dispose();
            _later = null;
            _lastWaking = clock.GetUtcNow();
        }
        signals.Watch.Wake();
    }
}

/// <summary>Where the FHIR server knocks.</summary>
internal static partial class NotificationEndpoint
{
    public const string Path = "/api/watching/notifications";

    // Of a body only the backport's status part is looked at; servers that send the resource itself send more, which nobody reads.
    private const int Looked = 64 * 1024;

    /// <summary>Servers that send a payload add <c>/Encounter/id</c> to the address, by POST or PUT.</summary>
    public static void MapNotifications(this WebApplication app)
    {
        if (app.Services.GetService<Notifications>() is null)
            return;
        app.MapMethods(Path, ["POST", "PUT"], TakeAsync).AllowAnonymous();
        app.MapMethods(Path + "/{**rest}", ["POST", "PUT"], TakeAsync).AllowAnonymous();
    }

    private static async Task<IResult> TakeAsync(HttpContext context, Notifications notifications, HospitalMetrics metrics, ILogger<Notifications> log)
    {
        var admitted = notifications.Admit(context.Request.Headers[SubscriptionOptions.SecretHeader]);
        if (admitted != NoticeOutcome.Alive)
        {
            metrics.Notified(admitted.ToString());
            if (admitted == NoticeOutcome.Forged)
                Log.Forged(log, context.Connection.RemoteIpAddress?.ToString() ?? "unknown");
            return admitted == NoticeOutcome.TooMany
                ? Results.StatusCode(StatusCodes.Status429TooManyRequests)
                : Results.Json(new { outcome = "FORGED", detail = $"The header {SubscriptionOptions.SecretHeader} does not bring the secret." }, statusCode: StatusCodes.Status401Unauthorized);
        }
        var buffer = new byte[Looked];
        var length = 0;
        try
        {
            length = await context.Request.Body.ReadAtLeastAsync(buffer, Looked, throwOnEndOfStream: false, context.RequestAborted);
        }
        catch (Exception e) when (e is IOException or BadHttpRequestException)
        {
            // what it wanted to say does not matter
        }
        metrics.Notified(notifications.Take(buffer.AsSpan(0, length)).ToString());
        return Results.Ok();
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2010, Level = LogLevel.Warning, Message = "A notification from {Address} did not bring the secret and was ignored")]
        public static partial void Forged(ILogger logger, string address);
    }
}
