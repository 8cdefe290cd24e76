using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Processes;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>Two instances of one hospital.</summary>
[Collection(HospitalCollection.Name)]
public class InstancesTests(HospitalFixture fixture)
{
    [Fact]
    public async Task TwoOnOneServer_OneIsKilled_AllIsDoneOnceAndTheOtherTakesOver()
    {
        var ct = TestContext.Current.CancellationToken;
        await using var rig = await Rig.CreateAsync(fixture, Engine.MariaDb);
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        var practitioner = await fixture.PractitionerAsync(licence);
        // Long enough that neither is taken for dead while both start on a busy machine.
        rig.Arguments(("Anchoring:MaxBatch", "1"), ("Database:InstanceTimeout", "00:00:08"));
        await rig.StartAsync();
        await using var other = rig.Beside();
        // The second one is a process of its own: it can be killed.
        var process = Start(other, null);
        try
        {
            await AddressAsync(other, process);
            var encounters = new List<string>();
            for (var i = 0; i < 8; i++)
                encounters.Add(await fixture.EncounterAsync((await rig.EnrolAsync()).FhirId, practitioner, Source.Codes[i]));
            // Half are signed at the one, half at the other.
            for (var i = 0; i < encounters.Count; i++)
            {
                var at = i % 2 == 0 ? rig : other;
                Assert.Equal("APPROVED", (await at.ApproveAsync(licence, await at.QueuedAsync(licence, encounters[i]))).Outcome);
            }
            foreach (var encounter in encounters)
                await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
            var sentThere = process.Output().Count(line => line.Contains("Sent a batch", StringComparison.Ordinal));
            var sentHere = rig.LogLines().Count(line => line.Contains("Sent a batch", StringComparison.Ordinal));
            Assert.True(sentHere > 0 && sentThere > 0, $"one did nothing: {sentHere} batches here, {sentThere} there");
            // Who walks, reconciles and publishes is one of them.
            Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM lease WHERE name = 'watch'"));
            Assert.Equal(1, await CountAsync(rig, "SELECT COUNT(*) FROM status_list WHERE published_at IS NOT NULL"));

            // It dies with a summary in its hands.
            await process.KillAsync();
            process = Start(other, "anchoring.2");
            await AddressAsync(other, process);
            var last = new List<string>();
            for (var i = 0; i < 4; i++)
                last.Add(await fixture.EncounterAsync((await rig.EnrolAsync()).FhirId, practitioner, Source.Codes[8 + i]));
            foreach (var encounter in last)
            {
                var summary = await rig.QueuedAsync(licence, encounter);
                // Signed at the one that will die, as long as it lives: it is woken first.
                try
                {
                    await other.ApproveAsync(licence, summary);
                }
                catch (Exception e) when (e is HttpRequestException or System.Net.Sockets.SocketException)
                {
                    // It died before it could answer; signed below where that was lost.
                }
            }
            await rig.UntilAsync("the other to die", () => Task.FromResult(process.HasExited));
            foreach (var encounter in last)
            {
                if ((await rig.RowOfAsync(encounter))!.Status == SummaryStatus.AwaitingCoSign)
                    await rig.ApproveAsync(licence, (await rig.RowOfAsync(encounter))!.SummaryId);
                await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
            }

            Assert.Contains("says nothing any more", rig.LogText, StringComparison.Ordinal);
            var ledger = rig.Services.GetRequiredService<SummaryLedger>();
            var live = 0;
            foreach (var index in await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT index_handle FROM enrolment"), ct))
                live += (await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), ct)).Entries.Count(entry => entry.State == SummaryState.Live);
            Assert.Equal((12, 12L), (live, await CountAsync(rig, "SELECT COUNT(*) FROM receipt")));
            Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM (SELECT detail FROM audit WHERE action = 'summary.anchor' GROUP BY subject, detail HAVING COUNT(*) > 1) AS twice"));
            Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, ct)).BrokenAt);
            await rig.AddsUpAsync();
        }
        finally
        {
            await process.DisposeAsync();
        }
    }

    [Fact]
    public async Task TwoOnOneFile_TheSecondIsRefusedWithTheCure()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync();
        await using var second = Start(rig, null);

        var code = await second.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken);

        Assert.Equal(1, code);
        Assert.Contains(second.Output(), line => line.Contains("in use by another Bridge.Hospital process", StringComparison.Ordinal) && line.Contains("Database:Engine mysql", StringComparison.Ordinal));
        Assert.Equal(System.Net.HttpStatusCode.OK, (await rig.GetAsync("operator", "/health/live")).Status);
    }

    private static ChildProcess Start(Rig rig, string? crashAt)
    {
        File.Delete(Path.Combine(rig.Folder, "address"));
        return ChildProcess.Start(Dotnet.Command(
            "The hospital", "Bridge.Hospital", ["serve", .. rig.Arguments()], Path.Combine(rig.Folder, "process.log"), new Dictionary<string, string?> { ["BRIDGE_CRASH_AT"] = crashAt }));
    }

    private static async Task AddressAsync(Rig rig, ChildProcess process)
    {
        await rig.UntilAsync("the second instance to listen", () => Task.FromResult(File.Exists(Path.Combine(rig.Folder, "address")) || process.HasExited), state: () =>
            Task.FromResult(string.Join(Environment.NewLine, process.Output())));
        rig.BaseAddress = new Uri((await File.ReadAllLinesAsync(Path.Combine(rig.Folder, "address")))[0]);
    }

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
