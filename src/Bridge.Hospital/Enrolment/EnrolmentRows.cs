using Bridge.Hospital.Store;

namespace Bridge.Hospital.Enrolment;

/// <summary>Where an enrolment stands.</summary>
internal enum EnrolmentState
{
    /// <summary>The code is out; the patient has not come yet.</summary>
    Open,

    /// <summary>A request with the right MAC came; the certificate is issued and on its way to the ledger.</summary>
    Enrolling,

    /// <summary>On the ledger. Live while the consent runs.</summary>
    Enrolled,

    /// <summary>Ended on the hospital's side; the ledger's answer is awaited.</summary>
    Withdrawing,

    /// <summary>The consent is withdrawn; content is wiped here.</summary>
    Withdrawn,

    /// <summary>The desk took the code back.</summary>
    Cancelled,

    /// <summary>Nobody came in time.</summary>
    Expired,

    /// <summary>The consent ran out and a new enrolment took its place.</summary>
    Lapsed,

    /// <summary>The ledger refused; the desk opens a new one.</summary>
    Failed,
}

/// <summary>One enrolment, as stored.</summary>
internal sealed class EnrolmentRow
{
    public long EnrolmentId { get; init; }
    public string PatientKey { get; init; } = "";
    public EnrolmentState State { get; init; }
    public long Revision { get; init; }
    public byte[]? Code { get; init; }
    public string CodeId { get; init; } = "";
    public string CaDigests { get; init; } = "";
    public long Guardian { get; init; }
    public string OpenedBy { get; init; } = "";
    public long OpenedAt { get; init; }
    public long ExpiresAt { get; init; }
    public string? RequestHandle { get; init; }
    public byte[]? Spki { get; init; }
    public string? Pseudonym { get; init; }
    public string? Consent { get; init; }
    public string? ConsentId { get; init; }
    public long? ConsentUntil { get; init; }
    public string? Purposes { get; init; }
    public string? Certificate { get; init; }
    public string? PatientHandle { get; init; }
    public string? ConsentHandle { get; init; }
    public string? IndexHandle { get; init; }
    public string? Input { get; init; }
    public string? TxId { get; init; }
    public long? EnrolledAt { get; init; }
    public long? EndedAt { get; init; }
    public string? EndReason { get; init; }
    public long Attempts { get; init; }
    public string? LastCode { get; init; }

    /// <summary>When the desk was told to withdraw it while it was on its way to the ledger.</summary>
    public long? WithdrawAt { get; init; }
    public string? WithdrawReason { get; init; }

    /// <summary>The purposes that the consent names.</summary>
    public IReadOnlyList<string> PurposeList => Purposes?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
}

/// <summary>The enrolment table. Every change of state is compare-and-set on (state, revision).</summary>
internal static class EnrolmentRows
{
    public const string Columns =
        """
        enrolment_id AS EnrolmentId, patient_key AS PatientKey, state AS State, revision AS Revision, code AS Code, code_id AS CodeId,
        ca_digests AS CaDigests, guardian AS Guardian, opened_by AS OpenedBy, opened_at AS OpenedAt, expires_at AS ExpiresAt,
        request_handle AS RequestHandle, spki AS Spki, pseudonym AS Pseudonym, consent AS Consent, consent_id AS ConsentId,
        consent_until AS ConsentUntil, purposes AS Purposes, certificate AS Certificate, patient_handle AS PatientHandle,
        consent_handle AS ConsentHandle, index_handle AS IndexHandle, input AS Input, tx_id AS TxId, enrolled_at AS EnrolledAt,
        ended_at AS EndedAt, end_reason AS EndReason, attempts AS Attempts, last_code AS LastCode,
        withdraw_at AS WithdrawAt, withdraw_reason AS WithdrawReason
        """;

    public static Task<EnrolmentRow?> ByIdAsync(Work work, long enrolmentId) =>
        work.FirstAsync<EnrolmentRow>($"SELECT {Columns} FROM enrolment WHERE enrolment_id = @enrolmentId", new { enrolmentId });

    /// <summary>The one enrolment of a patient that is open, under way or in force.</summary>
    public static Task<EnrolmentRow?> ActiveAsync(Work work, string patientKey) =>
        work.FirstAsync<EnrolmentRow>($"SELECT {Columns} FROM enrolment WHERE active_key = @patientKey", new { patientKey });

    /// <summary>The enrolment under which a patient's summaries may leave now, or null: without it nothing of the patient is stored.</summary>
    public static Task<EnrolmentRow?> LiveAsync(Work work, string patientKey, DateTimeOffset now) => work.FirstAsync<EnrolmentRow>(
        $"SELECT {Columns} FROM enrolment WHERE active_key = @patientKey AND state = 'Enrolled' AND consent_until > @now",
        new { patientKey, now = now.ToUnixTimeMilliseconds() });

    public static async Task<IReadOnlyDictionary<string, EnrolmentRow>> LiveAmongAsync(Work work, IEnumerable<string> patientKeys, DateTimeOffset now)
    {
        var live = new Dictionary<string, EnrolmentRow>(StringComparer.Ordinal);
        foreach (var chunk in patientKeys.Distinct(StringComparer.Ordinal).Chunk(500))
            foreach (var row in await work.ListAsync<EnrolmentRow>(
                $"SELECT {Columns} FROM enrolment WHERE active_key IN @chunk AND state = 'Enrolled' AND consent_until > @now",
                new { chunk, now = now.ToUnixTimeMilliseconds() }))
                live[row.PatientKey] = row;
        return live;
    }

