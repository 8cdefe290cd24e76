using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

using Bridge.Records;
using Bridge.Sandbox.Consortium;
using ProposalOptions = Bridge.Ledger.ProposalOptions;

namespace Bridge.FlowTests.Ledger;

/// <summary>A doctor with her own key.</summary>
internal sealed record Doctor(string Hospital, Handle Handle, KeyPair Keys, DoctorStatement Statement, string Signed);

/// <summary>A patient's key, and the handles under which the enrolment stands.</summary>
internal sealed record Patient(string Hospital, ECDsa Key, EnrolmentRequest Request, string Code, Handle PatientHandle, Handle Consent, Handle Index, byte[] Certificate)
{
    public Pseudonym Pseudonym => Request.Pseudonym;

    public Handle ConsentId => CompactJws.Verify<Consent>(Request.Consent, Request.SubjectPublicKeyInfo).Value!.Statement.ConsentId;
}

/// <summary>The people of the consortium, each acting with keys of their own through the contract's functions.</summary>
internal sealed class Actors(LedgerFixture fixture)
{
    private int made;

    private SampleConsortium Consortium => fixture.Consortium;

    private string[] Hospitals => [Consortium.A.Msp, Consortium.B.Msp];

    public static string[] Pair(string hospital) => [hospital, SampleConsortium.PortalMsp];

    /// <summary>Hospitals that joined the two of the beginning, by MSP id.</summary>
    public Dictionary<string, SampleHospital> Joined { get; } = [];

    public SampleHospital Hospital(string msp) => Joined.GetValueOrDefault(msp) ?? Consortium.Find(msp);

    public KeyPair Bridge(string msp) => fixture.Ledger.Client(msp);

