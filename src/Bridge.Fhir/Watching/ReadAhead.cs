using System.Runtime.CompilerServices;

namespace Bridge.Fhir.Watching;

/// <summary>Lets reading run ahead of storing, by two steps and no more: what is held stays as small as three batches.</summary>
public static class ReadAhead
{
    /// <summary>How many items are on their way at most while the caller works on one.</summary>
    public const int Steps = 2;

    /// <summary>
    /// Each item with what was prepared of it, in their order. While the caller works on one, the next two are fetched and prepared, begun in their order and
    /// side by side; a failure there surfaces when its turn comes. A caller that stops early leaves nothing running behind.
    /// </summary>
    public static async IAsyncEnumerable<(T Item, TPrepared Prepared)> AheadAsync<T, TPrepared>(
        this IAsyncEnumerable<T> source, Func<T, CancellationToken, Task<TPrepared>> prepare, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var items = source.GetAsyncEnumerator(stop.Token);
        var moved = Task.FromResult(true);
        var ahead = new Queue<Task<(bool Found, T Item, TPrepared Prepared)>>();
        try
        {
            for (var i = 0; i < Steps; i++)
                ahead.Enqueue(BeginAsync());
            while (await ahead.Dequeue() is { Found: true } current)
            {
                ahead.Enqueue(BeginAsync());
                yield return (current.Item, current.Prepared);
            }
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var task in ahead)
                await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // the source gives one item at a time: the next is asked for once the one before has come
        Task<(bool Found, T Item, TPrepared Prepared)> BeginAsync()
        {
            var (before, done) = (moved, new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
            moved = done.Task;
            return NextAsync(before, done);
        }

        async Task<(bool Found, T Item, TPrepared Prepared)> NextAsync(Task<bool> before, TaskCompletionSource<bool> done)
        {
            var found = false;
            Task<TPrepared> prepared;
            T item;
            try
            {
                found = await before && await items.MoveNextAsync();
                if (!found)
                    return (false, default!, default!);
                item = items.Current;
                prepared = prepare(item, stop.Token);
            }
            finally
            {
                done.SetResult(found);
            }
            return (true, item, await prepared);
        }
    }
}
