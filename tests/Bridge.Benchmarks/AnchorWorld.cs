using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;

namespace Bridge.Benchmarks;

/// <summary>A consortium on a ledger with one active doctor and enrolled patients.</summary>
internal sealed class AnchorWorld
{
    private readonly SummaryLedger hospital;
    private readonly string msp;
    private readonly KeyPair bridge;
    private readonly ECDsa bridgeKey;
    private readonly ECDsa doctorKey;
    private readonly byte[] doctorCertificate;
    private readonly DoctorRecord doctor;
    private readonly (Pseudonym Pseudonym, Handle Consent)[] patients;

    private AnchorWorld(
        Gateway gateway, SummaryLedger hospital, string msp, KeyPair bridge, KeyPair doctorKeys, DoctorRecord doctor, (Pseudonym, Handle)[] patients)
    {
        (Gateway, this.hospital, this.msp, this.bridge, this.doctor, this.patients) = (gateway, hospital, msp, bridge, doctor, patients);
        (bridgeKey, doctorKey, doctorCertificate) = (bridge.LoadKey(), doctorKeys.LoadKey(), doctorKeys.Der());
    }

    public Gateway Gateway { get; }

    public static async Task<AnchorWorld> FoundAsync(string folder, ILedgerPart ledger, int count, CancellationToken ct)
    {
        var consortium = new SampleConsortium(folder);
        consortium.CreateKeys(DateTimeOffset.UtcNow);
        var json = consortium.WriteFile(ledger.Root, ledger.Client);
        await ledger.DistributeAsync(consortium.ConsortiumFile, ct);
        var msp = consortium.A.Msp;
        var gateway = ledger.Connect(msp);
        using var portalGateway = ledger.Connect(SampleConsortium.PortalMsp);
        var typed = new SummaryLedgerOptions { PortalMspId = SampleConsortium.PortalMsp, MaxAttempts = 12 };
        var hospital = new SummaryLedger(gateway, ContractCalls.Channel, ContractCalls.Chaincode, typed);
        var portal = new SummaryLedger(portalGateway, ContractCalls.Channel, ContractCalls.Chaincode, typed);
        await hospital.InitConsortiumAsync(json, ct);
        var (doctor, keys) = await DoctorAsync(folder, consortium, hospital, ct);
        var clock = Stopwatch.StartNew();
        var record = HospitalRecord.Read(System.Text.Json.JsonElement.Parse((await hospital.ReadHospitalAsync(msp, ct)).Record), out _)!;
        var patients = new (Pseudonym, Handle)[count];
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = ct }, async (i, token) =>
            patients[i] = await EnrolAsync(consortium.A, record.CaDigests, hospital, portal, token));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {count} patients enrolled in {clock.Elapsed.TotalSeconds:0} s"));
        return new AnchorWorld(gateway, hospital, msp, ledger.Client(msp), keys, doctor, patients);
    }

    /// <summary>Signs for the bridge what the doctor has signed, and anchors it in one batch.</summary>
    public async Task AnchorAsync(int[] chosen, CancellationToken ct)
    {
        var items = chosen.Select(i => Item(patients[i].Pseudonym, patients[i].Consent)).ToList();
        var outcomes = await hospital.AnchorSummariesAsync(msp, new Dictionary<Handle, string> { [doctor.Handle] = doctor.StoredValue }, items, ct);
        if (outcomes.FirstOrDefault(outcome => outcome.Result != AnchorResult.Anchored) is { } failed)
            throw new InvalidOperationException($"not anchored: {failed.Result} {failed.RefusalText} {failed.Failure?.Message}");
    }

    private AnchorItem Item(Pseudonym patient, Handle consent)
    {
        var summary = new MinimalSummary
        {
            Id = SummaryId.New(),
            Patient = patient,
            Hospital = msp,
            Period = DateTime.UtcNow.ToString("yyyy-MM", CultureInfo.InvariantCulture),
            Class = "AMB",
            Conditions = [new CodedConcept(CodeSystems.Snomed, "44054006", CodeLevel.Code, 1)],
            Treatments = [],
            AgeBand = "50-59",
            Sex = "female",
        };
        var first = SigningInput.ForDoctor(summary, doctorCertificate);
        var second = SigningInput.ForBridge(summary, bridge.Der());
        byte[] document;
        lock (doctorKey)
            document = SignedSummary.Assemble(first, first.Sign(doctorKey), second, second.Sign(bridgeKey));
        return new AnchorItem(summary.Id, document, doctor.Handle, consent, Salt.New(), Handle.New(), Salt.New(), Handle.New(), Salt.New());
    }

    private static async Task<(DoctorRecord Doctor, KeyPair Keys)> DoctorAsync(string folder, SampleConsortium consortium, SummaryLedger hospital, CancellationToken ct)
    {
        var office = consortium.A;
        var keys = office.IssuePerson(Directory.CreateDirectory(Path.Combine(folder, "doctor")).FullName, "doctor", PersonRole.Doctor, "Dr. Iris Keller", DateTimeOffset.UtcNow);
        var statement = new DoctorStatement(office.Msp, Handle.New(), Digest.Of(keys.Der()), "Dr. Iris Keller", "L-1", "National register");
        using var registrarKey = office.Registrar.LoadKey();
        var signed = CompactJws.Sign(statement, registrarKey, office.Registrar.Der());
        await hospital.ProposeDoctorAsync(
            office.Msp, new DoctorProposalSubmission(statement.Handle, Convert.ToBase64String(keys.Der()), signed, Salt.New(), Salt.New()), ct);
        using var attestorKey = consortium.Attestor.LoadKey();
        var confirmation = CompactJws.Sign(Records.DoctorConfirmation.Of(statement, signed), attestorKey, consortium.Attestor.Der());
        await hospital.ConfirmDoctorAsync(office.Msp, new DoctorConfirmationSubmission(statement.Handle, confirmation, Salt.New()), ct);
        return (await hospital.ReadDoctorAsync(statement.Handle, ct), keys);
    }

    private static async Task<(Pseudonym Pseudonym, Handle Consent)> EnrolAsync(
        SampleHospital office, CaDigests digests, SummaryLedger hospital, SummaryLedger portal, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = EnrolmentRequest.Create(
            EnrolmentCode.New().Derive(office.Msp, digests), SampleConsortium.PortalMsp, key, [Purposes.Peers], [SampleConsortium.PortalMsp], "What you agree to.", "en",
            DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
        var submission = new EnrolmentSubmission(Handle.New(), request, Salt.New(), Salt.New(), Handle.New(), Salt.New());
        await portal.RequestEnrolmentAsync(office.Msp, submission, ct);
        var certificate = office.PatientCa.Issue(issuer => CertificateProfile.IssuePatient(
            issuer, request.SubjectPublicKeyInfo, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1)));
        var enrolment = new PatientEnrolment(
            submission.Request, Convert.ToBase64String(certificate), Handle.New(), Handle.New(), Handle.New(),
            Salt.New(), Salt.New(), Salt.New(), Salt.New(), Handle.New(), Salt.New());
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await hospital.EnrolPatientAsync(office.Msp, enrolment, ct);
                return (request.Pseudonym, enrolment.Consent);
            }
            catch (LedgerRefusalException e) when (e.Code == RefusalCode.RequestUnknown && attempt < 20)
            {
                // the hospital's peer may be a block behind the portal's
                await Task.Delay(200, ct);
            }
        }
    }
}
