using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Bridge.Ledger;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using RpcStatus = Bridge.Ledger.Protocol.Rpc.Status;

namespace Bridge.Tests.Ledger;

/// <summary>Speaks gRPC on a real socket; each method answers as its test says.</summary>
internal sealed class FakeGateway : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, Func<FakeCall, Task>> handlers = new();
    private int connections;

    private FakeGateway(WebApplication app) => this.app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>How many connections were accepted.</summary>
    public int Connections => Volatile.Read(ref connections);

    public static async Task<FakeGateway> StartAsync(X509Certificate2? certificate = null, bool clientCertificate = false, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        FakeGateway? gateway = null;
        if (certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.MaxStreamsPerConnection = 10_000;
            kestrel.Listen(IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => connection =>
                {
                    Interlocked.Increment(ref gateway!.connections);
                    return next(connection);
                });
                if (certificate is not null)
                {
                    listen.UseHttps(certificate, https =>
                    {
                        https.ClientCertificateMode = clientCertificate ? ClientCertificateMode.RequireCertificate : ClientCertificateMode.NoCertificate;
                        https.AllowAnyClientCertificate();
                    });
                }
            });
        });
        var app = builder.Build();
        gateway = new FakeGateway(app);
        app.Run(gateway.ServeAsync);
        await app.StartAsync();
        gateway.Address = new Uri(app.Urls.Single());
        return gateway;
    }

    public void On(string method, Func<FakeCall, Task> handler) => handlers["/gateway.Gateway/" + method] = handler;

    public void OnDeliver(string method, Func<FakeCall, Task> handler) => handlers["/protos.Deliver/" + method] = handler;

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await app.StopAsync(atOnce.Token);
        await app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var frame = body.ToArray();
        if (frame.Length < 5 || frame[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1)) != frame.Length - 5)
        {
            context.Response.StatusCode = 400;
            return;
        }

        var call = new FakeCall(context, frame.AsMemory(5));
        context.Response.ContentType = "application/grpc";
        if (handlers.TryGetValue(context.Request.Path, out var handler))
            await handler(call);
        else
            call.FailAtOnce(GrpcStatusCode.Unimplemented, "unknown service or method");
    }
}

internal sealed class FakeCall(HttpContext context, ReadOnlyMemory<byte> request)
{
    public CancellationToken Aborted => context.RequestAborted;

    public HttpContext Context => context;

    public ReadOnlyMemory<byte> RequestBytes => request;

    public T Request<T>(MessageParser<T> parser)
        where T : IMessage<T> => parser.ParseFrom(request.Span);

    /// <summary>One message and status OK.</summary>
    public async Task AnswerAsync(IMessage message)
    {
        await SendAsync(message);
        End();
    }

    public async Task SendAsync(IMessage message)
    {
        var frame = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        message.WriteTo(frame.AsSpan(5));
        await context.Response.Body.WriteAsync(frame, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    public void End(GrpcStatusCode code = GrpcStatusCode.Ok, string? message = null)
    {
        context.Response.AppendTrailer("grpc-status", ((int)code).ToString());
        if (message is not null)
            context.Response.AppendTrailer("grpc-message", Uri.EscapeDataString(message));
    }

    /// <summary>Status in the headers, no body.</summary>
    public void FailAtOnce(GrpcStatusCode code, string message, params ErrorDetail[] details)
    {
        context.Response.Headers["grpc-status"] = ((int)code).ToString();
        context.Response.Headers["grpc-message"] = Uri.EscapeDataString(message);
        if (details.Length > 0)
            context.Response.Headers["grpc-status-details-bin"] = Details(code, message, details);
    }

    /// <summary>Headers first, then the status in trailers.</summary>
    public async Task FailInTrailersAsync(GrpcStatusCode code, string message, params ErrorDetail[] details)
    {
        await context.Response.StartAsync();
        await context.Response.Body.FlushAsync();
        End(code, message);
        if (details.Length > 0)
            context.Response.AppendTrailer("grpc-status-details-bin", Details(code, message, details));
    }

    public void Break(int code = 2) => context.Features.Get<IHttpResetFeature>()!.Reset(code);

    // padding left out, as gRPC implementations do
    private static string Details(GrpcStatusCode code, string message, ErrorDetail[] details)
    {
        var status = new RpcStatus { Code = (int)code, Message = message };
        foreach (var detail in details)
        {
            var packed = new Bridge.Ledger.Protocol.ErrorDetail { Address = detail.Address, MspId = detail.MspId, Message = detail.Message };
            status.Details.Add(Any.Pack(packed));
        }

        return Convert.ToBase64String(status.ToByteArray()).TrimEnd('=');
    }
}
