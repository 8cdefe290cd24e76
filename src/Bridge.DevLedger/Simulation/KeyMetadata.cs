using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Simulation;

/// <summary>The metadata of a key, kept as the bytes of its entries (a <c>KVMetadataWrite</c> without key).</summary>
internal static class KeyMetadata
{
    private const string ValidationParameterName = "VALIDATION_PARAMETER";

    public static byte[] Write(IEnumerable<KVMetadataEntry> entries)
    {
        var write = new KVMetadataWrite();
        write.Entries.AddRange(entries);
        return write.ToByteArray();
    }

    public static IReadOnlyList<KVMetadataEntry> Read(byte[]? metadata) =>
        metadata is null ? [] : KVMetadataWrite.Parser.ParseFrom(metadata).Entries;

    /// <summary>Bytes of the key's own endorsement policy (<c>SignaturePolicyEnvelope</c>); null where there is none.</summary>
    public static ByteString? ValidationParameter(byte[]? metadata) =>
        Read(metadata).FirstOrDefault(entry => entry.Name == ValidationParameterName) is { Value.IsEmpty: false } entry ? entry.Value : null;
}

/// <summary>Where Fabric's lifecycle keeps which definition of a chaincode is in force.</summary>
internal static class LifecycleState
{
    public const string Namespace = "_lifecycle";

    public static string SequenceKey(string chaincode) => $"namespaces/fields/{chaincode}/Sequence";
}

/// <summary>Reads one entry of a key's history back from its block.</summary>
internal static class HistoryEntry
{
    public static KeyModification? Read(Block block, int place, string ns, string key)
    {
        var envelope = Envelope.Parser.ParseFrom(block.Data.Data[place]);
        var payload = Payload.Parser.ParseFrom(envelope.Payload);
        var header = ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader);
        if (header.Type != (int)HeaderType.EndorserTransaction)
            return null;
        var action = ChaincodeActionPayload.Parser.ParseFrom(Transaction.Parser.ParseFrom(payload.Data).Actions[0].Payload);
        var response = ProposalResponsePayload.Parser.ParseFrom(action.Action.ProposalResponsePayload);
        var results = TxReadWriteSet.Parser.ParseFrom(ChaincodeAction.Parser.ParseFrom(response.Extension).Results);
        var write = results.NsRwset.Where(set => set.Namespace == ns)
            .SelectMany(set => KVRWSet.Parser.ParseFrom(set.Rwset).Writes)
            .FirstOrDefault(w => w.Key == key);
        return write is null
            ? null
            : new KeyModification { TxId = header.TxId, Value = write.Value, Timestamp = header.Timestamp, IsDelete = write.IsDelete };
    }
}
