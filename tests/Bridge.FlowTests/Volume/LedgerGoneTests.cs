using System.Globalization;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bridge.FlowTests.Volume;

/// <summary>The ledger's process is stopped while summaries wait and are signed, and started again on its data.</summary>
[Collection(HospitalCollection.Name)]
public class LedgerGoneTests(HospitalFixture fixture)
{
    private const int Patients = 3;
    private const int EncountersEach = 3;

    [Fact]
    public async Task Ledger_GoneAndBack_RecoversByItselfInOrderAndLosesNothing()
    {
        await using var rig = await Rig.StartAsync(fixture);
        var licence = rig.Doctors.Keys.Single();
        var practitioner = await fixture.PractitionerAsync(licence);
        List<RigPatient> patients = [];
        for (var i = 0; i < Patients; i++)
            patients.Add(await rig.EnrolAsync());
        await rig.UntilAsync("readiness", async () => await LedgerIsReadyAsync(rig));

        await fixture.Ledger.Ledger.StopAsync();
        // Signed one after the other while the ledger is away: what leaves later must leave in this order, patient by patient.
        var signed = new List<string>();
        for (var round = 0; round < EncountersEach; round++)
            foreach (var patient in patients)
            {
                var encounter = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[round]);
                var summary = await rig.QueuedAsync(licence, encounter);
                Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
                signed.Add(summary);
            }
        await rig.UntilAsync("the ledger to be missed", async () => !await LedgerIsReadyAsync(rig));
        // An hour of failing attempts, as the rows would tell of it: the pause between attempts stays short all the same.
        await rig.UntilAsync("an attempt to have failed", async () => await CountAsync(rig, "SELECT COUNT(*) FROM anchor WHERE attempts > 0") > 0);
        await rig.Database.WriteAsync(work => work.RunAsync("UPDATE anchor SET attempts = 120 WHERE attempts > 0"), TestContext.Current.CancellationToken);
        await rig.UntilAsync("one more to have failed", async () => await CountAsync(rig, "SELECT COUNT(*) FROM anchor WHERE attempts > 120") > 0);
        Assert.True(await CountAsync(rig, "SELECT MAX(next_attempt_at) FROM anchor") - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() < 40_000, "the next attempt is too far away");
        // And the hour itself: the ledger takes no time that is another than its own, so it is the tables that grow older. Every lease and date of theirs runs out.
        await AnHourPassesAsync(rig);
        await rig.UntilAsync("one more to have failed after the hour", async () => await CountAsync(rig, "SELECT COUNT(*) FROM anchor WHERE attempts > 121") > 0);
        Assert.Equal(signed.Count, await CountAsync(rig, "SELECT COUNT(*) FROM summary WHERE status IN ('CoSigned', 'Anchoring')"));

        await fixture.Ledger.Ledger.StartAsync(TestContext.Current.CancellationToken);
        await rig.UntilAsync("all to be anchored", async () => await CountAsync(rig, "SELECT COUNT(*) FROM summary WHERE status = 'Anchored'") == signed.Count, 60);
        await rig.UntilAsync("readiness", async () => await LedgerIsReadyAsync(rig));

        // Each once on the ledger, and of each patient in the order in which they were signed.
        var order = await rig.Database.ReadAsync(work => work.ListAsync<string>(
            "SELECT CAST(block_number AS TEXT) || ' ' || summary_id FROM receipt ORDER BY row_id"), TestContext.Current.CancellationToken);
        Assert.Equal(signed.Order(), order.Select(line => line.Split(' ')[1]).Order());
        var block = order.ToDictionary(line => line.Split(' ')[1], line => long.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture));
        for (var i = 0; i < Patients; i++)
        {
            var blocks = signed.Where((_, at) => at % Patients == i).Select(id => block[id]).ToList();
            Assert.True(blocks.SequenceEqual(blocks.Order()) && blocks.Distinct().Count() == EncountersEach, string.Join(' ', blocks));
        }
        var ledger = rig.Services.GetRequiredService<SummaryLedger>();
        var live = new List<string>();
        foreach (var index in await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT index_handle FROM enrolment"), TestContext.Current.CancellationToken))
            live.AddRange((await ledger.ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), TestContext.Current.CancellationToken)).Entries.Select(entry => entry.Id.ToString()));
        Assert.Equal(signed.Order(), live.Order());
        Assert.Null((await rig.Database.ReadAsync(AuditLog.VerifyAsync, TestContext.Current.CancellationToken)).BrokenAt);
    }

    private static Task AnHourPassesAsync(Rig rig) => rig.Database.WriteAsync(async work =>
    {
        foreach (var (table, columns) in ((string, string[])[])[
            ("anchor", ["not_before", "next_attempt_at", "lease_until", "created_at", "updated_at"]), ("summary", ["finished_at", "changed_at", "ready_at", "queued_at", "lease_until", "created_at", "updated_at"]),
            ("decision", ["decided_at"]), ("enrolment", ["opened_at", "expires_at", "enrolled_at", "next_attempt_at", "lease_until"]), ("lease", ["until_at"]), ("note", ["heard_at", "next_attempt_at"]),
            ("directory_task", ["next_attempt_at", "lease_until", "created_at", "updated_at"]), ("bookmark", ["updated_at"])])
            await work.RunAsync($"UPDATE {table} SET {string.Join(", ", columns.Select(column => $"{column} = CASE WHEN {column} > 3600000 THEN {column} - 3600000 ELSE {column} END"))}");
    }, TestContext.Current.CancellationToken);

    private static async Task<bool> LedgerIsReadyAsync(Rig rig) => (await rig.GetAsync("operator", "/health/ready")).Body.GetProperty("checks").EnumerateArray()
        .Where(check => check.GetProperty("name").GetString() is "ledger" or "events").All(check => check.GetProperty("ready").GetBoolean());

    private static Task<long> CountAsync(Rig rig, string sql) => rig.Database.ReadAsync(work => work.ScalarAsync<long>(sql), TestContext.Current.CancellationToken);
}
