using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Processes;
using Bridge.Tests.Hospital;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Hospital;

/// <summary>The hospital as a process of its own, killed (SIGKILL) between hand-offs.</summary>
[Collection(KilledHospitalCollection.Name)]
public class KillTests(HospitalFixture fixture)
{
    // In an order in which what one leaves undone is what the next needs.
    private static readonly string[] Points =
    [
        "enrolment.1", "enrolment.2", "enrolment.7", "enrolment.3", "enrolment.4", "events.1", "events.2", "watching.1", "watching.2", "watching.3",
        "anchoring.1", "anchoring.2", "anchoring.3", "anchoring.6", "anchoring.4", "anchoring.5",
        "retracting.1", "retracting.2", "retracting.3", "retracting.5", "retracting.4", "enrolment.5", "enrolment.6", "watching.4",
    ];

    // Of what a hospital may leave off, and of what moves by the clock: with the long run, or where they are asked for.
    private static readonly string[] Aside = ["turns.1", "turns.2", "writeback.1", "writeback.2", "writeback.3", "announcing.3", "announcing.4", "announcing.1", "announcing.2"];

    [Theory]
    [OnBothEngines]
    public async Task Process_KilledAtSeededPoints_NothingLostNothingTwice(Engine engine)
    {
        var isLong = Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") is not null;
        var points = Environment.GetEnvironmentVariable("BRIDGE_TESTS_POINTS")?.Split(',') ?? (isLong ? [.. Points, .. Aside] : Points);
        var isAside = points.Intersect(Aside).Any();
        var rounds = isLong ? 500 : points.Length;
        if (int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_TESTS_ROUNDS"), out var wished))
            rounds = wished;
        var ct = TestContext.Current.CancellationToken;
        await using var rig = await Rig.CreateAsync(fixture, engine);
        var doctor = await rig.AddDoctorAsync();
        var licence = doctor.Statement.Licence;
        var practitioner = await fixture.PractitionerAsync(licence);
        rig.Arguments(("Watching:Reread", "00:00:01"), ("Enrolment:SweepAfter", "00:00:00"));
        await using var mail = new SmtpServer();
        var deputy = isAside ? (await rig.AddDoctorAsync()).Statement.Licence : null;
        if (isAside)
            rig.Arguments(
                ("CoSign:TurnInterval", "00:00:00.300"), ("WriteBack:Provenance", "true"), ("WriteBack:Interval", "00:00:00.300"), ("Announcing:Task", "true"),
                ("Announcing:Interval", "00:00:00.300"), ("Announcing:Link", "https://bridge.hospital.example/queue"), ("Announcing:Mail:Server", "127.0.0.1"),
                ("Announcing:Mail:Port", $"{mail.Port}"), ("Announcing:Mail:Tls", "None"), ("Announcing:Mail:From", "bridge@hospital.example"), ("Announcing:Mail:Every", "00:00:01"),
                ("Announcing:Mail:Doctors:0:Licence", licence), ("Announcing:Mail:Doctors:0:Address", "ann@hospital.example"));
        var random = new Random(20261122);
        var died = new HashSet<string>();
        // A wrong one may be told twice: the process died before it saw it.
        var takenBack = new HashSet<string>();

        for (var round = 0; round < rounds; round++)
        {
            // Every point once in turn, then as the seed wills; some rounds die at an odd moment instead.
            var point = round < points.Length ? points[round] : points[random.Next(points.Length)];
            var delay = round >= points.Length && random.Next(3) == 0 ? TimeSpan.FromMilliseconds(random.Next(50, 1500)) : (TimeSpan?)null;
            // What died on its way to the ledger is withdrawn before anybody goes on with it.
            if (point == "enrolment.7")
                await WithdrawOnTheirWayAsync(rig);
            await using var process = Start(rig, delay is null ? point : null);
            if (await ListensAsync(rig, process))
            {
                // Work for every stage: a patient enrols, an encounter ends, another was entered in error, a patient withdraws, a doctor signs what there is.
                var patient = await fixture.PatientAsync();
                await AskAsync(() => rig.RequestAsync(patient));
                await fixture.EncounterAsync(patient, practitioner, Source.Codes[round % Source.Codes.Length]);
                if (point.StartsWith("retracting", StringComparison.Ordinal) && await AnAnchoredOneAsync(rig) is { } wrong)
                {
                    await fixture.ChangeAsync(wrong, encounter => encounter["status"] = "entered-in-error");
                    takenBack.Add(wrong);
                }
                if (point == "enrolment.5" && await AnEnrolmentAsync(rig) is { } leaving)
                    await AskAsync(() => rig.PostAsync("desk", $"/api/enrolments/{leaving}/withdraw", new { request = "letter" }));
                if (point.StartsWith("turns", StringComparison.Ordinal))
                    await AskAsync(() => rig.PostAsync(licence, "/api/absences", new { from = DateTimeOffset.UtcNow, until = DateTimeOffset.UtcNow.AddSeconds(5), deputy }));
                // What waits is announced; what is signed at once is not.
                var leaves = point.StartsWith("announcing", StringComparison.Ordinal) || point.StartsWith("turns", StringComparison.Ordinal);
                var end = DateTime.UtcNow.AddSeconds(delay is null ? 8 : 0) + (delay ?? TimeSpan.Zero);
                while (!process.HasExited && DateTime.UtcNow < end)
                {
                    if (!leaves)
                        await AskAsync(() => SignAllAsync(rig, licence));
                    await Task.Delay(30, ct);
                }
            }
            if (process.HasExited)
                died.Add(point);
            else
                await process.KillAsync();
        }

        // One that lives: codes whose request never left are taken back; everything else comes to its end.
        await rig.StartAsync();
        foreach (var enrolment in (await rig.GetAsync("desk", "/api/enrolments?limit=200&state=Open")).Body.GetProperty("items").EnumerateArray())
            await rig.PostAsync("desk", $"/api/enrolments/{enrolment.GetProperty("enrolment").GetInt64()}/cancel");
        await rig.UntilAsync("everything to come to its end", async () =>
        {
            await SignAllAsync(rig, licence);
            if (deputy is not null)
                await SignAllAsync(rig, deputy);
            return await UndoneAsync(rig) == 0;
        }, seconds: 90, async () => string.Join(Environment.NewLine, (await rig.Database.ReadAsync(
            work => work.ListAsync<string>(
                """
                SELECT CONCAT(e.enrolment_id, ' ', e.state, ' ', COALESCE(s.encounter_key, 'no summary'), ' ', COALESCE(s.status, ''), ' ', COALESCE(s.reason, ''), ' current ', COALESCE(s.is_current, ''))
                FROM enrolment e LEFT JOIN summary s ON s.enrolment_id = e.enrolment_id ORDER BY e.enrolment_id
                """), ct))));

        // A run that died at none of its points would show nothing.
        Assert.True(died.Count >= Math.Min(rounds, points.Length) * 3 / 4, $"only at {string.Join(", ", died.Order())} of {rounds} rounds");
        await rig.AddsUpAsync();
        Assert.Equal(takenBack.Count, await CountAsync(rig, "SELECT COUNT(*) FROM summary WHERE status = 'Retracted'"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM (SELECT encounter_key FROM summary WHERE status = 'Anchored' GROUP BY encounter_key HAVING COUNT(*) > 1) AS twice"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM (SELECT active_key FROM enrolment WHERE active_key IS NOT NULL GROUP BY active_key HAVING COUNT(*) > 1) AS twice"));

        // What the ledger lists is what the tables say, one for one.
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        var live = new List<string>();
        foreach (var index in await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT index_handle FROM enrolment WHERE state = 'Enrolled'"), ct))
            live.AddRange((await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), ct)).Entries.Where(entry => entry.State == SummaryState.Live).Select(entry => entry.Id.ToString()));
        var anchored = await rig.Database.ReadAsync(
            work => work.ListAsync<string>("SELECT receipt.summary_id FROM receipt JOIN summary ON summary.row_id = receipt.row_id WHERE status = 'Anchored'"), ct);
        Assert.Equal(anchored.Order(), live.Order());
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, ct)).BrokenAt);
        if (isAside)
            await ToldOnceAsync(rig, mail);
    }

    // Every summary that came to stand on the ledger, or stands there no more, was told to the FHIR server, once; a doctor has one Task; a mail that went out twice bears one id.
    private async Task ToldOnceAsync(Rig rig, SmtpServer mail)
    {
        var ct = TestContext.Current.CancellationToken;
        await rig.UntilAsync("everything to be told", async () => await CountAsync(rig, "SELECT COUNT(*) FROM provenance WHERE state = 'Queued'") == 0
            && await CountAsync(rig, "SELECT COUNT(*) FROM announcement WHERE way = 'task' AND name IS NOT NULL") == 0, seconds: 300);
        var told = await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT tag FROM provenance WHERE state = 'Done'"), ct);
        foreach (var tag in told)
            Assert.Single(await fixture.SearchAsync($"Provenance?_tag={Uri.EscapeDataString($"urn:bridge:write-back|{tag}")}"));
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM receipt r WHERE NOT EXISTS (SELECT 1 FROM provenance p WHERE p.row_id = r.row_id AND p.event = 'Anchored')"));
        var tasks = await fixture.SearchAsync("Task?_count=1000");
        Assert.DoesNotContain(tasks, task => (string?)task["status"] == "requested" && rig.Doctors.ContainsKey((string?)task["owner"]?["identifier"]?["value"] ?? ""));
        Assert.All(mail.Mails.GroupBy(one => one.MessageId), same => Assert.Single(same.Select(one => one.To.ToString()).Distinct()));
        // Who was away has her work back, and nothing says for whom it is any longer.
        Assert.Equal(0, await CountAsync(rig, "SELECT COUNT(*) FROM summary WHERE status = 'AwaitingCoSign'"));
    }

    // Patients whose encounter is not where it has to end: anchored, or taken back where it was entered in error.
    private static Task<long> UndoneAsync(Rig rig) => CountAsync(rig,
        """
        SELECT (SELECT COUNT(*) FROM enrolment e WHERE e.state = 'Enrolled' AND NOT EXISTS
            (SELECT 1 FROM summary s WHERE s.enrolment_id = e.enrolment_id AND s.status IN ('Anchored', 'Retracted')))
          + (SELECT COUNT(*) FROM summary WHERE status IN ('Settling', 'AwaitingCoSign', 'CoSigned', 'Anchoring', 'Failed'))
          + (SELECT COUNT(*) FROM retraction WHERE open_row IS NOT NULL)
          + (SELECT COUNT(*) FROM summary WHERE status = 'Anchored' AND is_current = 0)
          + (SELECT COUNT(*) FROM enrolment WHERE state IN ('Enrolling', 'Withdrawing'))
        """);

    private static async Task<string?> AnAnchoredOneAsync(Rig rig)
    {
        using var database = rig.OpenDatabase();
        return await database.ReadAsync(work => work.ScalarAsync<string>("SELECT encounter_key FROM summary WHERE status = 'Anchored' AND is_current = 1 ORDER BY row_id LIMIT 1"));
    }

    // As the desk writes it; no hospital runs that could be asked.
    private static async Task WithdrawOnTheirWayAsync(Rig rig)
    {
        using var database = rig.OpenDatabase();
        await database.WriteAsync(async work =>
        {
            foreach (var row in await work.ListAsync<EnrolmentRow>($"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE state = 'Enrolling'"))
                await EnrolmentRows.AskWithdrawalAsync(work, row, Desk.WrittenRequest, DateTimeOffset.UtcNow);
        });
    }

    private static async Task<long?> AnEnrolmentAsync(Rig rig)
    {
        using var database = rig.OpenDatabase();
        return await database.ReadAsync(work => work.ScalarAsync<long?>(
            "SELECT enrolment_id FROM enrolment WHERE state = 'Enrolled' AND enrolment_id NOT IN (SELECT enrolment_id FROM summary WHERE status IN ('Retracted', 'Anchored') AND is_current = 0) ORDER BY enrolment_id DESC LIMIT 1"));
    }

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);

    // It may die while it is asked; people would ask again.
    private static async Task AskAsync(Func<Task> ask)
    {
        try
        {
            await ask();
        }
        catch (Exception e) when (e is HttpRequestException or IOException or System.Net.Sockets.SocketException or InvalidOperationException or KeyNotFoundException)
        {
        }
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
        var end = DateTime.UtcNow.AddSeconds(150);
        while (!File.Exists(file))
        {
            if (process.HasExited)
                return false;
            if (DateTime.UtcNow > end)
                throw new TimeoutException("the hospital did not listen within 150 s" + Environment.NewLine + string.Join(Environment.NewLine, process.Output()));
            await Task.Delay(20);
        }
        rig.BaseAddress = new Uri((await File.ReadAllLinesAsync(file))[0]);
        return true;
    }

    private static async Task SignAllAsync(Rig rig, string licence)
    {
        foreach (var item in (await rig.GetAsync(licence, "/api/cosign/queue?limit=200")).Body.GetProperty("items").EnumerateArray())
            await rig.ApproveAsync(licence, item.GetProperty("id").GetString()!);
        foreach (var item in (await rig.GetAsync(licence, "/api/retractions/queue?limit=200")).Body.GetProperty("items").EnumerateArray())
            await rig.ApproveAsync(licence, item.GetProperty("id").GetString()!, "retractions");
    }
}
