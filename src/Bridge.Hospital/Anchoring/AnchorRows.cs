using Bridge.Hospital.Store;

namespace Bridge.Hospital.Anchoring;

/// <summary>Where an anchor stands; the summary's status says the rest.</summary>
internal enum AnchorState
{
    /// <summary>Signed by the doctor, waiting to leave.</summary>
    Queued,

    /// <summary>Its bytes are fixed and may have been sent.</summary>
    Sent,

    /// <summary>On the ledger.</summary>
    Done,

    /// <summary>Given up: another decision takes its place, or the consent is gone.</summary>
    Void,

    /// <summary>Refused for good; an operator can run it again.</summary>
    Failed,
}

/// <summary>One signed summary on its way to the ledger.</summary>
internal sealed class AnchorRow
{
    public long AnchorId { get; init; }
    public long RowId { get; init; }
    public long DecisionId { get; init; }
    public string SummaryId { get; init; } = "";
    public string Pseudonym { get; init; } = "";
    public AnchorState State { get; init; }
    public long NotBefore { get; init; }
    public long NextAttemptAt { get; init; }
    public long Attempts { get; init; }
    public string DoctorHandle { get; init; } = "";
    public string? Item { get; init; }
    public string? Batch { get; init; }
    public string? TxId { get; init; }
    public string? LastCode { get; init; }
}

/// <summary>The anchor table.</summary>
internal static class AnchorRows
{
    private const string Columns =
        """
        anchor_id AS AnchorId, row_id AS RowId, decision_id AS DecisionId, summary_id AS SummaryId, pseudonym AS Pseudonym, state AS State,
        not_before AS NotBefore, next_attempt_at AS NextAttemptAt, attempts AS Attempts, doctor_handle AS DoctorHandle, item AS Item, batch AS Batch,
        tx_id AS TxId, last_code AS LastCode
        """;

    public static Task<long> InsertAsync(Work work, SummaryRow summary, long decisionId, string doctorHandle, DateTimeOffset notBefore, DateTimeOffset now) =>
        work.InsertAsync(
            """
            INSERT INTO anchor (row_id, active_row, decision_id, summary_id, pseudonym, state, not_before, next_attempt_at, doctor_handle, created_at, updated_at)
            VALUES (@RowId, @RowId, @decisionId, @SummaryId, @Pseudonym, 'Queued', @notBefore, @now, @doctorHandle, @now, @now)
            """,
            new
            {
                summary.RowId,
                decisionId,
                summary.SummaryId,
                summary.Pseudonym,
                doctorHandle,
                notBefore = notBefore.ToUnixTimeMilliseconds(),
                now = now.ToUnixTimeMilliseconds(),
            });

    /// <summary>Queued anchors that nobody holds, oldest first; none that would overtake an older one of the same patient that has to wait.</summary>
    public static Task<IReadOnlyList<AnchorRow>> QueuedAsync(Work work, DateTimeOffset now, int limit) => work.ListAsync<AnchorRow>(
        $"""
        SELECT {Columns} FROM anchor WHERE state = 'Queued' AND next_attempt_at <= @now AND lease_until <= @now
          AND NOT EXISTS (SELECT 1 FROM anchor AS older WHERE older.pseudonym = anchor.pseudonym AND older.state = 'Queued' AND older.anchor_id < anchor.anchor_id
            AND (older.next_attempt_at > @now OR older.lease_until > @now))
        ORDER BY anchor_id LIMIT @limit
        """,
        new { now = now.ToUnixTimeMilliseconds(), limit });

    /// <summary>Patients of whom something is on its way.</summary>
    public static async Task<HashSet<string>> BusyPatientsAsync(Work work) =>
        [.. await work.ListAsync<string>("SELECT pseudonym FROM anchor WHERE state = 'Sent'")];

    /// <summary>Anchors that were sent, whose answer was not stored and whose holder is gone.</summary>
    public static Task<IReadOnlyList<AnchorRow>> UnresolvedAsync(Work work, DateTimeOffset now, int limit) => work.ListAsync<AnchorRow>(
        $"SELECT {Columns} FROM anchor WHERE state = 'Sent' AND next_attempt_at <= @now AND lease_until <= @now ORDER BY anchor_id LIMIT @limit",
        new { now = now.ToUnixTimeMilliseconds(), limit });

    public static Task<AnchorRow?> ActiveOfRowAsync(Work work, long rowId) =>
        work.FirstAsync<AnchorRow>($"SELECT {Columns} FROM anchor WHERE active_row = @rowId", new { rowId });

