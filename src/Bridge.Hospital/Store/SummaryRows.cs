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

    /// <summary>Whose it is while somebody else has it; null = the one who has it.</summary>
    public string? ForLicence { get; init; }

    /// <summary><c>Absent</c> or <c>Waited</c>: why somebody else has it.</summary>
    public string? ForWhy { get; init; }

    /// <summary>Since when it waits in this queue; null where no doctor has it.</summary>
    public long? WaitsSince { get; init; }
    public long? RemindedAt { get; init; }
}

/// <summary>The rows of summaries: the one place that changes a status.</summary>
internal static class SummaryRows
{
    public const string Columns =
        $"""
        row_id AS RowId, summary_id AS SummaryId, encounter_key AS EncounterKey, encounter_version AS EncounterVersion, generation AS Generation,
        is_current AS IsCurrent, patient_key AS PatientKey, enrolment_id AS EnrolmentId, pseudonym AS Pseudonym, status AS Status, reason AS Reason,
        revision AS Revision, class AS Class, period AS Period, finished_at AS FinishedAt, changed_at AS ChangedAt, ready_at AS ReadyAt,
        doctor_licence AS DoctorLicence, doctor_ref AS DoctorRef, draft AS Draft, payload AS Payload, supersedes AS Supersedes,
        content_digest AS ContentDigest, queued_at AS QueuedAt, attempts AS Attempts, created_at AS CreatedAt, updated_at AS UpdatedAt,
        {Turns.Columns}
        """;

