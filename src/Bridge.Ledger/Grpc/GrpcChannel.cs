using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;

namespace Bridge.Ledger.Grpc;

/// <summary>gRPC calls to one endpoint over one multiplexed HTTP/2 connection, which is made at the first call and again after it broke.</summary>
internal sealed class GrpcChannel : IDisposable
{
    private const int Http2Cancel = 0x8;
    private const int Http2EnhanceYourCalm = 0xb;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan ClocksApart = TimeSpan.FromMilliseconds(250);
    private static readonly MediaTypeHeaderValue ContentType = new("application/grpc");
    private readonly HttpMessageInvoker invoker;
    private readonly GatewayEndpoint endpoint;
    private readonly CallSlots slots;
    private readonly GrpcSettings settings;

    public GrpcChannel(GatewayEndpoint endpoint, GrpcSettings settings)
    {
        this.endpoint = endpoint;
        this.settings = settings;
        Name = endpoint.Address.Authority;
        slots = new CallSlots(settings.MaxConcurrentCalls);
        invoker = new HttpMessageInvoker(NewHandler(endpoint, settings));
    }

    /// <summary>host:port.</summary>
    public string Name { get; }

    /// <param name="method">What to call.</param>
    /// <param name="frame">The encoded request.</param>
    /// <param name="timeout">From the moment a slot is free; waiting for the slot is the caller's own back-pressure.</param>
    /// <param name="cancellationToken">Gives the call up.</param>
    /// <exception cref="GrpcFailure">Every end but status OK; a peer's refusal for overload only when the time was over.</exception>
    public async Task<T> UnaryAsync<T>(GrpcMethod<T> method, byte[] frame, TimeSpan timeout, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        await slots.WaitAsync(method.Rank, cancellationToken);
        LedgerTelemetry.InFlight.Add(1);
        var started = Stopwatch.GetTimestamp();
        var status = GrpcStatusCode.Ok;
        using var activity = LedgerTelemetry.Activities.StartActivity(method.Path, ActivityKind.Client);
        try
        {
            var given = settings.TimeProvider.GetTimestamp();
            using var deadline = new CancellationTokenSource(timeout, settings.TimeProvider);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
            try
            {
                return await PatientlyAsync(method, frame, timeout, linked.Token);
            }
            catch (Exception exception) when (exception is not GrpcFailure)
            {
                cancellationToken.ThrowIfCancellationRequested();
                // at the deadline a peer resets the stream, and may be first
                var isOver = deadline.IsCancellationRequested
                    || (ProtocolError(exception) is Http2Cancel && timeout - settings.TimeProvider.GetElapsedTime(given) < ClocksApart);
                throw isOver
                    ? new GrpcFailure(
                        GrpcStatusCode.DeadlineExceeded,
                        string.Create(CultureInfo.InvariantCulture, $"no answer within {timeout.TotalSeconds:0.###} s"),
                        [],
                        Name,
                        GrpcFailureOrigin.Deadline,
                        exception)
                    : Translate(exception);
            }
        }
        catch (GrpcFailure failure)
        {
            status = failure.Code;
            activity?.SetStatus(ActivityStatusCode.Error, status.ToString());
            throw;
        }
        catch (OperationCanceledException)
        {
            status = GrpcStatusCode.Cancelled;
            throw;
        }
        finally
        {
            slots.Release();
            LedgerTelemetry.InFlight.Add(-1);
            LedgerTelemetry.Duration.Record(
                Stopwatch.GetElapsedTime(started).TotalSeconds,
                new KeyValuePair<string, object?>("rpc.method", method.Path),
                new KeyValuePair<string, object?>("rpc.grpc.status_code", (int)status));
        }
    }

    /// <summary>One request, then the server's messages until it ends the stream or the caller stops.</summary>
    /// <exception cref="GrpcFailure">The stream ended with another status than OK, or broke.</exception>
    public async IAsyncEnumerable<T> StreamAsync<T>(
        GrpcMethod<T> method, byte[] frame, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        using var request = NewRequest(method.Path, frame, null);
        using var response = await TranslatedAsync(invoker.SendAsync(request, cancellationToken), cancellationToken);
        if (response.StatusCode == HttpStatusCode.OK && !GrpcStatus.IsTrailersOnly(response))
        {
            using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var reader = new GrpcFrameReader(body, settings.MaxMessageSize);
            while (await TranslatedAsync(reader.ReadAsync(method.Parser, cancellationToken).AsTask(), cancellationToken) is { } message)
                yield return message;
        }

        if (GrpcStatus.FromResponse(response, Name) is { } failure)
            throw failure;
    }

    public void Dispose() => invoker.Dispose();

