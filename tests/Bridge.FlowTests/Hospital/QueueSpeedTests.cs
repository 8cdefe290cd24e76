using System.Diagnostics;
using System.Globalization;
using System.Net;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class QueueSpeedTests(HospitalFixture fixture)
{
    private static readonly TimeSpan Goal = TimeSpan.FromMilliseconds(100);

    [Theory]
    [OnBothEngines]
    public async Task Queue_OfAFullStore_ComesInLessThanATenthOfASecond(Engine engine)
    {
        await using var rig = await Rig.CreateAsync(fixture, engine);
        await rig.AddDoctorAsync();
        await rig.StartAsync(("Operations:Workers", "false"));
        await FullStore.FillAsync(rig.Database, DateTimeOffset.UtcNow);
        var licence = rig.Doctors.Keys.Single();
        await rig.Database.WriteAsync(work => work.RunAsync("UPDATE summary SET doctor_licence = @licence WHERE doctor_licence = 'L-7'", new { licence }), TestContext.Current.CancellationToken);
        // Other tests run beside this one. What they delay is not the page's: one stretch of a hundred that nothing disturbed shows its speed.
        var stretches = new List<TimeSpan>();

        do
            stretches.Add(await P95Async(rig, licence));
        while (stretches[^1] >= Goal && stretches.Count < 5);

        Assert.True(stretches[^1] < Goal, string.Join(", ", stretches.Select(p95 => $"{p95.TotalMilliseconds} ms")));
    }

    private static async Task<TimeSpan> P95Async(Rig rig, string licence)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < 105; i++)
        {
            var began = Stopwatch.GetTimestamp();
            var page = await rig.GetAsync(licence, "/api/cosign/queue");
            took.Add(Stopwatch.GetElapsedTime(began));
            Assert.Equal((HttpStatusCode.OK, 50), (page.Status, page.Body.GetProperty("items").GetArrayLength()));
        }
        // The first five warm up.
        var sorted = took.Skip(5).Order().ToList();
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture, $"p95 {sorted[94].TotalMilliseconds:F1} ms, median {sorted[49].TotalMilliseconds:F1} ms"));
        return sorted[94];
    }
}
