using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Chaincode;

/// <summary>The chaincode could not be run or did not end the way it must; the message is what a Fabric peer answers.</summary>
internal sealed class ChaincodeException(string message) : Exception(message);

/// <summary>One transaction that runs in a chaincode: its simulation, who asked for it, and the queries it holds open.</summary>
internal sealed class Invocation(string txId, ChannelDefinition definition, Member creator, Simulator simulator) : IDisposable
{
    private readonly Dictionary<string, (bool Read, bool Write)> permissions = new(StringComparer.Ordinal);
    private int nextQuery;

    public string TxId { get; } = txId;

    public ChannelDefinition Definition { get; } = definition;

    public Simulator Simulator { get; } = simulator;

    public Dictionary<string, OpenQuery> Queries { get; } = new(StringComparer.Ordinal);

    public TaskCompletionSource<ChaincodeMessage> Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Private data is read and written by members of the collection only, where it says so.</summary>
    public void RequireReadable(string collection)
    {
        if (!Permissions(collection).Read)
        {
            throw new SimulationException(
                $"tx creator does not have read access permission on privatedata in chaincodeName:{Definition.Chaincode} collectionName: {collection}");
        }
    }

    public void RequireWritable(string collection)
    {
        if (!Permissions(collection).Write)
        {
            throw new SimulationException(
                $"tx creator does not have write access permission on privatedata in chaincodeName:{Definition.Chaincode} collectionName: {collection}");
        }
    }

    public OpenQuery Open(Func<ByteString?> next, Func<string>? bookmark)
    {
        var query = new OpenQuery($"{TxId}-{nextQuery++}", next, bookmark);
        Queries[query.Id] = query;
        return query;
    }

    public void Dispose() => Simulator.Dispose();

    private (bool Read, bool Write) Permissions(string collection)
    {
        if (permissions.TryGetValue(collection, out var known))
            return known;
        var found = Definition.FindCollection(collection)
            ?? throw new SimulationException($"collection {Definition.Channel}/{Definition.Chaincode}/{collection} could not be found");
        var isMember = found.HasMember(creator);
        return permissions[collection] = (isMember || !found.MemberOnlyRead, isMember || !found.MemberOnlyWrite);
    }
}

/// <summary>A query that the chaincode reads batch by batch.</summary>
internal sealed class OpenQuery(string id, Func<ByteString?> next, Func<string>? bookmark)
{
    // A peer's ledger.state.totalQueryLimit, and how many results go to the shim at once.
    private const int TotalLimit = 100_000;
    private const int BatchLimit = 100;

    private List<ByteString> pending = [];
    private int total;

    public string Id { get; } = id;

    public bool IsPaged => bookmark is not null;

    /// <param name="pageSize">0: no page size asked for.</param>
    /// <param name="ended">True when the query has nothing more and is to be forgotten.</param>
    public QueryResponse NextBatch(int pageSize, out bool ended)
    {
        var limit = pageSize > 0 && pageSize < TotalLimit ? pageSize : TotalLimit;
        while (total < limit && next() is { } result)
        {
            total++;
            if (!IsPaged && pending.Count == BatchLimit)
            {
                var batch = pending;
                pending = [result];
                ended = false;
                return Response(batch, hasMore: true);
            }

            pending.Add(result);
        }

        ended = true;
        var response = Response(pending, hasMore: false);
        if (bookmark is not null)
            response.Metadata = new QueryResponseMetadata { FetchedRecordsCount = total, Bookmark = bookmark() }.ToByteString();
        return response;
    }

    private QueryResponse Response(List<ByteString> batch, bool hasMore)
    {
        var response = new QueryResponse { HasMore = hasMore, Id = Id };
        response.Results.AddRange(batch.Select(bytes => new QueryResultBytes { ResultBytes = bytes }));
        return response;
    }
}
