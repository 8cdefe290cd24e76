using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.CoSign;

/// <summary>What happens to work that a doctor leaves waiting.</summary>
/// <param name="RemindAfter"><c>CoSign:RemindAfter</c>: what waits so long in one queue is marked and counted in reminders. Default 2 days; zero = never.</param>
/// <param name="EscalateAfter"><c>CoSign:EscalateAfter</c>: what waits so long goes to somebody else. Default 7 days; zero = never.</param>
/// <param name="ToColleague">
/// <c>CoSign:EscalateTo</c>: <c>colleague</c> (default) = another doctor of the same encounter who may sign, else the doctor's standing deputy, else an operator; <c>operator</c> = an operator, who assigns it.
/// </param>
/// <param name="Interval"><c>CoSign:TurnInterval</c>: how often absences and waiting times are looked at. Default 1 min.</param>
internal sealed record TurnOptions(TimeSpan RemindAfter, TimeSpan EscalateAfter, bool ToColleague, TimeSpan Interval)
{
    public static TurnOptions Read(ConfigurationReader reader)
    {
        var year = TimeSpan.FromDays(366);
        var escalate = reader.Duration("CoSign:EscalateAfter", TimeSpan.FromDays(7), TimeSpan.Zero, year);
        var remind = reader.Duration("CoSign:RemindAfter", escalate > TimeSpan.Zero && escalate < TimeSpan.FromDays(2) ? escalate : TimeSpan.FromDays(2), TimeSpan.Zero, year);
        if (escalate > TimeSpan.Zero && remind > escalate)
            reader.Fault("CoSign:RemindAfter", remind.ToString("c"), $"at most CoSign:EscalateAfter ({escalate:c}), or 00:00:00 for no reminder");
        return new TurnOptions(
            remind, escalate, reader.OneOf("CoSign:EscalateTo", "colleague", ["colleague", "operator"]) == "colleague",
            reader.Duration("CoSign:TurnInterval", TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)));
    }
}

/// <summary>Who is away now, with whom she named for it, and who may sign now.</summary>
/// <param name="Deputies">The deputy whom each doctor who is away has named, by licence.</param>
/// <param name="MaySign">Licences with a certificate that signs now.</param>
/// <param name="Standing">Whom each doctor who named somebody has named for what she leaves too long.</param>
internal sealed record Presences(IReadOnlyDictionary<string, string> Deputies, IReadOnlySet<string> MaySign, IReadOnlyDictionary<string, string> Standing);

/// <summary>A piece of work that waits for a doctor's signature.</summary>
/// <param name="Holder">Who has it; null = it waits for an operator to name a doctor.</param>
/// <param name="For">Whose it is while somebody else has it.</param>
/// <param name="Why">Why somebody else has it: <see cref="TurnRules.Absent"/>, <see cref="TurnRules.Waited"/> or null.</param>
/// <param name="Since">Since when it is in this queue; null = in none.</param>
/// <param name="Reminded">Whether its doctor was reminded of it.</param>
/// <param name="Refused">Who said that it is not hers.</param>
/// <param name="Others">The doctors of its encounter, in the source's order.</param>
internal sealed record WaitingWork(
    string? Holder, string? For, string? Why, DateTimeOffset? Since, bool Reminded, IReadOnlySet<string> Refused, IReadOnlyList<string> Others);

/// <summary>What is to be done with a piece of waiting work.</summary>
internal enum TurnStep
{
    /// <summary>It is where it should be.</summary>
    Stay,

    /// <summary>It goes into other hands, or to an operator.</summary>
    Hand,

    /// <summary>Its doctor is reminded.</summary>
    Remind,
}

/// <summary>A step, and for a handing over: to whom (null = an operator), for whom, and why.</summary>
internal sealed record Turn(TurnStep Step, string? To = null, string? For = null, string? Why = null)
{
    public static readonly Turn Stay = new(TurnStep.Stay);
}

/// <summary>Pure decisions about whose turn it is.</summary>
internal static class TurnRules
{
    /// <summary>Its doctor is away; it comes back to her.</summary>
    public const string Absent = "Absent";

    /// <summary>Its doctor left it too long; it stays with whoever got it.</summary>
    public const string Waited = "Waited";

    /// <summary>
    /// Who stands in for a doctor who is away: her deputy, or the deputy's own where that one is away too, and so on. Null where the chain ends at nobody, at
    /// somebody who may not sign or said that it is not hers, or in a circle.
    /// </summary>
    public static string? StandIn(string licence, Presences presences, IReadOnlySet<string> refused)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var at = licence;
        while (presences.Deputies.TryGetValue(at, out var deputy))
        {
            if (!seen.Add(at))
                return null;
            at = deputy;
        }
        return at != licence && presences.MaySign.Contains(at) && !refused.Contains(at) ? at : null;
    }

    public static Turn Decide(WaitingWork work, Presences presences, TurnOptions options, DateTimeOffset now)
    {
        var isBack = work.Why == Absent && work.For is { } away && !presences.Deputies.ContainsKey(away);
        // One who is back and may not sign any more gets nothing back: whoever has it keeps it.
        var returns = isBack && presences.MaySign.Contains(work.For!);
        if ((work.Why == Absent && (returns || !isBack) ? work.For : work.Holder) is not { } home)
            return Turn.Stay;
        if (presences.Deputies.ContainsKey(home))
        {
            var standIn = StandIn(home, presences, work.Refused);
            return standIn == work.Holder && work.Why == Absent ? Overdue(work, presences, options, now) : new Turn(TurnStep.Hand, standIn, home, Absent);
        }
        return returns ? new Turn(TurnStep.Hand, home) : Overdue(work, presences, options, now);
    }

    private static Turn Overdue(WaitingWork work, Presences presences, TurnOptions options, DateTimeOffset now)
    {
        if (work.Holder is not { } holder || work.Since is not { } since)
            return Turn.Stay;
        var waited = now - since;
        if (options.EscalateAfter > TimeSpan.Zero && waited >= options.EscalateAfter)
        {
            // Once to a colleague, then to an operator: it does not go round. Whoever knows the patient comes before whom the doctor named.
            var named = presences.Standing.TryGetValue(work.For ?? holder, out var deputy) ? work.Others.Append(deputy) : work.Others;
            var colleague = options.ToColleague && work.Why != Waited
                ? named.FirstOrDefault(other => other != holder && other != work.For && !work.Refused.Contains(other) && presences.MaySign.Contains(other)
                    && !presences.Deputies.ContainsKey(other))
                : null;
            return new Turn(TurnStep.Hand, colleague, work.For ?? holder, Waited);
        }
        return options.RemindAfter > TimeSpan.Zero && waited >= options.RemindAfter && !work.Reminded ? new Turn(TurnStep.Remind) : Turn.Stay;
    }
}
