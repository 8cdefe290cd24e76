using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>Where the taking back of an anchored summary stands. The summary stays <see cref="SummaryStatus.Anchored"/> until the ledger has purged it.</summary>
internal enum RetractionState
{
    /// <summary>In a doctor's queue: the ledger takes nothing back on the bridge's word alone.</summary>
    AwaitingCoSign,

    /// <summary>The doctor says that the summary is right. An operator may ask another.</summary>
    Declined,

    /// <summary>Signed by a doctor, on its way to the ledger.</summary>
    CoSigned,

    /// <summary>Its bytes are fixed and may have been sent.</summary>
    Sent,

    /// <summary>Purged on the ledger; a tombstone stands there.</summary>
    Done,

    /// <summary>No longer wanted: the source took its word back, or the summary ended another way.</summary>
    Void,

    /// <summary>Refused for good; an operator asks a doctor anew.</summary>
    Failed,
}

/// <summary>One retraction, as stored.</summary>
internal sealed class RetractionRow
{
    public long RetractionId { get; init; }
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public RetractionReason Reason { get; init; }
    public RetractionState State { get; init; }
    public long Revision { get; init; } = 1;
    public string? DoctorLicence { get; init; }
    public string? DoctorHandle { get; init; }
    public long? DecisionId { get; init; }
    public string? Input { get; init; }
    public string? TxId { get; init; }
    public string? LastCode { get; init; }
    public long Attempts { get; init; }
    public long CreatedAt { get; init; }

    /// <inheritdoc cref="SummaryRow.ForLicence"/>
    public string? ForLicence { get; init; }

    /// <inheritdoc cref="SummaryRow.ForWhy"/>
    public string? ForWhy { get; init; }

    /// <inheritdoc cref="SummaryRow.WaitsSince"/>
    public long? WaitsSince { get; init; }
    public long? RemindedAt { get; init; }

    /// <summary>The canonical bytes that doctor and bridge sign; the same ones each time.</summary>
    public byte[] Payload(string hospital) => new Retraction(hospital, Records.SummaryId.Parse(SummaryId), Reason).ToCanonicalJson();
}

/// <summary>The retraction table. Every change of state is compare-and-set on (state, revision).</summary>
internal static class RetractionRows
{
    public const string Columns =
        $"""
        retraction_id AS RetractionId, row_id AS RowId, summary_id AS SummaryId, reason AS Reason, state AS State, revision AS Revision,
        doctor_licence AS DoctorLicence, doctor_handle AS DoctorHandle, decision_id AS DecisionId, input AS Input, tx_id AS TxId, last_code AS LastCode,
        attempts AS Attempts, created_at AS CreatedAt, {Turns.Columns}
        """;

    /// <summary>Asks for a retraction; false where the summary is being taken back already.</summary>
    public static Task<bool> InsertIfNewAsync(Work work, SummaryRow summary, RetractionReason reason, string? licence, DateTimeOffset now) => work.InsertIfNewAsync(
        """
        retraction (row_id, open_row, summary_id, reason, state, doctor_licence, waits_since, created_at, updated_at)
        VALUES (@RowId, @RowId, @SummaryId, @reason, 'AwaitingCoSign', @licence, @since, @now, @now)
        """,
        new
        {
            summary.RowId,
            summary.SummaryId,
            reason = reason.ToString(),
            licence,
            since = licence is null ? (long?)null : now.ToUnixTimeMilliseconds(),
            now = now.ToUnixTimeMilliseconds(),
        });

    public static Task<RetractionRow?> ByIdAsync(Work work, long retractionId) =>
        work.FirstAsync<RetractionRow>($"SELECT {Columns} FROM retraction WHERE retraction_id = @retractionId", new { retractionId });

    /// <summary>The retraction of a summary that is neither done nor void.</summary>
    public static Task<RetractionRow?> OpenOfRowAsync(Work work, long rowId) =>
        work.FirstAsync<RetractionRow>($"SELECT {Columns} FROM retraction WHERE open_row = @rowId", new { rowId });

    /// <inheritdoc cref="OpenOfRowAsync"/>
    public static Task<RetractionRow?> OpenOfSummaryAsync(Work work, string summaryId) =>
        work.FirstAsync<RetractionRow>($"SELECT {Columns} FROM retraction WHERE summary_id = @summaryId AND open_row IS NOT NULL", new { summaryId });

    /// <summary>A page of a doctor's retractions, oldest first.</summary>
    public static Task<IReadOnlyList<RetractionRow>> QueueAsync(Work work, string licence, long after, int limit) => work.ListAsync<RetractionRow>(
        $"SELECT {Columns} FROM retraction WHERE doctor_licence = @licence AND state = 'AwaitingCoSign' AND retraction_id > @after ORDER BY retraction_id LIMIT @limit",
        new { licence, after, limit });

