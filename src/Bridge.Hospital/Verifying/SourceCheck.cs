using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

namespace Bridge.Hospital.Verifying;

/// <summary>
/// Reads every summarised encounter from the FHIR server again, extracts it again under its patient's consent and compares. Page by page: the size of the hospital
/// costs time, not memory. Nothing is stored.
/// </summary>
internal sealed class SourceCheck(Database database, EncounterReader reader, SummaryExtractor extractor, string hospital, Findings findings, TimeProvider clock)
{
    private const int Page = 200;

    public async Task RunAsync(IShellTasks tasks, CancellationToken cancellationToken)
    {
        var task = tasks.Begin("summaries from the source", await database.ReadAsync(SourceRows.CountAsync, cancellationToken));
        var (recomputed, moved) = (0, 0);
        for (long after = 0; ;)
        {
            var page = await database.ReadAsync(work => SourceRows.PageAsync(work, after, Page), cancellationToken);
            if (page.Count == 0)
                break;
            after = page[^1].Row.RowId;
            var open = (await JudgeAsync(page, cancellationToken)).Where(pair => pair.Verdict.Finding is not null).Select(pair => pair.Row).ToList();
            if (open.Count > 0)
            {
                // What the running server was just about to follow is looked at once more.
                await Task.Delay(Verification.BetweenLooks, clock, cancellationToken);
                var again = await database.ReadAsync(work => SourceRows.AgainAsync(work, open), cancellationToken);
                foreach (var (_, verdict) in await JudgeAsync(again, cancellationToken))
                    if (verdict is { Finding: { } finding, Moved: true })
                    {
                        findings.Differs(finding);
                        moved++;
                    }
                    else if (verdict.Finding is { } fault)
                    {
                        findings.AddRange([fault]);
                    }
            }
            recomputed += page.Count;
            findings.Looked("encounters read again", page.Count);
            task.Advance(page.Count);
        }
        task.End(moved == 0 ? $"{recomputed} recomputed" : $"{recomputed} recomputed, {moved} changed at the source since");
    }

    private async Task<IReadOnlyList<(long Row, SourceVerdict Verdict)>> JudgeAsync(IReadOnlyList<SourceFacts> page, CancellationToken cancellationToken)
    {
        var files = await reader.ReadAgainAsync([.. page.Select(facts => facts.Row.EncounterKey)], cancellationToken);
        return [.. page.Zip(files).AsParallel().AsOrdered().WithCancellation(cancellationToken).Select(pair => (
            pair.First.Row.RowId, SourceRules.Judge(pair.First, pair.Second is { } file ? extractor.Extract(file, ContextOf(pair.First)) : null, hospital)))];
    }

    // As the intake reads it; what the patient's other summaries say decides whether it is queued, not what it says.
    private ExtractionContext ContextOf(SourceFacts facts) => Intake.Consented(facts.Purposes, clock.GetUtcNow()) with
    {
        FinishedSince = DateTimeOffset.FromUnixTimeMilliseconds(facts.Row.CreatedAt),
        DoctorAssigned = facts.Row.DoctorLicence is not null,
    };
}
