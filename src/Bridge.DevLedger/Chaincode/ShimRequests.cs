using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using MessageType = Bridge.Ledger.Protocol.ChaincodeMessage.Types.Type;

namespace Bridge.DevLedger.Chaincode;

/// <summary>Answers what a running chaincode asks its peer: state, private data, metadata, queries, history.</summary>
internal static class ShimRequests
{
    public static bool IsRequest(MessageType type) => type is
        MessageType.GetState or MessageType.PutState or MessageType.DelState or MessageType.InvokeChaincode
        or MessageType.GetStateByRange or MessageType.GetQueryResult or MessageType.QueryStateNext or MessageType.QueryStateClose
        or MessageType.GetHistoryForKey or MessageType.GetStateMetadata or MessageType.PutStateMetadata
        or MessageType.GetPrivateDataHash or MessageType.PurgePrivateData;

    public static ChaincodeMessage Answer(ChaincodeMessage request, Invocation? invocation)
    {
        var answer = new ChaincodeMessage { Txid = request.Txid, ChannelId = request.ChannelId };
        try
        {
            if (invocation is null)
                throw new SimulationException("no ledger context");
            answer.Payload = Handle(request, invocation);
            answer.Type = MessageType.Response;
        }
        catch (Exception e) when (e is SimulationException or InvalidProtocolBufferException)
        {
            var message = e is InvalidProtocolBufferException ? $"unmarshal failed: {e.Message}" : e.Message;
            answer.Type = MessageType.Error;
            answer.Payload = ByteString.CopyFromUtf8($"{Name(request.Type)} failed: transaction ID: {request.Txid}: {message}");
        }

        return answer;
    }

    private static ByteString Handle(ChaincodeMessage request, Invocation invocation)
    {
        var simulator = invocation.Simulator;
        switch (request.Type)
        {
            case MessageType.GetState:
                {
                    var get = GetState.Parser.ParseFrom(request.Payload);
                    if (get.Collection.Length == 0)
                        return Bytes(simulator.GetState(get.Key));
                    invocation.RequireReadable(get.Collection);
                    return Bytes(simulator.GetPrivateData(get.Collection, get.Key));
                }

            case MessageType.GetPrivateDataHash:
                {
                    var get = GetState.Parser.ParseFrom(request.Payload);
                    return Bytes(simulator.GetPrivateDataHash(get.Collection, get.Key));
                }

            case MessageType.PutState:
                {
                    var put = PutState.Parser.ParseFrom(request.Payload);
                    Put(invocation, put.Collection, put.Key, put.Value);
                    return ByteString.Empty;
                }

            case MessageType.DelState:
                {
                    var delete = DelState.Parser.ParseFrom(request.Payload);
                    Put(invocation, delete.Collection, delete.Key, ByteString.Empty);
                    return ByteString.Empty;
                }

            case MessageType.PurgePrivateData:
                {
                    var purge = PurgePrivateState.Parser.ParseFrom(request.Payload);
                    if (purge.Collection.Length == 0)
                        throw new SimulationException("only applicable for private data");
                    invocation.RequireWritable(purge.Collection);
                    simulator.PutPrivateData(purge.Collection, purge.Key, ByteString.Empty, purge: true);
                    return ByteString.Empty;
                }

            case MessageType.GetStateMetadata:
                {
                    var get = GetStateMetadata.Parser.ParseFrom(request.Payload);
                    if (get.Collection.Length > 0)
                        invocation.RequireReadable(get.Collection);
                    var metadata = get.Collection.Length == 0
                        ? simulator.GetStateMetadata(get.Key)
                        : simulator.GetPrivateDataMetadata(get.Collection, get.Key);
                    var result = new StateMetadataResult();
                    result.Entries.AddRange(KeyMetadata.Read(metadata).Select(entry => new StateMetadata { Metakey = entry.Name, Value = entry.Value }));
                    return result.ToByteString();
                }

            case MessageType.PutStateMetadata:
                {
                    var put = PutStateMetadata.Parser.ParseFrom(request.Payload);
                    if (put.Collection.Length == 0)
                    {
                        simulator.PutStateMetadata(put.Key, put.Metadata.Metakey, put.Metadata.Value);
                    }
                    else
                    {
                        invocation.RequireWritable(put.Collection);
                        simulator.PutPrivateDataMetadata(put.Collection, put.Key, put.Metadata.Metakey, put.Metadata.Value);
                    }

                    return ByteString.Empty;
                }

            case MessageType.GetStateByRange:
                return OpenRange(invocation, GetStateByRange.Parser.ParseFrom(request.Payload));
            case MessageType.GetQueryResult:
                {
                    var query = GetQueryResult.Parser.ParseFrom(request.Payload);
                    if (query.Collection.Length > 0)
                        invocation.RequireReadable(query.Collection);
                    simulator.RefuseRichQuery(query.Collection, IsPaged(Metadata(query.Metadata)));
                    return ByteString.Empty;
                }

            case MessageType.GetHistoryForKey:
                {
                    var entries = simulator.GetHistory(GetHistoryForKey.Parser.ParseFrom(request.Payload).Key).GetEnumerator();
                    return NextBatch(invocation, invocation.Open(() => entries.MoveNext() ? entries.Current.ToByteString() : null, null), 0);
                }

            case MessageType.QueryStateNext:
                {
                    var id = QueryStateNext.Parser.ParseFrom(request.Payload).Id;
                    return invocation.Queries.TryGetValue(id, out var query)
                        ? NextBatch(invocation, query, 0)
                        : throw new SimulationException("query iterator not found");
                }

            case MessageType.QueryStateClose:
                {
                    var id = QueryStateClose.Parser.ParseFrom(request.Payload).Id;
                    invocation.Queries.Remove(id);
                    return new QueryResponse { Id = id }.ToByteString();
                }

            case MessageType.InvokeChaincode:
                throw RefuseInvocation(invocation, request);
            default:
                throw new SimulationException($"message type {request.Type} is not known");
        }
    }

