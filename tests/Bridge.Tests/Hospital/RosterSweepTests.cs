using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Watching;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>A server that searches within a patient only: how its patients are asked for, and what can be counted there.</summary>
public class RosterSweepTests
{
    private const int Patients = 40;
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private static async Task<WatchRig> StartAsync(Engine engine, int patients = Patients)
    {
        var rig = await WatchRig.StartAsync(
            engine, new Quirks { PatientScoped = true, IgnoresSort = true },
            options => options with { Strategy = WatchStrategy.RosterSweep, Interval = TimeSpan.FromMinutes(10) });
        for (var i = 0; i < patients; i++)
        {
            await rig.EnrolAsync(i + 1, $"p{i:00}");
            rig.PutEncounter($"e{i:00}", $"p{i:00}");
        }
        return rig;
    }

    private static List<(string Patient, DateTimeOffset At)> Searches(WatchRig rig, DateTimeOffset from) =>
        [.. rig.Server.Requests.Where(r => r.At >= from && r.PathAndQuery.StartsWith("/fhir/Encounter?patient=", StringComparison.Ordinal))
            .Select(r => (r.PathAndQuery["/fhir/Encounter?patient=".Length..].Split('&')[0], r.At))];

    [Theory]
    [OnBothEngines]
    public async Task Round_ManyPatients_AsksForEachOnceAndSpreadsThemEvenly(Engine engine)
    {
        await using var rig = await StartAsync(engine);
        rig.PutEncounter("other", "not-enrolled");
        var began = rig.Clock.GetUtcNow();

        await rig.Roster.RunAsync(Stop);

        var first = Searches(rig, began);
        Assert.Equal(Patients, first.Select(search => search.Patient).Distinct().Count());
        Assert.Equal(Patients, first.Count);
        Assert.All(first.Zip(first.Skip(1)), pair => Assert.Equal(15, (pair.Second.At - pair.First.At).TotalSeconds, 0.01));
        Assert.Equal(Enumerable.Range(0, Patients).Select(i => $"e{i:00}"), await rig.KnownAsync());
        Assert.Equal(0, rig.Asked("not-enrolled"));

        // Nothing new: one search each and nothing besides; what changed is read, a patient whose consent is over is not asked for.
        rig.PutEncounter("e07", "p07", "entered-in-error");
        rig.PutEncounter("later", "p11");
        await rig.Store.WriteAsync(work => work.RunAsync("UPDATE enrolment SET consent_until = 0 WHERE enrolment_id = 40"));
        rig.Clock.Advance(TimeSpan.FromSeconds(1));
        var (children, second) = (rig.Asked("/Condition?"), rig.Clock.GetUtcNow());
        await rig.Roster.RunAsync(Stop);

        Assert.Equal(Patients - 1, Searches(rig, second).Count);
        Assert.DoesNotContain(Searches(rig, second), search => search.Patient == "p39");
        Assert.InRange(rig.Asked("/Condition?") - children, 1, 4);
        Assert.Contains("later", await rig.KnownAsync());
        Assert.DoesNotContain("e07", await rig.KnownAsync());
        Assert.NotNull(rig.Board.Of(WatchingSlice.Stage)?.LastSuccess);
    }

    [Fact]
    public async Task Round_OnePatientsSearchFails_OthersAreReadAndItIsToldAndTriedAgain()
    {
        await using var rig = await StartAsync(Engine.Sqlite);
        rig.Server.Fail(Fault.Broken(), int.MaxValue, "patient=p05");

        var fault = await Assert.ThrowsAsync<FhirException>(() => rig.Roster.RunAsync(Stop));

        Assert.Equal(FhirFault.ServerError, fault.Fault);
        Assert.Equal(Patients - 1, (await rig.KnownAsync()).Count);
        rig.Server.Heal();
        await rig.Roster.RunAsync(Stop);
        Assert.Contains("e05", await rig.KnownAsync());
    }

