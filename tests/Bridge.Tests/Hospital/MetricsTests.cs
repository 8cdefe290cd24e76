using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>What a collector of metrics is sent.</summary>
public class MetricsTests
{
    [Fact]
    public void Anchored_AnotherInstanceOfTheProcessHasEnded_IsStillExported()
    {
        var exported = new List<string>();
        var ended = new HospitalMetrics(new Instance());
        using var metrics = new HospitalMetrics(new Instance());
        using var exporter = new NamesExporter(exported);
        using var reader = new BaseExportingMetricReader(exporter);
        using var provider = Sdk.CreateMeterProviderBuilder().AddMeter(HospitalMetrics.MeterName).AddReader(reader).Build();
        ended.Anchored(TimeSpan.FromSeconds(1));
        ended.Dispose();
        provider.ForceFlush();
        exported.Clear();

        metrics.Anchored(TimeSpan.FromSeconds(1));
        provider.ForceFlush();

        Assert.Contains("bridge.anchored", exported);
    }

    private sealed class NamesExporter(List<string> names) : BaseExporter<Metric>
    {
        public override ExportResult Export(in Batch<Metric> batch)
        {
            foreach (var metric in batch)
                names.Add(metric.Name);
            return ExportResult.Success;
        }
    }
}
