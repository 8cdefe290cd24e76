using System.Diagnostics;
using System.Globalization;
using System.Net;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class QueueSpeedTests(HospitalFixture fixture)
{
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
        var took = new List<TimeSpan>();

        for (var i = 0; i < 105; i++)
        {
            var began = Stopwatch.GetTimestamp();
            var page = await rig.GetAsync(licence, "/api/cosign/queue");
            took.Add(Stopwatch.GetElapsedTime(began));
            Assert.Equal((HttpStatusCode.OK, 50), (page.Status, page.Body.GetProperty("items").GetArrayLength()));
        }

        var p95 = took.Skip(5).Order().ElementAt(94);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture, $"p95 {p95.TotalMilliseconds:F1} ms, median {took.Skip(5).Order().ElementAt(49).TotalMilliseconds:F1} ms"));
        Assert.True(p95 < TimeSpan.FromMilliseconds(100), $"{p95.TotalMilliseconds} ms");
    }
}
