using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Fhir.Extraction;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Watching;

/// <summary>What is kept beside a payload for the doctor who signs: codes and where they came from, never text of the source.</summary>
internal sealed record DraftNotes(
    IReadOnlyList<SourceField> Sources, IReadOnlyList<string> SensitiveCategories, bool ReleasesRare, IReadOnlyList<DoctorReference> Doctors)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public string ToJson() => JsonSerializer.Serialize(this, Json);
}

/// <summary>An encounter's file, and what a first look at it gave.</summary>
internal sealed record EncounterReading(EncounterFile File, Extraction First);

/// <summary>Stores what was read of encounters; runs inside the caller's transaction, which commits the cursor too.</summary>
internal sealed class Intake(SummaryExtractor extractor, WatchingOptions options, HospitalOptions hospital)
{
    /// <summary>The first look at an encounter's file: whose it is and whether it is finished. Needs no database, so it is done while others are stored.</summary>
    public EncounterReading Look(EncounterFile file, DateTimeOffset now) => new(file, extractor.Extract(file, new ExtractionContext { Now = now }));

    /// <summary>
    /// Reads one encounter's file into its row. Nothing is stored of a patient without a live consent; what is stored already is ended whoever's it is.
    /// </summary>
    /// <param name="work">The transaction.</param>
    /// <param name="batch">What the tables say of all encounters that are taken in it.</param>
    /// <param name="reading">What was read.</param>
    /// <param name="encounterId">The encounter.</param>
    /// <param name="now">Now.</param>
    /// <returns>The status in which the encounter stands now, or null where it does not count.</returns>
    public async Task<SummaryStatus?> TakeAsync(Work work, IntakeBatch batch, EncounterReading reading, string encounterId, DateTimeOffset now)
    {
        var (file, first) = (reading.File, reading.First);
        var rows = await batch.RowsAsync(work, encounterId, now);
        if (first.Outcome is ExtractionOutcome.Void or ExtractionOutcome.NotFinished)
        {
            await EncounterEnds.AllAsync(work, rows, first.Outcome == ExtractionOutcome.Void ? Reasons.SourceVoid : Reasons.Reopened, hospital, now);
            return null;
        }
        // What names no patient any more is still the one's it was.
        if ((await PatientOfAsync(work, first) ?? rows.Current?.PatientKey) is not { Length: > 0 } patient)
            return null;
        var previous = rows.Current;
        // Moved to another patient, enrolled or not: what was said under the first may neither leave nor stay. For the other one it is a new encounter.
        rows = await EncounterEnds.WhereAsync(
            work, rows, row => row.PatientKey == patient ? null : row.PatientKey == first.MergedFrom ? Reasons.PatientMerged : Reasons.PatientMoved, hospital, now);
        if (await batch.LiveAsync(work, patient, now) is not { } enrolment)
            return rows.Current?.Status;
        // A row belongs to its enrolment, and so do the decisions about it: under a new consent the encounter is put before a doctor anew.
        rows = await EncounterEnds.WhereAsync(work, rows, row => row.EnrolmentId == enrolment.EnrolmentId ? null : Reasons.NoConsent, hospital, now);
        return await TakeFinishedAsync(work, batch, file, rows, previous, enrolment, now);
    }

    /// <summary>The source no longer has the encounter.</summary>
    public async Task GoneAsync(Work work, string encounterId, DateTimeOffset now) =>
        await EncounterEnds.AllAsync(work, await EncounterRows.ReadAsync(work, encounterId, now), Reasons.SourceVoid, hospital, now);

    // Where the records themselves could not be read, what is known of them counts: a fault of the source moves no encounter.
    private static async Task<string?> PatientOfAsync(Work work, Extraction extraction) =>
        extraction is { Outcome: ExtractionOutcome.SetAside, MergedFrom: null, PatientId: { } named }
            ? (await PatientLinkRows.IntoAsync(work, [named])).GetValueOrDefault(named, named)
            : extraction.PatientId;

