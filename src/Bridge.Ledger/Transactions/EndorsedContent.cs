using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>What stands inside an endorsed envelope.</summary>
internal sealed class EndorsedContent
{
    private readonly Header header;
    private readonly ByteString proposalPayload;
    private readonly ByteString proposalHash;

    private EndorsedContent(Header header, ByteString proposalPayload, ByteString proposalHash, ByteString result)
    {
        this.header = header;
        this.proposalPayload = proposalPayload;
        this.proposalHash = proposalHash;
        Result = result;
    }

    /// <summary>The function's return value.</summary>
    public ByteString Result { get; }

    /// <exception cref="EndorseException">The envelope does not hold exactly one endorsed action.</exception>
    public static EndorsedContent Read(string transactionId, Envelope envelope)
    {
        try
        {
            var payload = Payload.Parser.ParseFrom(envelope.Payload);
            var transaction = Protocol.Transaction.Parser.ParseFrom(payload.Data);
            if (payload.Header is null || transaction.Actions.Count != 1)
                throw new EndorseException(transactionId, $"the envelope holds {transaction.Actions.Count} actions instead of one");
            var action = ChaincodeActionPayload.Parser.ParseFrom(transaction.Actions[0].Payload);
            var response = ProposalResponsePayload.Parser.ParseFrom(action.Action?.ProposalResponsePayload ?? ByteString.Empty);
            var chaincodeAction = ChaincodeAction.Parser.ParseFrom(response.Extension);
            return new EndorsedContent(
                payload.Header,
                action.ChaincodeProposalPayload,
                response.ProposalHash,
                chaincodeAction.Response?.Payload ?? ByteString.Empty);
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new EndorseException(transactionId, $"the envelope cannot be read: {exception.Message}");
        }
    }

    /// <summary>Null where headers, call and proposal hash are those of the proposal; else which one is not.</summary>
    public string? DiffersFrom(ByteString proposalBytes)
    {
        var proposal = Protocol.Proposal.Parser.ParseFrom(proposalBytes);
        var proposedHeader = Header.Parser.ParseFrom(proposal.Header);
        if (!header.ChannelHeader.Equals(proposedHeader.ChannelHeader))
            return "another channel header";
        if (!header.SignatureHeader.Equals(proposedHeader.SignatureHeader))
            return "another signature header";
        if (!ChaincodeProposalPayload.Parser.ParseFrom(proposalPayload)
                .Equals(new ChaincodeProposalPayload { Input = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload).Input }))
        {
            return "another call";
        }

        return proposalHash.Span.SequenceEqual(ProposalBuilder.ProposalHash(proposedHeader, proposalPayload))
            ? null
            : "endorsements of another proposal";
    }
}
