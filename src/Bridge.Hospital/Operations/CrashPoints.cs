using System.Globalization;

namespace Bridge.Hospital.Operations;

/// <summary>
/// The numbered points between durable steps at which a process may die. Tests name one (<c>BRIDGE_CRASH_AT=anchoring.3</c>, or <c>anchoring.3:2</c>
/// for the second pass) and the process kills itself there, as <c>kill -9</c> would; without it passing a point costs a comparison.
/// </summary>
internal sealed class CrashPoints
{
    private readonly string? _point;
    private readonly Action<string> _crash;
    private int _passesLeft;

    public CrashPoints()
        : this(Environment.GetEnvironmentVariable("BRIDGE_CRASH_AT"), static _ => Die())
    {
    }

    public CrashPoints(string? spec, Action<string> crash)
    {
        _crash = crash;
        if (string.IsNullOrEmpty(spec))
            return;
        var parts = spec.Split(':');
        _point = parts[0];
        _passesLeft = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 1;
    }

    public void Pass(string point)
    {
        if (_point is null || point != _point || Interlocked.Decrement(ref _passesLeft) != 0)
            return;
        _crash(point);
    }

    private static void Die()
    {
        System.Diagnostics.Process.GetCurrentProcess().Kill();
        // A kill takes a moment: nothing behind the point may happen.
        Thread.Sleep(Timeout.Infinite);
    }
}
