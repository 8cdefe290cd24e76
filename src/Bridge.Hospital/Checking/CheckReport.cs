using System.Collections.Concurrent;

namespace Bridge.Hospital.Checking;

/// <summary>How one thing fares.</summary>
internal enum CheckState
{
    Good,

    /// <summary>Works, but somebody should know.</summary>
    Warning,

    /// <summary>The bridge cannot work so, or will soon not.</summary>
    Fault,

    /// <summary>Could not be tried, because of another fault.</summary>
    NotTried,
}

/// <summary>One thing that was tried.</summary>
/// <param name="Area">Such as <c>ledger</c>.</param>
/// <param name="Name">What.</param>
/// <param name="State">How it fares.</param>
/// <param name="Says">What was seen, with the value.</param>
/// <param name="Cure">What to do; null where nothing is to be done.</param>
internal sealed record CheckLine(string Area, string Name, CheckState State, string Says, string? Cure);

/// <summary>Collects lines, in the order in which areas were begun; safe for use by many threads.</summary>
internal sealed class CheckReport
{
    private readonly ConcurrentQueue<CheckLine> _lines = new();

    public IReadOnlyList<CheckLine> Lines => [.. _lines];

    public bool HasFaults => _lines.Any(line => line.State is CheckState.Fault or CheckState.NotTried);

    public void Good(string area, string name, string says) => _lines.Enqueue(new CheckLine(area, name, CheckState.Good, says, null));

    public void Warn(string area, string name, string says, string cure) => _lines.Enqueue(new CheckLine(area, name, CheckState.Warning, says, cure));

    public void Fault(string area, string name, string says, string cure) => _lines.Enqueue(new CheckLine(area, name, CheckState.Fault, says, cure));

    public void NotTried(string area, string name, string why) => _lines.Enqueue(new CheckLine(area, name, CheckState.NotTried, why, "Cure the other faults first, then check again"));

    /// <summary>Adds a line by what is so.</summary>
    public void Judge(string area, string name, bool good, string says, string cure)
    {
        if (good)
            Good(area, name, says);
        else
            Fault(area, name, says, cure);
    }

    /// <summary>
    /// Runs one part. Whatever it throws is a line of the report and keeps no other part from being tried. True where it ran to its end, whatever it found.
    /// </summary>
    public async Task<bool> TryAsync(string area, string name, string cure, Func<Task> part)
    {
        try
        {
            await part();
            return true;
        }
        catch (Ledger.LedgerRefusalException e)
        {
            Fault(area, name, $"refused: {e.CodeText}", cure);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fault(area, name, Operations.Faults.Describe(e), cure);
        }
        return false;
    }
}
