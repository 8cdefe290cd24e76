using System.Text.Json.Nodes;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>Everyone whom identity.md calls an authorised insider, trying alone what takes two. All keys are real; each gets a refusal of its own.</summary>
[Collection("ledger")]
public class InsiderTests(LedgerFixture fixture)
{
    private static readonly string Portal = SampleConsortium.PortalMsp;

    private Actors Actors => fixture.Actors;

    private string A => fixture.Consortium.A.Msp;

    private string B => fixture.Consortium.B.Msp;

    [Fact]
    public async Task Everyone_TogetherAsAgreed_AnchorsAndReadsBack()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);

        var (summary, envelope) = await Actors.AnchoredAsync(doctor, patient);

        var read = await fixture.Contract(Portal).EvaluateAsync(
            "ReadSummary", [A], new JsonObject { ["id"] = summary.Id.ToString() }, [Portal], TestContext.Current.CancellationToken);
        Assert.Equal(CanonicalJson.SerializeToString(envelope), CanonicalJson.SerializeToString(JsonNode.Parse(read.GetProperty("summary").GetRawText())!));
    }

    [Fact]
    public void Consortium_FileDiffers_IsRefused() => Assert.Equal("CONSORTIUM_DIFFERS", fixture.RefusalOfForeignConsortium);

    [Fact]
    public void Consortium_SecondInitialisation_IsRefused() => Assert.Equal("ALREADY_INITIALISED", fixture.RefusalOfSecondInitialisation);

    // The bridge without a doctor.
    [Fact]
    public async Task Bridge_SignsBothRoles_SameKey()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var bridge = Actors.Bridge(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), bridge, bridge);

        await Refused.WithAsync("SAME_KEY", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task Bridge_LeavesTheDoctorOut_SignatureCount()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));
        envelope["signatures"]!.AsArray().RemoveAt(0);

        await Refused.WithAsync("SIGNATURE_COUNT", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task Bridge_CertifiedKeyThatNobodyEnrolled_DoctorMismatch()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var never = Actors.DoctorKeys(A, doctor.Statement.Name);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), never, Actors.Bridge(A));

        await Refused.WithAsync("DOCTOR_MISMATCH", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task Bridge_InventsADoctorsRecord_DoctorUnknown()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var record = await Actors.ReadDoctorAsync(doctor.Handle, A);
        var invented = Actors.NewDoctor(A, "Dr. Nobody");
        var forged = (JsonObject)JsonNode.Parse(record)!;
        forged["handle"] = invented.Handle.ToString();
        forged["leaf"] = Convert.ToBase64String(invented.Keys.Der());
        forged["thumbprint"] = invented.Statement.Thumbprint.ToString();
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), invented.Keys, Actors.Bridge(A));

        await Refused.WithAsync("DOCTOR_UNKNOWN", () => Actors.AnchorAsync(
            envelope, invented.Handle, patient.Consent, A, CanonicalJson.SerializeToString(forged)));
    }

    [Fact]
    public async Task Bridge_AltersADoctorsRecord_DoctorStale()
    {
        var doctor = Actors.NewDoctor(A, "Dr. Pending");
        await Actors.ProposeAsync(doctor);
        var patient = await Actors.EnrolledPatientAsync(A);
        var altered = (JsonObject)JsonNode.Parse(await Actors.ReadDoctorAsync(doctor.Handle, A))!;
        altered["status"] = "ACTIVE";
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));

        await Refused.WithAsync("DOCTOR_STALE", () => Actors.AnchorAsync(
            envelope, doctor.Handle, patient.Consent, A, CanonicalJson.SerializeToString(altered)));
    }

    // The doctor without the bridge.
    [Fact]
    public async Task Doctor_WithAClientIdentityOfHerHospital_NotBridge()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var client = fixture.NewClient(A, "doctor");
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, client);

        await Refused.WithAsync("NOT_BRIDGE", () => Actors.AnchorAsync(
            envelope, doctor.Handle, patient.Consent, A, by: fixture.Contract(A, client)));
    }

    [Fact]
    public async Task Doctor_BorrowsAnotherKeyForTheBridgesRole_BridgeNotCreator()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, fixture.NewClient(A, "other"));

        await Refused.WithAsync("BRIDGE_NOT_CREATOR", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    // The bridge's administrator mints a doctor.
    [Fact]
    public async Task BridgeAdmin_SignsTheRegistrarsStatement_NotRegistrar() =>
        await Refused.WithAsync("NOT_REGISTRAR", () => Actors.ProposeAsync(Actors.NewDoctor(A, "Dr. Minted", registrar: Actors.Bridge(A))));

    [Fact]
    public async Task BridgeAdmin_ShowsTheRegistrarsCertificateButSignsHimself_BadStatement()
    {
        var minted = Actors.NewDoctor(A, "Dr. Minted");
        using var bridgeKey = Actors.Bridge(A).LoadKey();
        var signed = CompactJws.Sign(minted.Statement, bridgeKey, Actors.Hospital(A).Registrar.Der());

        await Refused.WithAsync("BAD_STATEMENT", () => Actors.ProposeAsync(minted with { Signed = signed }));
    }

    [Fact]
    public async Task BridgeAdmin_CertifiesADoctorWithThePatientCa_BadDoctorCertificate()
    {
        var keys = KeyPair.Create(Actors.Folder(), "doctor", key => Actors.Hospital(A).PatientCa.Issue(issuer => CertificateProfile.IssuePerson(
            issuer, key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr. Minted", null, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1))));

        await Refused.WithAsync("BAD_DOCTOR_CERTIFICATE", () => Actors.ProposeAsync(Actors.NewDoctor(A, "Dr. Minted", keys)));
    }

    // The bridge's administrator mints a patient.
    [Fact]
    public async Task BridgeAdmin_MakesTheRequestHimself_NotPortal()
    {
        var (request, _, _) = Actors.NewRequest(A);

        await Refused.WithAsync("NOT_PORTAL", () => Actors.RequestAsync(A, request, fixture.Contract(A)));
    }

    [Fact]
    public async Task BridgeAdmin_EnrolsWithoutARequest_RequestUnknown()
    {
        var (request, _, _) = Actors.NewRequest(A);
        var certificate = Actors.PatientCertificate(A, request.SubjectPublicKeyInfo);

        await Refused.WithAsync("REQUEST_UNKNOWN", () => Actors.EnrolAsync(A, Handle.New(), certificate, Handle.New(), Handle.New(), Handle.New()));
    }

    [Fact]
    public async Task BridgeAdmin_PutsHisOwnKeyIntoAPatientsPlace_KeyMismatch()
    {
        var (request, _, _) = Actors.NewRequest(A);
        var handle = await Actors.RequestAsync(A, request);
        var (own, _, _) = Actors.NewRequest(A);
        var certificate = Actors.PatientCertificate(A, own.SubjectPublicKeyInfo);

        await Refused.WithAsync("KEY_MISMATCH", () => Actors.EnrolAsync(A, handle, certificate, Handle.New(), Handle.New(), Handle.New()));
    }

    [Fact]
    public async Task BridgeAdmin_AnchorsUnderAnotherPatientsConsent_ConsentMismatch()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var consenting = await Actors.EnrolledPatientAsync(A);
        var other = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, other.Pseudonym), doctor.Keys, Actors.Bridge(A));

        await Refused.WithAsync("CONSENT_MISMATCH", () => Actors.AnchorAsync(envelope, doctor.Handle, consenting.Consent, A));
    }

    // The registrar alone.
    [Fact]
    public async Task Registrar_ConfirmsHisOwnDoctor_OwnConfirmation()
    {
        var doctor = Actors.NewDoctor(A, "Dr. Alone");
        await Actors.ProposeAsync(doctor);

        await Refused.WithAsync("OWN_CONFIRMATION", () => Actors.ConfirmAsync(doctor, Actors.Hospital(A).Registrar));
    }

    [Fact]
    public async Task Registrar_WithoutConfirmation_DoctorPending()
    {
        var doctor = Actors.NewDoctor(A, "Dr. Pending");
        await Actors.ProposeAsync(doctor);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));

        await Refused.WithAsync("DOCTOR_PENDING", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task Registrar_FriendWhoIsNoRegistrar_NotConfirmer()
    {
        var doctor = Actors.NewDoctor(A, "Dr. Friend");
        await Actors.ProposeAsync(doctor);

        await Refused.WithAsync("NOT_CONFIRMER", () => Actors.ConfirmAsync(doctor, Actors.DoctorKeys(B, "Dr. Harbour")));
    }

    [Fact]
    public async Task Registrar_ConfirmationOfAnotherStatement_BadConfirmation()
    {
        var doctor = Actors.NewDoctor(A, "Dr. One");
        var other = Actors.NewDoctor(A, "Dr. Two");
        await Actors.ProposeAsync(doctor);
        using var key = Actors.Hospital(B).Registrar.LoadKey();
        var confirmation = CompactJws.Sign(DoctorConfirmation.Of(other.Statement, other.Signed), key, Actors.Hospital(B).Registrar.Der());

        await Refused.WithAsync("BAD_CONFIRMATION", () => Actors.ConfirmAsync(doctor, confirmation));
    }

    // Another hospital, and its doctor.
    [Fact]
    public async Task OtherHospital_ItsDoctorSignsHere_DoctorOfOtherHospital()
    {
        var doctor = Actors.NewDoctor(B, "Dr. Harbour");
        await Actors.ProposeAsync(doctor);
        await Actors.ConfirmAsync(doctor, Actors.Hospital(A).Registrar);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));

        await Refused.WithAsync("DOCTOR_OF_OTHER_HOSPITAL", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task OtherHospital_ProposesADoctorHere_NotBridge() =>
        await Refused.WithAsync("NOT_BRIDGE", () => Actors.ProposeAsync(Actors.NewDoctor(A, "Dr. Foreign"), fixture.Contract(B)));

    [Fact]
    public async Task OtherHospital_ReadsThisHospitalsSummaries_NotMember()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var (summary, _) = await Actors.AnchoredAsync(doctor, patient);

        Assert.Equal("NOT_MEMBER", await Actors.ReadRefusalAsync(A, summary.Id, B));
    }

    [Fact]
    public async Task OtherHospital_AnchorsHere_IsRefused()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(B));

        await Refused.WithAsync("NOT_BRIDGE", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, by: fixture.Contract(B)));
    }

    // The portal alone.
    [Fact]
    public async Task Portal_Anchors_NotBridge()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(Portal));

        await Refused.WithAsync("NOT_BRIDGE", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, by: fixture.Contract(Portal)));
    }

    [Fact]
    public async Task Portal_EnrolsAPatient_NotBridge()
    {
        var (request, _, _) = Actors.NewRequest(A);
        var handle = await Actors.RequestAsync(A, request);
        var certificate = Actors.PatientCertificate(A, request.SubjectPublicKeyInfo);

        await Refused.WithAsync("NOT_BRIDGE", () => Actors.EnrolAsync(
            A, handle, certificate, Handle.New(), Handle.New(), Handle.New(), fixture.Contract(Portal)));
    }

    [Fact]
    public async Task Portal_ErasesWithoutThePatient_BadErasure()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var other = await Actors.EnrolledPatientAsync(A);
        var (summary, _) = await Actors.AnchoredAsync(doctor, patient);
        var erasure = CompactJws.Sign(new Erasure(A, summary.Id), other.Key);

        await Refused.WithAsync("BAD_ERASURE", () => Actors.EraseAsync(A, summary.Id, erasure));
    }

    [Fact]
    public async Task Portal_EndorsesAnAnchorAlone_IsNotCommitted()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var summary = Actors.Summary(A, patient.Pseudonym);
        var envelope = Actors.Sign(summary, doctor.Keys, Actors.Bridge(A));

        var refusal = await Refused.ByAsync(() => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, endorsers: [Portal]));

        Assert.Equal("EndorsementPolicyFailure", refusal);
        Assert.Equal("NOT_FOUND", await Actors.ReadRefusalAsync(A, summary.Id, A));
    }

    [Fact]
    public async Task Hospital_EndorsesAnAnchorAlone_IsNotCommitted()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var summary = Actors.Summary(A, patient.Pseudonym);
        var envelope = Actors.Sign(summary, doctor.Keys, Actors.Bridge(A));

        var refusal = await Refused.ByAsync(() => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, endorsers: [A]));

        Assert.Equal("EndorsementPolicyFailure", refusal);
        Assert.Equal("NOT_FOUND", await Actors.ReadRefusalAsync(A, summary.Id, A));
    }

    // The replayer.
    [Fact]
    public async Task Replayer_SameRecordAgain_IdInUse()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var (_, envelope) = await Actors.AnchoredAsync(doctor, patient);

        await Refused.WithAsync("ID_IN_USE", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task Replayer_AnErasedRecord_IdRetired()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var (summary, envelope) = await Actors.AnchoredAsync(doctor, patient);
        await Actors.EraseAsync(A, summary.Id, CompactJws.Sign(new Erasure(A, summary.Id), patient.Key));

        await Refused.WithAsync("ID_RETIRED", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
        Assert.Equal("ERASED", await Actors.ReadRefusalAsync(A, summary.Id, Portal));
    }

    [Fact]
    public async Task Replayer_ARecordAtAnotherHospital_WrongHospital()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var (_, envelope) = await Actors.AnchoredAsync(doctor, patient);

        await Refused.WithAsync("WRONG_HOSPITAL", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, B));
    }

    [Fact]
    public async Task Replayer_AUsedCode_CodeSpent()
    {
        var code = EnrolmentCode.New();
        var (request, _, _) = Actors.NewRequest(A, code);
        var handle = await Actors.RequestAsync(A, request);
        await Actors.EnrolAsync(A, handle, Actors.PatientCertificate(A, request.SubjectPublicKeyInfo), Handle.New(), Handle.New(), Handle.New());
        var (again, _, _) = Actors.NewRequest(A, code);

        await Refused.WithAsync("CODE_SPENT", () => Actors.RequestAsync(A, again));
    }

    [Fact]
    public async Task Thief_TriesACodeOftenInTheMailbox_TooManyRequests()
    {
        var code = EnrolmentCode.New();
        for (var i = 0; i < 5; i++)
        {
            await Actors.RequestAsync(A, Actors.NewRequest(A, code).Request);
        }

        await Refused.WithAsync("TOO_MANY_REQUESTS", () => Actors.RequestAsync(A, Actors.NewRequest(A, code).Request));
    }

    // A doctor whose standing ended.
    [Fact]
    public async Task RevokedDoctor_SignedBefore_DoctorRevoked()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));
        await Actors.RevokeAsync(doctor, doctor.Keys, fixture.Contract(Portal));

        await Refused.WithAsync("DOCTOR_REVOKED", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
    }

    [Fact]
    public async Task RevokedDoctor_RecordFromBefore_DoctorStale()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var before = await Actors.ReadDoctorAsync(doctor.Handle, A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));
        await Actors.RevokeAsync(doctor, Actors.Hospital(A).Registrar);

        await Refused.WithAsync("DOCTOR_STALE", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A, before));
    }

    [Fact]
    public async Task RevokedDoctor_ProposedAgain_IsRefused()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        await Actors.RevokeAsync(doctor, Actors.Hospital(A).Registrar);

        await Refused.WithAsync("LEAF_IN_USE", () => Actors.ProposeAsync(Actors.NewDoctor(A, doctor.Statement.Name, doctor.Keys)));
    }

    [Fact]
    public async Task ForeignRegistrar_RevokesADoctor_NotRevoker()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);

        await Refused.WithAsync("NOT_REVOKER", () => Actors.RevokeAsync(doctor, Actors.Hospital(B).Registrar, fixture.Contract(B)));
    }

    // One key in two roles.
    [Fact]
    public async Task Office_CertifiedAsADoctorTooWithItsKey_KeyInOtherRole()
    {
        foreach (var office in new[] { Actors.Hospital(A).Registrar, Actors.Hospital(A).StatusKey })
            await Refused.WithAsync("KEY_IN_OTHER_ROLE", () => Actors.ProposeAsync(Actors.NewDoctor(A, "Dr. Twice", Actors.CertifiedAs(PersonRole.Doctor, A, "Dr. Twice", office))));
    }

    // A certificate in another role than the people CA gave it for.
    [Fact]
    public async Task Office_ShowsItsOwnCertificateAsADoctors_BadDoctorCertificate()
    {
        foreach (var (office, name) in new[] { (Actors.Hospital(A).Registrar, "registrar"), (Actors.Hospital(A).StatusKey, "status key") })
            await Refused.WithAsync("BAD_DOCTOR_CERTIFICATE", () => Actors.ProposeAsync(Actors.NewDoctor(A, $"{Actors.Hospital(A).Name} {name}", office)));
    }

    // A transaction from another time.
    [Theory]
    [InlineData(-60)]
    [InlineData(60)]
    public async Task Backdater_ClockIsOff_ClockSkew(int minutes)
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));
        var clock = new ShiftedClock(TimeSpan.FromMinutes(minutes));

        // Fabric 3.1 refuses at the peer's door, 2.5 lets the contract judge.
        var refusal = await Refused.ByAsync(() => Actors.AnchorAsync(
            envelope, doctor.Handle, patient.Consent, A, by: fixture.Contract(A, Actors.Bridge(A), clock)));
        Assert.True(refusal == "CLOCK_SKEW" || refusal?.Contains("due to incorrect timestamp", StringComparison.Ordinal) == true, $"it was answered: {refusal}");
    }

    [Fact]
    public async Task Hospital_AnchorsAfterWithdrawal_ConsentWithdrawn()
    {
        var doctor = await Actors.ActiveDoctorAsync(A);
        var patient = await Actors.EnrolledPatientAsync(A);
        var (summary, _) = await Actors.AnchoredAsync(doctor, patient);
        var envelope = Actors.Sign(Actors.Summary(A, patient.Pseudonym), doctor.Keys, Actors.Bridge(A));
        await Actors.WithdrawAsync(patient, CompactJws.Sign(new Withdrawal(A, patient.ConsentId), patient.Key), Portal);

        await Refused.WithAsync("CONSENT_WITHDRAWN", () => Actors.AnchorAsync(envelope, doctor.Handle, patient.Consent, A));
        // The body is purged: whoever knows the id learns no more than that nothing is there.
        Assert.Equal("NOT_FOUND", await Actors.ReadRefusalAsync(A, summary.Id, A));
        var left = await fixture.Contract(A).EvaluateAsync(
            "ReadPatient", [A], new JsonObject { ["index"] = patient.Index.ToString() }, [A], TestContext.Current.CancellationToken);
        Assert.True(left.GetProperty("withdrawn").GetBoolean());
    }

    private sealed class ShiftedClock(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + by;
    }
}
