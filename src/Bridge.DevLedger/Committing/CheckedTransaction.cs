using Bridge.DevLedger.Endorsing;
using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Committing;

/// <summary>The reads and writes of one namespace, unpacked.</summary>
internal sealed record NamespaceSet(string Name, KVRWSet Public, IReadOnlyList<(string Name, HashedRWSet Set, ByteString PrivateHash)> Collections)
{
    public bool Writes => Public.Writes.Count + Public.MetadataWrites.Count > 0
        || Collections.Any(c => c.Set.HashedWrites.Count + c.Set.MetadataWrites.Count > 0);
}

/// <summary>
/// A transaction of a block with everything checked that needs no state: form, creator, ids, hashes, and which endorsements are genuine.
/// Independent of its neighbours, so a block's transactions are checked in parallel.
/// </summary>
internal sealed class CheckedTransaction
{
    private CheckedTransaction(TxValidationCode code, string txId) => (Code, TxId) = (code, txId);

    /// <summary>Changed by the later stages.</summary>
    public TxValidationCode Code { get; set; }

    /// <summary>Empty when it could not be read.</summary>
    public string TxId { get; private init; }

    public IReadOnlyList<NamespaceSet> Sets { get; private init; } = [];

    /// <summary>Who signed the endorsement, each once, signatures verified.</summary>
    public IReadOnlyList<Member> Endorsers { get; private init; } = [];

    public static CheckedTransaction Check(ByteString envelopeBytes, ChannelDefinition definition)
    {
        Envelope envelope;
        Payload payload;
        ChannelHeader channelHeader;
        SignatureHeader signatureHeader;
        try
        {
            envelope = Envelope.Parser.ParseFrom(envelopeBytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.InvalidOtherReason);
        }

        try
        {
            payload = Payload.Parser.ParseFrom(envelope.Payload);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.BadPayload);
        }

