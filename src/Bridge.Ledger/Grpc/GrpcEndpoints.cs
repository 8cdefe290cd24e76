using System.Runtime.CompilerServices;
using Google.Protobuf;

namespace Bridge.Ledger.Grpc;

/// <summary>
/// Several gateways of one organisation. Calls go to the one that answered last; where no connection can be made or it breaks, the same
/// bytes go to the next. That is safe for all calls: endorsing changes nothing, an envelope counts once however often it is submitted, the
/// others only read.
/// </summary>
internal sealed class GrpcEndpoints : IDisposable
{
    private readonly GrpcChannel[] channels;
    private readonly TimeProvider time;
    private int preferred;

    public GrpcEndpoints(IReadOnlyList<GatewayEndpoint> endpoints, GrpcSettings settings)
    {
        channels = [.. endpoints.Select(endpoint => new GrpcChannel(endpoint, settings))];
        time = settings.TimeProvider;
    }

    public async Task<T> UnaryAsync<T>(GrpcMethod<T> method, IMessage request, TimeSpan timeout, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        var frame = GrpcFrame.Encode(request);
        var first = Volatile.Read(ref preferred);
        var started = time.GetTimestamp();
        var remaining = timeout;
        for (var attempt = 0; ; attempt++)
        {
            var index = (first + attempt) % channels.Length;
            try
            {
                var answer = await channels[index].UnaryAsync(method, frame, remaining, cancellationToken);
                if (attempt > 0)
                    Interlocked.CompareExchange(ref preferred, index, first);
                return answer;
            }
            catch (GrpcFailure failure) when (failure.Origin == GrpcFailureOrigin.Connection && attempt + 1 < channels.Length)
            {
                remaining = timeout - time.GetElapsedTime(started);
                if (remaining <= TimeSpan.Zero)
                    throw;
            }
            catch (GrpcFailure failure) when (failure.Origin == GrpcFailureOrigin.Deadline && !method.AwaitsBlock)
            {
                // a gateway that hangs is not asked first again
                Interlocked.CompareExchange(ref preferred, (index + 1) % channels.Length, index);
                throw;
            }
        }
    }

    public async IAsyncEnumerable<T> StreamAsync<T>(
        GrpcMethod<T> method, IMessage request, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        var frame = GrpcFrame.Encode(request);
        var first = Volatile.Read(ref preferred);
        for (var attempt = 0; ; attempt++)
        {
            var index = (first + attempt) % channels.Length;
            var begun = false;
            await using var messages = channels[index].StreamAsync(method, frame, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    if (!await messages.MoveNextAsync())
                        yield break;
                }
                catch (GrpcFailure failure) when (failure.Origin == GrpcFailureOrigin.Connection)
                {
                    // a stream that has begun is resumed by who knows its position
                    Interlocked.CompareExchange(ref preferred, (index + 1) % channels.Length, first);
                    if (begun || attempt + 1 >= channels.Length)
                        throw;
                    break;
                }

                begun = true;
                yield return messages.Current;
            }
        }
    }

    public void Dispose()
    {
        foreach (var channel in channels)
            channel.Dispose();
    }
}
