using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The readers are driven by hand: what would be a process's death is an exception that nothing catches.</summary>
[Collection(HospitalCollection.Name)]
public class RereadTests(HospitalFixture fixture)
{
    private sealed class DiedException(string point) : Exception(point);

    [Fact]
    public async Task Readers_DieAfterReading_AreTakenUpAndTwoAtOnceDoItOnce()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var ct = TestContext.Current.CancellationToken;
        var licence = rig.Doctors.Keys.Single();
        var (old, used) = (await rig.EnrolAsync(), await rig.EnrolAsync());
        var encounter = await fixture.EncounterAsync(old.FhirId, await fixture.PractitionerAsync(licence), Source.Codes[0]);
        var queued = await rig.QueuedAsync(licence, encounter);
        await rig.StopAsync();
        await rig.StartAsync(("Operations:Workers", "false"));

        // A diagnosis changes beside its encounter.
        await fixture.ReplaceDiagnosisAsync(encounter, Source.Codes[1]);
        await rig.Database.WriteAsync(work => work.RunAsync("UPDATE summary SET ready_at = 1"), ct);
        await Assert.ThrowsAsync<DiedException>(() => Reader(rig, "watching.3").RereadAsync(ct));
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        var before = (await rig.RowOfAsync(encounter))!;
        await Task.WhenAll(Reader(rig).RereadAsync(ct), Reader(rig).RereadAsync(ct));
        var after = (await rig.RowOfAsync(encounter))!;
        Assert.Equal((queued, before.Revision + 1), (after.SummaryId, after.Revision));
        Assert.NotEqual(before.ContentDigest, after.ContentDigest);

        // The record is merged into another; the encounter is told by nobody.
        await fixture.MergeAsync(old.FhirId, used.FhirId);
        await Assert.ThrowsAsync<DiedException>(() => Merges(rig, "watching.4").RunAsync(ct));
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        await Task.WhenAll(Merges(rig).RunAsync(ct), Merges(rig).RunAsync(ct));
        Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM patient_link"));
        await Assert.ThrowsAsync<DiedException>(() => Reader(rig, "watching.1").SweepAsync(ct));
        await rig.Database.WriteAsync(Leases.FreeAllAsync, ct);
        await Task.WhenAll(Reader(rig).SweepAsync(ct), Reader(rig).SweepAsync(ct));
        Assert.Equal((0, 2, 1), (await CountAsync(rig, "SELECT COUNT(*) FROM patient_walk"), await CountAsync(rig, "SELECT COUNT(*) FROM summary"), await CountAsync(rig, "SELECT COUNT(*) FROM summary WHERE is_current = 1")));
        Assert.Equal(used.Request.Pseudonym.ToString(), (await rig.RowOfAsync(encounter))!.Pseudonym);
        await rig.AddsUpAsync();
    }

    private static WatchWorker Reader(Rig rig, string? crashAt = null)
    {
        var services = rig.Services;
        return new WatchWorker(
            rig.Database, services.GetRequiredService<EncounterWatcher>(), services.GetRequiredService<EncounterReader>(), services.GetRequiredService<FhirClient>(),
            services.GetRequiredService<Intake>(), services.GetRequiredService<WatchingOptions>(), new Instance(), Points(crashAt), services.GetRequiredService<HospitalMetrics>(),
            TimeProvider.System, NullLogger<WatchWorker>.Instance);
    }

    private static PatientMerges Merges(Rig rig, string? crashAt = null) => new(
        rig.Database, rig.Services.GetRequiredService<EncounterReader>(), rig.Services.GetRequiredService<WatchingOptions>(), new Instance(),
        rig.Services.GetRequiredService<WatchingSignals>(), Points(crashAt), TimeProvider.System, NullLogger<PatientMerges>.Instance);

    private static CrashPoints Points(string? crashAt) => new(crashAt, at => throw new DiedException(at));

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