    private async Task<SummaryStatus?> TakeFinishedAsync(
        Work work, IntakeBatch batch, EncounterFile file, EncounterRows rows, SummaryRow? previous, EnrolmentRow enrolment, DateTimeOffset now)
    {
        if (rows.Erased is { } erased && erased.PatientKey == enrolment.PatientKey && rows.Current is null or { Status: not (SummaryStatus.Anchoring or SummaryStatus.Anchored) })
        {
            // The patient erased it: it is not summarised again, and what was to replace it does not leave.
            if (rows.Current is { } replacing && replacing.RowId != erased.RowId)
                await EncounterEnds.RowAsync(work, replacing, Reasons.ErasedByPatient, hospital, now);
            await SummaryRows.CountAsync(work, erased, counts: true);
            return SummaryStatus.Erased;
        }
        var current = rows.Current;
        if (current is null && rows.OnLedger is [var left, ..])
            // Taken back, opened or moved away, and now as it was: what stands counts again.
            current = await EncounterEnds.ReviveAsync(work, left, now);
        var standing = rows.OnLedger.FirstOrDefault(row => row.Status == SummaryStatus.Anchored && row.RowId != current?.RowId);
        if (standing is not null && await RetractionRows.OpenOfRowAsync(work, standing.RowId) is { State: RetractionState.Sent })
            standing = null;

        var amends = standing is not null || current?.Status == SummaryStatus.Anchored;
        var extraction = extractor.Extract(file, await ContextAsync(work, enrolment, current ?? previous, amends, now));
        var licence = Licence(extraction, current, previous, await RouteAsync(work, batch, extraction.Doctors, current));
        var decision = IntakeRules.Decide(extraction, current, standing, licence);
        switch (decision.Step)
        {
            case IntakeStep.Insert:
                await InsertAsync(work, extraction, current, standing, 1 + await GenerationsAsync(work, rows, extraction.EncounterId, now), enrolment, licence, decision, now);
                return decision.Status;
            case IntakeStep.Update:
                await UpdateAsync(work, extraction, current!, standing, licence, decision, now);
                return decision.Status;
            case IntakeStep.Restore:
                await EncounterEnds.RowAsync(work, current!, Reasons.AsAnchored, hospital, now);
                return (await EncounterEnds.ReviveAsync(work, standing!, now))?.Status;
            case IntakeStep.Touch or IntakeStep.Later:
                var readyAt = decision.Step == IntakeStep.Later ? now.ToUnixTimeMilliseconds() : ReadAgain(extraction, current!.Status, now);
                await work.RunAsync(
                    "UPDATE summary SET encounter_version = @version, ready_at = @readyAt, lease_owner = NULL, lease_until = 0 WHERE row_id = @RowId",
                    new { version = extraction.EncounterVersion, readyAt, current!.RowId });
                return current.Status;
            default:
                return current?.Status;
        }
    }

