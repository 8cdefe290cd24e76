using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>
/// A FHIR R4 server in memory, on a real socket, that behaves as badly as real ones do: <see cref="Quirks"/> are its habits, <see cref="Fail"/> its
/// bad moments. Searches (GET and POST), pages, reads, creates, updates, deletes, transactions, <c>/metadata</c>, SMART configuration and token.
/// </summary>
public sealed partial class QuirkServer : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Link> _links = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (DateTimeOffset At, byte[] Answer)> _cache = new(StringComparer.Ordinal);
    private readonly Lock _faultGate = new();
    private readonly List<(Fault Fault, int Left, string Path)> _faults = [];
    private WebApplication _app = null!;
    private int _expired;
    private int _uncommitted;

    private QuirkServer(Quirks quirks, TimeProvider time)
    {
        (Quirks, _time, Store) = (quirks, time, new FhirStore(time));
        Store.Changed += OnChanged;
    }

    /// <summary>Its switches; they may be thrown while it runs.</summary>
    public Quirks Quirks { get; }

    /// <summary>Its resources.</summary>
    public FhirStore Store { get; }

    /// <summary>The service base URL, with its closing slash.</summary>
    public Uri BaseUrl { get; private set; } = null!;

    /// <summary>Transactions whose rows are stamped and not yet visible.</summary>
    public int Uncommitted => Volatile.Read(ref _uncommitted);

    /// <summary>Every request so far, those answered by a fault included.</summary>
    public ConcurrentQueue<SeenRequest> Requests { get; } = new();

    /// <summary>Called with every request before it is answered.</summary>
    public event Action<SeenRequest>? Seen;

    /// <summary>Starts it on a free port of 127.0.0.1.</summary>
    /// <param name="quirks">Default: none.</param>
    /// <param name="time">Its clock: stamps, Date header, expiry. Default the machine's.</param>
    public static async Task<QuirkServer> StartAsync(Quirks? quirks = null, TimeProvider? time = null)
    {
        var server = new QuirkServer(quirks ?? new Quirks(), time ?? TimeProvider.System);
        (server._app, server.BaseUrl) = await Loopback.StartAsync(server.HandleAsync);
        return server;
    }

    /// <summary>The next requests whose path and query contain <paramref name="path"/> get this instead of an answer.</summary>
    /// <param name="fault">What they get.</param>
    /// <param name="times">How many; <see cref="int.MaxValue"/> = until <see cref="Heal"/>.</param>
    /// <param name="path">Default: any.</param>
    public void Fail(Fault fault, int times = 1, string path = "")
    {
        lock (_faultGate)
            _faults.Add((fault, times, path));
    }

    /// <summary>No more faults.</summary>
    public void Heal()
    {
        lock (_faultGate)
            _faults.Clear();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _knocker.Dispose();
        if (_fileStore is { } store)
            await store.App.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        var pathAndQuery = context.Request.Path + context.Request.QueryString;
        var request = new SeenRequest(context.Request.Method, pathAndQuery, context.Request.Headers.Authorization, body) { At = _time.GetUtcNow() };
        Requests.Enqueue(request);
        Seen?.Invoke(request);
        context.Response.Headers.Date = _time.GetUtcNow().ToString("r", CultureInfo.InvariantCulture);
        if (Quirks.Delay > TimeSpan.Zero)
            await Task.Delay(Quirks.Delay, _time, context.RequestAborted);
        if (NextFault(pathAndQuery) is { } fault)
        {
            await fault.AnswerAsync(context);
            return;
        }
        var parts = (context.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts is not ["fhir", ..])
            await OutcomeAsync(context, 404, "the service is at /fhir");
        else if (parts is ["fhir", "metadata"])
            await JsonAsync(context, 200, Capabilities().ToJsonString());
        else if (parts is ["fhir", ".well-known", "smart-configuration"])
            await JsonAsync(context, 200, SmartConfiguration().ToJsonString());
        else if (parts is ["fhir", "token"])
            await TokenAsync(context);
        else if (Quirks.Token is { } token && context.Request.Headers.Authorization != "Bearer " + token)
            await OutcomeAsync(context, 401, "a valid access token is required");
        else if (parts.Length > 1 && Quirks.OutOfScope.Contains(parts[1]))
            await OutcomeAsync(context, 403, "insufficient scope");
        else if (!await SubscriptionAsync(context, context.Request.Method, parts[1..], body) && !await ExportAsync(context, context.Request.Method, parts[1..]))
            await ResourcesAsync(context, context.Request.Method, parts[1..], body);
    }

    private Task ResourcesAsync(HttpContext context, string method, string[] parts, string body)
    {
        var query = context.Request.QueryString.Value ?? "";
        return (method, parts) switch
        {
            ("GET", [var type]) => SearchAsync(context, type, query),
            ("POST", [var type, "_search"]) => SearchAsync(context, type, query.Length > 1 ? query + "&" + body : "?" + body),
            ("GET", [var type, var id]) => ReadAsync(context, type, id),
            ("DELETE", [var type, var id]) => OutcomeAsync(context, Store.Delete(type, id) ? 200 : 404, "deleted"),
            ("PUT", [var type, var id]) => WriteAsync(context, type, id, body),
            ("POST", [var type]) => WriteAsync(context, type, Guid.NewGuid().ToString(), body),
            ("POST", []) => TransactionAsync(context, body),
            _ => OutcomeAsync(context, 405, "no such interaction"),
        };
    }

    private async Task ReadAsync(HttpContext context, string type, string id)
    {
        if (Store.Read(type, id) is not { } row)
            await OutcomeAsync(context, 404, "not known");
        else if (row.Deleted)
            await OutcomeAsync(context, Quirks.DeletedIsGone ? 410 : 404, "deleted");
        else
            await BytesAsync(context, 200, row.Json(Quirks.Stamp));
    }

    private async Task WriteAsync(HttpContext context, string type, string id, string body)
    {
        if (ParseObject(body) is not { } resource || (string?)resource["resourceType"] != type)
        {
            await OutcomeAsync(context, 400, "the body is no such resource");
            return;
        }
        resource["id"] = id;
        Store.Put(resource);
        await BytesAsync(context, 201, Store.Read(type, id)!.Json(Quirks.Stamp));
    }

    /// <summary>Creates and updates, stamped one after the other as they come and seen together when the transaction commits.</summary>
    private async Task TransactionAsync(HttpContext context, string body)
    {
        if (ParseObject(body) is not { } bundle || bundle["entry"] is not JsonArray entries)
        {
            await OutcomeAsync(context, 400, "the body is no transaction");
            return;
        }
        var commits = _time.GetUtcNow() + Quirks.CommitDelay;
        var answer = new JsonArray();
        foreach (var entry in entries)
        {
            if (entry?["resource"] is not JsonObject resource || (string?)resource["resourceType"] is not { } type)
                continue;
            var url = (string?)entry["request"]?["url"] ?? "";
            var id = url.Contains('/', StringComparison.Ordinal) ? url[(url.LastIndexOf('/') + 1)..] : Guid.NewGuid().ToString();
            resource["id"] = id;
            Store.Put(resource, _time.GetUtcNow(), commits);
            answer.Add(new JsonObject { ["response"] = new JsonObject { ["status"] = "201", ["location"] = $"{type}/{id}" } });
        }
        if (Quirks.CommitDelay > TimeSpan.Zero)
        {
            var commit = Task.Delay(Quirks.CommitDelay, _time, context.RequestAborted);
            Interlocked.Increment(ref _uncommitted);
            await commit;
            Interlocked.Decrement(ref _uncommitted);
        }
        await JsonAsync(context, 200, new JsonObject { ["resourceType"] = "Bundle", ["type"] = "transaction-response", ["entry"] = answer }.ToJsonString());
    }

    private Fault? NextFault(string path)
    {
        lock (_faultGate)
        {
            var at = _faults.FindIndex(f => path.Contains(f.Path, StringComparison.Ordinal));
            if (at < 0)
                return null;
            var (fault, left, of) = _faults[at];
            if (left == 1)
                _faults.RemoveAt(at);
            else if (left < int.MaxValue)
                _faults[at] = (fault, left - 1, of);
            return fault;
        }
    }

    private static JsonObject? ParseObject(string body)
    {
        try
        {
            return JsonNode.Parse(body) as JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }

    private Task OutcomeAsync(HttpContext context, int status, string diagnostics) => JsonAsync(context, status, new JsonObject
    {
        ["resourceType"] = "OperationOutcome",
        ["issue"] = new JsonArray(new JsonObject { ["severity"] = "error", ["code"] = "processing", ["diagnostics"] = diagnostics }),
    }.ToJsonString());

    private Task JsonAsync(HttpContext context, int status, string json) => BytesAsync(context, status, System.Text.Encoding.UTF8.GetBytes(json));

    private async Task BytesAsync(HttpContext context, int status, ReadOnlyMemory<byte> json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = Quirks.ContentType;
        context.Response.ContentLength = json.Length;
        try
        {
            await context.Response.Body.WriteAsync(json, context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            // the client hung up
        }
    }

    private sealed record Link(DateTimeOffset Issued, string Type, string Query, int Offset, IReadOnlyList<Row>? Rows);
}
