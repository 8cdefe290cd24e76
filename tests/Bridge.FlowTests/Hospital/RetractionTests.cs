using Bridge.Hospital;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The worker is driven by hand, against the real contract: what would be a process's death is an exception that nothing catches.</summary>
[Collection(HospitalCollection.Name)]
public class RetractionTests(HospitalFixture fixture)
{
    private static readonly AnchoringOptions Options = new(1, TimeSpan.Zero, TimeSpan.Zero, 50, TimeSpan.FromHours(1), TimeSpan.FromMinutes(3));

    private sealed class DiedException(string point) : Exception(point);

    [Fact]
    public async Task Worker_DiesAtEachPoint_RetractsOnce()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var signed = await SignedAsync(rig, 4);
        foreach (var (point, summary) in ((string[])["retracting.1", "retracting.2", "retracting.3", "retracting.4"]).Zip(signed))
        {
            await PauseOthersAsync(rig, summary);

            await DiesAsync(rig, point);
            // What a restart does first with the embedded database; elsewhere the leases run out.
            await rig.Database.WriteAsync(Leases.FreeAllAsync, TestContext.Current.CancellationToken);
            if (point is "retracting.2" or "retracting.3")
            {
                // And once more while its fate is looked up.
                await DiesAsync(rig, "retracting.5");
                await rig.Database.WriteAsync(Leases.FreeAllAsync, TestContext.Current.CancellationToken);
            }
            await UntilRetractedAsync(rig, summary, Worker(rig));

            Assert.Equal([SummaryState.Erased], await AmendmentTests.StatesAsync(rig, [summary]));
            Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE state = 'Done' AND input IS NULL AND open_row IS NULL AND summary_id = @summary", summary));
        }
        await rig.AddsUpAsync();
    }

    [Fact]
    public async Task Worker_TwiceAtOnceOnTwoInstances_RetractsEachOnce()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var signed = await SignedAsync(rig, 3);

        await rig.UntilAsync("all to be retracted", async () =>
        {
            await Task.WhenAll(Worker(rig).RunAsync(TestContext.Current.CancellationToken), Worker(rig).RunAsync(TestContext.Current.CancellationToken));
            return await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE state = 'Done'") == 3;
        });

        Assert.All(await AmendmentTests.StatesAsync(rig, signed), state => Assert.Equal(SummaryState.Erased, state));
        Assert.Equal(3, await CountAsync(rig, "SELECT COUNT(*) FROM retraction"));
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, TestContext.Current.CancellationToken)).BrokenAt);
    }

    [Fact]
    public async Task Answer_NeverComesAndReadingIsRefused_IsLookedUpUntilItIsKnown()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var summary = Assert.Single(await SignedAsync(rig, 1));
        var real = rig.Services.GetRequiredService<RetractionCalls>();
        var (asked, read) = (0, 0);
        // The transaction stands, but its answer never comes; then the read-back is refused once.
        var deaf = real with
        {
            RetractAsync = async (retraction, token) =>
            {
                asked++;
                await real.RetractAsync(retraction, token);
                throw await SilenceAsync(rig);
            },
            ReadAsync = async (id, token) => read++ == 0
                ? throw await RefusalAsync(rig)
                : await real.ReadAsync(id, token),
        };

        await UntilRetractedAsync(rig, summary, Worker(rig, calls: deaf));

        Assert.Equal((1, 2), (asked, read));
    }

    [Fact]
    public async Task Doctor_RevokedBetweenSigningAndCommit_AnotherIsAsked()
    {
        await using var rig = Rig.Create(fixture);
        var leaving = await rig.AddDoctorAsync();
        var staying = await rig.AddDoctorAsync();
        await rig.StartAsync();
        var summary = Assert.Single(await SignedAsync(rig, 1, leaving.Statement.Licence));
        await rig.Actors.RevokeAsync(leaving, rig.Actors.Hospital(Rig.Msp).Registrar);

        await rig.UntilAsync("the retraction to come back", async () =>
        {
            await Worker(rig).RunAsync(TestContext.Current.CancellationToken);
            return await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE state = 'AwaitingCoSign' AND doctor_licence IS NULL AND last_code = 'DOCTOR_REVOKED'") == 1;
        });

        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM decision WHERE kind = 'retract' AND void_reason = 'DOCTOR_REVOKED'"));
        Assert.Equal("ASSIGNED", (await rig.PostAsync("operator", $"/api/retractions/{summary}/assign", new { licence = staying.Statement.Licence })).Outcome);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(staying.Statement.Licence, summary, "retractions")).Outcome);
        await UntilRetractedAsync(rig, summary, Worker(rig));
    }

    [Fact]
    public async Task Doctor_ReportsKeyLostAfterSigning_NothingIsTakenBackBySuchASignature()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var (licence, doctor) = rig.Doctors.Single();
        var summary = Assert.Single(await SignedAsync(rig, 1));
        Assert.Equal("REPORTED", (await rig.PostAsync(licence, $"/api/keys/{Digest.Of(doctor.Keys.Der())}/lost")).Outcome);

        await Worker(rig).RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE state = 'AwaitingCoSign' AND doctor_licence IS NULL AND last_code = 'DOCTOR_LOST'"));
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM decision WHERE kind = 'retract' AND void_reason = 'DOCTOR_LOST'"));
        Assert.Equal(SummaryStatus.Anchored, (await rig.RowOfSummaryAsync(summary))!.Status);
    }

    [Fact]
    public async Task SourceTakesItsWordBack_RacingWithTheWorker_OneOfThemWinsWhole()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var signed = await SignedAsync(rig, 4);
        var encounters = new List<string>();
        foreach (var summary in signed)
            encounters.Add((await rig.RowOfSummaryAsync(summary))!.EncounterKey);

        var watch = rig.Services.GetRequiredService<WatchWorker>();
        var restoring = Task.Run(async () =>
        {
            foreach (var encounter in encounters)
            {
                await fixture.ChangeAsync(encounter, resource => resource["status"] = "finished");
                await watch.WatchAsync(TestContext.Current.CancellationToken);
            }
        }, TestContext.Current.CancellationToken);
        while (!restoring.IsCompleted)
            await Worker(rig).RunAsync(TestContext.Current.CancellationToken);
        await restoring;

        // Either it stayed and counts, or it is gone and the encounter is before the doctor again.
        await rig.UntilAsync("each encounter to stand in one state", async () =>
        {
            await Worker(rig).RunAsync(TestContext.Current.CancellationToken);
            await watch.WatchAsync(TestContext.Current.CancellationToken);
            foreach (var encounter in encounters)
                if (await rig.RowOfAsync(encounter) is not { Status: SummaryStatus.Anchored or SummaryStatus.AwaitingCoSign })
                    return false;
            return await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE open_row IS NOT NULL") == 0;
        });
        var states = await AmendmentTests.StatesAsync(rig, signed);
        for (var i = 0; i < signed.Count; i++)
            Assert.Equal(
                (await rig.RowOfAsync(encounters[i]))!.SummaryId == signed[i] ? (SummaryState.Live, SummaryStatus.Anchored) : (SummaryState.Erased, SummaryStatus.Retracted),
                (states[i], (await rig.RowOfSummaryAsync(signed[i]))!.Status));
        await rig.AddsUpAsync();
    }

    /// <summary>Anchored summaries of encounters entered in error, each with a doctor's signature under its retraction.</summary>
    private async Task<IReadOnlyList<string>> SignedAsync(Rig rig, int count, string? licence = null)
    {
        licence ??= rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var signed = new List<string>();
        for (var i = 0; i < count; i++)
        {
            var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[i]);
            var summary = await AmendmentTests.AnchoredAsync(rig, licence, encounter);
            await fixture.ChangeAsync(encounter, resource => resource["status"] = "entered-in-error");
            await rig.RetractionQueuedAsync(licence, summary);
            signed.Add(summary);
        }
        // From here on the hospital's own workers rest: the test's are the only ones.
        await rig.StopAsync();
        await rig.StartAsync(("Operations:Workers", "false"));
        foreach (var summary in signed)
            Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary, "retractions")).Outcome);
        return signed;
    }

    // One at a time: a point is passed for the first that is due.
    private static Task<int> PauseOthersAsync(Rig rig, string summary) => rig.Database.WriteAsync(
        work => work.RunAsync(
            "UPDATE retraction SET next_attempt_at = CASE WHEN summary_id = @summary THEN 0 ELSE @far END WHERE state = 'CoSigned'",
            new { summary, far = DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeMilliseconds() }), TestContext.Current.CancellationToken);

    // What a call to a ledger that is not there ends with.
    private static async Task<GatewayException> SilenceAsync(Rig rig)
    {
        var port = Bridge.Sandbox.Processes.Ports.FreeRun(0, 1);
        var bridge = rig.Services.GetRequiredKeyedService<SigningIdentity>("bridge");
        using var gateway = Gateway.Connect(new GatewayOptions
        {
            Identity = new Identity(Rig.Msp, bridge.Pem.Span),
            Signer = Signers.NewPrivateKeySigner(bridge.Key),
            Endpoints = [new GatewayEndpoint(new Uri($"http://127.0.0.1:{port}"))],
        });
        return await Assert.ThrowsAnyAsync<GatewayException>(() => new SummaryLedger(gateway, "none", "none").ReadSummariesAsync(Rig.Msp, [SummaryId.New()], TestContext.Current.CancellationToken));
    }

    private static async Task<LedgerRefusalException> RefusalAsync(Rig rig) => await Assert.ThrowsAsync<LedgerRefusalException>(
        () => rig.Services.GetRequiredService<SummaryLedger>().ReadSummariesAsync("NoSuchMSP", [SummaryId.New()], TestContext.Current.CancellationToken));

    private static async Task DiesAsync(Rig rig, string point)
    {
        var death = await Record.ExceptionAsync(() => Worker(rig, new CrashPoints(point, at => throw new DiedException(at))).RunAsync(TestContext.Current.CancellationToken));
        Assert.True(death is DiedException, $"the worker was to die at {point}, but: {death}{Environment.NewLine}{rig.LogText}");
    }

    private static RetractionWorker Worker(Rig rig, CrashPoints? crash = null, RetractionCalls? calls = null)
    {
        var services = rig.Services;
        return new RetractionWorker(
            rig.Database, calls ?? services.GetRequiredService<RetractionCalls>(), Options, services.GetRequiredService<HospitalOptions>(),
            services.GetRequiredKeyedService<SigningIdentity>("bridge"), new Instance(), crash ?? new CrashPoints(null, _ => { }), services.GetRequiredService<HospitalMetrics>(),
            TimeProvider.System, NullLogger<RetractionWorker>.Instance);
    }

    private static Task UntilRetractedAsync(Rig rig, string summary, RetractionWorker worker) => rig.UntilAsync("summary to be retracted", async () =>
    {
        await worker.RunAsync(TestContext.Current.CancellationToken);
        return (await rig.RowOfSummaryAsync(summary))!.Status == SummaryStatus.Retracted
            && await CountAsync(rig, "SELECT COUNT(*) FROM retraction WHERE open_row IS NOT NULL AND summary_id = @summary", summary) == 0;
    });

    private static Task<long> CountAsync(Rig rig, string sql, string? summary = null) =>
        rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql, new { summary }), TestContext.Current.CancellationToken);
}
