using System.Data.Common;
using System.Globalization;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>From the schema that was released first to the one of today, with rows in every table.</summary>
public class UpgradeTests
{
    private sealed class DiedException : Exception;

    // Nothing is a default here: a column that a migration drops, cuts or mixes up shows.
    private static readonly string[] Rows =
    [
        """
        INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, revision, code, code_id, ca_digests, guardian, opened_by, opened_at, expires_at, request_handle, spki,
          pseudonym, consent, consent_id, consent_until, purposes, certificate, patient_handle, consent_handle, index_handle, input, tx_id, enrolled_at, ended_at, end_reason, attempts,
          next_attempt_at, last_code, lease_owner, lease_until)
        VALUES (7, 'pat-7', 'pat-7', 'Enrolled', 3, x'0102', 'code-7', '{"bridge":[],"people":[]}', 1, 'ruth', 1700000000001, 1700000000002, 'rh', x'00FF27', 'p7', 'consent ''quoted'' \\ ü 漢 😀',
          'cid', 1800000000003, 'peers rare', 'PEM', 'ph', 'ch', 'ih', 'in', 'tx7', 1700000000004, NULL, NULL, 2, 5, 'CODE', 'dead', 6)
        """,
        """
        INSERT INTO summary (row_id, summary_id, encounter_key, encounter_version, generation, is_current, patient_key, enrolment_id, pseudonym, status, reason, revision, class, period,
          finished_at, changed_at, ready_at, doctor_licence, doctor_ref, draft, payload, supersedes, content_digest, queued_at, attempts, lease_owner, lease_until, created_at, updated_at)
        VALUES (11, 'sum-11', 'Enc-11', '3', 2, 1, 'pat-7', 7, 'p7', 'Anchored', 'PatientMoved', 9, 'AMB', '2026-11', 1700000000011, 1700000000012, 1700000000013, 'L-1', 'dr', '{"a":1}',
          x'7B2200FF7D', 'sum-10', 'dig', 1700000000014, 1, 'dead', 15, 1700000000016, 1700000000017)
        """,
        """
        INSERT INTO decision (decision_id, row_id, summary_id, kind, person, licence, handle, thumbprint, reason, protected, signature, payload_digest, decided_at, voided_at, void_reason)
        VALUES (21, 11, 'sum-11', 'approve', 'ann', 'L-1', 'dh', 'thumb', 'why', 'prot', 'sig', 'pd', 1700000000021, 1700000000022, 'vr')
        """,
        """
        INSERT INTO anchor (anchor_id, row_id, active_row, decision_id, summary_id, pseudonym, state, not_before, next_attempt_at, attempts, doctor_handle, item, batch, tx_id, last_code,
          lease_owner, lease_until, created_at, updated_at)
        VALUES (31, 11, 11, 21, 'sum-11', 'p7', 'Done', 31, 32, 33, 'dh', 'item', 'b', 'tx', 'ANCHORED', 'dead', 34, 35, 36)
        """,
        "INSERT INTO receipt (row_id, summary_id, tx_id, block_number, event_id, signed, committed_at) VALUES (11, 'sum-11', 'tx', 41, 'ev', 'signed', 42)",
        """
        INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
        VALUES ('dh', 'HospitalAMSP', 'thumb', 'cert', 'Dr. Zoë Ångström', 'L-1', 'ACTIVE', 51, 52, 'stored', 53)
        """,
        "INSERT INTO practitioner (practitioner_key, licence, set_by, set_at) VALUES ('dr', 'L-1', 'olga', 61)",
        """
        INSERT INTO directory_task (task_id, kind, subject, open_subject, input, state, last_code, tx_id, attempts, next_attempt_at, lease_owner, lease_until, created_by, created_at, updated_at)
        VALUES (71, 'Propose', 'Propose/H/dh', 'Propose/H/dh', '{}', 'Queued', 'C', 'tx', 72, 73, 'dead', 74, 'ruth', 75, 76)
        """,
        "INSERT INTO status_list (seq, list, salt, next_update, tx_id, published_at) VALUES (81, 'list', 'salt', 82, 'tx', 83)",
        "INSERT INTO note (event_id, status, what, handle, heard_at, next_attempt_at, handled_at, outcome) VALUES ('ev1', 'Anchored', 'Summary', 'h', 91, 92, 93, 'Noted')",
        "INSERT INTO sweep (enrolment_id, patient_key, created_at) VALUES (7, 'pat-7', 101)",
        "INSERT INTO bookmark (name, content, updated_at) VALUES ('watch-cursor', 'cursor', 111)",
        "INSERT INTO lease (name, owner, until_at) VALUES ('watch', 'dead', 121)",
        "INSERT INTO reconciliation (at, server_finished, not_enrolled, known, difference) VALUES (131, 4, 3, 1, 0)",
    ];

