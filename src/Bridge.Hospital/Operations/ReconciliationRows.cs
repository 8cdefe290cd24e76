using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>One reconciliation of the states with the FHIR server's own count.</summary>
internal sealed class ReconciliationRow
{
    public long At { get; init; }

    /// <summary>Finished encounters on the server.</summary>
    public long ServerFinished { get; init; }

    /// <summary>Those of them whose patient has no live consent and of which nothing is stored.</summary>
    public long NotEnrolled { get; init; }

    /// <summary>Encounters that stand in one of the states.</summary>
    public long Known { get; init; }

    /// <summary>ServerFinished - NotEnrolled - Known: zero, or encounters on their way while it was counted.</summary>
    public long Difference { get; init; }
}

internal static class ReconciliationRows
{
    public static Task<ReconciliationRow?> LastAsync(Work work) => work.FirstAsync<ReconciliationRow>(
        """
        SELECT at AS At, server_finished AS ServerFinished, not_enrolled AS NotEnrolled, known AS Known, difference AS Difference
        FROM reconciliation ORDER BY at DESC LIMIT 1
        """);

    public static Task InsertAsync(Work work, ReconciliationRow row) => work.InsertIfNewAsync(
        "reconciliation (at, server_finished, not_enrolled, known, difference) VALUES (@At, @ServerFinished, @NotEnrolled, @Known, @Difference)", row);
}
