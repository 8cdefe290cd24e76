using System.Threading.Channels;

namespace Bridge.Hospital.Operations;

/// <summary>
/// What one client is still to be told: the newest of each kind, so it never holds more than there are kinds. The client is told one thing after the other, at its own
/// pace; one that takes nothing in for <see cref="Patience"/> is given up. Nobody else waits for it.
/// </summary>
internal sealed class LiveOutbox(TimeProvider clock)
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly List<(string Kind, Func<IOperationsClient, Task> Send)> _waiting = [];
    private readonly Channel<bool> _something = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Takes a message in; returns at once.</summary>
    public void Put(string kind, Func<IOperationsClient, Task> send)
    {
        lock (_lock)
        {
            // Behind the others again: what keeps changing does not hold up what changed once.
            _waiting.RemoveAll(waiting => waiting.Kind == kind);
            _waiting.Add((kind, send));
        }
        _something.Writer.TryWrite(true);
    }

    /// <summary>Tells the client until it is gone.</summary>
    /// <exception cref="TimeoutException">It takes nothing in.</exception>
    public async Task RunAsync(IOperationsClient client, CancellationToken gone)
    {
        while (true)
        {
            await _something.Reader.ReadAsync(gone);
            while (Next() is { } send)
                await send(client).WaitAsync(Patience, clock, gone);
        }
    }

    private Func<IOperationsClient, Task>? Next()
    {
        lock (_lock)
        {
            if (_waiting is not [var (_, send), ..])
                return null;
            _waiting.RemoveAt(0);
            return send;
        }
    }
}
