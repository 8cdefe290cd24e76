using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Bridge.Tests.Fhir;

/// <summary>A FHIR server on a real socket whose answers a test writes.</summary>
internal sealed class QuirkServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private QuirkServer(WebApplication app) => _app = app;

    public Func<HttpContext, Task> Handle { get; set; } = context => Text(context, 500, "no handler");

    public ConcurrentQueue<(string Method, string PathAndQuery, string? Authorization, string Body)> Requests { get; } = new();

    public Uri BaseUrl { get; private set; } = null!;

    public static async Task<QuirkServer> StartAsync(Func<HttpContext, Task>? handle = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var server = new QuirkServer(app);
        app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            server.Requests.Enqueue((context.Request.Method, context.Request.Path + context.Request.QueryString, context.Request.Headers.Authorization, body));
            context.Items["body"] = body;
            await server.Handle(context);
        });
        await app.StartAsync();
        server.BaseUrl = new Uri(app.Urls.Single() + "/fhir/");
        if (handle is not null)
            server.Handle = handle;
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
