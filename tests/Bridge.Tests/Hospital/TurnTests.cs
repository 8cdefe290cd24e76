using Bridge.Hospital;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Records;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Work that changes hands, on both engines: absences, what waits too long, races, deaths between steps.</summary>
public class TurnTests
{
    private static readonly HospitalOptions Hospital = new("HospitalAMSP", "Linden Hospital");
    private static readonly TurnOptions Options = new(TimeSpan.FromDays(2), TimeSpan.FromDays(7), true, TimeSpan.FromMinutes(1));
    private static readonly Actor Ann = new("ann", "doctor");

    private sealed class DiedException : Exception;

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = TestStore.Now;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [OnBothEngines]
    public async Task Absence_WhileItLasts_DeputyHasTheWorkAndThenItComesBack(Engine engine)
    {
        await using var store = await WithDoctorsAsync(engine, "A", "B", "C");
        var clock = new Clock();
        var absences = Absences(store, clock);
        await AddAsync(store, 1, "A");
        await AddAsync(store, 2, "A");
        await AddAsync(store, 3, "C");
        await store.WriteAsync(work => work.RunAsync("INSERT INTO not_mine (row_id, licence, said_at) VALUES (2, 'B', 0)"));
        await store.WriteAsync(async work => await RetractionRows.InsertIfNewAsync(work, (await SummaryRows.ByRowAsync(work, 3))!, RetractionReason.WrongPatient, "A", clock.Now));

        Assert.Equal(AbsenceOutcome.DeputyCannot, await absences.SetAsync(Ann, "A", clock.Now, clock.Now.AddDays(5), "A", Ct));
        Assert.Equal(AbsenceOutcome.DeputyCannot, await absences.SetAsync(Ann, "A", clock.Now, clock.Now.AddDays(5), "nobody", Ct));
        Assert.Equal(AbsenceOutcome.BadPeriod, await absences.SetAsync(Ann, "A", clock.Now.AddDays(-5), clock.Now, "B", Ct));
        Assert.Equal(AbsenceOutcome.BadPeriod, await absences.SetAsync(Ann, "A", clock.Now.AddDays(5), clock.Now.AddDays(4), "B", Ct));
        Assert.Equal(AbsenceOutcome.Set, await absences.SetAsync(Ann, "A", clock.Now.AddHours(1), clock.Now.AddDays(5), "B", Ct));
        Assert.Equal(AbsenceOutcome.Overlaps, await absences.SetAsync(Ann, "A", clock.Now.AddDays(4), clock.Now.AddDays(6), "C", Ct));
        await RunAsync(store, clock);
        Assert.Equal(["1 A", "2 A", "3 C", "r A"], await QueuesAsync(store));

        // It begins. What the deputy said is not hers goes to an operator; new work follows.
        clock.Now = clock.Now.AddHours(1);
        await AddAsync(store, 4, "A");
        await RunAsync(store, clock);
        Assert.Equal(["1 B for A Absent", "2 - for A Absent", "3 C", "4 B for A Absent", "r B for A Absent"], await QueuesAsync(store));
        await RunAsync(store, clock);
        Assert.Equal(4, await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action IN ('summary.stand-in', 'retraction.stand-in')"));

        // The deputy's key is revoked: no one stands in; then the deputy's own deputy does.
        await store.WriteAsync(work => work.RunAsync("UPDATE doctor SET status = 'REVOKED' WHERE licence = 'B'"));
        await RunAsync(store, clock);
        Assert.Equal(["1 - for A Absent", "2 - for A Absent", "3 C", "4 - for A Absent", "r - for A Absent"], await QueuesAsync(store));
        Assert.Equal(AbsenceOutcome.Set, await absences.SetAsync(new Actor("bea", "doctor"), "B", clock.Now, clock.Now.AddDays(9), "C", Ct));
        await RunAsync(store, clock);
        Assert.Equal(["1 C for A Absent", "2 C for A Absent", "3 C", "4 C for A Absent", "r C for A Absent"], await QueuesAsync(store));

        // One is signed meanwhile and stays so; another cannot end her absence; it ends and the rest comes back.
        await store.WriteAsync(async work => await SummaryRows.MoveAsync(work, (await SummaryRows.ByRowAsync(work, 4))!, SummaryStatus.CoSigned, null, clock.Now));
        Assert.Equal(AbsenceOutcome.NotFound, await absences.EndAsync(new Actor("bea", "doctor"), "B", 1, Ct));
        clock.Now = clock.Now.AddDays(5);
        await RunAsync(store, clock);
        Assert.Equal(["1 A", "2 A", "3 C reminded", "r A"], await QueuesAsync(store));
        Assert.Equal(AbsenceOutcome.NotFound, await absences.EndAsync(Ann, "A", 1, Ct));
        Assert.Equal(3, await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action IN ('summary.return', 'retraction.return')"));
        Assert.Null((await store.ReadAsync(AuditLog.VerifyAsync)).BrokenAt);
    }

    [Theory]
    [OnBothEngines]
    public async Task Absence_EndedEarlyOrWithAnotherDeputy_IsFollowed(Engine engine)
    {
        await using var store = await WithDoctorsAsync(engine, "A", "B", "C");
        var clock = new Clock();
        var absences = Absences(store, clock);
        await AddAsync(store, 1, "A");
        await absences.SetAsync(Ann, "A", clock.Now, clock.Now.AddDays(5), "B", Ct);
        await RunAsync(store, clock);
        Assert.Equal(["1 B for A Absent"], await QueuesAsync(store));

        Assert.Equal(AbsenceOutcome.Ended, await absences.EndAsync(Ann, "A", 1, Ct));
        await absences.SetAsync(Ann, "A", clock.Now, clock.Now.AddDays(5), "C", Ct);
        await RunAsync(store, clock);
        Assert.Equal(["1 C for A Absent"], await QueuesAsync(store));

        Assert.Equal(AbsenceOutcome.Ended, await absences.EndAsync(Ann, "A", 2, Ct));
        await RunAsync(store, clock);
        Assert.Equal(["1 A"], await QueuesAsync(store));

        // Everybody is away and names the next: nobody has it, and it is not lost.
        foreach (var (who, deputy) in new[] { ("A", "B"), ("B", "C"), ("C", "A") })
            Assert.Equal(AbsenceOutcome.Set, await absences.SetAsync(Ann, who, clock.Now, clock.Now.AddDays(5), deputy, Ct));
        await RunAsync(store, clock);
        Assert.Equal(["1 - for A Absent"], await QueuesAsync(store));
        Assert.Equal("A", (await store.ReadAsync(work => CoSignRows.UnassignedAsync(work, 0, 10))).Single().ForLicence);
    }

    [Theory]
    [OnBothEngines]
    public async Task Waiting_TooLong_IsRemindedOfOncePassedOnOnceAndThenAnOperators(Engine engine)
    {
        await using var store = await WithDoctorsAsync(engine, "A", "B");
        var clock = new Clock();
        await AddAsync(store, 1, "A", """{"doctors":[{"practitionerId":"pr-a","identifiers":[{"value":"A"}]},{"practitionerId":"pr-b","identifiers":[{"value":"B"}]}]}""");
        await AddAsync(store, 2, "A", """{"doctors":[{"identifiers":[{"value":"X"}]}]}""");

        clock.Now = TestStore.Now.AddDays(2);
        await RunAsync(store, clock);
        await RunAsync(store, clock);
        Assert.Equal(["1 A reminded", "2 A reminded"], await QueuesAsync(store));
        Assert.Equal(2, await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action = 'summary.remind'"));

        clock.Now = TestStore.Now.AddDays(7);
        await RunAsync(store, clock);
        Assert.Equal(["1 B for A Waited", "2 - for A Waited"], await QueuesAsync(store));
        clock.Now = TestStore.Now.AddDays(14);
        await RunAsync(store, clock);
        await RunAsync(store, clock);
        Assert.Equal(["1 - for A Waited", "2 - for A Waited"], await QueuesAsync(store));
        Assert.Equal(3, await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action = 'summary.escalate'"));

        // Given back by an operator it waits anew.
        await store.WriteAsync(async work => await SummaryRows.MoveAsync(
            work, (await SummaryRows.ByRowAsync(work, 1))!, SummaryStatus.AwaitingCoSign, null, clock.Now, new SummaryChange().Set("doctor_licence", "A")));
        await RunAsync(store, clock);
        Assert.Equal(["1 A", "2 - for A Waited"], await QueuesAsync(store));
    }

    [Theory]
    [OnBothEngines]
    public async Task Waiting_TooLongWithAStandingDeputy_IsHersBeforeItIsAnOperators(Engine engine)
    {
        await using var store = await WithDoctorsAsync(engine, "A", "B", "C");
        var clock = new Clock();
        var absences = Absences(store, clock);
        Assert.Equal(AbsenceOutcome.DeputyCannot, await absences.NameAsync(Ann, "A", "A", Ct));
        Assert.Equal(AbsenceOutcome.DeputyCannot, await absences.NameAsync(Ann, "A", "nobody", Ct));
        Assert.Equal(AbsenceOutcome.Set, await absences.NameAsync(Ann, "A", "B", Ct));
        Assert.Equal(AbsenceOutcome.Set, await absences.NameAsync(Ann, "A", "C", Ct));
        Assert.Equal(AbsenceOutcome.Set, await absences.NameAsync(Ann, "A", "C", Ct));
        // One of an encounter that another doctor knows, one of nobody else's, one that the deputy said is not hers, and the taking back of a fourth.
        await AddAsync(store, 1, "A", """{"doctors":[{"identifiers":[{"value":"A"}]},{"identifiers":[{"value":"B"}]}]}""");
        await AddAsync(store, 2, "A");
        await AddAsync(store, 3, "B");
        await AddAsync(store, 4, "A");
        await store.WriteAsync(work => work.RunAsync("INSERT INTO not_mine (row_id, licence, said_at) VALUES (4, 'C', 0)"));
        await store.WriteAsync(async work => await RetractionRows.InsertIfNewAsync(work, (await SummaryRows.ByRowAsync(work, 3))!, RetractionReason.WrongPatient, "A", clock.Now));
        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET status = 'Anchored' WHERE row_id = 3"));

        clock.Now = TestStore.Now.AddDays(7);
        await RunAsync(store, clock);
        Assert.Equal(["1 B for A Waited", "2 C for A Waited", "4 - for A Waited", "r C for A Waited"], await QueuesAsync(store));
        clock.Now = TestStore.Now.AddDays(14);
        await RunAsync(store, clock);
        Assert.Equal(["1 - for A Waited", "2 - for A Waited", "4 - for A Waited", "r - for A Waited"], await QueuesAsync(store));

        Assert.Equal(AbsenceOutcome.Set, await absences.NameAsync(Ann, "A", "", Ct));
        Assert.Equal(
            ["""{"licence":"A","deputy":"B"}""", """{"licence":"A","deputy":"C"}""", """{"licence":"A","deputy":null}"""],
            await store.ReadAsync(work => work.ListAsync<string>("SELECT detail FROM audit WHERE action = 'absence.deputy' ORDER BY seq")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Run_KilledBetweenStepsAndTwiceAtOnce_HandsEachOverOnce(Engine engine)
    {
        await using var store = await WithDoctorsAsync(engine, "A", "B");
        using var second = store.OpenAgain();
        var clock = new Clock();
        for (var row = 1; row <= 250; row++)
            await AddAsync(store, row, "A");
        await Absences(store, clock).SetAsync(Ann, "A", clock.Now, clock.Now.AddDays(5), "B", Ct);

        // Dies before the first batch and after the second.
        foreach (var (point, handed) in new[] { ("turns.1:1", 0), ("turns.2:2", 200) })
        {
            await Assert.ThrowsAsync<DiedException>(() => Worker(store.Database, clock, new CrashPoints(point, _ => throw new DiedException())).RunAsync(Ct));
            Assert.Equal(handed, await CountAsync(store, "SELECT COUNT(*) FROM summary WHERE doctor_licence = 'B'"));
            // Its lease ends, or is freed at the next start.
            await store.WriteAsync(work => work.RunAsync("DELETE FROM lease"));
        }
        // Two instances, and a doctor who signs one of them at the same time: signed or handed over, not both.
        await Task.WhenAll(
            Worker(store.Database, clock).RunAsync(Ct), Worker(second, clock).RunAsync(Ct),
            second.WriteAsync(async work => await SummaryRows.ByRowAsync(work, 250) is { DoctorLicence: "A" } row
                ? await SummaryRows.MoveAsync(work, row, SummaryStatus.CoSigned, null, clock.Now)
                : TransitionOutcome.Stale, Ct));
        clock.Now = clock.Now.AddMinutes(3);
        await RunAsync(store, clock);

        Assert.Equal(0, await CountAsync(store, "SELECT COUNT(*) FROM summary WHERE doctor_licence = 'A' AND status = 'AwaitingCoSign'"));
        Assert.Equal(
            await CountAsync(store, "SELECT COUNT(*) FROM summary WHERE doctor_licence = 'B' AND for_licence = 'A'"),
            await CountAsync(store, "SELECT COUNT(*) FROM audit WHERE action = 'summary.stand-in'"));
        Assert.Null((await store.ReadAsync(AuditLog.VerifyAsync)).BrokenAt);
    }

    private static Absences Absences(TestStore store, Clock clock) => new(store.Database, Hospital, clock, new CoSignSignals());

    private static TurnWorker Worker(Database database, Clock clock, CrashPoints? crash = null) => new(
        database, Hospital, Options, new Routing(database, Hospital, clock), new Instance(), crash ?? new CrashPoints(null, _ => { }), clock, NullLogger<TurnWorker>.Instance);

    // Each run as by an instance of its own: what the one before held is free again.
    private static async Task RunAsync(TestStore store, Clock clock)
    {
        await store.WriteAsync(work => work.RunAsync("DELETE FROM lease"));
        await Worker(store.Database, clock).RunAsync(Ct);
    }

    private static async Task<List<string>> QueuesAsync(TestStore store) => await store.ReadAsync(async work =>
    {
        var lines = new List<string>();
        foreach (var row in await work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE status = 'AwaitingCoSign' ORDER BY row_id"))
            lines.Add($"{row.RowId} {row.DoctorLicence ?? "-"}{Of(row.ForLicence, row.ForWhy)}{(row.RemindedAt is null ? "" : " reminded")}");
        if (await RetractionRows.OpenOfRowAsync(work, 3) is { } retraction)
            lines.Add($"r {retraction.DoctorLicence ?? "-"}{Of(retraction.ForLicence, retraction.ForWhy)}{(retraction.RemindedAt is null ? "" : " reminded")}");
        return lines;

        static string Of(string? home, string? why) => home is null ? "" : $" for {home} {why}";
    });

    private static Task<long> CountAsync(TestStore store, string sql) => store.ReadAsync(work => work.ScalarAsync<long>(sql));

    private static async Task<TestStore> WithDoctorsAsync(Engine engine, params string[] licences)
    {
        var store = await TestStore.CreateAsync(engine);
        await store.WriteAsync(async work =>
        {
            await work.RunAsync(
                """
                INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at)
                VALUES (1, 'p1', 'p1', 'Enrolled', 'c', '', 'ruth', 0, 0)
                """);
            foreach (var licence in licences)
                await work.RunAsync(
                    """
                    INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
                    VALUES (@licence, 'HospitalAMSP', @licence, 'cert', @name, @licence, 'ACTIVE', 0, 4000000000, '', 0)
                    """,
                    new { licence, name = $"Dr. {licence}" });
        });
        return store;
    }

    private static Task<long> AddAsync(TestStore store, int row, string licence, string draft = "{}") => store.WriteAsync(work => SummaryRows.InsertAsync(work, new SummaryRow
    {
        SummaryId = $"s{row}",
        EncounterKey = $"e{row}",
        EncounterVersion = "1",
        PatientKey = "p1",
        EnrolmentId = 1,
        Pseudonym = "pseudonym",
        Status = SummaryStatus.AwaitingCoSign,
        DoctorLicence = licence,
        Draft = draft,
        Payload = [1],
        QueuedAt = TestStore.Now.ToUnixTimeMilliseconds(),
        CreatedAt = TestStore.Now.ToUnixTimeMilliseconds(),
    }));
}
