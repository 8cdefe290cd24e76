using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Bridge.Fhir.Client;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Verifying;

/// <summary>
/// Recomputes everything that the bridge stands for, and compares it with the ledger. It only reads, and works beside a running server: what does not agree is
/// looked at again before it counts, since a summary may just be on its way between the ledger and the tables.
/// </summary>
internal sealed class Verification(
    Database database, SummaryLedger ledger, string hospital, CaDigests printed, IShellTasks tasks, TimeProvider clock, Func<Findings, SourceCheck>? source = null)
{
    /// <summary>How often something that does not agree is looked at before it is a finding.</summary>
    public const int Looks = 4;

    /// <summary>How long in between.</summary>
    public static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    private const int Page = 500;
    private readonly Findings _findings = new();

    /// <summary>Looks at everything it can reach.</summary>
    public async Task<Findings> RunAsync(CancellationToken cancellationToken)
    {
        await StepAsync("schema", SchemaAsync);
        await StepAsync("audit log", _ => AuditCheck.RunAsync(database, _findings, cancellationToken));
        // The ledger first, the tables after it: what is live there was in the tables before.
        LedgerDirectory? directory = null;
        Dictionary<string, LedgerFacts>? onLedger = null;
        await StepAsync("directory on the ledger", async _ =>
        {
            directory = await DirectoryCheck.ReadAsync(ledger, hospital, _findings, cancellationToken);
            if (directory is null)
                return;
            DirectoryCheck.JudgeHospital(directory, printed, _findings, clock.GetUtcNow());
            await DirectoryCheck.JudgeDoctorsAsync(directory, database, _findings, cancellationToken);
            await DirectoryCheck.JudgeStatusAsync(directory, database, _findings, clock.GetUtcNow(), cancellationToken);
        });
        if (directory is not null)
            await StepAsync("summaries on the ledger", async task => onLedger = await ReadLedgerAsync(directory, task, cancellationToken));
        await StepAsync("summaries in the tables", task => RowsAsync(onLedger, task, cancellationToken));
        if (onLedger is not null)
            await StepAsync("receipts' transactions", task => TransactionsAsync(task, cancellationToken));
        if (directory is not null)
            await StepAsync("enrolments", task => EnrolmentCheck.RunAsync(database, ledger, directory, _findings, task, cancellationToken));
        await StepAsync("sums", SumsAsync);
        if (source is not null)
            await TryAsync("summaries from the source", () => source(_findings).RunAsync(tasks, cancellationToken));
        return _findings;

        async Task StepAsync(string name, Func<IShellTask, Task> step)
        {
            var task = tasks.Begin(name, 0);
            var before = _findings.All.Count;
            if (!await TryAsync(name, () => step(task)))
            {
                task.End("could not be read");
                return;
            }
            var found = _findings.All.Count - before;
            task.End(found == 0 ? "agree" : string.Create(CultureInfo.InvariantCulture, $"{found} findings"));
        }

        // One part that cannot be read keeps none of the others from being looked at.
        async Task<bool> TryAsync(string name, Func<Task> step)
        {
            try
            {
                await step();
                return true;
            }
            catch (Exception e) when (e is GatewayException or LedgerRefusalException or LedgerAnswerException or FhirException or HttpRequestException or System.Data.Common.DbException)
            {
                _findings.CouldNotRead($"{name}: {(e is LedgerRefusalException refusal ? refusal.CodeText : Faults.Describe(e))}");
                return false;
            }
        }
    }

    private async Task SchemaAsync(IShellTask task)
    {
        var shipped = Migrator.Shipped(database.Dialect);
        var applied = await database.ReadAsync(work => work.ListAsync<AppliedMigration>("SELECT number AS Number, name AS Name, checksum AS Checksum FROM schema_migration ORDER BY number"));
        foreach (var migration in shipped)
            if (applied.FirstOrDefault(row => row.Number == migration.Number) is not { } row)
                _findings.Add("schema.missing", migration.Name, "was not applied to this database", "This program is newer than the server that runs: start the new one first");
            else if (row.Checksum != migration.Checksum)
                _findings.Add("schema.checksum", migration.Name, $"was applied with checksum {row.Checksum}, the program carries {migration.Checksum}", "Use the program version that made this database");
        foreach (var row in applied.Where(row => shipped.All(migration => migration.Number != row.Number)))
            _findings.Add("schema.newer", row.Name, "is unknown to this program", "Use the program version that runs");
        _findings.Looked("migrations", applied.Count);
    }

    // Every live record of this hospital, judged as a reader judges it who trusts only the digests printed with the enrolment codes.
    private async Task<Dictionary<string, LedgerFacts>> ReadLedgerAsync(LedgerDirectory directory, IShellTask task, CancellationToken cancellationToken)
    {
        var facts = new Dictionary<string, LedgerFacts>(StringComparer.Ordinal);
        var anchor = new TrustAnchor(hospital, printed);
        Handle? after = null;
        do
        {
            var page = await ledger.ListSummariesAsync(hospital, after, 200, cancellationToken);
            Parallel.ForEach(page.Items.Where(item => item.Content is not null), new ParallelOptions { CancellationToken = cancellationToken }, item =>
                JudgeReader(item.Id, item.Content!, directory, anchor));
            foreach (var item in page.Items)
                facts[item.Id.ToString()] = LedgerFacts.Of(item);
            task.Advance(page.Items.Count);
            after = page.Next;
        }
        while (after is not null);
        _findings.Looked("summaries on the ledger", facts.Count);
        return facts;
    }

    private void JudgeReader(SummaryId id, AnchoredSummary content, LedgerDirectory directory, TrustAnchor anchor)
    {
        var subject = $"ledger/{id}";
        _findings.Looked("signatures", 2);
        if (!directory.Doctors.TryGetValue(content.Doctor, out var doctor))
        {
            _findings.Add("ledger.doctor", subject, "names a doctor's record that the directory does not hold", "No reader can verify it: have it retracted");
            return;
        }
        var verdict = RecordVerifier.Verify(
            new RecordFile
            {
                Summary = content.Summary,
                Hospital = directory.Hospital,
                Approvals = directory.Approvals,
                Statement = doctor.Statement,
                Confirmation = doctor.Confirmation,
                Revocation = doctor.Revocation,
                Status = directory.StatusOf(Digest.Parse(doctor.Thumbprint)),
            },
            anchor, null, clock.GetUtcNow());
        // Freshness is the status list's matter and said once; that a doctor was revoked after she signed takes nothing back.
        if (verdict.Outcome is RecordOutcome.Valid or RecordOutcome.FreshnessUnknown or RecordOutcome.DoctorRevoked)
        {
            if (verdict.Outcome == RecordOutcome.DoctorRevoked)
                _findings.Looked("summaries of doctors revoked since");
            if (verdict.Summary?.Id != id)
                _findings.Add("ledger.id", subject, "holds a summary of another id", "No reader takes it: have it retracted");
            return;
        }
        _findings.Add("ledger.reader", subject, $"a patient who trusts the printed digests cannot verify it: {verdict.Outcome}{(verdict.Outcome == RecordOutcome.Forged ? $" ({verdict.Signature})" : "")}",
            verdict.Outcome == RecordOutcome.BridgeNotOfHospital
                ? "The bridge's certificate that signed it must stay in 'bridges' of the hospital's record: have a record approved that names it too"
                : "Have it retracted and signed anew");
    }

    private async Task RowsAsync(Dictionary<string, LedgerFacts>? onLedger, IShellTask task, CancellationToken cancellationToken)
    {
        await UnknownWordsAsync(cancellationToken);
        var suspects = new ConcurrentBag<long>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        long after = 0;
        while (true)
        {
            var page = await database.ReadAsync(work => FactRows.PageAsync(work, after, Page), cancellationToken);
            if (page.Count == 0)
                break;
            after = page[^1].Row.RowId;
            Parallel.ForEach(page, new ParallelOptions { CancellationToken = cancellationToken }, facts =>
            {
                if (RowRules.Judge(facts, LedgerOf(facts, onLedger), hospital).Count > 0)
                    suspects.Add(facts.Row.RowId);
            });
            foreach (var facts in page)
                seen.Add(facts.Row.SummaryId);
            _findings.Looked("summaries in the tables", page.Count);
            _findings.Looked("receipts", page.Count(facts => facts.Receipt is not null));
            _findings.Looked("signatures", page.Sum(facts => (facts.Receipt?.Signed is null ? 0 : 2) + facts.Decisions.Count(decision => decision.Signature is not null)));
            task.Advance(page.Count);
        }
        await LookAgainAsync([.. suspects], onLedger is not null, cancellationToken);
        foreach (var (id, facts) in onLedger ?? [])
            if (facts.State == SummaryState.Live && !seen.Contains(id))
                _findings.Add("ledger.extra", $"ledger/{id}", "is live on the ledger in this hospital's name, and the tables have no row of it",
                    "The row was removed, the database is an older backup, or another bridge of this hospital anchored it: find out which; if nobody can say, retract it");
            else if (facts.State == SummaryState.Withdrawn)
                _findings.Add("ledger.left", $"ledger/{id}", "is still stored on the ledger though its consent is withdrawn", "Have the index swept (SweepIndex)");
    }

    // Without the ledger the tables are held against themselves only.
    private static LedgerFacts LedgerOf(RowFacts facts, Dictionary<string, LedgerFacts>? onLedger)
    {
        if (onLedger is not null)
            return onLedger.GetValueOrDefault(facts.Row.SummaryId, LedgerFacts.Nothing);
        var done = facts.Anchors.FirstOrDefault(anchor => anchor.State == AnchorState.Done);
        return facts.Row.Status != SummaryStatus.Anchored
            ? LedgerFacts.Nothing
            : new LedgerFacts(
                SummaryState.Live, facts.Receipt?.Signed is { } signed ? LedgerFacts.CanonicalDigest(Encoding.UTF8.GetBytes(signed)) : null,
                done is null ? null : Handle.Parse(done.DoctorHandle), Own(facts.Enrolment?.IndexHandle), Own(facts.Enrolment?.ConsentHandle));

        static Handle? Own(string? handle) => handle is null ? null : Handle.Parse(handle);
    }

    private async Task LookAgainAsync(long[] suspects, bool askLedger, CancellationToken cancellationToken)
    {
        IReadOnlyList<Finding> found = [];
        for (var look = 2; look <= Looks && suspects.Length > 0; look++)
        {
            await Task.Delay(BetweenLooks, clock, cancellationToken);
            var still = new List<long>();
            var last = new List<Finding>();
            foreach (var chunk in suspects.Order().Chunk(100))
            {
                var rows = (await database.ReadAsync(async work =>
                {
                    var list = new List<RowFacts>();
                    foreach (var row in chunk)
                        if (await FactRows.OneAsync(work, row) is { } facts)
                            list.Add(facts);
                    return list;
                }, cancellationToken)).Where(facts => SummaryId.TryParse(facts.Row.SummaryId, out _)).ToList();
                var readings = askLedger && rows.Count > 0
                    ? (await ledger.ReadSummariesAsync(hospital, [.. rows.Select(facts => SummaryId.Parse(facts.Row.SummaryId))], cancellationToken))
                        .ToDictionary(reading => reading.Id.ToString(), LedgerFacts.Of, StringComparer.Ordinal)
                    : null;
                foreach (var facts in rows)
                    if (RowRules.Judge(facts, LedgerOf(facts, readings), hospital) is { Count: > 0 } judged)
                    {
                        still.Add(facts.Row.RowId);
                        last.AddRange(judged);
                    }
            }
            (suspects, found) = ([.. still], last);
        }
        _findings.AddRange(found);
    }

    // A word that no program version wrote cannot even be read as a row.
    private async Task UnknownWordsAsync(CancellationToken cancellationToken)
    {
        foreach (var (table, key, column, words) in ((string, string, string, string[])[])
            [
                ("summary", "row_id", "status", Enum.GetNames<SummaryStatus>()), ("anchor", "anchor_id", "state", Enum.GetNames<AnchorState>()),
                ("enrolment", "enrolment_id", "state", Enum.GetNames<Enrolment.EnrolmentState>()),
            ])
            foreach (var row in await database.ReadAsync(work => work.ListAsync<long>($"SELECT {key} FROM {table} WHERE {column} NOT IN @words ORDER BY {key} LIMIT 1000", new { words }), cancellationToken))
                _findings.Add($"{table}.{column}", $"{table}/{row}", $"its {column} is no word that the bridge knows", "The row was changed by hand: restore it from the last good backup");
        foreach (var table in (string[])["decision", "anchor", "receipt"])
            foreach (var row in await database.ReadAsync(work => work.ListAsync<long>($"SELECT DISTINCT row_id FROM {table} WHERE row_id NOT IN (SELECT row_id FROM summary) ORDER BY row_id LIMIT 1000"), cancellationToken))
                _findings.Add("summary.dropped", $"summary/{row}", $"is gone from the tables, its {table} is still there", "The row was removed by hand: restore it from the last good backup");
    }

    // The transaction that a receipt names stands valid, in the block that it names.
    private async Task TransactionsAsync(IShellTask task, CancellationToken cancellationToken)
    {
        var named = await database.ReadAsync(
            work => work.ListAsync<ReceiptRow>("SELECT MIN(row_id) AS RowId, tx_id AS TxId, block_number AS BlockNumber FROM receipt WHERE tx_id IS NOT NULL GROUP BY tx_id, block_number"), cancellationToken);
        await Parallel.ForEachAsync(named, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancellationToken }, async (receipt, token) =>
        {
            var status = await ledger.FindCommitAsync(receipt.TxId!, token);
            _findings.Looked("transactions");
            task.Advance(1);
            var subject = $"summary/{receipt.RowId}";
            if (status is not { } stands)
                _findings.Add("receipt.transaction", subject, $"the ledger does not know transaction {receipt.TxId} of its receipt", "Is this the ledger that it was anchored on? Else the receipt was changed by hand");
            else if (!stands.Successful)
                _findings.Add("receipt.transaction", subject, $"transaction {receipt.TxId} of its receipt stands on the ledger as {stands.Code}", "The receipt was changed by hand: restore it from the last good backup");
            else if (receipt.BlockNumber is { } block && (ulong)block != stands.BlockNumber)
                _findings.Add("receipt.block", subject, $"its receipt says block {block}, its transaction stands in block {stands.BlockNumber}", "The receipt was changed by hand: restore it from the last good backup");
        });
    }

    private async Task SumsAsync(IShellTask task)
    {
        var twice = await database.ReadAsync(work => work.ListAsync<long>(
            "SELECT MIN(row_id) FROM summary WHERE is_current = 1 GROUP BY encounter_key HAVING COUNT(*) > 1 ORDER BY 1 LIMIT 1000"));
        foreach (var row in twice)
            _findings.Add("states.twice", $"summary/{row}", "its encounter stands in more than one state", "Run a reconciliation; if it stays so, restore the rows from the last good backup");
        if (await database.ReadAsync(ReconciliationRows.LastAsync) is not { } last)
            return;
        _findings.Looked("reconciliations");
        var at = DateTimeOffset.FromUnixTimeMilliseconds(last.At);
        if (last.ServerFinished - last.NotEnrolled - last.Known != last.Difference)
            _findings.Add("reconciliation.sum", $"reconciliation {at:u}", $"{last.ServerFinished} - {last.NotEnrolled} - {last.Known} is not {last.Difference}", "The row was changed by hand: run another (POST /api/operations/reconcile)");
        else if (last.Difference != 0)
            _findings.Add("reconciliation.difference", $"reconciliation {at:u}", $"{last.Difference} finished encounters of the FHIR server are in no state",
                "Run another (POST /api/operations/reconcile): it reads again the patients of whom something is missing; what is under way while it counts shows as a difference too");
    }

    private sealed class AppliedMigration
    {
        public long Number { get; init; }
        public string Name { get; init; } = "";
        public string Checksum { get; init; } = "";
    }
}
