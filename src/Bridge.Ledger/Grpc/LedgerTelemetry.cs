using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Bridge.Ledger;

/// <summary>Names under which the client reports to OpenTelemetry: calls, their status and duration, never arguments or results.</summary>
public static class LedgerTelemetry
{
    /// <summary>Name of the activity source and of the meter.</summary>
    public const string Name = "Bridge.Ledger";

    internal static readonly ActivitySource Activities = new(Name);

    private static readonly Meter Meter = new(Name);

    internal static readonly UpDownCounter<int> InFlight =
        Meter.CreateUpDownCounter<int>("bridge.ledger.calls.active", "{call}", "Calls that wait for the gateway's answer");

    internal static readonly Histogram<double> Duration =
        Meter.CreateHistogram<double>("bridge.ledger.call.duration", "s", "Time from sending a call to its answer");
}