        try
        {
            if (payload.Header is null)
                return Invalid(TxValidationCode.BadCommonHeader);
            channelHeader = ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader);
            signatureHeader = SignatureHeader.Parser.ParseFrom(payload.Header.SignatureHeader);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.BadCommonHeader);
        }

        var txId = channelHeader.TxId;
        if (channelHeader.Type is not ((int)HeaderType.EndorserTransaction or (int)HeaderType.Config or (int)HeaderType.ConfigUpdate)
            || channelHeader.Epoch != 0 || signatureHeader.Nonce.IsEmpty || signatureHeader.Creator.IsEmpty)
        {
            return Invalid(TxValidationCode.BadCommonHeader, txId);
        }

        var creator = definition.Members.Find(signatureHeader.Creator);
        if (creator is not { Fault: null } || !creator.Verify(envelope.Payload.Span, envelope.Signature.Span))
            return Invalid(TxValidationCode.BadCreatorSignature, txId);
        if (channelHeader.Type != (int)HeaderType.EndorserTransaction)
            return Invalid(TxValidationCode.UnsupportedTxPayload, txId);
        if (txId != UnpackedProposal.TransactionId(signatureHeader.Nonce, signatureHeader.Creator))
            return Invalid(TxValidationCode.BadProposalTxid, txId);
        return CheckAction(payload, channelHeader, definition);
    }

    private static CheckedTransaction CheckAction(Payload payload, ChannelHeader channelHeader, ChannelDefinition definition)
    {
        var txId = channelHeader.TxId;
        ChaincodeEndorsedAction action;
        ProposalResponsePayload response;
        try
        {
            var transaction = Transaction.Parser.ParseFrom(payload.Data);
            if (transaction.Actions.Count != 1)
                return Invalid(TxValidationCode.InvalidEndorserTransaction, txId);
            var actionHeader = SignatureHeader.Parser.ParseFrom(transaction.Actions[0].Header);
            if (actionHeader.Nonce.IsEmpty || actionHeader.Creator.IsEmpty)
                return Invalid(TxValidationCode.InvalidEndorserTransaction, txId);
            var actionPayload = ChaincodeActionPayload.Parser.ParseFrom(transaction.Actions[0].Payload);
            action = actionPayload.Action ?? new ChaincodeEndorsedAction();
            response = ProposalResponsePayload.Parser.ParseFrom(action.ProposalResponsePayload);
            var header = new Header { ChannelHeader = payload.Header.ChannelHeader, SignatureHeader = transaction.Actions[0].Header };
            // As Fabric: the hash is over what the payload reads back to, so a transient map in it would not match.
            var content = UnpackedProposal.WithoutTransient(ChaincodeProposalPayload.Parser.ParseFrom(actionPayload.ChaincodeProposalPayload));
            if (!response.ProposalHash.Span.SequenceEqual(UnpackedProposal.TransactionHash(header, content)))
                return Invalid(TxValidationCode.InvalidEndorserTransaction, txId);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.InvalidEndorserTransaction, txId);
        }

        ChaincodeAction result;
        string chaincode;
        try
        {
            chaincode = ChaincodeHeaderExtension.Parser.ParseFrom(channelHeader.Extension).ChaincodeId?.Name ?? "";
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.BadHeaderExtension, txId);
        }

        try
        {
            result = ChaincodeAction.Parser.ParseFrom(response.Extension);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.BadResponsePayload, txId);
        }

        List<NamespaceSet> sets;
        try
        {
            sets = Unpack(result.Results);
        }
        catch (InvalidProtocolBufferException)
        {
            return Invalid(TxValidationCode.BadRwset, txId);
        }

        if (result.ChaincodeId is null)
            return Invalid(TxValidationCode.InvalidOtherReason, txId);
        if (chaincode != definition.Chaincode || chaincode != result.ChaincodeId.Name || result.ChaincodeId.Version.Length == 0)
            return Invalid(TxValidationCode.InvalidChaincode, txId);
        if (!EventBelongs(result.Events, chaincode))
            return Invalid(TxValidationCode.InvalidOtherReason, txId);
        if (sets.DistinctBy(set => set.Name).Count() != sets.Count)
            return Invalid(TxValidationCode.IllegalWriteset, txId);
        return new CheckedTransaction(TxValidationCode.NotValidated, txId)
        {
            Sets = sets,
            Endorsers = GenuineEndorsers(action, definition),
        };
    }

    private static List<NamespaceSet> Unpack(ByteString results) =>
        TxReadWriteSet.Parser.ParseFrom(results).NsRwset
            .Select(ns => new NamespaceSet(
                ns.Namespace,
                KVRWSet.Parser.ParseFrom(ns.Rwset),
                ns.CollectionHashedRwset
                    .Select(c => (c.CollectionName, HashedRWSet.Parser.ParseFrom(c.HashedRwset), c.PvtRwsetHash))
                    .ToList()))
            .ToList();

    private static bool EventBelongs(ByteString bytes, string chaincode)
    {
        if (bytes.IsEmpty)
            return true;
        try
        {
            return ChaincodeEvent.Parser.ParseFrom(bytes).ChaincodeId == chaincode;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private static List<Member> GenuineEndorsers(ChaincodeEndorsedAction action, ChannelDefinition definition)
    {
        var endorsers = new List<Member>();
        foreach (var endorsement in action.Endorsements)
        {
            var member = definition.Members.Find(endorsement.Endorser);
            if (member is null || endorsers.Any(e => e.MspId == member.MspId && e.Thumbprint == member.Thumbprint))
                continue;
            if (member.Verify([.. action.ProposalResponsePayload.Span, .. endorsement.Endorser.Span], endorsement.Signature.Span))
                endorsers.Add(member);
        }

        return endorsers;
    }

    private static CheckedTransaction Invalid(TxValidationCode code, string txId = "") => new(code, txId);
}
