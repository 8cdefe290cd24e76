namespace Bridge.Hospital.Store;

/// <summary>One summary of one encounter, as stored.</summary>
internal sealed class SummaryRow
{
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string EncounterKey { get; init; } = "";
    public string EncounterVersion { get; init; } = "";
    public long Generation { get; init; } = 1;
    public long IsCurrent { get; init; } = 1;
    public string PatientKey { get; init; } = "";
    public long EnrolmentId { get; init; }
    public string Pseudonym { get; init; } = "";
    public SummaryStatus Status { get; init; }
    public string? Reason { get; init; }
    public long Revision { get; init; } = 1;
    public string? Class { get; init; }
    public string? Period { get; init; }
    public long FinishedAt { get; init; }
    public long ChangedAt { get; init; }
    public long ReadyAt { get; init; }
    public string? DoctorLicence { get; init; }
    public string? DoctorRef { get; init; }
    public string? Draft { get; init; }
    public byte[]? Payload { get; init; }
    public string? Supersedes { get; init; }
    public string? ContentDigest { get; init; }
    public long? QueuedAt { get; init; }
    public long Attempts { get; init; }
    public long CreatedAt { get; init; }
    public long UpdatedAt { get; init; }
}

/// <summary>The rows of summaries: the one place that changes a status.</summary>
internal static class SummaryRows
{
    public const string Columns =
        """
        row_id AS RowId, summary_id AS SummaryId, encounter_key AS EncounterKey, encounter_version AS EncounterVersion, generation AS Generation,
        is_current AS IsCurrent, patient_key AS PatientKey, enrolment_id AS EnrolmentId, pseudonym AS Pseudonym, status AS Status, reason AS Reason,
        revision AS Revision, class AS Class, period AS Period, finished_at AS FinishedAt, changed_at AS ChangedAt, ready_at AS ReadyAt,
        doctor_licence AS DoctorLicence, doctor_ref AS DoctorRef, draft AS Draft, payload AS Payload, supersedes AS Supersedes,
        content_digest AS ContentDigest, queued_at AS QueuedAt, attempts AS Attempts, created_at AS CreatedAt, updated_at AS UpdatedAt
        """;

    public static Task<long> InsertAsync(Work work, SummaryRow row) => work.InsertAsync(
        """
        INSERT INTO summary (summary_id, encounter_key, encounter_version, generation, is_current, patient_key, enrolment_id, pseudonym, status, reason,
          revision, class, period, finished_at, changed_at, ready_at, doctor_licence, doctor_ref, draft, payload, supersedes, content_digest, queued_at,
          created_at, updated_at)
        VALUES (@SummaryId, @EncounterKey, @EncounterVersion, @Generation, @IsCurrent, @PatientKey, @EnrolmentId, @Pseudonym, @StatusText, @Reason,
          1, @Class, @Period, @FinishedAt, @ChangedAt, @ReadyAt, @DoctorLicence, @DoctorRef, @Draft, @Payload, @Supersedes, @ContentDigest, @QueuedAt,
          @CreatedAt, @CreatedAt)
        """,
        new
        {
            row.SummaryId,
            row.EncounterKey,
            row.EncounterVersion,
            row.Generation,
            row.IsCurrent,
            row.PatientKey,
            row.EnrolmentId,
            row.Pseudonym,
            StatusText = row.Status.ToString(),
            row.Reason,
            row.Class,
            row.Period,
            row.FinishedAt,
            row.ChangedAt,
            row.ReadyAt,
            row.DoctorLicence,
            row.DoctorRef,
            row.Draft,
            row.Payload,
            row.Supersedes,
            row.ContentDigest,
            row.QueuedAt,
            row.CreatedAt,
        });

    public static Task<SummaryRow?> ByRowAsync(Work work, long rowId) =>
        work.FirstAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE row_id = @rowId", new { rowId });

    public static Task<SummaryRow?> BySummaryAsync(Work work, string summaryId) =>
        work.FirstAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE summary_id = @summaryId", new { summaryId });

    public static Task<SummaryRow?> CurrentOfEncounterAsync(Work work, string encounterKey) =>
        work.FirstAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE encounter_key = @encounterKey AND is_current = 1", new { encounterKey });

    /// <summary>Payloads of what a patient's live summaries say already, oldest first.</summary>
    public static Task<IReadOnlyList<byte[]>> LivePayloadsAsync(Work work, string patientKey, long exceptRow) => work.ListAsync<byte[]>(
        """
        SELECT payload FROM summary WHERE patient_key = @patientKey AND row_id <> @exceptRow AND payload IS NOT NULL
          AND status IN ('AwaitingCoSign', 'CoSigned', 'Anchoring', 'Anchored') ORDER BY finished_at, row_id
        """,
        new { patientKey, exceptRow });

