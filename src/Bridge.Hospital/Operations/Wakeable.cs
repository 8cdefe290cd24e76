namespace Bridge.Hospital.Operations;

/// <summary>Wakes a worker before its next tick. Waking often is one waking; waking before anyone waits is not lost.</summary>
internal sealed class Wakeable
{
    private Action? _wake;
    private int _asked;

    public void Wake()
    {
        if (Volatile.Read(ref _wake) is { } wake)
            wake();
        else
            Volatile.Write(ref _asked, 1);
    }

    public void Connect(Action wake)
    {
        Volatile.Write(ref _wake, wake);
        if (Interlocked.Exchange(ref _asked, 0) == 1)
            wake();
    }
}
