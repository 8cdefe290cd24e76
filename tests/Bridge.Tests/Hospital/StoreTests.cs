using Bridge.Hospital.Store;
using Microsoft.Data.Sqlite;
using Xunit;

namespace Bridge.Tests.Hospital;

public class StoreTests
{
    [Fact]
    public async Task Apply_Twice_AppliesOnce()
    {
        using var store = await TestStore.CreateAsync(migrated: false);
        var migrations = Migrator.Shipped(Dialect.Sqlite);

        Assert.Equal(migrations.Select(migration => migration.Name), await store.MigrateAsync(migrations));
        Assert.Empty(await store.MigrateAsync(migrations));
    }

    [Fact]
    public async Task Apply_ManyAtOnce_AppliesOnce()
    {
        using var store = await TestStore.CreateAsync(migrated: false);
        using var other = new Database(Dialect.Sqlite, Database.ForFile(store.File));
        var migrations = Migrator.Shipped(Dialect.Sqlite);

        var applied = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => Task.Run(() => store.MigrateAsync(migrations, i % 2 == 0 ? store.Database : other))));

        Assert.Equal(migrations.Count, applied.Sum(names => names.Count));
    }

    [Fact]
    public async Task Apply_MigrationChangedAfterwards_IsRefusedByName()
    {
        using var store = await TestStore.CreateAsync();
        var changed = Migrator.Shipped(Dialect.Sqlite).Select(migration => migration with { Sql = migration.Sql + " " }).ToList();

        var refusal = await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync(changed));

        Assert.Contains("0001_first", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Apply_DatabaseNewerThanProgram_IsRefused()
    {
        using var store = await TestStore.CreateAsync();
        var newer = Migrator.Shipped(Dialect.Sqlite).Append(new Migration(9999, "9999_later", "CREATE TABLE later (x INTEGER)")).ToList();
        await store.MigrateAsync(newer);

        await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync(Migrator.Shipped(Dialect.Sqlite)));
    }

    [Fact]
    public async Task Apply_MigrationThatFails_LeavesNothing()
    {
        using var store = await TestStore.CreateAsync();
        var broken = Migrator.Shipped(Dialect.Sqlite).Append(new Migration(9999, "9999_broken", "CREATE TABLE half (x INTEGER); CREATE TABLE half (x INTEGER);")).ToList();

        await Assert.ThrowsAsync<SqliteException>(() => store.MigrateAsync(broken));

        Assert.Equal(0, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM sqlite_master WHERE name = 'half'")));
    }

    [Fact]
    public void Shipped_BothDialects_HaveTheSameMigrations() =>
        Assert.Equal(
            Migrator.Shipped(Dialect.Sqlite).Select(migration => migration.Name), Migrator.Shipped(Dialect.MySql).Select(migration => migration.Name));

    [Fact]
    public async Task Write_Throws_LeavesNothing()
    {
        using var store = await TestStore.CreateAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => store.WriteAsync(async work =>
        {
            await Bookmarks.WriteAsync(work, "x", "1", TestStore.Now);
            throw new InvalidOperationException("as a crash before the commit");
        }));

        Assert.Null(await store.ReadAsync(work => Bookmarks.ReadAsync(work, "x")));
    }

    [Fact]
    public async Task Write_FromManyAtOnce_LosesNone()
    {
        using var store = await TestStore.CreateAsync();
        using var other = new Database(Dialect.Sqlite, Database.ForFile(store.File));
        await store.WriteAsync(work => Bookmarks.WriteAsync(work, "count", "0", TestStore.Now));

        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => TestStore.WriteAsync(i % 2 == 0 ? store.Database : other, async work =>
        {
            var count = int.Parse((await Bookmarks.ReadAsync(work, "count"))!);
            await Bookmarks.WriteAsync(work, "count", $"{count + 1}", TestStore.Now);
            return 0;
        }))));

        Assert.Equal("40", await store.ReadAsync(work => Bookmarks.ReadAsync(work, "count")));
    }

    [Fact]
    public async Task Lease_HeldByOne_IsFreeWhenItEnds()
    {
        using var store = await TestStore.CreateAsync();
        Task<bool> TakeAsync(string owner, TimeSpan later) =>
            store.WriteAsync(work => Leases.TryTakeAsync(work, "watch", owner, TestStore.Now + later, TimeSpan.FromMinutes(1)));

        Assert.True(await TakeAsync("a", TimeSpan.Zero));
        Assert.False(await TakeAsync("b", TimeSpan.FromSeconds(59)));
        Assert.True(await TakeAsync("a", TimeSpan.FromSeconds(59)));
        Assert.False(await TakeAsync("b", TimeSpan.FromSeconds(60)));
        Assert.True(await TakeAsync("b", TimeSpan.FromSeconds(120)));
        Assert.False(await TakeAsync("a", TimeSpan.FromSeconds(121)));
    }

    [Fact]
    public async Task Lease_AskedForByManyAtOnce_GoesToOne()
    {
        using var store = await TestStore.CreateAsync();

        var taken = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() =>
            store.WriteAsync(work => Leases.TryTakeAsync(work, "watch", $"instance-{i}", TestStore.Now, TimeSpan.FromMinutes(1))))));

        Assert.Single(taken, true);
    }

    [Fact]
    public async Task AuditLog_Written_VerifiesAndCannotBeChanged()
    {
        using var store = await TestStore.CreateAsync();
        for (var i = 0; i < 5; i++)
            await store.WriteAsync(work => AuditLog.AppendAsync(work, new Actor("ruth", "registrar"), "doctor.propose", $"doctor/{i}", new { i }, TestStore.Now));

        Assert.Equal(new AuditVerdict(5, null), await store.ReadAsync(AuditLog.VerifyAsync));
        await Assert.ThrowsAsync<SqliteException>(() => store.WriteAsync(work => work.RunAsync("UPDATE audit SET person = 'x' WHERE seq = 2")));
        await Assert.ThrowsAsync<SqliteException>(() => store.WriteAsync(work => work.RunAsync("DELETE FROM audit WHERE seq = 5")));
    }

    [Theory]
    [InlineData("UPDATE audit SET person = 'mallory' WHERE seq = 3", 3)]
    [InlineData("DELETE FROM audit WHERE seq = 3", 3)]
    [InlineData("DELETE FROM audit WHERE seq = 5", 5)]
    public async Task AuditLog_ChangedBehindItsBack_NamesTheFirstEntryThatDoesNotFit(string change, long at)
    {
        using var store = await TestStore.CreateAsync();
        for (var i = 0; i < 5; i++)
            await store.WriteAsync(work => AuditLog.AppendAsync(work, Actor.Bridge, "summary.anchor", $"summary/{i}", null, TestStore.Now));
        await store.WriteAsync(work => work.RunAsync($"DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; {change}"));

        Assert.Equal(at, (await store.ReadAsync(AuditLog.VerifyAsync)).BrokenAt);
    }

    [Fact]
    public async Task AuditLog_ManyAtOnce_IsOneChain()
    {
        using var store = await TestStore.CreateAsync();

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
