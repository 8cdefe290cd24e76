using System.Text.Json;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>Who is to sign: not this doctor, a colleague, or, for as long as nothing has left, nobody yet after all.</summary>
internal sealed class Routing(Database database, HospitalOptions hospital, TimeProvider clock)
{
    /// <summary>Reason of a decision that its doctor took back.</summary>
    public const string Recalled = "RECALLED";

    private sealed record DraftDoctors(IReadOnlyList<DraftDoctor>? Doctors);

    private sealed record DraftDoctor(string? PractitionerId, IReadOnlyList<DraftIdentifier>? Identifiers);

    private sealed record DraftIdentifier(string? System, string? Value);

    /// <summary>
    /// "Not my patient": to the next doctor whom the source names and who may sign, else to an operator. She is not asked again about this encounter, whatever the source says later.
    /// </summary>
    public Task<DecisionOutcome> NotMineAsync(QueueFinder find, Actor actor, string licence, string summaryId, CancellationToken cancellationToken) =>
        database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var item = await find(work, summaryId);
            if (!QueueActs.MayDecide(item, licence, out var refusal))
                return refusal;
            await work.InsertIfNewAsync(
                "not_mine (row_id, licence, said_at) VALUES (@RowId, @licence, @now)", new { item.RowId, licence, now = now.ToUnixTimeMilliseconds() });
            var next = await NextAsync(work, item.RowId, now);
            var moved = next is null ? await item.ReleaseAsync(work, now) : await item.HandAsync(work, new SummaryChange().Set("doctor_licence", next), keepsReason: false, now);
            if (moved != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            await NoteAsync(work, item, "not-mine", actor, licence, null, now);
            return DecisionOutcome.Rerouted;
        }, cancellationToken);

    /// <summary>Sends what waits to a colleague, with a word for her.</summary>
    public Task<DecisionOutcome> DelegateAsync(QueueFinder find, Actor actor, string licence, string summaryId, string toLicence, string? note, CancellationToken cancellationToken)
    {
        var word = note?.Trim() is { Length: > 0 } text ? text : null;
        if (word is { Length: > 400 })
            return Task.FromResult(DecisionOutcome.NoReason);
        return database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var item = await find(work, summaryId);
            if (!QueueActs.MayDecide(item, licence, out var refusal))
                return refusal;
            if (toLicence == licence || await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, toLicence, now) is null || (await RefusedAsync(work, item.RowId)).Contains(toLicence))
                return DecisionOutcome.ColleagueCannot;
            if (await item.HandAsync(work, new SummaryChange().Set("doctor_licence", toLicence), keepsReason: false, now) != TransitionOutcome.Done)
                return DecisionOutcome.AlreadyDecided;
            await NoteAsync(work, item, "delegate", actor, licence, word, now);
            return DecisionOutcome.Delegated;
        }, cancellationToken);
    }

    /// <summary>Takes a signature back, as long as its summary is not on its way to the ledger. The decision stays on record, voided.</summary>
    public Task<DecisionOutcome> RecallAsync(Actor actor, string licence, string summaryId, CancellationToken cancellationToken) =>
        database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            var row = await SummaryRows.BySummaryAsync(work, summaryId);
            if (row is null || row.DoctorLicence != licence)
                return DecisionOutcome.NotFound;
            if (row.Status != SummaryStatus.CoSigned || await AnchorRows.ActiveOfRowAsync(work, row.RowId) is not { State: AnchorState.Queued, Item: null })
                return DecisionOutcome.OnItsWay;
            await AnchorSteps.VoidActiveAsync(work, row.RowId, Recalled, now);
            if (await SummaryRows.MoveAsync(work, row, SummaryStatus.AwaitingCoSign, null, now) != TransitionOutcome.Done)
                throw new InvalidOperationException("a summary changed within the transaction that had read it");
            await AuditLog.AppendAsync(work, actor, "summary.recall", $"summary/{row.RowId}", null, now);
            return DecisionOutcome.Recalled;
        }, cancellationToken);

    /// <summary>Doctors who said that an encounter is not theirs.</summary>
    public static async Task<IReadOnlySet<string>> RefusedAsync(Work work, long rowId) =>
        (await work.ListAsync<string>("SELECT licence FROM not_mine WHERE row_id = @rowId", new { rowId })).ToHashSet(StringComparer.Ordinal);

    /// <summary>Licences of the doctors whom the source names for a summary's encounter, in its order; those who have none are left out.</summary>
    public async Task<IReadOnlyList<string>> DoctorsOfAsync(Work work, SummaryRow row)
    {
        var licences = new List<string>();
        foreach (var doctor in (row.Draft is null ? null : JsonSerializer.Deserialize<DraftDoctors>(row.Draft, JsonSerializerOptions.Web)?.Doctors) ?? [])
            if (await DoctorRows.LicenceOfAsync(
                    work, hospital.Msp, doctor.PractitionerId, (doctor.Identifiers ?? []).Select(identifier => identifier.Value ?? "")) is { } licence)
                licences.Add(licence);
        return licences;
    }

    /// <summary>
    /// The source's key for a doctor, or null: of the one whom it names first for a summary's encounter, if that is she; else of one whom an operator said she is.
    /// </summary>
    public async Task<string?> PractitionerOfAsync(Work work, string licence, SummaryRow? summary) =>
        summary?.DoctorRef is { } named && await DoctorsOfAsync(work, summary) is [var first, ..] && first == licence
            ? named
            : await work.ScalarAsync<string>("SELECT practitioner_key FROM practitioner WHERE licence = @licence ORDER BY set_at DESC LIMIT 1", new { licence });

    private async Task<string?> NextAsync(Work work, long rowId, DateTimeOffset now)
    {
        if (await SummaryRows.ByRowAsync(work, rowId) is not { } row)
            return null;
        var refused = await RefusedAsync(work, rowId);
        foreach (var doctor in await DoctorsOfAsync(work, row))
            if (!refused.Contains(doctor) && await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, doctor, now) is not null)
                return doctor;
        return null;
    }

    private static async Task NoteAsync(Work work, QueueItem item, string kind, Actor actor, string licence, string? reason, DateTimeOffset now)
    {
        await QueueActs.RecordAsync(work, item, kind, actor, licence, reason, now);
        await AuditLog.AppendAsync(work, actor, $"{item.Kind}.{kind}", $"summary/{item.RowId}", null, now);
    }
}
