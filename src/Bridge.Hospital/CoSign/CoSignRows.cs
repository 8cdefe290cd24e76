using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>A line of a doctor's queue.</summary>
internal sealed class QueueLine
{
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string EncounterKey { get; init; } = "";
    public string PatientKey { get; init; } = "";
    public string? Class { get; init; }
    public string? Period { get; init; }
    public string? Supersedes { get; init; }
    public string? Reason { get; init; }
    public byte[]? Payload { get; init; }
    public string? Draft { get; init; }
    public long QueuedAt { get; init; }

    /// <inheritdoc cref="SummaryRow.ForLicence"/>
    public string? ForLicence { get; init; }

    /// <inheritdoc cref="SummaryRow.ForWhy"/>
    public string? ForWhy { get; init; }
    public long? RemindedAt { get; init; }
}

/// <summary>A summary that waits for an operator to name a doctor. Nothing here tells the patient.</summary>
internal sealed class UnassignedLine
{
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string? Class { get; init; }
    public string? DoctorRef { get; init; }
    public string Status { get; init; } = "";

    /// <summary>Since when it waits for a doctor at all, whoever had it meanwhile.</summary>
    public long Since { get; init; }
    public string? ForLicence { get; init; }
    public string? ForWhy { get; init; }
}

/// <summary>A decision as stored. Where the first signer's certificate failed before the anchor stood, the decision stays, voided.</summary>
internal sealed class DecisionRow
{
    public long DecisionId { get; init; }
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string Kind { get; init; } = "";
    public string Person { get; init; } = "";
    public string Licence { get; init; } = "";
    public string? Handle { get; init; }
    public string? Thumbprint { get; init; }
    public string? Reason { get; init; }
    public string? Protected { get; init; }
    public string? Signature { get; init; }
    public string? PayloadDigest { get; init; }
    public long DecidedAt { get; init; }
    public long? VoidedAt { get; init; }
    public string? VoidReason { get; init; }

    /// <summary>Codes taken out before signing, as JSON; null where none.</summary>
    public string? Struck { get; init; }
}

/// <summary>The queue's SQL.</summary>
internal static class CoSignRows
{
    private const string DecisionColumns =
        """
        decision_id AS DecisionId, row_id AS RowId, summary_id AS SummaryId, kind AS Kind, person AS Person, licence AS Licence, handle AS Handle,
        thumbprint AS Thumbprint, reason AS Reason, protected AS Protected, signature AS Signature, payload_digest AS PayloadDigest,
        decided_at AS DecidedAt, voided_at AS VoidedAt, void_reason AS VoidReason, struck AS Struck
        """;

    /// <summary>A page of a doctor's queue, oldest first, by the place of the last line seen: no page costs more than the first.</summary>
    public static Task<IReadOnlyList<QueueLine>> QueueAsync(Work work, string licence, long afterQueuedAt, long afterRow, int limit) => work.ListAsync<QueueLine>(
        """
        SELECT row_id AS RowId, summary_id AS SummaryId, encounter_key AS EncounterKey, patient_key AS PatientKey, class AS Class, period AS Period,
          supersedes AS Supersedes, reason AS Reason, payload AS Payload, draft AS Draft, queued_at AS QueuedAt, for_licence AS ForLicence, for_why AS ForWhy,
          reminded_at AS RemindedAt
        FROM summary
        WHERE doctor_licence = @licence AND status = 'AwaitingCoSign' AND queued_at >= @afterQueuedAt AND (queued_at > @afterQueuedAt OR row_id > @afterRow)
        ORDER BY queued_at, row_id LIMIT @limit
        """,
        new { licence, afterQueuedAt, afterRow, limit });

    public static Task<long> CountAsync(Work work, string licence) =>
        work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE doctor_licence = @licence AND status = 'AwaitingCoSign'", new { licence });

    public static Task<IReadOnlyList<UnassignedLine>> UnassignedAsync(Work work, long afterRow, int limit) => work.ListAsync<UnassignedLine>(
        """
        SELECT row_id AS RowId, summary_id AS SummaryId, class AS Class, doctor_ref AS DoctorRef, status AS Status, COALESCE(queued_at, updated_at) AS Since, for_licence AS ForLicence,
          for_why AS ForWhy
        FROM summary
        WHERE is_current = 1 AND row_id > @afterRow
          AND ((status = 'Withheld' AND reason = 'NoDoctor') OR (status = 'AwaitingCoSign' AND doctor_licence IS NULL))
        ORDER BY row_id LIMIT @limit
        """,
        new { afterRow, limit });

    /// <summary>What waits for it to be known who a practitioner is, but for those of which that doctor said that they are not hers.</summary>
    public static Task<IReadOnlyList<SummaryRow>> UnassignedOfAsync(Work work, string doctorRef, string licence, long afterRow, int limit) => work.ListAsync<SummaryRow>(
        $"""
        SELECT {SummaryRows.Columns} FROM summary WHERE doctor_ref = @doctorRef AND status = 'Withheld' AND reason = 'NoDoctor' AND payload IS NOT NULL AND row_id > @afterRow
          AND NOT EXISTS (SELECT 1 FROM not_mine WHERE not_mine.row_id = summary.row_id AND not_mine.licence = @licence)
        ORDER BY row_id LIMIT @limit
        """,
        new { doctorRef, licence, afterRow, limit });

    public static Task<long> InsertDecisionAsync(Work work, DecisionRow decision) => work.InsertAsync(
        """
        INSERT INTO decision (row_id, summary_id, kind, person, licence, handle, thumbprint, reason, protected, signature, payload_digest, decided_at, struck)
        VALUES (@RowId, @SummaryId, @Kind, @Person, @Licence, @Handle, @Thumbprint, @Reason, @Protected, @Signature, @PayloadDigest, @DecidedAt, @Struck)
        """,
        decision);

    public static Task<DecisionRow?> DecisionAsync(Work work, long decisionId) =>
        work.FirstAsync<DecisionRow>($"SELECT {DecisionColumns} FROM decision WHERE decision_id = @decisionId", new { decisionId });

    public static Task<IReadOnlyList<DecisionRow>> DecisionsOfAsync(Work work, long rowId) =>
        work.ListAsync<DecisionRow>($"SELECT {DecisionColumns} FROM decision WHERE row_id = @rowId ORDER BY decision_id", new { rowId });

    public static Task<IReadOnlyList<DecisionRow>> DecisionsOfAsync(Work work, IReadOnlyList<long> rowIds) =>
        work.ListAsync<DecisionRow>($"SELECT {DecisionColumns} FROM decision WHERE row_id IN @rowIds ORDER BY decision_id", new { rowIds });

    /// <summary>Takes a decision out of force; it stays on record.</summary>
    public static Task<int> VoidDecisionAsync(Work work, long decisionId, string reason, DateTimeOffset now) => work.RunAsync(
        "UPDATE decision SET voided_at = @now, void_reason = @reason WHERE decision_id = @decisionId AND voided_at IS NULL",
        new { decisionId, reason, now = now.ToUnixTimeMilliseconds() });
}
