using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Xunit;
using ErrorDetail = Bridge.Ledger.ErrorDetail;

namespace Bridge.Tests.Ledger;

public class RetryTests
{
    private static readonly ErrorDetail Differ = new("peer0:7051", "HospitalAMSP", "ProposalResponsePayloads do not match");
    private static readonly ErrorDetail Refuses = new("peer0:7051", "HospitalAMSP", "chaincode response 500, no");

    [Theory]
    [InlineData(TransactionStage.Evaluate, GrpcStatusCode.Unavailable, RetryAction.SameAgain)]
    [InlineData(TransactionStage.Evaluate, GrpcStatusCode.Unknown, RetryAction.GiveUp)]
    [InlineData(TransactionStage.Evaluate, GrpcStatusCode.FailedPrecondition, RetryAction.GiveUp)]
    [InlineData(TransactionStage.Endorse, GrpcStatusCode.Unavailable, RetryAction.SameAgain)]
    [InlineData(TransactionStage.Endorse, GrpcStatusCode.FailedPrecondition, RetryAction.SameAgain)]
    [InlineData(TransactionStage.Endorse, GrpcStatusCode.Aborted, RetryAction.GiveUp)]
    [InlineData(TransactionStage.Endorse, GrpcStatusCode.PermissionDenied, RetryAction.GiveUp)]
    [InlineData(TransactionStage.Submit, GrpcStatusCode.Unavailable, RetryAction.SameAgain)]
    [InlineData(TransactionStage.Submit, GrpcStatusCode.DeadlineExceeded, RetryAction.AskCommitStatus)]
    [InlineData(TransactionStage.Submit, GrpcStatusCode.Aborted, RetryAction.GiveUp)]
    [InlineData(TransactionStage.CommitStatus, GrpcStatusCode.Unavailable, RetryAction.AskCommitStatus)]
    [InlineData(TransactionStage.CommitStatus, GrpcStatusCode.DeadlineExceeded, RetryAction.AskCommitStatus)]
    [InlineData(TransactionStage.CommitStatus, GrpcStatusCode.PermissionDenied, RetryAction.GiveUp)]
    public void After_Code_Decides(TransactionStage stage, GrpcStatusCode code, RetryAction action) =>
        Assert.Equal(action, Retry.After(stage, code, "words", [Refuses]));

    [Fact]
    public void After_PeersDiffer_IsANewTransaction()
    {
        Assert.Equal(RetryAction.NewTransaction, Retry.After(TransactionStage.Endorse, GrpcStatusCode.Aborted, "failed", [Differ]));
        Assert.Equal(RetryAction.GiveUp, Retry.After(TransactionStage.Endorse, GrpcStatusCode.Aborted, "failed", []));
    }

    [Theory]
    [InlineData(TransactionStage.Evaluate)]
    [InlineData(TransactionStage.Endorse)]
    [InlineData(TransactionStage.Submit)]
    [InlineData(TransactionStage.CommitStatus)]
    public void After_Overload_IsSameAgain(TransactionStage stage)
    {
        const string words = "too many requests for /gateway.Gateway, exceeding concurrency limit (500)";
        Assert.Equal(RetryAction.SameAgain, Retry.After(stage, GrpcStatusCode.Unknown, words, []));
        Assert.Equal(RetryAction.SameAgain, Retry.After(stage, GrpcStatusCode.ResourceExhausted, "", []));
    }

    [Theory]
    [InlineData(TxValidationCode.MvccReadConflict, RetryAction.NewTransaction)]
    [InlineData(TxValidationCode.PhantomReadConflict, RetryAction.NewTransaction)]
    [InlineData(TxValidationCode.DuplicateTxid, RetryAction.AskCommitStatus)]
    [InlineData(TxValidationCode.EndorsementPolicyFailure, RetryAction.GiveUp)]
    [InlineData(TxValidationCode.BadCreatorSignature, RetryAction.GiveUp)]
    public void After_ValidationCode_Decides(TxValidationCode code, RetryAction action) => Assert.Equal(action, Retry.After(code));

    [Fact]
    public void After_OtherException_GivesUp() => Assert.Equal(RetryAction.GiveUp, Retry.After(new InvalidOperationException()));
}
