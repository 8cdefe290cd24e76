using Bridge.DevLedger.Serving;

namespace Bridge.DevLedger.Endorsing;

/// <summary>How a gateway reads a peer's answer.</summary>
/// <param name="Retry">Another peer may do better; used when evaluating.</param>
internal readonly record struct PeerOutcome(GrpcCode Code, string Message, bool Retry)
{
    /// <param name="isLocal">A peer of another organisation is called over gRPC, where a refusal is an error of the call.</param>
    public static PeerOutcome Of(EndorserReply reply, bool isLocal)
    {
        if (reply.Error is not null)
        {
            return reply.Response is not null && isLocal
                ? new PeerOutcome(GrpcCode.FailedPrecondition, reply.Error, false)
                : new PeerOutcome(GrpcCode.Unavailable, isLocal ? reply.Error : $"rpc error: code = Unknown desc = {reply.Error}", true);
        }

        var response = reply.Response!.Response;
        if (response.Status is >= 200 and < 400)
            return new PeerOutcome(GrpcCode.Ok, "", false);
        return reply.Response.Payload.IsEmpty && response.Status == 500
            ? new PeerOutcome(GrpcCode.Aborted, response.Message, true)
            : new PeerOutcome(GrpcCode.Unknown, $"chaincode response {response.Status}, {response.Message}", false);
    }
}
