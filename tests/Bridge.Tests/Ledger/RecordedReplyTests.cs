using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.Ledger;

/// <summary>Replays what real peers answered (tests/vectors/wire) to the client, and takes their blocks apart.</summary>
public sealed class RecordedReplyTests : IAsyncLifetime
{
    private static readonly string Folder = FindFolder();
    private readonly TestIdentity test = new();
    private FakeGateway fake = null!;
    private Gateway gateway = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Calls()
    {
        var data = new TheoryData<string, string>();
        foreach (var file in Directory.GetFiles(Folder, "fabric-*.json").Order(StringComparer.Ordinal))
        {
            foreach (var vector in Read(file)["vectors"]!.AsArray())
                data.Add(Path.GetFileName(file), (string)vector!["name"]!);
        }

        return data;
    }

    public static TheoryData<string, string> Deliveries()
    {
        var data = new TheoryData<string, string>();
        foreach (var file in Directory.GetFiles(Folder, "deliver-*.json").Order(StringComparer.Ordinal))
        {
            foreach (var vector in Read(file)["vectors"]!.AsArray())
                data.Add(Path.GetFileName(file), (string)vector!["name"]!);
        }

        return data;
    }

    public static TheoryData<string> Chains() =>
        [.. Directory.GetFiles(Folder, "blocks-*.json").Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        // an overloaded peer is asked again until the time is over
        gateway = Gateway.Connect(test.Options(fake.Address) with { EvaluateTimeout = TimeSpan.FromSeconds(2) });
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Client_RecordedReply_IsUnderstood(string file, string name)
    {
        var vector = Read(Path.Combine(Folder, file))["vectors"]!.AsArray().Single(one => (string)one!["name"]! == name)!;
        var method = (string)vector["call"]!;
        var request = Bytes(vector, "request");
        ReadOnlyMemory<byte> sent = default;
        fake.On(method, async call =>
        {
            sent = call.RequestBytes;
            await ReplyAsync(call, vector);
        });
        if (name is "evaluate-empty-request" or "evaluate-not-protobuf")
        {
            // nothing that this client could send: only the answer counts
            var anyone = gateway.GetNetwork("bridge").GetContract("summaries");
            AssertFailure(vector, await Assert.ThrowsAsync<EvaluateException>(() => anyone.EvaluateAsync("Run", new ProposalOptions(), Token)));
            return;
        }

        var call = CallOf(method, request);
        if ((int)vector["grpcStatus"]! == 0)
            AssertAnswer(vector, await call());
        else
            AssertFailure(vector, await Assert.ThrowsAnyAsync<GatewayException>(call));

        // What the client sent is the recorded request to the byte: our messages know all that is in it. It never sends an unsigned envelope.
        if (name != "submit-unsigned")
            Assert.Equal(Convert.ToBase64String(request), Convert.ToBase64String(sent.Span));
    }

    [Theory]
    [MemberData(nameof(Chains))]
    public void Blocks_OfRealPeers_HashChainAndCarryTheirCodes(string file)
    {
        Block? before = null;
        foreach (var expected in Read(Path.Combine(Folder, file))["blocks"]!.AsArray())
        {
            var block = Block.Parser.ParseFrom(Bytes(expected!, "block"));
            Assert.Equal((ulong)expected!["number"]!, block.Header.Number);
            Assert.Equal((string)expected["headerHash"]!, Convert.ToHexStringLower(BlockFormat.HeaderHash(block.Header)));
            Assert.Equal((string)expected["dataHash"]!, Convert.ToHexStringLower(BlockFormat.DataHash(block.Data)));
            var previous = Convert.FromHexString((string)expected["previousHash"]!);
            Assert.Equal(BlockFault.None, BlockFormat.Check(block, previous));
            if (before is not null && before.Header.Number + 1 == block.Header.Number)
                Assert.Equal(BlockFormat.HeaderHash(before.Header), previous);
            before = block;

            var committed = new CommittedBlock(block);
            Assert.Equal(
                expected["validationCodes"]!.AsArray().Select(code => (int)code!),
                committed.Transactions.Select(transaction => (int)transaction.ValidationCode));
            Assert.Equal(
                expected["transactions"]!.AsArray().Select(one => ((int)one!["type"]!, (string)one["transactionId"]!)),
                committed.Transactions.Select(transaction => ((int)transaction.Type, transaction.TransactionId)));
            var signatures = Metadata.Parser.ParseFrom(block.Metadata.Metadata[(int)BlockMetadataIndex.Signatures]).Signatures;
            Assert.Equal((int)expected["orderers"]!, signatures.Count);
        }
    }

    [Theory]
    [MemberData(nameof(Deliveries))]
    public async Task Blocks_RecordedDelivery_AreReadOrRefusedInWords(string file, string name)
    {
        var vector = Read(Path.Combine(Folder, file))["vectors"]!.AsArray().Single(one => (string)one!["name"]! == name)!;
        var request = Bytes(vector, "request");
        ReadOnlyMemory<byte> sent = default;
        fake.OnDeliver((string)vector["call"]!, async call =>
        {
            sent = call.RequestBytes;
            await ReplyAsync(call, vector);
        });
        var signature = Envelope.Parser.ParseFrom(request).Signature.ToByteArray();
        var received = new List<string>();

        var failure = await Record.ExceptionAsync(() => (string)vector["call"]! switch
        {
            "Deliver" => ReadAsync(gateway.NewSignedBlockEventsRequest(request, signature), block => block.Data is { Data.Count: > 0 } ? "block" : "header"),
            "DeliverFiltered" => ReadAsync(gateway.NewSignedFilteredBlockEventsRequest(request, signature), _ => "filtered"),
            _ => ReadAsync(
                gateway.NewSignedBlockAndPrivateDataEventsRequest(request, signature),
                block => new CommittedBlock(block.Block, block.PrivateDataMap).Transactions.Any(transaction => transaction.PrivateWrites.Count > 0) ? "private" : "no private"),
        });

        Assert.Equal(Convert.ToBase64String(request), Convert.ToBase64String(sent.Span));
        var expected = vector["expect"]!.AsArray().Select(one => (string)one!).ToList();
        if (expected[^1] == "Success")
        {
            Assert.Null(failure);
            Assert.Equal(expected[..^1], received);
        }
        else
        {
            var refusal = Assert.IsType<GatewayException>(failure);
            Assert.Contains(expected[^1], refusal.Message, StringComparison.Ordinal);
            Assert.Equal(
                expected[^1] switch { "BadRequest" => GrpcStatusCode.InvalidArgument, "Forbidden" => GrpcStatusCode.PermissionDenied, _ => GrpcStatusCode.NotFound },
                refusal.Code);
        }

        async Task ReadAsync<T>(BlockEventsRequest<T> stream, Func<T, string> form)
            where T : class
        {
            await foreach (var block in stream.GetEventsAsync(Token))
                received.Add(form(block));
        }
    }

    // The recorded request taken up as one that was signed elsewhere.
    private Func<Task<object>> CallOf(string method, byte[] request)
    {
        switch (method)
        {
            case "Evaluate":
                var evaluate = EvaluateRequest.Parser.ParseFrom(request);
                var asked = Take(evaluate.TransactionId, evaluate.ProposedTransaction, evaluate.TargetOrganizations);
                return async () => await asked.EvaluateAsync(Token);
            case "Endorse":
                var endorse = EndorseRequest.Parser.ParseFrom(request);
                var proposed = Take(endorse.TransactionId, endorse.ProposedTransaction, endorse.EndorsingOrganizations);
                return async () => (await proposed.EndorseAsync(Token)).Result;
            case "Submit":
                var submit = SubmitRequest.Parser.ParseFrom(request);
                var prepared = new PreparedTransaction { TransactionId = submit.TransactionId, Envelope = submit.PreparedTransaction };
                var transaction = gateway.NewSignedTransaction(prepared.ToByteArray(), submit.PreparedTransaction.Signature.Span);
                return async () => (await transaction.SubmitAsync(Token)).TransactionId;
            case "CommitStatus":
                var status = SignedCommitStatusRequest.Parser.ParseFrom(request);
                var commit = gateway.NewSignedCommit(request, status.Signature.Span);
                return async () => await commit.GetStatusAsync(Token);
            case "ChaincodeEvents":
                var events = SignedChaincodeEventsRequest.Parser.ParseFrom(request);
                var stream = gateway.NewSignedChaincodeEventsRequest(request, events.Signature.Span);
                return async () => await stream.GetEventsAsync(Token).ToListAsync(Token);
            default:
                throw new ArgumentOutOfRangeException(nameof(method), method, "no call of the gateway");
        }
    }

    private Bridge.Ledger.Proposal Take(string transactionId, SignedProposal signed, IEnumerable<string> organizations)
    {
        var proposed = new ProposedTransaction { TransactionId = transactionId, Proposal = signed };
        proposed.EndorsingOrganizations.AddRange(organizations);
        return gateway.NewSignedProposal(proposed.ToByteArray(), signed.Signature.Span);
    }

    private static async Task ReplyAsync(FakeCall call, JsonNode vector)
    {
        var code = (GrpcStatusCode)(int)vector["grpcStatus"]!;
        if (code != GrpcStatusCode.Ok)
        {
            call.Context.Response.Headers["grpc-status"] = ((int)code).ToString();
            call.Context.Response.Headers["grpc-message"] = Uri.EscapeDataString((string)vector["grpcMessage"]!);
            if ((string?)vector["statusDetails"] is { } details)
                call.Context.Response.Headers["grpc-status-details-bin"] = details.TrimEnd('=');
            return;
        }

        var messages = vector["responses"]?.AsArray().Select(one => (string)one!) ?? [(string)vector["response"]!];
        foreach (var message in messages)
        {
            var bytes = Convert.FromBase64String(message);
            var frame = new byte[5 + bytes.Length];
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), bytes.Length);
            bytes.CopyTo(frame, 5);
            await call.Context.Response.Body.WriteAsync(frame, call.Aborted);
        }