    private static async Task<ExtractionContext> ContextAsync(Work work, EnrolmentRow enrolment, SummaryRow? row, bool amends, DateTimeOffset now)
    {
        var known = new List<KnownContent>();
        // A correction is always new, even where it only takes something away.
        if (!amends)
            foreach (var payload in await SummaryRows.LivePayloadsAsync(work, enrolment.PatientKey, row?.EncounterKey ?? ""))
                if (MinimalSummary.Read(payload, out _) is { } summary)
                    known.Add(new KnownContent(summary.Conditions, summary.Treatments));
        return Consented(enrolment.PurposeList, now) with
        {
            FinishedSince = row is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedAt),
            Known = known,
            DoctorAssigned = DoctorOf(row) is not null,
        };
    }

    /// <summary>What a patient's purposes let leave.</summary>
    public static ExtractionContext Consented(IReadOnlyList<string> purposes, DateTimeOffset now) => new()
    {
        Now = now,
        RareConsented = purposes.Contains("rare"),
        ConsentedCategories = [.. purposes.Where(purpose => purpose.StartsWith("sensitive:", StringComparison.Ordinal)).Select(purpose => purpose["sensitive:".Length..])],
    };

    // A doctor whom an operator named, or who has it in her queue, stays; another doctor of the source takes her place.
    private static string? Licence(Extraction extraction, SummaryRow? current, SummaryRow? previous, string? routed)
    {
        if (current is null)
            return routed ?? previous?.DoctorLicence;
        return current.DoctorRef == DoctorOf(extraction) ? DoctorOf(current) ?? routed : routed ?? DoctorOf(current);
    }

    // Where nobody could stand in for a doctor who is away, no one has it, and it is hers all the same.
    private static string? DoctorOf(SummaryRow? row) => row?.DoctorLicence ?? (row?.ForWhy == TurnRules.Absent ? row.ForLicence : null);

    private static string? DoctorOf(Extraction extraction) => extraction.Doctors.Count > 0 ? extraction.Doctors[0].PractitionerId : null;

    private async Task<string?> RouteAsync(Work work, IntakeBatch batch, IReadOnlyList<DoctorReference> doctors, SummaryRow? current)
    {
        // Whoever said "not my patient" is not asked again.
        var refused = current is null ? null : await Routing.RefusedAsync(work, current.RowId);
        foreach (var doctor in doctors)
            if (await batch.LicenceAsync(work, hospital.Msp, doctor) is { } licence
                && refused?.Contains(licence) != true)
                return licence;
        return null;
    }

    private static async Task<long> GenerationsAsync(Work work, EncounterRows rows, string encounterKey, DateTimeOffset now) =>
        rows.EncounterKey == encounterKey ? rows.Generations : (await EncounterRows.ReadAsync(work, encounterKey, now)).Generations;

    private async Task InsertAsync(
        Work work, Extraction extraction, SummaryRow? current, SummaryRow? standing, long generation, EnrolmentRow enrolment, string? licence, IntakeDecision decision, DateTimeOffset now)
    {
        var id = SummaryId.New();
        var replaced = current is { Status: SummaryStatus.Anchored } ? current : standing;
        if (current is not null)
            await SummaryRows.CountAsync(work, current, counts: false);
        var supersedes = await SupersedesAsync(work, replaced, decision, now);
        var queued = decision.Status == SummaryStatus.AwaitingCoSign;
        await SummaryRows.InsertAsync(work, new SummaryRow
        {
            SummaryId = id.ToString(),
            EncounterKey = extraction.EncounterId,
            EncounterVersion = extraction.EncounterVersion,
            Generation = generation,
            IsCurrent = 1,
            PatientKey = enrolment.PatientKey,
            EnrolmentId = enrolment.EnrolmentId,
            Pseudonym = enrolment.Pseudonym!,
            Status = decision.Status,
            Reason = decision.Reason,
            Class = extraction.Draft?.Class,
            Period = extraction.Draft?.Period,
            FinishedAt = now.ToUnixTimeMilliseconds(),
            ChangedAt = now.ToUnixTimeMilliseconds(),
            ReadyAt = ReadAgain(extraction, decision.Status, now),
            DoctorLicence = queued ? licence : null,
            DoctorRef = DoctorOf(extraction),
            Draft = Notes(extraction),
            Payload = Payload(extraction, id, enrolment.Pseudonym!, supersedes),
            ContentDigest = extraction.ContentDigest,
            Supersedes = supersedes,
            QueuedAt = queued ? now.ToUnixTimeMilliseconds() : null,
            CreatedAt = now.ToUnixTimeMilliseconds(),
        });
    }

    private async Task UpdateAsync(
        Work work, Extraction extraction, SummaryRow current, SummaryRow? standing, string? licence, IntakeDecision decision, DateTimeOffset now)
    {
        // A signature over the earlier content is of no use any more, and an anchor that failed would stand in the way of the next.
        await AnchorSteps.VoidActiveAsync(work, current.RowId, decision.Reason ?? Reasons.ContentChanged, now);
        var supersedes = await SupersedesAsync(work, standing, decision, now);
        var queued = decision.Status == SummaryStatus.AwaitingCoSign;
        var change = new SummaryChange()
            .Set("encounter_version", extraction.EncounterVersion)
            .Set("changed_at", now.ToUnixTimeMilliseconds())
            .Set("ready_at", ReadAgain(extraction, decision.Status, now))
            .Set("class", extraction.Draft?.Class)
            .Set("period", extraction.Draft?.Period)
            .Set("draft", Notes(extraction))
            .Set("payload", Payload(extraction, SummaryId.Parse(current.SummaryId), current.Pseudonym, supersedes))
            .Set("content_digest", extraction.ContentDigest)
            .Set("supersedes", supersedes)
            .Set("doctor_ref", DoctorOf(extraction))
            .Set("doctor_licence", queued ? licence : current.DoctorLicence)
            .Set("queued_at", queued ? current.QueuedAt ?? now.ToUnixTimeMilliseconds() : current.QueuedAt);
        await SummaryRows.MoveAsync(work, current, decision.Status, decision.Reason, now, change);
    }

    // What the row replaces. Where nothing may take its place it is taken back; a taking back that is wanted no longer is called off.
    private async Task<string?> SupersedesAsync(Work work, SummaryRow? replaced, IntakeDecision decision, DateTimeOffset now)
    {
        if (replaced is null || decision.Status == SummaryStatus.Failed)
            return replaced?.SummaryId;
        if (decision.TakesBack)
        {
            await EncounterEnds.RowAsync(work, (await SummaryRows.ByRowAsync(work, replaced.RowId))!, Reasons.AmendmentWithheld, hospital, now);
            return null;
        }
        if (replaced.Reason is null)
            return replaced.SummaryId;
        if (await EncounterEnds.ReviveAsync(work, replaced, now) is null)
            return null;
        // It stands for now, but the row that replaces it is the one that counts.
        await SummaryRows.CountAsync(work, replaced, counts: false);
        return replaced.SummaryId;
    }

    private byte[]? Payload(Extraction extraction, SummaryId id, string pseudonym, string? supersedes)
    {
        if (extraction.Draft is null || !Pseudonym.TryParse(pseudonym, out var patient))
            return null;
        return extraction.Draft.ToSummary(id, patient, hospital.Msp, supersedes is null ? null : SummaryId.Parse(supersedes)).ToCanonicalJson();
    }

    private long ReadAgain(Extraction extraction, SummaryStatus status, DateTimeOffset now) => status switch
    {
        SummaryStatus.Settling => (extraction.ReadAgainAt ?? now + options.Reread).ToUnixTimeMilliseconds(),
        // What stands is looked at once more after it was anchored, and again only if it was about to change.
        SummaryStatus.Anchored => extraction.ReadAgainAt?.ToUnixTimeMilliseconds() ?? 0,
        _ => (now + options.Reread).ToUnixTimeMilliseconds(),
    };

    private static string? Notes(Extraction extraction) => extraction.Draft is null && extraction.Sources.Count == 0
        ? null
        : new DraftNotes(extraction.Sources, extraction.SensitiveCategories, extraction.ReleasesRare, extraction.Doctors).ToJson();
}
