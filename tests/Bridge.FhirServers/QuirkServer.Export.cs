using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>
/// Bulk export as Oracle Health does it: one job for the client at a time, the others throttled; files behind a 307 to a file store on another origin, which
/// refuses whoever brings a token along.
/// </summary>
public sealed partial class QuirkServer
{
    private const int LinesAFile = 40;

    private readonly ConcurrentDictionary<string, Export> _exports = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private (WebApplication App, Uri BaseUrl)? _fileStore;
    private int _cutFiles;

    /// <summary>Requests that reached the file store.</summary>
    public ConcurrentQueue<SeenRequest> FileRequests { get; } = new();

    /// <summary>Jobs that were begun.</summary>
    public int ExportsBegun => _exports.Count;

    /// <summary>Jobs that the client said it no longer wants.</summary>
    public int ExportsEnded => _exports.Values.Count(export => export.Ended);

    /// <summary>Jobs that are not ended, but for one: nobody knows of them any more.</summary>
    public IReadOnlyList<Uri> Orphans(Uri? known) =>
        [.. _exports.Where(export => !export.Value.Ended).Select(export => new Uri($"{BaseUrl}export-status/{export.Key}")).Where(job => job != known)];

    /// <summary>Every file so far is gone, as after the server's own time for them.</summary>
    public void ForgetFiles() => _files.Clear();

    private async Task<bool> ExportAsync(HttpContext context, string method, string[] parts)
    {
        if (!Quirks.Exports)
            return false;
        switch (method, parts)
        {
            case ("GET", ["$export"] or ["Patient", "$export"] or ["Group", _, "$export"]):
                await BeginExportAsync(context, parts);
                return true;
            case ("GET", ["export-status", var id]) when _exports.TryGetValue(id, out var export) && !export.Ended:
                await ShowExportAsync(context, export);
                return true;
            case ("DELETE", ["export-status", var id]) when _exports.TryGetValue(id, out var export):
                export.Ended = true;
                context.Response.StatusCode = 202;
                return true;
            case ("GET", ["export-file", var name]):
                context.Response.StatusCode = 307;
                context.Response.Headers.Location = new Uri((await FileStoreAsync()).BaseUrl, "/files/" + name).AbsoluteUri;
                return true;
            case (_, ["export-status", _]):
                await OutcomeAsync(context, 404, "no such job");
                return true;
            default:
                return false;
        }
    }

    private async Task BeginExportAsync(HttpContext context, string[] parts)
    {
        if (context.Request.Headers["Prefer"] != "respond-async" || (parts[0] == "Group" && parts[1] != Quirks.ExportGroup))
        {
            await OutcomeAsync(context, 400, "Prefer: respond-async and a known group are required");
            return;
        }
        if (_exports.Values.Any(export => !export.Ended && !export.Done))
        {
            context.Response.Headers.RetryAfter = "600";
            await OutcomeAsync(context, 429, "throttled");
            return;
        }
        var query = Searching.Parse(context.Request.QueryString.Value ?? "");
        var since = query.FirstOrDefault(p => p.Key == "_since").Value is { } text ? DateTimeOffset.Parse(text, CultureInfo.InvariantCulture) : (DateTimeOffset?)null;
        var id = Guid.NewGuid().ToString("N");
        _exports[id] = new Export(since, _time.GetUtcNow()) { Looks = Quirks.ExportLooks };
        context.Response.Headers.ContentLocation = $"{BaseUrl}export-status/{id}";
        context.Response.StatusCode = 202;
    }

    private async Task ShowExportAsync(HttpContext context, Export export)
    {
        if (Quirks.ExportFails)
        {
            export.Ended = true;
            await OutcomeAsync(context, 500, "the export failed");
            return;
        }
        if (export.Looks-- > 0)
        {
            context.Response.Headers.RetryAfter = "120";
            context.Response.Headers["X-Progress"] = "in progress";
            context.Response.StatusCode = 202;
            return;
        }
        export.Done = true;
        var rows = Store.Find("Encounter", []).Where(row => (export.Since is not { } since || row.Stamped >= since) && row.Stamped <= export.At).ToList();
        var deleted = export.Since is { } from ? Store.DeletedSince("Encounter", from) : [];
        var output = new JsonArray([.. rows.Chunk(LinesAFile).Select(chunk => (JsonNode)FileOf("Encounter", chunk.Select(row => row.Json(Quirks.Stamp))))]);
        // A file of a type that nobody asked for, as some servers send one.
        output.Add(FileOf("Organization", [Encoding.UTF8.GetBytes("""{"resourceType":"Organization","id":"o"}""")]));
        var manifest = new JsonObject
        {
            ["transactionTime"] = export.At.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
            ["request"] = BaseUrl + "$export",
            ["requiresAccessToken"] = true,
            ["output"] = output,
            ["error"] = new JsonArray(),
        };
        if (deleted.Count > 0)
            manifest["deleted"] = new JsonArray(FileOf("Bundle", deleted.Select(id => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(
                $$$"""{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Encounter/{{{id}}}"}}]}"""))));
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(manifest.ToJsonString());
    }

    private JsonObject FileOf(string type, IEnumerable<ReadOnlyMemory<byte>> lines)
    {
        using var body = new MemoryStream();
        foreach (var line in lines)
        {
            body.Write(line.Span);
            body.Write("\n"u8);
        }
        var name = Guid.NewGuid().ToString("N");
        _files[name] = body.ToArray();
        return new JsonObject { ["type"] = type, ["url"] = $"{BaseUrl}export-file/{name}" };
    }

    private async Task<(WebApplication App, Uri BaseUrl)> FileStoreAsync() => _fileStore ??= await Loopback.StartAsync(async context =>
    {
        FileRequests.Enqueue(new(context.Request.Method, context.Request.Path, context.Request.Headers.Authorization, ""));
        if (context.Request.Headers.Authorization.Count > 0)
        {
            // as signed addresses of object stores do
            context.Response.StatusCode = 400;
            return;
        }
        if (!_files.TryGetValue(context.Request.Path.Value!.Split('/')[^1], out var file))
        {
            context.Response.StatusCode = (int)HttpStatusCode.Forbidden;
            return;
        }
        context.Response.ContentType = "application/fhir+ndjson";
        if (file.Length > 200 && Interlocked.Increment(ref _cutFiles) <= Quirks.FilesToCut)
        {
            context.Response.ContentLength = file.Length;
            await context.Response.Body.WriteAsync(file.AsMemory(0, file.Length / 2));
            await context.Response.Body.FlushAsync();
            context.Abort();
            return;
        }
        await context.Response.Body.WriteAsync(file);
    });

    private sealed class Export(DateTimeOffset? since, DateTimeOffset at)
    {
        public DateTimeOffset? Since { get; } = since;
        public DateTimeOffset At { get; } = at;
        public int Looks { get; set; }
        public bool Done { get; set; }
        public bool Ended { get; set; }
    }
}
