using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Chaincode;

/// <summary>The sending half of a stream to a chaincode: a request body that stays open and carries gRPC frames as they are queued.</summary>
internal sealed class DuplexContent : HttpContent
{
    private readonly ChannelReader<ChaincodeMessage> messages;

    public DuplexContent(ChannelReader<ChaincodeMessage> messages)
    {
        this.messages = messages;
        Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        // Without this first flush the request's headers never leave, and both sides wait for the other.
        await stream.FlushAsync();
        while (await messages.WaitToReadAsync())
        {
            while (messages.TryRead(out var message))
            {
                var size = message.CalculateSize();
                var frame = new byte[5 + size];
                BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)size);
                message.WriteTo(frame.AsSpan(5));
                await stream.WriteAsync(frame);
            }

            await stream.FlushAsync();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
