using Bridge.Fhir.Watching;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>One record of an enrolled patient: her own, or one that was merged into it.</summary>
internal sealed class RosterEntry
{
    public string PatientKey { get; init; } = "";
    public long EnrolmentId { get; init; }

    /// <summary>The record's own cursor; null = never read under this enrolment.</summary>
    public string? Seen { get; init; }

    public long? SweptAt { get; init; }
}

/// <summary>Whom a roster sweep reads, and how far each was read.</summary>
internal static class RosterRows
{
    private const string Live = "e.state = 'Enrolled' AND e.consent_until > @now";

    /// <summary>Every record that may be read now, the one that was read longest ago first.</summary>
    public static async Task<IReadOnlyList<RosterEntry>> AllAsync(Work work, DateTimeOffset now)
    {
        var entries = await work.ListAsync<RosterEntry>(
            $"""
            SELECT e.patient_key AS PatientKey, e.enrolment_id AS EnrolmentId, r.swept_at AS SweptAt
            FROM enrolment e LEFT JOIN roster r ON r.patient_key = e.patient_key AND r.enrolment_id = e.enrolment_id WHERE {Live}
            UNION ALL
            SELECT l.from_key AS PatientKey, e.enrolment_id AS EnrolmentId, r.swept_at AS SweptAt
            FROM patient_link l JOIN enrolment e ON e.enrolment_id = l.enrolment_id AND e.patient_key = l.into_key
              LEFT JOIN roster r ON r.patient_key = l.from_key AND r.enrolment_id = e.enrolment_id WHERE {Live}
            """,
            new { now = now.ToUnixTimeMilliseconds() });
        return [.. entries.DistinctBy(entry => entry.PatientKey).OrderBy(entry => entry.SweptAt ?? 0).ThenBy(entry => entry.EnrolmentId)];
    }

    /// <summary>One record as it stands now; null where its consent has ended meanwhile.</summary>
    public static Task<RosterEntry?> OneAsync(Work work, RosterEntry entry, DateTimeOffset now) => work.FirstAsync<RosterEntry>(
        $"""
        SELECT @PatientKey AS PatientKey, e.enrolment_id AS EnrolmentId, r.seen AS Seen, r.swept_at AS SweptAt
        FROM enrolment e LEFT JOIN roster r ON r.patient_key = @PatientKey AND r.enrolment_id = e.enrolment_id
        WHERE e.enrolment_id = @EnrolmentId AND {Live}
        """,
        new { entry.PatientKey, entry.EnrolmentId, now = now.ToUnixTimeMilliseconds() });

    /// <summary>Keeps how far a record was read; in the transaction that stores what was found.</summary>
    public static async Task KeepAsync(Work work, RosterEntry entry, Cursor next, DateTimeOffset now)
    {
        var parameters = new { entry.PatientKey, entry.EnrolmentId, seen = next.ToString(), now = now.ToUnixTimeMilliseconds() };
        if (await work.RunAsync("UPDATE roster SET enrolment_id = @EnrolmentId, seen = @seen, swept_at = @now WHERE patient_key = @PatientKey", parameters) == 0)
            await work.InsertIfNewAsync("roster (patient_key, enrolment_id, seen, swept_at) VALUES (@PatientKey, @EnrolmentId, @seen, @now)", parameters);
    }

    /// <summary>Says that records were looked at and showed nothing new.</summary>
    public static Task<int> LookedAsync(Work work, IReadOnlyList<string> patients, DateTimeOffset now) => patients.Count == 0
        ? Task.FromResult(0)
        : work.RunAsync("UPDATE roster SET swept_at = @now WHERE patient_key IN @patients", new { patients, now = now.ToUnixTimeMilliseconds() });
}
