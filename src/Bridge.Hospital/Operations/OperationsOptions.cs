using Bridge.Hospital.Configuration;

namespace Bridge.Hospital.Operations;

/// <summary>How the bridge is observed.</summary>
/// <param name="OtlpEndpoint"><c>Telemetry:OtlpEndpoint</c>: where traces and metrics go; null = nowhere.</param>
/// <param name="Workers"><c>Operations:Workers</c>: false = this instance serves the API only, others on the same database do the work. Default true.</param>
/// <param name="Reconcile"><c>Operations:Reconcile</c>: how often the states are added up against the FHIR server. Default 1 day.</param>
internal sealed record OperationsOptions(Uri? OtlpEndpoint, bool Workers, TimeSpan Reconcile)
{
    public static OperationsOptions Read(ConfigurationReader reader) => new(
        reader.SecureAddress("Telemetry:OtlpEndpoint", required: false, "an OTLP/gRPC collector such as https://otel.hospital.example:4317"),
        reader.Flag("Operations:Workers", true),
        reader.Duration("Operations:Reconcile", TimeSpan.FromDays(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)));
}
