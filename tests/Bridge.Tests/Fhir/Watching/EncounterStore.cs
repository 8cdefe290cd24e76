using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Bridge.Tests.Fhir.Watching;

/// <summary>
/// Encounters behind a quirk server, on the test's own clock. A row has the moment that it is stamped with and the moment from which it
/// can be seen: a transaction that takes time has them apart.
/// </summary>
internal sealed class EncounterStore(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly List<Row> _rows = [];
    private readonly ConcurrentDictionary<string, (DateTimeOffset Issued, string Query, int Offset)> _links = new();
    private int _expired;

    public int PageSize { get; set; } = 50;

    /// <summary>The server lists rows as they came and does not say so.</summary>
    public bool IgnoresSort { get; set; }

    /// <summary>So many page links give 410 before one works again.</summary>
    public int LinksToExpire { get; set; }

    /// <summary>Put in front of a page's resources, as they are.</summary>
    public List<string> Poison { get; } = [];

    public void Put(string id, string version, DateTimeOffset stamped, DateTimeOffset visible, string status = "finished", string patient = "p1")
    {
        lock (_gate)
            _rows.Add(new Row(id, version, stamped, visible, status, patient));
    }

    public void Put(string id, string version = "1", string status = "finished", string patient = "p1")
    {
        var now = time.GetUtcNow();
        Put(id, version, now, now, status, patient);
    }

    public async Task HandleAsync(HttpContext context, Uri baseUrl)
    {
        context.Response.Headers.Date = time.GetUtcNow().ToString("r", CultureInfo.InvariantCulture);
        var query = context.Request.QueryString.Value ?? "";
        var offset = 0;
        if (context.Request.Query["page"] is [{ } token])
        {
            if (_expired < LinksToExpire)
            {
                _expired++;
                await QuirkServer.Text(context, 410, "Search ID does not exist");
                return;
            }
            (_, query, offset) = _links[token];
        }
        var parameters = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(query);
        List<Row> rows;
        lock (_gate)
        {
            var now = time.GetUtcNow();
            // the newest visible version of each
            rows = [.. _rows.Where(r => r.Visible <= now).GroupBy(r => r.Id).Select(g => g.Last())];
        }
        foreach (var moment in parameters.TryGetValue("_lastUpdated", out var moments) ? moments : default)
        {
            var at = DateTimeOffset.Parse(moment![2..], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
            rows = [.. rows.Where(r => moment.StartsWith("ge", StringComparison.Ordinal) ? r.Stamped >= at : r.Stamped > at)];
        }
        if (parameters.TryGetValue("patient", out var patient))
            rows = [.. rows.Where(r => r.Patient == patient)];
        if (!IgnoresSort && parameters.ContainsKey("_sort"))
            rows = [.. rows.OrderBy(r => r.Stamped)];
        string? next = null;
        if (rows.Count > offset + PageSize)
        {
            var link = Guid.NewGuid().ToString("N");
            _links[link] = (time.GetUtcNow(), query, offset + PageSize);
            next = $"{baseUrl}Encounter?page={link}";
        }
        await QuirkServer.Json(context, QuirkServer.Bundle(Poison.Concat(rows.Skip(offset).Take(PageSize).Select(Json)), next));
    }

    private static string Json(Row row)
    {
        var stamp = row.Stamped.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        return new StringBuilder("""{"resourceType":"Encounter","id":""").Append('"').Append(row.Id).Append("\",\"meta\":{\"versionId\":\"").Append(row.Version)
            .Append("\",\"lastUpdated\":\"").Append(stamp).Append("\"},\"status\":\"").Append(row.Status).Append("\",\"class\":{\"code\":\"AMB\"},\"subject\":{\"reference\":\"Patient/")
            .Append(row.Patient).Append("\"}}").ToString();
    }

    private sealed record Row(string Id, string Version, DateTimeOffset Stamped, DateTimeOffset Visible, string Status, string Patient);
}
