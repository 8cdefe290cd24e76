using Bridge.Hospital.Certificates;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Anchoring;

/// <summary>The calls to the ledger that anchoring makes. <see cref="SummaryLedger"/> makes them; tests of the worker answer for it.</summary>
/// <param name="AnchorAsync">Anchors a batch; one outcome per item, never an exception for what happens on the ledger.</param>
/// <param name="ReadAsync">What stands under these ids.</param>
/// <param name="DoctorAsync">A doctor's record as it is now.</param>
internal sealed record AnchorCalls(
    Func<IReadOnlyDictionary<Handle, string>, IReadOnlyList<AnchorItem>, CancellationToken, Task<IReadOnlyList<AnchorOutcome>>> AnchorAsync,
    Func<IReadOnlyList<SummaryId>, CancellationToken, Task<IReadOnlyList<SummaryReading>>> ReadAsync,
    Func<Handle, CancellationToken, Task<DoctorRecord>> DoctorAsync)
{
    public static AnchorCalls Of(SummaryLedger ledger, HospitalOptions hospital) => new(
        (doctors, items, token) => ledger.AnchorSummariesAsync(hospital.Msp, doctors, items, token),
        (ids, token) => ledger.ReadSummariesAsync(hospital.Msp, ids, token),
        (handle, token) => ledger.ReadDoctorAsync(handle, token));
}

