using System.Buffers;
using System.Runtime.CompilerServices;

namespace Bridge.Fhir.Client;

/// <summary>Cuts a stream of newline-delimited JSON into its lines, one at a time; memory is one line and a buffer.</summary>
internal static class NdjsonLines
{
    private const int Kept = 4096;

    /// <summary>Every line that is not blank. One beyond <paramref name="max"/> bytes comes as its beginning, marked, and the rest of it is passed over.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="max">Longest line that is kept.</param>
    /// <param name="patience">Longest wait for more bytes.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async IAsyncEnumerable<FhirResource> ReadAsync(Stream stream, int max, TimeSpan patience, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            var (start, length) = (0, 0);
            byte[]? oversize = null;
            while (true)
            {
                timeout.CancelAfter(patience);
                var read = await stream.ReadAsync(buffer.AsMemory(length), timeout.Token);
                var end = length + read;
                for (var at = length; at < end || read == 0;)
                {
                    var newline = read == 0 ? end : buffer.AsSpan(at, end - at).IndexOf((byte)'\n');
                    if (newline < 0)
                        break;
                    newline = read == 0 ? end : at + newline;
                    var line = buffer.AsMemory(start, newline - start);
                    if (oversize is not null)
                        yield return new FhirResource(oversize, Oversize: true);
                    else if (line.Length > max)
                        yield return new FhirResource(line[..Kept].ToArray(), Oversize: true);
                    else if (!line.Span.Trim(" \t\r"u8).IsEmpty)
                        yield return new FhirResource(line.ToArray());
                    (oversize, start, at) = (null, newline + 1, newline + 1);
                    if (read == 0)
                        yield break;
                }
                // what is left of a line moves to the front; of one that is too long only the beginning is kept
                length = end - start;
                if (oversize is not null)
                    length = 0;
                else if (length > max)
                    (oversize, length) = (buffer.AsSpan(start, Kept).ToArray(), 0);
                else if (start > 0)
                    buffer.AsSpan(start, length).CopyTo(buffer);
                start = 0;
                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
