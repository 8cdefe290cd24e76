using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Fhir.Extraction;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Enrolment;
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

/// <summary>Stores what was read of encounters; runs inside the caller's transaction, which commits the cursor too.</summary>
internal sealed class Intake(SummaryExtractor extractor, WatchingOptions options, HospitalOptions hospital)
{
    /// <summary>
    /// Reads one encounter's file into its row. Nothing is stored of a patient without a live consent.
    /// </summary>
    /// <returns>The status in which the encounter stands now, or null where nothing is stored of it.</returns>
    public async Task<SummaryStatus?> TakeAsync(Work work, EncounterFile file, string encounterId, DateTimeOffset now)
    {
        var current = await SummaryRows.CurrentOfEncounterAsync(work, encounterId)
            // Withdrawn once and enrolled again: the old row is known by its forgotten key, and gives way.
            ?? await SummaryRows.CurrentOfEncounterAsync(work, await Withdrawals.ForgottenAsync(work, "encounter", encounterId, now));
        var first = extractor.Extract(file, new ExtractionContext { Now = now });
        if (first.PatientId is not { } patient)
            return null;
        if (current is not null && current.PatientKey != patient && current.Status != SummaryStatus.Withdrawn)
        {
            // Moved to another patient, enrolled or not: what was queued under the first may not leave. For the other one it is a new encounter.
            await ReleaseAsync(work, current, now);
            current = null;
        }
        if (await EnrolmentRows.LiveAsync(work, patient, now) is not { } enrolment)
            return null;

        var extraction = extractor.Extract(file, await ContextAsync(work, patient, enrolment, current, now));
        var licence = current?.DoctorLicence ?? await RouteAsync(work, extraction.Doctors);
        var decision = IntakeRules.Decide(extraction, current, licence);
        switch (decision.Step)
        {
            case IntakeStep.Insert:
                await InsertAsync(work, extraction, current, enrolment, licence, decision, now);
                return decision.Status;
            case IntakeStep.Update or IntakeStep.Drop:
                await UpdateAsync(work, extraction, current!, licence, decision, now);
                return decision.Status;
            case IntakeStep.Touch:
                await work.RunAsync(
                    "UPDATE summary SET encounter_version = @version, ready_at = @readyAt, lease_owner = NULL, lease_until = 0 WHERE row_id = @RowId AND revision = @Revision",
                    new { version = extraction.EncounterVersion, readyAt = ReadAgain(extraction, current!.Status, now), current.RowId, current.Revision });
                return current.Status;
            default:
                return current?.Status;
        }
    }

    private static async Task<ExtractionContext> ContextAsync(Work work, string patient, EnrolmentRow enrolment, SummaryRow? current, DateTimeOffset now)
    {
        var known = new List<KnownContent>();
        foreach (var payload in await SummaryRows.LivePayloadsAsync(work, patient, current?.RowId ?? 0))
            if (MinimalSummary.Read(payload, out _) is { } summary)
                known.Add(new KnownContent(summary.Conditions, summary.Treatments));
        var purposes = enrolment.PurposeList;
        return new ExtractionContext
        {
            Now = now,
            FinishedSince = current is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(current.CreatedAt),
            Known = known,
            RareConsented = purposes.Contains("rare"),
            ConsentedCategories = [.. purposes.Where(purpose => purpose.StartsWith("sensitive:", StringComparison.Ordinal)).Select(purpose => purpose["sensitive:".Length..])],
            DoctorAssigned = current?.DoctorLicence is not null,
        };
    }

    private async Task<string?> RouteAsync(Work work, IReadOnlyList<DoctorReference> doctors)
    {
        foreach (var doctor in doctors)
            if (await DoctorRows.LicenceOfAsync(work, hospital.Msp, doctor.PractitionerId, doctor.Identifiers.Select(identifier => identifier.Value)) is { } licence)
                return licence;
        return null;
    }

