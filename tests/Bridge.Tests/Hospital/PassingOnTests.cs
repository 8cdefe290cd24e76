using Bridge.Hospital;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Records;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>What a doctor does with work that is not hers to decide: signing and taking back alike.</summary>
public class PassingOnTests
{
    private static readonly HospitalOptions Hospital = new("HospitalAMSP", "Linden Hospital");
    private static readonly Actor Ann = new("ann", "doctor");
    private static readonly Actor Otto = new("otto", "operator");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [OnBothEngines]
    public async Task Delegate_ARetraction_GoesToTheColleagueWithTheWord(Engine engine)
    {
        await using var store = await WithRetractionAsync(engine, "A", "B", "C");
        var routing = Routing(store);

        Assert.Equal(DecisionOutcome.ColleagueCannot, await DelegateAsync(routing, "A", "A"));
        Assert.Equal(DecisionOutcome.ColleagueCannot, await DelegateAsync(routing, "A", "nobody"));
        Assert.Equal(DecisionOutcome.NotFound, await DelegateAsync(routing, "C", "B"));
        Assert.Equal(DecisionOutcome.Delegated, await DelegateAsync(routing, "A", "B", "you saw her last"));
        Assert.Equal(("AwaitingCoSign", "B"), await StandsAsync(store));
        Assert.Equal(DecisionOutcome.NotFound, await DelegateAsync(routing, "A", "C"));
        var past = Assert.Single(await store.ReadAsync(work => CoSignRows.DecisionsOfAsync(work, 1)), decision => decision.Kind == "delegate");
        Assert.Equal(("ann", "you saw her last"), (past.Person, past.Reason));

        // Whoever said that it is not hers is not asked by a colleague either.
        Assert.Equal(DecisionOutcome.Rerouted, await NotMineAsync(routing, "B"));
        Assert.Equal(("AwaitingCoSign", "A"), await StandsAsync(store));
        Assert.Equal(DecisionOutcome.ColleagueCannot, await DelegateAsync(routing, "A", "B"));

        // Once it is signed nobody passes it on.
        await store.WriteAsync(async work => await RetractionRows.MoveAsync(work, (await RetractionRows.OpenOfRowAsync(work, 1))!, RetractionState.CoSigned, null, TestStore.Now));
        Assert.Equal(DecisionOutcome.AlreadyDecided, await DelegateAsync(routing, "A", "C"));
        Assert.Equal(DecisionOutcome.AlreadyDecided, await NotMineAsync(routing, "A"));
        Assert.Equal(["retraction.delegate", "retraction.not-mine"], await ActsAsync(store));
    }

    [Theory]
    [OnBothEngines]
    public async Task NotMine_ARetraction_GoesToTheNextDoctorWhoMaySignElseToTheOperators(Engine engine)
    {
        await using var store = await WithRetractionAsync(engine, "A", "B", "C");
        var routing = Routing(store);
        // B cannot sign any more: it would lie in her queue for days.
        await store.WriteAsync(work => work.RunAsync("UPDATE doctor SET status = 'REVOKED' WHERE licence = 'B'"));

        Assert.Equal(DecisionOutcome.Rerouted, await NotMineAsync(routing, "A"));
        Assert.Equal(("AwaitingCoSign", "C"), await StandsAsync(store));
        Assert.Equal(DecisionOutcome.Rerouted, await NotMineAsync(routing, "C"));
        Assert.Equal(("AwaitingCoSign", null), await StandsAsync(store));
        Assert.Equal("s1", Assert.Single(await store.ReadAsync(work => RetractionRows.HeldAsync(work, 0, 10))).SummaryId);

        // An operator's own hand asks whom she likes.
        var decisions = new RetractionDecisions(store.Database, Hospital, new FakeTimeProvider(TestStore.Now), new RetractionSignals());
        Assert.Equal(DecisionOutcome.Assigned, await decisions.AssignAsync(Otto, "s1", "A", Ct));
        Assert.Equal(("AwaitingCoSign", "A"), await StandsAsync(store));
    }

