using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>Stops extraction and anchoring at once, on all instances, until resumed. Held in the database; every step asks for it.</summary>
internal sealed class PauseSwitch(Database database, TimeProvider clock)
{
    public Task<bool> IsOnAsync(CancellationToken cancellationToken = default) => database.ReadAsync(IsOnAsync, cancellationToken);

    /// <summary>Within a transaction that must not go on while paused.</summary>
    public static async Task<bool> IsOnAsync(Work work) => await Bookmarks.ReadAsync(work, Bookmarks.Paused) == "true";

    /// <summary>Sets it; false where it stood so already.</summary>
    public Task<bool> SetAsync(Actor actor, bool on, string? reason, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        if (await IsOnAsync(work) == on)
            return false;
        var now = clock.GetUtcNow();
        await Bookmarks.WriteAsync(work, Bookmarks.Paused, on ? "true" : "false", now);
        await AuditLog.AppendAsync(work, actor, on ? "operations.pause" : "operations.resume", "bridge", new { reason }, now);
        return true;
    }, cancellationToken);
}
