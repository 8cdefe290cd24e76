using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Bridge.Ledger;

/// <summary>A request for blocks, in one of the three forms that a peer delivers.</summary>
/// <typeparam name="T">Block, FilteredBlock or BlockAndPrivateData.</typeparam>
public sealed class BlockEventsRequest<T>
    where T : class
{
    private readonly Gateway gateway;
    private readonly BlockEventKind<T> kind;
    private readonly Envelope envelope;

    internal BlockEventsRequest(Gateway gateway, BlockEventKind<T> kind, Envelope envelope)
    {
        this.gateway = gateway;
        this.kind = kind;
        this.envelope = envelope;
    }

    /// <summary>The request, to be carried to an offline signer and back by the gateway's NewSigned… method.</summary>
    public byte[] Bytes => envelope.ToByteArray();

    /// <summary>SHA-256 of what is to be signed.</summary>
    public byte[] Digest => SHA256.HashData(envelope.Payload.Span);

    /// <summary>The blocks, until the stream breaks or the caller stops.</summary>
    /// <exception cref="GatewayException">The stream was refused or broke.</exception>
    public async IAsyncEnumerable<T> GetEventsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (envelope.Signature.IsEmpty)
            envelope.Signature = await gateway.SignAsync(envelope.Payload, cancellationToken);
        var answers = gateway.Endpoints.StreamAsync(kind.Method, envelope, cancellationToken);
        await foreach (var answer in StreamFailures.TranslateAsync(answers, kind.Method.Path, cancellationToken))
        {
            if (answer.TypeCase == DeliverResponse.TypeOneofCase.Status)
            {
                if (answer.Status == Status.Success)
                    yield break;
                throw Refused(answer.Status);
            }

            if (kind.Select(answer) is not { } block)
                throw new GatewayException($"{kind.Method.Path} delivered a {answer.TypeCase}", GrpcStatusCode.Internal);
            yield return block;
        }
    }

    internal BlockEventsRequest<T> WithSignature(ReadOnlySpan<byte> signature)
    {
        envelope.Signature = ByteString.CopyFrom(signature);
        return this;
    }

    private GatewayException Refused(Status status) => new(
        $"{kind.Method.Path} ended with status {status} ({(int)status})",
        status switch
        {
            Status.BadRequest => GrpcStatusCode.InvalidArgument,
            Status.Forbidden => GrpcStatusCode.PermissionDenied,
            Status.NotFound => GrpcStatusCode.NotFound,
            Status.ServiceUnavailable => GrpcStatusCode.Unavailable,
            _ => GrpcStatusCode.Unknown,
        });
}

internal static class BlockEventKinds
{
    public static readonly BlockEventKind<Block> Blocks = new(
        GatewayMethods.Deliver, answer => answer.Block, block => new CommittedBlock(block));

    public static readonly BlockEventKind<FilteredBlock> FilteredBlocks = new(
        GatewayMethods.DeliverFiltered, answer => answer.FilteredBlock, null);

    public static readonly BlockEventKind<BlockAndPrivateData> BlocksAndPrivateData = new(
        GatewayMethods.DeliverWithPrivateData,
        answer => answer.BlockAndPrivateData,
        block => new CommittedBlock(block.Block, block.PrivateDataMap));
}

internal sealed record BlockEventKind<T>(
    GrpcMethod<DeliverResponse> Method, Func<DeliverResponse, T?> Select, Func<T, CommittedBlock>? Read)
    where T : class
{
    public BlockEventsRequest<T> Create(Gateway gateway, string channelName, EventOptions options) =>
        Create(gateway, channelName, new SeekInfo { Start = SeekPositions.From(options), Stop = SeekPositions.At(ulong.MaxValue) });

    public BlockEventsRequest<T> CreateNewest(Gateway gateway, string channelName)
    {
        var newest = new SeekPosition { Newest = new SeekNewest() };
        return Create(gateway, channelName, new SeekInfo { Start = newest, Stop = newest });
    }

    public BlockEventsRequest<T> Parse(Gateway gateway, ReadOnlySpan<byte> bytes) => new(gateway, this, Envelope.Parser.ParseFrom(bytes));

    private BlockEventsRequest<T> Create(Gateway gateway, string channelName, SeekInfo seek)
    {
        var nonce = new byte[ProposalBuilder.NonceLength];
        RandomNumberGenerator.Fill(nonce);
        var payload = new Payload
        {
            Header = new Header
            {
                ChannelHeader = new ChannelHeader
                {
                    Type = (int)HeaderType.DeliverSeekInfo,
                    Timestamp = Timestamp.FromDateTimeOffset(gateway.Options.TimeProvider.GetUtcNow()),
                    ChannelId = channelName,
                    TlsCertHash = gateway.TlsCertificateHash,
                }.ToByteString(),
                SignatureHeader = new SignatureHeader
                {
                    Creator = gateway.Identity.CreatorBytes,
                    Nonce = UnsafeByteOperations.UnsafeWrap(nonce),
                }.ToByteString(),
            },
            Data = seek.ToByteString(),
        };
        return new BlockEventsRequest<T>(gateway, this, new Envelope { Payload = payload.ToByteString() });
    }
}
