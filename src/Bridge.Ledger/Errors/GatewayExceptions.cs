using System.Text;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;

namespace Bridge.Ledger;

/// <summary>A call to the gateway failed. The kinds below name the stage and carry the transaction id.</summary>
public class GatewayException : Exception
{
    internal GatewayException(string what, GrpcFailure failure)
        : base(Describe(what, failure), failure)
    {
        Code = failure.Code;
        Status = failure.Message;
        Details = failure.Details;
        Endpoint = failure.Endpoint;
        NoAnswer = failure.Origin != GrpcFailureOrigin.Server;
    }

    internal GatewayException(string message, GrpcStatusCode code)
        : base(message)
    {
        Code = code;
        Status = message;
    }

    /// <summary>How the call ended.</summary>
    public GrpcStatusCode Code { get; }

    /// <summary>The server's or the connection's own words.</summary>
    public string Status { get; }

    /// <summary>What the peers or orderers behind the gateway said; empty where nothing was attached.</summary>
    public IReadOnlyList<ErrorDetail> Details { get; } = [];

    /// <summary>host:port of the gateway that was called last; empty where the fault was found on this side.</summary>
    public string Endpoint { get; } = "";

    /// <summary>True where the gateway sent no status: a connection fault or a deadline. Then it is not known what the gateway did.</summary>
    public bool NoAnswer { get; }

    private static string Describe(string what, GrpcFailure failure)
    {
        var text = new StringBuilder($"{what} failed at {failure.Endpoint}: {failure.Code} ({(int)failure.Code}) {failure.Message}");
        foreach (var detail in failure.Details)
            text.Append($"; {detail.MspId} {detail.Address}: {detail.Message}");
        return text.ToString();
    }
}

/// <summary>An evaluation failed: the chaincode refused (<see cref="GrpcStatusCode.Unknown"/>) or could not be asked. Nothing was written.</summary>
public sealed class EvaluateException : GatewayException
{
    internal EvaluateException(string transactionId, GrpcFailure failure)
        : base($"Evaluate of transaction {transactionId}", failure) => TransactionId = transactionId;

    /// <summary>The proposal's transaction id.</summary>
    public string TransactionId { get; }
}

/// <summary>A proposal was not endorsed. Nothing was written, and nothing will be.</summary>
public sealed class EndorseException : GatewayException
{
    internal EndorseException(string transactionId, GrpcFailure failure)
        : base($"Endorse of transaction {transactionId}", failure) => TransactionId = transactionId;

    internal EndorseException(string transactionId, string message)
        : base($"Endorse of transaction {transactionId} failed: {message}", GrpcStatusCode.DataLoss) => TransactionId = transactionId;

    /// <summary>The proposal's transaction id.</summary>
    public string TransactionId { get; }
}

/// <summary>
/// A transaction could not be given to the orderers, or it is not known whether it was: then ask for its commit status, or submit the same
/// bytes again.
/// </summary>
public sealed class SubmitException : GatewayException
{
    internal SubmitException(string transactionId, GrpcFailure failure)
        : base($"Submit of transaction {transactionId}", failure) => TransactionId = transactionId;

    /// <summary>The transaction's id.</summary>
    public string TransactionId { get; }
}

/// <summary>A transaction was submitted, and what became of it is not known yet.</summary>
public sealed class CommitStatusException : GatewayException
{
    internal CommitStatusException(string transactionId, GrpcFailure failure)
        : base($"CommitStatus of transaction {transactionId}", failure) => TransactionId = transactionId;

    /// <summary>The transaction's id.</summary>
    public string TransactionId { get; }
}

/// <summary>A transaction stands in a block and was found invalid: it changed nothing.</summary>
public sealed class CommitException : Exception
{
    internal CommitException(CommitStatus status)
        : base($"Transaction {status.TransactionId} stands invalid in block {status.BlockNumber}: {status.Code} ({(int)status.Code})")
    {
        TransactionId = status.TransactionId;
        Code = status.Code;
        BlockNumber = status.BlockNumber;
    }

    /// <summary>The transaction's id.</summary>
    public string TransactionId { get; }

    /// <summary>Why it is invalid.</summary>
    public TxValidationCode Code { get; }

    /// <summary>The block it stands in.</summary>
    public ulong BlockNumber { get; }
}
