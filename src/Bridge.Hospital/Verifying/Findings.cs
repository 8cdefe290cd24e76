using System.Collections.Concurrent;

namespace Bridge.Hospital.Verifying;

/// <summary>Something that does not agree. Subjects are row numbers and handles, values are codes and digests: nothing tells a patient.</summary>
/// <param name="Check">Which comparison found it, such as <c>receipt.signed</c>.</param>
/// <param name="Subject">What it is about, such as <c>summary/12</c>.</param>
/// <param name="What">What is wrong, with the value.</param>
/// <param name="Cure">What to do.</param>
internal sealed record Finding(string Check, string Subject, string What, string Cure)
{
    public override string ToString() => $"{Check}  {Subject}: {What}. {Cure}.";
}

/// <summary>What was looked at and what was found; safe for use by many threads.</summary>
internal sealed class Findings
{
    private readonly ConcurrentQueue<Finding> _found = new();
    private readonly ConcurrentQueue<Finding> _differs = new();
    private readonly ConcurrentQueue<string> _unread = new();
    private readonly ConcurrentDictionary<string, long> _checked = new(StringComparer.Ordinal);

    public IReadOnlyList<Finding> All => Ordered(_found);

    /// <summary>What the source says otherwise than when it was read: no fault of tables or ledger.</summary>
    public IReadOnlyList<Finding> Source => Ordered(_differs);

    /// <summary>What could not be looked at, and why.</summary>
    public IReadOnlyList<string> Unread => [.. _unread];

    /// <summary>How many of each thing were looked at.</summary>
    public IReadOnlyDictionary<string, long> Checked => _checked;

    public void Add(string check, string subject, string what, string cure) => _found.Enqueue(new Finding(check, subject, what, cure));

    public void AddRange(IEnumerable<Finding> findings)
    {
        foreach (var finding in findings)
            _found.Enqueue(finding);
    }

    public void Differs(Finding difference) => _differs.Enqueue(difference);

    public void CouldNotRead(string what) => _unread.Enqueue(what);

    public void Looked(string what, long count = 1) => _checked.AddOrUpdate(what, count, (_, before) => before + count);

    private static IReadOnlyList<Finding> Ordered(IEnumerable<Finding> findings) =>
        [.. findings.OrderBy(finding => finding.Check, StringComparer.Ordinal).ThenBy(finding => finding.Subject, StringComparer.Ordinal)];
}
