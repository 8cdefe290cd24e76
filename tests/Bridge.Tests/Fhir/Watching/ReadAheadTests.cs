using System.Runtime.CompilerServices;
using Bridge.Fhir.Watching;
using Xunit;

namespace Bridge.Tests.Fhir.Watching;

public class ReadAheadTests
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private sealed class Source
    {
        public int Given { get; private set; }
        public bool Ended { get; private set; }

        public async IAsyncEnumerable<int> ItemsAsync(int count, [EnumeratorCancellation] CancellationToken cancellation = default)
        {
            try
            {
                for (var i = 0; i < count; i++)
                {
                    await Task.Yield();
                    cancellation.ThrowIfCancellationRequested();
                    Given = i + 1;
                    yield return i;
                }
            }
            finally
            {
                Ended = true;
            }
        }
    }

    [Fact]
    public async Task AheadAsync_ManyItems_KeepsTheirOrderAndRunsTwoStepsAhead()
    {
        var source = new Source();
        var seen = new List<(int, string)>();

        await foreach (var (item, prepared) in source.ItemsAsync(50, Stop).AheadAsync((i, _) => Task.FromResult($"{i}"), Stop))
        {
            seen.Add((item, prepared));
            Assert.InRange(source.Given, item + 1, item + 1 + ReadAhead.Steps);
        }

        Assert.Equal(Enumerable.Range(0, 50).Select(i => (i, $"{i}")), seen);
    }

    [Fact]
    public async Task AheadAsync_FirstIsStillPrepared_BeginsTheSecondAndGivesTheFirst()
    {
        var second = new TaskCompletionSource();
        var seen = new List<int>();

        await foreach (var (item, _) in new Source().ItemsAsync(3, Stop).AheadAsync(async (i, _) =>
        {
            if (i == 1)
                second.SetResult();
            if (i == 0)
                await second.Task;
            return i;
        }, Stop))
            seen.Add(item);

        Assert.Equal([0, 1, 2], seen);
    }

    [Fact]
    public async Task AheadAsync_PreparingFails_SurfacesWhenItsTurnComes()
    {
        var seen = new List<int>();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var (item, _) in new Source().ItemsAsync(10, Stop).AheadAsync((i, _) => i == 3 ? throw new InvalidOperationException("three") : Task.FromResult(i), Stop))
                seen.Add(item);
        });

        Assert.Equal(("three", 3), (fault.Message, seen.Count));
    }

    [Fact]
    public async Task AheadAsync_CallerStopsInTheMiddle_LeavesNothingRunning()
    {
        var source = new Source();
        var (begun, ended) = (0, 0);

        await foreach (var (item, _) in source.ItemsAsync(int.MaxValue, Stop).AheadAsync(async (i, token) =>
        {
            Interlocked.Increment(ref begun);
            try
            {
                if (i > 2)
                    await Task.Delay(Timeout.Infinite, token);
                return i;
            }
            finally
            {
                Interlocked.Increment(ref ended);
            }
        }, Stop))
            if (item == 2)
                break;

        Assert.True(source.Ended);
        Assert.Equal(begun, ended);
    }
}
