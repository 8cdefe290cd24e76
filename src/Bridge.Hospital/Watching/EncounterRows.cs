using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Watching;

/// <summary>What is stored of one encounter.</summary>
/// <param name="EncounterKey">The encounter.</param>
/// <param name="Current">The row by which it is counted, or null.</param>
/// <param name="OnLedger">Rows on the ledger or on their way there, newest first; the current one may be among them.</param>
/// <param name="Erased">The newest one that its patient erased, or null.</param>
/// <param name="Generations">The highest number of a row, whatever became of it; 0 where there is none.</param>
internal sealed record EncounterRows(string EncounterKey, SummaryRow? Current, IReadOnlyList<SummaryRow> OnLedger, SummaryRow? Erased, long Generations)
{
    /// <summary>Reads them and, where several instances share a database, holds them until the transaction ends.</summary>
    public static async Task<EncounterRows> ReadAsync(Work work, string encounterKey, DateTimeOffset now) =>
        (await ReadAmongAsync(work, [encounterKey], now))[encounterKey];

    /// <summary>As <see cref="ReadAsync"/>, for many at once.</summary>
    public static async Task<Dictionary<string, EncounterRows>> ReadAmongAsync(Work work, IEnumerable<string> encounterKeys, DateTimeOffset now)
    {
        var read = new Dictionary<string, EncounterRows>(StringComparer.Ordinal);
        foreach (var chunk in encounterKeys.Distinct(StringComparer.Ordinal).Chunk(100))
        {
            // Withdrawn once and enrolled again: the old row is known by its forgotten key, and gives way.
            var forgotten = await Withdrawals.ForgottenAmongAsync(work, "encounter", chunk, now);
            var rows = (await ListAsync(work, [.. chunk, .. forgotten.Values])).ToLookup(row => row.EncounterKey, StringComparer.Ordinal);
            foreach (var key in chunk)
            {
                var (own, old) = (rows[key].ToList(), rows[forgotten[key]]);
                read.Add(key, new EncounterRows(
                    key,
                    own.Find(row => row.IsCurrent == 1) ?? old.FirstOrDefault(row => row.IsCurrent == 1),
                    [.. own.Where(row => row.Status is SummaryStatus.Anchoring or SummaryStatus.Anchored)],
                    own.Find(row => row.Status == SummaryStatus.Erased),
                    // Numbers go on behind those of a row whose name was forgotten: it may get its name's company back.
                    own.Concat(old).Select(row => row.Generation).DefaultIfEmpty().Max()));
            }
        }
        return read;
    }

    /// <summary>True where the encounter has a row under its own name.</summary>
    public static async Task<HashSet<string>> KnownAmongAsync(Work work, IEnumerable<string> encounterKeys)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var chunk in encounterKeys.Distinct(StringComparer.Ordinal).Chunk(500))
            known.UnionWith(await work.ListAsync<string>("SELECT DISTINCT encounter_key FROM summary WHERE encounter_key IN @chunk", new { chunk }));
        return known;
    }

    /// <summary>The version that was read last of each of these encounters that counts.</summary>
    public static async Task<Dictionary<string, string>> VersionsAsync(Work work, IEnumerable<string> encounterKeys)
    {
        var versions = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var chunk in encounterKeys.Distinct(StringComparer.Ordinal).Chunk(500))
            foreach (var row in await work.ListAsync<SummaryRow>(
                "SELECT encounter_key AS EncounterKey, encounter_version AS EncounterVersion FROM summary WHERE is_current = 1 AND encounter_key IN @chunk", new { chunk }))
                versions[row.EncounterKey] = row.EncounterVersion;
        return versions;
    }

    /// <summary>By which row each of these encounters is counted, be it under its own name or, after a withdrawal, under a forgotten one.</summary>
    public static async Task<Dictionary<string, long>> CountedByAsync(Work work, IReadOnlyCollection<string> encounterKeys, DateTimeOffset now)
    {
        var rows = await RowIdsAsync(work, encounterKeys);
        var forgotten = await Withdrawals.ForgottenAmongAsync(work, "encounter", encounterKeys.Where(key => !rows.ContainsKey(key)), now);
        var under = await RowIdsAsync(work, forgotten.Values);
        foreach (var (key, name) in forgotten)
            if (under.TryGetValue(name, out var row))
                rows[key] = row;
        return rows;
    }

    private static async Task<Dictionary<string, long>> RowIdsAsync(Work work, IEnumerable<string> keys)
    {
        var rows = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var chunk in keys.Distinct(StringComparer.Ordinal).Chunk(500))
            foreach (var row in await work.ListAsync<SummaryRow>(
                "SELECT encounter_key AS EncounterKey, row_id AS RowId FROM summary WHERE is_current = 1 AND encounter_key IN @chunk", new { chunk }))
                rows[row.EncounterKey] = row.RowId;
        return rows;
    }

    /// <summary>The rows by which these encounters are counted.</summary>
    public static Task<IReadOnlyList<SummaryRow>> CurrentAsync(Work work, IReadOnlyList<string> encounterKeys) =>
        work.ListAsync<SummaryRow>($"SELECT {SummaryRows.Columns} FROM summary WHERE is_current = 1 AND encounter_key IN @encounterKeys", new { encounterKeys });

    private static Task<IReadOnlyList<SummaryRow>> ListAsync(Work work, IReadOnlyList<string> keys) => work.ListAsync<SummaryRow>(
        $"""
        SELECT {SummaryRows.Columns} FROM summary WHERE encounter_key IN @keys ORDER BY generation DESC{(work.Dialect == Dialect.MySql ? " FOR UPDATE" : "")}
        """,
        new { keys });
}
