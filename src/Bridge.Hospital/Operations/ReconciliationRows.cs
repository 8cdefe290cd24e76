using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>One reconciliation of the states with the FHIR server's own count.</summary>
internal sealed class ReconciliationRow
{
    /// <summary>Every finished encounter of the server was counted.</summary>
    public const string Server = "Server";

    /// <summary>The server searches within a patient only: those of enrolled patients were counted, and how many others there are nobody can say.</summary>
    public const string Enrolled = "Enrolled";

    public long At { get; init; }

    /// <summary><see cref="Server"/> or <see cref="Enrolled"/>.</summary>
    public string Scope { get; init; } = Server;

    /// <summary>Finished encounters on the server, within the scope.</summary>
    public long ServerFinished { get; init; }

    /// <summary>Those of them whose patient has no live consent and of which nothing is stored; zero where they are outside the scope.</summary>
    public long NotEnrolled { get; init; }

    /// <summary>Encounters that stand in one of the states, within the scope.</summary>
    public long Known { get; init; }

    /// <summary>ServerFinished - NotEnrolled - Known: zero, or encounters on their way while it was counted.</summary>
    public long Difference { get; init; }
}

internal static class ReconciliationRows
{
    public static async Task<ReconciliationRow?> LastAsync(Work work) => await NewestAsync(work, 1) is [var last] ? last : null;

    /// <summary>The newest first.</summary>
    public static Task<IReadOnlyList<ReconciliationRow>> NewestAsync(Work work, int limit) => work.ListAsync<ReconciliationRow>(
        """
        SELECT at AS At, scope AS Scope, server_finished AS ServerFinished, not_enrolled AS NotEnrolled, known AS Known, difference AS Difference
        FROM reconciliation ORDER BY at DESC LIMIT @limit
        """,
        new { limit });

    public static Task InsertAsync(Work work, ReconciliationRow row) => work.InsertIfNewAsync(
        "reconciliation (at, scope, server_finished, not_enrolled, known, difference) VALUES (@At, @Scope, @ServerFinished, @NotEnrolled, @Known, @Difference)", row);
}
