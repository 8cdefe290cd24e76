using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json;

namespace Bridge.Ledger;

/// <summary>
/// The contract <c>summaries</c>, one method for each of its functions. Private input goes by the transient map only, to exactly the
/// organisations that may see it; functions that return private content are only ever evaluated. Methods that write return when the
/// transaction stands valid in a block of the gateway's peer, and throw otherwise:
/// <see cref="LedgerRefusalException"/> (by a rule; nothing was written), <see cref="EndorseException"/> and <see cref="CommitException"/>
/// (nothing was written), <see cref="SubmitException"/> and <see cref="CommitStatusException"/> (it may be written, now or later).
/// </summary>
public sealed partial class SummaryLedger
{
    private readonly Gateway gateway;
    private readonly Network network;
    private readonly Contract contract;
    private readonly SummaryLedgerOptions options;
    private readonly LedgerSubmitter submitter;
    private string? portal;

    /// <param name="gateway">Whose identity acts.</param>
    /// <param name="channelName">The channel.</param>
    /// <param name="chaincodeName">The chaincode's name in its definition.</param>
    /// <param name="options">Null: the defaults.</param>
    public SummaryLedger(Gateway gateway, string channelName, string chaincodeName, SummaryLedgerOptions? options = null)
    {
        this.gateway = gateway;
        this.options = options ?? new SummaryLedgerOptions();
        network = gateway.GetNetwork(channelName);
        contract = network.GetContract(chaincodeName);
        portal = this.options.PortalMspId;
        submitter = new LedgerSubmitter(contract, this.options, gateway.Options.TimeProvider);
    }

    /// <summary>The organisation that acts.</summary>
    public string MspId => gateway.Identity.MspId;

    /// <summary>
    /// What all members see as it is committed, without an end and across breaks (<see cref="Network.FollowChaincodeEventsAsync"/>).
    /// </summary>
    /// <param name="from">Where to begin; the checkpoint of the last notices that were handled.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    public async IAsyncEnumerable<RecordNotices> FollowNoticesAsync(
        EventOptions? from = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var found in network.FollowChaincodeEventsAsync(contract.ChaincodeName, from, cancellationToken))
        {
            if (found.EventName != "records")
                continue;
            IReadOnlyList<RecordNotice>? notices = null;
            try
            {
                notices = LedgerJson.Read("event records", found.Payload.ToArray(), LedgerJson.Notices);
            }
            catch (LedgerAnswerException)
            {
                // Its place is passed on all the same: else a follower would begin at it for ever and hear of nothing behind it.
            }

            yield return new RecordNotices(found.Checkpoint, found.TransactionId, found.BlockNumber, notices ?? []) { Unreadable = notices is null };
        }
    }

    /// <summary>What became of a transaction, long after or while it is under way.</summary>
    /// <returns>Null where the ledger did not have it within the gateway's commit-status deadline: it may still come.</returns>
    public async Task<CommitStatus?> FindCommitAsync(string transactionId, CancellationToken cancellationToken = default)
    {
        try
        {
            return await network.NewCommit(transactionId).GetStatusAsync(cancellationToken);
        }
        catch (CommitStatusException exception) when (exception.Code == GrpcStatusCode.DeadlineExceeded)
        {
            return null;
        }
    }

    private async ValueTask<string> PortalAsync(CancellationToken cancellationToken) =>
        portal ??= (await ReadConsortiumAsync(cancellationToken)).Portal;

    private async ValueTask<string[]> HospitalAndPortalAsync(string hospital, CancellationToken cancellationToken) =>
        [hospital, await PortalAsync(cancellationToken)];

    private async Task<(byte[] Result, LedgerReceipt Receipt)> SubmitAsync(
        UpdateFunction function,
        string[] arguments,
        ReadOnlyMemory<byte> input,
        IReadOnlyList<string> endorsers,
        CancellationToken cancellationToken)
    {
        var ended = await submitter.SubmitAsync(function, Proposal(arguments, input, endorsers), cancellationToken);
        if (ended.End != AttemptEnd.Committed)
            ExceptionDispatchInfo.Throw(ended.Failure!);
        return (ended.Result, ended.Receipt);
    }

    private async Task<LedgerReceipt> SubmitForReceiptAsync(
        UpdateFunction function,
        string[] arguments,
        ReadOnlyMemory<byte> input,
        IReadOnlyList<string> endorsers,
        CancellationToken cancellationToken) =>
        (await SubmitAsync(function, arguments, input, endorsers, cancellationToken)).Receipt;

    // a read is answered by the caller's own organisation, which holds all that it may see
    private async Task<byte[]> EvaluateAsync(
        ReadFunction function, string[] arguments, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await contract.EvaluateAsync(function.ToString(), Proposal(arguments, input, [MspId]), cancellationToken);
            }
            catch (EvaluateException exception) when (Refusal.Find(exception) is { } refusal)
            {
                throw new LedgerRefusalException(function.ToString(), refusal, exception);
            }
            catch (EvaluateException exception) when (attempt < options.MaxAttempts && Retry.After(exception) == RetryAction.SameAgain)
            {
            }

            await submitter.PauseAsync(attempt, cancellationToken);
        }
    }

    private async Task<T> EvaluateAsync<T>(
        ReadFunction function, string[] arguments, ReadOnlyMemory<byte> input, Func<JsonElement, T> read, CancellationToken cancellationToken) =>
        LedgerJson.Read(function.ToString(), await EvaluateAsync(function, arguments, input, cancellationToken), read);

    private static ProposalOptions Proposal(string[] arguments, ReadOnlyMemory<byte> input, IReadOnlyList<string> endorsers) => new()
    {
        Arguments = Array.ConvertAll(arguments, static argument => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(argument)),
        TransientData = input.IsEmpty
            ? new Dictionary<string, ReadOnlyMemory<byte>>()
            : new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = input },
        EndorsingOrganizations = endorsers,
    };
}
