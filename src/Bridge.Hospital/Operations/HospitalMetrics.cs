using System.Diagnostics.Metrics;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>The meter <c>Bridge.Hospital</c>. Tags are stages, statuses and codes; never anything of a patient.</summary>
internal sealed class HospitalMetrics : IDisposable
{
    public const string MeterName = "Bridge.Hospital";

    private readonly Meter _meter;
    private readonly Counter<long> _encounters;
    private readonly Counter<long> _setAside;
    private readonly Counter<long> _notifications;
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _anchored;
    private readonly Counter<long> _decisions;
    private readonly Counter<long> _stageFailures;
    private readonly Histogram<double> _anchorLatency;
    private readonly Histogram<double> _stageSeconds;
    private IReadOnlyList<StatusCount> _counts = [];
    private double _queueAge;
    private double _cursorLag;

    public HospitalMetrics(Instance instance)
    {
        // The exporter takes meters of one name and tags for one, and stops exporting all of them when the first is disposed: several in one process are told apart.
        _meter = new(new MeterOptions(MeterName) { Tags = [new("bridge.instance", instance.Name)] });
        _encounters = _meter.CreateCounter<long>("bridge.encounters", "{encounter}", "Encounters read, by where they stand then");
        _setAside = _meter.CreateCounter<long>("bridge.encounters.unreadable", "{encounter}", "Encounters that name no readable patient");
        _notifications = _meter.CreateCounter<long>("bridge.notifications", "{notification}", "Notifications of the FHIR server, by what became of them");
        _refusals = _meter.CreateCounter<long>("bridge.ledger.refusals", "{refusal}", "Refusals of the contract, by code");
        _anchored = _meter.CreateCounter<long>("bridge.anchored", "{summary}", "Summaries anchored");
        _decisions = _meter.CreateCounter<long>("bridge.decisions", "{decision}", "Decisions of doctors and operators, by outcome");
        _stageFailures = _meter.CreateCounter<long>("bridge.stage.failures", "{run}", "Stage runs that failed");
        _anchorLatency = _meter.CreateHistogram<double>("bridge.anchor.latency", "s", "From hand-over to the ledger to the receipt");
        _stageSeconds = _meter.CreateHistogram<double>("bridge.stage.duration", "s", "Stage runs");
        _meter.CreateObservableGauge("bridge.summaries", () => _counts.Select(count => new Measurement<long>(
            count.Count, new("status", count.Status), new("reason", count.Reason ?? ""))), "{encounter}", "Encounters by status");
        _meter.CreateObservableGauge("bridge.queue.age", () => Volatile.Read(ref _queueAge), "s", "Age of the oldest summary that awaits a doctor");
        _meter.CreateObservableGauge("bridge.cursor.lag", () => Volatile.Read(ref _cursorLag), "s", "How far the watch cursor lies behind now");
    }

    public void Encounter(string status) => _encounters.Add(1, new KeyValuePair<string, object?>("status", status));

    public void Unreadable(string reason) => _setAside.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Notified(string outcome) => _notifications.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void Refused(string code) => _refusals.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Anchored(TimeSpan latency)
    {
        _anchored.Add(1);
        _anchorLatency.Record(latency.TotalSeconds);
    }

    public void Decided(string outcome) => _decisions.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void StageFailed(string stage) => _stageFailures.Add(1, new KeyValuePair<string, object?>("stage", stage));

    public void StageRan(string stage, TimeSpan duration) => _stageSeconds.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("stage", stage));

    public void Show(IReadOnlyList<StatusCount> counts, TimeSpan queueAge, TimeSpan cursorLag)
    {
        _counts = counts;
        Volatile.Write(ref _queueAge, queueAge.TotalSeconds);
        Volatile.Write(ref _cursorLag, cursorLag.TotalSeconds);
    }

    public void Dispose() => _meter.Dispose();
}