    public string Folder() => Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(Consortium.ConsortiumFile)!, "made", $"{Interlocked.Increment(ref made)}")).FullName;

    /// <summary>A certificate for a doctor, issued by the hospital's people CA.</summary>
    public KeyPair DoctorKeys(string msp, string name) => Hospital(msp).IssuePerson(Folder(), "doctor", PersonRole.Doctor, name, DateTimeOffset.UtcNow);

    /// <summary>A second certificate of the people CA for a key that has one.</summary>
    public KeyPair CertifiedAs(PersonRole role, string msp, string name, KeyPair keys)
    {
        var again = KeyPair.In(Folder(), "again") with { KeyFile = keys.KeyFile };
        using var key = keys.LoadKey();
        var certificate = Hospital(msp).PeopleRoot.Issue(issuer => CertificateProfile.IssuePerson(
            issuer, key.ExportSubjectPublicKeyInfo(), role, name, null, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1)));
        File.WriteAllText(again.CertificateFile, PemEncoding.WriteString("CERTIFICATE", certificate));
        return again;
    }

    public Doctor NewDoctor(string msp, string name, KeyPair? keys = null, KeyPair? registrar = null)
    {
        keys ??= DoctorKeys(msp, name);
        registrar ??= Hospital(msp).Registrar;
        var statement = new DoctorStatement(msp, Handle.New(), Digest.Of(keys.Der()), name, $"L-{RandomNumberGenerator.GetInt32(1_000_000)}", "National register");
        using var key = registrar.LoadKey();
        return new Doctor(msp, statement.Handle, keys, statement, CompactJws.Sign(statement, key, registrar.Der()));
    }

    public Task<string> ProposeAsync(Doctor doctor, ContractClient? by = null) => (by ?? fixture.Contract(doctor.Hospital)).SubmitAsync(
        "ProposeDoctor", [doctor.Hospital],
        new JsonObject
        {
            ["handle"] = doctor.Handle.ToString(),
            ["certificate"] = Convert.ToBase64String(doctor.Keys.Der()),
            ["statement"] = doctor.Signed,
            ["salt"] = Salt.New().ToString(),
            ["leafSalt"] = Salt.New().ToString(),
        }, Hospitals, CancellationToken.None);

    public Task<string> ConfirmAsync(Doctor doctor, KeyPair confirmer, ContractClient? by = null)
    {
        using var key = confirmer.LoadKey();
        return ConfirmAsync(doctor, CompactJws.Sign(DoctorConfirmation.Of(doctor.Statement, doctor.Signed), key, confirmer.Der()), by);
    }

    public Task<string> ConfirmAsync(Doctor doctor, string confirmation, ContractClient? by = null) => (by ?? fixture.Contract(doctor.Hospital)).SubmitAsync(
        "ConfirmDoctor", [doctor.Hospital],
        new JsonObject { ["handle"] = doctor.Handle.ToString(), ["confirmation"] = confirmation, ["salt"] = Salt.New().ToString() }, Hospitals, CancellationToken.None);

    public Task<string> RevokeAsync(Doctor doctor, KeyPair revoker, ContractClient? by = null)
    {
        using var key = revoker.LoadKey();
        var revocation = CompactJws.Sign(new DoctorRevocation(doctor.Hospital, doctor.Handle, doctor.Statement.Thumbprint, "key-lost"), key, revoker.Der());
        return (by ?? fixture.Contract(doctor.Hospital)).SubmitAsync(
            "RevokeDoctor", [doctor.Hospital],
            new JsonObject { ["handle"] = doctor.Handle.ToString(), ["revocation"] = revocation, ["salt"] = Salt.New().ToString() }, Hospitals, CancellationToken.None);
    }

    /// <summary>Proposed by the hospital, confirmed by the attestor.</summary>
    public async Task<Doctor> ActiveDoctorAsync(string msp, string name = "Dr. Iris Keller")
    {
        var doctor = NewDoctor(msp, name);
        await ProposeAsync(doctor);
        await ConfirmAsync(doctor, Consortium.Attestor);
        return doctor;
    }

    /// <summary>What the patient's browser makes of a code.</summary>
    public (EnrolmentRequest Request, ECDsa Key, string Code) NewRequest(string msp, EnrolmentCode? code = null)
    {
        code ??= EnrolmentCode.New();
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = EnrolmentRequest.Create(
            code.Derive(msp, CaDigestsOf(msp)), SampleConsortium.PortalMsp, key, [Purposes.Peers], [SampleConsortium.PortalMsp], ConsentNotice.Shipped[0].Text, "en",
            DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
        return (request, key, code.ToPlainText());
    }

    public CaDigests CaDigestsOf(string msp) => new([Digest.Of(fixture.Ledger.Root(msp).Der())], [Digest.Of(Hospital(msp).PeopleRoot.Der())]);

    /// <summary>The portal puts a request into the hospital's mailbox; returns its handle.</summary>
    public async Task<Handle> RequestAsync(string msp, EnrolmentRequest request, ContractClient? by = null)
    {
        var handle = Handle.New();
        await (by ?? fixture.Contract(SampleConsortium.PortalMsp)).SubmitAsync(
            "RequestEnrolment", [msp],
            new JsonObject
            {
                ["handle"] = handle.ToString(),
                ["request"] = request.ToJson(),
                ["salt"] = Salt.New().ToString(),
                ["codeSalt"] = Salt.New().ToString(),
                ["event"] = Handle.New().ToString(),
                ["eventSalt"] = Salt.New().ToString(),
            }, Pair(msp), CancellationToken.None);
        return handle;
    }

    /// <summary>The hospital's patient CA certifies a key.</summary>
    public byte[] PatientCertificate(string msp, byte[] publicKey) => Hospital(msp).PatientCa.Issue(
        issuer => CertificateProfile.IssuePatient(issuer, publicKey, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1)));

    public Task<string> EnrolAsync(string msp, Handle request, byte[] certificate, Handle patient, Handle consent, Handle index, ContractClient? by = null) =>
        (by ?? fixture.Contract(msp)).SubmitAsync(
            "EnrolPatient", [msp],
            new JsonObject
            {
                ["request"] = request.ToString(),
                ["certificate"] = Convert.ToBase64String(certificate),
                ["patient"] = patient.ToString(),
                ["consent"] = consent.ToString(),
                ["index"] = index.ToString(),
                ["patientSalt"] = Salt.New().ToString(),
                ["consentSalt"] = Salt.New().ToString(),
                ["indexSalt"] = Salt.New().ToString(),
                ["codeSalt"] = Salt.New().ToString(),
                ["event"] = Handle.New().ToString(),
                ["eventSalt"] = Salt.New().ToString(),
            }, Pair(msp), CancellationToken.None);

    public async Task<Patient> EnrolledPatientAsync(string msp)
    {
        var (request, key, code) = NewRequest(msp);
        var handle = await RequestAsync(msp, request);
        var certificate = PatientCertificate(msp, request.SubjectPublicKeyInfo);
        var patient = new Patient(msp, key, request, code, Handle.New(), Handle.New(), Handle.New(), certificate);
        await EnrolAsync(msp, handle, certificate, patient.PatientHandle, patient.Consent, patient.Index);
        return patient;
    }

    public static MinimalSummary Summary(string msp, Pseudonym patient, string code = "44054006") => new()
    {
        Id = SummaryId.New(),
        Patient = patient,
        Hospital = msp,
        Period = DateTime.UtcNow.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture),
        Class = "AMB",
        Conditions = [new CodedConcept(CodeSystems.Snomed, code, CodeLevel.Code, 1)],
        Treatments = [],
        AgeBand = "50-59",
        Sex = "female",
    };

    /// <summary>The envelope with a signature in each role, by whichever keys.</summary>
    public static JsonObject Sign(MinimalSummary summary, KeyPair doctor, KeyPair bridge)
    {
        using var doctorKey = doctor.LoadKey();
        using var bridgeKey = bridge.LoadKey();
        var first = SigningInput.ForDoctor(summary, doctor.Der());
        var second = SigningInput.ForBridge(summary, bridge.Der());
        return (JsonObject)JsonNode.Parse(SignedSummary.Assemble(first, first.Sign(doctorKey), second, second.Sign(bridgeKey)))!;
    }

    /// <summary>The stored doctor record, byte for byte, as the anchoring client has to bring it.</summary>
    public async Task<string> ReadDoctorAsync(Handle handle, string asMsp)
    {
        var input = new JsonObject { ["handle"] = handle.ToString() };
        var bytes = await fixture.Contract(asMsp).EvaluateAsync(
            "ReadDoctor",
            new ProposalOptions { TransientData = new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = CanonicalJson.Serialize(input) }, EndorsingOrganizations = [asMsp] });
        return Encoding.UTF8.GetString(bytes);
    }

    public async Task<string> AnchorAsync(
        JsonObject envelope, Handle doctor, Handle consent, string msp, string? doctorRecord = null, ContractClient? by = null, string[]? endorsers = null)
    {
        doctorRecord ??= await ReadDoctorAsync(doctor, msp);
        return await (by ?? fixture.Contract(msp)).SubmitAsync(
            "AnchorSummaries", [msp],
            new JsonObject
            {
                ["doctors"] = new JsonObject { [doctor.ToString()] = doctorRecord },
                ["items"] = new JsonArray(new JsonObject
                {
                    ["summary"] = envelope.DeepClone(),
                    ["doctor"] = doctor.ToString(),
                    ["consent"] = consent.ToString(),
                    ["salt"] = Salt.New().ToString(),
                    ["page"] = Handle.New().ToString(),
                    ["indexSalt"] = Salt.New().ToString(),
                    ["event"] = Handle.New().ToString(),
                    ["eventSalt"] = Salt.New().ToString(),
                }),
            }, endorsers ?? Pair(msp), CancellationToken.None);
    }

    /// <summary>Anchors a good summary of the patient, signed by the doctor and the hospital's bridge.</summary>
    public async Task<(MinimalSummary Summary, JsonObject Envelope)> AnchoredAsync(Doctor doctor, Patient patient, string code = "44054006")
    {
        var summary = Summary(patient.Hospital, patient.Pseudonym, code);
        var envelope = Sign(summary, doctor.Keys, Bridge(patient.Hospital));
        await AnchorAsync(envelope, doctor.Handle, patient.Consent, patient.Hospital);
        return (summary, envelope);
    }

    public Task<string> EraseAsync(string msp, SummaryId id, string erasure, ContractClient? by = null, string[]? endorsers = null) =>
        (by ?? fixture.Contract(SampleConsortium.PortalMsp)).SubmitAsync(
            "EraseSummary", [msp],
            new JsonObject
            {
                ["id"] = id.ToString(),
                ["erasure"] = erasure,
                ["event"] = Handle.New().ToString(),
                ["eventSalt"] = Salt.New().ToString(),
                ["tombSalt"] = Salt.New().ToString(),
            }, endorsers ?? [SampleConsortium.PortalMsp], CancellationToken.None);

    public Task<string> WithdrawAsync(Patient patient, string? withdrawal, string byMsp)
    {
        var input = new JsonObject
        {
            ["index"] = patient.Index.ToString(),
            ["event"] = Handle.New().ToString(),
            ["eventSalt"] = Salt.New().ToString(),
            ["tombSalt"] = Salt.New().ToString(),
        };
        if (withdrawal is not null)
        {
            input["withdrawal"] = withdrawal;
        }

        return fixture.Contract(byMsp).SubmitAsync("WithdrawConsent", [patient.Hospital], input, [byMsp], CancellationToken.None);
    }

    public async Task<string?> ReadRefusalAsync(string msp, SummaryId id, string asMsp) => await Refused.ByAsync(() => fixture.Contract(asMsp).EvaluateAsync(
        "ReadSummary", [msp], new JsonObject { ["id"] = id.ToString() }, [asMsp], CancellationToken.None));
}
