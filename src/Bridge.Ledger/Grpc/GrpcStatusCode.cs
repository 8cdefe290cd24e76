namespace Bridge.Ledger;

/// <summary>The outcome of a gRPC call, by the numbers of the protocol.</summary>
public enum GrpcStatusCode
{
    /// <summary>The call succeeded.</summary>
    Ok = 0,

    /// <summary>The call was given up by one of both sides.</summary>
    Cancelled = 1,

    /// <summary>Evaluate: the chaincode refused. Otherwise also the peer's concurrency limit.</summary>
    Unknown = 2,

    /// <summary>The request is malformed.</summary>
    InvalidArgument = 3,

    /// <summary>The deadline passed; what the call asked for may have happened.</summary>
    DeadlineExceeded = 4,

    /// <summary>Something named in the request does not exist.</summary>
    NotFound = 5,

    /// <summary>Something to be created exists.</summary>
    AlreadyExists = 6,

    /// <summary>The identity may not do this.</summary>
    PermissionDenied = 7,

    /// <summary>A limit is reached.</summary>
    ResourceExhausted = 8,

    /// <summary>Unknown chaincode, or no combination of peers satisfies the policies.</summary>
    FailedPrecondition = 9,

    /// <summary>Endorse: a chaincode refused, or the peers' answers differ.</summary>
    Aborted = 10,

    /// <summary>A position past the end.</summary>
    OutOfRange = 11,

    /// <summary>The server does not know the call.</summary>
    Unimplemented = 12,

    /// <summary>The server or the protocol broke.</summary>
    Internal = 13,

    /// <summary>No connection, no orderer, an unknown channel or a named endorser that is down.</summary>
    Unavailable = 14,

    /// <summary>Data is lost or was exchanged on its way.</summary>
    DataLoss = 15,

    /// <summary>The caller is not known.</summary>
    Unauthenticated = 16,
}
