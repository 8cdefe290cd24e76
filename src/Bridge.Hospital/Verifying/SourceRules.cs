using System.Text.Json;
using Bridge.Fhir.Extraction;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>What the tables hold of one summary, as far as it is compared with the source.</summary>
/// <param name="Row">The summary.</param>
/// <param name="Purposes">What its patient consented to.</param>
/// <param name="Struck">Codes that the doctor took out before she signed, as her decision says.</param>
internal sealed record SourceFacts(SummaryRow Row, IReadOnlyList<string> Purposes, IReadOnlyList<StruckCode> Struck);

/// <summary>How a summary and its encounter in the EHR stand to each other.</summary>
/// <param name="Finding">What does not agree; null where all does.</param>
/// <param name="Moved">True where the source says something else than it did when it was read: no fault of the tables.</param>
internal sealed record SourceVerdict(Finding? Finding, bool Moved)
{
    public static readonly SourceVerdict Agrees = new(null, false);
}

/// <summary>
/// Pure comparison of a stored summary with what its encounter gives today. A row keeps a digest of what the source said when it was read: where today's reading
/// has that digest, the source has not moved and the payload must be its very bytes; where it has another, the source has moved.
/// </summary>
internal static class SourceRules
{
    private const string Tampered = "The source has not changed since it was read, so the row was: restore it from the last good backup and look at who had access";
    private const string WillFollow =
        "The bridge follows a change of the encounter by itself at its next walk, and of what waits at its next reading (Watching:Reread). Where nothing was changed in the EHR, and neither the code tables nor Extraction:MinimumPeople, look at who had access to the database";

    /// <summary>Compares.</summary>
    /// <param name="facts">What the tables hold.</param>
    /// <param name="today">What the encounter gives today; null where the server no longer has it.</param>
    /// <param name="hospital">MSP id.</param>
    public static SourceVerdict Judge(SourceFacts facts, Extraction? today, string hospital)
    {
        var row = facts.Row;
        var subject = $"summary/{row.RowId}";
        if (today is null)
            return Moved("source.gone", "the FHIR server no longer has its encounter", "A reconciliation ends what was deleted (POST /api/operations/reconcile)");
        if (today.PatientId is { } patient && patient != row.PatientKey)
            return Moved("source.patient", today.MergedFrom == row.PatientKey ? "its patient's record was merged into another since" : "its encounter names another patient now", WillFollow);
        if (row.Payload is null)
            return NameOf(row) == today.Name
                ? SourceVerdict.Agrees
                : Moved("source.changed", $"is {NameOf(row)} here, read again its encounter is {today.Name}", WillFollow);
        if (today.Draft is not { } draft)
            return Moved("source.changed", $"is {row.Status} here, read again its encounter is {today.Name} and gives no summary", WillFollow);
        if (MinimalSummary.Read(row.Payload, out _) is not { } stored || !SummaryId.TryParse(row.SummaryId, out var id) || !Pseudonym.TryParse(row.Pseudonym, out var pseudonym))
            // The tables by themselves are judged elsewhere.
            return SourceVerdict.Agrees;

        var recomputed = draft.ToSummary(id, pseudonym, hospital, stored.Supersedes);
        var differ = Differences(recomputed, stored);
        if (today.ContentDigest == row.ContentDigest)
            return IsWhatTheDoctorLeft(recomputed, row.Payload, facts.Struck)
                ? SourceVerdict.Agrees
                : new(new Finding("source.payload", subject, $"its payload is not what its encounter gives: they differ in {string.Join(", ", differ)}", Tampered), false);
        return Moved("source.changed", differ.Count == 0
            ? "its encounter names another treating doctor now"
            : $"its encounter gives something else now ({(today.EncounterVersion == row.EncounterVersion ? "it is the same version, so what belongs to it changed" : "it changed")}): {string.Join(", ", differ)}", WillFollow);

        SourceVerdict Moved(string check, string what, string cure) => new(new Finding(check, subject, what, cure), true);
    }

    private static bool IsWhatTheDoctorLeft(MinimalSummary recomputed, byte[] payload, IReadOnlyList<StruckCode> struck) =>
        Strikes.Between(recomputed.ToCanonicalJson(), payload) is { } left && left.ToHashSet().SetEquals(struck);

    private static string NameOf(SummaryRow row) => row.Status switch
    {
        SummaryStatus.Withheld => $"Withheld({row.Reason})",
        _ => row.Reason ?? row.Status.ToString(),
    };

    private static List<string> Differences(MinimalSummary a, MinimalSummary b)
    {
        var differ = new List<string>();
        void Same(string member, bool same)
        {
            if (!same)
                differ.Add(member);
        }
        Same("period", a.Period == b.Period);
        Same("class", a.Class == b.Class);
        Same("conditions", a.Conditions.SequenceEqual(b.Conditions));
        Same("treatments", a.Treatments.SequenceEqual(b.Treatments));
        Same("ageBand", a.AgeBand == b.AgeBand);
        Same("sex", a.Sex == b.Sex);
        Same("disposition", a.Disposition == b.Disposition);
        Same("patient", a.Patient == b.Patient);
        Same("hospital", a.Hospital == b.Hospital);
        Same("id", a.Id == b.Id);
        return differ;
    }
}

/// <summary>Reads the facts in pages.</summary>
internal static class SourceRows
{
    // What a finished encounter stands in now; what the ledger has retired holds no content any more, and what settles has none yet.
    private const string Compared = "is_current = 1 AND status IN ('Withheld', 'AwaitingCoSign', 'Declined', 'CoSigned', 'Anchoring', 'Anchored', 'Failed')";

    public static Task<long> CountAsync(Work work) => work.ScalarAsync<long>($"SELECT COUNT(*) FROM summary WHERE {Compared}");

    public static async Task<IReadOnlyList<SourceFacts>> PageAsync(Work work, long after, int limit) => await GatherAsync(
        work, await work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE row_id > @after AND {Compared} ORDER BY row_id LIMIT @limit", new { after, limit }));

    public static async Task<IReadOnlyList<SourceFacts>> AgainAsync(Work work, IReadOnlyList<long> ids) => await GatherAsync(
        work, await work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE row_id IN @ids AND {Compared} ORDER BY row_id", new { ids }));

    private static async Task<IReadOnlyList<SourceFacts>> GatherAsync(Work work, IReadOnlyList<SummaryRow> rows)
    {
        if (rows.Count == 0)
            return [];
        var purposes = (await work.ListAsync<Consented>(
            "SELECT enrolment_id AS EnrolmentId, purposes AS Purposes FROM enrolment WHERE enrolment_id IN @enrolments", new { enrolments = rows.Select(row => row.EnrolmentId).Distinct().ToArray() }))
            .ToDictionary(row => row.EnrolmentId, row => row.Purposes);
        var struck = (await work.ListAsync<DecisionRow>(
            "SELECT row_id AS RowId, struck AS Struck FROM decision WHERE row_id IN @ids AND kind = 'approve' AND voided_at IS NULL AND struck IS NOT NULL", new { ids = rows.Select(row => row.RowId).ToArray() }))
            .ToDictionary(row => row.RowId, row => JsonSerializer.Deserialize<List<StruckCode>>(row.Struck!, JsonSerializerOptions.Web)!);
        return [.. rows.Select(row => new SourceFacts(
            row, (purposes.GetValueOrDefault(row.EnrolmentId) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries), struck.GetValueOrDefault(row.RowId) ?? []))];
    }

    private sealed class Consented
    {
        public long EnrolmentId { get; init; }
        public string? Purposes { get; init; }
    }
}
