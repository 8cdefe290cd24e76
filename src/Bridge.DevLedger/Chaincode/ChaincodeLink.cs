using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using MessageType = Bridge.Ledger.Protocol.ChaincodeMessage.Types.Type;

namespace Bridge.DevLedger.Chaincode;

/// <summary>
/// One organisation's stream to its contract: dials <c>/protos.Chaincode/Connect</c> as a peer does, and runs any number of transactions over it.
/// </summary>
internal sealed class ChaincodeLink : IAsyncDisposable
{
    private const string StreamTerminated = "chaincode stream terminated";

    private readonly HttpClient client;
    private readonly HttpResponseMessage response;
    private readonly Stream incoming;
    private readonly Channel<ChaincodeMessage> outgoing;
    private readonly ConcurrentDictionary<string, Invocation> running = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource closing = new();
    private readonly ILogger logger;
    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task reading;

    private ChaincodeLink(HttpClient client, HttpResponseMessage response, Stream incoming, Channel<ChaincodeMessage> outgoing, ILogger logger)
    {
        this.client = client;
        this.response = response;
        this.incoming = incoming;
        this.outgoing = outgoing;
        this.logger = logger;
        reading = Task.Run(ReadAsync);
    }

    /// <summary>Completes when the stream has ended, whoever ended it.</summary>
    public Task Ended => reading;

    /// <summary>Dials once and waits until the chaincode has registered.</summary>
    /// <exception cref="HttpRequestException">Nobody answers at the address.</exception>
    public static async Task<ChaincodeLink> ConnectAsync(Uri address, ILogger logger, CancellationToken ct)
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 16 << 20,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        try
        {
            var outgoing = Channel.CreateUnbounded<ChaincodeMessage>(new UnboundedChannelOptions { SingleReader = true });
            var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "/protos.Chaincode/Connect"))
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new DuplexContent(outgoing.Reader),
            };
            request.Headers.TE.ParseAdd("trailers");
            var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            response.EnsureSuccessStatusCode();
            var link = new ChaincodeLink(client, response, await response.Content.ReadAsStreamAsync(ct), outgoing, logger);
            var first = await Task.WhenAny(link.ready.Task, link.reading).WaitAsync(ct);
            return first == link.ready.Task
                ? link
                : throw new HttpRequestException($"{address} ended the stream before its chaincode registered.");
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Runs one transaction; the result is the chaincode's COMPLETED or ERROR message.</summary>
    /// <exception cref="ChaincodeException">It did not end in time, or the chaincode went away.</exception>
    public async Task<ChaincodeMessage> ExecuteAsync(Invocation invocation, ChaincodeInput input, SignedProposal proposal, TimeSpan limit, CancellationToken ct)
    {
        var channel = invocation.Definition.Channel;
        if (!running.TryAdd(invocation.TxId, invocation))
            throw new ChaincodeException($"error sending: txid: {invocation.TxId}({channel}) exists");
        try
        {
            if (reading.IsCompleted)
                throw new ChaincodeException($"error sending: {StreamTerminated}");
            Send(new ChaincodeMessage
            {
                Type = MessageType.Transaction,
                Txid = invocation.TxId,
                ChannelId = channel,
                Payload = input.ToByteString(),
                Proposal = proposal,
            });
            return await invocation.Completed.Task.WaitAsync(limit, ct);
        }
        catch (TimeoutException)
        {
            throw new ChaincodeException("error sending: timeout expired while executing transaction");
        }
        finally
        {
            running.TryRemove(invocation.TxId, out _);
            // A request of this transaction that is just being answered still reads the snapshot.
            lock (invocation)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        outgoing.Writer.TryComplete();
        await closing.CancelAsync();
        response.Dispose();
        client.Dispose();
        await reading;
        await incoming.DisposeAsync();
        closing.Dispose();
    }

    private async Task ReadAsync()
    {
        var header = new byte[5];
        try
        {
            while (true)
            {
                await incoming.ReadExactlyAsync(header, closing.Token);
                var body = new byte[BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(1))];
                await incoming.ReadExactlyAsync(body, closing.Token);
                Receive(ChaincodeMessage.Parser.ParseFrom(body));
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException
            or InvalidProtocolBufferException)
        {
            if (!closing.IsCancellationRequested)
                ChaincodeLog.StreamEnded(logger, e.Message);
        }
        finally
        {
            outgoing.Writer.TryComplete();
            foreach (var invocation in running.Values)
                invocation.Completed.TrySetException(new ChaincodeException($"error sending: {StreamTerminated}"));
        }
    }

    private void Receive(ChaincodeMessage message)
    {
        switch (message.Type)
        {
            case MessageType.Register:
                Send(new ChaincodeMessage { Type = MessageType.Registered });
                Send(new ChaincodeMessage { Type = MessageType.Ready });
                ready.TrySetResult();
                break;
            case MessageType.Completed or MessageType.Error:
                if (running.TryGetValue(message.Txid, out var ended))
                    ended.Completed.TrySetResult(message);
                break;
            case var type when ShimRequests.IsRequest(type):
                AnswerRequest(message);
                break;
            default:
                break; // KEEPALIVE and what later shims may say without waiting for an answer
        }
    }

    private void AnswerRequest(ChaincodeMessage message)
    {
        if (!running.TryGetValue(message.Txid, out var invocation))
        {
            Send(ShimRequests.Answer(message, null));
            return;
        }

        lock (invocation)
        {
            // Completed while this request was under way: its snapshot may be closed.
            Send(ShimRequests.Answer(message, running.ContainsKey(message.Txid) ? invocation : null));
        }
    }

    private void Send(ChaincodeMessage message) => outgoing.Writer.TryWrite(message);
}
