using Microsoft.Extensions.Logging;

namespace Bridge.DevLedger.Chaincode;

internal static partial class ChaincodeLog
{
    [LoggerMessage(7100, LogLevel.Warning, "The stream to the contract ended: {Reason}")]
    public static partial void StreamEnded(ILogger logger, string reason);

    [LoggerMessage(7101, LogLevel.Information, "Contract of {MspId} runs as process {ProcessId} at {Address}")]
    public static partial void Started(ILogger logger, string mspId, int processId, Uri address);

    [LoggerMessage(7102, LogLevel.Warning, "Contract of {MspId} has stopped (exit code {ExitCode}); it is started again when next called. Its output: {LogFile}")]
    public static partial void Stopped(ILogger logger, string mspId, int exitCode, string logFile);
}
