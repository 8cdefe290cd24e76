using System.Text.Json;
using System.Text.RegularExpressions;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Bridge.Records;
using Google.Protobuf;
using Xunit;
using ErrorDetail = Bridge.Ledger.ErrorDetail;

namespace Bridge.Tests.Ledger;

/// <summary>What the typed face sends, to whom, and how it reads what comes back.</summary>
public sealed class SummaryLedgerTests : IAsyncLifetime
{
    private const string Hospital = "HospitalAMSP";
    private const string Portal = "PortalMSP";
    private readonly TestIdentity test = new(Hospital);
    private readonly List<Sent> sent = [];
    private FakeGateway fake = null!;
    private Gateway gateway = null!;
    private SummaryLedger ledger = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        fake = await FakeGateway.StartAsync();
        gateway = Gateway.Connect(test.Options(fake.Address));
        ledger = new SummaryLedger(gateway, "bridge", "summaries", new SummaryLedgerOptions { FirstPause = TimeSpan.FromMilliseconds(1) });
        Answer("""{"attestor":{"certificate":"AA==","name":"Board"},"hospitals":["HospitalAMSP","HospitalBMSP"],"portal":"PortalMSP","v":1}""");
    }

    public async ValueTask DisposeAsync()
    {
        gateway.Dispose();
        await fake.DisposeAsync();
    }

    [Fact]
    public async Task Updates_Each_GoToTheRightEndorsersWithPrivateInputInTheTransientMapOnly()
    {
        var handle = Handle.New();
        var salt = Salt.New();
        var doctor = Handle.New();
        string[] directory = [];
        string[] both = [Hospital, Portal];
        string[] alone = [Hospital];
        var id = SummaryId.New();
        var updates = new (string Function, string[] Arguments, string[] Endorsers, string? Members, string Result, Func<Task> Call)[]
        {
            ("InitConsortium", ["{}"], directory, null, "ACTIVE", () => ledger.InitConsortiumAsync("{}", Token)),
            ("ProposeHospital", ["{}"], directory, null, "PROPOSED", () => ledger.ProposeHospitalAsync("{}", Token)),
            ("ApproveHospital", ["H", "2", "jws"], directory, null, "ACTIVE", async () =>
                Assert.Equal(ApprovalResult.Active, (await ledger.ApproveHospitalAsync("H", 2, "jws", Token)).Result)),
            ("ProposeDoctor", [Hospital], directory, "handle certificate statement salt leafSalt", "PENDING", () =>
                ledger.ProposeDoctorAsync(Hospital, new DoctorProposalSubmission(doctor, "c", "s", salt, salt), Token)),
            ("ConfirmDoctor", [Hospital], directory, "handle confirmation salt", "ACTIVE", () =>
                ledger.ConfirmDoctorAsync(Hospital, new DoctorConfirmationSubmission(doctor, "c", salt), Token)),
            ("RevokeDoctor", [Hospital], directory, "handle revocation salt", "REVOKED", () =>
                ledger.RevokeDoctorAsync(Hospital, new DoctorRevocationSubmission(doctor, "c", salt), Token)),
            ("PublishStatus", [Hospital], directory, "status salt", "PUBLISHED", () => ledger.PublishStatusAsync(Hospital, "jws", salt, Token)),
            ("RequestEnrolment", [Hospital], both, "handle request salt codeSalt event eventSalt", "REQUESTED", () => ledger.RequestEnrolmentAsync(
                Hospital, new EnrolmentSubmission(handle, Request(handle), salt, salt, handle, salt), Token)),
            ("EnrolPatient", [Hospital], both,
                "request certificate patient consent index patientSalt consentSalt indexSalt codeSalt event eventSalt", "ENROLLED", () => ledger.EnrolPatientAsync(
                    Hospital, new PatientEnrolment(handle, "c", handle, handle, handle, salt, salt, salt, salt, handle, salt), Token)),
            ("DiscardRequests", [Hospital], alone, "handles", """{"discarded":2,"locked":1,"status":"DISCARDED"}""", async () =>
            {
                var outcome = await ledger.DiscardRequestsAsync(Hospital, [handle], Token);
                Assert.Equal((2, 1), (outcome.Discarded, outcome.Locked));
            }),
            ("RetractSummary", [Hospital], both, "id retraction doctors doctor event eventSalt tombSalt", "RETRACTED", () => ledger.RetractSummaryAsync(
                Hospital, new SummaryRetraction(id, "{}"u8.ToArray(), doctor, "stored", handle, salt, salt), Token)),
            ("EraseSummary", [Hospital], alone, "id erasure event eventSalt tombSalt", "ERASED", () =>
                ledger.EraseSummaryAsync(Hospital, new SummaryErasure(id, "jws", null, handle, salt, salt), Token)),
            ("EraseSummary", [Hospital], alone, "id erasure index event eventSalt tombSalt", "ERASED", () =>
                ledger.EraseSummaryAsync(Hospital, new SummaryErasure(id, "jws", handle, handle, salt, salt), Token)),
            ("WithdrawConsent", [Hospital], alone, "index withdrawal event eventSalt tombSalt", """{"locked":3,"status":"MORE"}""", async () =>
            {
                var outcome = await ledger.WithdrawConsentAsync(Hospital, new ConsentWithdrawal(handle, "jws", handle, salt, salt), Token);
                Assert.Equal((false, 3, 7UL), (outcome.Complete, outcome.Locked, outcome.Receipt.BlockNumber));
            }),
            ("WithdrawConsent", [Hospital], alone, "index event eventSalt tombSalt", """{"locked":0,"status":"WITHDRAWN"}""", async () =>
                Assert.True((await ledger.WithdrawConsentAsync(Hospital, new ConsentWithdrawal(handle, null, handle, salt, salt), Token)).Complete)),
            ("SweepIndex", [Hospital], both, "index", "SWEPT", async () => Assert.True(await ledger.SweepIndexAsync(Hospital, handle, Token))),
            ("SweepIndex", [Hospital], both, "index", "MORE", async () => Assert.False(await ledger.SweepIndexAsync(Hospital, handle, Token))),
        };
        foreach (var update in updates)
        {
            Committing(_ => update.Result);
            sent.Clear();

            await update.Call();

            var one = Assert.Single(sent);
            Assert.Equal([update.Function, .. update.Arguments], one.Arguments);
            Assert.Equal(update.Endorsers, one.Endorsers);
            Assert.Equal(update.Members, one.Input is null ? null : string.Join(' ', one.Input.RootElement.EnumerateObject().Select(member => member.Name)));
        }

        Assert.Equal(
            Enum.GetNames<UpdateFunction>().Except(["AnchorSummaries"]).Order(),
            updates.Select(update => update.Function).Distinct().Order());
    }

    [Fact]
    public async Task Reads_Each_AreEvaluatedOnOwnPeersOnlyAndNeverEndorsed()
    {
        var handle = Handle.New();
        var id = SummaryId.New();
        const string pseudonym = "p0123456789abcdefghjkmnpqrs";
        var stored = $$"""
            {"confirmation":null,"handle":"{{handle}}","hospital":"{{Hospital}}","kind":"doctor","leaf":"AA==","licence":"L1","name":"Dr Né","notAfter":1800000000,
             "notBefore":1700000000,"revocation":null,"salt":"s","statement":"jws","status":"ACTIVE","thumbprint":"t","v":1}
            """;
        var live = $$"""{"consent":"{{handle}}","doctor":"{{handle}}","index":"{{handle}}","summary":{"payload":"x","signatures":[]} }""";
        var reads = new (string Function, string[] Arguments, string? Input, string Answer, Func<Task> Call)[]
        {
            ("ReadHospital", ["H"], null, """{"approvals":["jws"],"record":{"msp":"H","v":1}}""", async () =>
            {
                var reading = await ledger.ReadHospitalAsync("H", Token);
                Assert.Equal("""{"msp":"H","v":1}""", reading.Record);
                Assert.Equal(["jws"], reading.Approvals);
            }),
            ("ReadDoctor", [], $$"""{"handle":"{{handle}}"}""", stored, async () =>
            {
                var doctor = await ledger.ReadDoctorAsync(handle, Token);
                Assert.Equal((handle, "Dr Né", DoctorStatus.Active, stored), (doctor.Handle, doctor.Name, doctor.Status, doctor.StoredValue));
                Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000), doctor.NotAfter);
            }),
            ("ListDoctors", [Hospital], """{"after":null,"limit":200}""", JsonSerializer.Serialize(new { doctors = new[] { stored }, next = handle.ToString() }), async () =>
            {
                var page = await ledger.ListDoctorsAsync(Hospital, cancellationToken: Token);
                Assert.Equal(stored, Assert.Single(page.Items).StoredValue);
                Assert.Equal(handle, page.Next);
            }),
            ("ReadStatus", [Hospital, "3"], null, "jws", async () => Assert.Equal("jws", await ledger.ReadStatusAsync(Hospital, 3, Token))),
            ("ReadSummary", [Hospital], $$"""{"id":"{{id}}"}""", live, async () =>
            {
                var summary = await ledger.ReadSummaryAsync(Hospital, id, Token);
                Assert.Equal("""{"payload":"x","signatures":[]}"""u8.ToArray(), summary.Summary.ToArray());
                Assert.Equal(handle, summary.Consent);
            }),
            ("ReadSummaries", [Hospital], $$"""{"ids":["{{id}}"]}""", $$"""[{"id":"{{id}}","outcome":"LIVE",{{live[1..]}},{"id":"{{id}}","outcome":"NOT_FOUND"}]""", async () =>
            {
                var readings = await ledger.ReadSummariesAsync(Hospital, [id], Token);
                Assert.Equal([SummaryState.Live, SummaryState.NotFound], readings.Select(reading => reading.State));
                Assert.NotNull(readings[0].Content);
                Assert.Null(readings[1].Content);
            }),
            ("ListSummaries", [Hospital], $$"""{"after":"{{handle}}","limit":5}""", $$"""{"items":[{"id":"{{id}}","outcome":"FORGED"}],"next":null}""", async () =>
            {
                var page = await ledger.ListSummariesAsync(Hospital, handle, 5, Token);
                Assert.Equal(SummaryState.Forged, Assert.Single(page.Items).State);
                Assert.Null(page.Next);
            }),
            ("ReadEnrolments", [Hospital], """{"after":null,"limit":200}""",
                $$"""{"items":[{"handle":"{{handle}}","request":{{Request(handle).ToJson().ToJsonString()}} },{"handle":"{{handle}}","request":null}],"next":null}""",
                async () =>
                {
                    var page = await ledger.ReadEnrolmentsAsync(Hospital, cancellationToken: Token);
                    Assert.Equal(Request(handle).ToJson().ToJsonString(), page.Items[0].Request!.ToJson().ToJsonString());
                    Assert.Null(page.Items[1].Request);
                }),
            ("ReadPatient", [Hospital], $$"""{"patient":"{{handle}}"}""",
                $$"""
                {"consent":{"exp":"2030-12-31","handle":"{{handle}}","jws":"j"},"entries":[{"id":"{{id}}","state":"ERASED"}],"index":"{{handle}}",
                 "patient":{"certificate":"AA==","handle":"{{handle}}","pseudonym":"{{pseudonym}}"},"withdrawn":false}
                """,
                async () =>
                {
                    var patient = await ledger.ReadPatientAsync(Hospital, handle, Token);
                    Assert.Equal(pseudonym, patient.Patient!.Pseudonym.ToString());
                    Assert.Equal(new DateOnly(2030, 12, 31), patient.Consent!.Expires);
                    Assert.Equal(new PatientEntry(id, SummaryState.Erased), Assert.Single(patient.Entries));
                }),
            ("ReadPatient", [Hospital], $$"""{"index":"{{handle}}"}""", $$"""{"consent":null,"entries":[],"index":"{{handle}}","patient":null,"withdrawn":true}""", async () =>
            {
                var patient = await ledger.ReadPatientByIndexAsync(Hospital, handle, Token);
                Assert.True(patient.Withdrawn);
                Assert.Null(patient.Patient);
                Assert.Null(patient.Consent);
            }),
            ("ReadEvents", [Hospital], $$"""{"events":["{{handle}}"]}""", $$"""[{"event":"{{handle}}","handle":"{{id}}","status":"ANCHORED","what":"summary"},null]""", async () =>
            {
                var events = await ledger.ReadEventsAsync(Hospital, [handle], Token);
                Assert.Equal(new RecordEvent(handle, EventSubject.Summary, Handle.Of(id), EventStatus.Anchored), events[0]);
                Assert.Null(events[1]);
            }),
            ("ReadConsortium", [], null, """{"attestor":{"certificate":"AA==","name":"Board"},"hospitals":["A"],"portal":"P","v":1}""", async () =>
                Assert.Equal("P", (await ledger.ReadConsortiumAsync(Token)).Portal)),
        };
        fake.On("Endorse", _ => throw new InvalidOperationException("a read was endorsed"));
        foreach (var read in reads)
        {
            Answer(read.Answer);
            sent.Clear();

            await read.Call();

            var one = Assert.Single(sent);
            Assert.Equal([read.Function, .. read.Arguments], one.Arguments);
            Assert.Equal([Hospital], one.Endorsers);
            Assert.Equal(read.Input, one.Input?.RootElement.GetRawText());
        }

        Assert.Equal(Enum.GetNames<ReadFunction>().Order(), reads.Select(read => read.Function).Distinct().Order());
    }

    [Fact]
    public async Task Read_AnswerOfAnotherVersion_SaysSoWithoutContent()
    {
        Answer("""{"secret":1}""");

        var exception = await Assert.ThrowsAsync<LedgerAnswerException>(() => ledger.ReadSummaryAsync(Hospital, SummaryId.New(), Token));

        Assert.Equal("ReadSummary", exception.Function);
        Assert.DoesNotContain("secret", exception.Message);
    }

    [Fact]
    public async Task Read_Refused_IsTyped()
    {
        fake.On("Evaluate", call => FailAsync(
            call, GrpcStatusCode.Unknown, """evaluate call to endorser returned error: chaincode response 500, {"refusal":"NOT_FOUND","detail":"no such summary"}"""));

        var exception = await Assert.ThrowsAsync<LedgerRefusalException>(() => ledger.ReadSummaryAsync(Hospital, SummaryId.New(), Token));

        Assert.Equal((RefusalCode.NotFound, "NOT_FOUND", "no such summary", "ReadSummary"), (exception.Code, exception.CodeText, exception.Detail, exception.Function));
    }

    [Fact]
    public async Task Update_RefusedByAllEndorsers_IsTypedAtOnce()
    {
        var endorsed = 0;
        fake.On("Endorse", call =>
        {
            endorsed++;
            return FailAsync(call, GrpcStatusCode.Aborted, "failed", Refuses(Hospital, "REQUEST_UNKNOWN"), Refuses(Portal, "REQUEST_UNKNOWN"));
        });

        var exception = await Assert.ThrowsAsync<LedgerRefusalException>(() => ledger.SweepIndexAsync(Hospital, Handle.New(), Token));

        Assert.Equal(RefusalCode.RequestUnknown, exception.Code);
        Assert.Equal(1, endorsed);
    }

    [Fact]
    public async Task Update_RefusedByOneOfTwo_IsTriedAgainWithANewTransaction()
    {
        // one endorser was a block behind
        var ids = new HashSet<string>();
        Committing(_ => "SWEPT");
        fake.On("Endorse", call =>
        {
            var request = call.Request(EndorseRequest.Parser);
            return ids.Add(request.TransactionId) && ids.Count < 3
                ? FailAsync(call, GrpcStatusCode.Aborted, "failed", Refuses(Portal, "INDEX_UNKNOWN"))
                : call.AnswerAsync(FakeEndorser.Endorse(request, "SWEPT"));
        });

        Assert.True(await ledger.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Equal(3, ids.Count);
    }

    [Fact]
    public async Task Update_ConflictInBlock_IsProposedAnewUntilTheLimit()
    {
        var ids = new HashSet<string>();
        Committing(_ => "SWEPT", request => ids.Add(request.TransactionId) && ids.Count < 3 ? TxValidationCode.MvccReadConflict : TxValidationCode.Valid);
        Assert.True(await ledger.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Equal(3, ids.Count);

        ids.Clear();
        Committing(_ => "SWEPT", request => ids.Add(request.TransactionId) ? TxValidationCode.MvccReadConflict : TxValidationCode.Valid);
        var exception = await Assert.ThrowsAsync<CommitException>(() => ledger.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Equal(TxValidationCode.MvccReadConflict, exception.Code);
        Assert.Equal(6, ids.Count);
    }

    [Fact]
    public async Task Discard_NothingLeftToPurge_IsNotSubmitted()
    {
        Committing(_ => """{"discarded":0,"locked":1,"status":"DISCARDED"}""");
        fake.On("Submit", _ => throw new InvalidOperationException("submitted"));

        Assert.Equal(new DiscardOutcome(0, 1, null), await ledger.DiscardRequestsAsync(Hospital, [Handle.New()], Token));
    }

    [Fact]
    public async Task Update_SubmitUnanswered_AsksWhatBecameOfItAndSubmitsNothingElse()
    {
        var submitted = new List<string>();
        Committing(_ => "SWEPT");
        fake.On("Submit", call =>
        {
            submitted.Add(call.Request(SubmitRequest.Parser).TransactionId);
            return FailAsync(call, GrpcStatusCode.DeadlineExceeded, "submit timeout expired while broadcasting to ordering service");
        });

        Assert.True(await ledger.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Single(submitted);
    }

    [Fact]
    public async Task Update_OrdererHasNoLeader_SameTransactionIsSubmittedAgain()
    {
        var submitted = new List<string>();
        Committing(_ => "SWEPT");
        fake.On("Submit", call =>
        {
            submitted.Add(call.Request(SubmitRequest.Parser).TransactionId);
            return submitted.Count < 3
                ? FailAsync(call, GrpcStatusCode.Unavailable, "no orderers could successfully process transaction")
                : call.AnswerAsync(new SubmitResponse());
        });

        Assert.True(await ledger.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Equal(3, submitted.Count);
        Assert.Single(submitted.Distinct());
    }

    [Fact]
    public async Task BeforeSubmit_Throws_NothingIsSubmitted()
    {
        Committing(_ => "SWEPT");
        fake.On("Submit", _ => throw new InvalidOperationException("submitted"));
        string? stored = null;
        var careful = new SummaryLedger(gateway, "bridge", "summaries", new SummaryLedgerOptions
        {
            PortalMspId = Portal,
            BeforeSubmit = (id, _) =>
            {
                stored = id;
                throw new IOException("disk full");
            },
        });

        await Assert.ThrowsAsync<IOException>(() => careful.SweepIndexAsync(Hospital, Handle.New(), Token));
        Assert.Equal(64, stored!.Length);
    }

    [Fact]
    public async Task FindCommit_UnknownTransaction_IsNullAfterTheDeadline()
    {
        fake.On("CommitStatus", call => Task.Delay(Timeout.Infinite, call.Aborted).ContinueWith(_ => { }, TaskScheduler.Default));
        using var impatient = Gateway.Connect(test.Options(fake.Address) with { CommitStatusTimeout = TimeSpan.FromMilliseconds(200) });

        Assert.Null(await new SummaryLedger(impatient, "bridge", "summaries").FindCommitAsync("ab", Token));

        fake.On("CommitStatus", call => call.AnswerAsync(new CommitStatusResponse { BlockNumber = 4 }));
        Assert.Equal(new CommitStatus("ab", TxValidationCode.Valid, 4), await ledger.FindCommitAsync("ab", Token));
    }

    [Fact]
    public async Task Notices_OfTheContract_AreReadAndOthersSkipped()
    {
        var handle = Handle.New();
        fake.On("ChaincodeEvents", call =>
        {
            var response = new ChaincodeEventsResponse { BlockNumber = 4 };
            response.Events.Add(new Bridge.Ledger.Protocol.ChaincodeEvent { ChaincodeId = "summaries", TxId = "t1", EventName = "other" });
            response.Events.Add(new Bridge.Ledger.Protocol.ChaincodeEvent
            {
                ChaincodeId = "summaries",
                TxId = "t1b",
                EventName = "records",
                Payload = ByteString.CopyFromUtf8($$"""[{"event":"{{handle}}","status":"NO_SUCH_WORD"}]"""),
            });
            response.Events.Add(new Bridge.Ledger.Protocol.ChaincodeEvent
            {
                ChaincodeId = "summaries",
                TxId = "t2",
                EventName = "records",
                Payload = ByteString.CopyFromUtf8($$"""[{"event":"{{handle}}","status":"SUPERSEDED"}]"""),
            });
            return call.AnswerAsync(response);
        });

        var unreadable = 0;
        await foreach (var notices in ledger.FollowNoticesAsync(new EventOptions { StartBlock = 4 }, Token))
        {
            if (notices.Unreadable)
            {
                // what cannot be read holds up nothing behind it
                Assert.Equal(new Checkpoint(4, "t1b"), notices.Checkpoint);
                Assert.Empty(notices.Notices);
                unreadable++;
                continue;
            }

            Assert.Equal((new Checkpoint(4, "t2"), "t2", 4UL), (notices.Checkpoint, notices.TransactionId, notices.BlockNumber));
            Assert.Equal(new RecordNotice(handle, EventStatus.Superseded), Assert.Single(notices.Notices));
            break;
        }

        Assert.Equal(1, unreadable);
    }

    [Fact]
    public void RefusalCodes_OfTheInterface_AreAllKnown()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Bridge.sln")))
            folder = folder.Parent;
        var page = File.ReadAllText(Path.Combine(folder!.FullName, "chaincode", "summaries", "README.md"));
        // words in code marks that are no refusals: states, notices, results, file settings
        string[] others =
        [
            "BRIDGE_CONSORTIUM_FILE", "ENTERED_IN_ERROR", "WRONG_PATIENT", "MERGED", "APPROVED", "ACTIVE", "SWEPT", "LIVE", "ANCHORED", "REQUESTED", "ENROLLED",
            "SUPERSEDED", "RETRACTED", "VALID", "MORE", "PENDING", "REVOKED", "DISCARDED", "PROPOSED", "PUBLISHED",
            "YYYY",
        ];

        var unknown = Regex.Matches(page, "`([A-Z][A-Z_]{3,})`").Select(match => match.Groups[1].Value).Distinct()
            .Except(others).Where(code => RefusalCodes.Parse(code) == RefusalCode.Other);

        Assert.Empty(unknown);
        Assert.Equal(RefusalCode.Other, RefusalCodes.Parse("7"));
        Assert.Equal(RefusalCode.Other, RefusalCodes.Parse(""));
    }

    private void Answer(string result) => fake.On("Evaluate", call =>
    {
        var request = call.Request(EvaluateRequest.Parser);
        lock (sent)
            sent.Add(Sent.Of(request.ProposedTransaction, request.TargetOrganizations));
        return call.AnswerAsync(new EvaluateResponse { Result = new Response { Status = 200, Payload = ByteString.CopyFromUtf8(result) } });
    });

    private void Committing(Func<EndorseRequest, string> result, Func<CommitStatusRequest, TxValidationCode>? code = null)
    {
        fake.On("Endorse", call =>
        {
            var request = call.Request(EndorseRequest.Parser);
            lock (sent)
                sent.Add(Sent.Of(request.ProposedTransaction, request.EndorsingOrganizations));
            return call.AnswerAsync(FakeEndorser.Endorse(request, result(request)));
        });
        fake.On("Submit", call => call.AnswerAsync(new SubmitResponse()));
        fake.On("CommitStatus", call =>
        {
            var request = CommitStatusRequest.Parser.ParseFrom(call.Request(SignedCommitStatusRequest.Parser).Request);
            return call.AnswerAsync(new CommitStatusResponse { Result = code?.Invoke(request) ?? TxValidationCode.Valid, BlockNumber = 7 });
        });
        // who the portal is was asked before
        Answer("""{"attestor":{"certificate":"AA==","name":"Board"},"hospitals":["HospitalAMSP","HospitalBMSP"],"portal":"PortalMSP","v":1}""");
        ledger = new SummaryLedger(
            gateway, "bridge", "summaries", new SummaryLedgerOptions { FirstPause = TimeSpan.FromMilliseconds(1), PortalMspId = Portal });
    }

    private EnrolmentRequest Request(Handle code) => new(code, test.Key.ExportSubjectPublicKeyInfo(), "consent", Base64Url.Encode(new byte[32]));

    private static ErrorDetail Refuses(string organization, string code) =>
        new("peer:7051", organization, $$"""chaincode response 500, {"refusal":"{{code}}","detail":"no"}""");

    private static Task FailAsync(FakeCall call, GrpcStatusCode code, string message, params ErrorDetail[] details)
    {
        call.FailAtOnce(code, message, details);
        return Task.CompletedTask;
    }

    private sealed record Sent(string[] Arguments, string[] Endorsers, JsonDocument? Input)
    {
        public static Sent Of(SignedProposal proposal, IEnumerable<string> endorsers)
        {
            var (arguments, transient) = FakeEndorser.Call(proposal);
            Assert.True(transient.Count == 0 || transient.Keys.Single() == "input");
            return new Sent(arguments, [.. endorsers], transient.TryGetValue("input", out var input) ? JsonDocument.Parse(input) : null);
        }
    }
}
