using System.Security.Cryptography;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Bridge.Ledger;

/// <summary>Makes the bytes of a proposal.</summary>
internal static class ProposalBuilder
{
    public const int NonceLength = 24;

    public static ProposedTransaction Build(
        Identity identity,
        string channelName,
        string chaincodeName,
        string function,
        ProposalOptions options,
        ReadOnlySpan<byte> nonce,
        DateTimeOffset timestamp)
    {
        var transactionId = TransactionId(nonce, identity.Creator.Span);
        var chaincode = new ChaincodeID { Name = chaincodeName };
        var header = new Header
        {
            ChannelHeader = Wrap(new ChannelHeader
            {
                Type = (int)HeaderType.EndorserTransaction,
                Timestamp = Timestamp.FromDateTimeOffset(timestamp),
                ChannelId = channelName,
                TxId = transactionId,
                Extension = Wrap(new ChaincodeHeaderExtension { ChaincodeId = chaincode }),
            }),
            SignatureHeader = Wrap(new SignatureHeader { Creator = identity.CreatorBytes, Nonce = ByteString.CopyFrom(nonce) }),
        };
        var input = new ChaincodeInput { Args = { ByteString.CopyFromUtf8(function) } };
        foreach (var argument in options.Arguments)
            input.Args.Add(UnsafeByteOperations.UnsafeWrap(argument));
        var payload = new ChaincodeProposalPayload
        {
            Input = Wrap(new ChaincodeInvocationSpec
            {
                ChaincodeSpec = new ChaincodeSpec { Type = ChaincodeSpec.Types.Type.Node, ChaincodeId = chaincode, Input = input },
            }),
        };
        foreach (var (key, value) in options.TransientData)
            payload.TransientMap.Add(key, UnsafeByteOperations.UnsafeWrap(value));
        var proposed = new ProposedTransaction
        {
            TransactionId = transactionId,
            Proposal = new SignedProposal
            {
                ProposalBytes = Wrap(new Protocol.Proposal { Header = Wrap(header), Payload = Wrap(payload) }),
            },
        };
        proposed.EndorsingOrganizations.AddRange(options.EndorsingOrganizations);
        return proposed;
    }

    /// <summary>Lower-case hex of SHA-256(nonce ‖ creator).</summary>
    public static string TransactionId(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> creator)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(nonce);
        hash.AppendData(creator);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        return Convert.ToHexStringLower(digest);
    }

    /// <summary>
    /// SHA-256 of channel header ‖ signature header ‖ proposal payload without its transient map: what endorsers put under their signature.
    /// </summary>
    public static byte[] ProposalHash(Header header, ByteString payloadWithoutTransient)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header.ChannelHeader.Span);
        hash.AppendData(header.SignatureHeader.Span);
        hash.AppendData(payloadWithoutTransient.Span);
        return hash.GetHashAndReset();
    }

    private static ByteString Wrap(IMessage message) => UnsafeByteOperations.UnsafeWrap(message.ToByteArray());
}
