using System.Diagnostics;
using Bridge.DevLedger.Chaincode;
using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using MessageType = Bridge.Ledger.Protocol.ChaincodeMessage.Types.Type;

namespace Bridge.DevLedger.Endorsing;

/// <summary>A peer's answer to a proposal.</summary>
/// <param name="Response">Null only where the proposal did not get past the peer's door.</param>
/// <param name="Error">Set when the proposal itself was refused, before any chaincode ran.</param>
internal sealed record EndorserReply(ProposalResponse? Response, string? Error);

/// <summary>One organisation's endorsing peer.</summary>
internal sealed class Endorser(
    SigningIdentity identity, string address, ChannelDefinition definition, LedgerStore store, ChaincodeRunner chaincode, TimeProvider clock)
{
    private static readonly TimeSpan ExecutionLimit = TimeSpan.FromSeconds(30);

    public string MspId => identity.MspId;

    /// <summary>As it stands in error details: host and port.</summary>
    public string Address => address;

    /// <summary>The peer as its organisation's members see it.</summary>
    public Member Peer { get; } = definition.Members.Find(identity.Serialized)
        ?? throw new UnreachableException("a peer's identity belongs to its organisation");

    public async Task<EndorserReply> ProcessAsync(SignedProposal signed, CancellationToken ct)
    {
        if (IsExpired(signed))
            return new EndorserReply(null, "proposal client identity expired");
        UnpackedProposal proposal;
        try
        {
            proposal = UnpackedProposal.Read(signed);
        }
        catch (FormatException e)
        {
            return Refuse(e.Message);
        }

        if (proposal.ChannelHeader.ChannelId != definition.Channel)
            return Fail($"channel '{proposal.ChannelHeader.ChannelId}' not found");
        var fault = Validate(proposal, out var creator);
        if (fault is not null)
            return Refuse($"error validating proposal: {fault}");

        var snapshot = await store.OpenSnapshotAsync(ct);
        using var simulator = new Simulator(snapshot, definition, MspId, proposal.ChannelHeader.TxId);
        if (snapshot.FindTransaction(proposal.ChannelHeader.TxId) is not null)
        {
            return Refuse(
                $"duplicate transaction found [{proposal.ChannelHeader.TxId}]. " +
                $"Creator [{Convert.ToHexStringLower(proposal.SignatureHeader.Creator.Span)}]");
        }

        if (!ChannelDefinition.MayWrite(creator!))
            return Refuse(AccessTexts.PolicyFailure("Writers"));
        if (proposal.Chaincode != definition.Chaincode)
        {
            return Fail(
                $"make sure the chaincode {proposal.Chaincode} has been successfully defined on channel {definition.Channel} and try again: " +
                $"chaincode {proposal.Chaincode} not found");
        }

        if (proposal.Input.IsInit)
        {
            return Fail(
                $"error in simulation: failed to execute transaction {proposal.ChannelHeader.TxId}: invalid invocation: " +
                $"chaincode '{proposal.Chaincode}' does not require initialization but called as init");
        }

        return await SimulateAsync(proposal, creator!, simulator, snapshot.Height, ct);
    }

    private async Task<EndorserReply> SimulateAsync(
        UnpackedProposal proposal, Member creator, Simulator simulator, ulong height, CancellationToken ct)
    {
        var txId = proposal.ChannelHeader.TxId;
        ChaincodeMessage message;
        SimulationResult result;
        using (var invocation = new Invocation(txId, definition, creator, simulator))
        {
            try
            {
                var link = await chaincode.GetLinkAsync(ct);
                message = await link.ExecuteAsync(invocation, proposal.Input, proposal.Signed, ExecutionLimit, ct);
            }
            catch (ChaincodeException e)
            {
                return Fail($"error in simulation: failed to execute transaction {txId}: {e.Message}");
            }

            if (message.Type == MessageType.Error)
                return Fail($"error in simulation: transaction returned with failure: {message.Payload.ToStringUtf8()}");
            result = simulator.Finish();
        }

        var response = Response.Parser.ParseFrom(message.Payload);
        if (result.Private is not null && response.Status < 400)
            await store.AddTransientAsync(txId, result.Private.ToByteArray(), height);

        var payload = new ProposalResponsePayload
        {
            ProposalHash = ByteString.CopyFrom(proposal.Hash),
            Extension = new ChaincodeAction
            {
                Results = result.Public.ToByteString(),
                Events = Event(message, response, txId),
                Response = response,
                ChaincodeId = new ChaincodeID { Name = definition.Chaincode, Version = definition.ChaincodeVersion },
            }.ToByteString(),
        }.ToByteString();
        var reply = new ProposalResponse { Response = response, Interest = Interest.Of(definition.Chaincode, result) };
        if (response.Status >= 500)
        {
            reply.Payload = payload;
            return new EndorserReply(reply, null);
        }

        if (response.Status >= 400)
            return new EndorserReply(new ProposalResponse { Response = response }, null);
        reply.Version = 1;
        reply.Payload = payload;
        reply.Endorsement = new Endorsement
        {
            Endorser = identity.Serialized,
            Signature = identity.Sign([.. payload.Span, .. identity.Serialized.Span]),
        };
        return new EndorserReply(reply, null);
    }

    private ByteString Event(ChaincodeMessage message, Response response, string txId)
    {
        if (message.ChaincodeEvent is null || response.Status >= 400)
            return ByteString.Empty;
        message.ChaincodeEvent.ChaincodeId = definition.Chaincode;
        message.ChaincodeEvent.TxId = txId;
        return message.ChaincodeEvent.ToByteString();
    }

    private string? Validate(UnpackedProposal proposal, out Member? creator)
    {
        creator = null;
        var header = proposal.ChannelHeader;
        if (header.Type is not ((int)HeaderType.EndorserTransaction or (int)HeaderType.Config))
            return $"invalid header type {AccessTexts.Name((HeaderType)header.Type)}";
        if (header.Epoch != 0)
            return "epoch is non-zero";
        if (proposal.SignatureHeader.Nonce.IsEmpty)
            return "nonce is empty";
        if (proposal.SignatureHeader.Creator.IsEmpty)
            return "creator is empty";
        var expected = UnpackedProposal.TransactionId(proposal.SignatureHeader.Nonce, proposal.SignatureHeader.Creator);
        if (header.TxId != expected)
            return $"incorrectly computed txid '{header.TxId}' -- expected '{expected}'";
        if (proposal.Signed.Signature.IsEmpty)
            return "empty signature bytes";
        creator = definition.Members.Find(proposal.SignatureHeader.Creator);
        if (creator is null)
            return $"access denied: channel [{header.ChannelId}] creator org unknown, creator is malformed";
        return creator.Fault is null && creator.Verify(proposal.Signed.ProposalBytes.Span, proposal.Signed.Signature.Span)
            ? null
            : $"access denied: channel [{header.ChannelId}] creator org [{creator.MspId}]";
    }

    private bool IsExpired(SignedProposal signed)
    {
        try
        {
            var header = Header.Parser.ParseFrom(Proposal.Parser.ParseFrom(signed.ProposalBytes).Header);
            var creator = definition.Members.Find(SignatureHeader.Parser.ParseFrom(header.SignatureHeader).Creator);
            return creator?.IsExpired(clock.GetUtcNow()) ?? false;
        }
        catch (InvalidProtocolBufferException)
        {
            return false; // the reading that follows says what is wrong
        }
    }

    private static EndorserReply Refuse(string error) => new(Failure(error), error);

    private static EndorserReply Fail(string message) => new(Failure(message), null);

    private static ProposalResponse Failure(string message) => new() { Response = new Response { Status = 500, Message = message } };
}