        call.End();
    }

    private static void AssertAnswer(JsonNode vector, object answer)
    {
        var expect = vector["expect"]!;
        switch (answer)
        {
            case byte[] result:
                Assert.Equal((string)expect["payload"]!, Convert.ToBase64String(result));
                break;
            case string transactionId:
                Assert.Equal((string)vector["transactionId"]!, transactionId);
                break;
            case CommitStatus status:
                Assert.Equal((int)expect["validationCode"]!, (int)status.Code);
                Assert.Equal((ulong)expect["blockNumber"]!, status.BlockNumber);
                Assert.Equal((string)vector["transactionId"]!, status.TransactionId);
                break;
            case List<Bridge.Ledger.ChaincodeEvent> events:
                var expected = expect["responses"]!.AsArray().SelectMany(one => one!["events"]!.AsArray().Select(found => (
                    (ulong)one["blockNumber"]!, (string)found!["transactionId"]!, (string)found["chaincode"]!, (string)found["name"]!, (string)found["payload"]!)));
                Assert.Equal(expected, events.Select(found => (
                    found.BlockNumber, found.TransactionId, found.ChaincodeName, found.EventName, Convert.ToBase64String(found.Payload.Span))));
                break;
            default:
                Assert.Fail($"unexpected answer {answer.GetType()}");
                break;
        }
    }

    private static void AssertFailure(JsonNode vector, GatewayException failure)
    {
        Assert.Equal((int)vector["grpcStatus"]!, (int)failure.Code);
        Assert.Equal((string)vector["grpcMessage"]!, failure.Status);
        Assert.False(failure.NoAnswer);
        Assert.Equal(
            vector["details"]!.AsArray().Select(one => ((string)one!["address"]!, (string)one["mspId"]!, (string)one["message"]!)),
            failure.Details.Select(detail => (detail.Address, detail.MspId, detail.Message)));
        var name = (string)vector["name"]!;
        Assert.Equal(
            name switch
            {
                "endorse-do-not-match" => RetryAction.NewTransaction,
                "evaluate-too-many-requests" or "evaluate-unknown-channel" or "evaluate-contract-down" or "endorse-contract-down"
                    or "endorse-contract-of-other-down" or "endorse-peer-lost" or "submit-no-orderer" => RetryAction.SameAgain,
                _ when name.StartsWith("evaluate-timestamp", StringComparison.Ordinal) => RetryAction.SameAgain,
                _ when name.StartsWith("endorse-", StringComparison.Ordinal) && (int)failure.Code is 9 or 14 => RetryAction.SameAgain,
                _ => RetryAction.GiveUp,
            },
            Retry.After(failure));
    }

    private static byte[] Bytes(JsonNode vector, string member) => Convert.FromBase64String((string)vector[member]!);

    private static JsonNode Read(string path) => JsonNode.Parse(File.ReadAllText(path)) ?? throw new JsonException($"{path} is empty");

    private static string FindFolder()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var candidate = Path.Combine(at.FullName, "tests", "vectors", "wire");
            if (Directory.Exists(candidate))
                return candidate;
        }

        throw new DirectoryNotFoundException("tests/vectors/wire");
    }
}
