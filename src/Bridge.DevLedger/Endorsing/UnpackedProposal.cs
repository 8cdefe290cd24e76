using System.Security.Cryptography;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Endorsing;

/// <summary>A proposal with its parts read, or the reason why it cannot be read.</summary>
internal sealed class UnpackedProposal
{
    private UnpackedProposal(
        SignedProposal signed, Header header, ChannelHeader channelHeader, SignatureHeader signatureHeader, string chaincode,
        ChaincodeProposalPayload payload, ChaincodeInput input, byte[] hash)
    {
        Signed = signed;
        Header = header;
        ChannelHeader = channelHeader;
        SignatureHeader = signatureHeader;
        Chaincode = chaincode;
        Payload = payload;
        Input = input;
        Hash = hash;
    }

    public SignedProposal Signed { get; }

    public Header Header { get; }

    public ChannelHeader ChannelHeader { get; }

    public SignatureHeader SignatureHeader { get; }

    public string Chaincode { get; }

    public ChaincodeProposalPayload Payload { get; }

    public ChaincodeInput Input { get; }

    /// <summary>SHA-256 of channel header, signature header and the payload without its transient map.</summary>
    public byte[] Hash { get; }

    /// <exception cref="FormatException">A part is missing or unreadable.</exception>
    public static UnpackedProposal Read(SignedProposal signed)
    {
        try
        {
            var proposal = Proposal.Parser.ParseFrom(signed.ProposalBytes);
            var header = Header.Parser.ParseFrom(proposal.Header);
            var channelHeader = ChannelHeader.Parser.ParseFrom(header.ChannelHeader);
            var signatureHeader = SignatureHeader.Parser.ParseFrom(header.SignatureHeader);
            var extension = ChaincodeHeaderExtension.Parser.ParseFrom(channelHeader.Extension);
            if (extension.ChaincodeId is null)
                throw new FormatException("ChaincodeHeaderExtension.ChaincodeId is nil");
            if (extension.ChaincodeId.Name.Length == 0)
                throw new FormatException("ChaincodeHeaderExtension.ChaincodeId.Name is empty");
            var payload = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload);
            var invocation = ChaincodeInvocationSpec.Parser.ParseFrom(payload.Input);
            if (invocation.ChaincodeSpec is null)
                throw new FormatException("chaincode invocation spec did not contain chaincode spec");
            if (invocation.ChaincodeSpec.Input is null)
                throw new FormatException("chaincode input did not contain any input");
            var hash = TransactionHash(header, WithoutTransient(payload));
            return new UnpackedProposal(
                signed, header, channelHeader, signatureHeader, extension.ChaincodeId.Name, payload, invocation.ChaincodeSpec.Input, hash);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new FormatException($"error unmarshalling Proposal: {e.Message}", e);
        }
    }

    public static byte[] TransactionHash(Header header, ByteString payloadWithoutTransient)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header.ChannelHeader.Span);
        hash.AppendData(header.SignatureHeader.Span);
        hash.AppendData(payloadWithoutTransient.Span);
        return hash.GetHashAndReset();
    }

    public static ByteString WithoutTransient(ChaincodeProposalPayload payload) =>
        new ChaincodeProposalPayload { Input = payload.Input }.ToByteString();

    public static string TransactionId(ByteString nonce, ByteString creator)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(nonce.Span);
        hash.AppendData(creator.Span);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
