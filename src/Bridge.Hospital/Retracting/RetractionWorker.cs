using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>The calls to the ledger that retracting makes. <see cref="SummaryLedger"/> makes them; tests of the worker answer for it.</summary>
/// <param name="RetractAsync">Purges a summary under both signatures; throws what <see cref="SummaryLedger.RetractSummaryAsync"/> throws.</param>
/// <param name="ReadAsync">What stands under an id.</param>
/// <param name="DoctorAsync">A doctor's record as it is now.</param>
internal sealed record RetractionCalls(
    Func<SummaryRetraction, CancellationToken, Task<LedgerReceipt>> RetractAsync,
    Func<SummaryId, CancellationToken, Task<SummaryState>> ReadAsync,
    Func<Handle, CancellationToken, Task<DoctorRecord>> DoctorAsync)
{
    public static RetractionCalls Of(SummaryLedger ledger, HospitalOptions hospital) => new(
        (retraction, token) => ledger.RetractSummaryAsync(hospital.Msp, retraction, token),
        async (id, token) => (await ledger.ReadSummariesAsync(hospital.Msp, [id], token))[0].State,
        (handle, token) => ledger.ReadDoctorAsync(handle, token));
}

/// <summary>
/// Takes signed retractions to the ledger, one by one and without the delay of anchors: what is wrong leaves at once. Between the numbered crash points
/// everything that matters is in the tables; a tombstone is set once, so no way through here retracts twice.
/// </summary>
internal sealed partial class RetractionWorker(
    Database database, RetractionCalls ledger, AnchoringOptions options, HospitalOptions hospital, [FromKeyedServices("bridge")] SigningIdentity bridge,
    Instance instance, CrashPoints crash, HospitalMetrics metrics, TimeProvider clock, ILogger<RetractionWorker> log)
{
    private const int Looked = 100;

    /// <summary>One run: resolves what was left in the air, then sends what is due.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var row in await DueAsync(RetractionState.Sent, cancellationToken))
            await ResolveAsync(row, cancellationToken);
        foreach (var row in await DueAsync(RetractionState.CoSigned, cancellationToken))
            await SendAsync(row, cancellationToken);
    }

    private Task<IReadOnlyList<RetractionRow>> DueAsync(RetractionState state, CancellationToken cancellationToken) =>
        database.ReadAsync(work => RetractionRows.DueAsync(work, state, clock.GetUtcNow(), Looked), cancellationToken);

    private async Task SendAsync(RetractionRow due, CancellationToken cancellationToken)
    {
        // crash point retracting.1: nothing was changed; the next run chooses again.
        crash.Pass("retracting.1");
        if (await database.WriteAsync(work => PrepareAsync(work, due), cancellationToken) is not { } row)
            return;
        // crash point retracting.2: the bytes are fixed, nothing was sent; ResolveAsync finds the summary live and queues them again.
        crash.Pass("retracting.2");
        RetractionStep step;
        string code;
        LedgerReceipt? receipt = null;
        try
        {
            var doctor = await ledger.DoctorAsync(Handle.Parse(row.DoctorHandle!), cancellationToken);
            await database.WriteAsync(work => DoctorDirectory.StoreAsync(work, doctor, clock.GetUtcNow()), cancellationToken);
            receipt = await ledger.RetractAsync(RetractionItem.FromText(row.Input!).ToLedger(row, doctor.StoredValue), cancellationToken);
            (step, code) = (RetractionStep.Done, "RETRACTED");
        }
        catch (LedgerRefusalException e)
        {
            (step, code) = (RetractionRules.Judge(e.CodeText), e.CodeText);
            metrics.Refused(e.CodeText);
        }
        catch (Exception e) when (e is GatewayException or CommitException)
        {
            // It may stand: the ledger is read before anything else is done about it.
            await LookAgainAsync(row, "UNKNOWN");
            Log.Later(log, row.RowId, Faults.Describe(e));
            return;
        }
        // crash point retracting.3: it may stand on the ledger, the tables do not say so; ResolveAsync reads the ledger and stores it.
        crash.Pass("retracting.3");
        await database.WriteAsync(work => ApplyAsync(work, row, step, code, receipt?.TransactionId), CancellationToken.None);
        // crash point retracting.4: all is stored.
        crash.Pass("retracting.4");
        Log.Sent(log, row.RowId, code);
    }

    // Fixes the bytes; null where there is nothing to send (any more).
    private async Task<RetractionRow?> PrepareAsync(Work work, RetractionRow due)
    {
        var now = clock.GetUtcNow();
        if (await PauseSwitch.IsOnAsync(work))
            return null;
        var summary = await SummaryRows.ByRowAsync(work, due.RowId);
        if (summary is not { Status: SummaryStatus.Anchored })
        {
            await Retractions.CloseAsync(work, due.RowId, RetractionState.Void, "ENDED", now);
            return null;
        }
        // The ledger does not know yet that the key is lost; it would take the signature of whoever has it.
        if (due.DoctorHandle is { } handle && DoctorRules.Judge(await DoctorRows.ByHandleAsync(work, handle), hospital.Msp, null, now) == DoctorStanding.Lost)
        {
            await AskAgainAsync(work, due, "DOCTOR_LOST", now);
            return null;
        }
        var decision = due.DecisionId is { } id ? await CoSignRows.DecisionAsync(work, id) : null;
        var text = due.Input ?? (decision is null ? null : RetractionItem.Create(due, decision, hospital.Msp, bridge)?.ToText());
        if (text is null)
        {
            // Somebody changed the stored signature: a doctor is asked anew.
            await AskAgainAsync(work, due, "BAD_STORED_SIGNATURE", now);
            return null;
        }
        var lease = new SummaryChange().Set("input", text);
        if (await RetractionRows.MoveAsync(work, due, RetractionState.Sent, due.LastCode, now, lease) != TransitionOutcome.Done)
            return null;
        var row = (await RetractionRows.ByIdAsync(work, due.RetractionId))!;
        return await RetractionRows.TakeAsync(work, row, instance.Name, now, options.Lease) ? row : null;
    }

    private async Task ResolveAsync(RetractionRow row, CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(work => RetractionRows.TakeAsync(work, row, instance.Name, clock.GetUtcNow(), options.Lease), cancellationToken))
            return;
        SummaryState found;
        try
        {
            found = await ledger.ReadAsync(SummaryId.Parse(row.SummaryId), cancellationToken);
        }
        catch (Exception e) when (e is GatewayException or LedgerRefusalException)
        {
            await LookAgainAsync(row, e is LedgerRefusalException refusal ? refusal.CodeText : "LEDGER_UNREACHABLE");
            Log.Later(log, row.RowId, Faults.Describe(e));
            return;
        }
        // crash point retracting.5: read, nothing stored; the next run reads again.
        crash.Pass("retracting.5");
        await database.WriteAsync(work => ApplyAsync(work, row, RetractionRules.JudgeFound(found), $"FOUND_{found}".ToUpperInvariant(), null), CancellationToken.None);
    }

    private Task<int> LookAgainAsync(RetractionRow row, string code) => database.WriteAsync(
        work => RetractionRows.LookAgainAsync(work, row, code, clock.GetUtcNow() + AnchorRules.Backoff(row.Attempts, Random.Shared.NextDouble())), CancellationToken.None);

    // Applying the same answer twice changes nothing: the first one moved the row on.
    private async Task ApplyAsync(Work work, RetractionRow row, RetractionStep step, string code, string? txId)
    {
        var now = clock.GetUtcNow();
        switch (step)
        {
            case RetractionStep.Done:
                await Retractions.DoneAsync(work, row, txId, now);
                break;
            case RetractionStep.Gone:
                await Retractions.CloseAsync(work, row.RowId, RetractionState.Void, code, now);
                break;
            case RetractionStep.AnotherDoctor:
                await AskAgainAsync(work, row, code, now);
                break;
            case RetractionStep.Retry or RetractionStep.DoctorStale or RetractionStep.MakeAnew:
                var pause = step == RetractionStep.DoctorStale ? TimeSpan.FromSeconds(1) : AnchorRules.Backoff(row.Attempts, Random.Shared.NextDouble());
                var change = new SummaryChange().Set("attempts", row.Attempts + 1).Set("next_attempt_at", (now + pause).ToUnixTimeMilliseconds());
                await RetractionRows.MoveAsync(
                    work, row, RetractionState.CoSigned, code, now, step == RetractionStep.MakeAnew ? change.Set("input", null) : change);
                break;
            default:
                if (await RetractionRows.MoveAsync(work, row, RetractionState.Failed, code, now) == TransitionOutcome.Done)
                    await AuditLog.AppendAsync(work, Actor.Bridge, "retraction.fail", $"summary/{row.RowId}", new { code }, now);
                break;
        }
    }

    // The signature no longer counts. It stays on record, voided; the retraction goes back to the doctor if she holds another certificate, else to an operator.
    private async Task AskAgainAsync(Work work, RetractionRow row, string code, DateTimeOffset now)
    {
        var thumbprint = row.DecisionId is { } id ? (await CoSignRows.DecisionAsync(work, id))?.Thumbprint : null;
        var another = row.DoctorLicence is not null
            && (await DoctorRows.ActiveOfLicenceAsync(work, hospital.Msp, row.DoctorLicence, now)).Any(doctor => doctor.Thumbprint != thumbprint);
        await Retractions.AskAgainAsync(work, row, another ? row.DoctorLicence : null, code, now);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 3101, Level = LogLevel.Information, Message = "Sent the retraction of row {Row}: {Code}")]
        public static partial void Sent(ILogger logger, long row, string code);

        [LoggerMessage(EventId = 3102, Level = LogLevel.Warning, Message = "The fate of the retraction of row {Row} is open and will be looked up: {Fault}")]
        public static partial void Later(ILogger logger, long row, string fault);
    }
}
