using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RpcStatus = Bridge.Ledger.Protocol.Rpc.Status;

namespace Bridge.DevLedger.Serving;

/// <summary>The codes of gRPC that the dev ledger answers with.</summary>
internal enum GrpcCode
{
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// <summary>A call that ends with something else than OK.</summary>
internal sealed class GrpcException(GrpcCode code, string message, IReadOnlyList<IMessage>? details = null) : Exception(message)
{
    public GrpcCode Code { get; } = code;

    public IReadOnlyList<IMessage> Details { get; } = details ?? [];
}

/// <summary>gRPC framing, status and deadlines over an HTTP/2 request.</summary>
internal static class GrpcServer
{
    /// <summary>As a peer's: grpc.MaxCallRecvMsgSize.</summary>
    public const int MaxMessage = 100 * 1024 * 1024;

    private const int Http2Cancel = 0x8;

    /// <summary>Runs one call and ends it with its status.</summary>
    public static async Task ServeAsync(HttpContext context, Func<CancellationToken, Task> call)
    {
        context.Response.ContentType = "application/grpc";
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        if (Timeout(context.Request.Headers["grpc-timeout"].ToString()) is { } limit)
            deadline.CancelAfter(limit);
        var ended = new GrpcException(GrpcCode.Ok, "");
        try
        {
            await call(deadline.Token);
        }
        catch (GrpcException e)
        {
            ended = e;
        }
        catch (InvalidProtocolBufferException)
        {
            ended = new GrpcException(GrpcCode.Internal, "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data");
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            // a peer's gRPC library does not answer at the deadline, it resets the stream
            if (!context.RequestAborted.IsCancellationRequested)
                context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(Http2Cancel);
            return;
        }
        catch (Exception e) when (e is not OutOfMemoryException && !context.RequestAborted.IsCancellationRequested)
        {
            ended = new GrpcException(GrpcCode.Unknown, e.Message);
        }

        Finish(context.Response, ended);
    }

    /// <summary>The next message of the request; null at its end.</summary>
    public static async Task<T?> ReadAsync<T>(HttpContext context, MessageParser<T> parser, CancellationToken ct)
        where T : class, IMessage<T>
    {
        var reader = context.Request.BodyReader;
        var header = await reader.ReadAtLeastAsync(5, ct);
        if (header.Buffer.Length < 5)
            return null;
        var prefix = new byte[5];
        System.Buffers.BuffersExtensions.CopyTo(header.Buffer.Slice(0, 5), prefix);
        reader.AdvanceTo(header.Buffer.GetPosition(5));
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (length > MaxMessage)
        {
            throw new GrpcException(
                GrpcCode.ResourceExhausted,
                $"grpc: received message larger than max ({length.ToString(CultureInfo.InvariantCulture)} vs. {MaxMessage.ToString(CultureInfo.InvariantCulture)})");
        }

        if (prefix[0] != 0)
            throw new GrpcException(GrpcCode.Unimplemented, "grpc: compressed messages are not supported");
        if (length == 0)
            return parser.ParseFrom(ByteString.Empty);
        var body = await reader.ReadAtLeastAsync((int)length, ct);
        if (body.Buffer.Length < length)
            throw new GrpcException(GrpcCode.Internal, "grpc: the request ended within a message");
        var message = parser.ParseFrom(body.Buffer.Slice(0, length));
        reader.AdvanceTo(body.Buffer.GetPosition(length));
        return message;
    }

    /// <summary>Sends one message and everything before it.</summary>
    public static async Task WriteAsync(HttpContext context, IMessage message, CancellationToken ct)
    {
        var size = message.CalculateSize();
        var writer = context.Response.BodyWriter;
        var prefix = writer.GetSpan(5);
        prefix[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(prefix[1..], (uint)size);
        writer.Advance(5);
        message.WriteTo(writer);
        await writer.FlushAsync(ct);
    }

    private static void Finish(HttpResponse response, GrpcException ended)
    {
        var fields = new List<(string Name, string Value)> { ("grpc-status", ((int)ended.Code).ToString(CultureInfo.InvariantCulture)) };
        if (ended.Message.Length > 0)
            fields.Add(("grpc-message", Escape(ended.Message)));
        if (ended.Details.Count > 0)
        {
            var status = new RpcStatus { Code = (int)ended.Code, Message = ended.Message };
            status.Details.AddRange(ended.Details.Select(detail => Google.Protobuf.WellKnownTypes.Any.Pack(detail)));
            fields.Add(("grpc-status-details-bin", Convert.ToBase64String(status.ToByteArray()).TrimEnd('=')));
        }

        // Nothing sent yet: the status goes in the headers, the only block of headers there will be.
        if (!response.HasStarted && ended.Code != GrpcCode.Ok)
        {
            foreach (var (name, value) in fields)
                response.Headers[name] = value;
            return;
        }

        foreach (var (name, value) in fields)
            response.AppendTrailer(name, value);
    }

    private static string Escape(string message)
    {
        var escaped = new StringBuilder();
        foreach (var octet in Encoding.UTF8.GetBytes(message))
        {
            if (octet is >= 0x20 and <= 0x7e and not (byte)'%')
                escaped.Append((char)octet);
            else
                escaped.Append('%').Append(octet.ToString("X2", CultureInfo.InvariantCulture));
        }

        return escaped.ToString();
    }

    private static TimeSpan? Timeout(string field)
    {
        if (field.Length < 2 || !long.TryParse(field[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var amount))
            return null;
        var seconds = field[^1] switch
        {
            'H' => amount * 3600.0,
            'M' => amount * 60.0,
            'S' => amount,
            'm' => amount / 1e3,
            'u' => amount / 1e6,
            'n' => amount / 1e9,
            _ => -1,
        };
        // Beyond what a timer can count there is no deadline.
        return seconds is >= 0 and < 4_000_000 ? TimeSpan.FromSeconds(seconds) : null;
    }
}
