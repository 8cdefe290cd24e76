namespace Bridge.Hospital.Shell;

/// <summary>What a command's exit code says. Scripts rely on these: they are only added to.</summary>
internal static class ExitCode
{
    /// <summary>Done; where the command looks for faults, it found none.</summary>
    public const int Done = 0;

    /// <summary>It found faults, or could not do what it was asked.</summary>
    public const int Found = 1;

    /// <summary>The configuration or the command line is at fault; nothing was done.</summary>
    public const int Usage = 2;

    /// <summary>Something that it needs did not answer: what it could not look at may be good or not.</summary>
    public const int Unfinished = 3;

    /// <summary><c>verify --source</c>: tables and ledger agree, and the EHR says something else than when it was read.</summary>
    public const int SourceMoved = 4;
}

/// <summary>The command line cannot be understood; the message says what to write.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>Something that the command needs is not there or does not answer; the message says what to do.</summary>
internal sealed class UnavailableException(string message) : Exception(message);
