using Microsoft.Extensions.Logging;

namespace Bridge.Fhir.Client;

// event ids 1100–1149
internal static partial class ClientLog
{
    [LoggerMessage(1100, LogLevel.Warning, "FHIR {Method} {Path}: status {Status} (0 = no answer), attempt {Attempt}; next in {Delay}")]
    public static partial void Retrying(ILogger log, string method, string path, int status, int attempt, TimeSpan delay);

    [LoggerMessage(1101, LogLevel.Information, "FHIR access token obtained, good until {Until:O}; granted scope: {Scope}")]
    public static partial void TokenObtained(ILogger log, DateTimeOffset until, string scope);
}
