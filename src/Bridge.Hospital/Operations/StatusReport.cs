using Bridge.Fhir.Watching;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Operations;

/// <summary>How many, and since when the oldest of them waits.</summary>
internal sealed class Waiting
{
    public long Count { get; init; }

    /// <summary>Unix milliseconds; null where none waits.</summary>
    public long? Oldest { get; init; }
}

/// <summary>A certificate and its end.</summary>
internal sealed record CertificateEnd(string What, DateTimeOffset NotAfter);

/// <summary>Who stopped or started the bridge last, and why.</summary>
internal sealed record PauseNote(bool On, DateTimeOffset? Since, string? By, string? Reason);

/// <summary>Where everything stands, as the tables say; nothing in it tells a patient.</summary>
internal sealed record StatusReport(
    string? Schema, PauseNote Pause, IReadOnlyList<StatusCount> States, long Known, Waiting AwaitingDoctor, Waiting WithoutDoctor, Waiting RetractionsHeld, Waiting AnchorsQueued, Waiting AnchorsSent,
    long AnchorsFailed, IReadOnlyList<StatusCount> Enrolments, Waiting Sweeps, Waiting Notices, DateTimeOffset? CursorAt, DateTimeOffset? CursorCommitted,
    DateTimeOffset? EventsCommitted, IReadOnlyList<CertificateEnd> Certificates, DateTimeOffset? StatusListUntil, ReconciliationRow? Reconciliation, string? Subscription)
{
    /// <summary>Reads it.</summary>
    /// <param name="work">The database.</param>
    /// <param name="own">The bridge's own certificates; null where certificates are not asked for.</param>
    /// <param name="hospital">Whose doctors count.</param>
    public static async Task<StatusReport> ReadAsync(Work work, IEnumerable<CertificateEnd>? own, string hospital)
    {
        var states = await SummaryRows.CountsAsync(work);
        var cursor = await Bookmarks.ReadAsync(work, Bookmarks.WatchCursor);
        var doctors = own is null ? [] : await Bridge.Hospital.Certificates.DoctorRows.AllAsync(work, hospital);
        return new StatusReport(
            await work.ScalarAsync<string>("SELECT name FROM schema_migration ORDER BY number DESC LIMIT 1"),
            await PausedAsync(work),
            states,
            await work.ScalarAsync<long>("SELECT COUNT(*) FROM summary WHERE is_current = 1"),
            await OldestAsync(work, "queued_at", "summary WHERE status = 'AwaitingCoSign' AND doctor_licence IS NOT NULL"),
            await OldestAsync(work, "updated_at", "summary WHERE is_current = 1 AND (status = 'Withheld' AND reason = 'NoDoctor' OR status = 'AwaitingCoSign' AND doctor_licence IS NULL)"),
            await OldestAsync(work, "created_at", "retraction WHERE state IN ('Declined', 'Failed') OR (state = 'AwaitingCoSign' AND doctor_licence IS NULL)"),
            await OldestAsync(work, "created_at", "anchor WHERE state = 'Queued'"),
            await OldestAsync(work, "created_at", "anchor WHERE state = 'Sent'"),
            await work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor WHERE state = 'Failed'"),
            await work.ListAsync<StatusCount>("SELECT state AS Status, COUNT(*) AS Count FROM enrolment GROUP BY state ORDER BY state"),
            await OldestAsync(work, "created_at", "sweep"),
            await OldestAsync(work, "heard_at", "note WHERE handled_at IS NULL"),
            cursor is null ? null : Cursor.Parse(cursor).From,
            Time(await Bookmarks.UpdatedAtAsync(work, Bookmarks.WatchCursor)),
            Time(await Bookmarks.UpdatedAtAsync(work, Bookmarks.LedgerEvents)),
            [.. (own ?? []).Concat(doctors.Where(doctor => doctor.Status == "ACTIVE").Select(doctor => new CertificateEnd($"doctor {doctor.Name}", DateTimeOffset.FromUnixTimeSeconds(doctor.NotAfter))))
                .OrderBy(certificate => certificate.NotAfter)],
            Time(await work.ScalarAsync<long?>("SELECT MIN(ends) FROM (SELECT MAX(next_update) AS ends FROM status_list WHERE published_at IS NOT NULL GROUP BY part) AS each_part")),
            await ReconciliationRows.LastAsync(work),
            await SubscriptionState.ReadAsync(work) is { Id: not null } subscription ? subscription.Describe() : null);
    }

    /// <summary>Whether the bridge is paused, and who said so last.</summary>
    public static async Task<PauseNote> PausedAsync(Work work)
    {
        var on = await PauseSwitch.IsOnAsync(work);
        var last = await work.FirstAsync<AuditEntry>(
            "SELECT at AS At, person AS Person, detail AS Detail FROM audit WHERE action IN ('operations.pause', 'operations.resume') ORDER BY seq DESC LIMIT 1");
        if (last is null)
            return new PauseNote(on, null, null, null);
        using var detail = System.Text.Json.JsonDocument.Parse(last.Detail);
        return new PauseNote(on, Time(last.At), last.Person, detail.RootElement.TryGetProperty("reason", out var reason) ? reason.GetString() : null);
    }

    private static async Task<Waiting> OldestAsync(Work work, string since, string from) =>
        (await work.FirstAsync<Waiting>($"SELECT COUNT(*) AS Count, MIN({since}) AS Oldest FROM {from}"))!;

    private static DateTimeOffset? Time(long? milliseconds) => milliseconds is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
}
