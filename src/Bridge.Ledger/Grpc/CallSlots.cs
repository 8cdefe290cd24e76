namespace Bridge.Ledger.Grpc;

/// <summary>
/// Bounds the calls in flight. Who finishes work (submit, commit status) goes before who begins some (evaluate, endorse): otherwise an
/// endorsed transaction would grow stale behind a queue of proposals.
/// </summary>
internal sealed class CallSlots(int limit)
{
    private readonly int all = limit;
    private readonly Lock gate = new();
    private readonly Queue<TaskCompletionSource> finishing = new();
    private readonly Queue<TaskCompletionSource> beginning = new();
    private int free = limit;

    public int InUse
    {
        get
        {
            lock (gate)
                return all - free;
        }
    }

    public ValueTask WaitAsync(CallRank rank, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        TaskCompletionSource waiter;
        lock (gate)
        {
            if (free > 0)
            {
                free--;
                return ValueTask.CompletedTask;
            }

            waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            (rank == CallRank.Finishing ? finishing : beginning).Enqueue(waiter);
        }

        return new ValueTask(WaitInQueueAsync(waiter, cancellationToken));
    }

    public void Release()
    {
        lock (gate)
        {
            // a waiter that was cancelled stays in its queue and refuses the slot here
            while (finishing.TryDequeue(out var waiter) || beginning.TryDequeue(out waiter))
            {
                if (waiter.TrySetResult())
                    return;
            }

            free++;
        }
    }

    private static async Task WaitInQueueAsync(TaskCompletionSource waiter, CancellationToken cancellationToken)
    {
        using var registration = cancellationToken.UnsafeRegister(
            static (state, token) => ((TaskCompletionSource)state!).TrySetCanceled(token), waiter);
        await waiter.Task;
    }
}

internal enum CallRank
{
    Beginning,
    Finishing,
}
