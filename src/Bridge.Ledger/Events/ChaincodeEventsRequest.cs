using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>A request for the events of one chaincode.</summary>
public sealed class ChaincodeEventsRequest
{
    private readonly Gateway gateway;
    private readonly SignedChaincodeEventsRequest signed;

    private ChaincodeEventsRequest(Gateway gateway, SignedChaincodeEventsRequest signed)
    {
        this.gateway = gateway;
        this.signed = signed;
    }

    /// <summary>The request, to be carried to an offline signer and back by <see cref="Gateway.NewSignedChaincodeEventsRequest"/>.</summary>
    public byte[] Bytes => signed.ToByteArray();

    /// <summary>SHA-256 of what is to be signed.</summary>
    public byte[] Digest => SHA256.HashData(signed.Request.Span);

    /// <summary>The events, until the stream breaks or the caller stops.</summary>
    /// <exception cref="GatewayException">The stream was refused or broke.</exception>
    public async IAsyncEnumerable<ChaincodeEvent> GetEventsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (signed.Signature.IsEmpty)
            signed.Signature = await gateway.SignAsync(signed.Request, cancellationToken);
        var answers = gateway.Endpoints.StreamAsync(GatewayMethods.ChaincodeEvents, signed, cancellationToken);
        await foreach (var answer in StreamFailures.TranslateAsync(answers, "ChaincodeEvents", cancellationToken))
        {
            foreach (var found in answer.Events)
                yield return new ChaincodeEvent(answer.BlockNumber, found.TxId, found.ChaincodeId, found.EventName, found.Payload.Memory);
        }
    }

    internal static ChaincodeEventsRequest Create(Gateway gateway, string channelName, string chaincodeName, EventOptions options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(chaincodeName);
        var request = new Protocol.ChaincodeEventsRequest
        {
            ChannelId = channelName,
            ChaincodeId = chaincodeName,
            Identity = gateway.Identity.CreatorBytes,
            StartPosition = SeekPositions.From(options),
            AfterTransactionId = options.Checkpoint?.TransactionId ?? "",
        };
        return new ChaincodeEventsRequest(gateway, new SignedChaincodeEventsRequest { Request = request.ToByteString() });
    }

    internal static ChaincodeEventsRequest Parse(Gateway gateway, ReadOnlySpan<byte> bytes) =>
        new(gateway, SignedChaincodeEventsRequest.Parser.ParseFrom(bytes));

    internal ChaincodeEventsRequest WithSignature(ReadOnlySpan<byte> signature)
    {
        signed.Signature = ByteString.CopyFrom(signature);
        return this;
    }
}

internal static class StreamFailures
{
    public static async IAsyncEnumerable<T> TranslateAsync<T>(
        IAsyncEnumerable<T> messages, string what, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var source = messages.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await source.MoveNextAsync())
                    yield break;
            }
            catch (GrpcFailure failure)
            {
                throw new GatewayException(what, failure);
            }

            yield return source.Current;
        }
    }
}
