using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
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
}

/// <summary>Body of an approval.</summary>
/// <param name="Protected">base64url of the protected header, as the summary was shown with.</param>
/// <param name="Signature">base64url of r ‖ s (64 bytes) over <c>protected.payload</c>.</param>
internal sealed record ApproveRequest(string? Protected, string? Signature);

/// <summary>Body of a decline.</summary>
internal sealed record DeclineRequest(string? Reason);

/// <summary>Body of an assignment.</summary>
internal sealed record AssignRequest(string? Licence);

/// <summary>The doctors' queue over HTTP. Under <c>/api/cosign</c>; every answer of a decision is <c>{"outcome": …}</c>.</summary>
internal static class CoSignSlice
{
    private const int MaxPage = 200;

    public static void AddCoSign(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CoSignSignals>();
        builder.Services.AddSingleton<Decisions>();
    }

    public static void MapCoSign(this WebApplication app)
    {
        var doctor = app.MapGroup("/api/cosign").RequireAuthorization(Roles.Doctor);
        doctor.MapGet("/queue", QueueAsync);
        doctor.MapGet("/{summaryId}", ReadAsync);
        doctor.MapPost("/{summaryId}/approve", async (string summaryId, ApproveRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.ApproveAsync(
                user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Protected ?? "", body.Signature ?? "", cancellation)));
        doctor.MapPost("/{summaryId}/decline", async (string summaryId, DeclineRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.DeclineAsync(user.Actor(Roles.Doctor), user.Licence(), summaryId, body.Reason, cancellation)));

        var operators = app.MapGroup("/api/cosign").RequireAuthorization(Roles.Operator);
        operators.MapGet("/unassigned", async (long? after, int? limit, Database database, CancellationToken cancellation) =>
            Results.Ok(new
            {
                items = (await database.ReadAsync(
                        work => CoSignRows.UnassignedAsync(work, after ?? 0, Math.Clamp(limit ?? 50, 1, MaxPage)), cancellation))
                    .Select(line => new { id = line.SummaryId, row = line.RowId, line.Class, practitioner = line.DoctorRef, line.Status, since = Time(line.UpdatedAt) }),
            }));
        operators.MapPost("/{summaryId}/assign", async (string summaryId, AssignRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
            Answer(await decisions.AssignAsync(user.Actor(Roles.Operator), summaryId, body.Licence ?? "", cancellation)));
        app.MapPut("/api/practitioners/{practitioner}", async (string practitioner, AssignRequest body, ClaimsPrincipal user, Decisions decisions, CancellationToken cancellation) =>
                await decisions.MapPractitionerAsync(user.Actor(Roles.Operator), practitioner, body.Licence ?? "", cancellation) is { } assigned
                    ? Results.Ok(new { outcome = "MAPPED", assigned })
                    : Answer(DecisionOutcome.DoctorUnknown))
            .RequireAuthorization(Roles.Operator);
    }

    /// <summary>A page: <c>{items, next, waiting}</c>; <c>next</c> goes into <c>?after=</c> and is null at the end.</summary>
    private static async Task<IResult> QueueAsync(string? after, int? limit, ClaimsPrincipal user, Database database, CancellationToken cancellation)
    {
        var (queuedAt, row) = Place(after);
        var size = Math.Clamp(limit ?? 50, 1, MaxPage);
        var (lines, waiting) = await database.ReadAsync(async work =>
            (await CoSignRows.QueueAsync(work, user.Licence(), queuedAt, row, size), await CoSignRows.CountAsync(work, user.Licence())), cancellation);
        return Results.Ok(new
        {
            items = lines.Select(line => new
            {
                id = line.SummaryId,
                encounter = line.EncounterKey,
                patient = line.PatientKey,
                line.Class,
                line.Period,
                line.Supersedes,
                queuedAt = Time(line.QueuedAt),
            }),
            next = lines.Count == size ? string.Create(CultureInfo.InvariantCulture, $"{lines[^1].QueuedAt}.{lines[^1].RowId}") : null,
            waiting,
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
                : doctors.Select(doctor => Signing(doctor, row.Payload)).ToArray(),
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

    private static object Signing(DoctorRow doctor, byte[] payload)
    {
        var input = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, payload, Convert.FromBase64String(doctor.Certificate));
        return new { doctor.Thumbprint, notAfter = doctor.NotAfter, @protected = input.Protected, signingInput = System.Text.Encoding.ASCII.GetString(input.Bytes) };
    }

    /// <summary>Outcomes as HTTP: done 200, unknown 404, too late or changed 409, not acceptable 422, the doctor may not 403.</summary>
    private static IResult Answer(DecisionOutcome outcome)
    {
        var (status, detail) = outcome switch
        {
            DecisionOutcome.Approved or DecisionOutcome.Declined or DecisionOutcome.Assigned => (StatusCodes.Status200OK, null),
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
            DecisionOutcome.DoctorExpired => (StatusCodes.Status403Forbidden, "Your signing certificate has expired; ask medical affairs for a new one."),
            _ => (StatusCodes.Status403Forbidden, "No active doctor of this hospital has this licence and certificate in the directory."),
        };
        return Results.Json(new { outcome = JsonNamingPolicy.SnakeCaseUpper.ConvertName(outcome.ToString()), detail }, statusCode: status);
    }

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
