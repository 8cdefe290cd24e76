using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>An endorsed transaction that can be submitted to the orderers.</summary>
public sealed class Transaction
{
    private readonly Gateway gateway;
    private readonly string channelName;
    private readonly PreparedTransaction prepared;
    private readonly ByteString result;

    internal Transaction(Gateway gateway, string channelName, PreparedTransaction prepared, ByteString result)
    {
        this.gateway = gateway;
        this.channelName = channelName;
        this.prepared = prepared;
        this.result = result;
    }

    /// <summary>Lower-case hex, 64 characters.</summary>
    public string TransactionId => prepared.TransactionId;

    /// <summary>What the function returned to the endorsers. Nothing is written before the commit.</summary>
    public byte[] Result => result.ToByteArray();

    /// <summary>The transaction, to be carried to an offline signer and back by <see cref="Gateway.NewSignedTransaction"/>.</summary>
    public byte[] Bytes => prepared.ToByteArray();

    /// <summary>SHA-256 of what is to be signed.</summary>
    public byte[] Digest => SHA256.HashData(prepared.Envelope.Payload.Span);

    /// <summary>
    /// Hands the transaction to an orderer. When this returns it will stand in a block, valid or not. The same transaction may be
    /// submitted again after a failure: it counts once.
    /// </summary>
    /// <exception cref="SubmitException">No orderer took it, or it is not known whether one did.</exception>
    public async Task<SubmittedTransaction> SubmitAsync(CancellationToken cancellationToken = default)
    {
        if (prepared.Envelope.Signature.IsEmpty)
            prepared.Envelope.Signature = await gateway.SignAsync(prepared.Envelope.Payload, cancellationToken);
        var request = new SubmitRequest
        {
            TransactionId = TransactionId,
            ChannelId = channelName,
            PreparedTransaction = prepared.Envelope,
        };
        try
        {
            await gateway.Endpoints.UnaryAsync(GatewayMethods.Submit, request, gateway.Options.SubmitTimeout, cancellationToken);
        }
        catch (GrpcFailure failure)
        {
            throw new SubmitException(TransactionId, failure);
        }

        return new SubmittedTransaction(gateway, TransactionId, CommitRequests.New(gateway.Identity, channelName, TransactionId), result);
    }

    /// <summary>The commit to ask for after a <see cref="SubmitException"/> that leaves open whether an orderer has the transaction.</summary>
    public Commit NewCommit() => new(gateway, TransactionId, CommitRequests.New(gateway.Identity, channelName, TransactionId));

    internal static Transaction Parse(Gateway gateway, ReadOnlySpan<byte> bytes)
    {
        var prepared = PreparedTransaction.Parser.ParseFrom(bytes);
        var header = Payload.Parser.ParseFrom(prepared.Envelope.Payload).Header;
        var channelName = ChannelHeader.Parser.ParseFrom(header.ChannelHeader).ChannelId;
        return new Transaction(gateway, channelName, prepared, EndorsedContent.Read(prepared.TransactionId, prepared.Envelope).Result);
    }

    internal Transaction WithSignature(ReadOnlySpan<byte> signature)
    {
        prepared.Envelope.Signature = ByteString.CopyFrom(signature);
        return this;
    }
}
