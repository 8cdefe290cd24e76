using Bridge.Hospital.Operations;

namespace Bridge.Hospital.WriteBack;

/// <summary>What the bridge writes to the hospital's own FHIR server. Off unless configured.</summary>
internal static class WriteBackSlice
{
    public static void AddWriteBack(this WebApplicationBuilder builder, WriteBackOptions options)
    {
        var services = builder.Services;
        services.AddSingleton(options);
        services.AddSingleton<FhirWriter>();
        if (!options.Provenance)
            return;
        services.AddSingleton(WrittenType.Provenance);
        services.AddSingleton<ProvenanceWorker>();
        services.AddStage<ProvenanceWorker>("provenance", _ => options.Interval, _ => null, (worker, token) => worker.RunAsync(token));
    }
}
