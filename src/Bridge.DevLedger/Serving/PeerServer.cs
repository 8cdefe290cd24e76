using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Bridge.DevLedger.Serving;

/// <summary>Routes the calls that reach one organisation's port.</summary>
internal sealed class PeerServer(GatewayService gateway, DeliverService deliver, int gatewayLimit)
{
    private const string GatewayName = "/gateway.Gateway";
    private const string DeliverName = "/protos.Deliver";

    // A peer's limits.concurrency.deliverService.
    private const int DeliverLimit = 2500;

    private readonly CallLimit gatewayCalls = new(GatewayName, gatewayLimit);
    private readonly CallLimit deliverCalls = new(DeliverName, DeliverLimit);

    public static void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.Http2.MaxStreamsPerConnection = int.MaxValue;
        kestrel.Limits.Http2.InitialConnectionWindowSize = 16 << 20;
        kestrel.Limits.Http2.InitialStreamWindowSize = 4 << 20;
    }

    public Task ServeAsync(HttpContext context) => GrpcServer.ServeAsync(context, ct => RouteAsync(context, ct));

    private Task RouteAsync(HttpContext context, CancellationToken ct) => context.Request.Path.Value switch
    {
        GatewayName + "/Evaluate" => UnaryAsync(context, EvaluateRequest.Parser, gateway.EvaluateAsync, ct),
        GatewayName + "/Endorse" => UnaryAsync(context, EndorseRequest.Parser, gateway.EndorseAsync, ct),
        GatewayName + "/Submit" => UnaryAsync(context, SubmitRequest.Parser, (request, _) => gateway.SubmitAsync(request), ct),
        GatewayName + "/CommitStatus" => UnaryAsync(context, SignedCommitStatusRequest.Parser, gateway.CommitStatusAsync, ct),
        GatewayName + "/ChaincodeEvents" => EventsAsync(context, ct),
        DeliverName + "/Deliver" => DeliverAsync(context, DeliverForm.Block, ct),
        DeliverName + "/DeliverFiltered" => DeliverAsync(context, DeliverForm.Filtered, ct),
        DeliverName + "/DeliverWithPrivateData" => DeliverAsync(context, DeliverForm.WithPrivateData, ct),
        var path => throw Unknown(path ?? ""),
    };

    private async Task UnaryAsync<TRequest, TResponse>(
        HttpContext context, MessageParser<TRequest> parser, Func<TRequest, CancellationToken, Task<TResponse>> call, CancellationToken ct)
        where TRequest : class, IMessage<TRequest>
        where TResponse : IMessage
    {
        using var place = gatewayCalls.Enter();
        var request = await GrpcServer.ReadAsync(context, parser, ct)
            ?? throw new GrpcException(GrpcCode.Internal, "grpc: a unary call without a message");
        await GrpcServer.WriteAsync(context, await call(request, ct), ct);
    }

    private async Task EventsAsync(HttpContext context, CancellationToken ct)
    {
        using var place = gatewayCalls.Enter();
        var request = await GrpcServer.ReadAsync(context, SignedChaincodeEventsRequest.Parser, ct)
            ?? throw new GrpcException(GrpcCode.Internal, "grpc: a call without a message");
        await gateway.ChaincodeEventsAsync(
            request,
            async response => await GrpcServer.WriteAsync(context, response, ct),
            ct);
    }

    private async Task DeliverAsync(HttpContext context, DeliverForm form, CancellationToken ct)
    {
        using var place = deliverCalls.Enter();
        await context.Response.StartAsync(ct);
        await context.Response.BodyWriter.FlushAsync(ct);
        while (await GrpcServer.ReadAsync(context, Envelope.Parser, ct) is { } envelope)
        {
            var status = await deliver.DeliverAsync(envelope, form, response => GrpcServer.WriteAsync(context, response, ct), ct);
            await GrpcServer.WriteAsync(context, new DeliverResponse { Status = status }, ct);
            if (status != Status.Success)
                return;
        }
    }

    private static GrpcException Unknown(string path)
    {
        var slash = path.LastIndexOf('/');
        var service = slash > 0 ? path[1..slash] : path;
        return service is "gateway.Gateway" or "protos.Deliver"
            ? new GrpcException(GrpcCode.Unimplemented, $"unknown method {path[(slash + 1)..]} for service {service}")
            : new GrpcException(GrpcCode.Unimplemented, $"unknown service {service}");
    }

    /// <summary>Calls at once; those that only wait count too.</summary>
    private sealed class CallLimit(string service, int limit)
    {
        private int inside;

        public Place Enter()
        {
            if (Interlocked.Increment(ref inside) <= limit)
                return new Place(this);
            Interlocked.Decrement(ref inside);
            throw new GrpcException(GrpcCode.Unknown, $"too many requests for {service}, exceeding concurrency limit ({limit})");
        }

        public readonly struct Place(CallLimit of) : IDisposable
        {
            public void Dispose() => Interlocked.Decrement(ref of.inside);
        }
    }
}
