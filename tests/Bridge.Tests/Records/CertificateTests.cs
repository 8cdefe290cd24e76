using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed class CertificateTests : IDisposable
{
    private readonly TestHospital _a = new("HospitalAMSP", "Hospital A");
    private readonly TestHospital _b = new("HospitalBMSP", "Hospital B");
    private readonly ECDsa _key = TestHospital.NewKey();

    private IEnumerable<byte[]> People => _a.Record.CasFor(CaUse.People);

    [Fact]
    public void FaultsIn_RecordOfIssuedCertificates_IsEmpty() => Assert.Empty(CertificateCheck.FaultsIn(_a.Record, TestRecords.Now));

    [Fact]
    public void FaultsIn_AnotherHospitalsOffices_NamesEach()
    {
        var mixed = _a.Record with { Registrar = _b.Registrar, StatusKey = _a.PatientCa.Certificate, PatientCa = _a.StatusCertificate };
        Assert.Equal(
            [("registrar", CertificateFault.WrongIssuer), ("statusKey", CertificateFault.IsCa), ("patientCa", CertificateFault.NotCa)],
            CertificateCheck.FaultsIn(mixed, TestRecords.Now));
    }

    [Fact]
    public void FaultsIn_OneKeyInTwoRolesOrRootNotSelfSigned_NamesEach()
    {
        Assert.Equal([("statusKey", CertificateFault.KeyInOtherRole)], CertificateCheck.FaultsIn(_a.Record with { StatusKey = _a.Issue(_a.RegistrarKey, PersonRole.StatusKey, "Status") }, TestRecords.Now));
        var rolled = CertificateProfile.RollRoot(_a.People, _key.ExportSubjectPublicKeyInfo(), "Hospital A people 2", null, TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        var more = _a.Record with { Cas = [.. _a.Record.Cas, new(CaUse.People, rolled)] };
        Assert.Equal([("cas[2].certificate", CertificateFault.NotSelfSigned)], CertificateCheck.FaultsIn(more, TestRecords.Now));
        Assert.Empty(CertificateCheck.FaultsIn(more with { Seq = 2 }, TestRecords.Now));
        var bridge = _a.Record with { Seq = 2, Cas = [.. _a.Record.Cas, new(CaUse.Bridge, rolled)] };
        Assert.Equal([("cas[2].certificate", CertificateFault.NotSelfSigned)], CertificateCheck.FaultsIn(bridge, TestRecords.Now));
    }

    [Fact]
    public void CheckPerson_IssuedByThePatientCa_IsWrongIssuer()
    {
        var forged = CertificateProfile.IssuePerson(
            new(_a.PatientCa.Certificate, _a.PatientCaKey), _key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Nobody", null, TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        Assert.Equal(CertificateFault.WrongIssuer, CertificateCheck.CheckPerson(forged, PersonRole.Doctor, People, TestRecords.Now));
    }

    [Fact]
    public void CheckPerson_SameIssuerNameOtherKey_IsWrongIssuer()
    {
        using var other = TestHospital.NewKey();
        var twin = CertificateProfile.CreateRoot(other, "Hospital A people", "Hospital A", TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        var forged = CertificateProfile.IssuePerson(new(twin, other), _key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Nobody", null, TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1));
        Assert.Equal(CertificateFault.WrongIssuer, CertificateCheck.CheckPerson(forged, PersonRole.Doctor, People, TestRecords.Now));
    }

    [Fact]
    public void CheckPerson_DoctorAtAndBesideItsDates_SaysWhich()
    {
        var doctor = CertificateProfile.IssuePerson(_a.People, _key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr Ada Marten", "Hospital A", TestRecords.Now, TestRecords.Now.AddDays(1));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, TestRecords.Now.AddDays(1)));
        Assert.Equal(CertificateFault.NotYetValid, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, TestRecords.Now.AddSeconds(-1)));
        Assert.Equal(CertificateFault.Expired, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, TestRecords.Now.AddDays(1).AddSeconds(1)));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, null));
        Assert.Equal("Dr Ada Marten", CertificateCheck.NameIn(doctor));
    }

    [Fact]
    public void CheckPerson_WithoutExtensionsOrWithOtherUsage_IsNamed()
    {
        Assert.Equal(CertificateFault.KeyUsage, CertificateCheck.CheckPerson(Odd(), PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.KeyUsage, CertificateCheck.CheckPerson(
            Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyCertSign, true)), PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.ExtendedKeyUsage, CertificateCheck.CheckPerson(
            Odd(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true)), PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.ExtendedKeyUsage, CertificateCheck.CheckPerson(_a.IssuePatient(_key), PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.CriticalExtension, CertificateCheck.CheckPerson(
            Odd(new X509Extension("1.2.3.4", [5, 0], critical: true)), PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.Unreadable, CertificateCheck.CheckPerson("junk"u8, PersonRole.Doctor, People, TestRecords.Now));
        Assert.Equal(CertificateFault.Unreadable, CertificateCheck.CheckPerson([.. _a.Registrar, 0], PersonRole.Registrar, People, TestRecords.Now));

        byte[] Odd(params X509Extension[] extensions)
        {
            var request = new CertificateRequest("CN=Odd", _key, HashAlgorithmName.SHA256);
            foreach (var extension in extensions)
                request.CertificateExtensions.Add(extension);
            using var ca = X509CertificateLoader.LoadCertificate(_a.People.Certificate);
            return request.Create(ca.SubjectName, X509SignatureGenerator.CreateForECDsa(_a.PeopleKey), TestRecords.Now.AddDays(-1), TestRecords.Now.AddDays(1), [1]).RawData;
        }
    }

    [Fact]
    public void CheckPerson_CertificateOfAnotherRole_IsRole()
    {
        foreach (var given in Enum.GetValues<PersonRole>())
            foreach (var wanted in Enum.GetValues<PersonRole>())
                Assert.Equal(given == wanted ? CertificateFault.None : CertificateFault.Role, CertificateCheck.CheckPerson(_a.Issue(_key, given, "Ada Marten"), wanted, People, TestRecords.Now));
        Assert.Equal(PersonRole.Registrar, CertificateCheck.RoleIn(_a.Registrar));
        Assert.Null(CertificateCheck.RoleIn(_a.IssuePatient(_key)));
        var swapped = _a.Record with { Registrar = _a.Issue(_key, PersonRole.Doctor, "Ada Marten"), StatusKey = _a.Registrar };
        Assert.Equal([("registrar", CertificateFault.Role), ("statusKey", CertificateFault.Role)], CertificateCheck.FaultsIn(swapped, TestRecords.Now));
    }

    [Fact]
    public void PersonRequest_WithOrWithoutRole_SaysWhatItAsksFor()
    {
        var subject = new X500DistinguishedName("CN=Dr Ada Marten");
        foreach (var role in Enum.GetValues<PersonRole>().Cast<PersonRole?>().Append(null))
        {
            var read = PersonRequest.TryRead(PersonRequest.Create(_key, subject, role))!;
            Assert.Equal("Dr Ada Marten", read.Name);
            Assert.Equal(_key.ExportSubjectPublicKeyInfo(), read.PublicKey);
            foreach (var wanted in Enum.GetValues<PersonRole>().Cast<PersonRole?>().Append(null))
                Assert.Equal(role is null || role == wanted, read.MayBe(wanted));
        }
    }

    [Fact]
    public void PersonRequest_ChangedAtRandomOrOfAnotherCurve_IsNullAndNeverThrows()
    {
        var good = new CertificateRequest("CN=Dr Ada Marten", _key, HashAlgorithmName.SHA256);
        good.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(RoleMark.Of(PersonRole.Doctor))], false));
        var der = good.CreateSigningRequest();
        Assert.NotNull(PersonRequest.TryRead(der));
        var mutator = new Differential.DerMutator(new Random(7));
        for (var i = 0; i < 2000; i++)
            PersonRequest.TryRead(mutator.Mutate(der));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Null(PersonRequest.TryRead(new CertificateRequest("CN=x", other, HashAlgorithmName.SHA256).CreateSigningRequest()));
        Assert.Null(PersonRequest.TryRead("junk"));
    }

    [Fact]
    public void CheckPatient_OwnKeyAndAnothers_IsJudgedByPseudonym()
    {
        var good = _a.IssuePatient(_key);
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPatient(good, _a.PatientCa.Certificate, TestRecords.Now));
        Assert.Equal(Pseudonym.FromPublicKey(_key.ExportSubjectPublicKeyInfo()).ToString(), CertificateCheck.NameIn(good));
        Assert.Equal(CertificateFault.WrongIssuer, CertificateCheck.CheckPatient(good, _b.PatientCa.Certificate, TestRecords.Now));
        Assert.Equal(CertificateFault.ExtendedKeyUsage, CertificateCheck.CheckPatient(_a.Registrar, _a.PatientCa.Certificate, TestRecords.Now));
    }

    [Fact]
    public void CheckPatientCa_RootInItsPlace_IsPathLength() =>
        Assert.Equal(CertificateFault.PathLength, CertificateCheck.CheckPatientCa(_a.People.Certificate, People, TestRecords.Now));

    [Fact]
    public void RollRoot_NewRootByTheOld_IsIssuedByItAndIssues()
    {
        using var fresh = TestHospital.NewKey();
        var rolled = CertificateProfile.RollRoot(_a.People, fresh.ExportSubjectPublicKeyInfo(), "Hospital A people 2", "Hospital A", TestRecords.Now, TestRecords.Now.AddYears(1));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckCa(rolled, TestRecords.Now));
        var doctor = CertificateProfile.IssuePerson(new(rolled, fresh), _key.ExportSubjectPublicKeyInfo(), PersonRole.Doctor, "Dr New", null, TestRecords.Now, TestRecords.Now.AddDays(9));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, [rolled], TestRecords.Now));
        Assert.Equal(CertificateFault.WrongIssuer, CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, People, TestRecords.Now));
    }

    [Fact]
    public void NextCrl_SecondList_KeepsEntriesAndCounts()
    {
        using var second = TestHospital.NewKey();
        var first = CertificateProfile.NextCrl(_a.People, default, [_a.IssueDoctor(_key, "Dr One")], TestRecords.Now, TestRecords.Now.AddDays(7));
        var next = CertificateProfile.NextCrl(_a.People, first, [_a.IssueDoctor(second, "Dr Two")], TestRecords.Now.AddDays(1), TestRecords.Now.AddDays(8));
        CertificateRevocationListBuilder.Load(next, out var number, out _);
        Assert.Equal(2, number);
        Assert.True(next.Length > first.Length);
        Assert.Throws<ArgumentException>(() => CertificateProfile.NextCrl(_a.People, first, [_b.Registrar], TestRecords.Now, TestRecords.Now.AddDays(7)));
    }

    [Fact]
    public void IssuePatient_Chain_IsAcceptedByThePlatformToo()
    {
        using var patient = X509CertificateLoader.LoadCertificate(_a.IssuePatient(_key));
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(X509CertificateLoader.LoadCertificate(_a.People.Certificate));
        chain.ChainPolicy.ExtraStore.Add(X509CertificateLoader.LoadCertificate(_a.PatientCa.Certificate));
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = TestRecords.Now.UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        Assert.True(chain.Build(patient), string.Join(", ", chain.ChainStatus.Select(s => s.StatusInformation)));
    }

    [Fact]
    public void Parse_RecordAndConsortium_RoundTrip()
    {
        var record = HospitalRecord.Parse(_a.Record.ToCanonicalJson(), out var fault);
        Assert.Null(fault);
        Assert.Equal(_a.Record.RecordDigest, record!.RecordDigest);
        Assert.Equal(_a.Record.CaDigests, record.CaDigests);

        using var attestorKey = TestHospital.NewKey();
        var consortium = new Consortium("PortalMSP", new("Board", CertificateProfile.CreateAttestor(attestorKey, "Board", TestRecords.Now, TestRecords.Now.AddYears(9))), [_a.Record, _b.Record]);
        var read = Consortium.Parse(consortium.ToCanonicalJson(), out fault);
        Assert.Null(fault);
        Assert.Equal(consortium.ToCanonicalJson(), read!.ToCanonicalJson());

        Assert.Null(Consortium.Parse((consortium with { Hospitals = [_a.Record, _a.Record] }).ToCanonicalJson(), out fault));
        Assert.Equal("hospitals[1].msp", fault);
        Assert.Null(HospitalRecord.Parse((_a.Record with { RpId = "x y" }).ToCanonicalJson(), out fault));
        Assert.Equal("rpId", fault);
        foreach (var origin in new[] { "http://hospital.example", "https://Hospital.example", "https://h.example/", "https://", "http://localhost.evil", "https://h.example:", "ftp://x" })
        {
            Assert.Null(HospitalRecord.Parse((_a.Record with { Origins = [origin] }).ToCanonicalJson(), out fault));
            Assert.Equal("origins[0]", fault);
        }
        Assert.NotNull(HospitalRecord.Parse((_a.Record with { Origins = ["http://localhost:5001", "https://h.example:8443"], RpId = "localhost" }).ToCanonicalJson(), out _));
    }

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _key.Dispose();
    }
}
