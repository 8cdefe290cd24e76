using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>A receipt as stored.</summary>
internal sealed class ReceiptRow
{
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string? TxId { get; init; }
    public long? BlockNumber { get; init; }
    public string? Signed { get; init; }
}

/// <summary>Which enrolment a summary stands under, and its handles on the ledger.</summary>
internal sealed class EnrolmentHandles
{
    public long EnrolmentId { get; init; }
    public string State { get; init; } = "";
    public string PatientKey { get; init; } = "";
    public string? Pseudonym { get; init; }
    public string? ConsentHandle { get; init; }
    public string? IndexHandle { get; init; }
}

/// <summary>All that the tables hold of one summary.</summary>
internal sealed record RowFacts(
    SummaryRow Row, IReadOnlyList<DecisionRow> Decisions, IReadOnlyList<AnchorRow> Anchors, ReceiptRow? Receipt, EnrolmentHandles? Enrolment, string? PredecessorStatus,
    long Successors);

/// <summary>What the ledger holds under a summary's id; of the content only what is compared, so that a large hospital's ledger fits into memory.</summary>
/// <param name="State">What its key holds.</param>
/// <param name="Content">Digest of the signed summary's canonical JSON; null unless live.</param>
/// <param name="Doctor">Record of the doctor.</param>
/// <param name="Index">The patient's index.</param>
/// <param name="Consent">The consent.</param>
internal sealed record LedgerFacts(SummaryState State, Digest? Content, Handle? Doctor, Handle? Index, Handle? Consent)
{
    public static readonly LedgerFacts Nothing = new(SummaryState.NotFound, null, null, null, null);

    public static LedgerFacts Of(SummaryReading reading) => reading.Content is { } content
        ? new LedgerFacts(reading.State, CanonicalDigest(content.Summary), content.Doctor, content.Index, content.Consent)
        : Nothing with { State = reading.State };

    /// <summary>A ledger hands JSON on in its own spelling: what is compared is the canonical one.</summary>
    public static Digest CanonicalDigest(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = System.Text.Json.JsonDocument.Parse(json);
            return Digest.Of(CanonicalJson.Serialize(document.RootElement));
        }
        catch (System.Text.Json.JsonException)
        {
            return Digest.Of(json.Span);
        }
    }
}

/// <summary>Reads facts in pages.</summary>
internal static class FactRows
{
    private const string AnchorColumns =
        """
        anchor_id AS AnchorId, row_id AS RowId, decision_id AS DecisionId, summary_id AS SummaryId, pseudonym AS Pseudonym, state AS State,
        doctor_handle AS DoctorHandle, item AS Item, tx_id AS TxId
        """;

    private const string DecisionColumns =
        """
        decision_id AS DecisionId, row_id AS RowId, summary_id AS SummaryId, kind AS Kind, licence AS Licence, handle AS Handle, thumbprint AS Thumbprint,
        protected AS Protected, signature AS Signature, payload_digest AS PayloadDigest, voided_at AS VoidedAt
        """;

    private const string ReceiptColumns = "row_id AS RowId, summary_id AS SummaryId, tx_id AS TxId, block_number AS BlockNumber, signed AS Signed";

    /// <summary>The next rows behind <paramref name="after"/>; those whose status is no word of this program cannot be read and are left out.</summary>
    public static async Task<IReadOnlyList<RowFacts>> PageAsync(Work work, long after, int limit) => await GatherAsync(
        work, await work.ListAsync<SummaryRow>(
            $"SELECT {SummaryRows.Columns} FROM summary WHERE row_id > @after AND status IN @words ORDER BY row_id LIMIT @limit",
            new { after, limit, words = Enum.GetNames<SummaryStatus>() }));

    public static async Task<RowFacts?> OneAsync(Work work, long rowId) =>
        await SummaryRows.ByRowAsync(work, rowId) is { } row ? (await GatherAsync(work, [row]))[0] : null;

    private static async Task<IReadOnlyList<RowFacts>> GatherAsync(Work work, IReadOnlyList<SummaryRow> rows)
    {
        if (rows.Count == 0)
            return [];
        var ids = rows.Select(row => row.RowId).ToArray();
        var decisions = (await work.ListAsync<DecisionRow>($"SELECT {DecisionColumns} FROM decision WHERE row_id IN @ids ORDER BY decision_id", new { ids })).ToLookup(row => row.RowId);
        var anchors = (await work.ListAsync<AnchorRow>($"SELECT {AnchorColumns} FROM anchor WHERE row_id IN @ids AND state IN @states ORDER BY anchor_id", new { ids, states = Enum.GetNames<AnchorState>() })).ToLookup(row => row.RowId);
        var receipts = (await work.ListAsync<ReceiptRow>($"SELECT {ReceiptColumns} FROM receipt WHERE row_id IN @ids", new { ids })).ToDictionary(row => row.RowId);
        var enrolments = (await work.ListAsync<EnrolmentHandles>(
            "SELECT enrolment_id AS EnrolmentId, state AS State, patient_key AS PatientKey, pseudonym AS Pseudonym, consent_handle AS ConsentHandle, index_handle AS IndexHandle FROM enrolment WHERE enrolment_id IN @enrolments",
            new { enrolments = rows.Select(row => row.EnrolmentId).Distinct().ToArray() })).ToDictionary(row => row.EnrolmentId);
        var older = rows.Select(row => row.Supersedes).OfType<string>().Distinct().ToArray();
        var predecessors = older.Length == 0
            ? []
            : (await work.ListAsync<SummaryRow>("SELECT summary_id AS SummaryId, status AS Status, encounter_key AS EncounterKey FROM summary WHERE summary_id IN @older", new { older }))
                .ToDictionary(row => row.SummaryId, row => row.Status.ToString(), StringComparer.Ordinal);
        var replaced = rows.Where(row => row.Status == SummaryStatus.Superseded).Select(row => row.SummaryId).ToArray();
        var successors = replaced.Length == 0
            ? []
            : (await work.ListAsync<StatusCount>("SELECT supersedes AS Status, COUNT(*) AS Count FROM summary WHERE supersedes IN @replaced GROUP BY supersedes", new { replaced }))
                .ToDictionary(count => count.Status, count => count.Count, StringComparer.Ordinal);
        return [.. rows.Select(row => new RowFacts(
            row, [.. decisions[row.RowId]], [.. anchors[row.RowId]], receipts.GetValueOrDefault(row.RowId), enrolments.GetValueOrDefault(row.EnrolmentId),
            row.Supersedes is null ? null : predecessors.GetValueOrDefault(row.Supersedes), successors.GetValueOrDefault(row.SummaryId)))];
    }
}
