using System.Security.Cryptography;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Xunit;
using DoctorConfirmation = Bridge.Records.DoctorConfirmation;
using TxValidationCode = Bridge.Ledger.Protocol.TxValidationCode;

namespace Bridge.FlowTests.Fabric;

/// <summary>The client and the contract on real peers and orderers.</summary>
[Trait("Category", "Fabric")]
public sealed class RealPeerTests(FabricNetwork network) : IClassFixture<FabricNetwork>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string A => network.Consortium.A.Msp;

    [Fact]
    public async Task Contract_FromFoundingToErasure_HoldsOnRealPeers()
    {
        FabricNetwork.Require();
        var hospital = network.Ledger(A);
        var other = network.Ledger(network.Consortium.B.Msp);
        var portal = network.Ledger(SampleConsortium.PortalMsp);
        await hospital.InitConsortiumAsync(network.ConsortiumJson, Token);
        var again = await Assert.ThrowsAsync<LedgerRefusalException>(() => other.InitConsortiumAsync(network.ConsortiumJson, Token));
        Assert.Equal(RefusalCode.AlreadyInitialised, again.Code);

        var (doctor, doctorKeys) = await ActiveDoctorAsync(hospital, other);
        var (enrolment, patientKey, pseudonym) = await EnrolledPatientAsync(hospital, portal);

        // three anchors of one patient at once: the index conflicts, and each is tried again until it stands
        var summaries = Enumerable.Range(0, 3).Select(_ => Summary(pseudonym)).ToArray();
        var doctors = new Dictionary<Handle, string> { [doctor.Handle] = doctor.StoredValue };
        var outcomes = await Task.WhenAll(summaries.Select(async summary => Assert.Single(
            await hospital.AnchorSummariesAsync(A, doctors, [Item(summary, doctor.Handle, doctorKeys, enrolment.Consent)], Token))));
        Assert.All(outcomes, outcome => Assert.Equal(AnchorResult.Anchored, outcome.Result));
        var read = await portal.ReadSummaryAsync(A, summaries[0].Id, Token);
        Assert.Equal(VerificationOutcome.Valid, SignedSummary.Verify(read.Summary).Outcome);
        var outsider = await Assert.ThrowsAsync<LedgerRefusalException>(() => other.ReadSummaryAsync(A, summaries[0].Id, Token));
        Assert.Equal(RefusalCode.NotMember, outsider.Code);

        // either side alone ends it
        var erasure = CompactJws.Sign(new Erasure(A, summaries[0].Id), patientKey);
        await portal.EraseSummaryAsync(A, new SummaryErasure(summaries[0].Id, erasure, null, Handle.New(), Salt.New(), Salt.New()), Token);
        var withdrawn = await hospital.WithdrawConsentAsync(
            A, new ConsentWithdrawal(enrolment.Index, null, Handle.New(), Salt.New(), Salt.New()), Token);
        Assert.Equal((true, 0), (withdrawn.Complete, withdrawn.Locked));
        var states = await portal.ReadSummariesAsync(A, [.. summaries.Select(summary => summary.Id)], Token);
        Assert.Equal([SummaryState.Erased, SummaryState.NotFound, SummaryState.NotFound], states.Select(reading => reading.State));
        Assert.True(await hospital.SweepIndexAsync(A, enrolment.Index, Token));

        await BlocksAndEventsAsync();
    }

    // blocks chain, carry no private data but for members, and events are the same from the middle on
    private async Task BlocksAndEventsAsync()
    {
        var channel = network.Connect(A).GetNetwork("bridge");
        var height = await channel.GetHeightAsync(Token);
        byte[] previous = [];
        var seen = new List<CommittedTransaction>();
        await foreach (var block in channel.FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 0 }, Token))
        {
            Assert.Equal(Bridge.Ledger.Protocol.BlockFault.None, Bridge.Ledger.Protocol.BlockFormat.Check(block.Block, previous));
            previous = Bridge.Ledger.Protocol.BlockFormat.HeaderHash(block.Block.Header);
            seen.AddRange(block.Transactions);
            if (block.Number + 1 == height)
                break;
        }

        Assert.Contains(seen, transaction => transaction.PrivateWrites.Any(write => write.CollectionName == $"s_{A}" && write.Value is not null));
        var outsiders = new List<CommittedTransaction>();
        await foreach (var block in network.Connect(network.Consortium.B.Msp).GetNetwork("bridge")
            .FollowBlocksWithPrivateDataAsync(new EventOptions { StartBlock = 0 }, Token))
        {
            outsiders.AddRange(block.Transactions);
            if (block.Number + 1 == height)
                break;
        }

        Assert.DoesNotContain(outsiders.SelectMany(transaction => transaction.PrivateWrites), write => write.CollectionName.EndsWith($"_{A}", StringComparison.Ordinal));

        var emitting = seen.Where(transaction => transaction.Event is not null && transaction.ValidationCode == TxValidationCode.Valid).ToList();
        var events = new List<ChaincodeEvent>();
        await foreach (var found in channel.FollowChaincodeEventsAsync("summaries", new EventOptions { StartBlock = 0 }, Token))
        {
            events.Add(found);
            if (events.Count == emitting.Count)
                break;
        }

        Assert.Equal(emitting.Select(transaction => transaction.TransactionId), events.Select(found => found.TransactionId));
        var middle = events.Count / 2;
        var rest = new List<string>();
        await foreach (var found in channel.GetChaincodeEventsAsync("summaries", new EventOptions { Checkpoint = events[middle].Checkpoint }, Token))
        {
            rest.Add(found.TransactionId);
            if (rest.Count == events.Count - middle - 1)
                break;
        }

        Assert.Equal(events.Skip(middle + 1).Select(found => found.TransactionId), rest);
    }

    // proposed by the hospital, confirmed by the attestor by way of another: the gateway plans who endorses
    private async Task<(DoctorRecord Doctor, KeyPair Keys)> ActiveDoctorAsync(SummaryLedger hospital, SummaryLedger other)
    {
        var office = network.Consortium.A;
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(network.Consortium.ConsortiumFile)!, "doctor")).FullName;
        var keys = office.IssuePerson(folder, "doctor", "Dr. Iris Keller", DateTimeOffset.UtcNow);
        var statement = new DoctorStatement(A, Handle.New(), Digest.Of(keys.Der()), "Dr. Iris Keller", "L-1", "National register");
        using var registrarKey = office.Registrar.LoadKey();
        var signed = CompactJws.Sign(statement, registrarKey, office.Registrar.Der());
        await hospital.ProposeDoctorAsync(
            A, new DoctorProposalSubmission(statement.Handle, Convert.ToBase64String(keys.Der()), signed, Salt.New(), Salt.New()), Token);
        var attestor = network.Consortium.Attestor;
        using var attestorKey = attestor.LoadKey();
        var confirmation = CompactJws.Sign(DoctorConfirmation.Of(statement, signed), attestorKey, attestor.Der());
        await other.ConfirmDoctorAsync(A, new DoctorConfirmationSubmission(statement.Handle, confirmation, Salt.New()), Token);
        var doctor = await hospital.ReadDoctorAsync(statement.Handle, Token);
        Assert.Equal(DoctorStatus.Active, doctor.Status);
        return (doctor, keys);
    }

    private async Task<(PatientEnrolment Enrolment, ECDsa Key, Pseudonym Pseudonym)> EnrolledPatientAsync(SummaryLedger hospital, SummaryLedger portal)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var record = HospitalRecord.Read(System.Text.Json.JsonElement.Parse((await hospital.ReadHospitalAsync(A, Token)).Record), out _)!;
        var request = EnrolmentRequest.Create(
            EnrolmentCode.New().Derive(A, record.CaDigests), SampleConsortium.PortalMsp, key, [Purposes.Peers], [SampleConsortium.PortalMsp], "What you agree to.",
            "en", DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
        var submission = new EnrolmentSubmission(Handle.New(), request, Salt.New(), Salt.New(), Handle.New(), Salt.New());
        await portal.RequestEnrolmentAsync(A, submission, Token);
        var certificate = network.Consortium.A.PatientCa.Issue(issuer => CertificateProfile.IssuePatient(
            issuer, request.SubjectPublicKeyInfo, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1)));
        var enrolment = new PatientEnrolment(
            submission.Request, Convert.ToBase64String(certificate), Handle.New(), Handle.New(), Handle.New(),
            Salt.New(), Salt.New(), Salt.New(), Salt.New(), Handle.New(), Salt.New());
        await hospital.EnrolPatientAsync(A, enrolment, Token);
        return (enrolment, key, request.Pseudonym);
    }

    private MinimalSummary Summary(Pseudonym patient) => new()
    {
        Id = SummaryId.New(),
        Patient = patient,
        Hospital = A,
        Period = DateTime.UtcNow.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture),
        Class = "AMB",
        Conditions = [new CodedConcept(CodeSystems.Snomed, "44054006", CodeLevel.Code, 1)],
        Treatments = [],
        AgeBand = "50-59",
        Sex = "female",
    };

    private AnchorItem Item(MinimalSummary summary, Handle doctor, KeyPair doctorKeys, Handle consent)
    {
        var bridge = network.Bridge(A);
        using var doctorKey = doctorKeys.LoadKey();
        using var bridgeKey = bridge.LoadKey();
        var first = SigningInput.ForDoctor(summary, doctorKeys.Der());
        var second = SigningInput.ForBridge(summary, bridge.Der());
        var document = SignedSummary.Assemble(first, first.Sign(doctorKey), second, second.Sign(bridgeKey));
        return new AnchorItem(summary.Id, document, doctor, consent, Salt.New(), Handle.New(), Salt.New(), Handle.New(), Salt.New());
    }
}
