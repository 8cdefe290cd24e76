using System.Text;
using Bridge.Hospital.Store;

namespace Bridge.Tests.Hospital;

/// <summary>A store as after years: 100,000 summaries in the queues of fifty doctors, 20,000 on their way to the ledger.</summary>
internal static class FullStore
{
    public const int Queued = 100_000;
    public const int Doctors = 50;
    public const int Leaving = 20_000;

    // As long as real ones are.
    private static readonly string Draft = $$"""{"sources":[],"sensitiveCategories":[],"releasesRare":false,"doctors":[],"words":"{{new string('d', 320)}}"}""";

    private const string Payload =
        """{"ageBand":"50-59","class":"AMB","conditions":[{"code":"44054006","level":"code","rank":1,"system":"http://snomed.info/sct"}],"hospital":"HospitalAMSP","id":"JcWHrgb9coT1YUF2Cy_70g","patient":"ptxnpg3951jkwgvfazw9hqst3xy","period":"2026-11","sex":"female","treatments":[{"code":"860975","kind":"medication","system":"http://www.nlm.nih.gov/research/umls/rxnorm"},{"code":"314076","kind":"medication","system":"http://www.nlm.nih.gov/research/umls/rxnorm"},{"code":"430193006","kind":"procedure","system":"http://snomed.info/sct"}],"v":1}""";

    private const string RareDetail = """{"reason":"trial"}""";
    private static readonly string ReadDetail = $$"""{"rows":[{{string.Join(',', Enumerable.Range(100_000, 50))}}]}""";

    public static string Licence(int doctor) => $"L-{doctor}";

    public static Task FillAsync(Database database, DateTimeOffset now) => database.WriteAsync(async work =>
    {
        var times = new { now = now.ToUnixTimeMilliseconds(), later = now.AddDays(3).ToUnixTimeMilliseconds() };
        await work.RunAsync(
            """
            INSERT INTO enrolment (enrolment_id, patient_key, active_key, state, code_id, ca_digests, opened_by, opened_at, expires_at, consent_until)
            VALUES (1, 'p', 'p', 'Enrolled', 'c', '', 'ruth', 0, 0, @later)
            """, times);
        await work.RunLongAsync(
            $"""
            INSERT INTO summary (row_id, summary_id, encounter_key, encounter_version, generation, is_current, patient_key, enrolment_id, pseudonym, status, revision, class, period,
              finished_at, changed_at, ready_at, doctor_licence, draft, payload, queued_at, waits_since, created_at, updated_at)
            SELECT seq, CONCAT('s', seq), CONCAT('e', seq), '1', 1, 1, CONCAT('p', seq % 20000), 1, CONCAT('y', seq % 20000),
              CASE WHEN seq <= {Queued} THEN 'AwaitingCoSign' ELSE 'CoSigned' END, 1, 'AMB', '2026-11', {times.now} - seq, {times.now}, {times.later},
              CONCAT('L-', seq % {Doctors}), '{Draft}', x'{Convert.ToHexString(Encoding.UTF8.GetBytes(Payload))}', {times.now} - {Queued} + seq, {times.now}, {times.now}, {times.now}
            FROM {Numbers(work)} AS numbers
            """);
        await work.RunAsync("INSERT INTO decision (decision_id, row_id, summary_id, kind, person, licence, decided_at) VALUES (1, 1, 's1', 'approve', 'ann', 'L-1', 0)");
        await work.RunLongAsync(
            $"""
            INSERT INTO anchor (row_id, active_row, decision_id, summary_id, pseudonym, state, not_before, next_attempt_at, doctor_handle, created_at, updated_at)
            SELECT row_id, row_id, 1, summary_id, pseudonym, 'Queued', {times.later}, {times.now}, 'h', {times.now}, {times.now} FROM summary WHERE row_id > {Queued}
            """);
    });

    /// <summary>Who saw what, in a log that nobody has written to yet: the first entries are of a person and of acts that never came again. It holds no hashes.</summary>
    public static Task FillAuditAsync(Database database, DateTimeOffset now) => database.WriteAsync(async work =>
    {
        var at = now.ToUnixTimeMilliseconds();
        await work.RunLongAsync(
            $"""
            INSERT INTO audit (seq, at, person, role, action, subject, detail, previous, hash)
            SELECT seq, {at}, CASE WHEN seq < 5 THEN 'olga' ELSE CONCAT('ann-', seq % 50) END, 'doctor', CASE WHEN seq < 5 THEN 'operations.pause' ELSE 'queue.read' END,
              CONCAT('summary/', seq), CASE WHEN seq < 5 THEN '{RareDetail}' ELSE '{ReadDetail}' END, '', ''
            FROM {Numbers(work)} AS numbers
            """);
        await work.RunAsync($"UPDATE audit_head SET seq = {Queued + Leaving}");
    });

    private static string Numbers(Work work) => work.Dialect == Dialect.Sqlite
        ? $"(WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {Queued + Leaving}) SELECT seq FROM n)"
        : $"seq_1_to_{Queued + Leaving}";
}
