using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>
/// A FHIR server for volume: its resources never change, so each answer is rendered once and then only sent. It answers exactly the searches of a
/// watcher, and truly: encounters by change and by patient in pages, children by encounters, anything by ids. Whatever else is asked is 400.
/// </summary>
public sealed class ReplayServer : IAsyncDisposable
{
    private static readonly byte[] BundleHead = [.. """{"resourceType":"Bundle","type":"searchset","""u8];

    private readonly Dictionary<(string Type, string Key, string Value), List<SampleResource>> _index = [];
    private readonly List<SampleResource> _encounters = [];
    private readonly List<DateTimeOffset> _stamps = [];
    private readonly ConcurrentDictionary<string, byte[]> _answers = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _log = new();
    private WebApplication _app = null!;

    private ReplayServer(IEnumerable<SampleResource> resources)
    {
        foreach (var resource in resources)
        {
            Add(resource, "_id", resource.Id);
            if (resource.Patient is { } patient)
                Add(resource, "patient", patient);
            if (resource.Encounter is { } encounter)
                Add(resource, "encounter", encounter);
            if (resource.Type != "Encounter")
                continue;
            _stamps.Add(SyntheaSample.FirstStamp.AddMilliseconds(10 * _encounters.Count));
            _encounters.Add(resource);
        }
    }

    /// <summary>The service base URL, with its closing slash.</summary>
    public Uri BaseUrl { get; private set; } = null!;

    /// <summary>How many encounters it serves.</summary>
    public int Encounters => _encounters.Count;

    /// <summary>Whether requests are remembered for <c>/log</c>. Default false.</summary>
    public bool KeepsLog { get; set; }

    /// <summary>Starts it with these resources, in the order of their change.</summary>
    /// <param name="resources">Encounters in the order and with the stamps of <see cref="SyntheaSample"/>.</param>
    /// <param name="port">0 = any free one.</param>
    public static async Task<ReplayServer> StartAsync(IEnumerable<SampleResource> resources, int port = 0)
    {
        var server = new ReplayServer(resources);
        (server._app, server.BaseUrl) = await Loopback.StartAsync(server.HandleAsync, port);
        return server;
    }

    /// <summary>Renders all pages of encounters of this size beforehand.</summary>
    public void RenderPages(int count)
    {
        for (var from = 0; from < _encounters.Count; from += count)
            Answer("Encounter", PageQuery(from, count));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (path == "/log")
        {
            await TakeLogAsync(context);
            return;
        }
        var type = path.StartsWith("/fhir/", StringComparison.Ordinal) ? path[6..] : "";
        var query = context.Request.QueryString.Value ?? "";
        if (HttpMethods.IsPost(context.Request.Method) && type.EndsWith("/_search", StringComparison.Ordinal))
        {
            type = type[..^8];
            using var reader = new StreamReader(context.Request.Body);
            query = "?" + await reader.ReadToEndAsync();
        }
        if (KeepsLog)
            _log.Enqueue(type + query);
        var answer = Answer(type, query);
        context.Response.StatusCode = answer is null ? 400 : 200;
        context.Response.ContentType = "application/fhir+json";
        context.Response.ContentLength = answer?.Length ?? 0;
        if (answer is not null)
            await context.Response.BodyWriter.WriteAsync(answer);
    }

    /// <summary>The requests since the last look, one a line, POSTed searches in the form of a GET.</summary>
    private async Task TakeLogAsync(HttpContext context)
    {
        KeepsLog = !context.Request.Query.ContainsKey("stop");
        var lines = new StringBuilder();
        while (_log.TryDequeue(out var line))
            lines.Append(line).Append('\n');
        await context.Response.WriteAsync(lines.ToString());
    }

    private byte[]? Answer(string type, string query)
    {
        var key = type + query;
        if (_answers.TryGetValue(key, out var known))
            return known;
        var answer = Render(type, Searching.Parse(query));
        return answer is null ? null : _answers.GetOrAdd(key, answer);
    }

    private byte[]? Render(string type, List<KeyValuePair<string, string>> parameters)
    {
        var count = 50;
        var from = 0;
        IReadOnlyList<SampleResource>? found = null;
        foreach (var (name, value) in parameters)
        {
            switch (name)
            {
                case "_count":
                    count = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                case "_from":
                    from = int.Parse(value, CultureInfo.InvariantCulture);
                    break;
                case "_sort" when value == "_lastUpdated":
                    break;
                case "_lastUpdated" when type == "Encounter" && value.StartsWith("ge", StringComparison.Ordinal):
                    var since = DateTimeOffset.Parse(value[2..], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
                    from = _stamps.BinarySearch(since);
                    from = from < 0 ? ~from : from;
                    break;
                case "_id" or "patient" or "encounter":
                    found = [.. value.Split(',').Distinct(StringComparer.Ordinal)
                        .SelectMany(v => _index.TryGetValue((type, name, v[(v.LastIndexOf('/') + 1)..]), out var some) ? some : [])];
                    break;
                default:
                    return null;
            }
        }
        if (found is null && type != "Encounter")
            return null;
        return found is not null
            ? Bundle([.. found.Take(count)], found.Count > count ? throw new InvalidOperationException("more matches than a page: ask for larger pages") : null)
            : Bundle(_encounters.GetRange(Math.Min(from, _encounters.Count), Math.Clamp(_encounters.Count - from, 0, count)),
                from + count < _encounters.Count ? BaseUrl + "Encounter" + PageQuery(from + count, count) : null);
    }

    private static string PageQuery(int from, int count) => string.Create(CultureInfo.InvariantCulture, $"?_from={from}&_count={count}");

    private byte[] Bundle(List<SampleResource> resources, string? next)
    {
        using var body = new MemoryStream();
        body.Write(BundleHead);
        void Text(string text) => body.Write(Encoding.UTF8.GetBytes(text));
        Text("\"link\":[" + (next is null ? "" : $$"""{"relation":"next","url":"{{next}}"}""") + "],\"entry\":[");
        for (var i = 0; i < resources.Count; i++)
        {
            Text((i == 0 ? "" : ",") + $"{{\"fullUrl\":\"{BaseUrl}{resources[i].Type}/{resources[i].Id}\",\"resource\":");
            body.Write(resources[i].Json);
            Text(",\"search\":{\"mode\":\"match\"}}");
        }
        Text("]}");
        return body.ToArray();
    }

    private void Add(SampleResource resource, string key, string value)
    {
        if (!_index.TryGetValue((resource.Type, key, value), out var list))
            _index.Add((resource.Type, key, value), list = []);
        list.Add(resource);
    }
}