    [Fact]
    public async Task Round_StoppedInItsMiddle_GoesOnWithThoseReadLongestAgoAndReadsNobodyTwice()
    {
        await using var rig = await StartAsync(Engine.Sqlite);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        rig.Server.Seen += request =>
        {
            if (request.PathAndQuery.Contains("patient=p20", StringComparison.Ordinal))
                stop.Cancel();
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rig.Roster.RunAsync(stop.Token));
        Assert.Equal(20, (await rig.KnownAsync()).Count);
        rig.Clock.Advance(TimeSpan.FromSeconds(1));
        var again = rig.Clock.GetUtcNow();
        await rig.Roster.RunAsync(Stop);

        Assert.Equal(["p20", "p21"], Searches(rig, again).Select(search => search.Patient).Take(2));
        Assert.Equal(Patients, (await rig.KnownAsync()).Count);
        Assert.Equal(Patients, await rig.CountAsync("summary"));
    }

    [Theory]
    [OnBothEngines]
    public async Task Reconciliation_ServerWideCountRefused_CountsEnrolledPatientsAndSaysSo(Engine engine)
    {
        await using var rig = await StartAsync(engine, 6);
        rig.PutEncounter("other", "not-enrolled");
        await rig.Roster.RunAsync(Stop);
        rig.PutEncounter("missed", "p02");
        rig.Server.Store.Forget("Encounter", "e03");

        var first = await rig.Reconciliation.RunAsync(Stop);

        Assert.Equal((ReconciliationRow.Enrolled, 6, 0, 5, 1), (first!.Scope, first.ServerFinished, first.NotEnrolled, first.Known, first.Difference));
        Assert.Equal(0, rig.Asked("not-enrolled"));
        // What is missing is read again, what is gone is ended.
        await rig.Worker.SweepAsync(Stop);
        var second = await rig.Reconciliation.RunAsync(Stop);
        Assert.Equal((6, 6, 0), (second!.ServerFinished, second.Known, second.Difference));
        Assert.Equal(ReconciliationRow.Enrolled, (await rig.Store.ReadAsync(ReconciliationRows.LastAsync))!.Scope);
    }

    [Theory]
    [OnBothEngines]
    public async Task Reconciliation_ThatFailed_FreesItsPlaceAtOnce(Engine engine)
    {
        await using var rig = await StartAsync(engine, 3);
        await rig.Roster.RunAsync(Stop);
        rig.Server.Fail(Fault.Broken(), int.MaxValue);
        await Assert.ThrowsAsync<FhirException>(() => rig.Reconciliation.RunAsync(Stop));

        // No hour passes, and no other instance is said to be at it.
        var lease = await rig.Store.ReadAsync(work => work.ScalarAsync<long?>("SELECT until_at FROM lease WHERE name = 'reconcile'")) ?? 0;
        Assert.Equal(0, lease);
        rig.Server.Heal();
        Assert.Equal(0, (await rig.Reconciliation.RunAsync(Stop))!.Difference);
    }

    [Fact]
    public async Task Reconciliation_WithdrawnPatientsRows_AreNeitherCountedNorTouchedWhereOnlyEnrolledOnesCanBe()
    {
        await using var rig = await StartAsync(Engine.Sqlite, 3);
        await rig.Roster.RunAsync(Stop);
        await rig.Store.WriteAsync(work => work.RunAsync("UPDATE enrolment SET consent_until = 0 WHERE enrolment_id = 1"));
        var before = rig.Server.Requests.Count;

        var row = await rig.Reconciliation.RunAsync(Stop);

        Assert.Equal((2, 2, 0), (row!.ServerFinished, row.Known, row.Difference));
        Assert.DoesNotContain(rig.Server.Requests.Skip(before), request => (request.PathAndQuery + request.Body).Contains("p00", StringComparison.Ordinal));
        Assert.Equal(3, await rig.CountAsync("summary WHERE is_current = 1"));
    }

    [Fact]
    public async Task Reconciliation_ServerRefusesThoughThePollIsConfigured_CountsEnrolledPatients()
    {
        await using var rig = await WatchRig.StartAsync(Engine.Sqlite, new Quirks { PatientScoped = true });
        await rig.EnrolAsync(1, "p00");
        rig.PutEncounter("e00", "p00");

        var row = await rig.Reconciliation.RunAsync(Stop);

        Assert.Equal((ReconciliationRow.Enrolled, 1, 0, 1), (row!.Scope, row.ServerFinished, row.Known, row.Difference));
    }
}
