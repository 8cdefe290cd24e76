using Microsoft.Extensions.Logging;

namespace Bridge.Fhir.Watching;

// event ids 1150–1199
internal static partial class WatchLog
{
    [LoggerMessage(1150, LogLevel.Information, "A page link expired; the walk starts again from its cursor ({Restarts})")]
    public static partial void Restarted(ILogger log, int restarts);

    [LoggerMessage(1151, LogLevel.Warning, "The FHIR server ignores _sort=_lastUpdated: each walk is read to its end before anything is handed out")]
    public static partial void SortIgnored(ILogger log);
}
