using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Enrolment;

/// <summary>Body of an opening.</summary>
/// <param name="Patient">Logical id of the FHIR Patient.</param>
/// <param name="Guardian">True where a guardian enrols a child or a dependent adult.</param>
internal sealed record OpenRequest(string? Patient, bool Guardian);

/// <summary>Body of a withdrawal.</summary>
/// <param name="Request">Reference of the patient's written request.</param>
internal sealed record WithdrawRequest(string? Request);

/// <summary>The enrolment desk over HTTP, under <c>/api/enrolments</c> (role desk), and the workers behind it.</summary>
internal static class EnrolmentSlice
{
    public static void AddEnrolment(this WebApplicationBuilder builder, EnrolmentOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<EnrolmentSignals>();
        builder.Services.AddSingleton<Desk>();
        builder.Services.AddSingleton<EnrolmentWorker>();
        builder.Services.AddSingleton<NotesWorker>();
        builder.Services.AddStage<EnrolmentWorker>(
            "enrol", _ => options.Interval, provider => provider.GetRequiredService<EnrolmentSignals>().Enrolment, (worker, token) => worker.RunAsync(token));
        builder.Services.AddStage<NotesWorker>(
            "notes", _ => options.Interval, provider => provider.GetRequiredService<EnrolmentSignals>().Notes, (worker, token) => worker.RunAsync(token));
    }

    public static void MapEnrolment(this WebApplication app)
    {
        var desk = app.MapGroup("/api/enrolments").RequireAuthorization(Roles.Desk);
        desk.MapPost("", async (OpenRequest body, ClaimsPrincipal user, Desk service, LedgerOptions ledger, CancellationToken cancellation) =>
            Opened(await service.OpenAsync(user.Actor(Roles.Desk), body.Patient, body.Guardian, cancellation), ledger));
        desk.MapPost("/{id:long}/reissue", async (long id, ClaimsPrincipal user, Desk service, LedgerOptions ledger, CancellationToken cancellation) =>
            Opened(await service.ReissueAsync(user.Actor(Roles.Desk), id, cancellation), ledger));
        desk.MapPost("/{id:long}/cancel", async (long id, ClaimsPrincipal user, Desk service, CancellationToken cancellation) =>
            Answer(await service.CancelAsync(user.Actor(Roles.Desk), id, cancellation)));
        desk.MapPost("/{id:long}/withdraw", async (long id, WithdrawRequest body, ClaimsPrincipal user, Desk service, CancellationToken cancellation) =>
            Answer(await service.WithdrawAsync(user.Actor(Roles.Desk), id, body.Request, cancellation)));
        desk.MapGet("/{id:long}", async (long id, Database database, CancellationToken cancellation) =>
            await database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, id), cancellation) is { } row ? Results.Ok(Show(row)) : Answer(DeskOutcome.NotFound));
        desk.MapGet("", async (string? state, long? after, int? limit, Database database, CancellationToken cancellation) =>
        {
            var rows = await database.ReadAsync(
                work => work.ListAsync<EnrolmentRow>(
                    $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE enrolment_id > @after AND (@state IS NULL OR state = @state) ORDER BY enrolment_id LIMIT @limit",
                    new { after = after ?? 0, state, limit = Math.Clamp(limit ?? 50, 1, 200) }),
                cancellation);
            return Results.Ok(new { items = rows.Select(Show) });
        });
    }

    private static IResult Opened(OpenedEnrolment opened, LedgerOptions ledger) => opened.Ticket is not { } ticket
        ? Answer(opened.Outcome)
        : Results.Json(
            new
            {
                outcome = "OPEN",
                enrolment = opened.EnrolmentId,
                // Shown once: no table holds it.
                code = ticket.Code.ToPrintedText(),
                fragment = ticket.ToFragment(),
                caDigests = JsonElement.Parse(ticket.CaDigests.ToCanonicalText()),
                hospital = ticket.Hospital,
                portal = ledger.PortalMsp,
                expiresAt = opened.ExpiresAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
            },
            statusCode: StatusCodes.Status201Created);

    private static object Show(EnrolmentRow row) => new
    {
        enrolment = row.EnrolmentId,
        patient = row.State == EnrolmentState.Withdrawn ? null : row.PatientKey,
        state = row.State.ToString(),
        guardian = row.Guardian != 0,
        row.OpenedBy,
        openedAt = Time(row.OpenedAt),
        expiresAt = Time(row.ExpiresAt),
        enrolledAt = row.EnrolledAt is { } enrolled ? Time(enrolled) : null,
        consentUntil = row.ConsentUntil is { } until ? Time(until) : null,
        purposes = row.PurposeList,
        endedAt = row.EndedAt is { } ended ? Time(ended) : null,
        row.EndReason,
        lastCode = row.LastCode,
    };

    private static IResult Answer(DeskOutcome outcome)
    {
        var (status, detail) = outcome switch
        {
            DeskOutcome.Done => (StatusCodes.Status200OK, null),
            DeskOutcome.NotFound => (StatusCodes.Status404NotFound, "There is no such enrolment."),
            DeskOutcome.AlreadyEnrolled => (StatusCodes.Status409Conflict, "The patient is enrolled, or an enrolment is under way."),
            DeskOutcome.AlreadyOpen => (StatusCodes.Status409Conflict, "A code is out for this patient: re-issue or cancel it."),
            DeskOutcome.UnknownPatient => (StatusCodes.Status422UnprocessableEntity, "The FHIR server knows no patient of this id."),
            DeskOutcome.SourceUnreachable => (StatusCodes.Status503ServiceUnavailable, "The FHIR server did not answer; try again shortly."),
            DeskOutcome.WrongState => (StatusCodes.Status409Conflict, "The enrolment is not in a state in which that can be done; read it again."),
            _ => (StatusCodes.Status422UnprocessableEntity, "Send the FHIR id of the patient, or the reference of the written request."),
        };
        return Results.Json(new { outcome = JsonNamingPolicy.SnakeCaseUpper.ConvertName(outcome.ToString()), detail }, statusCode: status);
    }

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
