namespace Bridge.Hospital.Store;

/// <summary>Who this process is where several share a database; a new name at every start, so that nothing is inherited by mistake.</summary>
internal sealed class Instance
{
    public string Name { get; } = $"{Guid.NewGuid():N}-{Environment.MachineName}"[..Math.Min(64, 33 + Environment.MachineName.Length)];
}

/// <summary>Named leases: one instance does a piece of periodic work, another takes over when the lease runs out.</summary>
internal static class Leases
{
    private static readonly string[] Tables = ["summary", "anchor", "enrolment", "directory_task", "retraction", "provenance", "announcement"];

    /// <summary>Takes or extends a lease; false while another instance holds it.</summary>
    public static async Task<bool> TryTakeAsync(Work work, string name, string owner, DateTimeOffset now, TimeSpan duration)
    {
        var parameters = new { name, owner, now = now.ToUnixTimeMilliseconds(), until = (now + duration).ToUnixTimeMilliseconds() };
        if (await work.RunAsync(
                "UPDATE lease SET owner = @owner, until_at = @until WHERE name = @name AND (owner = @owner OR until_at <= @now)", parameters) == 1)
            return true;
        return await work.ScalarAsync<long>("SELECT COUNT(*) FROM lease WHERE name = @name", parameters) == 0
            && await work.InsertIfNewAsync("lease (name, owner, until_at) VALUES (@name, @owner, @until)", parameters);
    }

    /// <summary>Gives a lease back, so that the next instance need not wait for its end.</summary>
    public static Task ReleaseAsync(Work work, string name, string owner) =>
        work.RunAsync("UPDATE lease SET until_at = 0 WHERE name = @name AND owner = @owner", new { name, owner });

    /// <summary>
    /// Frees every lease, of rows too. Only for a database that no other process can have open: the embedded file, whose lock this process holds.
    /// </summary>
    public static async Task FreeAllAsync(Work work)
    {
        foreach (var table in Tables)
            await work.RunAsync($"UPDATE {table} SET lease_owner = NULL, lease_until = 0 WHERE lease_until > 0");
        await work.RunAsync("DELETE FROM lease");
    }

    /// <summary>Frees what one instance holds, its own sign of life too.</summary>
    public static async Task FreeOfAsync(Work work, string owner)
    {
        foreach (var table in Tables)
            await work.RunAsync($"UPDATE {table} SET lease_owner = NULL, lease_until = 0 WHERE lease_owner = @owner", new { owner });
        await work.RunAsync("DELETE FROM lease WHERE owner = @owner", new { owner });
    }
}

/// <summary>Small named texts that must commit together with what they cover: the watcher's cursor, the event checkpoint, flags.</summary>
internal static class Bookmarks
{
    public const string WatchCursor = "watch-cursor";
    public const string LedgerEvents = "ledger-events";
    public const string Paused = "paused";

    /// <summary>Number of the status list on the ledger by which this database was found to be an older one; behind it the time, until what follows from it is done.</summary>
    public const string Restored = "restored";

    public static Task<string?> ReadAsync(Work work, string name) =>
        work.ScalarAsync<string>("SELECT content FROM bookmark WHERE name = @name", new { name });

    public static async Task WriteAsync(Work work, string name, string content, DateTimeOffset now)
    {
        var parameters = new { name, content, now = now.ToUnixTimeMilliseconds() };
        if (await work.RunAsync("UPDATE bookmark SET content = @content, updated_at = @now WHERE name = @name", parameters) == 0)
            await work.InsertIfNewAsync("bookmark (name, content, updated_at) VALUES (@name, @content, @now)", parameters);
    }

    public static Task<long?> UpdatedAtAsync(Work work, string name) =>
        work.ScalarAsync<long?>("SELECT updated_at FROM bookmark WHERE name = @name", new { name });
}
