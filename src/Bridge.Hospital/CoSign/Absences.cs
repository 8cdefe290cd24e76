using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.CoSign;

/// <summary>A time in which a doctor is away, as stored.</summary>
internal sealed class AbsenceRow
{
    public long AbsenceId { get; init; }
    public string Licence { get; init; } = "";

    /// <summary>Licence of the colleague who stands in.</summary>
    public string Deputy { get; init; } = "";
    public long FromAt { get; init; }
    public long UntilAt { get; init; }
}

/// <summary>What became of a doctor's word about her absence.</summary>
internal enum AbsenceOutcome
{
    Set,
    Ended,
    NotFound,

    /// <summary>It ends before it begins, or before now, or lasts longer than a year.</summary>
    BadPeriod,

    /// <summary>The colleague may not sign now, or is the doctor herself.</summary>
    DeputyCannot,

    /// <summary>Another absence of hers lies in that time.</summary>
    Overlaps,
}

/// <summary>The absence table.</summary>
internal static class AbsenceRows
{
    private const string Columns = "absence_id AS AbsenceId, licence AS Licence, deputy AS Deputy, from_at AS FromAt, until_at AS UntilAt";

    /// <summary>Every absence that lasts at a moment.</summary>
    public static Task<IReadOnlyList<AbsenceRow>> AtAsync(Work work, DateTimeOffset moment) => work.ListAsync<AbsenceRow>(
        $"SELECT {Columns} FROM absence WHERE until_at > @moment AND from_at <= @moment AND ended_at IS NULL ORDER BY absence_id", new { moment = moment.ToUnixTimeMilliseconds() });

    /// <summary>What a doctor has said that is not over yet, the soonest first.</summary>
    public static Task<IReadOnlyList<AbsenceRow>> ComingAsync(Work work, string licence, DateTimeOffset now) => work.ListAsync<AbsenceRow>(
        $"SELECT {Columns} FROM absence WHERE licence = @licence AND until_at > @now AND ended_at IS NULL ORDER BY from_at", new { licence, now = now.ToUnixTimeMilliseconds() });

    /// <summary>For whom a doctor was named, now or later.</summary>
    public static Task<IReadOnlyList<AbsenceRow>> NamingAsync(Work work, string deputy, DateTimeOffset now) => work.ListAsync<AbsenceRow>(
        $"SELECT {Columns} FROM absence WHERE deputy = @deputy AND until_at > @now AND ended_at IS NULL ORDER BY from_at", new { deputy, now = now.ToUnixTimeMilliseconds() });

    public static async Task<Presences> PresencesAsync(Work work, string hospital, DateTimeOffset now) => new(
        (await AtAsync(work, now)).DistinctBy(absence => absence.Licence).ToDictionary(absence => absence.Licence, absence => absence.Deputy, StringComparer.Ordinal),
        (await DoctorRows.ActiveAsync(work, hospital, now)).Select(doctor => doctor.Licence).ToHashSet(StringComparer.Ordinal),
        (await StandingDeputies.AllAsync(work)).ToDictionary(row => row.Licence, row => row.Deputy, StringComparer.Ordinal));
}

/// <summary>Whom a doctor named for what she leaves too long, as stored.</summary>
internal sealed class StandingDeputyRow
{
    public string Licence { get; init; } = "";
    public string Deputy { get; init; } = "";
}

/// <summary>The standing_deputy table: one for each doctor, or none.</summary>
internal static class StandingDeputies
{
    private const string Columns = "licence AS Licence, deputy AS Deputy";

    public static Task<IReadOnlyList<StandingDeputyRow>> AllAsync(Work work) => work.ListAsync<StandingDeputyRow>($"SELECT {Columns} FROM standing_deputy");

    public static async Task<string?> OfAsync(Work work, string licence) =>
        (await work.FirstAsync<StandingDeputyRow>($"SELECT {Columns} FROM standing_deputy WHERE licence = @licence", new { licence }))?.Deputy;

