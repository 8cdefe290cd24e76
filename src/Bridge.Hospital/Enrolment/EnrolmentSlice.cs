using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Enrolment;

/// <summary>Body of an opening.</summary>
/// <param name="Patient">Logical id of the FHIR Patient.</param>
/// <param name="Guardian">True where a guardian enrols a child or a dependent adult.</param>
internal sealed record OpenRequest(string? Patient, bool Guardian);

/// <summary>Body of a withdrawal.</summary>
/// <param name="Request">Reference of the patient's written request.</param>
/// <param name="CodeMisused">True where somebody else used the patient's code.</param>
internal sealed record WithdrawRequest(string? Request, bool CodeMisused);

/// <summary>Body of a look-up; in the body, because an address is written into logs.</summary>
/// <param name="Patient">Identifier, logical id or reference.</param>
internal sealed record LookUpRequest(string? Patient);

/// <summary>The enrolment desk over HTTP, under <c>/api/enrolments</c> (role desk), and the workers behind it.</summary>
internal static class EnrolmentSlice
{
    public static void AddEnrolment(this WebApplicationBuilder builder, EnrolmentOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<EnrolmentSignals>();
        builder.Services.AddSingleton<Desk>();
        builder.Services.AddSingleton<PatientLookUp>();
        builder.Services.AddSingleton<DeskReadings>();
        builder.Services.AddSingleton<EnrolmentWorker>();
        builder.Services.AddSingleton(provider => NoteCalls.Of(provider.GetRequiredService<SummaryLedger>(), provider.GetRequiredService<HospitalOptions>()));
        builder.Services.AddSingleton<NotesWorker>();
        builder.Services.AddSingleton<ConsentEnds>();
        builder.Services.AddStage<ConsentEnds>(
            "consent-ends", _ => options.Interval, provider => provider.GetRequiredService<EnrolmentSignals>().Ends, (worker, token) => worker.RunAsync(token));
        builder.Services.AddStage<EnrolmentWorker>(
            "enrol", _ => options.Interval, provider => provider.GetRequiredService<EnrolmentSignals>().Enrolment, (worker, token) => worker.RunAsync(token),
            tellsTheLedger: true);
        builder.Services.AddStage<NotesWorker>(
            "notes", _ => options.Interval, provider => provider.GetRequiredService<EnrolmentSignals>().Notes, (worker, token) => worker.RunAsync(token));
    }

    public static void MapEnrolment(this WebApplication app)
    {
        var desk = app.MapGroup("/api/enrolments").RequireAuthorization(Roles.Desk);
        desk.MapGet("/form", Form);
        desk.MapPost("/patients", async (LookUpRequest body, ClaimsPrincipal user, PatientLookUp service, CancellationToken cancellation) =>
            Found(await service.FindAsync(user.Actor(Roles.Desk), body.Patient, cancellation)));
        desk.MapPost("", async (OpenRequest body, ClaimsPrincipal user, Desk service, LedgerOptions ledger, EnrolmentOptions options, CancellationToken cancellation) =>
            Opened(await service.OpenAsync(user.Actor(Roles.Desk), body.Patient, body.Guardian, cancellation), ledger, options));
        desk.MapPost("/{id:long}/reissue", async (long id, ClaimsPrincipal user, Desk service, LedgerOptions ledger, EnrolmentOptions options, CancellationToken cancellation) =>
            Opened(await service.ReissueAsync(user.Actor(Roles.Desk), id, cancellation), ledger, options));
        desk.MapPost("/{id:long}/cancel", async (long id, ClaimsPrincipal user, Desk service, CancellationToken cancellation) =>
            Answer(await service.CancelAsync(user.Actor(Roles.Desk), id, cancellation)));
        desk.MapPost("/{id:long}/withdraw", async (long id, WithdrawRequest body, ClaimsPrincipal user, Desk service, CancellationToken cancellation) =>
            Answer(await service.WithdrawAsync(user.Actor(Roles.Desk), id, body.Request, body.CodeMisused, cancellation)));
        desk.MapGet("/{id:long}", OneAsync);
        desk.MapGet("", ListAsync);
    }

