using Bridge.Records;

namespace Bridge.Cli;

/// <summary>What the process returns. Scripts rely on these numbers: they are written down in the README and in <c>bridge --help</c>.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The person did not type yes.</summary>
    public const int NotConfirmed = 1;

    /// <summary>Wrong command line.</summary>
    public const int Usage = 2;

    /// <summary>A file is missing, unreadable, in the way, or does not hold what it must.</summary>
    public const int Input = 3;

    /// <summary>What was asked for is against the rules: a certificate, statement or record does not pass its checks.</summary>
    public const int Refused = 4;

    public const string Help =
        "Exit codes: 0 done · 1 not confirmed · 2 wrong command line · 3 a file is missing, in the way or not what it must be · 4 refused by a check; verify-record: "
        + "0 valid · 20 freshness unknown · 21 doctor revoked · 22 another patient's · 23 hospital not trusted · 24 signer not entitled · 25 forged";

    /// <summary>How <c>verify-record</c> answers.</summary>
    public static int Of(RecordOutcome outcome) => outcome switch
    {
        RecordOutcome.Valid => Done,
        RecordOutcome.FreshnessUnknown => 20,
        RecordOutcome.DoctorRevoked => 21,
        RecordOutcome.NotThisPatient => 22,
        RecordOutcome.UntrustedCa or RecordOutcome.UntrustedHospital or RecordOutcome.HospitalNotApproved => 23,
        RecordOutcome.BridgeNotOfHospital or RecordOutcome.DoctorNotOfHospital or RecordOutcome.DoctorNotVouched or RecordOutcome.DoctorNotConfirmed => 24,
        _ => 25,
    };
}

/// <summary>Ends a command with a message for people: what is wrong, which value, what to do.</summary>
internal sealed class CliFault(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
