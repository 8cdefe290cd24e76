using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Bridge.Ledger.Grpc;

/// <summary>Length-prefixed messages: one byte that says compressed, four of length, the message.</summary>
internal static class GrpcFrame
{
    public const int PrefixLength = 5;

    public static byte[] Encode(IMessage message)
    {
        var size = message.CalculateSize();
        var frame = new byte[PrefixLength + size];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), size);
        message.WriteTo(frame.AsSpan(PrefixLength));
        return frame;
    }
}

/// <summary>Reads messages off a response's body through one rented buffer.</summary>
internal sealed class GrpcFrameReader(Stream stream, int maxMessageSize) : IDisposable
{
    private byte[] buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
    private int start;
    private int end;

    /// <summary>Null at a clean end of the stream.</summary>
    /// <exception cref="InvalidDataException">The frame is compressed, too long, or cut off.</exception>
    public async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        if (!await FillAsync(GrpcFrame.PrefixLength, cancellationToken))
            return null;
        var compressed = buffer[start] != 0;
        var length = BinaryPrimitives.ReadUInt32BigEndian(buffer.AsSpan(start + 1));
        if (compressed)
            throw new InvalidDataException("the server compressed a message though no compression was offered");
        if (length > maxMessageSize)
            throw new InvalidDataException($"a message of {length} bytes is over the limit of {maxMessageSize}");
        start += GrpcFrame.PrefixLength;
        if (length > 0 && !await FillAsync((int)length, cancellationToken))
            throw new InvalidDataException("the stream ended inside a message");
        var message = parser.ParseFrom(buffer.AsSpan(start, (int)length));
        start += (int)length;
        return message;
    }

    public void Dispose()
    {
        var rented = Interlocked.Exchange(ref buffer, []);
        if (rented.Length > 0)
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
    }

    // ensures `count` unread bytes; false at the end of the stream with nothing unread
    private async ValueTask<bool> FillAsync(int count, CancellationToken cancellationToken)
    {
        while (end - start < count)
        {
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                end -= start;
                start = 0;
            }

            if (buffer.Length < count)
            {
                var larger = ArrayPool<byte>.Shared.Rent(count);
                buffer.AsSpan(0, end).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
                buffer = larger;
            }

            var read = await stream.ReadAsync(buffer.AsMemory(end), cancellationToken);
            if (read == 0)
            {
                return end == start
                    ? false
                    : throw new InvalidDataException("the stream ended inside a message");
            }

            end += read;
        }

        return true;
    }
}
