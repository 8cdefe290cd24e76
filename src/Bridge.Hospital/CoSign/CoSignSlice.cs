using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Bridge.Fhir.Extraction;
using Bridge.Hospital.Access;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.CoSign;

/// <summary>What is woken by a decision.</summary>
internal sealed class CoSignSignals
{
    public Wakeable Anchoring { get; } = new();

    /// <summary>An absence was set or ended.</summary>
    public Wakeable Turns { get; } = new();
}

/// <summary>Body of an approval.</summary>
/// <param name="Protected">base64url of the protected header, as the summary was shown with.</param>
/// <param name="Signature">base64url of r ‖ s (64 bytes) over <c>protected.payload</c>.</param>
/// <param name="Payload">base64url of what was shown and signed, where the doctor took codes out of it; else it may be left out.</param>
internal sealed record ApproveRequest(string? Protected, string? Signature, string? Payload);

/// <summary>One of several approvals.</summary>
internal sealed record ApproveItem(string? Id, string? Protected, string? Signature, string? Payload);

/// <summary>Body of several approvals.</summary>
internal sealed record ApproveManyRequest(IReadOnlyList<ApproveItem?>? Items);

/// <summary>Body of sending to a colleague.</summary>
internal sealed record DelegateRequest(string? Licence, string? Note);

/// <summary>Body of a decline.</summary>
internal sealed record DeclineRequest(string? Reason);

/// <summary>Body of an assignment.</summary>
internal sealed record AssignRequest(string? Licence);

/// <summary>The doctors' queue over HTTP. Under <c>/api/cosign</c>; every answer of a decision is <c>{"outcome": …}</c>.</summary>
internal static class CoSignSlice
{
    private const int MaxPage = 200;
    private const int MaxPayload = 64 * 1024;

    public static void AddCoSign(this WebApplicationBuilder builder, Terminology terminology, TurnOptions turns)
    {
        builder.Services.AddSingleton(turns);
        builder.Services.AddSingleton<Absences>();
        builder.Services.AddSingleton<TurnWorker>();
        builder.Services.AddStage<TurnWorker>(
            "turns", _ => turns.Interval, provider => provider.GetRequiredService<CoSignSignals>().Turns, (worker, token) => worker.RunAsync(token));
        builder.Services.AddSingleton(new CodeWords(terminology));
        builder.Services.AddSingleton<CoSignSignals>();
        builder.Services.AddSingleton<Decisions>();
        builder.Services.AddSingleton<Routing>();
        builder.Services.AddSingleton<QueuePage>();
    }

