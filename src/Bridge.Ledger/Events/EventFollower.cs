using System.Runtime.CompilerServices;

namespace Bridge.Ledger;

/// <summary>Takes streams up again after breaks, behind the last thing that was handed out.</summary>
internal static class EventFollower
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    public static async IAsyncEnumerable<ChaincodeEvent> ChaincodeEventsAsync(
        Gateway gateway,
        Network network,
        string chaincodeName,
        EventOptions options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var place = new Place(await StartAsync(gateway, network, options, cancellationToken));
        var pause = TimeSpan.Zero;
        while (true)
        {
            await PauseAsync(gateway, pause, cancellationToken);
            // the whole block is asked for, and its handled part left out here: a peer that does not know the
            // transaction would otherwise leave out everything, for ever and without a word
            var from = new EventOptions { StartBlock = place.Checkpoint.BlockNumber };
            await using var events = network.GetChaincodeEventsAsync(chaincodeName, from, cancellationToken).GetAsyncEnumerator(cancellationToken);
            place.Rewind();
            while (true)
            {
                try
                {
                    if (!await events.MoveNextAsync())
                        break;
                }
                catch (GatewayException exception) when (ResumesAfter(exception))
                {
                    break;
                }

                pause = TimeSpan.Zero;
                if (!place.Passes(events.Current))
                    continue;
                yield return events.Current;
                place.MoveTo(events.Current);
            }

            pause = Longer(pause);
        }
    }

    public static async IAsyncEnumerable<CommittedBlock> BlocksAsync<T>(
        Gateway gateway,
        Network network,
        BlockEventKind<T> kind,
        EventOptions options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        var next = (await StartAsync(gateway, network, options, cancellationToken)).BlockNumber;
        var pause = TimeSpan.Zero;
        while (true)
        {
            await PauseAsync(gateway, pause, cancellationToken);
            var from = new EventOptions { StartBlock = next };
            await using var blocks = kind.Create(gateway, network.Name, from).GetEventsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    if (!await blocks.MoveNextAsync())
                        break;
                }
                catch (GatewayException exception) when (ResumesAfter(exception))
                {
                    break;
                }

                pause = TimeSpan.Zero;
                var block = kind.Read!(blocks.Current);
                if (block.Number != next)
                    throw new GatewayException($"{kind.Method.Path} delivered block {block.Number} in place of {next}", GrpcStatusCode.DataLoss);
                yield return block;
                next++;
            }

            pause = Longer(pause);
        }
    }

    // "from now on" is made a block number at once: after a break it would be a later now
    private static async Task<Checkpoint> StartAsync(
        Gateway gateway, Network network, EventOptions options, CancellationToken cancellationToken)
    {
        if (options.Checkpoint is { } checkpoint)
            return checkpoint;
        if (options.StartBlock is { } block)
            return new Checkpoint(block);
        var pause = TimeSpan.Zero;
        while (true)
        {
            try
            {
                return new Checkpoint(await network.GetHeightAsync(cancellationToken));
            }
            catch (GatewayException exception) when (ResumesAfter(exception))
            {
                pause = Longer(pause);
            }

            await PauseAsync(gateway, pause, cancellationToken);
        }
    }

    // a refusal of the request itself would come again
    private static bool ResumesAfter(GatewayException exception) => exception.Code is not (
        GrpcStatusCode.InvalidArgument or GrpcStatusCode.NotFound or GrpcStatusCode.PermissionDenied or GrpcStatusCode.Unauthenticated
        or GrpcStatusCode.Unimplemented or GrpcStatusCode.FailedPrecondition or GrpcStatusCode.DataLoss);

    private static TimeSpan Longer(TimeSpan pause)
    {
        if (pause == TimeSpan.Zero)
            return FirstPause;
        var twice = pause * 2;
        return twice < LongestPause ? twice : LongestPause;
    }

    private static Task PauseAsync(Gateway gateway, TimeSpan pause, CancellationToken cancellationToken) =>
        pause == TimeSpan.Zero ? Task.CompletedTask : Task.Delay(pause, gateway.Options.TimeProvider, cancellationToken);

    /// <summary>What of a stream of events was handled.</summary>
    private sealed class Place(Checkpoint checkpoint)
    {
        private bool found;

        public Checkpoint Checkpoint { get; private set; } = checkpoint;

        /// <summary>A new stream begins with the checkpoint's block.</summary>
        public void Rewind() => found = Checkpoint.TransactionId is null;

        public bool Passes(ChaincodeEvent next)
        {
            if (next.BlockNumber < Checkpoint.BlockNumber)
                return false;
            if (found)
                return true;
            if (next.BlockNumber > Checkpoint.BlockNumber)
                throw new CheckpointException(Checkpoint);
            found = next.TransactionId == Checkpoint.TransactionId;
            return false;
        }

        public void MoveTo(ChaincodeEvent handled) => Checkpoint = handled.Checkpoint;
    }
}
