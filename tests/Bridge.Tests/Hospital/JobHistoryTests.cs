using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>What ran when, how long and with what outcome: as rows, on both engines.</summary>
public class JobHistoryTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Theory]
    [OnBothEngines]
    public async Task Store_RunsThatEndAlike_AreOneStretchUntilOneEndsOtherwise(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var journal = Journal(store);

        for (var i = 0; i < 5; i++)
            journal.Ended("watch", TestStore.Now + i * 60 * Second, (i + 1) * Second, JobOutcome.Done, null);
        journal.Ended("watch", TestStore.Now + TimeSpan.FromMinutes(5), Second, JobOutcome.Failed, "FhirException: no answer");
        await journal.StoreAsync(Ct);
        journal.Ended("watch", TestStore.Now + TimeSpan.FromMinutes(6), 2 * Second, JobOutcome.Failed, "FhirException: no answer");
        journal.Ended("watch", TestStore.Now + TimeSpan.FromMinutes(7), Second, JobOutcome.Done, null);
        await journal.StoreAsync(Ct);
        await journal.StoreAsync(Ct);

        var rows = await PageAsync(store, "watch");
        Assert.Equal(
            [(JobOutcome.Done, 1, 1000, 1000), (JobOutcome.Failed, 2, 3000, 2000), (JobOutcome.Done, 5, 15_000, 5000)],
            rows.Select(row => (row.Outcome, row.Runs, row.TotalMs, row.LongestMs)));
        Assert.Equal([null, "FhirException: no answer", null], rows.Select(row => row.Fault));
        Assert.Equal(TestStore.Now, DateTimeOffset.FromUnixTimeMilliseconds(rows[^1].BeganAt));
        Assert.Equal(TestStore.Now + TimeSpan.FromSeconds(245), DateTimeOffset.FromUnixTimeMilliseconds(rows[^1].EndedAt));
    }

    [Theory]
    [OnBothEngines]
    public async Task Store_RunsOfMoreThanAnHour_BeginAnotherStretch(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var journal = Journal(store);

        for (var minute = 0; minute < 150; minute++)
            journal.Ended("notes", TestStore.Now + TimeSpan.FromMinutes(minute), Second, JobOutcome.Done, null);
        await journal.StoreAsync(Ct);

        Assert.Equal([30, 60, 60], (await PageAsync(store, "notes")).Select(row => row.Runs));
    }

    [Theory]
    [OnBothEngines]
    public async Task Store_ManyStretches_KeepsTheNewestOfEachJob(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var journal = Journal(store);
        journal.Ended("reconcile", TestStore.Now, Second, JobOutcome.Done, null);
        for (var i = 0; i < JobRows.Kept + 20; i++)
        {
            journal.Ended("watch", TestStore.Now + i * Second, TimeSpan.Zero, JobOutcome.Failed, $"fault {i}");
            if (i % 100 == 0)
                await journal.StoreAsync(Ct);
        }
        await journal.StoreAsync(Ct);

        var first = await PageAsync(store, "watch");
        Assert.Equal($"fault {JobRows.Kept + 19}", first[0].Fault);
        Assert.Equal(JobRows.Kept, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM job_run WHERE job = 'watch'")));
        // Of another job nothing is lost.
        Assert.Single(await PageAsync(store, "reconcile"));
        var second = await store.ReadAsync(work => JobRows.PageAsync(work, "watch", first[^1].RunId, 50));
        Assert.Equal($"fault {JobRows.Kept + 19 - 50}", second[0].Fault);
    }

    [Theory]
    [OnBothEngines]
    public async Task Store_AfterAFailedWriteAndBesideAnotherInstance_LosesAndDoublesNothing(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine, migrated: false);
        var (one, other) = (Journal(store), Journal(store, store.OpenAgain()));
        one.Ended("watch", TestStore.Now, Second, JobOutcome.Done, null);
        // The table is not there yet, as a server may be away.
        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => one.StoreAsync(Ct));
        one.Ended("watch", TestStore.Now + Second, Second, JobOutcome.Done, null);
        await store.MigrateAsync(store.Shipped);

        other.Ended("watch", TestStore.Now, 3 * Second, JobOutcome.Done, null);
        await Task.WhenAll(one.StoreAsync(Ct), other.StoreAsync(Ct), one.StoreAsync(Ct), other.StoreAsync(Ct));
        one.Ended("watch", TestStore.Now + 2 * Second, Second, JobOutcome.Done, null);
        // The process ends in good order while a job runs.
        other.Began("anchor", TestStore.Now);
        await Task.WhenAll(one.StopAsync(Ct), other.StopAsync(Ct));

        Assert.Equal([(1, 3000), (3, 3000)], (await PageAsync(store, "watch")).OrderBy(row => row.Runs).Select(row => (row.Runs, row.TotalMs)));
        Assert.Equal(JobOutcome.Stopped, Assert.Single(await PageAsync(store, "anchor")).Outcome);
        Assert.Equal(3, (await store.ReadAsync(JobRows.LatestAsync)).Count);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static JobJournal Journal(TestStore store, Database? database = null) => new(database ?? store.Database, new Instance(), TimeProvider.System);

    private static Task<IReadOnlyList<JobRow>> PageAsync(TestStore store, string job) => store.ReadAsync(work => JobRows.PageAsync(work, job, long.MaxValue, 50));
}