    /// <summary>Takes a queued anchor and fixes its bytes; false where another instance was first.</summary>
    public static async Task<bool> TakeAsync(Work work, AnchorRow anchor, string item, string batch, string owner, DateTimeOffset now, TimeSpan lease) =>
        await work.RunAsync(
            """
            UPDATE anchor SET state = 'Sent', item = @item, batch = @batch, lease_owner = @owner, lease_until = @until, updated_at = @now
            WHERE anchor_id = @AnchorId AND state = 'Queued' AND lease_until <= @now
            """,
            new
            {
                anchor.AnchorId,
                item,
                batch,
                owner,
                now = now.ToUnixTimeMilliseconds(),
                until = (now + lease).ToUnixTimeMilliseconds(),
            }) == 1;

    /// <summary>Takes a sent anchor whose fate is to be looked up; false where another instance was first.</summary>
    public static async Task<bool> TakeUnresolvedAsync(Work work, AnchorRow anchor, string owner, DateTimeOffset now, TimeSpan lease) =>
        await work.RunAsync(
            """
            UPDATE anchor SET lease_owner = @owner, lease_until = @until, updated_at = @now
            WHERE anchor_id = @AnchorId AND state = 'Sent' AND lease_until <= @now
            """,
            new { anchor.AnchorId, owner, now = now.ToUnixTimeMilliseconds(), until = (now + lease).ToUnixTimeMilliseconds() }) == 1;

    /// <summary>Notes under which transaction the bytes go out, before they do.</summary>
    public static Task<int> NoteTransactionAsync(Work work, IEnumerable<long> anchorIds, string txId, DateTimeOffset until) => work.RunAsync(
        "UPDATE anchor SET tx_id = @txId, attempts = attempts + 1, lease_until = @until WHERE anchor_id IN @anchorIds AND state = 'Sent'",
        new { txId, anchorIds, until = until.ToUnixTimeMilliseconds() });

    /// <summary>Stays sent, to be looked up later.</summary>
    public static Task<int> LookAgainAsync(Work work, AnchorRow anchor, string code, DateTimeOffset at) => work.RunAsync(
        """
        UPDATE anchor SET last_code = @code, attempts = attempts + 1, next_attempt_at = @at, lease_owner = NULL, lease_until = 0
        WHERE anchor_id = @AnchorId AND state = 'Sent'
        """,
        new { anchor.AnchorId, code, at = at.ToUnixTimeMilliseconds() });

    /// <summary>
    /// Queues a sent anchor again, with the bytes that it has; with new ones where it is known that these were refused for the bridge's certificate in them.
    /// </summary>
    public static async Task<bool> QueueAgainAsync(Work work, AnchorRow anchor, string code, DateTimeOffset at, DateTimeOffset now) => await work.RunAsync(
        $"""
        UPDATE anchor SET state = 'Queued', last_code = @code, attempts = attempts + 1, next_attempt_at = @at, not_before = @now, lease_owner = NULL,
          lease_until = 0, updated_at = @now{(code == "BRIDGE_NOT_CREATOR" ? ", item = NULL" : "")}
        WHERE anchor_id = @AnchorId AND state = 'Sent'
        """,
        new { anchor.AnchorId, code, at = at.ToUnixTimeMilliseconds(), now = now.ToUnixTimeMilliseconds() }) == 1;

    /// <summary>Ends an anchor; what is void or done keeps no bytes.</summary>
    public static async Task<bool> EndAsync(Work work, long anchorId, AnchorState state, string code, DateTimeOffset now)
    {
        var keep = state == AnchorState.Failed ? "" : ", item = NULL";
        var active = state == AnchorState.Void ? ", active_row = NULL" : "";
        return await work.RunAsync(
            $"""
            UPDATE anchor SET state = @state, last_code = @code, lease_owner = NULL, lease_until = 0, updated_at = @now{keep}{active}
            WHERE anchor_id = @anchorId AND state IN ('Queued', 'Sent', 'Failed')
            """,
            new { anchorId, state = state.ToString(), code, now = now.ToUnixTimeMilliseconds() }) == 1;
    }

    /// <summary>Runs a failed anchor again, with the bytes that it has.</summary>
    public static async Task<bool> RunAgainAsync(Work work, long anchorId, DateTimeOffset now) => await work.RunAsync(
        """
        UPDATE anchor SET state = 'Queued', attempts = 0, next_attempt_at = @now, not_before = @now, updated_at = @now
        WHERE anchor_id = @anchorId AND state = 'Failed'
        """,
        new { anchorId, now = now.ToUnixTimeMilliseconds() }) == 1;
}
