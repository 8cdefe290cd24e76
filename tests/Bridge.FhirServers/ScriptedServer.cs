using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Bridge.FhirServers;

/// <summary>A request as a server saw it.</summary>
public sealed record SeenRequest(string Method, string PathAndQuery, string? Authorization, string Body)
{
    /// <summary>When it came, by the server's clock.</summary>
    public DateTimeOffset At { get; init; }
}

/// <summary>A server on a real socket whose every answer a test writes. For FHIR with faults see <see cref="QuirkServer"/>.</summary>
public sealed class ScriptedServer : IAsyncDisposable
{
    private WebApplication _app = null!;

    private ScriptedServer()
    {
    }

    public Func<HttpContext, Task> Handle { get; set; } = context => Text(context, 500, "no handler");

    public ConcurrentQueue<SeenRequest> Requests { get; } = new();

    public Uri BaseUrl { get; private set; } = null!;

    public static async Task<ScriptedServer> StartAsync(Func<HttpContext, Task>? handle = null)
    {
        var server = new ScriptedServer();
        if (handle is not null)
            server.Handle = handle;
        (server._app, server.BaseUrl) = await Loopback.StartAsync(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            server.Requests.Enqueue(new(context.Request.Method, context.Request.Path + context.Request.QueryString, context.Request.Headers.Authorization, body));
            context.Items["body"] = body;
            await server.Handle(context);
        });
        return server;
    }

    public static async Task Text(HttpContext context, int status, string text, string type = "text/plain")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        await context.Response.WriteAsync(text);
    }

    public static Task Json(HttpContext context, string json, int status = 200) => Text(context, status, json, "application/fhir+json");

    /// <summary>A search answer.</summary>
    public static string Bundle(IEnumerable<string> resources, string? next = null) =>
        """{"resourceType":"Bundle","type":"searchset","link":[""" + (next is null ? "" : """{"relation":"next","url":""" + "\"" + next + "\"}") + """],"entry":["""
        + string.Join(',', resources.Select(r => """{"resource":""" + r + ""","search":{"mode":"match"}}""")) + "]}";

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