    /// <summary>A page of enrolments: by number after <paramref name="after"/>, or, with <paramref name="newest"/>, the last ones first, before <paramref name="before"/>.</summary>
    private static async Task<IResult> ListAsync(
        string? state, long? after, bool? newest, long? before, int? limit, ClaimsPrincipal user, Database database, DeskReadings readings, CancellationToken cancellation)
    {
        var order = newest == true
            ? "enrolment_id < @before AND (@state IS NULL OR state = @state) ORDER BY enrolment_id DESC"
            : "enrolment_id > @after AND (@state IS NULL OR state = @state) ORDER BY enrolment_id";
        var rows = await database.ReadAsync(
            work => work.ListAsync<EnrolmentRow>(
                $"SELECT {EnrolmentRows.Columns} FROM enrolment WHERE {order} LIMIT @limit",
                new { after = after ?? 0, before = before ?? long.MaxValue, state, limit = Math.Clamp(limit ?? 50, 1, 200) }),
            cancellation);
        await readings.NoteAsync(user.Actor(Roles.Desk), rows, cancellation);
        return Results.Ok(new { items = rows.Select(row => Show(row, null)) });
    }

    private static async Task<IResult> OneAsync(long id, ClaimsPrincipal user, Database database, DeskReadings readings, CancellationToken cancellation)
    {
        if (await database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, id), cancellation) is not { } row)
            return Answer(DeskOutcome.NotFound);
        await readings.NoteAsync(user.Actor(Roles.Desk), [row], cancellation);
        return Results.Ok(Show(row, Consented(row)));
    }

    /// <summary>What stands on the printed page beside the code: the texts of the consent with their digests, the purposes one by one, who receives it, for how long.</summary>
    private static IResult Form(EnrolmentOptions options, HospitalOptions hospital, LedgerOptions ledger) => Results.Ok(new
    {
        hospital = hospital.Name,
        page = options.Page?.AbsoluteUri,
        recipients = new[] { new { msp = ledger.PortalMsp, name = options.PortalName ?? ledger.PortalMsp } },
        purposes = Purposes.All,
        validDays = (int)options.CertificateLifetime.TotalDays,
        notices = ConsentNotice.Shipped.Select(notice => new { notice.Language, notice.Text, digest = notice.Digest.ToString() }),
    });

    private static IResult Found(LookUp lookUp) => lookUp.Outcome != DeskOutcome.Done
        ? Answer(lookUp.Outcome)
        : Results.Ok(new
        {
            outcome = "FOUND",
            more = lookUp.More,
            items = lookUp.Found.Select(item => new
            {
                patient = item.Patient.Id,
                item.Patient.Name,
                item.Patient.BirthDate,
                item.Patient.Sex,
                item.Patient.Identifiers,
                item.Patient.InUse,
                enrolment = item.Enrolment is { } row ? new { id = row.EnrolmentId, state = row.State.ToString() } : null,
            }),
        });

    private static IResult Opened(OpenedEnrolment opened, LedgerOptions ledger, EnrolmentOptions options) => opened.Ticket is not { } ticket
        ? Answer(opened.Outcome)
        : Results.Json(
            new
            {
                outcome = "OPEN",
                enrolment = opened.EnrolmentId,
                // Shown once: no table holds it.
                code = ticket.Code.ToPrintedText(),
                fragment = ticket.ToFragment(),
                address = options.Page is { } page ? ticket.ToUri(page).AbsoluteUri : null,
                caDigests = JsonElement.Parse(ticket.CaDigests.ToCanonicalText()),
                hospital = ticket.Hospital,
                portal = ledger.PortalMsp,
                expiresAt = opened.ExpiresAt.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
            },
            statusCode: StatusCodes.Status201Created);

    private static object Show(EnrolmentRow row, object? consent) => new
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
        consent,
        endedAt = row.EndedAt is { } ended ? Time(ended) : null,
        row.EndReason,
        withdrawalAskedAt = row is { State: EnrolmentState.Enrolling, WithdrawAt: { } asked } ? Time(asked) : null,
        lastCode = row.LastCode,
    };

    /// <summary>Which text the patient signed: the shipped one's language and digest, or a digest of no text that this hospital ships.</summary>
    private static object? Consented(EnrolmentRow row) =>
        row is { Consent: { } jws, Spki: { } key } && CompactJws.Verify<Consent>(jws, key).Value?.Statement is { } signed
            ? new { signed.Language, notice = signed.Notice.ToString(), shipped = ConsentNotice.Of(signed.Notice) is not null, signed.Recipients }
            : null;

    private static IResult Answer(DeskOutcome outcome)
    {
        var (status, detail) = outcome switch
        {
            DeskOutcome.Done => (StatusCodes.Status200OK, null),
            DeskOutcome.Waiting => (StatusCodes.Status202Accepted, "Recorded. The enrolment is under way on the ledger: it ends as soon as it stands there, or here, if it never gets there."),
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
