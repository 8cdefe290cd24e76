using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>Asks what became of a submitted transaction.</summary>
public class Commit
{
    private readonly Gateway gateway;
    private readonly SignedCommitStatusRequest request;

    internal Commit(Gateway gateway, string transactionId, SignedCommitStatusRequest request)
    {
        this.gateway = gateway;
        this.request = request;
        TransactionId = transactionId;
    }

    /// <summary>The transaction's id.</summary>
    public string TransactionId { get; }

    /// <summary>The request, to be carried to an offline signer and back by <see cref="Gateway.NewSignedCommit"/>.</summary>
    public byte[] Bytes => request.ToByteArray();

    /// <summary>SHA-256 of what is to be signed.</summary>
    public byte[] Digest => SHA256.HashData(request.Request.Span);

    /// <summary>
    /// Waits until the gateway's peer has committed the transaction's block. May be asked again, and long after: the ledger keeps the answer.
    /// </summary>
    /// <exception cref="CommitStatusException">No answer within the deadline, or the gateway cannot be asked.</exception>
    public async Task<CommitStatus> GetStatusAsync(CancellationToken cancellationToken = default)
    {
        if (request.Signature.IsEmpty)
            request.Signature = await gateway.SignAsync(request.Request, cancellationToken);
        try
        {
            var answer = await gateway.Endpoints.UnaryAsync(
                GatewayMethods.CommitStatus, request, gateway.Options.CommitStatusTimeout, cancellationToken);
            return new CommitStatus(TransactionId, answer.Result, answer.BlockNumber);
        }
        catch (GrpcFailure failure)
        {
            throw new CommitStatusException(TransactionId, failure);
        }
    }

    internal static Commit Parse(Gateway gateway, ReadOnlySpan<byte> bytes)
    {
        var request = SignedCommitStatusRequest.Parser.ParseFrom(bytes);
        return new Commit(gateway, CommitStatusRequest.Parser.ParseFrom(request.Request).TransactionId, request);
    }

    internal Commit WithSignature(ReadOnlySpan<byte> signature)
    {
        request.Signature = ByteString.CopyFrom(signature);
        return this;
    }
}

/// <summary>A transaction that an orderer has taken.</summary>
public sealed class SubmittedTransaction : Commit
{
    private readonly ByteString result;

    internal SubmittedTransaction(Gateway gateway, string transactionId, SignedCommitStatusRequest request, ByteString result)
        : base(gateway, transactionId, request) => this.result = result;

    /// <summary>What the function returned. It took effect only if the commit's status is successful.</summary>
    public byte[] Result => result.ToByteArray();
}

/// <summary>Where a transaction stands in the ledger.</summary>
/// <param name="TransactionId">The transaction's id.</param>
/// <param name="Code">VALID, or why it changed nothing.</param>
/// <param name="BlockNumber">The block it stands in.</param>
public readonly record struct CommitStatus(string TransactionId, TxValidationCode Code, ulong BlockNumber)
{
    /// <summary>Whether its writes are in the state.</summary>
    public bool Successful => Code == TxValidationCode.Valid;
}

internal static class CommitRequests
{
    public static SignedCommitStatusRequest New(Identity identity, string channelName, string transactionId) => new()
    {
        Request = new CommitStatusRequest
        {
            TransactionId = transactionId,
            ChannelId = channelName,
            Identity = identity.CreatorBytes,
        }.ToByteString(),
    };
}
