using Bridge.FlowTests.Volume;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class PauseTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Pause_AcrossARestart_HoldsUntilResumedAndLosesNothing(Engine engine)
    {
        await using var rig = await Rig.StartAsync(fixture, engine);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        var patient = await rig.EnrolAsync();
        var before = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var summary = await rig.QueuedAsync(licence, before);
        Assert.Equal(0, (await PauseAsync(rig, "pause", engine)).ExitCode);
        // A doctor may go on signing; nothing leaves.
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);

        await rig.StopAsync();
        var meanwhile = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        await rig.StartAsync();
        var board = rig.Services.GetRequiredService<StageBoard>();
        await rig.UntilAsync("every stage to have had its turns", () => Task.FromResult(new[] { "watch", "sweep", "reread", "anchor" }.All(stage => board.Of(stage)?.Runs >= 3)));

        Assert.True((await rig.GetAsync("operator", "/api/operations/counts")).Body.GetProperty("paused").GetBoolean());
        Assert.Null(await rig.RowOfAsync(meanwhile));
        Assert.Equal(SummaryStatus.CoSigned, (await rig.RowOfAsync(before))!.Status);

        Assert.Equal(0, (await PauseAsync(rig, "resume", engine)).ExitCode);
        await rig.UntilStatusAsync(before, SummaryStatus.Anchored);
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, await rig.QueuedAsync(licence, meanwhile))).Outcome);
        await rig.UntilStatusAsync(meanwhile, SummaryStatus.Anchored);
        Assert.Equal(2, await rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM audit WHERE action IN ('operations.pause', 'operations.resume')"), TestContext.Current.CancellationToken));
    }

    private static Task<Printed> PauseAsync(Rig rig, string command, Engine engine) => Shell.RunAsync(rig, command, "--reason", $"a trial on {engine}");
}