    private async Task InsertAsync(
        Work work, Extraction extraction, SummaryRow? previous, EnrolmentRow enrolment, string? licence, IntakeDecision decision, DateTimeOffset now)
    {
        var id = SummaryId.New();
        // A summary never names another patient's: the ledger refuses it, and it would link the two.
        var supersedes = previous is { Status: SummaryStatus.Anchored } && previous.PatientKey == enrolment.PatientKey ? previous.SummaryId : null;
        if (previous is not null)
            await work.RunAsync("UPDATE summary SET is_current = 0 WHERE row_id = @RowId", new { previous.RowId });
        var generation = 1 + await work.ScalarAsync<long>(
            "SELECT COALESCE(MAX(generation), 0) FROM summary WHERE encounter_key = @EncounterId", new { extraction.EncounterId });
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
            DoctorLicence = decision.Status == SummaryStatus.AwaitingCoSign ? licence : null,
            DoctorRef = extraction.Doctors.Count > 0 ? extraction.Doctors[0].PractitionerId : null,
            Draft = Notes(extraction),
            Payload = Payload(extraction, id, enrolment.Pseudonym!, supersedes),
            ContentDigest = extraction.ContentDigest,
            Supersedes = supersedes,
            QueuedAt = decision.Status == SummaryStatus.AwaitingCoSign ? now.ToUnixTimeMilliseconds() : null,
            CreatedAt = now.ToUnixTimeMilliseconds(),
        });
    }

    private async Task UpdateAsync(Work work, Extraction extraction, SummaryRow current, string? licence, IntakeDecision decision, DateTimeOffset now)
    {
        // A signature over the earlier content is of no use any more, and an anchor that failed would stand in the way of the next.
        await AnchorSteps.VoidActiveAsync(work, current.RowId, decision.Reason ?? Reasons.ContentChanged, now);
        var queued = decision.Status == SummaryStatus.AwaitingCoSign;
        var change = new SummaryChange()
            .Set("encounter_version", extraction.EncounterVersion)
            .Set("changed_at", now.ToUnixTimeMilliseconds())
            .Set("ready_at", ReadAgain(extraction, decision.Status, now))
            .Set("class", extraction.Draft?.Class)
            .Set("period", extraction.Draft?.Period)
            .Set("draft", Notes(extraction))
            .Set("payload", Payload(extraction, SummaryId.Parse(current.SummaryId), current.Pseudonym, current.Supersedes))
            .Set("content_digest", extraction.ContentDigest)
            .Set("doctor_ref", extraction.Doctors.Count > 0 ? extraction.Doctors[0].PractitionerId : null)
            .Set("doctor_licence", queued ? licence : current.DoctorLicence)
            .Set("queued_at", queued ? current.QueuedAt ?? now.ToUnixTimeMilliseconds() : current.QueuedAt)
            .Set("is_current", decision.Step == IntakeStep.Drop ? 0 : current.IsCurrent);
        await SummaryRows.MoveAsync(work, current, decision.Status, decision.Reason, now, change);
    }

    // What did not leave is withheld; what left, or is leaving, stays before the operators until it is retracted.
    internal static async Task ReleaseAsync(Work work, SummaryRow row, DateTimeOffset now)
    {
        if (row.Status == SummaryStatus.CoSigned || SummaryFlow.IsOpenToSource(row.Status))
        {
            await AnchorSteps.VoidActiveAsync(work, row.RowId, Reasons.PatientMoved, now);
            await SummaryRows.MoveAsync(work, row, SummaryStatus.Withheld, Reasons.PatientMoved, now,
                new SummaryChange().Set("is_current", 0).Set("payload", null).Set("draft", null));
        }
        else
        {
            await work.RunAsync("UPDATE summary SET is_current = 0 WHERE row_id = @RowId", new { row.RowId });
        }
        // An earlier generation may stand on the ledger under the same patient.
        await SummaryRows.MarkMovedAsync(work, row.EncounterKey, row.PatientKey, now);
        await AuditLog.AppendAsync(work, Actor.Bridge, "summary.moved", $"summary/{row.RowId}", new { from = row.Status.ToString() }, now);
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
        _ => (now + options.Reread).ToUnixTimeMilliseconds(),
    };

    private static string? Notes(Extraction extraction) => extraction.Draft is null && extraction.Sources.Count == 0
        ? null
        : new DraftNotes(extraction.Sources, extraction.SensitiveCategories, extraction.ReleasesRare, extraction.Doctors).ToJson();
}
