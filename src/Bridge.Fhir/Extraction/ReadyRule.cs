namespace Bridge.Fhir.Extraction;

/// <summary>How long an encounter waits for its coding.</summary>
public sealed record ReadyOptions
{
    /// <summary>Nothing may have changed for this long. Default 24 hours; zero = at once.</summary>
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Longest wait after the end for outpatient classes. Default 3 days; zero = no wait.</summary>
    public TimeSpan MaxWaitOutpatient { get; init; } = TimeSpan.FromDays(3);

    /// <summary>Longest wait after the end for inpatient classes (IMP, ACUTE, NONAC, OBSENC, SS). Default 14 days; zero = no wait.</summary>
    public TimeSpan MaxWaitInpatient { get; init; } = TimeSpan.FromDays(14);

    /// <summary>No waits at all, as the Sandbox wants it.</summary>
    public static ReadyOptions AtOnce { get; } = new()
    {
        SettleTime = TimeSpan.Zero,
        MaxWaitOutpatient = TimeSpan.Zero,
        MaxWaitInpatient = TimeSpan.Zero,
    };
}

/// <summary>Whether an encounter may be judged.</summary>
public enum Readiness
{
    /// <summary>It has settled.</summary>
    Ready,

    /// <summary>Coding may still follow.</summary>
    Settling,

    /// <summary>The longest wait is over and there is no diagnosis.</summary>
    NoCondition,
}

/// <summary>A readiness and, while settling, when to look again.</summary>
/// <param name="Readiness">Whether it may be judged.</param>
/// <param name="LookAgainAt">While settling: when. Otherwise null.</param>
public readonly record struct ReadyVerdict(Readiness Readiness, DateTimeOffset? LookAgainAt);

/// <summary>The ready rule: a doctor signs once, and coding follows discharge by days.</summary>
public static class ReadyRule
{
    /// <summary>Judges a finished encounter; a pure function.</summary>
    /// <param name="encounterClass">v3 ActCode.</param>
    /// <param name="finishedAt">When the encounter ended, or was first seen finished if that was later.</param>
    /// <param name="lastChange">The latest change of the encounter or of any of its children.</param>
    /// <param name="hasCondition">Whether it has at least one usable diagnosis.</param>
    /// <param name="now">The moment of judgement.</param>
    /// <param name="options">The waits.</param>
    public static ReadyVerdict Judge(
        string encounterClass, DateTimeOffset finishedAt, DateTimeOffset lastChange, bool hasCondition, DateTimeOffset now, ReadyOptions options)
    {
        var deadline = Add(finishedAt, IsInpatient(encounterClass) ? options.MaxWaitInpatient : options.MaxWaitOutpatient);
        var settled = Add(lastChange, options.SettleTime);
        if (hasCondition)
        {
            return now >= settled || now >= deadline
                ? new ReadyVerdict(Readiness.Ready, null)
                : new ReadyVerdict(Readiness.Settling, settled < deadline ? settled : deadline);
        }
        if (now >= deadline)
            return new ReadyVerdict(Readiness.NoCondition, null);
        // a Condition that arrives does not touch the encounter's own lastUpdated: look once per settle time
        var next = Add(now, options.SettleTime > TimeSpan.FromMinutes(1) ? options.SettleTime : TimeSpan.FromMinutes(1));
        return new ReadyVerdict(Readiness.Settling, next < deadline ? next : deadline);
    }

    internal static bool IsInpatient(string encounterClass) => encounterClass is "IMP" or "ACUTE" or "NONAC" or "OBSENC" or "SS";

    private static DateTimeOffset Add(DateTimeOffset at, TimeSpan span) =>
        at > DateTimeOffset.MaxValue - span ? DateTimeOffset.MaxValue : at + span;
}
