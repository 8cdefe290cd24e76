using System.Globalization;
using System.Security.Claims;
using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Retracting;

/// <summary>Taking back what was anchored: doctors' and operators' side over HTTP under <c>/api/retractions</c>, and the worker.</summary>
internal static class RetractingSlice
{
    private const int MaxPage = 200;

    public static void AddRetracting(this WebApplicationBuilder builder, AnchoringOptions options)
    {
        var services = builder.Services;
        services.AddSingleton<RetractionSignals>();
        services.AddSingleton<RetractionDecisions>();
        services.AddSingleton(provider => RetractionCalls.Of(provider.GetRequiredService<SummaryLedger>(), provider.GetRequiredService<HospitalOptions>()));
        services.AddSingleton<RetractionWorker>();
        services.AddStage<RetractionWorker>(
            "retract", _ => options.Interval, provider => provider.GetRequiredService<RetractionSignals>().Retracting, (worker, token) => worker.RunAsync(token),
            tellsTheLedger: true);
    }

    public static void MapRetracting(this WebApplication app)
    {
        var doctor = app.MapGroup("/api/retractions").RequireAuthorization(Roles.Doctor);
        doctor.MapGet("/queue", QueueAsync);
        doctor.MapGet("/{summaryId}", ReadAsync);
        doctor.MapPost("/{summaryId}/approve", async (string summaryId, ApproveRequest body, ClaimsPrincipal user, RetractionDecisions decisions, CancellationToken cancellation) =>
            CoSignSlice.Answer(await decisions.ApproveAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Protected ?? "", body.Signature ?? "", cancellation)));
        doctor.MapPost("/{summaryId}/decline", async (string summaryId, DeclineRequest body, ClaimsPrincipal user, RetractionDecisions decisions, CancellationToken cancellation) =>
            CoSignSlice.Answer(await decisions.DeclineAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Reason, cancellation)));
        doctor.MapPost("/{summaryId}/not-mine", async (string summaryId, ClaimsPrincipal user, Routing routing, CancellationToken cancellation) =>
            CoSignSlice.Answer(await routing.NotMineAsync(RetractionInQueue.Finder, user.Actor(Roles.Doctor), user.Licence(), summaryId, cancellation)));
        doctor.MapPost("/{summaryId}/delegate", async (string summaryId, DelegateRequest body, ClaimsPrincipal user, Routing routing, CancellationToken cancellation) =>
            CoSignSlice.Answer(await routing.DelegateAsync(RetractionInQueue.Finder, user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Licence ?? "", body.Note, cancellation)));

        var operators = app.MapGroup("/api/retractions").RequireAuthorization(Roles.Operator);
        operators.MapGet("/held", HeldAsync);
        operators.MapPost("/{summaryId}/assign", async (string summaryId, AssignRequest body, ClaimsPrincipal user, RetractionDecisions decisions, CancellationToken cancellation) =>
            CoSignSlice.Answer(await decisions.AssignAsync(user.Actor(Roles.Operator), summaryId, body.Licence ?? "", cancellation)));
    }

    /// <summary>
    /// What needs an operator: <c>{items, next}</c>; <c>next</c> goes into <c>?after=</c>. <c>for</c> says whose it was before, and <c>why</c> that she no longer has it. Nothing here tells
    /// the patient, nor what a doctor wrote.
    /// </summary>
    private static async Task<IResult> HeldAsync(long? after, int? limit, Database database, HospitalOptions hospital, CancellationToken cancellation)
    {
        var size = Math.Clamp(limit ?? 50, 1, MaxPage);
        var (rows, names) = await database.ReadAsync(async work =>
        {
            var found = await RetractionRows.HeldAsync(work, after ?? 0, size);
            return (found, await DoctorRows.NamesAsync(work, hospital.Msp, [.. found.Select(row => row.ForLicence).OfType<string>().Distinct()]));
        }, cancellation);
        return Results.Ok(new
        {
            items = rows.Select(row => new
            {
                retraction = row.RetractionId,
                id = row.SummaryId,
                reason = row.Reason.ToString(),
                state = row.State.ToString(),
                row.LastCode,
                since = Time(row.CreatedAt),
                @for = row.ForLicence is { } home ? names.GetValueOrDefault(home, home) : null,
                why = row.ForWhy,
            }),
            next = rows.Count == size ? rows[^1].RetractionId : (long?)null,
        });
    }

    /// <summary>
    /// A page with all that deciding needs: <c>{items, next}</c>; <c>next</c> goes into <c>?after=</c> and is null at the end. That it was read, and of which rows, stands in the
    /// audit log before it is answered.
    /// </summary>
    private static async Task<IResult> QueueAsync(
        long? after, int? limit, ClaimsPrincipal user, HttpRequest request, Database database, CodeWords titles, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var size = Math.Clamp(limit ?? 50, 1, MaxPage);
        var (lines, homes) = await database.WriteAsync(async work =>
        {
            var rows = await RetractionRows.QueueAsync(work, user.Licence(), after ?? 0, size);
            var ids = rows.Select(row => row.RowId).ToList();
            var history = (ids.Count == 0 ? [] : await CoSignRows.DecisionsOfAsync(work, ids)).ToLookup(decision => decision.RowId);
            var summaries = (ids.Count == 0 ? [] : await SummaryRows.ByRowsAsync(work, ids)).ToDictionary(summary => summary.RowId);
            var found = rows.Select(row => (Row: row, Summary: summaries.GetValueOrDefault(row.RowId), History: history[row.RowId])).ToList();
            if (ids.Count > 0)
                await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "retraction.queue", "queue", new { rows = ids }, clock.GetUtcNow());
            return (found, await StandingFor.OfAsync(work, hospital.Msp, rows.Select(row => (row.ForLicence, row.ForWhy)), clock.GetUtcNow()));
        }, cancellation);
        return Results.Ok(new
        {
            items = lines.Select(line => new
            {
                id = line.Row.SummaryId,
                reason = line.Row.Reason.ToString(),
                because = line.Summary?.Reason,
                encounter = line.Summary?.EncounterKey,
                patient = line.Summary?.PatientKey,
                line.Summary?.Class,
                line.Summary?.Period,
                since = Time(line.Row.CreatedAt),
                payload = line.Summary?.Payload is { } anchored ? Base64Url.Encode(anchored) : null,
                words = titles.Of([line.Summary?.Payload], null, QueuePage.LanguageOf(request)),
                history = line.History.Select(QueuePage.Show),
                overdue = line.Row.RemindedAt is not null,
                @for = homes.GetValueOrDefault((line.Row.ForLicence, line.Row.ForWhy)),
            }),
            next = lines.Count == size ? lines[^1].Row.RetractionId : (long?)null,
        });
    }

    /// <summary>One retraction with the summary that it takes back and all that signing needs, as <c>/api/cosign/{id}</c> shows a summary.</summary>
    private static async Task<IResult> ReadAsync(
        string summaryId, ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var licence = user.Licence();
        var (row, summary, doctors) = await database.WriteAsync(async work =>
        {
            var found = await RetractionRows.OpenOfSummaryAsync(work, summaryId);
            if (found is null || found.DoctorLicence != licence)
                return ((RetractionRow?)null, (SummaryRow?)null, (IReadOnlyList<DoctorRow>)[]);
            await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "retraction.read", $"summary/{found.RowId}", null, now);
            return (found, await SummaryRows.ByRowAsync(work, found.RowId), await DoctorRows.ActiveOfLicenceAsync(work, hospital.Msp, licence, now));
        }, cancellation);
        if (row is null)
            return CoSignSlice.Answer(DecisionOutcome.NotFound);
        var payload = row.Payload(hospital.Msp);
        return Results.Ok(new
        {
            id = row.SummaryId,
            state = row.State.ToString(),
            reason = row.Reason.ToString(),
            because = summary?.Reason,
            encounter = summary?.EncounterKey,
            patient = summary?.PatientKey,
            summary = summary?.Payload is { } anchored ? System.Text.Json.JsonElement.Parse(anchored) : (System.Text.Json.JsonElement?)null,
            payload = Base64Url.Encode(payload),
            payloadDigest = Digest.Of(payload).ToString(),
            signing = row.State != RetractionState.AwaitingCoSign ? [] : doctors.Select(doctor => CoSignSlice.Signing(doctor, EnvelopeKind.Retraction, payload)).ToArray(),
        });
    }

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
