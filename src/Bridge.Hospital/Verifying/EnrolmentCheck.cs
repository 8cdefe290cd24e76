using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>
/// Every enrolment in force: key, pseudonym, consent's signature, certificate's chain, and what the ledger holds of the patient, her list of live summaries against
/// the anchored rows included.
/// </summary>
internal static class EnrolmentCheck
{
    private const string Tampered = "Somebody or something changed the database by hand: restore the row from the last good backup and look at who had access";
    private const int AtOnce = 16;

    public static async Task RunAsync(
        Database database, SummaryLedger ledger, LedgerDirectory directory, Findings findings, IShellTask progress, CancellationToken cancellationToken)
    {
        long after = 0;
        while (true)
        {
            var page = await database.ReadAsync(
                work => work.ListAsync<EnrolmentRow>(
                    $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE enrolment_id > @after AND state IN ('Enrolled', 'Withdrawn', 'Lapsed') ORDER BY enrolment_id LIMIT 500", new { after }),
                cancellationToken);
            if (page.Count == 0)
                return;
            after = page[^1].EnrolmentId;
            await Parallel.ForEachAsync(page, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (row, token) =>
            {
                if (row.State == EnrolmentState.Withdrawn)
                    JudgeWiped(row, findings);
                else
                    JudgeStored(row, directory.Hospital, findings);
                if (row.IndexHandle is not null)
                    await JudgeLedgerAsync(row, database, ledger, directory.Hospital.Msp, findings, token);
                findings.Looked("enrolments");
                progress.Advance(1);
            });
        }
    }

    private static void JudgeWiped(EnrolmentRow row, Findings findings)
    {
        if (row.Spki is not null || row.Pseudonym is not null || row.Consent is not null || row.Certificate is not null || row.Purposes is not null || row.Code is not null)
            findings.Add("enrolment.wiped", $"enrolment/{row.EnrolmentId}", "is withdrawn and still holds the patient's key, consent or certificate", "Wipe it: after a withdrawal nothing of the patient may stay");
    }

    private static void JudgeStored(EnrolmentRow row, HospitalRecord hospital, Findings findings)
    {
        var subject = $"enrolment/{row.EnrolmentId}";
        if (row.Spki is null || row.Consent is null || row.Certificate is null || row.Pseudonym is null || row.PatientHandle is null || row.ConsentHandle is null || row.IndexHandle is null)
        {
            findings.Add("enrolment.content", subject, $"is {row.State} and lacks key, consent, certificate, pseudonym or a handle on the ledger", Tampered);
            return;
        }
        if (Pseudonym.FromPublicKey(row.Spki).ToString() != row.Pseudonym)
            findings.Add("enrolment.pseudonym", subject, "its pseudonym is not the digest of its public key", Tampered);
        var consent = CompactJws.Verify<Consent>(row.Consent, row.Spki);
        if (consent.Value?.Statement is not { } said)
            findings.Add("enrolment.consent", subject, $"the patient's consent does not verify with her key ({consent.Outcome})", Tampered);
        else if (said.Hospital != hospital.Msp || said.PatientKey != Digest.Of(row.Spki) || said.ConsentId.ToString() != row.ConsentId
            || string.Join(' ', said.Purposes) != row.Purposes
            || new DateTimeOffset(said.Expires.AddDays(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero).ToUnixTimeMilliseconds() != row.ConsentUntil)
            findings.Add("enrolment.consent", subject, "its columns (consent id, purposes, end) are not what the patient signed", Tampered);
        var der = Convert.FromBase64String(row.Certificate);
        if (CertificateCheck.CheckPatient(der, hospital.PatientCa, at: null) is var fault and not CertificateFault.None)
            findings.Add("enrolment.certificate", subject, $"the patient's certificate does not lead to the patient CA of the hospital's record: {fault}", "Was the patient CA replaced? Have the record on the ledger name it, or enrol anew");
        findings.Looked("certificate chains");
    }

    private static async Task JudgeLedgerAsync(
        EnrolmentRow row, Database database, SummaryLedger ledger, string hospital, Findings findings, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var found = await CompareAsync(row, database, ledger, hospital, cancellationToken);
            // What is on its way between the ledger and the tables settles by itself.
            if (found.Count == 0)
                return;
            if (attempt == Verification.Looks)
            {
                findings.AddRange(found);
                return;
            }
            await Task.Delay(Verification.BetweenLooks, cancellationToken);
            if (await database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, row.EnrolmentId), cancellationToken) is not { } now || now.State != row.State)
                return;
        }
    }

    private static async Task<IReadOnlyList<Finding>> CompareAsync(EnrolmentRow row, Database database, SummaryLedger ledger, string hospital, CancellationToken cancellationToken)
    {
        var subject = $"enrolment/{row.EnrolmentId}";
        var found = new List<Finding>();
        PatientReading reading;
        try
        {
            reading = await ledger.ReadPatientByIndexAsync(hospital, Handle.Parse(row.IndexHandle!), cancellationToken);
        }
        catch (LedgerRefusalException e)
        {
            // After a withdrawal the index may have been swept.
            if (row.State != EnrolmentState.Withdrawn)
                found.Add(new Finding("enrolment.ledger", subject, $"is {row.State} here, and the ledger cannot show its index ({e.CodeText})", "Is this the ledger that it was enrolled on? Else enrol the patient anew"));
            return found;
        }
        if (row.State == EnrolmentState.Withdrawn)
        {
            if (!reading.Withdrawn || reading.Consent is not null || reading.Entries.Any(entry => entry.State == SummaryState.Live))
                found.Add(new Finding("enrolment.live", subject, "is withdrawn here and not on the ledger", "Withdraw it there too: POST /api/enrolments/ID/withdraw"));
            return found;
        }
        if (reading.Withdrawn)
        {
            found.Add(new Finding("enrolment.withdrawn", subject, $"is {row.State} here and withdrawn on the ledger", "The ledger's notice was not heard: see that `status` shows no notices waiting, and that the server runs"));
            return found;
        }
        if (reading.Patient?.Certificate != row.Certificate || reading.Patient?.Handle.ToString() != row.PatientHandle)
            found.Add(new Finding("enrolment.patient", subject, "the patient's record on the ledger is not the one stored here", Tampered));
        if (reading.Consent?.Jws != row.Consent || reading.Consent?.Handle.ToString() != row.ConsentHandle)
            found.Add(new Finding("enrolment.consent", subject, "the consent on the ledger is not the one stored here", Tampered));
        var here = await database.ReadAsync(
            work => work.ListAsync<string>("SELECT summary_id FROM summary WHERE enrolment_id = @EnrolmentId AND status = 'Anchored'", new { row.EnrolmentId }), cancellationToken);
        var there = reading.Entries.Where(entry => entry.State == SummaryState.Live).Select(entry => entry.Id.ToString()).ToHashSet(StringComparer.Ordinal);
        var onTheWay = await database.ReadAsync(
            work => work.ListAsync<string>("SELECT summary_id FROM summary WHERE enrolment_id = @EnrolmentId AND status IN ('CoSigned', 'Anchoring')", new { row.EnrolmentId }), cancellationToken);
        var missing = here.Count(id => !there.Contains(id));
        var extra = there.Except(here, StringComparer.Ordinal).Except(onTheWay, StringComparer.Ordinal).Count();
        if (missing > 0)
            found.Add(new Finding("enrolment.index", subject, $"{missing} of its {here.Count} anchored summaries are not live in the patient's index", "See the findings ledger.missing for which"));
        if (extra > 0)
            found.Add(new Finding("enrolment.index", subject, $"the patient's index lists {extra} live summaries that are not anchored here", "See the findings ledger.extra and ledger.live for which"));
        return found;
    }
}
