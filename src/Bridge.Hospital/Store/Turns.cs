namespace Bridge.Hospital.Store;

/// <summary>The columns that tell whose turn it is; summaries and retractions carry the same.</summary>
internal static class Turns
{
    public const string Columns = "for_licence AS ForLicence, for_why AS ForWhy, waits_since AS WaitsSince, reminded_at AS RemindedAt";

    /// <summary>
    /// What comes into a queue, or into other hands, waits anew; in other hands it stands for nobody else unless the change says for whom.
    /// </summary>
    /// <param name="change">What the transition sets besides; null = nothing.</param>
    /// <param name="holder">Who has it before.</param>
    /// <param name="waited">Whether it waited for a doctor before.</param>
    /// <param name="waits">Whether it does afterwards.</param>
    /// <param name="now">The moment of the transition.</param>
    public static SummaryChange? Begin(SummaryChange? change, string? holder, bool waited, bool waits, DateTimeOffset now)
    {
        var next = change?.Values.TryGetValue("doctor_licence", out var set) == true ? (string?)set : holder;
        if (!waits || waited && next == holder)
            return change;
        change ??= new SummaryChange();
        if (next != holder && !change.Values.ContainsKey("for_licence"))
            change.Set("for_licence", null).Set("for_why", null);
        return change.Set("waits_since", next is null ? null : now.ToUnixTimeMilliseconds()).Set("reminded_at", null);
    }
}