    public static Task<long> InsertAsync(Work work, SummaryRow row) => work.InsertAsync(
        """
        INSERT INTO summary (summary_id, encounter_key, encounter_version, generation, is_current, patient_key, enrolment_id, pseudonym, status, reason,
          revision, class, period, finished_at, changed_at, ready_at, doctor_licence, doctor_ref, draft, payload, supersedes, content_digest, queued_at,
          waits_since, created_at, updated_at)
        VALUES (@SummaryId, @EncounterKey, @EncounterVersion, @Generation, @IsCurrent, @PatientKey, @EnrolmentId, @Pseudonym, @StatusText, @Reason,
          1, @Class, @Period, @FinishedAt, @ChangedAt, @ReadyAt, @DoctorLicence, @DoctorRef, @Draft, @Payload, @Supersedes, @ContentDigest, @QueuedAt,
          @waitsSince, @CreatedAt, @CreatedAt)
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
            waitsSince = row is { Status: SummaryStatus.AwaitingCoSign, DoctorLicence: not null } ? row.CreatedAt : (long?)null,
            row.CreatedAt,
        });

    public static Task<SummaryRow?> ByRowAsync(Work work, long rowId) =>
        work.FirstAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE row_id = @rowId", new { rowId });

    public static Task<IReadOnlyList<SummaryRow>> ByRowsAsync(Work work, IReadOnlyList<long> rowIds) =>
        work.ListAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE row_id IN @rowIds", new { rowIds });

    public static Task<SummaryRow?> BySummaryAsync(Work work, string summaryId) =>
        work.FirstAsync<SummaryRow>($"SELECT {Columns} FROM summary WHERE summary_id = @summaryId", new { summaryId });

    /// <summary>What settles, waits for a doctor, has none yet or waits to leave, and what was anchored and is to be looked at once more, where it is due and nobody holds it.</summary>
    public static Task<IReadOnlyList<SummaryRow>> DueAsync(Work work, DateTimeOffset now, int limit) => work.ListAsync<SummaryRow>(
        $"""
        SELECT {Columns} FROM summary
        WHERE (status IN ('Settling', 'AwaitingCoSign', 'CoSigned') OR status = 'Withheld' AND reason = 'NoDoctor' OR status = 'Anchored' AND ready_at > 0)
          AND is_current = 1 AND ready_at <= @now AND lease_until <= @now
        ORDER BY ready_at, row_id LIMIT @limit
        """,
        new { now = now.ToUnixTimeMilliseconds(), limit });

    /// <summary>Payloads of what a patient's live summaries of other encounters say already, oldest first.</summary>
    public static Task<IReadOnlyList<byte[]>> LivePayloadsAsync(Work work, string patientKey, string exceptEncounter) => work.ListAsync<byte[]>(
        """
        SELECT payload FROM summary WHERE patient_key = @patientKey AND encounter_key <> @exceptEncounter AND payload IS NOT NULL
          AND status IN ('AwaitingCoSign', 'CoSigned', 'Anchoring', 'Anchored') AND (is_current = 1 OR reason IS NULL) ORDER BY finished_at, row_id
        """,
        new { patientKey, exceptEncounter });

    /// <summary>
    /// Moves a row on, provided that it is still as it was read. Reason, payload, draft and routing are kept unless <paramref name="change"/> sets them.
    /// </summary>
    /// <exception cref="InvalidOperationException">The state machine has no such transition: a fault of the program, not of timing.</exception>
    public static async Task<TransitionOutcome> MoveAsync(
        Work work, SummaryRow row, SummaryStatus to, string? reason, DateTimeOffset now, SummaryChange? change = null)
    {
        if (!SummaryFlow.Allows(row.Status, to))
            throw new InvalidOperationException($"a summary cannot go from {row.Status} to {to}");
        change = Turns.Begin(change, row.DoctorLicence, row.Status == SummaryStatus.AwaitingCoSign, to == SummaryStatus.AwaitingCoSign, now);
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
    /// Marks what left, or is leaving, for the ledger as something that should not stand there: it gives way as the encounter's counted row. With no reason it
    /// counts again.
    /// </summary>
    public static async Task<TransitionOutcome> MarkLeavingAsync(Work work, SummaryRow row, string? reason, DateTimeOffset now) => await work.RunAsync(
        """
        UPDATE summary SET reason = @reason, is_current = @current, revision = revision + 1, updated_at = @now
        WHERE row_id = @RowId AND revision = @Revision AND status IN ('Anchoring', 'Anchored')
        """,
        new { row.RowId, row.Revision, reason, current = reason is null ? 1 : 0, now = now.ToUnixTimeMilliseconds() }) == 1
        ? TransitionOutcome.Done
        : TransitionOutcome.Stale;

    /// <summary>Says whether a row is the one by which its encounter is counted.</summary>
    public static Task<int> CountAsync(Work work, SummaryRow row, bool counts) =>
        work.RunAsync("UPDATE summary SET is_current = @current WHERE row_id = @RowId", new { row.RowId, current = counts ? 1 : 0 });

    /// <summary>
    /// Marks a summary superseded or retracted and wipes its content and signatures, as the ledger does; that it was, when and whose decision stays.
    /// </summary>
    public static async Task<TransitionOutcome> EndOnLedgerAsync(Work work, SummaryRow row, SummaryStatus to, DateTimeOffset now)
    {
        var outcome = await MoveAsync(work, row, to, null, now, new SummaryChange().Set("payload", null).Set("draft", null).Set("content_digest", null));
        if (outcome != TransitionOutcome.Done)
            return outcome;
        await WipeTrailAsync(work, row.RowId);
        return outcome;
    }

    /// <summary>Wipes what anchor, decision and receipt of a row say, and lets nothing of it leave any more. That there was a decision, whose and when stays.</summary>
    public static async Task WipeTrailAsync(Work work, long rowId)
    {
        await work.RunAsync(
            """
            UPDATE anchor SET state = CASE WHEN state = 'Done' THEN 'Done' ELSE 'Void' END, item = NULL, pseudonym = '', lease_owner = NULL, lease_until = 0
            WHERE row_id = @rowId
            """,
            new { rowId });
        await work.RunAsync("UPDATE anchor SET active_row = NULL WHERE row_id = @rowId AND state = 'Void'", new { rowId });
        await work.RunAsync("UPDATE decision SET reason = NULL, protected = NULL, signature = NULL, payload_digest = NULL, struck = NULL WHERE row_id = @rowId", new { rowId });
        await work.RunAsync("UPDATE receipt SET signed = NULL WHERE row_id = @rowId", new { rowId });
    }

    /// <summary>How many encounters stand where; each is counted once, by its newest row.</summary>
    public static Task<IReadOnlyList<StatusCount>> CountsAsync(Work work) => work.ListAsync<StatusCount>(
        "SELECT status AS Status, reason AS Reason, COUNT(*) AS Count FROM summary WHERE is_current = 1 GROUP BY status, reason ORDER BY status, reason");

    /// <summary>What stands on the ledger, or is on its way there, though its encounter no longer counts under it: to be taken back, or open again at the source.</summary>
    public static Task<IReadOnlyList<StatusCount>> LeavingCountsAsync(Work work) => work.ListAsync<StatusCount>(
        """
        SELECT status AS Status, reason AS Reason, COUNT(*) AS Count FROM summary
        WHERE is_current = 0 AND reason IS NOT NULL AND status IN ('Anchoring', 'Anchored') GROUP BY status, reason ORDER BY status, reason
        """);
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
