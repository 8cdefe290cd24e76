using System.Threading.Channels;
using Bridge.DevLedger.Committing;
using Bridge.DevLedger.Endorsing;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Bridge.DevLedger.Ordering;

/// <summary>When a block is cut.</summary>
/// <param name="Timeout">After the first envelope of a block.</param>
/// <param name="MaxMessages">Envelopes in a block.</param>
/// <param name="PreferredBytes">A block that would pass this is cut before; an envelope larger than it stands alone.</param>
/// <param name="AbsoluteBytes">Envelopes larger than this are refused.</param>
internal sealed record BatchLimits(TimeSpan Timeout, int MaxMessages, int PreferredBytes, int AbsoluteBytes);

/// <summary>Takes envelopes, queues them on the disk, and cuts them into blocks by count, size and time.</summary>
internal sealed class Orderer : IAsyncDisposable
{
    private readonly ChannelDefinition definition;
    private readonly LedgerStore store;
    private readonly Committer committer;
    private readonly BatchLimits limits;
    private readonly TimeProvider clock;
    private readonly ILogger logger;
    private readonly Channel<(long Row, ByteString Envelope)> queue = Channel.CreateUnbounded<(long, ByteString)>();
    private readonly Channel<List<(long Row, ByteString Envelope)>> batches = Channel.CreateBounded<List<(long, ByteString)>>(4);
    private readonly CancellationTokenSource stopping = new();
    private Task work = Task.CompletedTask;

    public Orderer(ChannelDefinition definition, LedgerStore store, Committer committer, BatchLimits limits, TimeProvider clock, ILogger logger)
    {
        this.definition = definition;
        this.store = store;
        this.committer = committer;
        this.limits = limits;
        this.clock = clock;
        this.logger = logger;
    }

    /// <summary>Why no block can be made any more; null while all is well.</summary>
    public string? Failure { get; private set; }

    public async Task StartAsync()
    {
        foreach (var (row, envelope) in await store.ReadPendingAsync())
            queue.Writer.TryWrite((row, ByteString.CopyFrom(envelope)));
        work = Task.WhenAll(Task.Run(CutAsync), Task.Run(CommitAsync));
    }

    /// <summary>
    /// Success: the envelope is queued on the disk and will come into a block, once for each time it is sent.
    /// </summary>
    public async Task<(Status Status, string Info)> BroadcastAsync(Envelope envelope)
    {
        var (status, info) = Check(envelope);
        if (status != Status.Success)
            return (status, info);
        if (Failure is not null)
            return (Status.ServiceUnavailable, Failure);
        var bytes = envelope.ToByteString();
        await store.AddPendingAsync(bytes.ToByteArray(), row => queue.Writer.TryWrite((row, bytes)));
        return (Status.Success, "");
    }

    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await stopping.CancelAsync();
        await work;
        stopping.Dispose();
    }

    private (Status Status, string Info) Check(Envelope envelope)
    {
        if (envelope.Payload.IsEmpty)
            return (Status.BadRequest, "message payload is empty");
        var size = envelope.Payload.Length + envelope.Signature.Length;
        if (size > limits.AbsoluteBytes)
            return (Status.BadRequest, $"message payload is {size} bytes and exceeds maximum allowed {limits.AbsoluteBytes} bytes");
        try
        {
            var header = Payload.Parser.ParseFrom(envelope.Payload).Header ?? new Header();
            var channel = ChannelHeader.Parser.ParseFrom(header.ChannelHeader);
            if (channel.ChannelId != definition.Channel)
                return (Status.NotFound, "channel does not exist");
            if (channel.Type != (int)HeaderType.EndorserTransaction)
                return (Status.BadRequest, $"the dev ledger orders ENDORSER_TRANSACTION only, not {AccessTexts.Name((HeaderType)channel.Type)}");
            var creator = definition.Members.Find(SignatureHeader.Parser.ParseFrom(header.SignatureHeader).Creator);
            if (creator?.IsExpired(clock.GetUtcNow()) == true)
                return (Status.BadRequest, "broadcast client identity expired");
            return creator is not null && ChannelDefinition.MayWrite(creator) && creator.Verify(envelope.Payload.Span, envelope.Signature.Span)
                ? (Status.Success, "")
                : (Status.Forbidden, AccessTexts.ImplicitFailure("Writers") + ": permission denied");
        }
        catch (InvalidProtocolBufferException e)
        {
            return (Status.BadRequest, $"could not determine channel ID: error unmarshalling Payload: {e.Message}");
        }
    }

    private async Task CutAsync()
    {
        var batch = new List<(long Row, ByteString Envelope)>();
        var bytes = 0;
        Task? timeout = null;
        try
        {
            while (true)
            {
                var more = queue.Reader.WaitToReadAsync(stopping.Token).AsTask();
                if (timeout is not null && await Task.WhenAny(more, timeout) == timeout)
                    await CutNowAsync();
                if (!await more)
                    break;
                while (queue.Reader.TryRead(out var item))
                {
                    if (batch.Count > 0 && bytes + item.Envelope.Length > limits.PreferredBytes)
                        await CutNowAsync();
                    batch.Add(item);
                    bytes += item.Envelope.Length;
                    if (batch.Count >= limits.MaxMessages || bytes > limits.PreferredBytes)
                        await CutNowAsync();
                    else
                        timeout ??= Task.Delay(limits.Timeout, clock, stopping.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // what is not cut stays queued on the disk
        }

        batches.Writer.TryComplete();

        async Task CutNowAsync()
        {
            if (batch.Count > 0)
                await batches.Writer.WriteAsync(batch, stopping.Token);
            batch = [];
            bytes = 0;
            timeout = null;
        }
    }

    private async Task CommitAsync()
    {
        await foreach (var batch in batches.Reader.ReadAllAsync())
        {
            if (stopping.IsCancellationRequested)
                return;
            try
            {
                await committer.CommitAsync(batch, stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e)
            {
                // A peer that cannot commit stops rather than lose its place; what is queued comes again at the next start.
                Failure = $"the dev ledger has stopped making blocks: {e.Message}";
                OrdererLog.Failed(logger, e);
                queue.Writer.TryComplete();
                return;
            }
        }
    }
}

internal static partial class OrdererLog
{
    [LoggerMessage(7300, LogLevel.Critical, "A block could not be committed; no more are made. Start the dev ledger again when the cause is mended")]
    public static partial void Failed(ILogger logger, Exception exception);
}
