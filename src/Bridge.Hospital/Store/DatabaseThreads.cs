using System.Collections.Concurrent;

namespace Bridge.Hospital.Store;

/// <summary>
/// Threads of their own for a driver whose asynchronous calls block (MySql.Data): a slow server holds up these few, never the pool that answers requests and
/// health checks.
/// </summary>
internal sealed class DatabaseThreads(int most) : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];
    private int _started;
    private int _idle;

    public override int MaximumConcurrencyLevel => most;

    /// <summary>Threads end when what is queued is done.</summary>
    public void Dispose() => _tasks.CompleteAdding();

    protected override void QueueTask(Task task)
    {
        _tasks.Add(task);
        if (_tasks.Count <= Volatile.Read(ref _idle) || Volatile.Read(ref _started) >= most || Interlocked.Increment(ref _started) > most)
            return;
        new Thread(Run) { IsBackground = true, Name = "database" }.Start();
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => [.. _tasks];

    private void Run()
    {
        Interlocked.Increment(ref _idle);
        foreach (var task in _tasks.GetConsumingEnumerable())
        {
            Interlocked.Decrement(ref _idle);
            TryExecuteTask(task);
            Interlocked.Increment(ref _idle);
        }
    }
}