    private static readonly string[] Tables =
    [
        "enrolment", "summary", "decision", "anchor", "receipt", "doctor", "practitioner", "directory_task", "status_list", "note", "sweep", "bookmark", "lease", "reconciliation", "audit",
        "audit_head",
    ];

    [Theory]
    [OnBothEngines]
    public async Task Apply_DatabaseOfTheFirstRelease_KeepsEveryValueOfEveryRow(Engine engine)
    {
        await using var store = await FirstReleaseAsync(engine);
        var before = await DumpAsync(store);
        Assert.Equal(Tables.Length, before.Select(line => line.Split('|')[0]).Distinct().Count());

        var applied = await store.MigrateAsync(store.Shipped);

        Assert.Equal(store.Shipped.Skip(1).Select(migration => migration.Name), applied);
        Assert.Empty(before.Except(await DumpAsync(store)));
        Assert.Null((await store.ReadAsync(AuditLog.VerifyAsync)).BrokenAt);
        // What was anchored of a patient to whom it did not belong is put before a doctor now.
        Assert.Equal("WrongPatient", await store.ReadAsync(work => work.ScalarAsync<string>("SELECT reason FROM retraction WHERE row_id = 11")));
        Assert.Empty(await store.MigrateAsync(store.Shipped));
    }

    [Fact]
    public async Task Apply_CutOffAtEachStatementOnMariaDb_GoesOnAndLosesNothing()
    {
        await using var store = await FirstReleaseAsync(Engine.MariaDb);
        var before = await DumpAsync(store);
        var migrations = store.Shipped.Append(new Migration(9999, "9999_more",
            """
            CREATE TABLE more (x BIGINT NOT NULL);   -- it's a comment; with a semicolon
            INSERT INTO more (x) SELECT enrolment_id FROM enrolment;
            ALTER TABLE more ADD COLUMN y VARCHAR(20) NOT NULL DEFAULT 'a;b';
            CREATE INDEX more_x ON more (x);
            UPDATE more SET x = x + 1;
            ALTER TABLE more CHANGE COLUMN y z VARCHAR(20) NULL;
            DROP INDEX more_x ON more;
            """)).ToList();
        var deaths = 0;

        for (var i = 0; ; i++)
        {
            // Before a statement, then after it and before it is noted, then at the next one.
            var crash = new CrashPoints(i % 2 == 0 ? "migration.1:1" : "migration.2:1", _ => throw new DiedException());
            if (await Record.ExceptionAsync(() => store.MigrateAsync(migrations, crash: crash)) is not { } death)
                break;
            Assert.IsType<DiedException>(death);
            deaths++;
            // A death before a statement is survived by one that gets past it.
            await Record.ExceptionAsync(() => store.MigrateAsync(migrations, crash: new CrashPoints("migration.2:2", _ => throw new DiedException())));
        }

        Assert.True(deaths >= 7, $"{deaths}");
        Assert.Empty(before.Except(await DumpAsync(store)));
        Assert.Equal("8 a;b", await store.ReadAsync(work => work.ScalarAsync<string>("SELECT GROUP_CONCAT(x, ' ', z) FROM more")));
        Assert.Equal(0, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM schema_step")));
    }

    [Fact]
    public async Task Apply_StatementRefusedOnMariaDb_NamesItAndGoesOnWhenMended()
    {
        await using var store = await TestStore.CreateAsync(Engine.MariaDb);
        await store.WriteAsync(work => work.RunAsync("CREATE TABLE taken (x INTEGER)"));
        var migrations = store.Shipped.Append(new Migration(9999, "9999_broken", "CREATE TABLE half (x INTEGER); CREATE TABLE taken (x INTEGER); INSERT INTO half VALUES (1);")).ToList();

        for (var i = 0; i < 2; i++)
        {
            var refusal = await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync(migrations));
            Assert.Contains("9999_broken stopped at statement 2 of 3 (\"CREATE TABLE taken", refusal.Message, StringComparison.Ordinal);
        }
        await store.WriteAsync(work => work.RunAsync("DROP TABLE taken"));

        Assert.Equal(["9999_broken"], await store.MigrateAsync(migrations));
        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM half")));
    }

