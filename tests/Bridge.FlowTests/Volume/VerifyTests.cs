using System.Globalization;
using System.Text.Json;
using Bridge.FlowTests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Volume;

/// <summary><c>verify</c> after 2,023 encounters, as it is and after somebody had the database file in hand.</summary>
[Collection(VolumeCollection.Name)]
public class VerifyTests(VolumeFixture fixture)
{
    private Rig Rig => fixture.Rig;

    [Fact]
    public async Task Verify_BesideTheRunningServer_EverythingAgreesWithLedgerAndSource()
    {
        var printed = await Shell.RunAsync(Rig, "verify", "--source");

        Assert.True(printed.ExitCode == 0, printed.Text);
        foreach (var text in (string[])["507 receipts", "507 summaries on the ledger", "2023 summaries in the tables", "100 enrolments", "2023 encounters read again", "summaries from the source: 2023 recomputed"])
            Assert.Contains(text, printed.Text, StringComparison.Ordinal);
        Assert.EndsWith($"Everything agrees.{Environment.NewLine}", printed.Text, StringComparison.Ordinal);
    }

    // Each change is another kind of tampering, on an anchored summary (or its enrolment) that no other change touches: 0, 1, 2 … are those of one patient each.
    // All of them are made in one copy, and each must be found by itself, by name and by row.
    [Fact]
    public async Task Verify_DatabaseChangedByHand_FindsEachChange()
    {
        var rows = await Rig.Database.ReadAsync(
            work => work.ListAsync<long>("SELECT MIN(row_id) FROM summary WHERE status = 'Anchored' GROUP BY enrolment_id ORDER BY 1"), TestContext.Current.CancellationToken);
        var next = await fixture.CountAsync("SELECT MAX(row_id) + 1 FROM summary");
        var nothingNew = await fixture.CountAsync("SELECT MIN(row_id) FROM summary WHERE status = 'Withheld' AND reason = 'NothingNew'");
        var lastAnchored = await Rig.Database.ReadAsync(
            work => work.ScalarAsync<string>("SELECT subject FROM audit WHERE action = 'summary.anchor' ORDER BY seq DESC LIMIT 1"), TestContext.Current.CancellationToken);
        (string Sql, string[] Found)[] changes =
        [
            ("UPDATE summary SET payload = CAST(replace(CAST(payload AS TEXT), '\"sex\":\"', '\"sex\":\"x') AS BLOB) WHERE row_id = #0", ["summary.payload summary/#0", "receipt.payload summary/#0"]),
            ("UPDATE decision SET signature = (SELECT signature FROM decision WHERE row_id <> #1 LIMIT 1) WHERE row_id = #1", ["decision.signature summary/#1"]),
            ("UPDATE receipt SET signed = replace(signed, '\"payload\":\"e', '\"payload\":\"f') WHERE row_id = #2", ["receipt.signed summary/#2"]),
            ("UPDATE enrolment SET certificate = (SELECT certificate FROM enrolment AS o WHERE o.enrolment_id <> enrolment.enrolment_id LIMIT 1) WHERE enrolment_id = @3", ["enrolment.patient enrolment/@3"]),
            ("UPDATE reconciliation SET known = known - 1", ["reconciliation.sum "]),
            // All that tells of a summary, but the audit log and the ledger.
            ("DELETE FROM receipt WHERE row_id = #4; DELETE FROM anchor WHERE row_id = #4; DELETE FROM decision WHERE row_id = #4; DELETE FROM summary WHERE row_id = #4",
                ["ledger.extra ledger/$4", "audit.anchor summary/#4", "audit.approve summary/#4", "enrolment.index enrolment/@4"]),
            ("DELETE FROM summary WHERE row_id = #5", ["summary.dropped summary/#5", "ledger.extra ledger/$5"]),
            ("DELETE FROM enrolment WHERE enrolment_id = @6", ["enrolment.dropped summary/#6"]),
            // One too many, made from another.
            ($"""
              INSERT INTO summary (row_id, summary_id, encounter_key, encounter_version, generation, is_current, patient_key, enrolment_id, pseudonym, status, revision, class, period, finished_at, changed_at, ready_at, payload, content_digest, created_at, updated_at)
              SELECT {next}, 'AAAAAAAAAAAAAAAAAAAAAA', 'made-up', '1', 1, 0, patient_key, enrolment_id, pseudonym, 'Anchored', 1, class, period, finished_at, changed_at, 0, payload, content_digest, created_at, updated_at FROM summary WHERE row_id = #7
              """, [$"receipt.missing summary/{next}", $"ledger.missing summary/{next}", $"anchor.missing summary/{next}", $"summary.payload summary/{next}"]),
            (Swapped("summary", "patient_key, enrolment_id, pseudonym", 8, 9),
                ["ledger.index summary/#8", "ledger.index summary/#9", "ledger.consent summary/#8", "summary.payload summary/#8"]),
            (Swapped("summary", "payload", 10, 11), ["decision.digest summary/#10", "decision.digest summary/#11", "receipt.payload summary/#10"]),
            ("UPDATE receipt SET tx_id = 'f' || substr(tx_id, 2) || 'f' WHERE row_id = #12", ["receipt.transaction summary/#12"]),
            ("UPDATE receipt SET block_number = block_number + 1 WHERE row_id = #13", ["receipt.block summary/#13"]),
            (Swapped("receipt", "signed", 14, 15), ["receipt.payload summary/#14", "ledger.content summary/#15"]),
            // Two that pass for each other: under the id of each stands the other's record.
            ("UPDATE summary SET summary_id = 'x' WHERE row_id = #16; UPDATE summary SET summary_id = '$16' WHERE row_id = #17; UPDATE summary SET summary_id = '$17' WHERE row_id = #16",
                ["ledger.content summary/#16", "ledger.index summary/#16", "receipt.summary summary/#17", "decision.summary summary/#17"]),
            ("DELETE FROM receipt WHERE row_id = #18", ["receipt.missing summary/#18", "audit.anchor summary/#18"]),
            ("DELETE FROM decision WHERE row_id = #19", ["audit.approve summary/#19", "anchor.decision summary/#19"]),
            ("UPDATE summary SET status = 'AwaitingCoSign' WHERE row_id = #20", ["ledger.live summary/#20", "receipt.early summary/#20"]),
            ("UPDATE summary SET status = 'Anchord' WHERE row_id = #21", ["summary.status summary/#21"]),
            ("UPDATE enrolment SET consent_until = consent_until + 31536000000 WHERE enrolment_id = @22", ["enrolment.consent enrolment/@22"]),
            ("UPDATE enrolment SET patient_key = 'somebody' WHERE enrolment_id = @23", ["summary.patient summary/#23"]),
            ("UPDATE enrolment SET index_handle = NULL WHERE enrolment_id = @24", ["enrolment.content enrolment/@24"]),
            // A signed summary is told by its signature; one that was never signed, by the source alone.
            ($"UPDATE summary SET class = 'IMP', payload = CAST(replace(CAST(payload AS TEXT), '\"class\":\"' || class || '\"', '\"class\":\"IMP\"') AS BLOB) WHERE row_id = {nothingNew}", [$"source.payload summary/{nothingNew}"]),
            // The last entries of the audit log cut off, and its end moved back: the chain that is left holds. What they told of shows it.
            ("""
             DELETE FROM audit WHERE seq >= (SELECT MAX(seq) FROM audit WHERE action = 'summary.anchor');
             UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1)
             """, [$"audit.anchor {lastAnchored}"]),
            ("UPDATE doctor SET status = 'REVOKED' WHERE handle = (SELECT MIN(handle) FROM doctor)", ["doctor.copy doctor/"]),
        ];
        var copy = Shell.CopyOf(Path.Combine(Rig.Folder, "hospital.db"), Path.Combine(Rig.Folder, $"copy-{Guid.NewGuid():N}.db"));
        var ids = (await Rig.Database.ReadAsync(work => work.ListAsync<Bridge.Hospital.Store.SummaryRow>(
            "SELECT row_id AS RowId, enrolment_id AS EnrolmentId, summary_id AS SummaryId, status AS Status FROM summary WHERE row_id IN @rows ORDER BY row_id", new { rows }), TestContext.Current.CancellationToken))
            .Select(row => (row.RowId, row.EnrolmentId, row.SummaryId)).ToList();
        foreach (var (sql, _) in changes)
            Shell.Tamper(copy, Filled(sql));

        var printed = await Shell.RunAsync(Rig, "verify", "--source", "--json", "--Database:File", copy);

        Assert.True(printed.ExitCode == 1, printed.Text);
        var said = JsonElement.Parse(printed.Text);
        Assert.False(said.GetProperty("clean").GetBoolean());
        var found = said.GetProperty("findings").EnumerateArray().ToList();
        var names = found.Select(finding => $"{finding.GetProperty("check").GetString()} {finding.GetProperty("subject").GetString()}").ToList();
        foreach (var expected in changes.SelectMany(change => change.Found).Select(Filled))
            Assert.True(names.Exists(name => expected.EndsWith('/') || expected.EndsWith(' ') ? name.StartsWith(expected, StringComparison.Ordinal) : name == expected), $"{expected} is not among{Environment.NewLine}{string.Join(Environment.NewLine, names)}");
        // The cut made no entry disagree with its neighbours.
        Assert.DoesNotContain(names, name => name.StartsWith("audit.chain", StringComparison.Ordinal));
        // Each says what, and what to do; and no patient.
        Assert.All(found, finding => Assert.True(finding.GetProperty("what").GetString()!.Length > 10 && finding.GetProperty("cure").GetString()!.Length > 20, finding.ToString()));
        Assert.Empty(Canaries.Of(fixture.Samples, "Dr. Iris Keller", "Linden Hospital", "Harbour Clinic").In(printed.Text));
        Assert.DoesNotContain(fixture.Samples.Of("Patient").Select(patient => (string)patient["id"]!), id => printed.Text.Contains(id, StringComparison.Ordinal));

        static string Swapped(string table, string columns, int a, int b) =>
            $"CREATE TEMP TABLE old AS SELECT row_id, {columns} FROM {table} WHERE row_id IN (#{a}, #{b}); UPDATE {table} SET ({columns}) = (SELECT {columns} FROM old WHERE old.row_id = #{a} + #{b} - {table}.row_id) WHERE row_id IN (#{a}, #{b})";

        // #n: the n-th patient's row; @n: her enrolment; $n: the summary's id.
        string Filled(string text) => System.Text.RegularExpressions.Regex.Replace(text, @"([#@$])(\d+)", match =>
        {
            var (row, enrolment, id) = ids[int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)];
            return match.Groups[1].Value switch { "#" => row.ToString(CultureInfo.InvariantCulture), "@" => enrolment.ToString(CultureInfo.InvariantCulture), _ => id };
        });
    }

    // What else can be done to the chain is tried on both engines in StoreTests.
    [Fact]
    public async Task Verify_LastAuditEntryRemoved_NamesIt()
    {
        var copy = Shell.CopyOf(Path.Combine(Rig.Folder, "hospital.db"), Path.Combine(Rig.Folder, $"copy-{Guid.NewGuid():N}.db"));
        var last = Shell.Scalar(copy, "SELECT MAX(seq) FROM audit");
        Shell.Tamper(copy, "DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)");

        var printed = await Shell.RunAsync(Rig, "verify", "--Database:File", copy);

        Assert.True(printed.ExitCode == 1, printed.Text);
        Assert.Contains($"audit.chain  audit/{last}: the hash chain breaks at entry {last}. Entries from here on were changed, removed or added by hand", printed.Text, StringComparison.Ordinal);
    }
}
