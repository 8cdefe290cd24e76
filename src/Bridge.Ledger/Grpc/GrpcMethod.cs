using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger.Grpc;

/// <summary>One call of the protocol.</summary>
/// <param name="Path">/service/method.</param>
/// <param name="Parser">Reads an answer.</param>
/// <param name="Rank">Who goes first where slots are scarce.</param>
/// <param name="AwaitsBlock">Whether the server may rightly take as long as the deadline: then a deadline says nothing about the endpoint.</param>
internal sealed record GrpcMethod<TResponse>(string Path, MessageParser<TResponse> Parser, CallRank Rank, bool AwaitsBlock = false)
    where TResponse : class, IMessage<TResponse>;

internal static class GatewayMethods
{
    public static readonly GrpcMethod<EvaluateResponse> Evaluate =
        new("/gateway.Gateway/Evaluate", EvaluateResponse.Parser, CallRank.Beginning);

    public static readonly GrpcMethod<EndorseResponse> Endorse =
        new("/gateway.Gateway/Endorse", EndorseResponse.Parser, CallRank.Beginning);

    public static readonly GrpcMethod<SubmitResponse> Submit =
        new("/gateway.Gateway/Submit", SubmitResponse.Parser, CallRank.Finishing);

    public static readonly GrpcMethod<CommitStatusResponse> CommitStatus =
        new("/gateway.Gateway/CommitStatus", CommitStatusResponse.Parser, CallRank.Finishing, AwaitsBlock: true);

    public static readonly GrpcMethod<ChaincodeEventsResponse> ChaincodeEvents =
        new("/gateway.Gateway/ChaincodeEvents", ChaincodeEventsResponse.Parser, CallRank.Beginning, AwaitsBlock: true);

    public static readonly GrpcMethod<DeliverResponse> Deliver =
        new("/protos.Deliver/Deliver", DeliverResponse.Parser, CallRank.Beginning, AwaitsBlock: true);

    public static readonly GrpcMethod<DeliverResponse> DeliverFiltered =
        new("/protos.Deliver/DeliverFiltered", DeliverResponse.Parser, CallRank.Beginning, AwaitsBlock: true);

    public static readonly GrpcMethod<DeliverResponse> DeliverWithPrivateData =
        new("/protos.Deliver/DeliverWithPrivateData", DeliverResponse.Parser, CallRank.Beginning, AwaitsBlock: true);
}
