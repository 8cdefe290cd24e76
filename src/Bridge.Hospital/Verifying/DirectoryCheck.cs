using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>What a reader of this hospital's summaries needs besides the summaries: the hospital's record, its doctors, its status list.</summary>
/// <param name="Hospital">The record in force.</param>
/// <param name="Approvals">Compact approvals of it.</param>
/// <param name="Doctors">By the handle of their record.</param>
/// <param name="Status">The parts of the compact status list; empty where none is published.</param>
internal sealed record LedgerDirectory(HospitalRecord Hospital, IReadOnlyList<string> Approvals, IReadOnlyDictionary<Handle, DoctorRecord> Doctors, IReadOnlyList<string> Status)
{
    /// <summary>The part that speaks of a doctor's certificate; null where there is none.</summary>
    public string? StatusOf(Digest certificate) => Status.FirstOrDefault(compact => CompactJws.Verify<StatusList>(compact).Value?.Statement.Covers(certificate) == true);
}

/// <summary>Compares the directory on the ledger with the hospital's copy and with what the printed enrolment codes promise.</summary>
internal static class DirectoryCheck
{
    /// <summary>Reads the directory; null where the hospital's own record cannot be had, which is a finding.</summary>
    public static async Task<LedgerDirectory?> ReadAsync(SummaryLedger ledger, string hospital, Findings findings, CancellationToken cancellationToken)
    {
        HospitalReading reading;
        try
        {
            reading = await ledger.ReadHospitalAsync(hospital, cancellationToken);
        }
        catch (LedgerRefusalException e)
        {
            findings.Add("hospital.record", hospital, $"the ledger has no record of this hospital ({e.CodeText})", "Have it proposed and approved, or correct Hospital:Msp and Ledger:Channel");
            return null;
        }
        if (HospitalRecord.Parse(System.Text.Encoding.UTF8.GetBytes(reading.Record), out var fault) is not { } record)
        {
            findings.Add("hospital.record", hospital, $"its record on the ledger breaks the schema at '{fault}'", "Contract and program differ in version: update the older one");
            return null;
        }
        var doctors = new Dictionary<Handle, DoctorRecord>();
        Handle? after = null;
        do
        {
            var page = await ledger.ListDoctorsAsync(hospital, after, 200, cancellationToken);
            foreach (var doctor in page.Items)
                doctors[doctor.Handle] = doctor;
            after = page.Next;
        }
        while (after is not null);
        return new LedgerDirectory(record, reading.Approvals, doctors, await ledger.ReadStatusListAsync(hospital, cancellationToken));
    }

    /// <summary>The hospital's own certificates, chain by chain.</summary>
    public static void JudgeHospital(LedgerDirectory directory, CaDigests printed, Findings findings, DateTimeOffset now)
    {
        var record = directory.Hospital;
        findings.Looked("certificate chains", 4);
        if (!record.CaDigests.Equals(printed))
            findings.Add("hospital.cas", record.Msp, "the CAs of its record on the ledger are not those of Enrolment:PeopleCas and Enrolment:BridgeCas, whose digests are printed with every enrolment code",
                "Correct the configuration, or have a new record approved: patients who trust the printed digests cannot verify anything");
        foreach (var (member, fault) in CertificateCheck.FaultsIn(record, now))
            findings.Add("hospital.certificate", record.Msp, $"'{member}' of its record on the ledger is at fault: {fault}", "Have a record with a good certificate approved (`bridge hospital`)");
    }

