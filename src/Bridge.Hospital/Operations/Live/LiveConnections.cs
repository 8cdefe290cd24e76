using System.Collections.Concurrent;
using Bridge.Hospital.Access;
using Microsoft.AspNetCore.SignalR;

namespace Bridge.Hospital.Operations;

/// <summary>Who is connected to this instance, by which session.</summary>
internal sealed class LiveConnections(Sessions sessions)
{
    private readonly ConcurrentDictionary<string, (HubCallerContext Context, string? Session, LiveOutbox Outbox)> _all = new(StringComparer.Ordinal);
    private volatile TaskCompletionSource _someone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IEnumerable<LiveOutbox> Outboxes => _all.Values.Select(connection => connection.Outbox);

    public int Count => _all.Count;

    public void Add(HubCallerContext context, LiveOutbox outbox)
    {
        var http = context.GetHttpContext();
        // A bearer's token comes from the configuration and has no end.
        var session = http is null || http.Request.Headers.ContainsKey("Authorization") ? null : http.Request.Cookies[ConsoleCookies.Name(http.Request, SessionCookie.Kind)];
        _all[context.ConnectionId] = (context, session, outbox);
        _someone.TrySetResult();
    }

    public void Remove(HubCallerContext context)
    {
        _all.TryRemove(context.ConnectionId, out _);
        if (_all.IsEmpty)
        {
            _someone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            // One that came in between is not slept through.
            if (!_all.IsEmpty)
                _someone.TrySetResult();
        }
    }

    /// <summary>Waits while nobody is connected.</summary>
    public Task AnyAsync(CancellationToken cancellationToken) => _someone.Task.WaitAsync(cancellationToken);

    /// <summary>Closes the connections whose session ended: signed out, idle or over, on whichever instance.</summary>
    public async Task EndOverdueAsync(CancellationToken cancellationToken)
    {
        foreach (var group in _all.Values.Where(connection => connection.Session is not null).GroupBy(connection => connection.Session!, StringComparer.Ordinal))
            if (await sessions.FindAsync(group.Key, background: true, cancellationToken) is null)
                foreach (var (context, _, _) in group)
                    context.Abort();
    }
}
