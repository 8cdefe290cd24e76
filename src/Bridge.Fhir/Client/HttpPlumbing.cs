using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Bridge.Fhir.Client;

/// <summary>An answer's body, as far as it was kept.</summary>
internal readonly record struct HttpBody(ReadOnlyMemory<byte> Bytes, bool Truncated, DateTimeOffset? ServerTime, Uri? Location = null);

internal static class HttpPlumbing
{
    public static HttpClient Create() => new(new SocketsHttpHandler
    {
        // redirects are followed by hand: the Authorization header must not go along to another host
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.All,
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>A fault of the way there. A peer that goes away in the moment of connecting shows as a bare socket fault, which HttpClient does not wrap.</summary>
    public static bool IsNetwork(Exception e) => e is HttpRequestException or IOException or SocketException or OperationCanceledException;

    /// <summary>Reads at most <paramref name="max"/> bytes; what is beyond is not read and the body is marked as truncated.</summary>
    public static async Task<HttpBody> ReadAsync(HttpResponseMessage response, int max, TimeSpan limit, CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(limit);
        return await ReadAsync(response, max, timeout.Token);
    }

    /// <inheritdoc cref="ReadAsync(HttpResponseMessage, int, TimeSpan, CancellationToken)"/>
    public static async Task<HttpBody> ReadAsync(HttpResponseMessage response, int max, CancellationToken cancellation)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellation);
        var announced = response.Content.Headers.ContentLength;
        if (announced is > 0 && announced <= max)
        {
            // the body's own size is known: straight into its own array, without a copy
            var exact = GC.AllocateUninitializedArray<byte>((int)announced);
            await stream.ReadExactlyAsync(exact, cancellation);
            return new HttpBody(exact, false, response.Headers.Date, response.Headers.Location);
        }
        var rented = ArrayPool<byte>.Shared.Rent((int)Math.Clamp((announced ?? 32 * 1024) + 1, 1024, max));
        var length = 0;
        try
        {
            while (true)
            {
                if (length == rented.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min((long)max + 1, rented.Length * 2L));
                    rented.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(rented);
                    rented = larger;
                }
                var read = await stream.ReadAsync(rented.AsMemory(length), cancellation);
                if (read == 0)
                    return new HttpBody(rented.AsSpan(0, length).ToArray(), false, response.Headers.Date, response.Headers.Location);
                length += read;
                if (length > max)
                    return new HttpBody(rented.AsSpan(0, max).ToArray(), true, response.Headers.Date);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