    // A peer that is asked too much refuses before it looks at the call. It comes again, ever later, and keeps its slot meanwhile: so this client asks for less.
    private async Task<T> PatientlyAsync<T>(GrpcMethod<T> method, byte[] frame, TimeSpan timeout, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        var started = settings.TimeProvider.GetTimestamp();
        var left = timeout;
        for (var refused = 1; ; refused++)
        {
            GrpcFailure failure;
            try
            {
                return await CallAsync(method, frame, left, cancellationToken);
            }
            catch (GrpcFailure overloaded) when (overloaded.Origin == GrpcFailureOrigin.Server && Retry.IsOverload(overloaded.Code, overloaded.Message))
            {
                failure = overloaded;
            }

            var pause = FirstPause * Math.Pow(2, Math.Min(refused - 1, 5)) * (0.5 + Random.Shared.NextDouble() / 2);
            left = timeout - settings.TimeProvider.GetElapsedTime(started) - pause;
            if (left <= TimeSpan.Zero)
                throw failure;
            await Task.Delay(pause, settings.TimeProvider, cancellationToken);
        }
    }

    private async Task<T> CallAsync<T>(GrpcMethod<T> method, byte[] frame, TimeSpan timeout, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        using var request = NewRequest(method.Path, frame, timeout);
        using var response = await invoker.SendAsync(request, cancellationToken);
        T? answer = null;
        if (response.StatusCode == HttpStatusCode.OK && !GrpcStatus.IsTrailersOnly(response))
        {
            using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            using var reader = new GrpcFrameReader(body, settings.MaxMessageSize);
            answer = await reader.ReadAsync(method.Parser, cancellationToken);
            // the trailers are there only once the body is read to its end
            if (answer is not null && await reader.ReadAsync(method.Parser, cancellationToken) is not null)
                throw new InvalidDataException("two messages came where one was asked for");
        }

        if (GrpcStatus.FromResponse(response, Name) is { } failure)
            throw failure;
        return answer ?? throw new InvalidDataException("status OK came without a message");
    }

    private HttpRequestMessage NewRequest(string path, byte[] frame, TimeSpan? timeout)
    {
        var content = new ByteArrayContent(frame);
        content.Headers.ContentType = ContentType;
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(endpoint.Address, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation("user-agent", "bridge-ledger/1");
        if (timeout is { } limit)
        {
            var milliseconds = Math.Clamp((long)limit.TotalMilliseconds, 1, 99_999_999);
            request.Headers.TryAddWithoutValidation("grpc-timeout", string.Create(CultureInfo.InvariantCulture, $"{milliseconds}m"));
        }

        if (endpoint.ServerName is { } name)
            request.Headers.Host = $"{name}:{endpoint.Address.Port}";
        return request;
    }

    private async Task<T> TranslatedAsync<T>(Task<T> task, CancellationToken cancellationToken)
    {
        try
        {
            return await task;
        }
        catch (Exception exception) when (exception is not GrpcFailure)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Translate(exception);
        }
    }

    private GrpcFailure Translate(Exception exception)
    {
        var code = exception switch
        {
            InvalidDataException or InvalidProtocolBufferException => GrpcStatusCode.Internal,
            _ when ProtocolError(exception) is Http2Cancel => GrpcStatusCode.Cancelled,
            _ when ProtocolError(exception) is Http2EnhanceYourCalm => GrpcStatusCode.ResourceExhausted,
            _ => GrpcStatusCode.Unavailable,
        };
        // the cause of a TLS fault stands only in the innermost exception
        var innermost = exception.GetBaseException();
        var text = ReferenceEquals(innermost, exception) ? exception.Message : $"{exception.Message} ({innermost.Message})";
        return new GrpcFailure(code, text, [], Name, GrpcFailureOrigin.Connection, exception);
    }

    private static long? ProtocolError(Exception exception)
    {
        for (var current = exception; current is not null; current = current.InnerException)
        {
            if (current is HttpProtocolException protocol)
                return protocol.ErrorCode;
        }

        return null;
    }

    private static SocketsHttpHandler NewHandler(GatewayEndpoint endpoint, GrpcSettings settings)
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = false,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            ConnectTimeout = settings.ConnectTimeout,
            // peers close a connection that pings more often than once a minute
            KeepAlivePingDelay = TimeSpan.FromSeconds(75),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
        };
        if (endpoint.Address.Scheme != Uri.UriSchemeHttps)
            return handler;
        var tls = new SslClientAuthenticationOptions();
        if (endpoint.TlsRoots is { } roots)
        {
            // private authorities publish no revocation lists that a peer's clients could ask
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(roots);
            tls.CertificateChainPolicy = policy;
        }

        if (endpoint.ClientCertificate is { } certificate)
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);
        handler.SslOptions = tls;
        return handler;
    }
}

internal sealed record GrpcSettings
{
    public int MaxConcurrentCalls { get; init; } = 400;

    public int MaxMessageSize { get; init; } = 100 * 1024 * 1024;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
