using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.WriteBack;

/// <summary>
/// Tells the hospital's FHIR server of summaries that came to stand on the ledger, or stand there no more. A repeat is known by its tag: each attempt creates on the
/// condition that no resource has it, and every attempt but the first looks for it before, for servers that do not honour the condition.
/// </summary>
internal sealed partial class ProvenanceWorker(
    Database database, FhirWriter writer, HospitalOptions hospital, Routing routing, Instance instance, CrashPoints crash, TimeProvider clock, ILogger<ProvenanceWorker> log)
{
    private const int Looked = 100;
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(3);

    // What is needed of the tables to write one resource.
    private sealed record Facts(SummaryRow Summary, ProvenanceRow? First, ProvenanceDoctor? Doctor);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!await database.WriteAsync(async work =>
            {
                if (await PauseSwitch.IsOnAsync(work))
                    return false;
                await ProvenanceRows.PlanAsync(work, clock.GetUtcNow());
                return true;
            }, cancellationToken))
            return;
        foreach (var row in await database.ReadAsync(work => ProvenanceRows.DueAsync(work, clock.GetUtcNow(), Looked), cancellationToken))
        {
            // crash point writeback.1: it is planned, nobody holds it; the next run finds it.
            crash.Pass("writeback.1");
            if (!await TellAsync(row, cancellationToken))
                return;
        }
    }

    // False where the server cannot be written to now: what follows would fare no better.
    private async Task<bool> TellAsync(ProvenanceRow row, CancellationToken cancellationToken)
    {
        if (await database.WriteAsync(async work => !await PauseSwitch.IsOnAsync(work) && await ProvenanceRows.TakeAsync(work, row, instance.Name, clock.GetUtcNow(), Lease)
            ? await FactsAsync(work, row)
            : null, cancellationToken) is not { } facts)
            return true;
        // crash point writeback.2: held, nothing was sent; the next attempt, when the lease ends, looks for the tag and finds none.
        crash.Pass("writeback.2");
        try
        {
            var (resource, code) = await WriteAsync(row, facts, cancellationToken);
            // crash point writeback.3: the server has it, the table does not say so; the next attempt finds it by its tag.
            crash.Pass("writeback.3");
            await database.WriteAsync(work => code == "WAITS"
                ? ProvenanceRows.LaterAsync(work, row, code, clock.GetUtcNow() + TimeSpan.FromMinutes(1))
                : EndAsync(work, row, resource, code), CancellationToken.None);
            return true;
        }
        catch (FhirException e)
        {
            var code = e.Status is { } status ? $"{e.Fault}({status})" : e.Fault.ToString();
            await database.WriteAsync(
                work => ProvenanceRows.LaterAsync(work, row, code, clock.GetUtcNow() + FhirWriter.Backoff(e, row.Attempts, Random.Shared.NextDouble())), CancellationToken.None);
            Log.NotTold(log, row.Event, Faults.Describe(e));
            // A refusal may be about this one resource; anything else is about the server.
            return e.Fault == FhirFault.Refused && e.Status != 429;
        }
    }

    private async Task<(string? Resource, string Code)> WriteAsync(ProvenanceRow row, Facts facts, CancellationToken cancellationToken)
    {
        var unless = new FhirSearch("Provenance").Where("_tag", $"{ProvenanceResource.TagSystem}|{row.Tag}");
        if (row.Attempts > 0 && await FindAsync(unless, cancellationToken) is { } there)
            return (there, "FOUND");
        var recorded = DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedAt);
        var occurred = DateTimeOffset.FromUnixTimeMilliseconds(row.OccurredAt);
        JsonObject resource;
        if (row.Event == ProvenanceEvent.Anchored)
        {
            // The consent ended before it was told: nothing leads to the encounter any more, and nothing is to be told.
            if (facts.Summary.Status == SummaryStatus.Withdrawn)
                return (null, "WITHDRAWN");
            resource = ProvenanceResource.Anchored(
                row.Tag, facts.Summary.EncounterKey, facts.Summary.EncounterVersion, facts.Summary.SummaryId, facts.Summary.Supersedes, facts.Doctor, hospital.Msp, occurred, recorded);
        }
        else
        {
            if (facts.First is not { ResourceId: { } first })
                return (null, facts.First is { State: "Queued" } ? "WAITS" : "NEVER_TOLD");
            // The server knows which encounter it was; the bridge may have forgotten it.
            if (await writer.Client.ReadAsync("Provenance", first, cancellationToken) is not { } told || FhirWriter.Read(told, "Provenance") is not var (said, _))
                return (null, "REMOVED");
            resource = ProvenanceResource.Ended(row.Tag, said, first, row.Event, facts.Summary.SummaryId, facts.Doctor, hospital.Msp, occurred, recorded);
        }
        var written = await writer.Client.CreateAsync(unless, System.Text.Encoding.UTF8.GetBytes(resource.ToJsonString()), cancellationToken);
        return (written.Id, written.Created ? "CREATED" : "FOUND");
    }

    private async Task<string?> FindAsync(FhirSearch search, CancellationToken cancellationToken)
    {
        foreach (var resource in (await writer.Client.SearchAsync(search, cancellationToken)).Resources)
            if (FhirWriter.Read(resource, "Provenance") is var (_, id))
                return id;
        return null;
    }

    private static async Task EndAsync(Work work, ProvenanceRow row, string? resource, string code)
    {
        if (await ProvenanceRows.EndAsync(work, row, resource, code) && resource is not null)
            await AuditLog.AppendAsync(
                work, Actor.Bridge, "provenance.tell", $"summary/{row.RowId}", new { what = row.Event.ToString(), provenance = resource }, DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedAt));
    }

    private async Task<Facts?> FactsAsync(Work work, ProvenanceRow row)
    {
        if (await SummaryRows.ByRowAsync(work, row.RowId) is not { } summary)
            return null;
        var kind = row.Event switch { ProvenanceEvent.Anchored => "approve", ProvenanceEvent.Retracted => "retract", _ => null };
        var licence = kind is null ? null : await work.ScalarAsync<string>(
            "SELECT licence FROM decision WHERE row_id = @RowId AND kind = @kind ORDER BY CASE WHEN voided_at IS NULL THEN 0 ELSE 1 END, decision_id DESC LIMIT 1", new { row.RowId, kind });
        return new Facts(
            summary, await ProvenanceRows.FirstOfAsync(work, row.RowId), licence is null ? null : new ProvenanceDoctor(await routing.PractitionerOfAsync(work, licence, summary), licence));
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 3301, Level = LogLevel.Warning, Message = "The FHIR server could not be told that a summary is {Event}; it will be tried again: {Fault}")]
        public static partial void NotTold(ILogger logger, ProvenanceEvent @event, string fault);
    }
}