    public static void MapCoSign(this WebApplication app)
    {
        var doctor = app.MapGroup("/api/cosign").RequireAuthorization(Roles.Doctor);
        doctor.MapGet("/queue", QueueAsync);
        doctor.MapGet("/{summaryId}", ReadAsync);
        doctor.MapPost("/{summaryId}/approve", async (string summaryId, ApproveRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await ApproveAsync(decisions, user, new ApproveItem(summaryId, body.Protected, body.Signature, body.Payload), cancellation)));
        doctor.MapPost("/approvals", ApproveManyAsync);
        doctor.MapGet("/signed", async (int? limit, ClaimsPrincipal user, HttpRequest request, QueuePage page, CancellationToken cancellation) =>
            Results.Ok(new
            {
                items = (await page.SignedAsync(user.Actor(Roles.Doctor), user.Licence(), Math.Clamp(limit ?? 50, 1, MaxPage), cancellation)).Select(line => page.Show(line, QueuePage.LanguageOf(request))),
            }));
        doctor.MapPost("/{summaryId}/not-mine", async (string summaryId, ClaimsPrincipal user, Routing routing, CancellationToken cancellation) =>
            Answer(await routing.NotMineAsync(SummaryInQueue.Finder, user.Actor(Roles.Doctor), user.Licence(), summaryId, cancellation)));
        doctor.MapPost("/{summaryId}/delegate", async (string summaryId, DelegateRequest body, ClaimsPrincipal user, Routing routing, CancellationToken cancellation) =>
            Answer(await routing.DelegateAsync(SummaryInQueue.Finder, user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Licence ?? "", body.Note, cancellation)));
        doctor.MapPost("/{summaryId}/recall", async (string summaryId, ClaimsPrincipal user, Routing routing, CancellationToken cancellation) =>
            Answer(await routing.RecallAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, cancellation)));
        app.MapGet("/api/colleagues", ColleaguesAsync).RequireAuthorization(Roles.Doctor);
        doctor.MapPost("/{summaryId}/decline", async (string summaryId, DeclineRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.DeclineAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Reason, cancellation)));

        doctor.MapPost("/{summaryId}/too-sensitive", async (string summaryId, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.TooSensitiveAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, cancellation)));

        app.MapAbsences();

        var operators = app.MapGroup("/api/cosign").RequireAuthorization(Roles.Operator);
        operators.MapGet("/unassigned", UnassignedAsync);
        operators.MapPost("/{summaryId}/assign", async (string summaryId, AssignRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.AssignAsync(user.Actor(Roles.Operator), summaryId, body.Licence ?? "", cancellation)));
        app.MapPut("/api/practitioners/{practitioner}", async (string practitioner, AssignRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
                !IsId(practitioner)
                    ? Results.UnprocessableEntity(new { outcome = "BAD_REQUEST", detail = "A practitioner is named by the logical id that the FHIR server gave." })
                    : await decisions.MapPractitionerAsync(user.Actor(Roles.Operator), practitioner, body.Licence ?? "", cancellation) is { } assigned
                    ? Results.Ok(new { outcome = "MAPPED", assigned })
                    : Answer(DecisionOutcome.DoctorUnknown))
            .RequireAuthorization(Roles.Operator);
    }

    private static async Task<DecisionOutcome> ApproveAsync(Decisions decisions, ClaimsPrincipal user, ApproveItem item, CancellationToken cancellation)
    {
        byte[]? shown = null;
        if (item.Payload is not null && (item.Payload.Length > MaxPayload || !Base64Url.TryDecode(item.Payload, out shown)))
            return DecisionOutcome.NotTheSummary;
        return await decisions.ApproveAsync(user.Actor(Roles.Doctor), user.Licence(), item.Id ?? "", item.Protected ?? "", item.Signature ?? "", shown, cancellation);
    }

    /// <summary>Several approvals, each with a signature and an outcome of its own: <c>{items: [{id, outcome}]}</c>. Each one stands when this answers, whatever became of the others.</summary>
    private static async Task<IResult> ApproveManyAsync(ApproveManyRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation)
    {
        if (body.Items is not { Count: > 0 and <= MaxPage })
            return Results.UnprocessableEntity(new { outcome = "BAD_REQUEST", detail = $"items holds 1 to {MaxPage} approvals." });
        var outcomes = new List<object>();
        foreach (var item in body.Items.Select(item => item ?? new ApproveItem(null, null, null, null)))
            outcomes.Add(new { item.Id, outcome = Name(await ApproveAsync(decisions, user, item, cancellation)) });
        return Results.Ok(new { items = outcomes });
    }

    private static async Task<IResult> ColleaguesAsync(ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var doctors = await database.ReadAsync(work => DoctorRows.ActiveAsync(work, hospital.Msp, clock.GetUtcNow()), cancellation);
        return Results.Ok(new { items = doctors.Where(doctor => doctor.Licence != user.Licence()).Select(doctor => new { doctor.Name, doctor.Licence }) });
    }

    /// <summary>What waits for an operator to name a doctor: <c>{items}</c>. <c>for</c> says whose it was before, and <c>why</c> that she no longer has it.</summary>
    private static async Task<IResult> UnassignedAsync(long? after, int? limit, Database database, HospitalOptions hospital, CancellationToken cancellation)
    {
        var (lines, names) = await database.ReadAsync(async work =>
        {
            var found = await CoSignRows.UnassignedAsync(work, after ?? 0, Math.Clamp(limit ?? 50, 1, MaxPage));
            return (found, await DoctorRows.NamesAsync(work, hospital.Msp, [.. found.Select(line => line.ForLicence).OfType<string>().Distinct()]));
        }, cancellation);
        return Results.Ok(new
        {
            items = lines.Select(line => new
            {
                id = line.SummaryId,
                row = line.RowId,
                line.Class,
                practitioner = line.DoctorRef,
                line.Status,
                since = Time(line.Since),
                @for = line.ForLicence is { } home ? names.GetValueOrDefault(home, home) : null,
                why = line.ForWhy,
            }),
        });
    }

    /// <summary>
    /// A page: <c>{items, next, waiting, takingBack}</c>; <c>next</c> goes into <c>?after=</c> and is null at the end. <c>takingBack</c> is how many anchored summaries wait
    /// under <c>/api/retractions</c>; titles of codes are in the language of <c>Accept-Language</c> where the terminology has them.
    /// </summary>
    private static async Task<IResult> QueueAsync(string? after, int? limit, ClaimsPrincipal user, HttpRequest request, QueuePage page, CancellationToken cancellation)
    {
        var (queuedAt, row) = Place(after);
        var size = Math.Clamp(limit ?? 50, 1, MaxPage);
        var (lines, waiting, takingBack) = await page.ReadAsync(user.Actor(Roles.Doctor), user.Licence(), queuedAt, row, size, cancellation);
        return Results.Ok(new
        {
            items = lines.Select(line => page.Show(line, QueuePage.LanguageOf(request))),
            next = lines.Count == size ? string.Create(CultureInfo.InvariantCulture, $"{lines[^1].Queue.QueuedAt}.{lines[^1].Queue.RowId}") : null,
            waiting,
            takingBack,
        });
    }

    /// <summary>
    /// One summary with all that signing needs: <c>payload</c> (base64url of the exact bytes), and per certificate of the doctor the protected
    /// header and <c>signingInput</c>, the ASCII text to sign with ES256. <c>sources</c> says where each field came from and why it leaves.
    /// </summary>
    private static async Task<IResult> ReadAsync(
        string summaryId, ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var licence = user.Licence();
        var (row, doctors, decisions) = await database.WriteAsync(async work =>
        {
            var found = await SummaryRows.BySummaryAsync(work, summaryId);
            if (found is null || found.DoctorLicence != licence)
                return ((SummaryRow?)null, (IReadOnlyList<DoctorRow>)[], (IReadOnlyList<DecisionRow>)[]);
            await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "summary.read", $"summary/{found.RowId}", null, now);
            return (found, await DoctorRows.ActiveOfLicenceAsync(work, hospital.Msp, licence, now), await CoSignRows.DecisionsOfAsync(work, found.RowId));
        }, cancellation);
        if (row is null)
            return Answer(DecisionOutcome.NotFound);
        return Results.Ok(new
        {
            id = row.SummaryId,
            status = row.Status.ToString(),
            row.Reason,
            encounter = row.EncounterKey,
            patient = row.PatientKey,
            queuedAt = row.QueuedAt is { } queued ? Time(queued) : null,
            row.Supersedes,
            payload = row.Payload is null ? null : Base64Url.Encode(row.Payload),
            payloadDigest = row.Payload is null ? null : Digest.Of(row.Payload).ToString(),
            summary = row.Payload is null ? (JsonElement?)null : JsonElement.Parse(row.Payload),
            draft = row.Draft is null ? (JsonElement?)null : JsonElement.Parse(row.Draft),
            signing = row.Payload is null || row.Status != SummaryStatus.AwaitingCoSign
                ? []
                : doctors.Select(doctor => Signing(doctor, EnvelopeKind.Summary, row.Payload)).ToArray(),
            decisions = decisions.Select(decision => new
            {
                decision.Kind,
                decision.Person,
                decision.Reason,
                decision.Thumbprint,
                decidedAt = Time(decision.DecidedAt),
                voidedAt = decision.VoidedAt is { } voided ? Time(voided) : null,
                decision.VoidReason,
            }),
        });
    }

    internal static object Signing(DoctorRow doctor, EnvelopeKind kind, byte[] payload)
    {
        var input = SigningInput.Create(kind, SignerRole.Doctor, payload, Convert.FromBase64String(doctor.Certificate));
        return new { doctor.Thumbprint, notAfter = doctor.NotAfter, @protected = input.Protected, signingInput = System.Text.Encoding.ASCII.GetString(input.Bytes) };
    }

    /// <summary>Outcomes as HTTP: done 200, unknown 404, too late or changed 409, not acceptable 422, the doctor may not 403.</summary>
    internal static IResult Answer(DecisionOutcome outcome)
    {
        var (status, detail) = outcome switch
        {
            DecisionOutcome.Approved or DecisionOutcome.Declined or DecisionOutcome.Assigned or DecisionOutcome.Rerouted or DecisionOutcome.Delegated
                or DecisionOutcome.Recalled => (StatusCodes.Status200OK, null),
            DecisionOutcome.NotFound => (StatusCodes.Status404NotFound, "No summary of this id waits in your queue."),
            DecisionOutcome.AlreadyDecided => (StatusCodes.Status409Conflict, "It was decided already, or left the queue; read it again to see where it stands."),
            DecisionOutcome.Changed => (StatusCodes.Status409Conflict, "The summary changed since it was shown; read it again and sign what it says now."),
            DecisionOutcome.NoConsent => (StatusCodes.Status409Conflict, "The patient's consent is over; nothing can leave."),
            DecisionOutcome.BadHeader => (StatusCodes.Status422UnprocessableEntity,
                "The protected header is not the one shown with this summary; send it back unchanged."),
            DecisionOutcome.BadSignature => (StatusCodes.Status422UnprocessableEntity,
                "The signature does not verify over the signing input shown; sign those exact bytes with the key of the certificate (ES256, 64 bytes r and s)."),
            DecisionOutcome.NoReason => (StatusCodes.Status422UnprocessableEntity, "A decline needs a reason of 1 to 400 characters."),
            DecisionOutcome.DoctorPending => (StatusCodes.Status403Forbidden,
                "Your signing certificate waits for its second confirmation, by another hospital or the attestor."),
            DecisionOutcome.DoctorRevoked => (StatusCodes.Status403Forbidden, "Your signing certificate was revoked; ask medical affairs for a new one."),
            DecisionOutcome.OnItsWay => (StatusCodes.Status409Conflict, "It is on its way to the ledger, or there already: the signature can no longer be taken back."),
            DecisionOutcome.ColleagueCannot => (StatusCodes.Status422UnprocessableEntity, "This colleague cannot sign it: choose one of /api/colleagues."),
            DecisionOutcome.NotTheSummary => (StatusCodes.Status422UnprocessableEntity, "What was signed is not this summary: codes can be left out, nothing can be added or changed."),
            DecisionOutcome.DoctorLost => (StatusCodes.Status403Forbidden, "You reported this key as lost; make a new one and have it certified."),
            DecisionOutcome.DoctorExpired => (StatusCodes.Status403Forbidden, "Your signing certificate has expired; ask medical affairs for a new one."),
            _ => (StatusCodes.Status403Forbidden, "No active doctor of this hospital has this licence and certificate in the directory."),
        };
        return Results.Json(new { outcome = Name(outcome), detail }, statusCode: status);
    }

    // A logical id of R4. Whatever else stands in an address is not written into the audit log.
    private static bool IsId(string text) => text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');

    private static string Name(DecisionOutcome outcome) => JsonNamingPolicy.SnakeCaseUpper.ConvertName(outcome.ToString());

    private static (long QueuedAt, long Row) Place(string? after)
    {
        var parts = (after ?? "").Split('.');
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var queuedAt)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var row)
            ? (queuedAt, row)
            : (0, 0);
    }

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