    /// <summary>Every doctor: the copy here against the ledger, the registrar's statement, the confirmation, the certificate's chain.</summary>
    public static async Task JudgeDoctorsAsync(LedgerDirectory directory, Database database, Findings findings, CancellationToken cancellationToken)
    {
        var hospital = directory.Hospital;
        var copies = (await database.ReadAsync(work => DoctorRows.AllAsync(work, hospital.Msp), cancellationToken)).ToDictionary(doctor => doctor.Handle, StringComparer.Ordinal);
        foreach (var doctor in directory.Doctors.Values)
        {
            var subject = $"doctor/{doctor.Handle}";
            findings.Looked("doctors");
            if (copies.Remove(doctor.Handle.ToString(), out var copy) && (copy.Stored != doctor.StoredValue || copy.Thumbprint != doctor.Thumbprint
                || copy.Certificate != doctor.Certificate || copy.Licence != doctor.Licence || !copy.Status.Equals(doctor.Status.ToString(), StringComparison.OrdinalIgnoreCase)))
                findings.Add("doctor.copy", subject, $"the copy here ({copy.Status}) is not the ledger's record ({doctor.Status})", "A running server reads the directory anew every Certificates:SyncInterval; if it stays so, the copy was changed by hand");
            var der = Convert.FromBase64String(doctor.Certificate);
            if (Digest.Of(der).ToString() != doctor.Thumbprint)
                findings.Add("doctor.certificate", subject, "its certificate is not the one that its thumbprint names", "Revoke the record and register the doctor anew");
            var people = hospital.CasFor(CaUse.People).ToList();
            if (CertificateCheck.CheckPerson(der, PersonRole.Doctor, people, at: null) is var fault and not CertificateFault.None)
                findings.Add("doctor.chain", subject, $"its certificate does not lead to the hospital's people CA: {fault}", "Have the doctor certified anew (`bridge ca issue`)");
            var statement = CompactJws.Verify<DoctorStatement>(doctor.Statement);
            if (statement.Value?.Statement is not { } said || said.Thumbprint.ToString() != doctor.Thumbprint || said.Hospital != hospital.Msp || said.Licence != doctor.Licence)
                findings.Add("doctor.statement", subject, $"the registrar's statement does not stand behind it ({statement.Outcome})", "Revoke the record and register the doctor anew");
            else if (doctor.Confirmation is { } compact
                && CompactJws.Verify<DoctorConfirmation>(compact).Value?.Statement != DoctorConfirmation.Of(said, doctor.Statement))
                findings.Add("doctor.confirmation", subject, "the confirmation is not of this statement, or does not verify", "Revoke the record and register the doctor anew");
        }
        foreach (var copy in copies.Values)
            findings.Add("doctor.extra", $"doctor/{copy.Handle}", "is in the tables and not on the ledger", "Nobody can sign as this doctor: the row was added by hand; look at who had access");
    }

    /// <summary>Each part of the status list: signed by the hospital's status key, of the record in force, fresh, naming exactly the revoked doctors, and the one that the tables say was published.</summary>
    public static async Task JudgeStatusAsync(LedgerDirectory directory, Database database, Findings findings, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (directory.Status.Count == 0)
            findings.Add("status.missing", $"status/{directory.Hospital.Msp}", "the ledger holds no status list", "Let the server run: it publishes one every Certificates:StatusLife / 2");
        for (var part = 0; part < directory.Status.Count; part++)
            await JudgeStatusAsync(directory, part, database, findings, now, cancellationToken);
    }

    private static async Task JudgeStatusAsync(LedgerDirectory directory, int part, Database database, Findings findings, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var (subject, compact) = ($"status/{directory.Hospital.Msp}/{part}", directory.Status[part]);
        findings.Looked("status lists");
        var verified = CompactJws.Verify<StatusList>(compact);
        if (verified.Value is not { } signed)
        {
            findings.Add("status.signature", subject, $"the list on the ledger does not verify ({verified.Outcome})", "Publish a new one: let the server run");
            return;
        }
        var list = signed.Statement;
        if (list.Hospital != directory.Hospital.Msp || signed.Thumbprint != Digest.Of(directory.Hospital.StatusKey))
            findings.Add("status.key", subject, "the list is not signed by the status key of the hospital's record", "Correct Certificates:StatusCertificate and StatusKey, or have the record name this key");
        if (list.Record != directory.Hospital.RecordDigest)
            findings.Add("status.record", subject, $"list {list.Seq} names another record of the hospital than the one in force: readers show \"freshness unknown\"", "A running server publishes a new list within Certificates:SyncInterval");
        if (list.NextUpdate <= now)
            findings.Add("status.stale", subject, $"list {list.Seq} ended at {list.NextUpdate:u}: readers show \"freshness unknown\"", "Let the server run; if it does, see the stage status-list in /api/operations/stages");
        if (list.Part != part || list.Parts != directory.Status.Count)
            findings.Add("status.parts", subject, $"list {list.Seq} says that it is part {list.Part} of {list.Parts}, and {directory.Status.Count} are there", "A running server publishes all parts anew within Certificates:SyncInterval");
        var revoked = directory.Doctors.Values.Where(doctor => doctor.Status == DoctorStatus.Revoked).Select(doctor => Digest.Parse(doctor.Thumbprint)).Where(list.Covers).Order().ToList();
        if (!list.Revoked.Order().SequenceEqual(revoked))
            findings.Add("status.revoked", subject, $"list {list.Seq} names {list.Revoked.Count} revoked certificates, the directory has {revoked.Count}", "A running server publishes a new list within Certificates:SyncInterval");
        var last = await database.ReadAsync(
            work => work.FirstAsync<PublishedList>("SELECT seq AS Seq, list AS List FROM status_list WHERE seq = @Seq", new { list.Seq }), cancellationToken);
        if (last is null || last.List != compact)
            findings.Add("status.copy", subject, last is null ? $"list {list.Seq} is not in the tables" : $"list {list.Seq} on the ledger is not the one in the tables",
                "Was the database put back from a backup? Then let the server run: it pauses and says what to do. Else whoever has the status key published it: look at who had access, and have the key replaced");
    }

    private sealed class PublishedList
    {
        public long Seq { get; init; }
        public string List { get; init; } = "";
    }
}
