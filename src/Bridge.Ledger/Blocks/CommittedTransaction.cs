using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>One transaction of a block: everything that all members of the channel and the orderers can read of it.</summary>
public sealed class CommittedTransaction
{
    private CommittedTransaction(int index, ChannelHeader header, SerializedIdentity creator, TxValidationCode code)
    {
        Index = index;
        TransactionId = header.TxId;
        ChannelName = header.ChannelId;
        Type = (HeaderType)header.Type;
        Timestamp = header.Timestamp?.ToDateTimeOffset();
        CreatorMspId = creator.Mspid;
        CreatorCertificate = creator.IdBytes.Memory;
        ValidationCode = code;
    }

    /// <summary>Place in the block, from 0.</summary>
    public int Index { get; }

    /// <summary>Empty for configuration.</summary>
    public string TransactionId { get; }

    /// <summary>The channel's name.</summary>
    public string ChannelName { get; }

    /// <summary>ENDORSER_TRANSACTION, or CONFIG.</summary>
    public HeaderType Type { get; }

    /// <summary>What the client said the time was.</summary>
    public DateTimeOffset? Timestamp { get; }

    /// <summary>The client's organisation.</summary>
    public string CreatorMspId { get; }

    /// <summary>The client's certificate, PEM.</summary>
    public ReadOnlyMemory<byte> CreatorCertificate { get; }

    /// <summary>What the peer found when it committed the block.</summary>
    public TxValidationCode ValidationCode { get; }

    /// <summary>The chaincode that was called; empty for configuration.</summary>
    public string ChaincodeName { get; private init; } = "";

    /// <summary>The function's name and its arguments.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Arguments { get; private init; } = [];

    /// <summary>What the function returned; null for configuration.</summary>
    public Response? Response { get; private init; }

    /// <summary>The transaction's event; null where it emitted none.</summary>
    public Protocol.ChaincodeEvent? Event { get; private init; }

    /// <summary>MSP ids of the endorsing organisations.</summary>
    public IReadOnlyList<string> EndorserMspIds { get; private init; } = [];

    /// <summary>What it read and wrote, by namespace.</summary>
    public IReadOnlyList<NamespaceReadWriteSet> ReadWriteSets { get; private init; } = [];

    /// <summary>Private writes in clear, where the block was delivered with private data to a member; else empty.</summary>
    public IReadOnlyList<PrivateWrite> PrivateWrites { get; private init; } = [];

    internal static CommittedTransaction Read(ByteString envelope, int index, TxValidationCode code, TxPvtReadWriteSet? privateData)
    {
        var payload = Payload.Parser.ParseFrom(Envelope.Parser.ParseFrom(envelope).Payload);
        var header = ChannelHeader.Parser.ParseFrom(payload.Header?.ChannelHeader ?? ByteString.Empty);
        var signatureHeader = SignatureHeader.Parser.ParseFrom(payload.Header?.SignatureHeader ?? ByteString.Empty);
        var creator = SerializedIdentity.Parser.ParseFrom(signatureHeader.Creator);
        if (header.Type != (int)HeaderType.EndorserTransaction)
            return new CommittedTransaction(index, header, creator, code);
        var transaction = Protocol.Transaction.Parser.ParseFrom(payload.Data);
        if (transaction.Actions.Count == 0)
            return new CommittedTransaction(index, header, creator, code);
        var action = ChaincodeActionPayload.Parser.ParseFrom(transaction.Actions[0].Payload);
        var proposal = ChaincodeProposalPayload.Parser.ParseFrom(action.ChaincodeProposalPayload);
        var call = ChaincodeInvocationSpec.Parser.ParseFrom(proposal.Input).ChaincodeSpec;
        var endorsed = ProposalResponsePayload.Parser.ParseFrom(action.Action?.ProposalResponsePayload ?? ByteString.Empty);
        var result = ChaincodeAction.Parser.ParseFrom(endorsed.Extension);
        return new CommittedTransaction(index, header, creator, code)
        {
            ChaincodeName = call?.ChaincodeId?.Name ?? "",
            Arguments = [.. (call?.Input?.Args ?? []).Select(argument => argument.Memory)],
            Response = result.Response,
            Event = result.Events.IsEmpty ? null : Protocol.ChaincodeEvent.Parser.ParseFrom(result.Events),
            EndorserMspIds = [.. (action.Action?.Endorsements ?? []).Select(e => SerializedIdentity.Parser.ParseFrom(e.Endorser).Mspid)],
            ReadWriteSets = NamespaceReadWriteSet.ReadAll(result.Results),
            PrivateWrites = privateData is null ? [] : PrivateWrite.ReadAll(privateData),
        };
    }
}

/// <summary>What a transaction read and wrote in one chaincode's namespace.</summary>
/// <param name="Namespace">The chaincode's name.</param>
/// <param name="Public">Keys and values in clear.</param>
/// <param name="Collections">Private data by collection: hashes only.</param>
public sealed record NamespaceReadWriteSet(string Namespace, KVRWSet Public, IReadOnlyList<CollectionReadWriteSet> Collections)
{
    /// <summary>Reads the bytes of a TxReadWriteSet: <c>ChaincodeAction.results</c>.</summary>
    public static IReadOnlyList<NamespaceReadWriteSet> ReadAll(ByteString results) =>
    [
        .. TxReadWriteSet.Parser.ParseFrom(results).NsRwset.Select(set => new NamespaceReadWriteSet(
            set.Namespace,
            KVRWSet.Parser.ParseFrom(set.Rwset),
            [
                .. set.CollectionHashedRwset.Select(collection => new CollectionReadWriteSet(
                    collection.CollectionName, HashedRWSet.Parser.ParseFrom(collection.HashedRwset), collection.PvtRwsetHash.Memory)),
            ])),
    ];
}

/// <summary>What a transaction read and wrote in one private collection, as hashes.</summary>
/// <param name="CollectionName">The collection.</param>
/// <param name="Hashed">SHA-256 of keys and values.</param>
/// <param name="PrivateHash">SHA-256 of the private set itself.</param>
public sealed record CollectionReadWriteSet(string CollectionName, HashedRWSet Hashed, ReadOnlyMemory<byte> PrivateHash);

/// <summary>A private write in clear, as a member of its collection may see it.</summary>
/// <param name="Namespace">The chaincode's name.</param>
/// <param name="CollectionName">The collection.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value; null for a delete. A purge is not told apart from a delete here.</param>
public sealed record PrivateWrite(string Namespace, string CollectionName, string Key, ReadOnlyMemory<byte>? Value)
{
    /// <summary>All writes of a private read-write set.</summary>
    public static IReadOnlyList<PrivateWrite> ReadAll(TxPvtReadWriteSet set)
    {
        var writes = new List<PrivateWrite>();
        foreach (var space in set.NsPvtRwset)
        {
            foreach (var collection in space.CollectionPvtRwset)
            {
                foreach (var write in KVRWSet.Parser.ParseFrom(collection.Rwset).Writes)
                {
                    writes.Add(new PrivateWrite(
                        space.Namespace, collection.CollectionName, write.Key, write.IsDelete ? null : write.Value.Memory));
                }
            }
        }

        return writes;
    }
}
