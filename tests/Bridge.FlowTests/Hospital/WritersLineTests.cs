using System.Net;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>All writers stand in one line. Whoever only reads stands in none.</summary>
[Collection(HospitalCollection.Name)]
public class WritersLineTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Read_WhileSomebodyHoldsTheLine_IsAnsweredAtOnce(Engine engine)
    {
        await using var rig = await Rig.CreateAsync(fixture, engine);
        await rig.StartAsync(("Operations:Workers", "false"));
        await rig.RequestAsync(await fixture.PatientAsync());
        // That somebody reads is written, once: what is asked again below was noted here.
        await rig.GetAsync("operator", "/api/operations/audit?limit=1");
        var newest = (await rig.GetAsync("operator", "/api/operations/audit?limit=1")).Body.GetProperty("newest").GetInt64();
        await rig.GetAsync("desk", "/api/enrolments");

        using var other = rig.OpenDatabase();
        var (held, over) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var holding = other.WriteAsync(async work =>
        {
            await work.RunAsync("UPDATE lease SET owner = owner");
            held.TrySetResult();
            await over.Task;
        }, TestContext.Current.CancellationToken);
        await held.Task;
        var writer = rig.PostAsync("operator", "/api/operations/pause", new { reason = "stands in line" });

        foreach (var (who, path) in new[]
        {
            ("operator", $"/api/operations/audit?after={newest}"), ("operator", "/api/operations/audit?action=nothing.of.the.sort"), ("operator", "/api/operations/counts"), ("operator", "/api/operations/held"),
            ("operator", "/api/operations/reconciliations"), ("operator", "/api/operations/jobs"), ("operator", "/health/ready"), ("desk", "/api/enrolments"), ("desk", "/api/enrolments/form"),
        })
            Assert.True((await rig.GetAsync(who, path).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)).Status is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable, path);
        Assert.False(writer.IsCompleted);

        over.SetResult();
        await holding;
        Assert.Equal("PAUSED", (await writer).Outcome);
    }
}
