using Bridge.Hospital.Store;

namespace Bridge.Hospital.Verifying;

/// <summary>The audit log: its hash chain, and that what it says was anchored and approved is still in the tables, and the reverse.</summary>
internal static class AuditCheck
{
    private const string Broken =
        "Entries from here on were changed, removed or added by hand. Compare with an export or a backup, look at who had access to the database, and keep the file as evidence";

    public static async Task RunAsync(Database database, Findings findings, CancellationToken cancellationToken)
    {
        var verdict = await database.ReadAsync(AuditLog.VerifyAsync, cancellationToken);
        findings.Looked("audit entries", verdict.Entries);
        if (verdict.BrokenAt is { } at)
            findings.Add("audit.chain", $"audit/{at}", $"the hash chain breaks at entry {at}", Broken);
        // An entry names the act and the row; which acts leave which row is the same whatever became of the row since.
        await MissingAsync("audit.anchor", "summary.anchor", "receipt", "its audit entry says that it was anchored, and there is no receipt");
        await MissingAsync("audit.approve", "summary.approve", "decision", "its audit entry says that a doctor approved it, and there is no decision");
        await UnsaidAsync("audit.anchor", "summary.anchor", "receipt", "has a receipt, and no audit entry says that it was anchored");
        await UnsaidAsync("audit.approve", "summary.approve", "decision WHERE kind = 'approve'", "has an approval, and no audit entry says so");

        async Task MissingAsync(string check, string action, string table, string what)
        {
            var concat = Text(database.Dialect, "row_id");
            foreach (var subject in await database.ReadAsync(
                work => work.ListAsync<string>($"SELECT DISTINCT subject FROM audit WHERE action = @action AND subject NOT IN (SELECT {concat} FROM {table}) ORDER BY subject LIMIT 1000", new { action }),
                cancellationToken))
                findings.Add(check, subject, what, "The row was removed by hand: restore it from the last good backup and look at who had access");
        }

        async Task UnsaidAsync(string check, string action, string rows, string what)
        {
            foreach (var row in await database.ReadAsync(
                work => work.ListAsync<long>($"SELECT DISTINCT row_id FROM {rows}{(rows.Contains("WHERE", StringComparison.Ordinal) ? " AND" : " WHERE")} {Text(database.Dialect, "row_id")} NOT IN (SELECT subject FROM audit WHERE action = @action) ORDER BY row_id LIMIT 1000", new { action }),
                cancellationToken))
                findings.Add(check, $"summary/{row}", what, Broken);
        }
    }

    private static string Text(Dialect dialect, string column) => dialect == Dialect.Sqlite ? $"'summary/' || {column}" : $"CONCAT('summary/', {column})";
}
