using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>A call of a contract's function that can be evaluated, or endorsed and submitted.</summary>
public sealed class Proposal
{
    private readonly Gateway gateway;
    private readonly string channelName;
    private readonly ProposedTransaction proposed;

    internal Proposal(Gateway gateway, string channelName, ProposedTransaction proposed)
    {
        this.gateway = gateway;
        this.channelName = channelName;
        this.proposed = proposed;
    }

    /// <summary>Lower-case hex, 64 characters.</summary>
    public string TransactionId => proposed.TransactionId;

    /// <summary>
    /// The proposal, to be carried to an offline signer and back by <see cref="Gateway.NewSignedProposal"/>. Transient data is inside.
    /// </summary>
    public byte[] Bytes => proposed.ToByteArray();

    /// <summary>SHA-256 of what is to be signed.</summary>
    public byte[] Digest => SHA256.HashData(proposed.Proposal.ProposalBytes.Span);

    /// <summary>Runs the function on one peer; nothing is written.</summary>
    /// <exception cref="EvaluateException">The chaincode refused, or no peer could be asked.</exception>
    public async Task<byte[]> EvaluateAsync(CancellationToken cancellationToken = default)
    {
        await SignAsync(cancellationToken);
        var request = new EvaluateRequest
        {
            TransactionId = TransactionId,
            ChannelId = channelName,
            ProposedTransaction = proposed.Proposal,
        };
        request.TargetOrganizations.AddRange(proposed.EndorsingOrganizations);
        try
        {
            var answer = await gateway.Endpoints.UnaryAsync(
                GatewayMethods.Evaluate, request, gateway.Options.EvaluateTimeout, cancellationToken);
            return answer.Result?.Payload.ToByteArray() ?? [];
        }
        catch (GrpcFailure failure)
        {
            throw new EvaluateException(TransactionId, failure);
        }
    }

    /// <summary>
    /// Collects endorsements. What comes back is checked to be this very proposal before anything is signed: a gateway cannot have another
    /// transaction signed in its place.
    /// </summary>
    /// <exception cref="EndorseException">A chaincode refused, a policy cannot be met, the peers' answers differ, or no peer could be asked.</exception>
    public async Task<Transaction> EndorseAsync(CancellationToken cancellationToken = default)
    {
        await SignAsync(cancellationToken);
        var request = new EndorseRequest
        {
            TransactionId = TransactionId,
            ChannelId = channelName,
            ProposedTransaction = proposed.Proposal,
        };
        request.EndorsingOrganizations.AddRange(proposed.EndorsingOrganizations);
        try
        {
            var answer = await gateway.Endpoints.UnaryAsync(
                GatewayMethods.Endorse, request, gateway.Options.EndorseTimeout, cancellationToken);
            if (answer.PreparedTransaction is not { } envelope)
                throw new EndorseException(TransactionId, "the gateway's answer holds no transaction");
            var content = EndorsedContent.Read(TransactionId, envelope);
            if (content.DiffersFrom(proposed.Proposal.ProposalBytes) is { } difference)
                throw new EndorseException(TransactionId, $"the gateway returned a transaction that was not proposed: {difference}");
            var prepared = new PreparedTransaction { TransactionId = TransactionId, Envelope = envelope };
            return new Transaction(gateway, channelName, prepared, content.Result);
        }
        catch (GrpcFailure failure)
        {
            throw new EndorseException(TransactionId, failure);
        }
    }

    internal static Proposal Parse(Gateway gateway, ReadOnlySpan<byte> bytes)
    {
        var proposed = ProposedTransaction.Parser.ParseFrom(bytes);
        var header = Header.Parser.ParseFrom(Protocol.Proposal.Parser.ParseFrom(proposed.Proposal.ProposalBytes).Header);
        return new Proposal(gateway, ChannelHeader.Parser.ParseFrom(header.ChannelHeader).ChannelId, proposed);
    }

    internal Proposal WithSignature(ReadOnlySpan<byte> signature)
    {
        proposed.Proposal.Signature = ByteString.CopyFrom(signature);
        return this;
    }

    private async ValueTask SignAsync(CancellationToken cancellationToken)
    {
        if (proposed.Proposal.Signature.IsEmpty)
            proposed.Proposal.Signature = await gateway.SignAsync(proposed.Proposal.ProposalBytes, cancellationToken);
    }
}
