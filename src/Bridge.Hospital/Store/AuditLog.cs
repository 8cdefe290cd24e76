using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Bridge.Hospital.Store;

/// <summary>Who acts: a signed-in person, or the program itself.</summary>
internal sealed record Actor(string Person, string Role)
{
    public static readonly Actor Bridge = new("bridge", "system");
}

/// <summary>One entry of the audit log, as stored.</summary>
internal sealed class AuditEntry
{
    public long Seq { get; init; }
    public long At { get; init; }
    public string Person { get; init; } = "";
    public string Role { get; init; } = "";
    public string Action { get; init; } = "";
    public string Subject { get; init; } = "";
    public string Detail { get; init; } = "";
    public string Previous { get; init; } = "";
    public string Hash { get; init; } = "";
}

/// <summary>Whether the chain of the audit log holds.</summary>
/// <param name="Entries">How many entries were read.</param>
/// <param name="BrokenAt">The first entry that does not fit, or null.</param>
internal sealed record AuditVerdict(long Entries, long? BrokenAt);

/// <summary>
/// Append-only log of who saw and did what; each entry carries the hash of the one before it. Subjects are the bridge's own row numbers and
/// handles, details are codes: never a patient's data.
/// </summary>
internal static class AuditLog
{
    private const string Columns =
        "seq AS Seq, at AS At, person AS Person, role AS Role, action AS Action, subject AS Subject, detail AS Detail, previous AS Previous, hash AS Hash";

    /// <summary>Appends within the caller's transaction, so that the entry stands exactly if the act does.</summary>
    public static async Task AppendAsync(Work work, Actor actor, string action, string subject, object? detail, DateTimeOffset now)
    {
        // Taking the head row first puts writers in line on both engines.
        await work.RunAsync("UPDATE audit_head SET seq = seq + 1 WHERE one = 1");
        var head = await work.FirstAsync<AuditEntry>("SELECT seq AS Seq, hash AS Hash FROM audit_head WHERE one = 1");
        var entry = new AuditEntry
        {
            Seq = head!.Seq,
            At = now.ToUnixTimeMilliseconds(),
            Person = actor.Person,
            Role = actor.Role,
            Action = action,
            Subject = subject,
            Detail = detail is null ? "{}" : JsonSerializer.Serialize(detail, JsonSerializerOptions.Web),
            Previous = head.Hash,
        };
        var hash = HashOf(entry);
        await work.RunAsync(
            """
            INSERT INTO audit (seq, at, person, role, action, subject, detail, previous, hash)
            VALUES (@Seq, @At, @Person, @Role, @Action, @Subject, @Detail, @Previous, @hash)
            """,
            new { entry.Seq, entry.At, entry.Person, entry.Role, entry.Action, entry.Subject, entry.Detail, entry.Previous, hash });
        await work.RunAsync("UPDATE audit_head SET hash = @hash WHERE one = 1", new { hash });
    }

    public static Task<IReadOnlyList<AuditEntry>> PageAsync(Work work, long after, int limit) =>
        work.ListAsync<AuditEntry>($"SELECT {Columns} FROM audit WHERE seq > @after ORDER BY seq LIMIT @limit", new { after, limit });

    /// <summary>The newest entries before a number, newest first; only of one person, action or subject where given.</summary>
    public static Task<IReadOnlyList<AuditEntry>> NewestPageAsync(Work work, long before, int limit, string? person, string? action, string? subject) => work.ListAsync<AuditEntry>(
        $"""
        SELECT {Columns} FROM audit
        WHERE seq < @before{(person is null ? "" : " AND person = @person")}{(action is null ? "" : " AND action = @action")}{(subject is null ? "" : " AND subject = @subject")}
        ORDER BY seq DESC LIMIT @limit
        """,
        new { before, limit, person, action, subject });

    /// <summary>The number of the newest entry; 0 where there is none.</summary>
    public static Task<long> NewestAsync(Work work) => work.ScalarAsync<long>("SELECT seq FROM audit_head WHERE one = 1");

    /// <summary>Recomputes every hash.</summary>
    public static async Task<AuditVerdict> VerifyAsync(Work work)
    {
        long seq = 0;
        var previous = "";
        while (true)
        {
            var page = await PageAsync(work, seq, 1000);
            if (page.Count == 0)
                break;
            foreach (var entry in page)
            {
                if (entry.Seq != seq + 1 || entry.Previous != previous || entry.Hash != HashOf(entry))
                    return new AuditVerdict(seq, seq + 1);
                (seq, previous) = (entry.Seq, entry.Hash);
            }
        }
        var head = await work.FirstAsync<AuditEntry>("SELECT seq AS Seq, hash AS Hash FROM audit_head WHERE one = 1");
        return new AuditVerdict(seq, head!.Seq == seq && head.Hash == previous ? null : seq + 1);
    }

    // Lengths before the texts: no two entries share a spelling.
    private static string HashOf(AuditEntry entry)
    {
        var text = new StringBuilder("bridge-audit-1");
        foreach (var part in (string[])[entry.Previous, Number(entry.Seq), Number(entry.At), entry.Person, entry.Role, entry.Action, entry.Subject, entry.Detail])
            text.Append('\n').Append(Number(part.Length)).Append(':').Append(part);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));

        static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
    }
}