    /// <summary>
    /// Moves a row on, provided that it is still as it was read. Reason, payload, draft and routing are kept unless <paramref name="change"/> sets them.
    /// </summary>
    /// <exception cref="InvalidOperationException">The state machine has no such transition: a fault of the program, not of timing.</exception>
    public static async Task<TransitionOutcome> MoveAsync(
        Work work, SummaryRow row, SummaryStatus to, string? reason, DateTimeOffset now, SummaryChange? change = null)
    {
        if (!SummaryFlow.Allows(row.Status, to))
            throw new InvalidOperationException($"a summary cannot go from {row.Status} to {to}");
        var changed = await work.RunAsync(
            $"""
            UPDATE summary SET status = @to, reason = @reason, revision = revision + 1, updated_at = @now, lease_owner = NULL, lease_until = 0{change?.Sql}
            WHERE row_id = @RowId AND status = @from AND revision = @Revision
            """,
            Parameters());
        if (changed == 1)
            return TransitionOutcome.Done;
        return await work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE row_id = @RowId", new { row.RowId }) == 0
            ? TransitionOutcome.NotFound
            : TransitionOutcome.Stale;

        Dapper.DynamicParameters Parameters()
        {
            var parameters = new Dapper.DynamicParameters(change?.Values);
            parameters.Add("to", to.ToString());
            parameters.Add("reason", reason);
            parameters.Add("now", now.ToUnixTimeMilliseconds());
            parameters.Add("RowId", row.RowId);
            parameters.Add("from", row.Status.ToString());
            parameters.Add("Revision", row.Revision);
            return parameters;
        }
    }

    /// <summary>
    /// Marks what left, or is leaving, for the ledger under a patient to whom the encounter no longer belongs. The row gives way as the encounter's
    /// current one, for another patient's takes its place.
    /// </summary>
    public static Task<int> MarkMovedAsync(Work work, string encounterKey, string patientKey, DateTimeOffset now) => work.RunAsync(
        """
        UPDATE summary SET reason = @reason, is_current = 0, revision = revision + 1, updated_at = @now
        WHERE encounter_key = @encounterKey AND patient_key = @patientKey AND status IN ('Anchoring', 'Anchored')
        """,
        new { encounterKey, patientKey, reason = Reasons.PatientMoved, now = now.ToUnixTimeMilliseconds() });

    /// <summary>
    /// Marks a summary superseded or retracted and wipes its content and signatures, as the ledger does; that it was, when and whose decision stays.
    /// </summary>
    public static async Task<TransitionOutcome> EndOnLedgerAsync(Work work, SummaryRow row, SummaryStatus to, DateTimeOffset now)
    {
        var outcome = await MoveAsync(work, row, to, null, now, new SummaryChange().Set("payload", null).Set("draft", null).Set("content_digest", null));
        if (outcome != TransitionOutcome.Done)
            return outcome;
        await work.RunAsync("UPDATE anchor SET item = NULL, pseudonym = '' WHERE row_id = @RowId", new { row.RowId });
        await work.RunAsync(
            "UPDATE decision SET reason = NULL, protected = NULL, signature = NULL, payload_digest = NULL WHERE row_id = @RowId", new { row.RowId });
        await work.RunAsync("UPDATE receipt SET signed = NULL WHERE row_id = @RowId", new { row.RowId });
        return outcome;
    }

    /// <summary>
    /// How many encounters stand where; each is counted once, by its newest row. What stands under a patient to whom the encounter no longer belongs is
    /// shown beside them, for somebody has to look.
    /// </summary>
    public static async Task<IReadOnlyList<StatusCount>> CountsAsync(Work work) => await work.ListAsync<StatusCount>(
        "SELECT status AS Status, reason AS Reason, COUNT(*) AS Count FROM summary WHERE is_current = 1 OR reason = 'PatientMoved' GROUP BY status, reason ORDER BY status, reason");
}

/// <summary>Columns that a transition changes besides the status.</summary>
internal sealed class SummaryChange
{
    private readonly Dictionary<string, object?> _values = [];

    public string Sql => string.Concat(_values.Keys.Select(column => $", {column} = @{column}"));

    public IReadOnlyDictionary<string, object?> Values => _values;

    public SummaryChange Set(string column, object? value)
    {
        _values[column] = value;
        return this;
    }
}

/// <summary>One line of the state counts.</summary>
internal sealed class StatusCount
{
    public string Status { get; init; } = "";
    public string? Reason { get; init; }
    public long Count { get; init; }
}