    [Fact]
    public async Task Apply_CutOffUnderAnotherTextOnMariaDb_IsRefusedWithTheCure()
    {
        await using var store = await TestStore.CreateAsync(Engine.MariaDb);
        Migration Later(string sql) => new(9999, "9999_later", sql);
        await Record.ExceptionAsync(() => store.MigrateAsync(
            [.. store.Shipped, Later("CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);")], crash: new CrashPoints("migration.2", _ => throw new DiedException())));

        var refusal = await Assert.ThrowsAsync<MigrationException>(() => store.MigrateAsync([.. store.Shipped, Later("CREATE TABLE c (x INTEGER);")]));

        Assert.Contains("start the program version that began it", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [OnBothEngines]
    public async Task Refusal_ByAUniqueKey_TellsNoValue(Engine engine)
    {
        await using var store = await FirstReleaseAsync(engine);

        var refusal = await Assert.ThrowsAnyAsync<DbException>(() => store.WriteAsync(work => work.RunAsync(
            "INSERT INTO enrolment (patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at) VALUES ('pat-7', 'pat-7', 'Open', 'other', '', 'ruth', 0, 0)")));

        Assert.True(Database.IsDuplicate(refusal));
        Assert.DoesNotContain("pat-7", Faults.Describe(refusal), StringComparison.Ordinal);
    }

    [Theory]
    [OnBothEngines]
    public async Task Keys_DifferingInCaseOrAccents_AreDifferent(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);

        foreach (var name in (string[])["a", "A", "ä", "á", "ß", "ss"])
            await store.WriteAsync(work => Bookmarks.WriteAsync(work, name, $"of {name}", TestStore.Now));

        foreach (var name in (string[])["a", "A", "ä", "á", "ß", "ss"])
            Assert.Equal($"of {name}", await store.ReadAsync(work => Bookmarks.ReadAsync(work, name)));
    }

    private static async Task<TestStore> FirstReleaseAsync(Engine engine)
    {
        var store = await TestStore.CreateAsync(engine, migrated: false);
        await store.MigrateAsync([store.Shipped[0]]);
        await store.WriteAsync(async work =>
        {
            foreach (var row in Rows)
                await work.RunAsync(store.Dialect == Dialect.MySql ? row.Replace("\\", "\\\\", StringComparison.Ordinal) : row);
            await AuditLog.AppendAsync(work, new Actor("ruth", "registrar"), "doctor.propose", "doctor/1", new { a = 1 }, TestStore.Now);
        });
        return store;
    }

    // Every value by table, row and column; columns that came later are more lines, not other ones.
    private static Task<List<string>> DumpAsync(TestStore store) => store.ReadAsync(async work =>
    {
        var lines = new List<string>();
        foreach (var table in Tables)
        {
            var n = 0;
            foreach (var row in (await work.ListAsync<dynamic>($"SELECT * FROM {table}")).Cast<IDictionary<string, object?>>())
            {
                foreach (var (column, value) in row)
                    lines.Add($"{table}|{n}|{column}|{(value is byte[] bytes ? Convert.ToHexString(bytes) : Convert.ToString(value, CultureInfo.InvariantCulture))}");
                n++;
            }
        }
        return lines;
    });
}
