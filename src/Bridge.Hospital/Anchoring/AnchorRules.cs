using Bridge.Ledger;

namespace Bridge.Hospital.Anchoring;

/// <summary>When anchors leave. See identity.md: what is public about an anchor is when it came.</summary>
/// <param name="MinPatients"><c>Anchoring:MinPatients</c>: a batch of at least so many patients leaves at once. Default 5; 1 = no batching.</param>
/// <param name="MinDelay"><c>Anchoring:MinDelay</c>: what is not in such a batch waits a random time, at least this. Default 1 day; zero = none.</param>
/// <param name="MaxDelay"><c>Anchoring:MaxDelay</c>: and at most this. Default 7 days.</param>
/// <param name="MaxBatch"><c>Anchoring:MaxBatch</c>: most summaries in a transaction. Default 50, at most 100.</param>
/// <param name="Interval"><c>Anchoring:Interval</c>: how often the queue is looked at; a signature wakes it too. Default 15 s.</param>
/// <param name="Lease"><c>Anchoring:Lease</c>: how long an instance holds what it works on. Default 3 min; longer than the slowest transaction.</param>
internal sealed record AnchoringOptions(int MinPatients, TimeSpan MinDelay, TimeSpan MaxDelay, int MaxBatch, TimeSpan Interval, TimeSpan Lease)
{
    public static AnchoringOptions Read(Configuration.ConfigurationReader reader)
    {
        var minDelay = reader.Duration("Anchoring:MinDelay", TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.FromDays(60));
        var maxDelay = reader.Duration("Anchoring:MaxDelay", minDelay > TimeSpan.FromDays(7) ? minDelay : TimeSpan.FromDays(7), TimeSpan.Zero, TimeSpan.FromDays(60));
        if (maxDelay < minDelay)
            reader.Fault("Anchoring:MaxDelay", maxDelay.ToString("c"), $"at least Anchoring:MinDelay ({minDelay:c})");
        return new AnchoringOptions(
            reader.Number("Anchoring:MinPatients", 5, 1, 100),
            minDelay,
            maxDelay < minDelay ? minDelay : maxDelay,
            reader.Number("Anchoring:MaxBatch", 50, 1, 100),
            reader.Duration("Anchoring:Interval", TimeSpan.FromSeconds(15), TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            reader.Duration("Anchoring:Lease", TimeSpan.FromMinutes(3), TimeSpan.FromSeconds(5), TimeSpan.FromHours(1)));
    }

    /// <summary>The random wait of one anchor.</summary>
    /// <param name="random">From 0 inclusive to 1 exclusive.</param>
    public TimeSpan Delay(double random) => MinDelay + (MaxDelay - MinDelay) * random;
}

/// <summary>What an anchor's answer means for its summary.</summary>
internal enum AnchorStep
{
    /// <summary>It is on the ledger.</summary>
    Anchored,

    /// <summary>Something is there under its id: read it before anything else.</summary>
    LookAtLedger,

    /// <summary>The doctor's record has changed: read it again and retry.</summary>
    DoctorStale,

    /// <summary>The signature no longer counts: another doctor has to sign.</summary>
    AnotherDoctor,

    /// <summary>The patient withdrew.</summary>
    Withdrawn,

    /// <summary>The consent is over.</summary>
    NoConsent,

    /// <summary>The patient erased it before it came to be.</summary>
    Erased,

    /// <summary>Passing trouble of the ledger: the same bytes again, later.</summary>
    Retry,

    /// <summary>The same bytes will be refused again: an operator has to look.</summary>
    Failed,
}

/// <summary>Pure decisions of the anchoring worker.</summary>
internal static class AnchorRules
{
    /// <summary>What one item's code from the contract asks for.</summary>
    public static AnchorStep Judge(string code) => code switch
    {
        "ANCHORED" => AnchorStep.Anchored,
        "ID_IN_USE" => AnchorStep.LookAtLedger,
        "ID_RETIRED" => AnchorStep.LookAtLedger,
        "DOCTOR_STALE" => AnchorStep.DoctorStale,
        "DOCTOR_UNKNOWN" or "DOCTOR_MISMATCH" or "DOCTOR_OF_OTHER_HOSPITAL" or "DOCTOR_PENDING" or "DOCTOR_REVOKED" or "DOCTOR_EXPIRED" => AnchorStep.AnotherDoctor,
        "CONSENT_WITHDRAWN" => AnchorStep.Withdrawn,
        "CONSENT_EXPIRED" => AnchorStep.NoConsent,
        // Not written, and the next attempt may be: these are about the moment or the company, not about the bytes.
        // What it was to replace ended first; the notice of that end is on its way, and sends the summary back to be read again.
        "SUPERSEDES_RETIRED" => AnchorStep.Retry,
        "CLOCK_SKEW" or "DUPLICATE_PATIENT" or "PERIOD_IN_FUTURE" or "NONE_ANCHORED" => AnchorStep.Retry,
        // The bridge's own standing: nothing is wrong with any summary.
        "NOT_INITIALISED" or "NOT_BRIDGE" or "NOT_MEMBER" or "UNKNOWN_HOSPITAL" or "BRIDGE_NOT_CREATOR" => AnchorStep.Retry,
        _ => AnchorStep.Failed,
    };

    /// <summary>What stands under a summary's id says about an anchor whose transaction's fate is not known.</summary>
    public static AnchorStep JudgeFound(SummaryState found) => found switch
    {
        SummaryState.Live => AnchorStep.Anchored,
        SummaryState.Withdrawn => AnchorStep.Withdrawn,
        SummaryState.Erased => AnchorStep.Erased,
        SummaryState.NotFound => AnchorStep.Retry,
        _ => AnchorStep.Failed,
    };

    /// <summary>
    /// Who leaves now: one summary per patient, none of a patient who is being anchored already (anchors are serial per patient), oldest first; all of
    /// them where there are enough patients, else those whose random wait is over. The order is shuffled: it would tell who signed first.
    /// </summary>
    public static IReadOnlyList<AnchorRow> Choose(
        IEnumerable<AnchorRow> queued, IReadOnlySet<string> busyPatients, DateTimeOffset now, AnchoringOptions options, Random random)
    {
        var firsts = new List<AnchorRow>();
        var patients = new HashSet<string>(busyPatients, StringComparer.Ordinal);
        foreach (var anchor in queued.OrderBy(anchor => anchor.AnchorId))
            if (patients.Add(anchor.Pseudonym))
                firsts.Add(anchor);
        var leaving = firsts.Count >= options.MinPatients
            ? firsts
            : firsts.Where(anchor => anchor.NotBefore <= now.ToUnixTimeMilliseconds()).ToList();
        var batch = leaving.Take(options.MaxBatch).ToArray();
        random.Shuffle(batch);
        return batch;
    }

    /// <summary>
    /// When to try again after passing trouble: 1 s doubling to 30 s, with up to a quarter of jitter. However long the ledger was gone, its return is noticed within
    /// a minute; a call every half minute harms nobody.
    /// </summary>
    public static TimeSpan Backoff(long attempts, double random)
    {
        var seconds = Math.Min(30, Math.Pow(2, Math.Min(attempts, 5)));
        return TimeSpan.FromSeconds(seconds * (1 + random / 4));
    }
}