    private static void Put(Invocation invocation, string collection, string key, ByteString value)
    {
        if (collection.Length == 0)
        {
            invocation.Simulator.PutState(key, value);
            return;
        }

        invocation.RequireWritable(collection);
        invocation.Simulator.PutPrivateData(collection, key, value, purge: false);
    }

    private static ByteString OpenRange(Invocation invocation, GetStateByRange request)
    {
        var metadata = Metadata(request.Metadata);
        if (request.Collection.Length > 0)
        {
            invocation.RequireReadable(request.Collection);
            var rows = invocation.Simulator.OpenPrivateRange(request.Collection, request.StartKey, request.EndKey);
            return NextBatch(
                invocation, invocation.Open(() => rows.MoveNext() ? Row(invocation, rows.Current) : null, null), metadata?.PageSize ?? 0);
        }

        var paged = IsPaged(metadata);
        var start = paged && metadata!.Bookmark.Length > 0 ? metadata.Bookmark : request.StartKey;
        var scan = invocation.Simulator.OpenRange(start, request.EndKey, paged ? metadata!.PageSize : 0, paged);
        var query = invocation.Open(() => scan.Next() is { } row ? Row(invocation, row) : null, paged ? scan.Bookmark : null);
        return NextBatch(invocation, query, metadata?.PageSize ?? 0);
    }

    private static ByteString NextBatch(Invocation invocation, OpenQuery query, int pageSize)
    {
        var response = query.NextBatch(pageSize, out var ended);
        if (ended)
            invocation.Queries.Remove(query.Id);
        return response.ToByteString();
    }

    private static ByteString Row(Invocation invocation, VersionedKey row) => new KV
    {
        Namespace = invocation.Definition.Chaincode,
        Key = row.Key,
        Value = ByteString.CopyFrom(row.Value.Value),
    }.ToByteString();

    private static SimulationException RefuseInvocation(Invocation invocation, ChaincodeMessage request)
    {
        var target = ChaincodeSpec.Parser.ParseFrom(request.Payload).ChaincodeId?.Name ?? "";
        var parts = target.Split('/', 2);
        var name = parts[0].Split(':', 2)[0];
        var channel = parts.Length == 2 ? parts[1] : invocation.Definition.Channel;
        if (channel != invocation.Definition.Channel)
            return new SimulationException($"failed to find ledger for channel: {channel}");
        return name == invocation.Definition.Chaincode
            ? new SimulationException($"execute failed: error sending: txid: {request.Txid}({channel}) exists")
            : new SimulationException(
                $"execute failed: invalid invocation: [channel {channel}] failed to get chaincode container info for {name}: chaincode {name} not found");
    }

    private static QueryMetadata? Metadata(ByteString bytes) => bytes.IsEmpty ? null : QueryMetadata.Parser.ParseFrom(bytes);

    private static bool IsPaged(QueryMetadata? metadata) => metadata is not null && (metadata.PageSize != 0 || metadata.Bookmark.Length > 0);

    private static ByteString Bytes(byte[]? value) => value is null ? ByteString.Empty : ByteString.CopyFrom(value);

    private static string Name(MessageType type) =>
        ChaincodeMessage.Descriptor.EnumTypes[0].FindValueByNumber((int)type)?.Name ?? type.ToString();
}