    /// <summary>A page of the enrolments under which summaries may leave now, by their numbers.</summary>
    public static Task<IReadOnlyList<EnrolmentRow>> LivePageAsync(Work work, long after, int limit, DateTimeOffset now) => work.ListAsync<EnrolmentRow>(
        $"SELECT {Columns} FROM enrolment WHERE state = 'Enrolled' AND consent_until > @now AND enrolment_id > @after ORDER BY enrolment_id LIMIT @limit",
        new { now = now.ToUnixTimeMilliseconds(), after, limit });

    public static Task<IReadOnlyList<EnrolmentRow>> InStateAsync(Work work, EnrolmentState state, DateTimeOffset now, int limit) => work.ListAsync<EnrolmentRow>(
        $"SELECT {Columns} FROM enrolment WHERE state = @state AND next_attempt_at <= @now AND lease_until <= @now ORDER BY enrolment_id LIMIT @limit",
        new { state = state.ToString(), now = now.ToUnixTimeMilliseconds(), limit });

    public static Task<EnrolmentRow?> ByCodeAsync(Work work, string codeId) =>
        work.FirstAsync<EnrolmentRow>($"SELECT {Columns} FROM enrolment WHERE code_id = @codeId", new { codeId });

    /// <summary>The enrolment that a patient's index on the ledger belongs to; no other of its handles will do.</summary>
    public static Task<EnrolmentRow?> ByIndexAsync(Work work, string index) => work.FirstAsync<EnrolmentRow>(
        $"SELECT {Columns} FROM enrolment WHERE index_handle = @index ORDER BY enrolment_id DESC LIMIT 1", new { index });

    public static Task<long> InsertAsync(Work work, EnrolmentRow row) => work.InsertAsync(
        """
        INSERT INTO enrolment (patient_key, active_key, state, code, code_id, ca_digests, guardian, opened_by, opened_at, expires_at)
        VALUES (@PatientKey, @PatientKey, 'Open', @Code, @CodeId, @CaDigests, @Guardian, @OpenedBy, @OpenedAt, @ExpiresAt)
        """,
        row);

    /// <summary>Moves an enrolment on, provided that it is as it was read. An ended one keeps no secret and makes room for another.</summary>
    public static async Task<TransitionOutcome> MoveAsync(
        Work work, EnrolmentRow row, EnrolmentState to, DateTimeOffset now, SummaryChange? change = null, string? endReason = null)
    {
        var parameters = new Dapper.DynamicParameters(change?.Values);
        parameters.Add("EnrolmentId", row.EnrolmentId);
        parameters.Add("from", row.State.ToString());
        parameters.Add("Revision", row.Revision);
        parameters.Add("to", to.ToString());
        parameters.Add("now", now.ToUnixTimeMilliseconds());
        parameters.Add("endReason", endReason);
        var ended = to is EnrolmentState.Withdrawn or EnrolmentState.Cancelled or EnrolmentState.Expired or EnrolmentState.Lapsed or EnrolmentState.Failed;
        var end = ended ? ", active_key = NULL, code = NULL, input = NULL, ended_at = @now, end_reason = @endReason" : "";
        var changed = await work.RunAsync(
            $"""
            UPDATE enrolment SET state = @to, revision = revision + 1, attempts = 0, next_attempt_at = 0, last_code = NULL, lease_owner = NULL,
              lease_until = 0{end}{change?.Sql}
            WHERE enrolment_id = @EnrolmentId AND state = @from AND revision = @Revision
            """,
            parameters);
        return changed == 1 ? TransitionOutcome.Done : TransitionOutcome.Stale;
    }

    /// <summary>Holds an enrolment for one attempt; false where another instance holds it.</summary>
    public static async Task<bool> TakeAsync(Work work, EnrolmentRow row, string owner, DateTimeOffset now, TimeSpan lease) => await work.RunAsync(
        """
        UPDATE enrolment SET lease_owner = @owner, lease_until = @until
        WHERE enrolment_id = @EnrolmentId AND state = @state AND revision = @Revision AND lease_until <= @now
        """,
        new
        {
            row.EnrolmentId,
            row.Revision,
            state = row.State.ToString(),
            owner,
            now = now.ToUnixTimeMilliseconds(),
            until = (now + lease).ToUnixTimeMilliseconds(),
        }) == 1;

    /// <summary>Gives an attempt up until later.</summary>
    public static Task<int> RetryLaterAsync(Work work, EnrolmentRow row, string code, DateTimeOffset at) => work.RunAsync(
        """
        UPDATE enrolment SET attempts = attempts + 1, next_attempt_at = @at, last_code = @code, lease_owner = NULL, lease_until = 0
        WHERE enrolment_id = @EnrolmentId AND revision = @Revision
        """,
        new { row.EnrolmentId, row.Revision, code, at = at.ToUnixTimeMilliseconds() });

    /// <summary>
    /// Notes that an enrolment under way is to be withdrawn, and has it looked at at once. Whoever works on it is left in peace: its next step, in whatever process, reads this.
    /// </summary>
    public static Task<int> AskWithdrawalAsync(Work work, EnrolmentRow row, string reason, DateTimeOffset now) => work.RunAsync(
        "UPDATE enrolment SET withdraw_at = COALESCE(withdraw_at, @now), withdraw_reason = @reason, next_attempt_at = 0 WHERE enrolment_id = @EnrolmentId AND state = 'Enrolling'",
        new { row.EnrolmentId, reason, now = now.ToUnixTimeMilliseconds() });

    /// <summary>Notes why a request with the right code enrolled nobody; the code stays open.</summary>
    public static Task<int> NoteRefusalAsync(Work work, EnrolmentRow row, string code) => work.RunAsync(
        "UPDATE enrolment SET last_code = @code WHERE enrolment_id = @EnrolmentId AND state = 'Open' AND revision = @Revision", new { row.EnrolmentId, row.Revision, code });
}
