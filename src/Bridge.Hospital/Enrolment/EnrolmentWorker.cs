using System.Text.Json;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Records;
using Request = Bridge.Records.EnrolmentRequest;

namespace Bridge.Hospital.Enrolment;

/// <summary>
/// The hospital's side of the mailbox: takes the request whose MAC shows the printed code, issues the certificate, enrols, and withdraws. Everything that
/// goes to the ledger is drawn once and stored first; after a crash the ledger is read before anything is said again.
/// </summary>
internal sealed partial class EnrolmentWorker(
    Database database, SummaryLedger ledger, EnrolmentOptions options, LedgerOptions ledgerOptions, HospitalOptions hospital, Instance instance, CrashPoints crash,
    EnrolmentSignals signals, WatchingSignals watching, HospitalMetrics metrics, TimeProvider clock, ILogger<EnrolmentWorker> log)
{
    private const int Looked = 100;
    private const int AtOnce = 16;

    private sealed record StoredInput(string PatientSalt, string ConsentSalt, string IndexSalt, string CodeSalt, string Event, string EventSalt);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await ExpireAsync(cancellationToken);
        await WithdrawDueAsync(cancellationToken);
        // Put back from a backup: until somebody has looked, nobody is enrolled and no request is thrown away for lack of its code.
        if (await database.ReadAsync(async work => await PauseSwitch.IsOnAsync(work) && await Bookmarks.ReadAsync(work, Bookmarks.Restored) is not null, cancellationToken))
            return;
        await ReadMailboxAsync(cancellationToken);
        await EnrolDueAsync(cancellationToken);
    }

    private Task ExpireAsync(CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        foreach (var row in await work.ListAsync<EnrolmentRow>(
            $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE state = 'Open' AND expires_at <= @now", new { now = now.ToUnixTimeMilliseconds() }))
        {
            await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Expired, now);
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.expire", $"enrolment/{row.EnrolmentId}", null, now);
        }
    }, cancellationToken);

    // Reads all requests; takes the good ones and discards those that nobody will enrol.
    private async Task ReadMailboxAsync(CancellationToken cancellationToken)
    {
        var useless = new List<Handle>();
        Handle? after = null;
        do
        {
            var page = await ledger.ReadEnrolmentsAsync(hospital.Msp, after, 200, cancellationToken);
            foreach (var item in page.Items)
                if (!await TakeAsync(item, cancellationToken))
                    useless.Add(item.Handle);
            after = page.Next;
        }
        while (after is not null);
        foreach (var chunk in useless.Chunk(100))
        {
            await ledger.DiscardRequestsAsync(hospital.Msp, chunk, cancellationToken);
            Log.Discarded(log, chunk.Length);
        }
    }

    /// <summary>False where nobody will enrol this request.</summary>
    private async Task<bool> TakeAsync(StoredEnrolment item, CancellationToken cancellationToken)
    {
        if (item.Request is not { } request)
            return false;
        // crash point enrolment.1: the request was read; the next run reads it again.
        crash.Pass("enrolment.1");
        var kept = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await EnrolmentRows.ByCodeAsync(work, request.CodeId.ToString()) is not { } row)
                return false;
            if (row.State == EnrolmentState.Enrolling)
                return true;
            if (row.State != EnrolmentState.Open || row.ExpiresAt <= now.ToUnixTimeMilliseconds())
                return false;
            return await IssueAsync(work, row, item.Handle, request, now);
        }, cancellationToken);
        // crash point enrolment.2: certificate and handles are stored, nothing was sent; EnrolDueAsync sends them.
        crash.Pass("enrolment.2");
        return kept;
    }

    private async Task<bool> IssueAsync(Work work, EnrolmentRow row, Handle handle, Request request, DateTimeOffset now)
    {
        var keys = new EnrolmentKeys(
            hospital.Msp, CaDigests.Parse(System.Text.Encoding.UTF8.GetBytes(row.CaDigests))!, Handle.Parse(row.CodeId), row.Code);
        if (!keys.Verify(request, ledgerOptions.PortalMsp))
        {
            metrics.Refused("ENROLMENT_MAC");
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.bad-mac", $"enrolment/{row.EnrolmentId}", null, now);
            return false;
        }
        var (consent, fault) = ConsentRules.Judge(request, hospital.Msp, ledgerOptions.PortalMsp, now);
        if (consent is null)
        {
            metrics.Refused("ENROLMENT_CONSENT");
            // The code stays good; the desk sees why it enrolled nobody.
            await EnrolmentRows.NoteRefusalAsync(work, row, fault);
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.bad-consent", $"enrolment/{row.EnrolmentId}", new { code = fault }, now);
            return false;
        }
        var from = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds() - 60);
        var ca = options.PatientCa.Certificate;
        var to = new[] { from + options.CertificateLifetime, new DateTimeOffset(ca.NotAfter.ToUniversalTime()) }.Min();
        from = new[] { from, new DateTimeOffset(ca.NotBefore.ToUniversalTime()) }.Max();
        var certificate = CertificateProfile.IssuePatient(
            new CertificateIssuer(ca.RawData, options.PatientCa.Key), request.SubjectPublicKeyInfo, from, to, guardian: row.Guardian != 0);
        var input = new StoredInput(
            Salt.New().ToString(), Salt.New().ToString(), Salt.New().ToString(), Salt.New().ToString(), Handle.New().ToString(), Salt.New().ToString());
        var change = new SummaryChange()
            .Set("request_handle", handle.ToString())
            .Set("spki", request.SubjectPublicKeyInfo)
            .Set("pseudonym", request.Pseudonym.ToString())
            .Set("consent", request.Consent)
            .Set("consent_id", consent.ConsentId.ToString())
            .Set("consent_until", ConsentRules.Until(consent).ToUnixTimeMilliseconds())
            .Set("purposes", string.Join(' ', consent.Purposes))
            .Set("certificate", Convert.ToBase64String(certificate))
            .Set("patient_handle", Handle.New().ToString())
            .Set("consent_handle", Handle.New().ToString())
            .Set("index_handle", Handle.New().ToString())
            .Set("input", JsonSerializer.Serialize(input))
            .Set("code", null);
        if (await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Enrolling, now, change) != TransitionOutcome.Done)
            return true;
        await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.issue", $"enrolment/{row.EnrolmentId}", null, now);
        return true;
    }

    // Enrolments of different patients touch nothing in common on the ledger: several wait for their blocks together.
    private async Task EnrolDueAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var due = await database.ReadAsync(
                work => EnrolmentRows.InStateAsync(work, EnrolmentState.Enrolling, clock.GetUtcNow(), Looked), cancellationToken);
            await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (row, token) => await EnrolAsync(row, token));
            if (due.Count < Looked)
                return;
        }
    }

    private async Task EnrolAsync(EnrolmentRow due, CancellationToken cancellationToken)
    {
        // Read anew as it is taken: since the list was made the desk may have been told to withdraw it.
        if (await database.WriteAsync(
            async work => await EnrolmentRows.TakeAsync(work, due, instance.Name, clock.GetUtcNow(), options.Lease) ? await EnrolmentRows.ByIdAsync(work, due.EnrolmentId) : null,
            cancellationToken) is not { } row)
            return;
        string? txId = null;
        var refusal = "";
        bool stands;
        try
        {
            // A former attempt may stand on the ledger: read before saying it again.
            stands = (row.Attempts > 0 || row.WithdrawAt is not null) && await StandsAsync(row, cancellationToken);
            if (!stands)
                (stands, txId, refusal) = row.WithdrawAt is null ? await SendAsync(row, cancellationToken) : await StopAsync(row, cancellationToken);
        }
        catch (Exception e) when (e is GatewayException or CommitException or LedgerRefusalException)
        {
            // A refusal here is of the reading: whether the enrolment stands is not known, so nothing is given up.
            var refused = e as LedgerRefusalException;
            await LaterAsync(row, refused?.CodeText ?? (e is CommitStatusException or SubmitException ? "UNKNOWN" : "NOT_ENROLLED"));
            Log.EnrolFailed(log, row.EnrolmentId, refused?.CodeText ?? Faults.Describe(e));
            return;
        }
        // crash point enrolment.3: it stands on the ledger, the row does not say so; the next run is refused, reads the ledger, and finds it.
        crash.Pass("enrolment.3");
        if (stands)
            await EnrolledAsync(row, txId);
        else
            await RefusedAsync(row, refusal);
    }

    // Enrols. Where that is refused, a former attempt may be why: the ledger tells whether it stands.
    private async Task<(bool Stands, string? TxId, string Refusal)> SendAsync(EnrolmentRow row, CancellationToken cancellationToken)
    {
        try
        {
            return (true, (await ledger.EnrolPatientAsync(hospital.Msp, Input(row), cancellationToken)).TransactionId, "");
        }
        catch (LedgerRefusalException e)
        {
            metrics.Refused(e.CodeText);
            return (await StandsAsync(row, cancellationToken), null, e.CodeText);
        }
    }

    /// <summary>
    /// Sees to it that an enrolment that was withdrawn on its way never gets to the ledger. Whether an attempt of before the last crash is still on its way cannot be known; without the
    /// patient's request none of them counts any more, and whether one did before can then be read for good.
    /// </summary>
    private async Task<(bool Stands, string? TxId, string Refusal)> StopAsync(EnrolmentRow row, CancellationToken cancellationToken)
    {
        // Somebody locked the request: it can be stopped no other way than by letting it through, and ending it there.
        if ((await ledger.DiscardRequestsAsync(hospital.Msp, [Handle.Parse(row.RequestHandle!)], cancellationToken)).Locked > 0)
            return await SendAsync(row, cancellationToken);
        // crash point enrolment.7: the request is off the ledger, the row does not say so; the next run finds nothing to take off, and goes on from there.
        crash.Pass("enrolment.7");
        return (await StandsAsync(row, cancellationToken), null, "WITHDRAWN");
    }

    private async Task EnrolledAsync(EnrolmentRow row, string? txId)
    {
        await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var change = new SummaryChange().Set("tx_id", txId).Set("enrolled_at", now.ToUnixTimeMilliseconds()).Set("input", null);
            // The desk may have been told to withdraw it while this was under way: then nothing of the patient is ever read.
            var withdrawn = await EnrolmentRows.ByIdAsync(work, row.EnrolmentId) is { WithdrawAt: not null } asked ? asked : null;
            if (withdrawn is not null)
                change.Set("end_reason", withdrawn.WithdrawReason);
            if (await EnrolmentRows.MoveAsync(work, row, withdrawn is null ? EnrolmentState.Enrolled : EnrolmentState.Withdrawing, now, change) != TransitionOutcome.Done)
                return;
            // What the patient's encounters were before is read once, from now on the watch brings them.
            if (withdrawn is null)
                await work.InsertIfNewAsync(
                    "sweep (enrolment_id, patient_key, created_at) VALUES (@EnrolmentId, @PatientKey, @now)",
                    new { row.EnrolmentId, row.PatientKey, now = now.ToUnixTimeMilliseconds() });
            // A consent that ran out ends for good where another takes its place: what was anchored under it is withdrawn, and put before a doctor anew. One that is withdrawn takes none.
            foreach (var lapsed in withdrawn is not null ? [] : await work.ListAsync<EnrolmentRow>(
                $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE patient_key = @PatientKey AND state = 'Lapsed'", new { row.PatientKey }))
            {
                await EnrolmentRows.MoveAsync(work, lapsed, EnrolmentState.Withdrawing, now, new SummaryChange().Set("end_reason", "replaced by a new consent"));
                await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.replace", $"enrolment/{lapsed.EnrolmentId}", new { by = row.EnrolmentId }, now);
            }
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.enrolled", $"enrolment/{row.EnrolmentId}", new { tx = txId }, now);
        });
        // crash point enrolment.4: stored; the sweep is in the tables too.
        crash.Pass("enrolment.4");
        watching.Sweep.Wake();
        // A withdrawal that waited for this is due.
        signals.Enrolment.Wake();
        Log.Enrolled(log, row.EnrolmentId);
    }

    private async Task RefusedAsync(EnrolmentRow row, string code)
    {
        if (row.WithdrawAt is null)
            Log.EnrolRefused(log, row.EnrolmentId, code);
        if (code is "CLOCK_SKEW" or "NOT_INITIALISED" or "NOT_BRIDGE" or "NOT_MEMBER" or "UNKNOWN_HOSPITAL")
        {
            await LaterAsync(row, code);
            return;
        }
        await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await EnrolmentRows.ByIdAsync(work, row.EnrolmentId) is { State: EnrolmentState.Enrolling, WithdrawAt: not null } asked)
            {
                // It never gets there, and the patient's word is kept all the same.
                await Withdrawals.MarkAsync(work, asked, asked.WithdrawReason ?? Desk.WrittenRequest, now);
                return;
            }
            await EnrolmentRows.MoveAsync(work, row, EnrolmentState.Failed, now, endReason: code);
            await AuditLog.AppendAsync(work, Actor.Bridge, "enrolment.fail", $"enrolment/{row.EnrolmentId}", new { code }, now);
        });
    }

    private async Task WithdrawDueAsync(CancellationToken cancellationToken)
    {
        foreach (var row in await database.ReadAsync(
            work => EnrolmentRows.InStateAsync(work, EnrolmentState.Withdrawing, clock.GetUtcNow(), Looked), cancellationToken))
        {
            if (row.IndexHandle is null || !await database.WriteAsync(work => EnrolmentRows.TakeAsync(work, row, instance.Name, clock.GetUtcNow(), options.Lease), cancellationToken))
                continue;
            var index = Handle.Parse(row.IndexHandle);
            try
            {
                // Purging again what is purged does nothing, so this needs no memory of its own.
                if (!await IsWithdrawnAsync(index, cancellationToken))
                    while (!(await ledger.WithdrawConsentAsync(
                        hospital.Msp, new ConsentWithdrawal(index, null, Handle.New(), Salt.New(), Salt.New()), cancellationToken)).Complete)
                        cancellationToken.ThrowIfCancellationRequested();
            }
            catch (Exception e) when (e is GatewayException or CommitException or LedgerRefusalException)
            {
                await LaterAsync(row, e is LedgerRefusalException refusal ? refusal.CodeText : "NOT_WITHDRAWN");
                Log.WithdrawFailed(log, row.EnrolmentId, e is LedgerRefusalException refused ? refused.CodeText : Faults.Describe(e));
                continue;
            }
            // crash point enrolment.5: withdrawn on the ledger, not here; the next run finds it so.
            crash.Pass("enrolment.5");
            await database.WriteAsync(work => Withdrawals.MarkAsync(work, row, row.EndReason ?? Desk.WrittenRequest, clock.GetUtcNow()), CancellationToken.None);
            signals.Ends.Wake();
        }
    }

    private async Task<bool> IsWithdrawnAsync(Handle index, CancellationToken cancellationToken)
    {
        try
        {
            var reading = await ledger.ReadPatientByIndexAsync(hospital.Msp, index, cancellationToken);
            return reading.Withdrawn && reading.Consent is null && reading.Entries.All(entry => entry.State != SummaryState.Live);
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            return true;
        }
    }

    private async Task<bool> StandsAsync(EnrolmentRow row, CancellationToken cancellationToken)
    {
        try
        {
            return (await ledger.ReadPatientAsync(hospital.Msp, Handle.Parse(row.PatientHandle!), cancellationToken)).Patient is { } patient
                && patient.Certificate == row.Certificate;
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            // Only this answers the question; any other refusal leaves it open.
            return false;
        }
    }

    private Task<int> LaterAsync(EnrolmentRow row, string code) => database.WriteAsync(work => EnrolmentRows.RetryLaterAsync(
        work, row, code, clock.GetUtcNow() + Anchoring.AnchorRules.Backoff(row.Attempts, Random.Shared.NextDouble())));

    private static PatientEnrolment Input(EnrolmentRow row)
    {
        var input = JsonSerializer.Deserialize<StoredInput>(row.Input!)!;
        return new PatientEnrolment(
            Handle.Parse(row.RequestHandle!), row.Certificate!, Handle.Parse(row.PatientHandle!), Handle.Parse(row.ConsentHandle!), Handle.Parse(row.IndexHandle!),
            Salt.Parse(input.PatientSalt), Salt.Parse(input.ConsentSalt), Salt.Parse(input.IndexSalt), Salt.Parse(input.CodeSalt), Handle.Parse(input.Event),
            Salt.Parse(input.EventSalt));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4001, Level = LogLevel.Information, Message = "Enrolment {Enrolment} is on the ledger")]
        public static partial void Enrolled(ILogger logger, long enrolment);

        [LoggerMessage(EventId = 4002, Level = LogLevel.Warning, Message = "Enrolment {Enrolment} was refused: {Code}")]
        public static partial void EnrolRefused(ILogger logger, long enrolment, string code);

        [LoggerMessage(EventId = 4003, Level = LogLevel.Warning, Message = "Enrolment {Enrolment} could not be sent and will be tried again: {Fault}")]
        public static partial void EnrolFailed(ILogger logger, long enrolment, string fault);

        [LoggerMessage(EventId = 4004, Level = LogLevel.Warning, Message = "Withdrawal of enrolment {Enrolment} will be tried again: {Fault}")]
        public static partial void WithdrawFailed(ILogger logger, long enrolment, string fault);

        [LoggerMessage(EventId = 4005, Level = LogLevel.Information, Message = "Discarded {Count} enrolment requests that no code of ours made")]
        public static partial void Discarded(ILogger logger, int count);
    }
}