    /// <summary>How many wait for a doctor.</summary>
    public static Task<long> CountAsync(Work work, string licence) =>
        work.ScalarAsync<long>("SELECT COUNT(*) FROM retraction WHERE doctor_licence = @licence AND state = 'AwaitingCoSign'", new { licence });

    /// <summary>Retractions that need an operator: no doctor, declined or failed.</summary>
    public static Task<IReadOnlyList<RetractionRow>> HeldAsync(Work work, long after, int limit) => work.ListAsync<RetractionRow>(
        $"""
        SELECT {Columns} FROM retraction
        WHERE (state IN ('Declined', 'Failed') OR (state = 'AwaitingCoSign' AND doctor_licence IS NULL)) AND retraction_id > @after ORDER BY retraction_id LIMIT @limit
        """,
        new { after, limit });

    /// <summary>What waits in a state and is held by nobody, oldest first.</summary>
    public static Task<IReadOnlyList<RetractionRow>> DueAsync(Work work, RetractionState state, DateTimeOffset now, int limit) => work.ListAsync<RetractionRow>(
        $"SELECT {Columns} FROM retraction WHERE state = @state AND next_attempt_at <= @now AND lease_until <= @now ORDER BY retraction_id LIMIT @limit",
        new { state = state.ToString(), now = now.ToUnixTimeMilliseconds(), limit });

    /// <summary>Moves a retraction on, provided that it is as it was read; what is done or void keeps no bytes and makes room for another.</summary>
    /// <exception cref="InvalidOperationException">The state machine has no such transition: a fault of the program, not of timing.</exception>
    public static async Task<TransitionOutcome> MoveAsync(
        Work work, RetractionRow row, RetractionState to, string? code, DateTimeOffset now, SummaryChange? change = null)
    {
        if (!RetractionRules.Allows(row.State, to))
            throw new InvalidOperationException($"a retraction cannot go from {row.State} to {to}");
        change = Turns.Begin(change, row.DoctorLicence, row.State == RetractionState.AwaitingCoSign, to == RetractionState.AwaitingCoSign, now);
        var parameters = new Dapper.DynamicParameters(change?.Values);
        parameters.Add("RetractionId", row.RetractionId);
        parameters.Add("from", row.State.ToString());
        parameters.Add("Revision", row.Revision);
        parameters.Add("to", to.ToString());
        parameters.Add("code", code);
        parameters.Add("now", now.ToUnixTimeMilliseconds());
        var ended = to is RetractionState.Done or RetractionState.Void ? ", open_row = NULL, input = NULL" : "";
        return await work.RunAsync(
            $"""
            UPDATE retraction SET state = @to, revision = revision + 1, last_code = @code, lease_owner = NULL, lease_until = 0, updated_at = @now{ended}{change?.Sql}
            WHERE retraction_id = @RetractionId AND state = @from AND revision = @Revision
            """,
            parameters) == 1 ? TransitionOutcome.Done : TransitionOutcome.Stale;
    }

    /// <summary>Holds a sent retraction whose fate is to be looked up; false where another instance was first.</summary>
    public static async Task<bool> TakeAsync(Work work, RetractionRow row, string owner, DateTimeOffset now, TimeSpan lease) => await work.RunAsync(
        """
        UPDATE retraction SET lease_owner = @owner, lease_until = @until
        WHERE retraction_id = @RetractionId AND state = 'Sent' AND revision = @Revision AND lease_until <= @now
        """,
        new { row.RetractionId, row.Revision, owner, now = now.ToUnixTimeMilliseconds(), until = (now + lease).ToUnixTimeMilliseconds() }) == 1;

    /// <summary>Stays sent, to be looked up later.</summary>
    public static Task<int> LookAgainAsync(Work work, RetractionRow row, string code, DateTimeOffset at) => work.RunAsync(
        """
        UPDATE retraction SET last_code = @code, attempts = attempts + 1, next_attempt_at = @at, lease_owner = NULL, lease_until = 0
        WHERE retraction_id = @RetractionId AND state = 'Sent' AND revision = @Revision
        """,
        new { row.RetractionId, row.Revision, code, at = at.ToUnixTimeMilliseconds() });

    /// <summary>How many stand where, those that are done or void left out.</summary>
    public static Task<IReadOnlyList<StatusCount>> CountsAsync(Work work) => work.ListAsync<StatusCount>(
        "SELECT state AS Status, reason AS Reason, COUNT(*) AS Count FROM retraction WHERE open_row IS NOT NULL GROUP BY state, reason ORDER BY state, reason");
}
