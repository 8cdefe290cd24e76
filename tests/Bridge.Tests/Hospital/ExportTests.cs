using Bridge.Fhir.Client;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Watching;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>Bulk export with the traps of a real server: one job at a time, throttling, redirects that must not see the token, files that break off, crashes.</summary>
public class ExportTests
{
    private const int Patients = 12;
    private const int Encounters = 100;
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private sealed class DiedException : Exception;

    private static async Task<WatchRig> StartAsync(Engine engine, Quirks quirks, WatchStrategy strategy = WatchStrategy.LastUpdated)
    {
        quirks.Exports = true;
        quirks.Token = "t0ken";
        var rig = await WatchRig.StartAsync(engine, quirks, options => options with { Strategy = strategy, Watch = new WatchOptions { PageSize = 30 }, Export = new ExportOptions("Group/g1/$export", TimeSpan.FromHours(24)) });
        for (var i = 0; i < Patients; i++)
            await rig.EnrolAsync(i + 1, $"p{i:00}");
        for (var i = 0; i < Encounters; i++)
        {
            rig.Clock.Advance(TimeSpan.FromMilliseconds(10));
            rig.PutEncounter($"e{i:000}", $"p{i % Patients:00}");
        }
        rig.PutEncounter("other", "not-enrolled");
        rig.Clock.Advance(TimeSpan.FromSeconds(1));
        return rig;
    }

    private static ExportWorker WorkerOf(WatchRig rig, CrashPoints? crash = null) => new(
        rig.Store.Database, new BulkExport(rig.Client), rig.Options.Export!, rig.Options, rig.Worker, rig.Instance, crash ?? new CrashPoints(null, _ => { }), rig.Clock,
        NullLogger<ExportWorker>.Instance);

    private static Task<ExportState> StateAsync(WatchRig rig) => rig.Store.ReadAsync(work => ExportState.ReadAsync(work, "Group/g1/$export"));

    // As the stage does, tick by tick, until an export was taken.
    private static async Task UntilTakenAsync(WatchRig rig, ExportWorker? worker = null)
    {
        var ended = (await StateAsync(rig)).Ended;
        for (var tick = 0; tick < 500 && (await StateAsync(rig)).Ended == ended; tick++)
        {
            rig.Clock.Advance(TimeSpan.FromSeconds(30));
            await (worker ?? WorkerOf(rig)).RunAsync(Stop);
        }
        Assert.NotEqual(ended, (await StateAsync(rig)).Ended);
    }

    [Theory]
    [OnBothEngines]
    public async Task Export_FromNothing_TakesEnrolledPatientsEncountersInOrderAndLeavesTheOthersUnread(Engine engine)
    {
        await using var rig = await StartAsync(engine, new Quirks { FilesToCut = 2, MaxPageSize = 20 });
        var worker = WorkerOf(rig);

        await UntilTakenAsync(rig, worker);

        Assert.Equal(Enumerable.Range(0, Encounters).Select(i => $"e{i:000}"), await rig.KnownAsync());
        Assert.Equal(Enumerable.Range(0, Encounters).Select(i => $"e{i:000}"), await rig.Store.ReadAsync(work => work.ListAsync<string>("SELECT encounter_key FROM summary ORDER BY row_id")));
        Assert.Equal(0, rig.Asked("other"));
        // The token went to the server and not to where its files lie.
        Assert.All(rig.Server.Requests, request => Assert.Equal("Bearer t0ken", request.Authorization));
        Assert.All(rig.Server.FileRequests, request => Assert.Null(request.Authorization));
        Assert.Equal(3 + 2, rig.Server.FileRequests.Count);
        Assert.Equal((1, 1), (rig.Server.ExportsBegun, rig.Server.ExportsEnded));
        // Two looks while it ran: as far apart as the server asked.
        var looks = rig.Server.Requests.Where(r => r.Method == "GET" && r.PathAndQuery.Contains("export-status", StringComparison.Ordinal)).Select(r => r.At).ToList();
        Assert.All(looks.Zip(looks.Skip(1)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(120)));
    }

