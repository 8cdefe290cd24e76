using Bridge.Hospital;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The worker is driven by hand, against the real contract: what would be a process's death is an exception that nothing catches.</summary>
[Collection(HospitalCollection.Name)]
public class AnchoringTests(HospitalFixture fixture)
{
    private static readonly AnchoringOptions AtOnce = new(1, TimeSpan.Zero, TimeSpan.Zero, 50, TimeSpan.FromHours(1), TimeSpan.FromMinutes(3));

    // The hospital's own anchoring finds nothing to do: the test's workers are the only ones.
    private static readonly (string, string)[] ByHand = [("Anchoring:Interval", "01:00:00"), ("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00")];

    private sealed class DiedException(string point) : Exception(point);

    [Theory]
    [OnBothEngines]
    public async Task Worker_DiesAtEachPoint_NothingLostNothingTwice(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine, ByHand);
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(rig.Doctors.Keys.Single()));
        var ct = TestContext.Current.CancellationToken;
        foreach (var (point, i) in ((string[])["anchoring.1", "anchoring.2", "anchoring.3", "anchoring.4", "anchoring.5"]).Select((point, i) => (point, i)))
        {
            var encounter = await signed.EncounterAsync(Source.Codes[i]);

            await DiesAsync(rig, point);
            // What a restart does first with the embedded database; elsewhere the leases run out.
            await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
            if (point == "anchoring.2")
            {
                // And once more while the bytes' fate is looked up.
                await DiesAsync(rig, "anchoring.6");
                await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
            }
            await UntilAnchoredAsync(rig, encounter, Worker(rig));

            Assert.Equal((1, i + 1), (await AnchorsAsync(rig, encounter), await OnLedgerAsync(rig)));
        }
    }

    [Theory]
    [OnBothEngines]
    public async Task Worker_TwiceAtOnceOnTwoInstances_AnchorsEachOnce(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine, ByHand);
        var practitioner = await fixture.PractitionerAsync(rig.Doctors.Keys.Single());
        var encounters = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var signed = new SignedFor(rig, await rig.EnrolAsync(), practitioner);
            encounters.Add(await signed.EncounterAsync(Source.Codes[0]));
            encounters.Add(await signed.EncounterAsync(Source.Codes[1]));
        }

        await rig.UntilAsync("all to be anchored", async () =>
        {
            await Task.WhenAll(Worker(rig).RunAsync(TestContext.Current.CancellationToken), Worker(rig).RunAsync(TestContext.Current.CancellationToken));
            return (await CountsAsync(rig))["Anchored"] == 6;
        });

        foreach (var encounter in encounters)
            Assert.Equal(1, await AnchorsAsync(rig, encounter));
        Assert.Equal(6, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM receipt"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Outcome_UnknownThoughCommitted_IsReadFromTheLedger()
    {
        await using var rig = await Rig.StartAsync(fixture, ByHand);
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(rig.Doctors.Keys.Single()));
        var encounter = await signed.EncounterAsync(Source.Codes[0]);
        var real = rig.Services.GetRequiredService<AnchorCalls>();
        var asked = 0;
        // The transaction stands, but its answer never comes.
        var deaf = real with
        {
            AnchorAsync = async (doctors, items, token) =>
            {
                asked++;
                var outcomes = await real.AnchorAsync(doctors, items, token);
                return [.. outcomes.Select(outcome => outcome with { Result = AnchorResult.Unknown, Receipt = null })];
            },
        };

        await UntilAnchoredAsync(rig, encounter, Worker(rig, calls: deaf));

        Assert.Equal((1, 1), (asked, await OnLedgerAsync(rig)));
    }

    [Fact]
    public async Task ReadBack_RefusedAfterAnUnknownOutcome_IsAskedAgainAndNothingIsSentTwice()
    {
        await using var rig = await Rig.StartAsync(fixture, ByHand);
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(rig.Doctors.Keys.Single()));
        var encounter = await signed.EncounterAsync(Source.Codes[0]);
        var real = rig.Services.GetRequiredService<AnchorCalls>();
        var (asked, read) = (0, 0);
        var deaf = real with
        {
            AnchorAsync = async (doctors, items, token) =>
            {
                asked++;
                var outcomes = await real.AnchorAsync(doctors, items, token);
                return [.. outcomes.Select(outcome => outcome with { Result = AnchorResult.Unknown, Receipt = null })];
            },
            // A peer whose record of the hospital is not there yet refuses the question itself.
            ReadAsync = (ids, token) => read++ == 0
                ? rig.Services.GetRequiredService<SummaryLedger>().ReadSummariesAsync("NoSuchMSP", ids, token)
                : real.ReadAsync(ids, token),
        };

        await rig.UntilAsync("the refusal", async () =>
        {
            var refused = await Record.ExceptionAsync(() => Worker(rig, calls: deaf).RunAsync(TestContext.Current.CancellationToken));
            Assert.True(refused is null or LedgerRefusalException, refused?.ToString());
            return refused is not null;
        });
        // Its fate is open: it neither goes back to the queue nor fails.
        Assert.Equal(SummaryStatus.Anchoring, (await rig.RowOfAsync(encounter))!.Status);
        await UntilAnchoredAsync(rig, encounter, Worker(rig, calls: deaf));

        Assert.Equal((1, 2, 1), (asked, read, await OnLedgerAsync(rig)));
    }

    [Fact]
    public async Task Doctor_RevokedBetweenSigningAndCommit_SummaryGoesBackAndTheDecisionIsKept()
    {
        // The hospital's copy of the directory is old: it is the contract that says no.
        await using var rig = Rig.Create(fixture);
        var leaving = await rig.AddDoctorAsync();
        var staying = await rig.AddDoctorAsync();
        await rig.StartAsync([.. ByHand, ("Certificates:SyncInterval", "00:00:01")]);
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(leaving.Statement.Licence), leaving.Statement.Licence);
        var encounter = await signed.EncounterAsync(Source.Codes[0]);
        await rig.Actors.RevokeAsync(leaving, rig.Actors.Hospital(Rig.Msp).Registrar);

        await rig.UntilAsync("summary to come back", async () =>
        {
            await Worker(rig).RunAsync(TestContext.Current.CancellationToken);
            return (await rig.RowOfAsync(encounter))!.Status == SummaryStatus.AwaitingCoSign;
        });

        var row = (await rig.RowOfAsync(encounter))!;
        Assert.Equal(("DOCTOR_REVOKED", null), (row.Reason, row.DoctorLicence));
        Assert.Equal("DOCTOR_REVOKED", await rig.Database.ReadAsync(
            work => work.ScalarAsync<string>("SELECT void_reason FROM decision WHERE row_id = @RowId AND signature IS NOT NULL", new { row.RowId }), TestContext.Current.CancellationToken));
        Assert.Equal("ASSIGNED", (await rig.PostAsync("operator", $"/api/cosign/{row.SummaryId}/assign", new { licence = staying.Statement.Licence })).Outcome);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(staying.Statement.Licence, row.SummaryId)).Outcome);
        await UntilAnchoredAsync(rig, encounter, Worker(rig));
        Assert.Equal(1, await OnLedgerAsync(rig));
    }

    [Fact]
    public async Task Doctor_ReportsKeyLostAfterSigning_NothingSignedWithItLeaves()
    {
        await using var rig = await Rig.StartAsync(fixture, ByHand);
        var (licence, doctor) = rig.Doctors.Single();
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(licence), licence);
        var encounter = await signed.EncounterAsync(Source.Codes[0]);
        Assert.Equal("REPORTED", (await rig.PostAsync(licence, $"/api/keys/{Digest.Of(doctor.Keys.Der())}/lost")).Outcome);

        await Worker(rig).RunAsync(TestContext.Current.CancellationToken);

        var row = (await rig.RowOfAsync(encounter))!;
        Assert.Equal((SummaryStatus.AwaitingCoSign, "DOCTOR_LOST"), (row.Status, row.Reason));
        Assert.Equal(0, await OnLedgerAsync(rig));
    }

    [Fact]
    public async Task Paused_NothingIsReadAndNothingLeaves()
    {
        await using var rig = await Rig.StartAsync(fixture, ByHand);
        var signed = new SignedFor(rig, await rig.EnrolAsync(), await fixture.PractitionerAsync(rig.Doctors.Keys.Single()));
        var encounter = await signed.EncounterAsync(Source.Codes[0]);
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "a trial" });

        await Worker(rig).RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal(SummaryStatus.CoSigned, (await rig.RowOfAsync(encounter))!.Status);

        await rig.PostAsync("operator", "/api/operations/resume", new { reason = "the trial is over" });
        await UntilAnchoredAsync(rig, encounter, Worker(rig));
    }

    private static async Task DiesAsync(Rig rig, string point)
    {
        var death = await Record.ExceptionAsync(() => Worker(rig, new CrashPoints(point, at => throw new DiedException(at))).RunAsync(TestContext.Current.CancellationToken));
        Assert.True(death is DiedException, $"the worker was to die at {point}, but: {death}{Environment.NewLine}{rig.LogText}");
    }

    private static AnchorWorker Worker(Rig rig, CrashPoints? crash = null, AnchorCalls? calls = null)
    {
        var services = rig.Services;
        var points = crash ?? new CrashPoints(null, _ => { });
        var hospital = services.GetRequiredService<HospitalOptions>();
        var notes = new SubmitNotes(rig.Database, TimeProvider.System, AtOnce, points);
        var options = services.GetRequiredService<LedgerOptions>();
        var ledger = new SummaryLedger(
            services.GetRequiredService<Gateway>(), options.Channel, options.Chaincode, new SummaryLedgerOptions { PortalMspId = options.PortalMsp, BeforeSubmit = notes.NoteAsync });
        // The ledger's client answers for a hook that throws; a process that dies in it answers nothing.
        var real = AnchorCalls.Of(ledger, hospital);
        var mortal = real with
        {
            AnchorAsync = async (doctors, items, token) =>
            {
                var outcomes = await real.AnchorAsync(doctors, items, token);
                return outcomes.Select(outcome => outcome.Failure).OfType<DiedException>().FirstOrDefault() is { } death ? throw death : outcomes;
            },
        };
        return new AnchorWorker(
            rig.Database, calls ?? mortal, AtOnce, hospital, services.GetRequiredKeyedService<SigningIdentity>("bridge"), new Instance(), points,
            services.GetRequiredService<HospitalMetrics>(), TimeProvider.System, NullLogger<AnchorWorker>.Instance);
    }

    private static Task UntilAnchoredAsync(Rig rig, string encounter, AnchorWorker worker) => rig.UntilAsync("encounter to be anchored", async () =>
    {
        await worker.RunAsync(TestContext.Current.CancellationToken);
        return (await rig.RowOfAsync(encounter))!.Status == SummaryStatus.Anchored;
    });

    private static Task<long> AnchorsAsync(Rig rig, string encounter) => rig.Database.ReadAsync(
        work => work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor JOIN summary USING (row_id) WHERE encounter_key = @encounter AND state = 'Done'", new { encounter }),
        TestContext.Current.CancellationToken);

    // Of all patients of this hospital in this test's database, by what the ledger lists for each.
    private static async Task<int> OnLedgerAsync(Rig rig)
    {
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        var indexes = await rig.Database.ReadAsync(
            work => work.ListAsync<string>("SELECT index_handle FROM enrolment WHERE state = 'Enrolled'"), TestContext.Current.CancellationToken);
        var live = 0;
        foreach (var index in indexes)
            live += (await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), TestContext.Current.CancellationToken)).Entries.Count(entry => entry.State == SummaryState.Live);
        return live;
    }

    private static async Task<Dictionary<string, long>> CountsAsync(Rig rig)
    {
        var counts = await rig.Database.ReadAsync(SummaryRows.CountsAsync, TestContext.Current.CancellationToken);
        return Enum.GetNames<SummaryStatus>().ToDictionary(name => name, name => counts.Where(count => count.Status == name).Sum(count => count.Count));
    }

    /// <summary>Brings encounters of one patient as far as the doctor's signature.</summary>
    private sealed class SignedFor(Rig rig, RigPatient patient, string practitioner, string? licence = null)
    {
        public async Task<string> EncounterAsync(string code)
        {
            var doctor = licence ?? rig.Doctors.Keys.Single();
            var encounter = await rig.Fixture.EncounterAsync(patient.FhirId, practitioner, code);
            var approved = await rig.ApproveAsync(doctor, await rig.QueuedAsync(doctor, encounter));
            Assert.Equal("APPROVED", approved.Outcome);
            return encounter;
        }
    }
}
