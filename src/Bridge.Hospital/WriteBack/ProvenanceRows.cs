using System.Security.Cryptography;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.WriteBack;

/// <summary>Something to be told to the FHIR server about a summary. It holds no key of the source: those stand in the summary's row, until they are forgotten.</summary>
internal sealed class ProvenanceRow
{
    public long ProvenanceId { get; init; }
    public long RowId { get; init; }
    public ProvenanceEvent Event { get; init; }
    public string Tag { get; init; } = "";

    /// <summary><c>Queued</c>, <c>Done</c>, or <c>Void</c>: there was nothing (more) to tell.</summary>
    public string State { get; init; } = "";
    public string? ResourceId { get; init; }
    public long OccurredAt { get; init; }
    public long Attempts { get; init; }
    public long CreatedAt { get; init; }
}

/// <summary>The provenance table.</summary>
internal static class ProvenanceRows
{
    private const string Bookmark = "write-back";

    // Instances' clocks may differ so much, and a transaction may take so long.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(10);

    private const string Columns =
        """
        provenance_id AS ProvenanceId, row_id AS RowId, event AS Event, tag AS Tag, state AS State, resource_id AS ResourceId, occurred_at AS OccurredAt,
        attempts AS Attempts, created_at AS CreatedAt
        """;

    private sealed class Happened
    {
        public long RowId { get; init; }
        public string Event { get; init; } = "";
        public long At { get; init; }
    }

    /// <summary>Writes down what is to be told of what happened since the last time; the very first time, since now. Each summary's beginning and end once.</summary>
    public static async Task<int> PlanAsync(Work work, DateTimeOffset now)
    {
        var stored = await Bookmarks.ReadAsync(work, Bookmark);
        var since = stored is null ? now : DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(stored, System.Globalization.CultureInfo.InvariantCulture)) - Overlap;
        var from = new { since = since.ToUnixTimeMilliseconds() };
        var happened = await work.ListAsync<Happened>(
            """
            SELECT r.row_id AS RowId, 'Anchored' AS Event, r.committed_at AS At FROM receipt r
            WHERE r.committed_at >= @since AND NOT EXISTS (SELECT 1 FROM provenance p WHERE p.row_id = r.row_id)
            ORDER BY r.committed_at, r.row_id
            """,
            from);
        var ended = await work.ListAsync<Happened>(
            """
            SELECT s.row_id AS RowId, s.status AS Event, s.updated_at AS At FROM summary s
            WHERE s.status IN ('Retracted', 'Withdrawn', 'Erased') AND s.updated_at >= @since
              AND EXISTS (SELECT 1 FROM provenance p WHERE p.row_id = s.row_id) AND NOT EXISTS (SELECT 1 FROM provenance p WHERE p.row_id = s.row_id AND p.event <> 'Anchored')
            ORDER BY s.updated_at, s.row_id
            """,
            from);
        foreach (var item in happened.Concat(ended))
            await work.InsertIfNewAsync(
                "provenance (row_id, event, tag, state, occurred_at, created_at) VALUES (@RowId, @Event, @tag, 'Queued', @At, @now)",
                new { item.RowId, item.Event, tag = Base64Url.Encode(RandomNumberGenerator.GetBytes(16)), item.At, now = now.ToUnixTimeMilliseconds() });
        await Bookmarks.WriteAsync(work, Bookmark, now.ToUnixTimeMilliseconds().ToString(System.Globalization.CultureInfo.InvariantCulture), now);
        return happened.Count + ended.Count;
    }

    public static Task<IReadOnlyList<ProvenanceRow>> DueAsync(Work work, DateTimeOffset now, int limit) => work.ListAsync<ProvenanceRow>(
        $"SELECT {Columns} FROM provenance WHERE state = 'Queued' AND next_attempt_at <= @now AND lease_until <= @now ORDER BY provenance_id LIMIT @limit",
        new { now = now.ToUnixTimeMilliseconds(), limit });

    /// <summary>What was told of a summary when it came to stand on the ledger.</summary>
    public static Task<ProvenanceRow?> FirstOfAsync(Work work, long rowId) =>
        work.FirstAsync<ProvenanceRow>($"SELECT {Columns} FROM provenance WHERE row_id = @rowId AND event = 'Anchored'", new { rowId });

    /// <summary>Holds a row and counts the attempt; false where another instance was first.</summary>
    public static async Task<bool> TakeAsync(Work work, ProvenanceRow row, string owner, DateTimeOffset now, TimeSpan lease) => await work.RunAsync(
        """
        UPDATE provenance SET lease_owner = @owner, lease_until = @until, attempts = attempts + 1
        WHERE provenance_id = @ProvenanceId AND state = 'Queued' AND attempts = @Attempts AND lease_until <= @now
        """,
        new { row.ProvenanceId, row.Attempts, owner, now = now.ToUnixTimeMilliseconds(), until = (now + lease).ToUnixTimeMilliseconds() }) == 1;

    /// <summary>Ends a row: with the resource that says it, or void.</summary>
    public static async Task<bool> EndAsync(Work work, ProvenanceRow row, string? resourceId, string code) => await work.RunAsync(
        """
        UPDATE provenance SET state = @state, resource_id = @resourceId, last_code = @code, lease_owner = NULL, lease_until = 0
        WHERE provenance_id = @ProvenanceId AND state = 'Queued'
        """,
        new { row.ProvenanceId, state = resourceId is null ? "Void" : "Done", resourceId, code }) == 1;

    public static Task<int> LaterAsync(Work work, ProvenanceRow row, string code, DateTimeOffset at) => work.RunAsync(
        "UPDATE provenance SET last_code = @code, next_attempt_at = @at, lease_owner = NULL, lease_until = 0 WHERE provenance_id = @ProvenanceId AND state = 'Queued'",
        new { row.ProvenanceId, code, at = at.ToUnixTimeMilliseconds() });
}
