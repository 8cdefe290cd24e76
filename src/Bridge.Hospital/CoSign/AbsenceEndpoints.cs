using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>For whom somebody has a piece of work, and why, as queues show it.</summary>
/// <param name="Name">The doctor whose it is; her licence where the directory no longer names her.</param>
/// <param name="Why"><c>Absent</c> or <c>Waited</c>.</param>
/// <param name="Until">Until when she is away; null where she is not (any more).</param>
internal sealed record StandingFor(string Name, string Why, string? Until)
{
    /// <summary>By licence and reason; what is for nobody else has none.</summary>
    public static async Task<IReadOnlyDictionary<(string?, string?), StandingFor>> OfAsync(
        Work work, string hospital, IEnumerable<(string? Licence, string? Why)> homes, DateTimeOffset now)
    {
        var asked = homes.Where(home => home is { Licence: not null, Why: not null }).Distinct().ToList();
        if (asked.Count == 0)
            return new Dictionary<(string?, string?), StandingFor>();
        var names = await DoctorRows.NamesAsync(work, hospital, [.. asked.Select(home => home.Licence!).Distinct()]);
        var until = (await AbsenceRows.AtAsync(work, now)).ToLookup(absence => absence.Licence, absence => absence.UntilAt);
        return asked.ToDictionary(home => home, home => new StandingFor(
            names.GetValueOrDefault(home.Licence!, home.Licence!), home.Why!, until[home.Licence!].Select(AbsenceEndpoints.Time).FirstOrDefault()));
    }
}

/// <summary>Body of an absence: moments with their zone, and a colleague's licence.</summary>
internal sealed record AbsenceRequest(DateTimeOffset? From, DateTimeOffset? Until, string? Deputy);

/// <summary>Body of naming a standing deputy: a colleague's licence, or none.</summary>
internal sealed record DeputyRequest(string? Deputy);

/// <summary>A doctor's absences over HTTP, under <c>/api/absences</c>.</summary>
internal static class AbsenceEndpoints
{
    public static void MapAbsences(this WebApplication app)
    {
        var doctor = app.MapGroup("/api/absences").RequireAuthorization(Roles.Doctor);
        doctor.MapGet("", ListAsync);
        doctor.MapPost("", async (AbsenceRequest body, ClaimsPrincipal user, Absences absences, CancellationToken cancellation) =>
            Answer(body is { From: { } from, Until: { } until }
                ? await absences.SetAsync(user.Actor(Roles.Doctor), user.Licence(), from, until, body.Deputy ?? "", cancellation)
                : AbsenceOutcome.BadPeriod));
        doctor.MapPut("/deputy", async (DeputyRequest body, ClaimsPrincipal user, Absences absences, CancellationToken cancellation) =>
            Answer(await absences.NameAsync(user.Actor(Roles.Doctor), user.Licence(), body.Deputy ?? "", cancellation)));
        doctor.MapPost("/{id:long}/end", async (long id, ClaimsPrincipal user, Absences absences, CancellationToken cancellation) =>
            Answer(await absences.EndAsync(user.Actor(Roles.Doctor), user.Licence(), id, cancellation)));
    }

    /// <summary>
    /// <c>{items, standingInFor, away, deputy, deputyFor}</c>: her own absences, those in which she was named, and how much of hers is with others because she is away.
    /// <c>standIn</c> is who has her work then, as absences and certificates are known now; null = an operator has to assign it. <c>deputy</c> is whom she named for what
    /// she leaves too long, and <c>deputyFor</c> who named her.
    /// </summary>
    private static async Task<IResult> ListAsync(ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var licence = user.Licence();
        return Results.Ok(await database.ReadAsync<object>(async work =>
        {
            var own = await AbsenceRows.ComingAsync(work, licence, now);
            var naming = await AbsenceRows.NamingAsync(work, licence, now);
            var maySign = (await AbsenceRows.PresencesAsync(work, hospital.Msp, now)).MaySign;
            var deputy = await StandingDeputies.OfAsync(work, licence);
            var deputyFor = await StandingDeputies.NamingAsync(work, licence);
            var nobody = new Dictionary<string, string>();
            var standIns = new Dictionary<long, string?>();
            foreach (var absence in own)
            {
                var then = await AbsenceRows.AtAsync(work, DateTimeOffset.FromUnixTimeMilliseconds(Math.Max(absence.FromAt, now.ToUnixTimeMilliseconds())));
                var deputies = then.DistinctBy(other => other.Licence).ToDictionary(other => other.Licence, other => other.Deputy, StringComparer.Ordinal);
                standIns[absence.AbsenceId] = TurnRules.StandIn(licence, new Presences(deputies, maySign, nobody), new HashSet<string>());
            }
            var names = await DoctorRows.NamesAsync(
                work, hospital.Msp, [.. own.Select(absence => absence.Deputy).Concat(naming.Select(absence => absence.Licence)).Concat(standIns.Values.OfType<string>()).Concat(deputyFor).Append(deputy ?? "").Distinct()]);
            string Name(string of) => names.GetValueOrDefault(of, of);
            return new
            {
                items = own.Select(absence => new
                {
                    id = absence.AbsenceId,
                    from = Time(absence.FromAt),
                    until = Time(absence.UntilAt),
                    deputy = Name(absence.Deputy),
                    standIn = standIns[absence.AbsenceId] is { } standIn ? Name(standIn) : null,
                    lasts = absence.FromAt <= now.ToUnixTimeMilliseconds(),
                }),
                standingInFor = naming.Select(absence => new { doctor = Name(absence.Licence), from = Time(absence.FromAt), until = Time(absence.UntilAt) }),
                deputy = deputy is null ? null : new { licence = deputy, name = Name(deputy), maySign = maySign.Contains(deputy) },
                deputyFor = deputyFor.Select(Name),
                away = await work.ScalarAsync<long>(
                    $"SELECT COUNT(*) FROM summary WHERE for_licence = @licence AND for_why = '{TurnRules.Absent}' AND status = 'AwaitingCoSign'", new { licence }),
            };
        }, cancellation));
    }

    internal static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);

    private static IResult Answer(AbsenceOutcome outcome)
    {
        var (status, detail) = outcome switch
        {
            AbsenceOutcome.Set or AbsenceOutcome.Ended => (StatusCodes.Status200OK, (string?)null),
            AbsenceOutcome.NotFound => (StatusCodes.Status404NotFound, "No absence of yours has this number, or it is over."),
            AbsenceOutcome.Overlaps => (StatusCodes.Status409Conflict, "Another absence of yours lies in that time: end that one first."),
            AbsenceOutcome.BadPeriod => (StatusCodes.Status422UnprocessableEntity,
                "from and until are moments with their zone (2026-12-24T00:00:00+01:00); until lies after from and after now, at most a year later."),
            _ => (StatusCodes.Status422UnprocessableEntity, "This colleague cannot stand in: choose one of /api/colleagues."),
        };
        return Results.Json(new { outcome = JsonNamingPolicy.SnakeCaseUpper.ConvertName(outcome.ToString()), detail }, statusCode: status);
    }
}
