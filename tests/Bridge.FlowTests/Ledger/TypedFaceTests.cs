using System.Text;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>Every function of the contract through <see cref="SummaryLedger"/>.</summary>
[Collection("ledger")]
public class TypedFaceTests(LedgerFixture fixture)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private Actors Actors => fixture.Actors;

    private string A => fixture.Consortium.A.Msp;

    [Fact]
    public async Task Directory_ReadsAndWrites_AreTyped()
    {
        var ledger = Ledger(A);
        var consortium = await ledger.ReadConsortiumAsync(Token);
        Assert.Equal(SampleConsortium.PortalMsp, consortium.Portal);
        Assert.Contains(A, consortium.Hospitals);
        var record = HospitalRecord.Read(System.Text.Json.JsonDocument.Parse((await ledger.ReadHospitalAsync(A, Token)).Record).RootElement, out _)!;
        Assert.Equal(A, record.Msp);

        using var registrarKey = Actors.Hospital(A).Registrar.LoadKey();
        var approval = CompactJws.Sign(record.ApprovalBy(A), registrarKey, Actors.Hospital(A).Registrar.Der());
        var approved = await ledger.ApproveHospitalAsync(A, record.Seq, approval, Token);
        Assert.Equal(ApprovalResult.Active, approved.Result);
        Assert.Contains(approval, (await ledger.ReadHospitalAsync(A, Token)).Approvals);

        var doctor = Actors.NewDoctor(A, "Dr. Ada Né");
        await ledger.ProposeDoctorAsync(A, Proposal(doctor), Token);
        Assert.Equal(DoctorStatus.Pending, (await ledger.ReadDoctorAsync(doctor.Handle, Token)).Status);
        await fixture.SettledAsync();
        await Ledger(fixture.Consortium.B.Msp).ConfirmDoctorAsync(A, Confirmation(doctor), Token);
        await fixture.SettledAsync();
        var active = await ledger.ReadDoctorAsync(doctor.Handle, Token);
        Assert.Equal((DoctorStatus.Active, "Dr. Ada Né", A), (active.Status, active.Name, active.Hospital));
        Assert.Equal(Convert.ToBase64String(doctor.Keys.Der()), active.Certificate);

        using var ownKey = doctor.Keys.LoadKey();
        var revocation = CompactJws.Sign(
            new Records.DoctorRevocation(A, doctor.Handle, doctor.Statement.Thumbprint, "key-lost"), ownKey, doctor.Keys.Der());
        await Ledger(SampleConsortium.PortalMsp).RevokeDoctorAsync(A, new DoctorRevocationSubmission(doctor.Handle, revocation, Salt.New()), Token);
        await fixture.SettledAsync();
        var all = new List<DoctorRecord>();
        Handle? after = null;
        do
        {
            var page = await ledger.ListDoctorsAsync(A, after, 2, Token);
            all.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(DoctorStatus.Revoked, all.Single(one => one.Handle == doctor.Handle).Status);
        var refused = await Assert.ThrowsAsync<LedgerRefusalException>(
            () => ledger.ConfirmDoctorAsync(A, Confirmation(doctor), Token));
        Assert.Equal(RefusalCode.NotPending, refused.Code);
    }

    [Fact]
    public async Task Summary_FromRequestToSweep_EachStepIsSeenByBothSides()
    {
        var hospital = Ledger(A);
        var portal = Ledger(SampleConsortium.PortalMsp);
        var start = new EventOptions { StartBlock = await fixture.Connect(A).GetNetwork("bridge").GetHeightAsync(Token) };
        var doctor = await Actors.ActiveDoctorAsync(A);
        var stored = (await hospital.ReadDoctorAsync(doctor.Handle, Token)).StoredValue;
        var doctors = new Dictionary<Handle, string> { [doctor.Handle] = stored };

        // enrolment: the portal asks, the hospital reads its mailbox and enrols
        var (request, patientKey, _) = Actors.NewRequest(A);
        var submission = new EnrolmentSubmission(Handle.New(), request, Salt.New(), Salt.New(), Handle.New(), Salt.New());
        await portal.RequestEnrolmentAsync(A, submission, Token);
        await fixture.SettledAsync();
        var inbox = await ReadMailboxAsync(hospital);
        Assert.Equal(request.ToJson().ToJsonString(), inbox.Single(item => item.Handle == submission.Request).Request!.ToJson().ToJsonString());
        var enrolment = new PatientEnrolment(
            submission.Request, Convert.ToBase64String(Actors.PatientCertificate(A, request.SubjectPublicKeyInfo)), Handle.New(), Handle.New(), Handle.New(),
            Salt.New(), Salt.New(), Salt.New(), Salt.New(), Handle.New(), Salt.New());
        await hospital.EnrolPatientAsync(A, enrolment, Token);
        await fixture.SettledAsync();
        Assert.DoesNotContain(await ReadMailboxAsync(hospital), item => item.Handle == submission.Request);
        Assert.Equal(new DiscardOutcome(0, 0, null), await hospital.DiscardRequestsAsync(A, [submission.Request], Token));

        // two summaries, the second replacing the first; the third is retracted
        var first = Actors.Summary(A, request.Pseudonym);
        var second = Actors.Summary(A, request.Pseudonym) with { Supersedes = first.Id };
        var third = Actors.Summary(A, request.Pseudonym);
        var anchored = await AnchorAsync(hospital, doctors, Item(first, doctor, enrolment.Consent));
        Assert.Equal(AnchorResult.Anchored, anchored.Result);
        Assert.True((await hospital.FindCommitAsync(anchored.TransactionId, Token))!.Value.Successful);
        var superseding = Item(second, doctor, enrolment.Consent) with { Supersession = new Supersession(Salt.New(), Handle.New(), Salt.New()) };
        Assert.Equal(AnchorResult.Anchored, (await AnchorAsync(hospital, doctors, superseding)).Result);
        Assert.Equal(AnchorResult.Anchored, (await AnchorAsync(hospital, doctors, Item(third, doctor, enrolment.Consent))).Result);
        await fixture.SettledAsync();
        Assert.Equal(RefusalCode.IdInUse, (await AnchorAsync(hospital, doctors, Item(third, doctor, enrolment.Consent))).Refusal);
        Assert.Equal(
            [SummaryState.Erased, SummaryState.Live, SummaryState.Live],
            (await portal.ReadSummariesAsync(A, [first.Id, second.Id, third.Id], Token)).Select(reading => reading.State));
        var live = await portal.ReadSummaryAsync(A, second.Id, Token);
        Assert.Equal(VerificationOutcome.Valid, SignedSummary.Verify(live.Summary).Outcome);
        Assert.Equal((doctor.Handle, enrolment.Consent, enrolment.Index), (live.Doctor, live.Consent, live.Index));

        using (var doctorKey = doctor.Keys.LoadKey())
        using (var bridgeKey = Actors.Bridge(A).LoadKey())
        {
            var payload = new Retraction(A, third.Id, RetractionReason.EnteredInError).ToCanonicalJson();
            var byDoctor = SigningInput.Create(EnvelopeKind.Retraction, SignerRole.Doctor, payload, doctor.Keys.Der());
            var byBridge = SigningInput.Create(EnvelopeKind.Retraction, SignerRole.Bridge, payload, Actors.Bridge(A).Der());
            var document = SignedRetraction.Assemble(byDoctor, byDoctor.Sign(doctorKey), byBridge, byBridge.Sign(bridgeKey));
            await hospital.RetractSummaryAsync(
                A, new SummaryRetraction(third.Id, document, doctor.Handle, stored, Handle.New(), Salt.New(), Salt.New()), Token);
        }

        await fixture.SettledAsync();

        // the patient erases, then withdraws; both sides sweep
        var erasure = CompactJws.Sign(new Erasure(A, second.Id), patientKey);
        await portal.EraseSummaryAsync(A, new SummaryErasure(second.Id, erasure, null, Handle.New(), Salt.New(), Salt.New()), Token);
        await fixture.SettledAsync();
        var gone = await Assert.ThrowsAsync<LedgerRefusalException>(() => hospital.ReadSummaryAsync(A, second.Id, Token));
        Assert.Equal(RefusalCode.Erased, gone.Code);
        var before = await hospital.ReadPatientAsync(A, enrolment.Patient, Token);
        Assert.Equal(request.Pseudonym, before.Patient!.Pseudonym);
        Assert.All(before.Entries, entry => Assert.Equal(SummaryState.Erased, entry.State));
        var consentId = CompactJws.Verify<Consent>(request.Consent, request.SubjectPublicKeyInfo).Value!.Statement.ConsentId;
        var withdrawal = CompactJws.Sign(new Withdrawal(A, consentId), patientKey);
        var withdrawn = await portal.WithdrawConsentAsync(
            A, new ConsentWithdrawal(enrolment.Index, withdrawal, Handle.New(), Salt.New(), Salt.New()), Token);
        Assert.Equal((true, 0), (withdrawn.Complete, withdrawn.Locked));
        await fixture.SettledAsync();
        var after = await hospital.ReadPatientByIndexAsync(A, enrolment.Index, Token);
        Assert.True(after.Withdrawn);
        Assert.Null(after.Patient);
        Assert.True(await hospital.SweepIndexAsync(A, enrolment.Index, Token));
        await fixture.SettledAsync();
        var swept = await Assert.ThrowsAsync<LedgerRefusalException>(() => hospital.SweepIndexAsync(A, enrolment.Index, Token));
        Assert.Equal(RefusalCode.IndexUnknown, swept.Code);

        await NoticesTellAsync(hospital, portal, start, submission.Event, enrolment);
    }

    [Fact]
    public async Task Batches_OfTheSamePatientsAtOnce_AllAnchorByHalvesAndOneTransactionEach()
    {
        var hospital = Ledger(A);
        var doctor = await Actors.ActiveDoctorAsync(A);
        var stranger = await Actors.ActiveDoctorAsync(fixture.Consortium.B.Msp);
        var doctors = new Dictionary<Handle, string>();
        foreach (var one in new[] { doctor, stranger })
            doctors[one.Handle] = (await hospital.ReadDoctorAsync(one.Handle, Token)).StoredValue;
        var patients = new List<Patient>();
        for (var i = 0; i < 4; i++)
            patients.Add(await Actors.EnrolledPatientAsync(A));
        AnchorItem[] Batch() => [.. patients.Select(patient => Item(Actors.Summary(A, patient.Pseudonym), doctor, patient.Consent))];
        AnchorItem[] withStranger = [.. Batch().Take(3), Item(Actors.Summary(A, patients[3].Pseudonym), stranger, patients[3].Consent)];

        var outcomes = await Task.WhenAll(
            hospital.AnchorSummariesAsync(A, doctors, Batch(), Token),
            hospital.AnchorSummariesAsync(A, doctors, Batch(), Token),
            hospital.AnchorSummariesAsync(A, doctors, withStranger, Token));

        Assert.All(outcomes[..2].SelectMany(one => one), outcome => Assert.Equal(AnchorResult.Anchored, outcome.Result));
        Assert.All(outcomes[2].Take(3), outcome => Assert.Equal(AnchorResult.Anchored, outcome.Result));
        Assert.Equal((AnchorResult.Refused, RefusalCode.DoctorOfOtherHospital), (outcomes[2][3].Result, outcomes[2][3].Refusal));
        foreach (var patient in patients)
        {
            var entries = (await hospital.ReadPatientAsync(A, patient.PatientHandle, Token)).Entries;
            Assert.Equal(patient == patients[3] ? 2 : 3, entries.Count(entry => entry.State == SummaryState.Live));
        }
    }

    private async Task NoticesTellAsync(SummaryLedger hospital, SummaryLedger portal, EventOptions start, Handle requestEvent, PatientEnrolment enrolment)
    {
        var seen = new List<RecordNotices>();
        await foreach (var notices in hospital.FollowNoticesAsync(start, Token))
        {
            seen.Add(notices);
            if (notices.Notices.Any(notice => notice.Status == EventStatus.Withdrawn))
                break;
        }

        var own = new List<RecordEvent>();
        foreach (var chunk in seen.SelectMany(notices => notices.Notices).Select(notice => notice.Event).Chunk(100))
            own.AddRange((await portal.ReadEventsAsync(A, chunk, Token)).OfType<RecordEvent>());
        Assert.Contains(own, one => one.Event == requestEvent && one.Subject == EventSubject.Request);
        Assert.Contains(own, one => one.Event == enrolment.Event && one.Handle == enrolment.Patient && one.Status == EventStatus.Enrolled);
        Assert.Contains(own, one => one.Subject == EventSubject.Consent && one.Handle == enrolment.Index && one.Status == EventStatus.Withdrawn);
        Assert.All(
            [EventStatus.Requested, EventStatus.Enrolled, EventStatus.Anchored, EventStatus.Superseded, EventStatus.Retracted, EventStatus.Erased],
            status => Assert.Contains(own, one => one.Status == status));

        // taken up in the middle: exactly the rest
        var rest = new List<string>();
        await foreach (var notices in hospital.FollowNoticesAsync(new EventOptions { Checkpoint = seen[seen.Count / 2].Checkpoint }, Token))
        {
            rest.Add(notices.TransactionId);
            if (notices.TransactionId == seen[^1].TransactionId)
                break;
        }

        Assert.Equal(seen.Skip(seen.Count / 2 + 1).Select(notices => notices.TransactionId), rest);
    }

    private async Task<List<StoredEnrolment>> ReadMailboxAsync(SummaryLedger ledger)
    {
        var all = new List<StoredEnrolment>();
        Handle? after = null;
        do
        {
            var page = await ledger.ReadEnrolmentsAsync(A, after, 50, Token);
            all.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null);
        return all;
    }

    private async Task<AnchorOutcome> AnchorAsync(SummaryLedger ledger, Dictionary<Handle, string> doctors, AnchorItem item) =>
        Assert.Single(await ledger.AnchorSummariesAsync(A, doctors, [item], Token));

    private AnchorItem Item(MinimalSummary summary, Doctor doctor, Handle consent) => new(
        summary.Id,
        Encoding.UTF8.GetBytes(Actors.Sign(summary, doctor.Keys, Actors.Bridge(A)).ToJsonString()),
        doctor.Handle,
        consent,
        Salt.New(),
        Handle.New(),
        Salt.New(),
        Handle.New(),
        Salt.New());

    private static DoctorProposalSubmission Proposal(Doctor doctor) =>
        new(doctor.Handle, Convert.ToBase64String(doctor.Keys.Der()), doctor.Signed, Salt.New(), Salt.New());

    private DoctorConfirmationSubmission Confirmation(Doctor doctor)
    {
        var attestor = fixture.Consortium.Attestor;
        using var key = attestor.LoadKey();
        var confirmation = CompactJws.Sign(Records.DoctorConfirmation.Of(doctor.Statement, doctor.Signed), key, attestor.Der());
        return new DoctorConfirmationSubmission(doctor.Handle, confirmation, Salt.New());
    }

    private SummaryLedger Ledger(string msp) => fixture.Typed(msp);
}
