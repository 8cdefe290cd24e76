using System.Data.Common;
using Bridge.Hospital.Store;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Bridge.Tests.Hospital;

public class StoreTests
{
    [Theory]
    [OnBothEngines]
    public async Task Apply_Twice_AppliesOnce(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine, migrated: false);
        var migrations = store.Shipped;

        Assert.Equal(migrations.Select(migration => migration.Name), await store.MigrateAsync(migrations));
        Assert.Empty(await store.MigrateAsync(migrations));
    }

    [Theory]
    [OnBothEngines]
    public async Task Apply_ManyAtOnce_AppliesOnce(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine, migrated: false);
        using var other = store.OpenAgain();
        var migrations = store.Shipped;

        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => Task.Run(() => store.MigrateAsync(migrations, i % 2 == 0 ? store.Database : other))));

        Assert.Equal(migrations.Count, applied.Sum(names => names.Count));
    }

    [Theory]
    [OnBothEngines]
    public async Task Apply_MigrationChangedAfterwards_IsRefusedByName(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var changed = store.Shipped.Select(migration => migration with { Sql = migration.Sql + " " }).ToList();

        var refusal = await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync(changed));

        Assert.Contains("0001_first", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [OnBothEngines]
    public async Task Apply_DatabaseNewerThanProgram_IsRefused(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var newer = store.Shipped.Append(new Migration(9999, "9999_later", "CREATE TABLE later (x INTEGER)")).ToList();
        await store.MigrateAsync(newer);

        await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync(store.Shipped));
    }

    [Fact]
    public async Task Apply_MigrationThatFailsOnSqlite_LeavesNothing()
    {
        await using var store = await TestStore.CreateAsync(Engine.Sqlite);
        var broken = store.Shipped.Append(new Migration(9999, "9999_broken", "CREATE TABLE half (x INTEGER); CREATE TABLE half (x INTEGER);")).ToList();

        await Assert.ThrowsAsync<SqliteException>(() => store.MigrateAsync(broken));

        Assert.Equal(0, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'")));
    }

    [Fact]
    public void Shipped_BothDialects_HaveTheSameMigrations() =>
        Assert.Equal(
            Migrator.Shipped(Dialect.Sqlite).Select(migration => migration.Name), Migrator.Shipped(Dialect.MySql).Select(migration => migration.Name));

    [Theory]
    [OnBothEngines]
    public async Task Write_Throws_LeavesNothing(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);

        await Assert.ThrowsAsync<InvalidOperationException>(() => store.WriteAsync(async work =>
        {
            await Bookmarks.WriteAsync(work, "x", "1", TestStore.Now);
            throw new InvalidOperationException("as a crash before the commit");
        }));

        Assert.Null(await store.ReadAsync(work => Bookmarks.ReadAsync(work, "x")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Write_FromManyAtOnce_LosesNone(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        using var other = store.OpenAgain();
        await store.WriteAsync(work => Bookmarks.WriteAsync(work, "count", "0", TestStore.Now));

        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => TestStore.WriteAsync(i % 2 == 0 ? store.Database : other, async work =>
        {
            var count = int.Parse((await Bookmarks.ReadAsync(work, "count"))!);
            await Bookmarks.WriteAsync(work, "count", $"{count + 1}", TestStore.Now);
            return 0;
        }))));

        Assert.Equal("40", await store.ReadAsync(work => Bookmarks.ReadAsync(work, "count")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Lease_HeldByOne_IsFreeWhenItEnds(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        Task<bool> TakeAsync(string owner, TimeSpan later) =>
            store.WriteAsync(work => Leases.TryTakeAsync(work, "watch", owner, TestStore.Now + later, TimeSpan.FromMinutes(1)));

        Assert.True(await TakeAsync("a", TimeSpan.Zero));
        Assert.False(await TakeAsync("b", TimeSpan.FromSeconds(59)));
        Assert.True(await TakeAsync("a", TimeSpan.FromSeconds(59)));
        Assert.False(await TakeAsync("b", TimeSpan.FromSeconds(60)));
        Assert.True(await TakeAsync("b", TimeSpan.FromSeconds(120)));
        Assert.False(await TakeAsync("a", TimeSpan.FromSeconds(121)));
    }

    [Theory]
    [OnBothEngines]
    public async Task Lease_AskedForByManyAtOnce_GoesToOne(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);

        var taken = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() =>
            store.WriteAsync(work => Leases.TryTakeAsync(work, "watch", $"instance-{i}", TestStore.Now, TimeSpan.FromMinutes(1))))));

        Assert.Single(taken, true);
    }

    [Theory]
    [OnBothEngines]
    public async Task AuditLog_Written_VerifiesAndCannotBeChanged(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        for (var i = 0; i < 5; i++)
            await store.WriteAsync(work => AuditLog.AppendAsync(work, new Actor("ruth", "registrar"), "doctor.propose", $"doctor/{i}", new { i }, TestStore.Now));

        Assert.Equal(new AuditVerdict(5, null), await store.ReadAsync(AuditLog.VerifyAsync));
        await Assert.ThrowsAnyAsync<DbException>(() => store.WriteAsync(work => work.RunAsync("UPDATE audit SET person = 'x' WHERE seq = 2")));
        await Assert.ThrowsAnyAsync<DbException>(() => store.WriteAsync(work => work.RunAsync("DELETE FROM audit WHERE seq = 5")));
    }

    [Theory]
    [OnBothEngines("UPDATE audit SET person = 'mallory' WHERE seq = 3", 3)]
    [OnBothEngines("DELETE FROM audit WHERE seq = 3", 3)]
    [OnBothEngines("DELETE FROM audit WHERE seq = 5", 5)]
    public async Task AuditLog_ChangedBehindItsBack_NamesTheFirstEntryThatDoesNotFit(Engine engine, string change, long at)
    {
        await using var store = await TestStore.CreateAsync(engine);
        for (var i = 0; i < 5; i++)
            await store.WriteAsync(work => AuditLog.AppendAsync(work, Actor.Bridge, "summary.anchor", $"summary/{i}", null, TestStore.Now));
        await store.WriteAsync(work => work.RunAsync($"DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; {change}"));

        Assert.Equal(at, (await store.ReadAsync(AuditLog.VerifyAsync)).BrokenAt);
    }

    [Theory]
    [OnBothEngines]
    public async Task AuditLog_ManyAtOnce_IsOneChain(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => store.WriteAsync(
            work => AuditLog.AppendAsync(work, Actor.Bridge, "summary.anchor", $"summary/{i}", null, TestStore.Now)))));

        Assert.Equal(new AuditVerdict(20, null), await store.ReadAsync(AuditLog.VerifyAsync));
    }

    [Fact]
    public void Flow_EveryStatus_CanBeWithdrawnAndNothingLeavesWithdrawn()
    {
        foreach (var status in Enum.GetValues<SummaryStatus>())
        {
            Assert.Equal(status != SummaryStatus.Withdrawn, SummaryFlow.Allows(status, SummaryStatus.Withdrawn));
            Assert.False(SummaryFlow.Allows(SummaryStatus.Withdrawn, status));
        }
    }

    [Fact]
    public void Flow_Anchored_IsReachedFromAnchoringAlone()
    {
        foreach (var status in Enum.GetValues<SummaryStatus>())
            Assert.Equal(status == SummaryStatus.Anchoring, SummaryFlow.Allows(status, SummaryStatus.Anchored));
    }
}
