namespace Bridge.Ledger;

/// <summary>What one endpoint behind the gateway said of a failed call (from <c>grpc-status-details-bin</c>).</summary>
/// <param name="Address">host:port of the peer or orderer.</param>
/// <param name="MspId">Its organisation.</param>
/// <param name="Message">Its words.</param>
public sealed record ErrorDetail(string Address, string MspId, string Message);
