using Bridge.Hospital.Operations;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>What is kept for one client of the operators' page, and for how long it is waited for.</summary>
public class LiveOutboxTests
{
    private readonly FakeTimeProvider clock = new(TestStore.Now);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Put_WhileTheClientIsBusy_KeepsTheNewestOfEachKindInOrder()
    {
        var (outbox, client) = (new LiveOutbox(clock), new Client());
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        outbox.Put("audit", it => it.Audit(1));
        var running = outbox.RunAsync(client, gone.Token);
        await client.Begun.Task;

        for (var i = 2; i <= 100_000; i++)
            outbox.Put("audit", it => it.Audit(i));
        outbox.Put("jobs", it => it.Jobs([]));
        outbox.Put("audit", it => it.Audit(-1));
        client.Go.SetResult();

        await client.Told.Task.WaitAsync(TimeSpan.FromSeconds(30), Ct);
        Assert.Equal(["1", "jobs", "-1"], client.Said);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Run_ClientThatTakesNothingIn_IsGivenUpAfterItsTime()
    {
        var (outbox, client) = (new LiveOutbox(clock), new Client());
        outbox.Put("audit", it => it.Audit(1));
        var running = outbox.RunAsync(client, Ct);
        await client.Begun.Task;

        clock.Advance(LiveOutbox.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(running.IsCompleted);
        clock.Advance(TimeSpan.FromMilliseconds(1));

        await Assert.ThrowsAsync<TimeoutException>(() => running);
    }

    /// <summary>Takes its first message in when it is let go.</summary>
    private sealed class Client : IOperationsClient
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Go { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Told { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Said { get; } = [];

        public async Task Audit(long newest)
        {
            Begun.TrySetResult();
            await Go.Task;
            Said.Add($"{newest}");
            if (newest < 0)
                Told.SetResult();
        }

        public Task Jobs(IReadOnlyList<JobView> jobs)
        {
            Said.Add("jobs");
            return Task.CompletedTask;
        }

        public Task Standing(StandingView standing) => throw new NotSupportedException();

        public Task Health(IReadOnlyList<HealthView> checks) => throw new NotSupportedException();

        public Task Certificates(CertificatesView certificates) => throw new NotSupportedException();
    }
}
