using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Wire = Bridge.Ledger.Protocol;

namespace Bridge.Tests.Ledger;

/// <summary>Builds what a gateway returns for a proposal.</summary>
internal static class FakeEndorser
{
    public static EndorseResponse Endorse(EndorseRequest request, string result, Action<Header, ChaincodeActionPayload>? tamper = null) =>
        Endorse(request, ByteString.CopyFromUtf8(result), tamper);

    public static EndorseResponse Endorse(EndorseRequest request, ByteString result, Action<Header, ChaincodeActionPayload>? tamper = null)
    {
        var proposal = Wire.Proposal.Parser.ParseFrom(request.ProposedTransaction.ProposalBytes);
        var header = Header.Parser.ParseFrom(proposal.Header);
        var withoutTransient = new ChaincodeProposalPayload { Input = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload).Input }.ToByteString();
        var response = new ProposalResponsePayload
        {
            ProposalHash = ByteString.CopyFrom(ProposalBuilder.ProposalHash(header, withoutTransient)),
            Extension = new ChaincodeAction { Response = new Response { Status = 200, Payload = result } }.ToByteString(),
        };
        var action = new ChaincodeActionPayload
        {
            ChaincodeProposalPayload = withoutTransient,
            Action = new ChaincodeEndorsedAction { ProposalResponsePayload = response.ToByteString() },
        };
        tamper?.Invoke(header, action);
        var transaction = new Wire.Transaction { Actions = { new TransactionAction { Header = header.SignatureHeader, Payload = action.ToByteString() } } };
        var payload = new Payload { Header = header, Data = transaction.ToByteString() };
        return new EndorseResponse { PreparedTransaction = new Envelope { Payload = payload.ToByteString() } };
    }

    /// <summary>The function's name and arguments, and the transient map.</summary>
    public static (string[] Arguments, IReadOnlyDictionary<string, string> Transient) Call(SignedProposal signed)
    {
        var proposal = Wire.Proposal.Parser.ParseFrom(signed.ProposalBytes);
        var payload = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload);
        var spec = ChaincodeInvocationSpec.Parser.ParseFrom(payload.Input).ChaincodeSpec;
        return (
            [.. spec.Input.Args.Select(argument => argument.ToStringUtf8())],
            payload.TransientMap.ToDictionary(entry => entry.Key, entry => entry.Value.ToStringUtf8()));
    }

    public static (ChannelHeader Channel, SignatureHeader Signature) Headers(SignedProposal signed)
    {
        var header = Header.Parser.ParseFrom(Wire.Proposal.Parser.ParseFrom(signed.ProposalBytes).Header);
        return (ChannelHeader.Parser.ParseFrom(header.ChannelHeader), SignatureHeader.Parser.ParseFrom(header.SignatureHeader));
    }
}
