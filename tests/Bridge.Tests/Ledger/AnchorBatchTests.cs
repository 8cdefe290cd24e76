using System.Text.Json;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Bridge.Records;
using Xunit;
using ErrorDetail = Bridge.Ledger.ErrorDetail;

namespace Bridge.Tests.Ledger;

/// <summary>Batches: an outcome for each item whatever happens, halves after a conflict, the same bytes at every attempt.</summary>
public sealed class AnchorBatchTests : IAsyncLifetime
{
    private const string Hospital = "HospitalAMSP";
    private const string Portal = "PortalMSP";
    private readonly TestIdentity test = new(Hospital);
    private readonly List<JsonElement> inputs = [];
    private FakeGateway fake = null!;
    private Gateway gateway = null!;
    private SummaryLedger ledger = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        gateway = Gateway.Connect(test.Options(fake.Address) with { CommitStatusTimeout = TimeSpan.FromSeconds(2) });
        ledger = new SummaryLedger(
            gateway, "bridge", "summaries", new SummaryLedgerOptions { FirstPause = TimeSpan.FromMilliseconds(1), PortalMspId = Portal });
        fake.On("Submit", call => call.AnswerAsync(new SubmitResponse()));
        fake.On("CommitStatus", call => call.AnswerAsync(new CommitStatusResponse { BlockNumber = 7 }));
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
    }

    [Fact]
    public async Task Anchor_OneTransaction_CarriesStoredBytesAndOnlyTheDoctorsNamed()
    {
        var items = Items(2);
        var doctors = items.ToDictionary(item => item.Doctor, item => $"stored {item.Doctor}");
        doctors.Add(Handle.New(), "of another batch");
        Endorsing(count => Codes(count));

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, doctors, items, Token);

        Assert.All(outcomes, outcome => Assert.Equal(AnchorResult.Anchored, outcome.Result));
        Assert.Equal(items.Select(item => item.Id), outcomes.Select(outcome => outcome.Id));
        Assert.All(outcomes, outcome => Assert.Equal(new LedgerReceipt(outcome.TransactionId, 7), outcome.Receipt));
        var input = Assert.Single(inputs);
        Assert.Equal(items.Select(item => item.Doctor.ToString()), input.GetProperty("doctors").EnumerateObject().Select(member => member.Name));
        var first = input.GetProperty("items")[0];
        Assert.Equal(
            ["summary", "doctor", "consent", "salt", "page", "indexSalt", "event", "eventSalt"],
            first.EnumerateObject().Select(member => member.Name));
        Assert.Equal("""{ "payload" : "0", "signatures" : [ ] }""", first.GetProperty("summary").GetRawText());
    }

    [Fact]
    public async Task Anchor_Superseding_BringsWhatTheOldOnesEndNeeds()
    {
        Endorsing(count => Codes(count));
        var item = Items(1)[0] with { Supersession = new Supersession(Salt.New(), Handle.New(), Salt.New()) };

        await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), [item], Token);

        Assert.Equal(
            ["tombSalt", "supersededEvent", "supersededEventSalt"],
            Assert.Single(inputs).GetProperty("items")[0].EnumerateObject().Skip(8).Select(member => member.Name));
    }

    [Fact]
    public async Task Anchor_SomeItemsRefused_EachHasItsOwnCode()
    {
        Endorsing(_ => """["ANCHORED","DOCTOR_REVOKED","SOMETHING_NEW"]""");

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(3), Token);

        Assert.Equal([AnchorResult.Anchored, AnchorResult.Refused, AnchorResult.Refused], outcomes.Select(outcome => outcome.Result));
        Assert.Equal([null, RefusalCode.DoctorRevoked, RefusalCode.Other], outcomes.Select(outcome => outcome.Refusal));
        Assert.Equal("SOMETHING_NEW", outcomes[2].RefusalText);
        Assert.Null(outcomes[1].Receipt);
    }

    [Theory]
    [InlineData(1, """{"refusal":"ID_IN_USE","detail":"the summary was not anchored"}""", "ID_IN_USE")]
    [InlineData(2, """{"refusal":"NONE_ANCHORED","detail":"none","items":["ID_IN_USE","ID_IN_USE"]}""", "ID_IN_USE")]
    [InlineData(2, """{"refusal":"NOT_BRIDGE","detail":"no"}""", "NOT_BRIDGE")]
    public async Task Anchor_AllRefused_EachHasTheCode(int count, string refusal, string code)
    {
        Refusing(call => FailAsync(call, Detail(Hospital, "chaincode response 500, " + refusal), Detail(Portal, "chaincode response 500, " + refusal)));

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(count), Token);

        Assert.All(outcomes, outcome => Assert.Equal((AnchorResult.Refused, code), (outcome.Result, outcome.RefusalText)));
        Assert.Single(inputs);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Anchor_OneItemConflicts_HalvesIsolateItAndTheOthersStand(bool inBlock)
    {
        // item 5 of 8 conflicts until it has been tried alone twice
        var items = Items(8);
        var culprit = items[5].Salt.ToString();
        var alone = 0;
        var conflicting = new HashSet<string>();
        fake.On("Endorse", call =>
        {
            var request = call.Request(EndorseRequest.Parser);
            var input = Remember(request);
            var list = input.GetProperty("items");
            var conflicts = list.EnumerateArray().Any(item => item.GetProperty("salt").GetString() == culprit)
                && (list.GetArrayLength() > 1 || Interlocked.Increment(ref alone) <= 2);
            if (conflicts && !inBlock)
                return FailAsync(call, Detail(Hospital, "ProposalResponsePayloads do not match"));
            lock (conflicting)
            {
                if (conflicts)
                    conflicting.Add(request.TransactionId);
            }

            return call.AnswerAsync(FakeEndorser.Endorse(request, Codes(list.GetArrayLength())));
        });
        fake.On("CommitStatus", call =>
        {
            var id = CommitStatusRequest.Parser.ParseFrom(call.Request(SignedCommitStatusRequest.Parser).Request).TransactionId;
            lock (conflicting)
            {
                var code = conflicting.Contains(id) ? TxValidationCode.MvccReadConflict : TxValidationCode.Valid;
                return call.AnswerAsync(new CommitStatusResponse { Result = code, BlockNumber = 9 });
            }
        });

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), items, Token);

        Assert.All(outcomes, outcome => Assert.Equal(AnchorResult.Anchored, outcome.Result));
        Assert.Equal([1, 1, 1, 1, 2, 2, 4, 4, 8], inputs.Select(input => input.GetProperty("items").GetArrayLength()).Order());
        var attempts = inputs.SelectMany(input => input.GetProperty("items").EnumerateArray()).GroupBy(item => item.GetProperty("salt").GetString());
        Assert.All(attempts, attempt => Assert.Single(attempt.Select(item => item.GetRawText()).Distinct()));
    }

    [Fact]
    public async Task Anchor_ConflictNeverEnds_IsNotAnchoredAfterTheLimit()
    {
        Refusing(call => FailAsync(call, Detail(Hospital, "ProposalResponsePayloads do not match")));

        var outcome = Assert.Single(await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(1), Token));

        Assert.Equal(AnchorResult.NotAnchored, outcome.Result);
        Assert.IsType<EndorseException>(outcome.Failure);
        Assert.Equal(6, inputs.Count);
    }

    [Fact]
    public async Task Anchor_CodeTenForAnotherReason_IsNotTriedInHalves()
    {
        Refusing(call => FailAsync(call, Detail(Hospital, "chaincode response 500, out of memory")));

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(4), Token);

        Assert.All(outcomes, outcome => Assert.Equal(AnchorResult.NotAnchored, outcome.Result));
        Assert.Single(inputs);
    }

    [Fact]
    public async Task Anchor_FaultOfThePeer_IsNoJudgementOfTheItems()
    {
        const string words = """chaincode response 500, {"refusal":"LEDGER_ERROR","detail":"GET_STATE failed"}""";
        Refusing(call => FailAsync(call, Detail(Hospital, words), Detail(Portal, words)));

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(2), Token);

        Assert.All(outcomes, outcome => Assert.Equal((AnchorResult.NotAnchored, RefusalCode.LedgerError), (outcome.Result, outcome.Refusal)));
    }

    [Fact]
    public async Task Anchor_CommitNeverHeardOf_IsUnknownWithItsTransaction()
    {
        Endorsing(count => Codes(count));
        fake.On("CommitStatus", call => Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default));

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(2), Token);

        Assert.All(outcomes, outcome =>
        {
            Assert.Equal(AnchorResult.Unknown, outcome.Result);
            Assert.Equal(64, outcome.TransactionId.Length);
            Assert.IsType<CommitStatusException>(outcome.Failure);
        });
    }

    [Fact]
    public async Task Anchor_StoppedAfterSubmit_IsUnknownNotLost()
    {
        Endorsing(count => Codes(count));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        fake.On("CommitStatus", async call =>
        {
            await stop.CancelAsync();
            await Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });

        var outcome = Assert.Single(await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(1), stop.Token));

        Assert.Equal(AnchorResult.Unknown, outcome.Result);
    }

    [Fact]
    public async Task Anchor_AnswerOfAnotherForm_IsUnknown()
    {
        Endorsing(_ => """["ANCHORED"]""");

        var outcomes = await ledger.AnchorSummariesAsync(Hospital, new Dictionary<Handle, string>(), Items(2), Token);

        Assert.All(outcomes, outcome => Assert.Equal(AnchorResult.Unknown, outcome.Result));
    }

    [Fact]
    public async Task Anchor_TooManyOrNone_IsAnArgumentFault()
    {
        var none = new Dictionary<Handle, string>();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => ledger.AnchorSummariesAsync(Hospital, none, [], Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => ledger.AnchorSummariesAsync(Hospital, none, Items(101), Token));
    }

    private void Endorsing(Func<int, string> result) => fake.On("Endorse", call =>
    {
        var request = call.Request(EndorseRequest.Parser);
        return call.AnswerAsync(FakeEndorser.Endorse(request, result(Remember(request).GetProperty("items").GetArrayLength())));
    });

    private void Refusing(Func<FakeCall, Task> refusal) => fake.On("Endorse", call =>
    {
        Remember(call.Request(EndorseRequest.Parser));
        return refusal(call);
    });

    private JsonElement Remember(EndorseRequest request)
    {
        Assert.Equal([Hospital, Portal], request.EndorsingOrganizations);
        var (arguments, transient) = FakeEndorser.Call(request.ProposedTransaction);
        Assert.Equal(["AnchorSummaries", Hospital], arguments);
        var input = JsonDocument.Parse(transient["input"]).RootElement;
        lock (inputs)
            inputs.Add(input);
        return input;
    }

    private static AnchorItem[] Items(int count) =>
    [
        .. Enumerable.Range(0, count).Select(i => new AnchorItem(
            SummaryId.New(),
            System.Text.Encoding.UTF8.GetBytes($$"""{ "payload" : "{{i}}", "signatures" : [ ] }"""),
            Handle.New(),
            Handle.New(),
            Salt.New(),
            Handle.New(),
            Salt.New(),
            Handle.New(),
            Salt.New())),
    ];

    private static string Codes(int count) => JsonSerializer.Serialize(Enumerable.Repeat("ANCHORED", count));

    private static ErrorDetail Detail(string organization, string message) => new("peer:7051", organization, message);

    private static Task FailAsync(FakeCall call, params ErrorDetail[] details)
    {
        call.FailAtOnce(GrpcStatusCode.Aborted, "failed to collect enough transaction endorsements, see attached details for more info", details);
        return Task.CompletedTask;
    }
}