    [Theory]
    [OnBothEngines]
    public async Task MapPractitioner_WhatSheSaidIsNotHers_DoesNotComeBackToHer(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        await AddDoctorsAsync(store, "A");
        for (var row = 1; row <= 3; row++)
            await AddAsync(store, row, SummaryStatus.Withheld, null, "NoDoctor");
        await store.WriteAsync(work => work.RunAsync("UPDATE summary SET doctor_ref = 'pr-a'"));
        await store.WriteAsync(work => work.RunAsync("INSERT INTO not_mine (row_id, licence, said_at) VALUES (2, 'A', 0)"));
        var decisions = new Decisions(
            store.Database, new AnchoringOptions(5, TimeSpan.FromDays(1), TimeSpan.FromDays(7), 50, TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(3)), Hospital,
            new FakeTimeProvider(TestStore.Now), new CoSignSignals());

        Assert.Null(await decisions.MapPractitionerAsync(Otto, "pr-a", "nobody", Ct));
        Assert.Equal(2, await decisions.MapPractitionerAsync(Otto, "pr-a", "A", Ct));
        Assert.Equal(["s1", "s3"], await store.ReadAsync(work => work.ListAsync<string>("SELECT summary_id FROM summary WHERE doctor_licence = 'A' ORDER BY row_id")));
        Assert.Equal(0, await decisions.MapPractitionerAsync(Otto, "pr-a", "A", Ct));
    }

    private static Routing Routing(TestStore store) => new(store.Database, Hospital, new FakeTimeProvider(TestStore.Now));

    private static Task<DecisionOutcome> DelegateAsync(Routing routing, string from, string to, string? note = null) =>
        routing.DelegateAsync(RetractionInQueue.Finder, Ann, from, "s1", to, note, Ct);

    private static Task<DecisionOutcome> NotMineAsync(Routing routing, string licence) => routing.NotMineAsync(RetractionInQueue.Finder, Ann, licence, "s1", Ct);

    private static async Task<(string State, string? Licence)> StandsAsync(TestStore store) =>
        await store.ReadAsync(work => RetractionRows.OpenOfRowAsync(work, 1)) is { } row ? (row.State.ToString(), row.DoctorLicence) : default;

    private static Task<IReadOnlyList<string>> ActsAsync(TestStore store) => store.ReadAsync(work => work.ListAsync<string>("SELECT action FROM audit ORDER BY seq"));

    private static async Task<TestStore> WithRetractionAsync(Engine engine, params string[] doctors)
    {
        var store = await TestStore.CreateAsync(engine);
        await AddDoctorsAsync(store, doctors);
        await AddAsync(store, 1, SummaryStatus.Anchored, doctors[0], null);
        await store.WriteAsync(async work => await RetractionRows.InsertIfNewAsync(work, (await SummaryRows.ByRowAsync(work, 1))!, RetractionReason.WrongPatient, doctors[0], TestStore.Now));
        return store;
    }

    private static Task AddDoctorsAsync(TestStore store, params string[] licences) => store.WriteAsync(async work =>
    {
        await work.RunAsync(
            """
            INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at, consent_until)
            VALUES (1, 'p1', 'p1', 'Enrolled', 'c', '', 'ruth', 0, 0, 4000000000000)
            """);
        foreach (var licence in licences)
            await work.RunAsync(
                """
                INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
                VALUES (@licence, 'HospitalAMSP', @licence, 'cert', @licence, @licence, 'ACTIVE', 0, 4000000000, '', 0)
                """,
                new { licence });
    });

    private static Task<long> AddAsync(TestStore store, int row, SummaryStatus status, string? licence, string? reason) => store.WriteAsync(work => SummaryRows.InsertAsync(work, new SummaryRow
    {
        SummaryId = $"s{row}",
        EncounterKey = $"e{row}",
        EncounterVersion = "1",
        PatientKey = "p1",
        EnrolmentId = 1,
        Pseudonym = "pseudonym",
        Status = status,
        Reason = reason,
        DoctorLicence = licence,
        Draft = """{"doctors":[{"identifiers":[{"value":"A"}]},{"identifiers":[{"value":"B"}]},{"identifiers":[{"value":"C"}]}]}""",
        Payload = [1],
        CreatedAt = TestStore.Now.ToUnixTimeMilliseconds(),
    }));
}
