using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>A table whose rows wait for doctors.</summary>
/// <param name="Name">The table.</param>
/// <param name="Key">Its key.</param>
/// <param name="State">The column that is <c>AwaitingCoSign</c> while a row waits.</param>
/// <param name="Order">The order of a doctor's queue, as its index has it.</param>
internal sealed record TurnTable(string Name, string Key, string State, string Order)
{
    public static readonly TurnTable Summaries = new("summary", "row_id", "status", "queued_at, row_id");
    public static readonly TurnTable Retractions = new("retraction", "retraction_id", "state", "retraction_id");
}

/// <summary>Finds what may have to change hands. Each query reads along an index; what it finds is judged by <see cref="TurnRules"/>.</summary>
internal static class TurnRows
{
    private static readonly IReadOnlySet<string> Nobody = new HashSet<string>();

    private sealed class Pair
    {
        public string ForLicence { get; init; } = "";
        public string? DoctorLicence { get; init; }
    }

    /// <summary>Keys, ascending: of all that is with somebody who is away, which never stays there, and of what else may change beyond <paramref name="after"/>.</summary>
    public static async Task<IReadOnlyList<long>> CandidatesAsync(
        Work work, TurnTable table, Presences presences, TurnOptions options, DateTimeOffset now, long after, int limit)
    {
        var found = new SortedSet<long>();
        foreach (var away in presences.Deputies.Keys)
            found.UnionWith(await work.ListAsync<long>(
                $"SELECT {table.Key} FROM {table.Name} WHERE doctor_licence = @away AND {table.State} = 'AwaitingCoSign' ORDER BY {table.Order} LIMIT @limit", new { away, limit }));
        // With somebody who should not have it (any more).
        foreach (var pair in await work.ListAsync<Pair>(
            $"SELECT DISTINCT for_licence AS ForLicence, doctor_licence AS DoctorLicence FROM {table.Name} WHERE for_why = '{TurnRules.Absent}' AND {table.State} = 'AwaitingCoSign'"))
            if (presences.Deputies.ContainsKey(pair.ForLicence)
                ? TurnRules.StandIn(pair.ForLicence, presences, Nobody) != pair.DoctorLicence
                : presences.MaySign.Contains(pair.ForLicence))
                await AddAsync(
                    $"for_why = '{TurnRules.Absent}' AND for_licence = @ForLicence AND doctor_licence {(pair.DoctorLicence is null ? "IS NULL" : "= @DoctorLicence")}",
                    new { pair.ForLicence, pair.DoctorLicence, after, limit });
        if (options.RemindAfter > TimeSpan.Zero)
            await AddAsync("reminded_at IS NULL AND waits_since <= @before", new { before = (now - options.RemindAfter).ToUnixTimeMilliseconds(), after, limit });
        if (options.EscalateAfter > TimeSpan.Zero)
            await AddAsync("waits_since <= @before", new { before = (now - options.EscalateAfter).ToUnixTimeMilliseconds(), after, limit });
        return [.. found.Take(limit)];

        async Task AddAsync(string condition, object parameters) => found.UnionWith(await work.ListAsync<long>(
            $"SELECT {table.Key} FROM {table.Name} WHERE {table.State} = 'AwaitingCoSign' AND {condition} AND {table.Key} > @after ORDER BY {table.Key} LIMIT @limit", parameters));
    }

    /// <summary>Marks a row as one of which its doctor was reminded.</summary>
    public static Task<int> RemindAsync(Work work, TurnTable table, long key, DateTimeOffset now) => work.RunAsync(
        $"UPDATE {table.Name} SET reminded_at = @now WHERE {table.Key} = @key AND {table.State} = 'AwaitingCoSign'", new { key, now = now.ToUnixTimeMilliseconds() });
}
