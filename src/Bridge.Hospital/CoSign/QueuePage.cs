using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>A doctor's queue with all that a reader needs to decide, and what she signed lately.</summary>
internal sealed class QueuePage(Database database, HospitalOptions hospital, CodeWords titles, TimeProvider clock)
{
    private static readonly TimeSpan NoteAgain = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<string, (string Rows, DateTimeOffset At)> _noted = new(StringComparer.Ordinal);

    /// <summary>A line, what it replaces, what was done with it before, and for whom it is, where another doctor's.</summary>
    internal sealed record Line(QueueLine Queue, byte[]? Replaced, IReadOnlyList<DecisionRow> History, StandingFor? For);

    /// <summary>A page of the queue. That it was read, and of which rows, stands in the audit log before it is answered.</summary>
    public Task<(IReadOnlyList<Line> Lines, long Waiting, long TakingBack)> ReadAsync(Actor reader, string licence, long afterQueuedAt, long afterRow, int limit, CancellationToken cancellationToken) =>
        database.WriteAsync<(IReadOnlyList<Line>, long, long)>(async work =>
        {
            var lines = await CoSignRows.QueueAsync(work, licence, afterQueuedAt, afterRow, limit);
            var rows = lines.Select(line => line.RowId).ToList();
            var history = (rows.Count == 0 ? [] : await CoSignRows.DecisionsOfAsync(work, rows)).ToLookup(decision => decision.RowId);
            var replacing = lines.Where(line => line.Supersedes is not null).Select(line => line.Supersedes!).ToList();
            var replaced = (replacing.Count == 0
                ? []
                : await work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE summary_id IN @replacing", new { replacing })).ToDictionary(row => row.SummaryId);
            if (rows.Count > 0)
                await AuditLog.AppendAsync(work, reader, "queue.read", "queue", new { rows }, clock.GetUtcNow());
            var homes = await StandingFor.OfAsync(work, hospital.Msp, lines.Select(line => (line.ForLicence, line.ForWhy)), clock.GetUtcNow());
            return (
                [.. lines.Select(line => new Line(
                    line, line.Supersedes is null ? null : replaced.GetValueOrDefault(line.Supersedes)?.Payload, [.. history[line.RowId]], homes.GetValueOrDefault((line.ForLicence, line.ForWhy))))],
                await CoSignRows.CountAsync(work, licence),
                await RetractionRows.CountAsync(work, licence));
        }, cancellationToken);

    /// <summary>
    /// What the doctor signed last, newest first. That it was read, and of which rows, stands in the audit log before it is answered; a page that reads the same again and again by
    /// itself stands there once in <see cref="NoteAgain"/>.
    /// </summary>
    public async Task<IReadOnlyList<SignedLine>> SignedAsync(Actor reader, string licence, int limit, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        // A page that looks every few seconds does not stand in the line of writers for it.
        var lines = await database.ReadAsync(work => work.ListAsync<SignedLine>(
                """
                SELECT d.decision_id AS DecisionId, d.row_id AS RowId, d.summary_id AS SummaryId, d.person AS Person, d.decided_at AS DecidedAt, s.status AS Status, s.payload AS Payload,
                  s.class AS Class, s.period AS Period, s.encounter_key AS EncounterKey, r.state AS TakingBack
                FROM decision d JOIN summary s ON s.row_id = d.row_id LEFT JOIN retraction r ON r.open_row = s.row_id
                WHERE d.licence = @licence AND d.kind = 'approve' AND d.voided_at IS NULL
                ORDER BY d.decision_id DESC LIMIT @limit
                """,
                new { licence, limit }), cancellationToken);
        var rows = lines.Select(line => line.RowId).Distinct().ToList();
        var seen = string.Join(' ', rows);
        if (_noted.TryGetValue(reader.Person, out var noted) && noted.Rows == seen && now - noted.At < NoteAgain)
            return lines;
        if (rows.Count > 0)
            await database.WriteAsync(work => AuditLog.AppendAsync(work, reader, "signed.read", "queue", new { rows }, now), cancellationToken);
        _noted[reader.Person] = (seen, now);
        return lines;
    }

    public object Show(Line line, string? language)
    {
        var queue = line.Queue;
        return new
        {
            id = queue.SummaryId,
            encounter = queue.EncounterKey,
            patient = queue.PatientKey,
            queue.Class,
            queue.Period,
            queue.Supersedes,
            queue.Reason,
            queuedAt = Time(queue.QueuedAt),
            overdue = queue.RemindedAt is not null,
            line.For,
            payload = queue.Payload is null ? null : Base64Url.Encode(queue.Payload),
            replaces = line.Replaced is null ? (JsonElement?)null : JsonElement.Parse(line.Replaced),
            draft = queue.Draft is null ? (JsonElement?)null : JsonElement.Parse(queue.Draft),
            words = titles.Of([queue.Payload, line.Replaced], queue.Draft, language),
            history = line.History.Select(Show),
        };
    }

    public object Show(SignedLine line, string? language) => new
    {
        id = line.SummaryId,
        line.Status,
        line.TakingBack,
        line.Person,
        encounter = line.EncounterKey,
        signedAt = Time(line.DecidedAt),
        payload = line.Payload is null ? null : Base64Url.Encode(line.Payload),
        words = titles.Of([line.Payload], null, language),
    };

    /// <summary>The language in which a reader asks to be answered first (<c>Accept-Language</c>); null where she says nothing.</summary>
    public static string? LanguageOf(HttpRequest request) =>
        request.GetTypedHeaders().AcceptLanguage.MaxBy(language => language.Quality ?? 1)?.Value.Value;

    public static object Show(DecisionRow decision) => new
    {
        decision.Kind,
        decision.Person,
        decision.Reason,
        decidedAt = Time(decision.DecidedAt),
        decision.VoidReason,
        struck = decision.Struck is null ? (JsonElement?)null : JsonElement.Parse(decision.Struck),
    };

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}

/// <summary>Something that a doctor signed, and where it stands.</summary>
internal sealed class SignedLine
{
    public long DecisionId { get; init; }
    public long RowId { get; init; }
    public string SummaryId { get; init; } = "";
    public string Person { get; init; } = "";
    public long DecidedAt { get; init; }
    public string Status { get; init; } = "";
    public byte[]? Payload { get; init; }
    public string? Class { get; init; }
    public string? Period { get; init; }
    public string EncounterKey { get; init; } = "";

    /// <summary>Where the taking back of it stands; null where nobody asks for that.</summary>
    public string? TakingBack { get; init; }
}