/// <summary>
/// Takes signed summaries to the ledger. Between the numbered crash points everything that matters is in the tables: a process that dies at any of
/// them is taken up by the next one (or by another instance when the lease ends), which first reads what the ledger holds and then goes on with the
/// same bytes. The contract accepts an id once, so no way through here anchors twice.
/// </summary>
internal sealed partial class AnchorWorker(
    Database database, AnchorCalls ledger, AnchoringOptions options, HospitalOptions hospital, [FromKeyedServices("bridge")] SigningIdentity bridge,
    Instance instance, CrashPoints crash, HospitalMetrics metrics, TimeProvider clock, ILogger<AnchorWorker> log)
{
    private const int Looked = 1000;

    /// <summary>One run: resolves what was left in the air, then sends batches until none is due.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await ResolveAsync(cancellationToken))
            cancellationToken.ThrowIfCancellationRequested();
        while (await SendAsync(cancellationToken))
            cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task<bool> SendAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var (queued, busy, paused) = await database.ReadAsync(async work =>
            (await AnchorRows.QueuedAsync(work, now, Looked), await AnchorRows.BusyPatientsAsync(work), await PauseSwitch.IsOnAsync(work)), cancellationToken);
        var chosen = AnchorRules.Choose(queued, busy, now, options, Random.Shared);
        if (paused || chosen.Count == 0)
            return false;

        // crash point anchoring.1: nothing was changed; the next run chooses again.
        crash.Pass("anchoring.1");
        var batch = await database.WriteAsync(work => PrepareAsync(work, chosen), cancellationToken);
        // crash point anchoring.2: the bytes are fixed, nothing was sent; ResolveAsync finds nothing on the ledger and queues them again.
        crash.Pass("anchoring.2");
        if (batch.Count == 0)
            return true;

        var began = clock.GetTimestamp();
        IReadOnlyDictionary<Handle, string> doctors;
        try
        {
            doctors = await ReadDoctorsAsync(batch, cancellationToken);
        }
        catch (Exception e) when (e is GatewayException or LedgerRefusalException)
        {
            // Nothing was sent: they are queued again at once, instead of being held until the lease ends.
            await database.WriteAsync(async work =>
            {
                foreach (var (row, _) in batch)
                    await AnchorSteps.ApplyAsync(work, row, AnchorStep.Retry, "LEDGER_UNREACHABLE", null, hospital, clock.GetUtcNow());
            }, CancellationToken.None);
            throw;
        }
        IReadOnlyList<AnchorOutcome> outcomes;
        // crash point anchoring.3 (in SubmitNotes): endorsed, the transaction's id is noted, nothing was submitted.
        using (SubmitNotes.Carry([.. batch.Select(item => item.Row.AnchorId)]))
            outcomes = await ledger.AnchorAsync(doctors, [.. batch.Select(item => item.Item)], cancellationToken);
        // crash point anchoring.4: it may stand on the ledger, no receipt is stored; ResolveAsync reads the ledger and stores it.
        crash.Pass("anchoring.4");
        await database.WriteAsync(async work =>
        {
            foreach (var (item, outcome) in batch.Zip(outcomes))
                await ApplyAsync(work, item.Row, outcome, clock.GetUtcNow());
        }, CancellationToken.None);
        // crash point anchoring.5: all is stored.
        crash.Pass("anchoring.5");

        foreach (var outcome in outcomes)
            if (outcome.Result == AnchorResult.Anchored)
                metrics.Anchored(clock.GetElapsedTime(began));
            else
                metrics.Refused(CodeOf(outcome));
        var anchored = outcomes.Count(outcome => outcome.Result == AnchorResult.Anchored);
        Log.Sent(log, batch.Count, anchored);
        return true;
    }

    // Runs in a transaction: takes what is still to be had, fixes its bytes, and settles at once what cannot leave.
    private async Task<IReadOnlyList<(AnchorRow Row, AnchorItem Item)>> PrepareAsync(Work work, IReadOnlyList<AnchorRow> chosen)
    {
        var now = clock.GetUtcNow();
        var batch = new List<(AnchorRow, AnchorItem)>();
        if (await PauseSwitch.IsOnAsync(work))
            return batch;
        var busy = await AnchorRows.BusyPatientsAsync(work);
        var name = Guid.NewGuid().ToString("N");
        foreach (var anchor in chosen.Where(anchor => !busy.Contains(anchor.Pseudonym)))
        {
            var summary = await SummaryRows.ByRowAsync(work, anchor.RowId);
            var decision = await CoSignRows.DecisionAsync(work, anchor.DecisionId);
            if (summary is not { Status: SummaryStatus.CoSigned } || decision is null)
                continue;
            var enrolment = await EnrolmentRows.LiveAsync(work, summary.PatientKey, now);
            if (enrolment is null || enrolment.EnrolmentId != summary.EnrolmentId)
            {
                await AnchorSteps.ApplyAsync(work, anchor, AnchorStep.NoConsent, "CONSENT_EXPIRED", null, hospital, now);
                continue;
            }
            if (summary.Supersedes is { } older && await SummaryRows.BySummaryAsync(work, older) is not { Status: SummaryStatus.Anchored })
            {
                // What it was to replace ended another way: the source is read again for what is to be said now.
                await AnchorSteps.VoidActiveAsync(work, summary.RowId, "SUPERSEDES_RETIRED", now);
                await SummaryRows.MoveAsync(work, summary, SummaryStatus.Settling, null, now,
                    new SummaryChange().Set("supersedes", null).Set("ready_at", now.ToUnixTimeMilliseconds()));
                continue;
            }
            var standing = DoctorRules.Judge(await DoctorRows.ByHandleAsync(work, anchor.DoctorHandle), hospital.Msp, null, now);
            if (standing is DoctorStanding.Revoked or DoctorStanding.Expired or DoctorStanding.Lost)
            {
                var code = $"DOCTOR_{standing.ToString().ToUpperInvariant()}";
                await AnchorSteps.ApplyAsync(work, anchor, AnchorStep.AnotherDoctor, code, null, hospital, now);
                continue;
            }
            var item = anchor.Item is null ? AnchorItems.Create(summary, decision, enrolment, bridge) : AnchorItems.FromText(anchor.SummaryId, anchor.Item);
            if (item is null)
            {
                await AnchorSteps.ApplyAsync(work, anchor, AnchorStep.Failed, "BAD_STORED_SIGNATURE", null, hospital, now);
                continue;
            }
            if (!await AnchorRows.TakeAsync(work, anchor, AnchorItems.ToText(item), name, instance.Name, now, options.Lease))
                continue;
            await SummaryRows.MoveAsync(work, summary, SummaryStatus.Anchoring, null, now);
            batch.Add(((await AnchorRows.ActiveOfRowAsync(work, anchor.RowId))!, item));
        }
        return batch;
    }

    // The contract compares hashes of the records as they are now; a record that changed voids the anchors in flight.
    private async Task<IReadOnlyDictionary<Handle, string>> ReadDoctorsAsync(IReadOnlyList<(AnchorRow Row, AnchorItem Item)> batch, CancellationToken cancellationToken)
    {
        var doctors = new Dictionary<Handle, string>();
        foreach (var handle in batch.Select(item => item.Item.Doctor).Distinct())
        {
            try
            {
                var record = await ledger.DoctorAsync(handle, cancellationToken);
                doctors[handle] = record.StoredValue;
                await database.WriteAsync(work => DoctorDirectory.StoreAsync(work, record, clock.GetUtcNow()), cancellationToken);
            }
            catch (LedgerRefusalException e) when (e.Code == RefusalCode.DoctorUnknown)
            {
                // Not brought: the contract names it per item.
            }
        }
        return doctors;
    }

    private async Task ApplyAsync(Work work, AnchorRow anchor, AnchorOutcome outcome, DateTimeOffset now)
    {
        var step = outcome.Result switch
        {
            AnchorResult.Anchored => AnchorStep.Anchored,
            AnchorResult.Refused => AnchorRules.Judge(outcome.RefusalText),
            AnchorResult.NotAnchored => AnchorStep.Retry,
            _ => AnchorStep.LookAtLedger,
        };
        var receipt = outcome.Receipt is { } standing ? new AnchorReceipt(standing.TransactionId, (long)standing.BlockNumber) : null;
        await AnchorSteps.ApplyAsync(work, anchor, step, CodeOf(outcome), receipt, hospital, now);
    }

    private async Task<bool> ResolveAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var taken = await database.WriteAsync(async work =>
        {
            var mine = new List<AnchorRow>();
            foreach (var anchor in await AnchorRows.UnresolvedAsync(work, now, SummaryLedger.MaxBatch))
                if (await AnchorRows.TakeUnresolvedAsync(work, anchor, instance.Name, now, options.Lease))
                    mine.Add(anchor);
            return mine;
        }, cancellationToken);
        if (taken.Count == 0)
            return false;
        IReadOnlyList<SummaryReading> found;
        try
        {
            found = await ledger.ReadAsync([.. taken.Select(anchor => SummaryId.Parse(anchor.SummaryId))], cancellationToken);
        }
        catch (Exception e) when (e is GatewayException or LedgerRefusalException)
        {
            // Their fate is still open: others may look after the back-off.
            await database.WriteAsync(async work =>
            {
                foreach (var anchor in taken)
                    await AnchorRows.LookAgainAsync(work, anchor, "LEDGER_UNREACHABLE", now + AnchorRules.Backoff(anchor.Attempts, Random.Shared.NextDouble()));
            }, CancellationToken.None);
            throw;
        }
        // crash point anchoring.6: read, nothing stored; the next run reads again.
        crash.Pass("anchoring.6");
        await database.WriteAsync(async work =>
        {
            foreach (var (anchor, reading) in taken.Zip(found))
            {
                var step = AnchorRules.JudgeFound(reading.State);
                var receipt = new AnchorReceipt(anchor.TxId, null);
                if (step == AnchorStep.Anchored && anchor.Item is { } text && AnchorItems.FromText(anchor.SummaryId, text) is var item
                    && !item.Summary.Span.SequenceEqual(reading.Content!.Summary.Span))
                {
                    // Other bytes under its id: sent before the database was restored. By the same doctor and of the same content they are this summary; else somebody has to look.
                    receipt = new AnchorReceipt(null, null, reading.Content.Summary);
                    step = AnchorItems.SayTheSame(item, reading.Content) ? AnchorStep.Anchored : AnchorStep.Failed;
                }
                await AnchorSteps.ApplyAsync(work, anchor, step, $"FOUND_{reading.State}".ToUpperInvariant(), receipt, hospital, clock.GetUtcNow());
            }
        }, CancellationToken.None);
        var live = found.Count(reading => reading.State == SummaryState.Live);
        Log.Resolved(log, taken.Count, live);
        return true;
    }

    private static string CodeOf(AnchorOutcome outcome) => outcome.Result switch
    {
        AnchorResult.Anchored => "ANCHORED",
        AnchorResult.Refused => outcome.RefusalText,
        AnchorResult.NotAnchored => "NOT_ANCHORED",
        _ => "UNKNOWN",
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 3001, Level = LogLevel.Information, Message = "Sent a batch of {Count} summaries, {Anchored} anchored")]
        public static partial void Sent(ILogger logger, int count, int anchored);

        [LoggerMessage(EventId = 3002, Level = LogLevel.Information, Message = "Looked up {Count} summaries whose transaction's fate was open, {Live} stand on the ledger")]
        public static partial void Resolved(ILogger logger, int count, int live);
    }
}

/// <summary>Anchoring's doors.</summary>
internal static class AnchoringSlice
{
    public const string Stage = "anchor";

    public static void AddAnchoring(this WebApplicationBuilder builder, AnchoringOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(provider => AnchorCalls.Of(provider.GetRequiredService<SummaryLedger>(), provider.GetRequiredService<HospitalOptions>()));
        builder.Services.AddSingleton<AnchorWorker>();
        builder.Services.AddStage<AnchorWorker>(
            Stage, _ => options.Interval, provider => provider.GetRequiredService<CoSignSignals>().Anchoring, (worker, token) => worker.RunAsync(token), tellsTheLedger: true);
    }
}
