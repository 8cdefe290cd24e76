namespace Bridge.Ledger;

/// <summary>Where a transaction stands: kept as the receipt of what it did.</summary>
/// <param name="TransactionId">Lower-case hex, 64 characters.</param>
/// <param name="BlockNumber">The block it stands in, valid.</param>
public readonly record struct LedgerReceipt(string TransactionId, ulong BlockNumber);

/// <summary>How one attempt at a transaction ended.</summary>
internal enum AttemptEnd
{
    /// <summary>It stands valid in a block.</summary>
    Committed,

    /// <summary>It would write nothing, and was not submitted: without a write it would come under the chaincode's own policy and fail.</summary>
    Nothing,

    /// <summary>It changed nothing because what it had read changed meanwhile: propose it anew.</summary>
    Conflict,

    /// <summary>The contract refused.</summary>
    Refused,

    /// <summary>It changed nothing and will not.</summary>
    Failed,

    /// <summary>It may stand in a block, now or later.</summary>
    Unknown,
}

internal sealed record Attempt(AttemptEnd End, string TransactionId, byte[] Result, ulong BlockNumber, Exception? Failure)
{
    public LedgerReceipt Receipt => new(TransactionId, BlockNumber);
}

/// <summary>Takes a transaction through its stages and repeats what may be repeated, as <see cref="Retry"/> decides.</summary>
internal sealed class LedgerSubmitter(Contract contract, SummaryLedgerOptions options, TimeProvider time)
{
    /// <summary>A conflict is proposed anew, up to the limit.</summary>
    public async Task<Attempt> SubmitAsync(
        UpdateFunction function, ProposalOptions proposal, CancellationToken cancellationToken, Func<byte[], bool>? writesNothing = null)
    {
        for (var attempt = 1; ; attempt++)
        {
            var ended = await TryAsync(function, proposal, cancellationToken, writesNothing);
            if (ended.End != AttemptEnd.Conflict || attempt == options.MaxAttempts)
                return ended;
            await PauseAsync(attempt, cancellationToken);
        }
    }

    /// <summary>One transaction from its proposal to its end.</summary>
    public async Task<Attempt> TryAsync(
        UpdateFunction function, ProposalOptions proposal, CancellationToken cancellationToken, Func<byte[], bool>? writesNothing = null)
    {
        var (transaction, refused) = await EndorseAsync(function, proposal, cancellationToken);
        if (transaction is null)
            return refused!;
        var id = transaction.TransactionId;
        if (writesNothing?.Invoke(transaction.Result) == true)
            return new Attempt(AttemptEnd.Nothing, id, transaction.Result, 0, null);
        Commit commit;
        try
        {
            if (options.BeforeSubmit is { } hook)
                await hook(id, cancellationToken);
        }
        catch (Exception exception)
        {
            return new Attempt(AttemptEnd.Failed, id, [], 0, exception);
        }

        try
        {
            commit = await SubmitAsync(transaction, cancellationToken);
        }
        catch (SubmitException exception) when (Retry.After(exception) == RetryAction.GiveUp)
        {
            return new Attempt(AttemptEnd.Failed, id, [], 0, exception);
        }
        catch (Exception exception) when (exception is SubmitException or OperationCanceledException)
        {
            return new Attempt(AttemptEnd.Unknown, id, [], 0, exception);
        }

        return await AwaitCommitAsync(transaction, commit, cancellationToken);
    }

    private async Task<(Transaction? Transaction, Attempt? Ended)> EndorseAsync(
        UpdateFunction function, ProposalOptions proposal, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var proposed = contract.NewProposal(function.ToString(), proposal);
            try
            {
                return (await proposed.EndorseAsync(cancellationToken), null);
            }
            catch (EndorseException exception)
            {
                var refusal = Refusal.Find(exception);
                var last = attempt == options.MaxAttempts;
                var someOnly = refusal is not null && !Refusal.IsByAll(proposal.EndorsingOrganizations, exception);
                if (refusal is not null && (!someOnly || last))
                {
                    var refused = new LedgerRefusalException(function.ToString(), refusal, exception);
                    // these two are no judgement of what was proposed
                    var end = refusal.Code is RefusalCode.LedgerError or RefusalCode.Internal ? AttemptEnd.Failed : AttemptEnd.Refused;
                    return (null, new Attempt(end, proposed.TransactionId, [], 0, refused));
                }

                var action = someOnly ? RetryAction.SameAgain : Retry.After(exception);
                if (action == RetryAction.NewTransaction)
                    return (null, new Attempt(AttemptEnd.Conflict, proposed.TransactionId, [], 0, exception));
                if (action == RetryAction.GiveUp || last)
                    return (null, new Attempt(AttemptEnd.Failed, proposed.TransactionId, [], 0, exception));
            }

            await PauseAsync(attempt, cancellationToken);
        }
    }

    private async Task<Commit> SubmitAsync(Transaction transaction, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await transaction.SubmitAsync(cancellationToken);
            }
            catch (SubmitException exception)
            {
                switch (Retry.After(exception))
                {
                    case RetryAction.AskCommitStatus:
                        return transaction.NewCommit();
                    case RetryAction.SameAgain when attempt < options.MaxAttempts:
                        break;
                    default:
                        throw;
                }
            }

            await PauseAsync(attempt, cancellationToken);
        }
    }

    private async Task<Attempt> AwaitCommitAsync(Transaction transaction, Commit commit, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var status = await commit.GetStatusAsync(cancellationToken);
                if (status.Successful)
                    return new Attempt(AttemptEnd.Committed, transaction.TransactionId, transaction.Result, status.BlockNumber, null);
                var end = Retry.After(status.Code) == RetryAction.NewTransaction ? AttemptEnd.Conflict : AttemptEnd.Failed;
                return new Attempt(end, transaction.TransactionId, [], status.BlockNumber, new CommitException(status));
            }
            catch (CommitStatusException exception) when (attempt == options.MaxAttempts || Retry.After(exception) == RetryAction.GiveUp
                || exception.Code == GrpcStatusCode.DeadlineExceeded)
            {
                return new Attempt(AttemptEnd.Unknown, transaction.TransactionId, [], 0, exception);
            }
            catch (CommitStatusException)
            {
            }
            catch (OperationCanceledException exception)
            {
                return new Attempt(AttemptEnd.Unknown, transaction.TransactionId, [], 0, exception);
            }

            await PauseAsync(attempt, CancellationToken.None);
        }
    }

    // doubling, with a random part so that many waiters do not come back together
    internal Task PauseAsync(int attempt, CancellationToken cancellationToken)
    {
        var longest = options.FirstPause * Math.Pow(2, Math.Min(attempt - 1, 5));
        return Task.Delay(longest * (0.5 + Random.Shared.NextDouble() / 2), time, cancellationToken);
    }
}
