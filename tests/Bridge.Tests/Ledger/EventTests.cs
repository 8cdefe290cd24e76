using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;
using WireEvent = Bridge.Ledger.Protocol.ChaincodeEvent;
using WireEventsRequest = Bridge.Ledger.Protocol.ChaincodeEventsRequest;

namespace Bridge.Tests.Ledger;

/// <summary>Streams against a gateway on a real socket that breaks them where the test says.</summary>
public sealed class EventTests : IAsyncLifetime
{
    private readonly TestIdentity test = new();
    private FakeGateway fake = null!;
    private Gateway gateway = null!;
    private Network network = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        gateway = Gateway.Connect(test.Options(fake.Address));
        network = gateway.GetNetwork("bridge");
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
    }

    [Fact]
    public async Task ChaincodeEvents_Checkpoint_IsInTheSignedRequest()
    {
        SignedChaincodeEventsRequest? signed = null;
        fake.On("ChaincodeEvents", async call =>
        {
            signed = call.Request(SignedChaincodeEventsRequest.Parser);
            await call.AnswerAsync(Block(5, "t2"));
        });

        var seen = await network.GetChaincodeEventsAsync(
            "summaries", new EventOptions { StartBlock = 1, Checkpoint = new Checkpoint(5, "t1") }, Token).ToListAsync(Token);

        var only = Assert.Single(seen);
        Assert.Equal((5UL, "t2", "summaries", "records"), (only.BlockNumber, only.TransactionId, only.ChaincodeName, only.EventName));
        Assert.Equal("payload t2"u8.ToArray(), only.Payload.ToArray());
        Assert.True(test.Signed(signed!.Request.Span, signed.Signature.Span));
        var request = WireEventsRequest.Parser.ParseFrom(signed.Request);
        Assert.Equal("bridge", request.ChannelId);
        Assert.Equal("summaries", request.ChaincodeId);
        Assert.Equal(test.Identity.Creator.ToArray(), request.Identity.ToByteArray());
        Assert.Equal(5UL, request.StartPosition.Specified.Number);
        Assert.Equal("t1", request.AfterTransactionId);
    }

    [Fact]
    public async Task ChaincodeEvents_NoStart_AsksForTheNextCommit()
    {
        WireEventsRequest? request = null;
        fake.On("ChaincodeEvents", call =>
        {
            request = WireEventsRequest.Parser.ParseFrom(call.Request(SignedChaincodeEventsRequest.Parser).Request);
            return call.AnswerAsync(Block(1, "t1"));
        });

        await network.GetChaincodeEventsAsync("summaries", cancellationToken: Token).ToListAsync(Token);

        Assert.Equal(SeekPosition.TypeOneofCase.NextCommit, request!.StartPosition.TypeCase);
        Assert.Empty(request.AfterTransactionId);
    }

    [Fact]
    public async Task ChaincodeEvents_Refused_IsGatewayException()
    {
        fake.On("ChaincodeEvents", call =>
        {
            call.FailAtOnce(GrpcStatusCode.PermissionDenied, "not a reader");
            return Task.CompletedTask;
        });

        var single = await Assert.ThrowsAsync<GatewayException>(
            () => network.GetChaincodeEventsAsync("summaries", cancellationToken: Token).ToListAsync(Token).AsTask());
        var following = await Assert.ThrowsAsync<GatewayException>(() => network.FollowChaincodeEventsAsync(
            "summaries", new EventOptions { StartBlock = 0 }, Token).ToListAsync(Token).AsTask());

        Assert.Equal(GrpcStatusCode.PermissionDenied, single.Code);
        Assert.Equal(GrpcStatusCode.PermissionDenied, following.Code);
    }

    [Fact]
    public async Task ChaincodeEvents_OfflineSigned_GoesWithThatSignature()
    {
        SignedChaincodeEventsRequest? signed = null;
        fake.On("ChaincodeEvents", call =>
        {
            signed = call.Request(SignedChaincodeEventsRequest.Parser);
            return call.AnswerAsync(Block(1, "t1"));
        });
        using var offline = Gateway.Connect(test.Options(fake.Address) with { Signer = null });
        var request = offline.GetNetwork("bridge").NewChaincodeEventsRequest("summaries");

        var again = offline.NewSignedChaincodeEventsRequest(request.Bytes, FabricSignature.Sign(test.Key, request.Digest));
        await again.GetEventsAsync(Token).ToListAsync(Token);

        Assert.True(test.Signed(signed!.Request.Span, signed.Signature.Span));
    }

    [Fact]
    public async Task Follow_StreamBreaksAnywhere_NoGapAndNoDuplicate()
    {
        // 12 blocks of three events; every stream breaks after one more event than the one before, in one of four ways
        var chain = Enumerable.Range(1, 12).Select(n => Block((ulong)n, $"{n}a", $"{n}b", $"{n}c")).ToList();
        var streams = 0;
        fake.On("ChaincodeEvents", async call =>
        {
            var from = WireEventsRequest.Parser.ParseFrom(call.Request(SignedChaincodeEventsRequest.Parser).Request).StartPosition.Specified.Number;
            var number = ++streams;
            foreach (var block in chain.Where(block => block.BlockNumber >= from).Take(1 + number % 3))
            {
                // a block may come in parts: the break then lies inside it
                var cut = number % 4 == 0 ? 2 : block.Events.Count;
                var part = new ChaincodeEventsResponse { BlockNumber = block.BlockNumber };
                part.Events.AddRange(block.Events.Take(cut));
                await call.SendAsync(part);
                if (cut < block.Events.Count)
                    break;
            }

            switch (number % 4)
            {
                case 0:
                    call.Break();
                    break;
                case 1:
                    call.Context.Abort();
                    break;
                case 2:
                    call.End(GrpcStatusCode.Unavailable, "shutting down");
                    break;
                default:
                    call.End();
                    break;
            }
        });

        var seen = new List<string>();
        await foreach (var found in network.FollowChaincodeEventsAsync("summaries", new EventOptions { Checkpoint = new Checkpoint(2, "2a") }, Token))
        {
            seen.Add(found.TransactionId);
            if (found.TransactionId == "12c")
                break;
        }

        Assert.Equal(chain.SelectMany(block => block.Events).Select(found => found.TxId).Skip(4), seen);
        Assert.True(streams > 4);
    }

    [Fact]
    public async Task Follow_CheckpointOfAnotherLedger_SaysSo()
    {
        fake.On("ChaincodeEvents", async call =>
        {
            await call.SendAsync(Block(5, "x"));
            await call.SendAsync(Block(6, "y"));
            await Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });

        var exception = await Assert.ThrowsAsync<CheckpointException>(() => network.FollowChaincodeEventsAsync(
            "summaries", new EventOptions { Checkpoint = new Checkpoint(5, "elsewhere") }, Token).ToListAsync(Token).AsTask());

        Assert.Contains("elsewhere", exception.Message);
    }

    [Fact]
    public async Task Follow_FromNowOn_MissesNothingBetweenFirstConnectionAndBreak()
    {
        var heightAsked = 0;
        var starts = new List<ulong>();
        fake.OnDeliver("DeliverFiltered", async call =>
        {
            heightAsked++;
            await call.SendAsync(new DeliverResponse { FilteredBlock = new FilteredBlock { Number = 9 } });
            await call.AnswerAsync(new DeliverResponse { Status = Status.Success });
        });
        fake.On("ChaincodeEvents", call =>
        {
            var request = WireEventsRequest.Parser.ParseFrom(call.Request(SignedChaincodeEventsRequest.Parser).Request);
            starts.Add(request.StartPosition.Specified.Number);
            if (starts.Count < 3)
            {
                call.FailAtOnce(GrpcStatusCode.Unavailable, "starting");
                return Task.CompletedTask;
            }

            return call.SendAsync(Block(10, "t"));
        });

        await foreach (var found in network.FollowChaincodeEventsAsync("summaries", cancellationToken: Token))
        {
            Assert.Equal("t", found.TransactionId);
            break;
        }

        Assert.Equal([10, 10, 10], starts);
        Assert.Equal(1, heightAsked);
    }

    [Fact]
    public async Task Blocks_AllForms_AreSignedSeeksAndParse()
    {
        var requests = new List<(ChannelHeader Header, SeekInfo Seek)>();
        var block = BlockFormat.NewBlock(3, [1], []);
        void Serve(string method, DeliverResponse response) => fake.OnDeliver(method, call =>
        {
            var envelope = call.Request(Envelope.Parser);
            Assert.True(test.Signed(envelope.Payload.Span, envelope.Signature.Span));
            var payload = Payload.Parser.ParseFrom(envelope.Payload);
            requests.Add((ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader), SeekInfo.Parser.ParseFrom(payload.Data)));
            Assert.Equal(
                test.Identity.Creator.ToArray(),
                SignatureHeader.Parser.ParseFrom(payload.Header.SignatureHeader).Creator.ToByteArray());
            return call.AnswerAsync(response);
        });
        Serve("Deliver", new DeliverResponse { Block = block });
        Serve("DeliverFiltered", new DeliverResponse { FilteredBlock = new FilteredBlock { Number = 3 } });
        Serve("DeliverWithPrivateData", new DeliverResponse { BlockAndPrivateData = new BlockAndPrivateData { Block = block } });
        var from = new EventOptions { StartBlock = 3 };

        Assert.Equal(block, Assert.Single(await network.GetBlockEventsAsync(from, Token).ToListAsync(Token)));
        Assert.Equal(3UL, Assert.Single(await network.GetFilteredBlockEventsAsync(from, Token).ToListAsync(Token)).Number);
        Assert.Equal(block, Assert.Single(await network.GetBlockAndPrivateDataEventsAsync(from, Token).ToListAsync(Token)).Block);

        Assert.All(requests, request =>
        {
            Assert.Equal(((int)HeaderType.DeliverSeekInfo, "bridge"), (request.Header.Type, request.Header.ChannelId));
            Assert.Equal(3UL, request.Seek.Start.Specified.Number);
            Assert.Equal(ulong.MaxValue, request.Seek.Stop.Specified.Number);
            Assert.Equal(SeekInfo.Types.SeekBehavior.BlockUntilReady, request.Seek.Behavior);
        });
    }

    [Theory]
    [InlineData(Status.Forbidden, GrpcStatusCode.PermissionDenied)]
    [InlineData(Status.NotFound, GrpcStatusCode.NotFound)]
    [InlineData(Status.BadRequest, GrpcStatusCode.InvalidArgument)]
    [InlineData(Status.ServiceUnavailable, GrpcStatusCode.Unavailable)]
    public async Task Blocks_StatusInPlaceOfABlock_IsGatewayException(Status status, GrpcStatusCode code)
    {
        fake.OnDeliver("Deliver", call => call.AnswerAsync(new DeliverResponse { Status = status }));

        var exception = await Assert.ThrowsAsync<GatewayException>(
            () => network.GetBlockEventsAsync(cancellationToken: Token).ToListAsync(Token).AsTask());

        Assert.Equal(code, exception.Code);
        Assert.Contains(status.ToString(), exception.Message);
    }

    [Fact]
    public async Task FollowBlocks_StreamBreaks_GoesOnWithTheNextBlock()
    {
        var streams = 0;
        fake.OnDeliver("DeliverWithPrivateData", async call =>
        {
            var seek = SeekInfo.Parser.ParseFrom(Payload.Parser.ParseFrom(call.Request(Envelope.Parser).Payload).Data);
            var first = seek.Start.Specified.Number;
            for (var number = first; number < first + 2; number++)
                await call.SendAsync(new DeliverResponse { BlockAndPrivateData = new BlockAndPrivateData { Block = BlockFormat.NewBlock(number, [], []) } });
            if (streams++ % 2 == 0)
                call.Context.Abort();
            else
                call.End(GrpcStatusCode.Unavailable, "bye");
        });

        var seen = new List<ulong>();
        await foreach (var block in network.FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 4 }, Token))
        {
            seen.Add(block.Number);
            if (seen.Count == 7)
                break;
        }

        Assert.Equal([4, 5, 6, 7, 8, 9, 10], seen);
    }

    [Fact]
    public async Task Stream_ReaderStops_ServerSeesTheEnd()
    {
        var gone = new TaskCompletionSource();
        fake.On("ChaincodeEvents", async call =>
        {
            await call.SendAsync(Block(1, "t1"));
            call.Aborted.Register(gone.SetResult);
            await gone.Task;
        });

        await foreach (var _ in network.GetChaincodeEventsAsync("summaries", cancellationToken: Token))
            break;

        await gone.Task.WaitAsync(TimeSpan.FromMinutes(2), Token);
    }

    private static ChaincodeEventsResponse Block(ulong number, params string[] transactions)
    {
        var response = new ChaincodeEventsResponse { BlockNumber = number };
        response.Events.AddRange(transactions.Select(id => new WireEvent
        {
            ChaincodeId = "summaries",
            TxId = id,
            EventName = "records",
            Payload = ByteString.CopyFromUtf8("payload " + id),
        }));
        return response;
    }
}
