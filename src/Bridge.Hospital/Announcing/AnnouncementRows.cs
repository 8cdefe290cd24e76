using Bridge.Hospital.Store;

namespace Bridge.Hospital.Announcing;

/// <summary>What was said last, to whom, which way.</summary>
internal sealed class AnnouncementRow
{
    public string Way { get; init; } = "";
    public string Who { get; init; } = "";

    /// <summary>The interval of the last mail.</summary>
    public long Slot { get; init; }

    /// <summary>Identifier of the Task that stands, or is being made; null where none does.</summary>
    public string? Name { get; init; }
    public string? ResourceId { get; init; }
    public long Number { get; init; }
    public long? Oldest { get; init; }
    public long Overdue { get; init; }
    public long? FirstAt { get; init; }
    public long Attempts { get; init; }

    public WaitingNumber Said => new(Number, Oldest, Overdue);
}

/// <summary>The announcement table, and the numbers that are announced.</summary>
internal static class AnnouncementRows
{
    public const string Mail = "mail";
    public const string Task = "task";

    /// <summary>Stands for all operators where a doctor's licence would be.</summary>
    public const string Operators = "operators";

    private const string Columns =
        """
        way AS Way, who AS Who, slot AS Slot, name AS Name, resource_id AS ResourceId, number AS Number, oldest AS Oldest, overdue AS Overdue, first_at AS FirstAt, attempts AS Attempts
        """;

    private sealed class Line
    {
        public string Who { get; init; } = "";
        public long Number { get; init; }
        public long? Oldest { get; init; }
        public long Overdue { get; init; }
    }

    /// <summary>What waits for each doctor, and for <see cref="Operators"/>; those for whom nothing waits are missing.</summary>
    public static async Task<IReadOnlyDictionary<string, WaitingNumber>> WaitingAsync(Work work)
    {
        var numbers = new Dictionary<string, WaitingNumber>(StringComparer.Ordinal);
        foreach (var sql in (string[])[
            """
            SELECT COALESCE(doctor_licence, 'operators') AS Who, COUNT(*) AS Number, MIN(queued_at) AS Oldest, COUNT(reminded_at) AS Overdue
            FROM summary WHERE status = 'AwaitingCoSign' GROUP BY doctor_licence
            """,
            """
            SELECT 'operators' AS Who, COUNT(*) AS Number, MIN(updated_at) AS Oldest, 0 AS Overdue
            FROM summary WHERE status = 'Withheld' AND reason = 'NoDoctor' AND is_current = 1
            """,
            """
            SELECT CASE WHEN state = 'AwaitingCoSign' AND doctor_licence IS NOT NULL THEN doctor_licence ELSE 'operators' END AS Who, COUNT(*) AS Number, MIN(created_at) AS Oldest,
              COUNT(reminded_at) AS Overdue
            FROM retraction WHERE state IN ('AwaitingCoSign', 'Declined', 'Failed') GROUP BY CASE WHEN state = 'AwaitingCoSign' AND doctor_licence IS NOT NULL THEN doctor_licence ELSE 'operators' END
            """,
        ])
            foreach (var line in await work.ListAsync<Line>(sql))
                if (line.Number > 0)
                    numbers[line.Who] = numbers.GetValueOrDefault(line.Who, WaitingNumber.None).Add(new WaitingNumber(line.Number, line.Oldest, line.Overdue));
        return numbers;
    }

    /// <summary>Every doctor of whom a Task stands, or is being made.</summary>
    public static Task<IReadOnlyList<AnnouncementRow>> OpenTasksAsync(Work work) =>
        work.ListAsync<AnnouncementRow>($"SELECT {Columns} FROM announcement WHERE way = '{Task}' AND name IS NOT NULL");

    /// <summary>
    /// Holds what is to be said to one recipient; null where another instance does, it was said in this interval, or it is too early after a failure.
    /// </summary>
    public static async Task<AnnouncementRow?> TakeAsync(Work work, string way, string who, long slot, string owner, DateTimeOffset now, TimeSpan lease)
    {
        var parameters = new { way, who, slot, owner, now = now.ToUnixTimeMilliseconds(), until = (now + lease).ToUnixTimeMilliseconds() };
        await work.InsertIfNewAsync("announcement (way, who) VALUES (@way, @who)", parameters);
        return await work.RunAsync(
            """
            UPDATE announcement SET lease_owner = @owner, lease_until = @until, attempts = attempts + 1
            WHERE way = @way AND who = @who AND slot < @slot AND lease_until <= @now AND next_attempt_at <= @now
            """,
            parameters) == 1
            ? await work.FirstAsync<AnnouncementRow>($"SELECT {Columns} FROM announcement WHERE way = @way AND who = @who", parameters)
            : null;
    }

    /// <summary>Notes what was said.</summary>
    public static Task<int> SaidAsync(Work work, string way, string who, SummaryChange change, WaitingNumber said, DateTimeOffset now)
    {
        var parameters = new Dapper.DynamicParameters(change.Values);
        parameters.AddDynamicParams(new { way, who, said.Number, said.Oldest, said.Overdue, now = now.ToUnixTimeMilliseconds() });
        return work.RunAsync(
            $"""
            UPDATE announcement SET number = @Number, oldest = @Oldest, overdue = @Overdue, said_at = @now, last_code = NULL, attempts = 0, next_attempt_at = 0,
              lease_owner = NULL, lease_until = 0{change.Sql}
            WHERE way = @way AND who = @who
            """,
            parameters);
    }

    public static Task<int> LaterAsync(Work work, string way, string who, string code, DateTimeOffset at) => work.RunAsync(
        "UPDATE announcement SET last_code = @code, next_attempt_at = @at, lease_owner = NULL, lease_until = 0 WHERE way = @way AND who = @who",
        new { way, who, code, at = at.ToUnixTimeMilliseconds() });
}
