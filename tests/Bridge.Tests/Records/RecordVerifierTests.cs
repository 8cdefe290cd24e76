using System.Security.Cryptography;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed class RecordVerifierTests : IDisposable
{
    private readonly TestHospital _a = new("HospitalAMSP", "Hospital A");
    private readonly TestHospital _b = new("HospitalBMSP", "Hospital B");
    private readonly ECDsa _doctorKey = TestHospital.NewKey();
    private readonly ECDsa _patientKey = TestHospital.NewKey();
    private readonly byte[] _doctor;
    private readonly Pseudonym _patient;
    private readonly RecordFile _good;

    public RecordVerifierTests()
    {
        _doctor = _a.IssueDoctor(_doctorKey, "Dr Ada Marten");
        _patient = Pseudonym.FromPublicKey(_patientKey.ExportSubjectPublicKeyInfo());
        var statement = Statement(_a, _doctor);
        _good = new RecordFile
        {
            Summary = Signed(_doctor, _doctorKey),
            Hospital = _a.Record,
            Statement = statement,
            Confirmation = Confirmation(_b, statement),
            Status = Status(_a, TestRecords.Now),
        };
    }

    private TrustAnchor OfA => new("HospitalAMSP", _a.Record.CaDigests);

    private TrustAnchor OfB => new("HospitalBMSP", _b.Record.CaDigests);

    [Fact]
    public void Verify_OwnHospitalAllGood_IsValidWithNamesAndTimes()
    {
        var verdict = RecordVerifier.Verify(Reread(_good), OfA, _patient, TestRecords.Now.AddHours(1));
        Assert.Equal(RecordOutcome.Valid, verdict.Outcome);
        Assert.Equal(
            ("Dr Ada Marten", "A-12345", "Registrar Ruth", "Registrar Ruth", "Hospital A"),
            (verdict.DoctorName, verdict.Licence, verdict.VouchedBy, verdict.ConfirmedBy, verdict.HospitalName));
        Assert.True(verdict.VouchedByRegistrarOfToday);
        Assert.Equal(TestRecords.Now.AddHours(24), verdict.StatusTo);
        Assert.Equal("2026-10", verdict.Summary!.Period);
    }

    [Fact]
    public void Verify_StatusListPastMissingOrForged_IsFreshnessUnknown()
    {
        Outcome(RecordOutcome.Valid, _good, at: TestRecords.Now.AddHours(24));
        Outcome(RecordOutcome.FreshnessUnknown, _good, at: TestRecords.Now.AddHours(24).AddSeconds(1));
        Outcome(RecordOutcome.FreshnessUnknown, _good, at: TestRecords.Now.AddMinutes(-16));
        Outcome(RecordOutcome.FreshnessUnknown, _good with { Status = null });
        Outcome(RecordOutcome.FreshnessUnknown, _good with { Status = "x" });
        Outcome(RecordOutcome.FreshnessUnknown, _good with { Status = Status(_b, TestRecords.Now) });
        Outcome(RecordOutcome.FreshnessUnknown, _good with { Status = CompactJws.Sign(new StatusList("HospitalAMSP", 1, TestRecords.Now, TestRecords.Now.AddHours(1), []), _a.RegistrarKey, _a.Registrar) });
    }

    [Fact]
    public void Verify_DoctorOnTheListOrRevokedByStatement_IsDoctorRevoked()
    {
        Outcome(RecordOutcome.DoctorRevoked, _good with { Status = Status(_a, TestRecords.Now, Digest.Of(_doctor)) });
        Outcome(RecordOutcome.DoctorRevoked, _good with { Status = Status(_a, TestRecords.Now.AddDays(-9), Digest.Of(_doctor)) });
        var revocation = CompactJws.Sign(new DoctorRevocation("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "left"), _a.RegistrarKey, _a.Registrar);
        Outcome(RecordOutcome.DoctorRevoked, _good with { Revocation = revocation });
    }

    [Fact]
    public void Verify_AnotherPatientOrTamperedOrWrongHospital_IsNamed()
    {
        Assert.Equal(RecordOutcome.NotThisPatient, RecordVerifier.Verify(_good, OfA, Pseudonym.FromPublicKey(_doctorKey.ExportSubjectPublicKeyInfo()), TestRecords.Now).Outcome);
        Assert.Equal(RecordOutcome.Valid, RecordVerifier.Verify(_good, OfA, null, TestRecords.Now).Outcome);
        var tampered = _good.Summary.ToArray();
        tampered[^20] = tampered[^20] == (byte)'A' ? (byte)'B' : (byte)'A';
        var verdict = RecordVerifier.Verify(_good with { Summary = tampered }, OfA, _patient, TestRecords.Now);
        Assert.Equal(RecordOutcome.Forged, verdict.Outcome);
        Assert.NotEqual(VerificationOutcome.Valid, verdict.Signature);
        Assert.Null(verdict.Summary);
        Outcome(RecordOutcome.WrongHospital, _good with { Hospital = _b.Record });
    }

    [Fact]
    public void Verify_CaThatIsNotTrusted_IsUntrustedCaUnlessRolledOver()
    {
        using var impostor = new TestHospital("HospitalAMSP", "Hospital A");
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = impostor.Record });
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = _a.Record with { Cas = [.. _a.Record.Cas, new(CaUse.People, impostor.People.Certificate)] } });
        using var fresh = TestHospital.NewKey();
        var rolled = CertificateProfile.RollRoot(_a.People, fresh.ExportSubjectPublicKeyInfo(), "Hospital A people 2", "Hospital A", TestRecords.Now.AddDays(-1), TestRecords.Now.AddYears(1));
        Outcome(RecordOutcome.Valid, _good with { Hospital = _a.Record with { Cas = [.. _a.Record.Cas, new(CaUse.People, rolled)] } });
    }

    [Fact]
    public void Verify_NewFabricRoot_NeedsTheOwnRegistrarsApproval()
    {
        using var other = new TestHospital("HospitalAMSP", "Hospital A");
        var changed = _a.Record with { Seq = 2, Cas = [.. _a.Record.Cas, new(CaUse.Bridge, other.BridgeCa.Certificate)] };
        var approval = CompactJws.Sign(changed.ApprovalBy("HospitalAMSP"), _a.RegistrarKey, _a.Registrar);
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = changed });
        Outcome(RecordOutcome.Valid, _good with { Hospital = changed, Approvals = [approval] });
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = changed with { Seq = 3 }, Approvals = [approval] });
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = changed, Approvals = [CompactJws.Sign(changed.ApprovalBy("HospitalAMSP"), other.RegistrarKey, other.Registrar)] });
    }

    [Fact]
    public void Verify_OfficeOrSignerOfAnother_IsNamed()
    {
        Outcome(RecordOutcome.UntrustedHospital, _good with { Hospital = _a.Record with { StatusKey = _b.StatusCertificate } });
        Outcome(RecordOutcome.UntrustedHospital, _good with { Hospital = _a.Record with { Registrar = _b.Registrar } });
        Outcome(RecordOutcome.BridgeNotOfHospital, _good with { Hospital = _a.Record with { Bridges = [Digest.Of(_b.Bridge)] } });
        using var patientCaDoctorKey = TestHospital.NewKey();
        var minted = CertificateProfile.IssuePerson(_a.PatientCa, patientCaDoctorKey.ExportSubjectPublicKeyInfo(), "Dr Minted", null, TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Summary = Signed(minted, patientCaDoctorKey) });
        var foreign = _b.IssueDoctor(patientCaDoctorKey, "Dr B");
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Summary = Signed(foreign, patientCaDoctorKey) });
    }

    [Fact]
    public void Verify_BridgeCertificateListedButOfAnotherCa_IsBridgeNotOfHospital()
    {
        var foreign = CertificateProfile.IssueFabricIdentity(_b.BridgeCa, _a.BridgeKey.ExportSubjectPublicKeyInfo(), "bridge", "client", TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        var doctor = SigningInput.ForDoctor(TestRecords.Summary(_patient), _doctor);
        var bridge = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Bridge, Base64Url.Decode(doctor.Payload), foreign);
        var summary = SignedSummary.Assemble(doctor, doctor.Sign(_doctorKey), bridge, bridge.Sign(_a.BridgeKey));
        Outcome(RecordOutcome.BridgeNotOfHospital, _good with { Summary = summary, Hospital = _a.Record with { Bridges = [Digest.Of(foreign)] } });
    }

    [Fact]
    public void Verify_DoctorSelfVouchedOrUnconfirmed_IsNamed()
    {
        Outcome(RecordOutcome.DoctorNotVouched, _good with { Statement = "x" });
        Outcome(RecordOutcome.DoctorNotVouched, _good with { Statement = Statement(_b, _doctor, "HospitalAMSP") });
        Outcome(RecordOutcome.DoctorNotVouched, _good with
        {
            Statement = CompactJws.Sign(
            new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Ada Marten", "A-1", "none"), _doctorKey, _doctor)
        });
        Outcome(RecordOutcome.DoctorNotVouched, _good with
        {
            Statement = CompactJws.Sign(
            new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Somebody Else", "A-1", "register"), _a.RegistrarKey, _a.Registrar)
        });
        Outcome(RecordOutcome.DoctorNotConfirmed, _good with { Confirmation = null });
        Outcome(RecordOutcome.DoctorNotConfirmed, _good with { Confirmation = Confirmation(_a, _good.Statement) });
        Outcome(RecordOutcome.DoctorNotConfirmed, _good with { Confirmation = Confirmation(_b, Statement(_a, _doctor)) });
        using var attestorKey = TestHospital.NewKey();
        var attestor = CertificateProfile.CreateAttestor(attestorKey, "Board", TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        var statement = CompactJws.Verify<DoctorStatement>(_good.Statement).Value!.Statement;
        Outcome(RecordOutcome.Valid, _good with { Confirmation = CompactJws.Sign(DoctorConfirmation.Of(statement, _good.Statement), attestorKey, attestor) });
    }

    [Fact]
    public void Verify_OtherHospital_IsReachedByOwnApprovalOnly()
    {
        var approval = CompactJws.Sign(_a.Record.ApprovalBy("HospitalBMSP"), _b.RegistrarKey, _b.Registrar);
        var walked = _good with { Own = _b.Record, Approvals = ["junk", approval] };
        Assert.Equal(RecordOutcome.Valid, Judge(Reread(walked), OfB));
        Assert.Equal(RecordOutcome.UntrustedCa, Judge(_good, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [] }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Hospital = _a.Record with { Seq = 2 } }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [CompactJws.Sign(_a.Record.ApprovalBy("HospitalBMSP"), _a.RegistrarKey, _a.Registrar)] }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [CompactJws.Sign(_a.Record.ApprovalBy("HospitalAMSP"), _b.RegistrarKey, _b.Registrar)] }, OfB));
    }

    [Fact]
    public void Parse_DuplicateInTheSummary_IsRefusedWithTheFile()
    {
        var text = System.Text.Encoding.UTF8.GetString(_good.ToJson());
        Assert.NotNull(RecordFile.Parse(System.Text.Encoding.UTF8.GetBytes(text), out _));
        Assert.Null(RecordFile.Parse(System.Text.Encoding.UTF8.GetBytes(text.Replace("\"summary\":{", "\"summary\":{\"payload\":\"e30\",", StringComparison.Ordinal)), out var fault));
        Assert.Equal("(document)", fault);
        Assert.Null(RecordFile.Parse("{}"u8.ToArray(), out fault));
        Assert.Equal("v", fault);
    }

    private static RecordFile Reread(RecordFile file)
    {
        var read = RecordFile.Parse(file.ToJson(), out var fault);
        Assert.Null(fault);
        return read!;
    }

    private void Outcome(RecordOutcome expected, RecordFile file, DateTimeOffset? at = null) =>
        Assert.Equal(expected, RecordVerifier.Verify(file, OfA, _patient, at ?? TestRecords.Now).Outcome);

    private RecordOutcome Judge(RecordFile file, TrustAnchor anchor) => RecordVerifier.Verify(file, anchor, _patient, TestRecords.Now).Outcome;

    private byte[] Signed(byte[] certificate, ECDsa key)
    {
        var summary = TestRecords.Summary(_patient);
        var doctor = SigningInput.ForDoctor(summary, certificate);
        var bridge = SigningInput.ForBridge(summary, _a.Bridge);
        return SignedSummary.Assemble(doctor, doctor.Sign(key), bridge, bridge.Sign(_a.BridgeKey));
    }

    private static string Statement(TestHospital by, byte[] doctor, string? msp = null) => CompactJws.Sign(
        new DoctorStatement(msp ?? by.Record.Msp, Handle.New(), Digest.Of(doctor), "Dr Ada Marten", "A-12345", "State Medical Register"), by.RegistrarKey, by.Registrar);

    private static string Confirmation(TestHospital by, string statement) => CompactJws.Sign(
        DoctorConfirmation.Of(CompactJws.Verify<DoctorStatement>(statement).Value!.Statement, statement), by.RegistrarKey, by.Registrar);

    private static string Status(TestHospital by, DateTimeOffset from, params Digest[] revoked) =>
        CompactJws.Sign(new StatusList(by.Record.Msp, 1, from, from.AddHours(24), revoked), by.StatusKey, by.StatusCertificate);

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _doctorKey.Dispose();
        _patientKey.Dispose();
    }
}
