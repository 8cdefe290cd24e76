using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>The audit log over HTTP. Whoever reads, checks or exports it stands in it.</summary>
internal static class AuditEndpoints
{
    private const int MaxPage = 1000;

    public static void Map(RouteGroupBuilder operators)
    {
        operators.MapGet("/audit", PageAsync);
        operators.MapGet("/audit/verify", VerifyAsync);
        operators.MapGet("/audit/export", ExportAsync);
    }

    /// <summary>
    /// A page: <c>{items, newest}</c>. With <c>?after=SEQ</c> in order, for scripts that follow it; else the newest first, <c>?before=SEQ</c> goes on. <c>?person=</c>,
    /// <c>?action=</c> and <c>?subject=</c> choose among the latter.
    /// </summary>
    private static async Task<IResult> PageAsync(
        long? after, long? before, int? limit, string? person, string? action, string? subject, ClaimsPrincipal user, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        var size = Math.Clamp(limit ?? 100, 1, MaxPage);
        // Read outside the line of writers, in which everybody else would wait for a long search; noted before it is answered.
        var (items, newest) = await database.ReadAsync(async work => (
            after is { } seq
                ? await AuditLog.PageAsync(work, seq, size)
                : await AuditLog.NewestPageAsync(work, before ?? long.MaxValue, size, Given(person), Given(action), Given(subject)),
            await AuditLog.NewestAsync(work)), cancellation);
        var reader = user.Actor(Roles.Operator);
        // Whoever follows the log would else find, and note, nothing but their own reading for ever.
        if (items.Any(entry => entry.Action != "audit.read" || entry.Person != reader.Person))
            await database.WriteAsync(work => AuditLog.AppendAsync(
                work, reader, "audit.read", "audit", new { first = items.Min(entry => entry.Seq), last = items.Max(entry => entry.Seq), count = items.Count }, clock.GetUtcNow()), cancellation);
        return Results.Ok(new { items, newest });

        static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    /// <summary><c>{entries, brokenAt}</c>: how many entries were read, and the first that does not fit, or null.</summary>
    private static async Task<IResult> VerifyAsync(ClaimsPrincipal user, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        var verdict = await database.ReadAsync(AuditLog.VerifyAsync, cancellation);
        await database.WriteAsync(work => AuditLog.AppendAsync(work, user.Actor(Roles.Operator), "audit.verify", "audit", verdict, clock.GetUtcNow()), cancellation);
        return Results.Ok(verdict);
    }

    /// <summary>
    /// All entries up to now as FHIR R4 AuditEvent resources: <c>?format=ndjson</c> (default) or <c>bundle</c> (a collection), <c>?after=SEQ</c> for what came since an earlier
    /// export, <c>?until=SEQ</c>. That it was exported stands in the log before the first byte leaves.
    /// </summary>
    private static async Task<IResult> ExportAsync(
        string? format, long? after, long? until, ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var bundle = format == "bundle";
        if (!bundle && format is not (null or "" or "ndjson"))
            return Results.UnprocessableEntity(new { outcome = "BAD_FORMAT", detail = "format is ndjson or bundle." });
        var from = Math.Max(0, after ?? 0);
        var last = await database.WriteAsync(async work =>
        {
            var end = Math.Min(until ?? long.MaxValue, await AuditLog.NewestAsync(work));
            await AuditLog.AppendAsync(work, user.Actor(Roles.Operator), "audit.export", "audit", new { format = bundle ? "bundle" : "ndjson", first = from + 1, last = end }, clock.GetUtcNow());
            return end;
        }, cancellation);
        var name = string.Create(CultureInfo.InvariantCulture, $"audit-{hospital.Msp}-{from + 1}-{last}.{(bundle ? "json" : "ndjson")}");
        return Results.Stream(
            stream => WriteAsync(stream, bundle, from, last, database, hospital, clock.GetUtcNow(), cancellation), bundle ? "application/fhir+json" : "application/fhir+ndjson", name);
    }

    private static async Task WriteAsync(
        Stream stream, bool bundle, long after, long last, Database database, HospitalOptions hospital, DateTimeOffset now, CancellationToken cancellation)
    {
        await using var text = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
        var (seq, any) = (after, false);
        if (bundle)
            await text.WriteAsync($"{{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"{now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}\"");
        while (seq < last)
        {
            var page = await database.ReadAsync(work => AuditLog.PageAsync(work, seq, MaxPage), cancellation);
            if (page.Count == 0)
                break;
            foreach (var entry in page.TakeWhile(entry => entry.Seq <= last))
            {
                var resource = AuditEvents.Of(entry, hospital).ToJsonString(JsonSerializerOptions.Web);
                if (bundle)
                    await text.WriteAsync($$"""{{(any ? "," : ",\"entry\":[")}}{"fullUrl":"urn:uuid:{{AuditEvents.Id(entry)}}","resource":{{resource}}}""");
                else
                    await text.WriteLineAsync(resource);
                any = true;
            }
            seq = page[^1].Seq;
            await text.FlushAsync(cancellation);
        }
        if (bundle)
            await text.WriteAsync(any ? "]}" : "}");
    }
}
