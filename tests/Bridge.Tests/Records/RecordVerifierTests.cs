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
        Outcome(RecordOutcome.FreshnessUnknown, _good with { Status = CompactJws.Sign(new StatusList("HospitalAMSP", _a.Record.RecordDigest, 1, TestRecords.Now, TestRecords.Now.AddHours(1), []), _a.RegistrarKey, _a.Registrar) });
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
        var both = _a.Record with { Cas = [.. _a.Record.Cas, new(CaUse.People, rolled)] };
        Outcome(RecordOutcome.Valid, _good with { Hospital = both, Status = Status(_a, both, TestRecords.Now) });
    }

    [Fact]
    public void Verify_DoctorsOwnCertificateListedAsPeopleCa_IsUntrustedCa()
    {
        // A doctor alone writes a record of her hospital in which her own certificate is a people CA, and with it mints every office, the doctor who signs and a Fabric root.
        using var puppetKey = TestHospital.NewKey();
        var forged = Forged(new(_doctor, _doctorKey), puppetKey, out var puppet);
        Outcome(RecordOutcome.UntrustedCa, forged with { Summary = Signed(puppet, puppetKey) });
    }

    [Fact]
    public void Verify_PatientCaListedAsPeopleCa_IsUntrustedCa()
    {
        // The patient CA's key lies on the bridge: whoever runs the bridge must not become a registrar by it.
        using var puppetKey = TestHospital.NewKey();
        var forged = Forged(_a.PatientCa, puppetKey, out var puppet);
        Outcome(RecordOutcome.UntrustedCa, forged with { Summary = Signed(puppet, puppetKey) });
    }

    [Fact]
    public void Verify_NewFabricRoot_NeedsTheOwnRegistrarsApproval()
    {
        using var other = new TestHospital("HospitalAMSP", "Hospital A");
        var changed = _a.Record with { Seq = 2, Cas = [.. _a.Record.Cas, new(CaUse.Bridge, other.BridgeCa.Certificate)] };
        var approval = CompactJws.Sign(changed.ApprovalBy("HospitalAMSP"), _a.RegistrarKey, _a.Registrar);
        Outcome(RecordOutcome.UntrustedCa, _good with { Hospital = changed });
        Outcome(RecordOutcome.Valid, _good with { Hospital = changed, Approvals = [approval], Status = Status(_a, changed, TestRecords.Now) });
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
        var minted = CertificateProfile.IssuePerson(_a.PatientCa, patientCaDoctorKey.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Minted", null, TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Summary = Signed(minted, patientCaDoctorKey) });
        var foreign = _b.IssueDoctor(patientCaDoctorKey, "Dr B");
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Summary = Signed(foreign, patientCaDoctorKey) });
    }

    [Fact]
    public void Verify_OneKeyInTwoRoles_IsNamed()
    {
        // a record of the own hospital is signed by nobody: whoever holds one certificate of the people CA must not be registrar, status key and doctor at once
        var (second, third) = (_a.Issue(_doctorKey, PersonRole.StatusKey, "Dr Ada Marten"), _a.Issue(_doctorKey, PersonRole.Registrar, "Dr Ada Marten"));
        Outcome(RecordOutcome.UntrustedHospital, _good with { Hospital = _a.Record with { StatusKey = _a.Issue(_a.RegistrarKey, PersonRole.StatusKey, "Status") } });
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Hospital = _a.Record with { StatusKey = second }, Status = CompactJws.Sign(new StatusList("HospitalAMSP", (_a.Record with { StatusKey = second }).RecordDigest, 1, TestRecords.Now, TestRecords.Now.AddHours(24), []), _doctorKey, second) });
        Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Hospital = _a.Record with { Registrar = third } });
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
        var walked = _good with { Own = _b.Record, OwnStatus = Status(_b, TestRecords.Now), Approvals = ["junk", approval] };
        Assert.Equal(RecordOutcome.Valid, Judge(Reread(walked), OfB));
        Assert.Equal(RecordOutcome.UntrustedCa, Judge(_good, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [] }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Hospital = _a.Record with { Seq = 2 } }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [CompactJws.Sign(_a.Record.ApprovalBy("HospitalBMSP"), _a.RegistrarKey, _a.Registrar)] }, OfB));
        Assert.Equal(RecordOutcome.HospitalNotApproved, Judge(walked with { Approvals = [CompactJws.Sign(_a.Record.ApprovalBy("HospitalAMSP"), _b.RegistrarKey, _b.Registrar)] }, OfB));
    }

    [Fact]
    public void Verify_TwoDoctorsOfWhomOnePlaysTheRegistrar_IsUntrustedHospital()
    {
        using var accompliceKey = TestHospital.NewKey();
        var accomplice = _a.IssueDoctor(accompliceKey, "Registrar Ruth");
        Outcome(RecordOutcome.UntrustedHospital, Colluding(accomplice, accompliceKey, _a.StatusCertificate, Status(_a, TestRecords.Now)));
        // nor with the status key, which lies on the bridge
        Outcome(RecordOutcome.UntrustedHospital, Colluding(_a.StatusCertificate, _a.StatusKey, _a.Issue(accompliceKey, PersonRole.Doctor, "Status"), Status(_a, TestRecords.Now)));
    }

    [Fact]
    public void Verify_CertificateInARoleThatItWasNotGivenFor_IsNamed()
    {
        using var key = TestHospital.NewKey();
        foreach (var role in new[] { PersonRole.Registrar, PersonRole.StatusKey })
            Outcome(RecordOutcome.DoctorNotOfHospital, _good with { Summary = Signed(_a.Issue(_doctorKey, role, "Dr Ada Marten"), _doctorKey) });
        foreach (var role in new[] { PersonRole.Doctor, PersonRole.StatusKey })
        {
            var voucher = _a.Issue(key, role, "Registrar Ruth");
            var statement = CompactJws.Sign(new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Ada Marten", "A-12345", "State Medical Register"), key, voucher);
            Outcome(RecordOutcome.DoctorNotVouched, _good with { Statement = statement, Confirmation = Confirmation(_b, statement) });
        }
        // a former registrar's word holds
        var former = CompactJws.Sign(new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Ada Marten", "A-12345", "State Medical Register"), key, _a.Issue(key, PersonRole.Registrar, "Registrar Rob"));
        var verdict = RecordVerifier.Verify(_good with { Statement = former, Confirmation = Confirmation(_b, former) }, OfA, _patient, TestRecords.Now);
        Assert.Equal((RecordOutcome.Valid, "Registrar Rob", false), (verdict.Outcome, verdict.VouchedBy, verdict.VouchedByRegistrarOfToday));
    }

    [Fact]
    public void Verify_FormerRegistrarWritesARecordWithADoctor_IsFreshnessUnknown()
    {
        // his certificate bears the mark and is issued by the people CA; the list of today, which he cannot sign, names another record
        using var formerKey = TestHospital.NewKey();
        var former = _a.Issue(formerKey, PersonRole.Registrar, "Registrar Rob");
        Outcome(RecordOutcome.FreshnessUnknown, Colluding(former, formerKey, _a.StatusCertificate, Status(_a, TestRecords.Now)));
        // nor is he the registrar of a reader's own hospital who approves another, all of whose keys are his
        using var invented = new TestHospital("HospitalAMSP", "Hospital A");
        var own = _b.Record with { Registrar = _b.Issue(formerKey, PersonRole.Registrar, "Registrar Rob") };
        var approval = CompactJws.Sign(invented.Record.ApprovalBy("HospitalBMSP"), formerKey, own.Registrar);
        var doctor = invented.IssueDoctor(_doctorKey, "Dr Ada Marten");
        var summary = TestRecords.Summary(_patient);
        var (signed, beside) = (SigningInput.ForDoctor(summary, doctor), SigningInput.ForBridge(summary, invented.Bridge));
        var statement = Statement(invented, doctor);
        var forged = new RecordFile
        {
            Summary = SignedSummary.Assemble(signed, signed.Sign(_doctorKey), beside, beside.Sign(invented.BridgeKey)),
            Hospital = invented.Record,
            Own = own,
            OwnStatus = Status(_b, TestRecords.Now),
            Approvals = [approval],
            Statement = statement,
            Confirmation = Confirmation(_b, statement),
            Status = Status(invented, TestRecords.Now),
        };
        Assert.Equal(RecordOutcome.FreshnessUnknown, Judge(forged, OfB));
    }

    [Fact]
    public void Verify_OwnHospitalsListMissingStaleOrOfAnotherRecord_IsFreshnessUnknown()
    {
        var walked = _good with { Own = _b.Record, Approvals = [CompactJws.Sign(_a.Record.ApprovalBy("HospitalBMSP"), _b.RegistrarKey, _b.Registrar)] };
        foreach (var (list, expected) in new[]
        {
            (null, RecordOutcome.FreshnessUnknown), ("x", RecordOutcome.FreshnessUnknown), (Status(_a, TestRecords.Now), RecordOutcome.FreshnessUnknown), (Status(_b, TestRecords.Now.AddDays(-2)), RecordOutcome.FreshnessUnknown),
            (Status(_b, _b.Record with { Seq = 2 }, TestRecords.Now), RecordOutcome.FreshnessUnknown), (Status(_b, TestRecords.Now), RecordOutcome.Valid),
        })
            Assert.Equal(expected, Judge(Reread(walked with { OwnStatus = list }), OfB));
    }

    [Fact]
    public void Verify_ListInParts_OnlyTheOneThatSpeaksOfTheDoctorCounts()
    {
        const int Parts = 8;
        var speaking = StatusList.PartOf(Digest.Of(_doctor), Parts);
        for (var part = 0; part < Parts; part++)
            Outcome(part == speaking ? RecordOutcome.Valid : RecordOutcome.FreshnessUnknown, _good with { Status = Part(part) });
        Outcome(RecordOutcome.DoctorRevoked, _good with { Status = Part(speaking, Digest.Of(_doctor)) });

        string Part(int part, params Digest[] revoked) =>
            CompactJws.Sign(new StatusList("HospitalAMSP", _a.Record.RecordDigest, 1, TestRecords.Now, TestRecords.Now.AddHours(24), revoked, part, Parts), _a.StatusKey, _a.StatusCertificate);
    }

    [Fact]
    public void Verify_RegistrarWhoseCertificateEndedBeforeTheDoctorsBegan_IsDoctorNotVouched()
    {
        using var key = TestHospital.NewKey();
        foreach (var (ends, expected) in new[] { (-31, RecordOutcome.DoctorNotVouched), (-29, RecordOutcome.Valid) })
        {
            var former = CertificateProfile.IssuePerson(_a.People, key.ExportSubjectPublicKeyInfo(), PersonRole.Registrar, "Registrar Rob", null, TestRecords.Now.AddDays(-900), TestRecords.Now.AddDays(ends));
            var statement = CompactJws.Sign(new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Ada Marten", "A-12345", "State Medical Register"), key, former);
            Outcome(expected, _good with { Statement = statement, Confirmation = Confirmation(_b, statement) });
        }
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

    /// <summary>A file in which one who is no people CA plays it: registrar, status key and a doctor are of his making.</summary>
    private RecordFile Forged(CertificateIssuer impostor, ECDsa puppetKey, out byte[] puppet)
    {
        var (from, to) = (TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(9));
        var registrar = CertificateProfile.IssuePerson(impostor, _patientKey.ExportSubjectPublicKeyInfo(), PersonRole.Registrar, "Registrar Ruth", "Hospital A", from, to);
        var status = CertificateProfile.IssuePerson(impostor, _patientKey.ExportSubjectPublicKeyInfo(), PersonRole.StatusKey, "Hospital A status", "Hospital A", from, to);
        puppet = CertificateProfile.IssuePerson(impostor, puppetKey.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Ada Marten", "Hospital A", from, to);
        var statement = CompactJws.Sign(new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(puppet), "Dr Ada Marten", "A-12345", "State Medical Register"), _patientKey, registrar);
        var record = _a.Record with { Cas = [.. _a.Record.Cas, new(CaUse.People, impostor.Certificate)], Registrar = registrar, StatusKey = status };
        return _good with
        {
            Hospital = record,
            Statement = statement,
            Confirmation = Confirmation(_b, statement),
            Status = CompactJws.Sign(new StatusList("HospitalAMSP", record.RecordDigest, 1, TestRecords.Now, TestRecords.Now.AddHours(24), []), _patientKey, status),
        };
    }

    /// <summary>
    /// What one who can sign as somebody of the hospital writes together with a doctor: a record that names him registrar, a Fabric root and bridge of their own, his approval of that, his word for
    /// the doctor, and the confirmation of a stranger. The status list is whatever can be had.
    /// </summary>
    private RecordFile Colluding(byte[] registrar, ECDsa registrarKey, byte[] statusKey, string status)
    {
        var (from, to) = (TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(9));
        using var rootKey = TestHospital.NewKey();
        using var bridgeKey = TestHospital.NewKey();
        using var strangerKey = TestHospital.NewKey();
        var root = new CertificateIssuer(CertificateProfile.CreateRoot(rootKey, "Hospital A bridge", "Hospital A", from, to), rootKey);
        var bridge = CertificateProfile.IssueFabricIdentity(root, bridgeKey.ExportSubjectPublicKeyInfo(), "bridge", "client", from, to);
        var record = _a.Record with { Seq = 2, Registrar = registrar, StatusKey = statusKey, Cas = [.. _a.Record.Cas, new(CaUse.Bridge, root.Certificate)], Bridges = [Digest.Of(bridge)] };
        var statement = CompactJws.Sign(new DoctorStatement("HospitalAMSP", Handle.New(), Digest.Of(_doctor), "Dr Ada Marten", "A-12345", "State Medical Register"), registrarKey, registrar);
        var stranger = CertificateProfile.CreateAttestor(strangerKey, "Registrar Ruth", from, to);
        var summary = TestRecords.Summary(_patient);
        var doctor = SigningInput.ForDoctor(summary, _doctor);
        var beside = SigningInput.ForBridge(summary, bridge);
        return new RecordFile
        {
            Summary = SignedSummary.Assemble(doctor, doctor.Sign(_doctorKey), beside, beside.Sign(bridgeKey)),
            Hospital = record,
            Approvals = [CompactJws.Sign(record.ApprovalBy("HospitalAMSP"), registrarKey, registrar)],
            Statement = statement,
            Confirmation = CompactJws.Sign(DoctorConfirmation.Of(CompactJws.Verify<DoctorStatement>(statement).Value!.Statement, statement), strangerKey, stranger),
            Status = status,
        };
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

    private static string Status(TestHospital by, DateTimeOffset from, params Digest[] revoked) => Status(by, by.Record, from, revoked);

    private static string Status(TestHospital by, HospitalRecord inForce, DateTimeOffset from, params Digest[] revoked) =>
        CompactJws.Sign(new StatusList(by.Record.Msp, inForce.RecordDigest, 1, from, from.AddHours(24), revoked), by.StatusKey, by.StatusCertificate);

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _doctorKey.Dispose();
        _patientKey.Dispose();
    }
}