    [Fact]
    public async Task Export_TheNextDay_AsksSinceTheTransactionTimeAndClosesGaps()
    {
        await using var rig = await StartAsync(Engine.Sqlite, new Quirks());
        await UntilTakenAsync(rig);
        var transaction = (await StateAsync(rig)).Since!.Value;
        // What a poll lost: a new one, a correction and a deletion.
        rig.PutEncounter("late", "p03");
        rig.PutEncounter("e010", "p10", "entered-in-error");
        rig.Server.Store.Delete("Encounter", "e020");
        var children = rig.Asked("/Condition?");
        await WorkerOf(rig).RunAsync(Stop);
        Assert.Equal(1, rig.Server.ExportsBegun);

        rig.Clock.Advance(TimeSpan.FromHours(24));
        await UntilTakenAsync(rig);

        Assert.Equal(1, rig.Asked("_since=" + Uri.EscapeDataString(transaction.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", System.Globalization.CultureInfo.InvariantCulture))));
        var known = await rig.KnownAsync();
        Assert.Contains("late", known);
        Assert.DoesNotContain("e010", known);
        Assert.DoesNotContain("e020", known);
        Assert.Equal(Encounters - 1, known.Count);
        // Only what changed was read.
        Assert.InRange(rig.Asked("/Condition?") - children, 1, 2);
        Assert.True((await StateAsync(rig)).Since > transaction);
    }

    [Fact]
    public async Task Export_ThrottledByAnotherJob_ComesBackWhenAskedTo()
    {
        await using var rig = await StartAsync(Engine.Sqlite, new Quirks { ExportLooks = 0 });
        var theirs = await new BulkExport(rig.Client).StartAsync("Group/g1/$export", null, ["Encounter"], Stop);
        var began = rig.Clock.GetUtcNow();

        for (var tick = 0; tick < 19; tick++)
        {
            await WorkerOf(rig).RunAsync(Stop);
            rig.Clock.Advance(TimeSpan.FromSeconds(30));
        }
        Assert.Equal(2, rig.Asked("$export"));
        await new BulkExport(rig.Client).EndAsync(theirs.Job!, Stop);
        await UntilTakenAsync(rig);

        var asked = rig.Server.Requests.Where(r => r.PathAndQuery.Contains("$export", StringComparison.Ordinal)).Select(r => r.At).ToList();
        Assert.Equal(3, asked.Count);
        Assert.True(asked[2] - began >= TimeSpan.FromSeconds(600));
        Assert.Equal(Encounters, (await rig.KnownAsync()).Count);
    }

    [Theory]
    [InlineData("watching.5")]
    [InlineData("watching.1")]
    [InlineData("watching.2")]
    [InlineData("watching.6")]
    public async Task Export_DiesAtAnyPoint_TakesTheRestAndNothingTwice(string point)
    {
        await using var rig = await StartAsync(Engine.Sqlite, new Quirks { ExportLooks = 1 });
        var crash = new CrashPoints(point, _ => throw new DiedException());
        var dying = new ExportWorker(
            rig.Store.Database, new BulkExport(rig.Client), rig.Options.Export!, rig.Options, rig.WorkerOf(crash), rig.Instance, crash, rig.Clock, NullLogger<ExportWorker>.Instance);

        await Assert.ThrowsAsync<DiedException>(() => UntilTakenAsync(rig, dying));
        if (point == "watching.5")
            // The job that nobody knows of: the server ends it some time.
            rig.Server.Quirks.ExportLooks = 0;
        foreach (var orphan in rig.Server.Orphans(await StateAsync(rig) is { Job: { } job } ? job : null))
            await new BulkExport(rig.Client).EndAsync(orphan, Stop);
        await UntilTakenAsync(rig);

        Assert.Equal(Enumerable.Range(0, Encounters).Select(i => $"e{i:000}"), await rig.KnownAsync());
        Assert.Equal(Encounters, await rig.CountAsync("summary"));
    }

    [Fact]
    public async Task Export_JobFailsOrFilesExpire_SaysSoAndBeginsAnew()
    {
        await using var rig = await StartAsync(Engine.Sqlite, new Quirks { ExportFails = true, ExportLooks = 0 });
        await WorkerOf(rig).RunAsync(Stop);

        Assert.Equal(FhirFault.ServerError, (await Assert.ThrowsAsync<FhirException>(() => WorkerOf(rig).RunAsync(Stop))).Fault);
        Assert.Null((await StateAsync(rig)).Job);
        await WorkerOf(rig).RunAsync(Stop);
        Assert.Equal(1, rig.Server.ExportsBegun);
        rig.Server.Quirks.ExportFails = false;
        rig.Clock.Advance(TimeSpan.FromMinutes(10));
        await WorkerOf(rig).RunAsync(Stop);
        Assert.Equal(2, rig.Server.ExportsBegun);
        rig.Server.Seen += request =>
        {
            if (request.PathAndQuery.Contains("export-file", StringComparison.Ordinal) && rig.Server.ExportsBegun == 2)
                rig.Server.ForgetFiles();
        };
        Assert.Equal(FhirFault.Gone, (await Assert.ThrowsAsync<FhirException>(() => WorkerOf(rig).RunAsync(Stop))).Fault);
        rig.Clock.Advance(TimeSpan.FromMinutes(10));
        await UntilTakenAsync(rig);
        Assert.Equal(Encounters, (await rig.KnownAsync()).Count);
    }

    [Fact]
    public async Task Export_AsTheOnlyWatch_BringsWhatWasBeforeAnEnrolmentToo()
    {
        await using var rig = await StartAsync(Engine.Sqlite, new Quirks { ExportLooks = 0 }, WatchStrategy.BulkExport);
        await UntilTakenAsync(rig);
        await rig.EnrolAsync(99, "not-enrolled");
        await rig.Store.WriteAsync(work => work.RunAsync(
            "INSERT INTO sweep (enrolment_id, patient_key, created_at) VALUES (99, 'not-enrolled', @now)", new { now = rig.Clock.GetUtcNow().ToUnixTimeMilliseconds() }));

        await UntilTakenAsync(rig);

        Assert.Contains("other", await rig.KnownAsync());
        Assert.Equal((0, 0), (await rig.CountAsync("sweep"), rig.Asked("Encounter?patient")));
        Assert.Equal(2, rig.Asked("$export"));
        Assert.Equal(0, rig.Asked("_since"));
    }

    [Fact]
    public async Task ReadAsync_LinesOfAllKinds_ComeOneByOneAndAGiantIsCutDown()
    {
        var giant = new string('x', 20_000_000);
        var text = "{\"a\":1}\r\n\n   \n{\"id\":\"giant\",\"t\":\"" + giant + "\"}\n{\"b\":2}\nnot json\n{\"last\":true}";
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text));
        var lines = new List<Bridge.Fhir.FhirResource>();

        await foreach (var line in NdjsonLines.ReadAsync(stream, 1_000_000, TimeSpan.FromMinutes(1), Stop))
            lines.Add(line);

        Assert.Equal(["{\"a\":1}", "{\"b\":2}", "not json", "{\"last\":true}"], lines.Where(line => !line.Oversize).Select(line => System.Text.Encoding.UTF8.GetString(line.Json.Span).Trim()));
        Assert.StartsWith("{\"id\":\"giant\"", System.Text.Encoding.UTF8.GetString(Assert.Single(lines, line => line.Oversize).Json.Span), StringComparison.Ordinal);
        Assert.True(lines[1].Oversize);
    }
}
