using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Processes;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The hospital as a process of its own, killed (SIGKILL) between hand-offs.</summary>
[Collection(HospitalCollection.Name)]
public class KillTests(HospitalFixture fixture)
{
    private static readonly string[] Points =
    [
        "watching.1", "watching.2", "events.1", "events.2", "enrolment.1", "enrolment.2", "enrolment.3", "enrolment.4",
        "anchoring.1", "anchoring.2", "anchoring.3", "anchoring.4", "anchoring.5", "anchoring.6",
    ];

    [Fact]
    public async Task Process_KilledAtSeededPoints_NothingLostNothingTwice()
    {
        var rounds = Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") is null ? 20 : 200;
        var ct = TestContext.Current.CancellationToken;
        await using var rig = Rig.Create(fixture);
        var doctor = await rig.AddDoctorAsync();
        var licence = doctor.Statement.Licence;
        var practitioner = await fixture.PractitionerAsync(licence);
        var encounters = new List<string>();
        var random = new Random(20261122);
        var killed = 0;

        for (var round = 0; round < rounds; round++)
        {
            // Every point once in turn, then as the seed wills; some rounds die at an odd moment instead.
            var point = round < Points.Length ? Points[round] : Points[random.Next(Points.Length)];
            var delay = round >= Points.Length && random.Next(3) == 0 ? TimeSpan.FromMilliseconds(random.Next(50, 1500)) : (TimeSpan?)null;
            await using var process = Start(rig, delay is null ? point : null);
            if (await ListensAsync(rig, process))
            {
                // Work for every stage: a patient enrols, an encounter ends, a doctor signs what there is.
                var patient = await fixture.PatientAsync();
                try
                {
                    await rig.RequestAsync(patient);
                }
                catch (Exception e) when (e is HttpRequestException or IOException or InvalidOperationException)
                {
                    // It died while it was asked; the desk would ask again.
                }
                encounters.Add(await fixture.EncounterAsync(patient, practitioner, Source.Codes[round % Source.Codes.Length]));
                var end = DateTime.UtcNow.AddSeconds(delay is null ? 6 : 0) + (delay ?? TimeSpan.Zero);
                while (!process.HasExited && DateTime.UtcNow < end)
                {
                    await SignAllAsync(rig, licence);
                    await Task.Delay(30, ct);
                }
            }
            killed += process.HasExited ? 1 : 0;
            if (!process.HasExited)
                await process.KillAsync();
        }

        // One that lives: codes whose request never left are taken back; everything else comes to its end.
        await rig.StartAsync();
        foreach (var enrolment in (await rig.GetAsync("desk", "/api/enrolments?limit=200&state=Open")).Body.GetProperty("items").EnumerateArray())
            await rig.PostAsync("desk", $"/api/enrolments/{enrolment.GetProperty("enrolment").GetInt64()}/cancel");
        var enrolled = await EnrolledAsync(rig);
        await rig.UntilAsync("every encounter of an enrolled patient to be anchored", async () =>
        {
            await SignAllAsync(rig, licence);
            return (await AnchoredAsync(rig)).Count == await EnrolledAsync(rig) && await OpenAsync(rig) == 0;
        }, seconds: 60, async () => string.Join(Environment.NewLine, (await rig.Database.ReadAsync(
            work => work.ListAsync<string>(
                """
                SELECT enrolment_id || ' ' || state || ' ' || COALESCE((SELECT group_concat(encounter_key || ' ' || status || ' ' || COALESCE(reason, '') || ' current ' || is_current)
                  FROM summary WHERE summary.enrolment_id = enrolment.enrolment_id), 'no summary') FROM enrolment
                """), ct))));

        Assert.True(killed >= Math.Min(rounds, 10), $"only {killed} of {rounds} rounds died at their point");
        var anchored = await AnchoredAsync(rig);
        Assert.Equal(anchored.Count, anchored.Distinct().Count());
        Assert.Subset(encounters.ToHashSet(), anchored.ToHashSet());
        Assert.True(anchored.Count >= enrolled);

        // What the ledger lists is what the tables say, one for one.
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        var live = new List<string>();
        foreach (var index in await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT index_handle FROM enrolment WHERE state = 'Enrolled'"), ct))
            live.AddRange((await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), ct)).Entries.Where(entry => entry.State == SummaryState.Live).Select(entry => entry.Id.ToString()));
        var receipts = await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT summary_id FROM receipt"), ct);
        Assert.Equal(receipts.Order(), live.Order());
        Assert.Equal(1, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COALESCE(MAX(n), 1) FROM (SELECT COUNT(*) AS n FROM enrolment WHERE active_key IS NOT NULL GROUP BY active_key)"), ct));
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, ct)).BrokenAt);
    }

    private static ChildProcess Start(Rig rig, string? crashAt)
    {
        File.Delete(Path.Combine(rig.Folder, "address"));
        return ChildProcess.Start(Dotnet.Command(
            "The hospital", "Bridge.Hospital", ["serve", .. rig.Arguments()], Path.Combine(rig.Folder, "hospital.log"), new Dictionary<string, string?> { ["BRIDGE_CRASH_AT"] = crashAt }));
    }

    // Waits for the address file; false where it died before it listened.
    private static async Task<bool> ListensAsync(Rig rig, ChildProcess process)
    {
        var file = Path.Combine(rig.Folder, "address");
        var end = DateTime.UtcNow.AddSeconds(60);
        while (!File.Exists(file))
        {
            if (process.HasExited)
                return false;
            if (DateTime.UtcNow > end)
                throw new TimeoutException("the hospital did not listen within 60 s" + Environment.NewLine + string.Join(Environment.NewLine, process.Output()));
            await Task.Delay(20);
        }
        rig.BaseAddress = new Uri((await File.ReadAllLinesAsync(file))[0]);
        return true;
    }

    private static async Task SignAllAsync(Rig rig, string licence)
    {
        try
        {
            foreach (var item in (await rig.GetAsync(licence, "/api/cosign/queue?limit=200")).Body.GetProperty("items").EnumerateArray())
                await rig.ApproveAsync(licence, item.GetProperty("id").GetString()!);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidOperationException or KeyNotFoundException)
        {
            // It died while it was asked; the doctor would ask again.
        }
    }

    private static async Task<IReadOnlyList<string>> AnchoredAsync(Rig rig) => await rig.Database.ReadAsync(
        work => work.ListAsync<string>("SELECT encounter_key FROM summary WHERE status = 'Anchored'"), TestContext.Current.CancellationToken);

    private static Task<long> EnrolledAsync(Rig rig) => rig.Database.ReadAsync(
        work => work.ScalarAsync<long>("SELECT COUNT(*) FROM enrolment WHERE state = 'Enrolled'"), TestContext.Current.CancellationToken);

    private static Task<long> OpenAsync(Rig rig) => rig.Database.ReadAsync(
        work => work.ScalarAsync<long>("SELECT COUNT(*) FROM enrolment WHERE state = 'Enrolling'"), TestContext.Current.CancellationToken);
}