    /// <summary>Licences of the doctors who named this one.</summary>
    public static Task<IReadOnlyList<string>> NamingAsync(Work work, string deputy) =>
        work.ListAsync<string>("SELECT licence FROM standing_deputy WHERE deputy = @deputy ORDER BY licence", new { deputy });

    /// <summary>Names one, or nobody any more.</summary>
    public static async Task SetAsync(Work work, string licence, string? deputy, string person, DateTimeOffset now)
    {
        await work.RunAsync("DELETE FROM standing_deputy WHERE licence = @licence", new { licence });
        if (deputy is not null)
            await work.RunAsync(
                "INSERT INTO standing_deputy (licence, deputy, set_by, set_at) VALUES (@licence, @deputy, @person, @now)", new { licence, deputy, person, now = now.ToUnixTimeMilliseconds() });
    }
}

/// <summary>Doctors' absences. What is said here is durable when the method returns; the queues follow at the next run of the turn stage, which is woken.</summary>
internal sealed class Absences(Database database, HospitalOptions hospital, TimeProvider clock, CoSignSignals signals)
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    /// <summary>Says that a doctor is away, and who stands in.</summary>
    public async Task<AbsenceOutcome> SetAsync(Actor actor, string licence, DateTimeOffset from, DateTimeOffset until, string deputy, CancellationToken cancellationToken)
    {
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (until <= from || until <= now || until - from > Longest || from - now > Longest)
                return AbsenceOutcome.BadPeriod;
            if (deputy == licence || await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, deputy, now) is null)
                return AbsenceOutcome.DeputyCannot;
            var (begins, ends) = (from.ToUnixTimeMilliseconds(), until.ToUnixTimeMilliseconds());
            if ((await AbsenceRows.ComingAsync(work, licence, now)).Any(other => other.FromAt < ends && begins < other.UntilAt))
                return AbsenceOutcome.Overlaps;
            var id = await work.InsertAsync(
                "INSERT INTO absence (licence, deputy, from_at, until_at, set_by, set_at) VALUES (@licence, @deputy, @begins, @ends, @person, @now)",
                new { licence, deputy, begins, ends, person = actor.Person, now = now.ToUnixTimeMilliseconds() });
            await AuditLog.AppendAsync(work, actor, "absence.set", $"absence/{id}", new { licence, deputy, from, until }, now);
            return AbsenceOutcome.Set;
        }, cancellationToken);
        if (outcome == AbsenceOutcome.Set)
            signals.Turns.Wake();
        return outcome;
    }

    /// <summary>Names who gets what she leaves too long, whether she is away or not; an empty licence = nobody any more.</summary>
    public Task<AbsenceOutcome> NameAsync(Actor actor, string licence, string deputy, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        if (deputy == licence || deputy.Length > 0 && await DoctorRows.BestOfLicenceAsync(work, hospital.Msp, deputy, now) is null)
            return AbsenceOutcome.DeputyCannot;
        var named = deputy.Length == 0 ? null : deputy;
        if (await StandingDeputies.OfAsync(work, licence) == named)
            return AbsenceOutcome.Set;
        await StandingDeputies.SetAsync(work, licence, named, actor.Person, now);
        await AuditLog.AppendAsync(work, actor, "absence.deputy", "absence", new { licence, deputy = named }, now);
        return AbsenceOutcome.Set;
    }, cancellationToken);

    /// <summary>Takes an absence back, or ends it before its time.</summary>
    public async Task<AbsenceOutcome> EndAsync(Actor actor, string licence, long absence, CancellationToken cancellationToken)
    {
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await work.RunAsync(
                    "UPDATE absence SET ended_at = @now WHERE absence_id = @absence AND licence = @licence AND ended_at IS NULL AND until_at > @now",
                    new { absence, licence, now = now.ToUnixTimeMilliseconds() }) == 0)
                return AbsenceOutcome.NotFound;
            await AuditLog.AppendAsync(work, actor, "absence.end", $"absence/{absence}", new { licence }, now);
            return AbsenceOutcome.Ended;
        }, cancellationToken);
        if (outcome == AbsenceOutcome.Ended)
            signals.Turns.Wake();
        return outcome;
    }
}
