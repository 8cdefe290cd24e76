using Bridge.Ledger.Protocol;

namespace Bridge.Ledger;

/// <summary>A stage of a transaction at which it can fail.</summary>
public enum TransactionStage
{
    /// <summary>A function is run on one peer; nothing is written.</summary>
    Evaluate,

    /// <summary>Endorsements are collected; nothing is written.</summary>
    Endorse,

    /// <summary>An orderer takes the transaction.</summary>
    Submit,

    /// <summary>The commit is waited for.</summary>
    CommitStatus,
}

/// <summary>What to do after a failure.</summary>
public enum RetryAction
{
    /// <summary>Trying again would fail again: hand the failure on.</summary>
    GiveUp,

    /// <summary>Send the same bytes again after a pause. Never harmful: a transaction counts once.</summary>
    SameAgain,

    /// <summary>The transaction changed nothing and never will: propose it anew, from the state as it is now.</summary>
    NewTransaction,

    /// <summary>The transaction may stand in a block: ask for its commit status before anything else.</summary>
    AskCommitStatus,
}

/// <summary>Decides about retries. Pure: how often and how soon is the caller's.</summary>
public static class Retry
{
    private const string PeersDiffer = "ProposalResponsePayloads do not match";
    private const string PeerOverloaded = "too many requests";
    private const string ContractUnreachable = "error in simulation: failed to execute transaction";
    private const string PeerLost = "rpc error: code = Unavailable";

    /// <summary>After a failed call.</summary>
    /// <param name="stage">The call.</param>
    /// <param name="code">How it ended.</param>
    /// <param name="status">The server's words: some failures of Fabric are told from others by nothing else.</param>
    /// <param name="details">What the peers behind it said.</param>
    public static RetryAction After(TransactionStage stage, GrpcStatusCode code, string status, IReadOnlyList<ErrorDetail> details)
    {
        if (IsOverload(code, status))
            return RetryAction.SameAgain;

        return stage switch
        {
            TransactionStage.Evaluate => code switch
            {
                GrpcStatusCode.Unavailable => RetryAction.SameAgain,
                GrpcStatusCode.Aborted when IsPassing(details) => RetryAction.SameAgain,
                _ => RetryAction.GiveUp,
            },
            TransactionStage.Endorse => code switch
            {
                // after a peer's restart no plan can be made until the peers have found each other
                GrpcStatusCode.Unavailable or GrpcStatusCode.FailedPrecondition => RetryAction.SameAgain,
                // peers a block apart read different versions
                GrpcStatusCode.Aborted when Says(PeersDiffer, status, details) => RetryAction.NewTransaction,
                GrpcStatusCode.Aborted when IsPassing(details) => RetryAction.SameAgain,
                _ => RetryAction.GiveUp,
            },
            TransactionStage.Submit => code switch
            {
                GrpcStatusCode.Unavailable => RetryAction.SameAgain,
                GrpcStatusCode.DeadlineExceeded or GrpcStatusCode.Cancelled or GrpcStatusCode.Internal or GrpcStatusCode.Unknown =>
                    RetryAction.AskCommitStatus,
                _ => RetryAction.GiveUp,
            },
            TransactionStage.CommitStatus => code switch
            {
                GrpcStatusCode.Unavailable or GrpcStatusCode.DeadlineExceeded or GrpcStatusCode.Cancelled or GrpcStatusCode.Aborted
                    or GrpcStatusCode.Internal => RetryAction.AskCommitStatus,
                _ => RetryAction.GiveUp,
            },
            _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, "not a stage of a transaction"),
        };
    }

    /// <summary>A peer's refusal of a call that it has not looked at, because it is asked too much.</summary>
    internal static bool IsOverload(GrpcStatusCode code, string status) => code == GrpcStatusCode.ResourceExhausted
        || (code == GrpcStatusCode.Unknown && status.Contains(PeerOverloaded, StringComparison.Ordinal));

    /// <summary>After a commit that found the transaction invalid.</summary>
    public static RetryAction After(TxValidationCode code) => code switch
    {
        // what it had read was changed by another transaction
        TxValidationCode.MvccReadConflict or TxValidationCode.PhantomReadConflict => RetryAction.NewTransaction,
        // it stands in an earlier block too, and that one counts
        TxValidationCode.DuplicateTxid => RetryAction.AskCommitStatus,
        _ => RetryAction.GiveUp,
    };

    /// <summary>After an exception of the gateway; GiveUp for any other.</summary>
    public static RetryAction After(Exception exception) => exception switch
    {
        EvaluateException e => After(TransactionStage.Evaluate, e.Code, e.Status, e.Details),
        EndorseException e => After(TransactionStage.Endorse, e.Code, e.Status, e.Details),
        SubmitException e => After(TransactionStage.Submit, e.Code, e.Status, e.Details),
        CommitStatusException e => After(TransactionStage.CommitStatus, e.Code, e.Status, e.Details),
        CommitException e => After(e.Code),
        _ => RetryAction.GiveUp,
    };

    // A peer that has just gone, or one whose contract's process has: it says so where a refusal would stand.
    private static bool IsPassing(IReadOnlyList<ErrorDetail> details) =>
        details.Any(detail => detail.Message.StartsWith(ContractUnreachable, StringComparison.Ordinal)
            || detail.Message.StartsWith(PeerLost, StringComparison.Ordinal));

    private static bool Says(string words, string status, IReadOnlyList<ErrorDetail> details) =>
        status.Contains(words, StringComparison.Ordinal) || details.Any(detail => detail.Message.Contains(words, StringComparison.Ordinal));
}
