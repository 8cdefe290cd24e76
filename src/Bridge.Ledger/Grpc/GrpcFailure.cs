namespace Bridge.Ledger.Grpc;

/// <summary>A call that did not end with status OK. The gateway's own exceptions are made of it.</summary>
internal sealed class GrpcFailure(
    GrpcStatusCode code,
    string status,
    IReadOnlyList<ErrorDetail> details,
    string endpoint,
    GrpcFailureOrigin origin,
    Exception? inner = null) : Exception(status, inner)
{
    public GrpcStatusCode Code { get; } = code;

    public IReadOnlyList<ErrorDetail> Details { get; } = details;

    /// <summary>host:port that was called.</summary>
    public string Endpoint { get; } = endpoint;

    public GrpcFailureOrigin Origin { get; } = origin;
}

internal enum GrpcFailureOrigin
{
    /// <summary>The server sent this status.</summary>
    Server,

    /// <summary>No status came: the connection could not be made, or broke.</summary>
    Connection,

    /// <summary>The deadline passed on this side.</summary>
    Deadline,
}
