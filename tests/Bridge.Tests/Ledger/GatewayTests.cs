using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.Ledger;

/// <summary>The stages of a transaction against a gateway on a real socket.</summary>
public sealed class GatewayTests : IAsyncLifetime
{
    private static readonly Bridge.Ledger.ErrorDetail Detail = new("peer0:7051", "HospitalAMSP", "chaincode response 500, né");
    private readonly TestIdentity test = new();
    private FakeGateway fake = null!;
    private Gateway gateway = null!;
    private Contract contract = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        gateway = Gateway.Connect(test.Options(fake.Address));
        contract = gateway.GetNetwork("bridge").GetContract("summaries");
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
    }

    [Fact]
    public async Task Evaluate_Answer_IsThePayloadAndRequestIsSigned()
    {
        EvaluateRequest? seen = null;
        fake.On("Evaluate", call =>
        {
            seen = call.Request(EvaluateRequest.Parser);
            return call.AnswerAsync(new EvaluateResponse { Result = new Response { Status = 200, Payload = ByteString.CopyFromUtf8("answer") } });
        });

        var answer = await contract.EvaluateAsync(
            "Read",
            new ProposalOptions
            {
                Arguments = ["one"u8.ToArray()],
                TransientData = new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = "secret"u8.ToArray() },
                EndorsingOrganizations = ["HospitalAMSP"],
            },
            Token);

        Assert.Equal("answer", Encoding.UTF8.GetString(answer));
        Assert.Equal("bridge", seen!.ChannelId);
        Assert.Equal(["HospitalAMSP"], seen.TargetOrganizations);
        Assert.True(test.Signed(seen.ProposedTransaction.ProposalBytes.Span, seen.ProposedTransaction.Signature.Span));
        var (arguments, transient) = FakeEndorser.Call(seen.ProposedTransaction);
        Assert.Equal(["Read", "one"], arguments);
        Assert.Equal("secret", transient["input"]);
        var (channel, signature) = FakeEndorser.Headers(seen.ProposedTransaction);
        Assert.Equal(seen.TransactionId, channel.TxId);
        Assert.Equal(seen.TransactionId, ProposalBuilder.TransactionId(signature.Nonce.Span, signature.Creator.Span));
    }

    [Fact]
    public async Task Submit_AllStages_ReturnsResultAndSignsEnvelopeAndStatusRequest()
    {
        EndorseRequest? endorse = null;
        SubmitRequest? submit = null;
        SignedCommitStatusRequest? status = null;
        fake.On("Endorse", call => call.AnswerAsync(FakeEndorser.Endorse(endorse = call.Request(EndorseRequest.Parser), "result")));
        fake.On("Submit", call =>
        {
            submit = call.Request(SubmitRequest.Parser);
            return call.AnswerAsync(new SubmitResponse());
        });
        fake.On("CommitStatus", call =>
        {
            status = call.Request(SignedCommitStatusRequest.Parser);
            return call.AnswerAsync(new CommitStatusResponse { Result = TxValidationCode.Valid, BlockNumber = 7 });
        });

        var answer = await contract.SubmitAsync("Anchor", new ProposalOptions { EndorsingOrganizations = ["A", "P"] }, Token);

        Assert.Equal("result", Encoding.UTF8.GetString(answer));
        Assert.Equal(["A", "P"], endorse!.EndorsingOrganizations);
        Assert.Equal(endorse.TransactionId, submit!.TransactionId);
        Assert.Equal("bridge", submit.ChannelId);
        Assert.True(test.Signed(submit.PreparedTransaction.Payload.Span, submit.PreparedTransaction.Signature.Span));
        Assert.True(test.Signed(status!.Request.Span, status.Signature.Span));
        var asked = CommitStatusRequest.Parser.ParseFrom(status.Request);
        Assert.Equal(endorse.TransactionId, asked.TransactionId);
        Assert.Equal("bridge", asked.ChannelId);
        Assert.Equal(test.Identity.Creator.ToArray(), asked.Identity.ToByteArray());
        Assert.Equal(1, fake.Connections);
    }

    [Fact]
    public async Task Contract_Named_PrefixesTheFunction()
    {
        string[]? seen = null;
        fake.On("Evaluate", call =>
        {
            seen = FakeEndorser.Call(call.Request(EvaluateRequest.Parser).ProposedTransaction).Arguments;
            return call.AnswerAsync(new EvaluateResponse());
        });

        var answer = await gateway.GetNetwork("bridge").GetContract("summaries", "Directory").EvaluateTransactionAsync("Read", "a", "b");

        Assert.Empty(answer);
        Assert.Equal(["Directory:Read", "a", "b"], seen!);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Evaluate_Refused_CarriesCodeWordsAndDetails(bool trailersOnly)
    {
        fake.On("Evaluate", call => FailAsync(call, trailersOnly, GrpcStatusCode.Unknown, "evaluate call to endorser returned error"));

        var exception = await Assert.ThrowsAsync<EvaluateException>(() => contract.EvaluateAsync("Read", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.Unknown, exception.Code);
        Assert.Equal("evaluate call to endorser returned error", exception.Status);
        Assert.Equal([Detail], exception.Details);
        Assert.Equal(fake.Address.Authority, exception.Endpoint);
        Assert.False(exception.NoAnswer);
        Assert.Contains(exception.TransactionId, exception.Message);
        Assert.Contains(Detail.Message, exception.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Endorse_Refused_IsEndorseException(bool trailersOnly)
    {
        fake.On("Endorse", call => FailAsync(call, trailersOnly, GrpcStatusCode.Aborted, "failed to endorse transaction"));

        var exception = await Assert.ThrowsAsync<EndorseException>(() => contract.SubmitAsync("Anchor", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.Aborted, exception.Code);
        Assert.Equal([Detail], exception.Details);
        Assert.Equal(64, exception.TransactionId.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Submit_Refused_IsSubmitException(bool trailersOnly)
    {
        string? id = null;
        fake.On("Endorse", call =>
        {
            var request = call.Request(EndorseRequest.Parser);
            id = request.TransactionId;
            return call.AnswerAsync(FakeEndorser.Endorse(request, "result"));
        });
        fake.On("Submit", call => FailAsync(call, trailersOnly, GrpcStatusCode.Unavailable, "no orderers could successfully process transaction"));

        var exception = await Assert.ThrowsAsync<SubmitException>(() => contract.SubmitAsync("Anchor", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.Unavailable, exception.Code);
        Assert.Equal(id, exception.TransactionId);
        Assert.Equal(RetryAction.SameAgain, Retry.After(exception));
    }

    [Fact]
    public async Task CommitStatus_Refused_IsCommitStatusExceptionAndMayBeAskedAgain()
    {
        Committing(TxValidationCode.Valid);
        var submitted = await contract.StartSubmitAsync("Anchor", cancellationToken: Token);
        fake.On("CommitStatus", call => FailAsync(call, true, GrpcStatusCode.Aborted, "shutting down"));

        var exception = await Assert.ThrowsAsync<CommitStatusException>(() => submitted.GetStatusAsync(Token));

        Assert.Equal(submitted.TransactionId, exception.TransactionId);
        Committing(TxValidationCode.Valid);
        Assert.True((await submitted.GetStatusAsync(Token)).Successful);
    }

    [Fact]
    public async Task Submit_InvalidInBlock_IsCommitExceptionWithTheCode()
    {
        Committing(TxValidationCode.MvccReadConflict);

        var exception = await Assert.ThrowsAsync<CommitException>(() => contract.SubmitAsync("Anchor", cancellationToken: Token));

        Assert.Equal(TxValidationCode.MvccReadConflict, exception.Code);
        Assert.Equal(7UL, exception.BlockNumber);
        Assert.Equal(RetryAction.NewTransaction, Retry.After(exception));
    }

    [Fact]
    public async Task Endorse_AnotherTransactionReturned_IsNeverSigned()
    {
        var tampers = new Action<Header, ChaincodeActionPayload>[]
        {
            (header, _) => header.ChannelHeader = ByteString.CopyFromUtf8("x"),
            (header, _) => header.SignatureHeader = ByteString.CopyFromUtf8("x"),
            (_, action) => action.ChaincodeProposalPayload = new ChaincodeProposalPayload { Input = ByteString.CopyFromUtf8("x") }.ToByteString(),
            (_, action) => action.Action.ProposalResponsePayload =
                new ProposalResponsePayload { ProposalHash = ByteString.CopyFrom(new byte[32]) }.ToByteString(),
            (_, action) => action.Action = null,
        };
        foreach (var tamper in tampers)
        {
            fake.On("Endorse", call => call.AnswerAsync(FakeEndorser.Endorse(call.Request(EndorseRequest.Parser), "result", tamper)));

            var exception = await Assert.ThrowsAsync<EndorseException>(
                () => contract.NewProposal("Anchor").EndorseAsync(Token));

            Assert.Equal(GrpcStatusCode.DataLoss, exception.Code);
        }
    }

    [Fact]
    public async Task Endorse_UnreadableAnswer_IsEndorseException()
    {
        fake.On("Endorse", call => call.AnswerAsync(new EndorseResponse()));
        await Assert.ThrowsAsync<EndorseException>(() => contract.NewProposal("Anchor").EndorseAsync(Token));

        fake.On("Endorse", call => call.AnswerAsync(new EndorseResponse
        {
            PreparedTransaction = new Envelope { Payload = ByteString.CopyFromUtf8("not protobuf") },
        }));
        await Assert.ThrowsAsync<EndorseException>(() => contract.NewProposal("Anchor").EndorseAsync(Token));
    }

    [Fact]
    public async Task OfflineSigning_EveryStage_SendsTheSignaturesMadeElsewhere()
    {
        Committing(TxValidationCode.Valid);
        SignedCommitStatusRequest? status = null;
        fake.On("CommitStatus", call =>
        {
            status = call.Request(SignedCommitStatusRequest.Parser);
            return call.AnswerAsync(new CommitStatusResponse { BlockNumber = 9 });
        });
        using var offline = Gateway.Connect(test.Options(fake.Address) with { Signer = null });
        byte[] Elsewhere(byte[] digest) => FabricSignature.Sign(test.Key, digest);

        var proposal = offline.GetNetwork("bridge").GetContract("summaries").NewProposal("Anchor");
        await Assert.ThrowsAsync<InvalidOperationException>(() => proposal.EndorseAsync(Token));
        var signedProposal = offline.NewSignedProposal(proposal.Bytes, Elsewhere(proposal.Digest));
        var transaction = await signedProposal.EndorseAsync(Token);
        await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.SubmitAsync(Token));
        var signedTransaction = offline.NewSignedTransaction(transaction.Bytes, Elsewhere(transaction.Digest));
        var commit = await signedTransaction.SubmitAsync(Token);
        await Assert.ThrowsAsync<InvalidOperationException>(() => commit.GetStatusAsync(Token));
        var signedCommit = offline.NewSignedCommit(commit.Bytes, Elsewhere(commit.Digest));
        var result = await signedCommit.GetStatusAsync(Token);

        Assert.Equal(proposal.TransactionId, transaction.TransactionId);
        Assert.Equal("result", Encoding.UTF8.GetString(signedTransaction.Result));
        Assert.Equal(new CommitStatus(proposal.TransactionId, TxValidationCode.Valid, 9), result);
        Assert.True(test.Signed(status!.Request.Span, status.Signature.Span));
        Assert.Equal(SHA256.HashData(status.Request.Span), commit.Digest);
    }

    [Fact]
    public async Task Deadline_PassesOnThisSide_IsDeadlineExceededWithoutAnswer()
    {
        string? sent = null;
        fake.On("Endorse", async call =>
        {
            sent = call.Context.Request.Headers["grpc-timeout"];
            await Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        using var impatient = Gateway.Connect(test.Options(fake.Address) with { EndorseTimeout = TimeSpan.FromMilliseconds(250) });

        var exception = await Assert.ThrowsAsync<EndorseException>(
            () => impatient.GetNetwork("bridge").GetContract("summaries").SubmitAsync("Anchor", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.DeadlineExceeded, exception.Code);
        Assert.True(exception.NoAnswer);
        Assert.Equal("250m", sent);
    }

    // A peer resets the stream at the deadline that it was told (CANCEL, 8), and may be a moment before this side's clock.
    [Theory]
    [InlineData(200, GrpcStatusCode.DeadlineExceeded)]
    [InlineData(60_000, GrpcStatusCode.Cancelled)]
    public async Task Reset_ByThePeer_IsTheDeadlineWhereItIsNear(int milliseconds, GrpcStatusCode expected)
    {
        fake.On("CommitStatus", call =>
        {
            call.Break(8);
            return Task.CompletedTask;
        });
        using var patient = Gateway.Connect(test.Options(fake.Address) with { CommitStatusTimeout = TimeSpan.FromMilliseconds(milliseconds) });

        var exception = await Assert.ThrowsAsync<CommitStatusException>(() => patient.GetNetwork("bridge").NewCommit(new string('f', 64)).GetStatusAsync(Token));

        Assert.Equal(expected, exception.Code);
        Assert.True(exception.NoAnswer);
    }

    [Fact]
    public async Task Cancel_ByCaller_IsOperationCanceledAndReachesTheServer()
    {
        var begun = new TaskCompletionSource();
        var gone = new TaskCompletionSource();
        fake.On("Evaluate", async call =>
        {
            call.Aborted.Register(gone.SetResult);
            begun.SetResult();
            await gone.Task;
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);

        var evaluation = contract.EvaluateAsync("Read", cancellationToken: stop.Token);
        await begun.Task.WaitAsync(Token);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => evaluation);
        await gone.Task.WaitAsync(TimeSpan.FromMinutes(2), Token);
    }

    [Fact]
    public async Task Answer_OfManyShapes_NeverHangsOrPasses()
    {
        var shapes = new (Func<FakeCall, Task> Answer, GrpcStatusCode Code)[]
        {
            (call => { call.Context.Response.StatusCode = 503; return Task.CompletedTask; }, GrpcStatusCode.Unavailable),
            (call => { call.Context.Response.StatusCode = 404; return Task.CompletedTask; }, GrpcStatusCode.Unimplemented),
            (call => call.SendAsync(new EvaluateResponse()), GrpcStatusCode.Internal),
            (call => { call.End(); return Task.CompletedTask; }, GrpcStatusCode.Internal),
            (call => call.Context.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 9, 1 }, Token).AsTask(), GrpcStatusCode.Internal),
            (call => call.Context.Response.Body.WriteAsync(new byte[] { 0, 0 }, Token).AsTask(), GrpcStatusCode.Internal),
            (call => call.Context.Response.Body.WriteAsync(new byte[] { 1, 0, 0, 0, 0 }, Token).AsTask(), GrpcStatusCode.Internal),
            (call => call.Context.Response.Body.WriteAsync(new byte[] { 0, 255, 255, 255, 255 }, Token).AsTask(), GrpcStatusCode.Internal),
            (call => call.Context.Response.Body.WriteAsync(new byte[] { 0, 0, 0, 0, 1, 255 }, Token).AsTask(), GrpcStatusCode.Internal),
            (async call => { await call.SendAsync(new EvaluateResponse()); await call.AnswerAsync(new EvaluateResponse()); }, GrpcStatusCode.Internal),
            (async call => { await call.Context.Response.Body.FlushAsync(Token); call.Break(); }, GrpcStatusCode.Unavailable),
            (call => { call.Break(); return Task.CompletedTask; }, GrpcStatusCode.Unavailable),
            (call => { call.Context.Response.Headers["grpc-status"] = "99"; return Task.CompletedTask; }, GrpcStatusCode.Unknown),
        };
        foreach (var (answer, code) in shapes)
        {
            fake.On("Evaluate", answer);
            var exception = await Assert.ThrowsAsync<EvaluateException>(() => contract.EvaluateAsync("Read", cancellationToken: Token));
            Assert.Equal(code, exception.Code);
        }

        fake.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse()));
        await contract.EvaluateAsync("Read", cancellationToken: Token);
    }

    [Fact]
    public async Task Answer_Unreadable_DetailsHideNothing()
    {
        fake.On("Evaluate", call =>
        {
            call.FailAtOnce(GrpcStatusCode.NotFound, "no such thing");
            call.Context.Response.Headers["grpc-status-details-bin"] = "%%%";
            return Task.CompletedTask;
        });

        var exception = await Assert.ThrowsAsync<EvaluateException>(() => contract.EvaluateAsync("Read", cancellationToken: Token));

        Assert.Equal(GrpcStatusCode.NotFound, exception.Code);
        Assert.Empty(exception.Details);
    }

    [Fact]
    public async Task Answer_OfManyMegabytes_Arrives()
    {
        var large = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(5_000_000));
        fake.On("Evaluate", call => call.AnswerAsync(new EvaluateResponse { Result = new Response { Payload = large } }));

        Assert.Equal(large.ToByteArray(), await contract.EvaluateAsync("Read", cancellationToken: Token));
    }

    private void Committing(TxValidationCode code)
    {
        fake.On("Endorse", call => call.AnswerAsync(FakeEndorser.Endorse(call.Request(EndorseRequest.Parser), "result")));
        fake.On("Submit", call => call.AnswerAsync(new SubmitResponse()));
        fake.On("CommitStatus", call => call.AnswerAsync(new CommitStatusResponse { Result = code, BlockNumber = 7 }));
    }

    private static Task FailAsync(FakeCall call, bool trailersOnly, GrpcStatusCode code, string message)
    {
        if (!trailersOnly)
            return call.FailInTrailersAsync(code, message, Detail);
        call.FailAtOnce(code, message, Detail);
        return Task.CompletedTask;
    }
}
