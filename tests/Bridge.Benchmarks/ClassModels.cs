using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bridge.Benchmarks;

/// <summary>
/// The usual way to read FHIR: a bundle deserialised into classes, here with only the members that a summary needs (a full model would be slower
/// still), by the serialiser's generated code.
/// </summary>
internal static partial class ClassModels
{
    public static long Read(byte[] bundle) => JsonSerializer.Deserialize(bundle, Models.Default.BundleModel)!.Entry!.Length;

    internal sealed record BundleModel(EntryModel[]? Entry);

    internal sealed record EntryModel(string? FullUrl, ResourceModel? Resource);

    internal sealed record ResourceModel
    {
        public string? ResourceType { get; init; }
        public string? Id { get; init; }
        public MetaModel? Meta { get; init; }
        public JsonElement? Status { get; init; }
        public JsonElement? Class { get; init; }
        public string? Intent { get; init; }
        public ReferenceModel? Subject { get; init; }
        public ReferenceModel? Encounter { get; init; }
        public PeriodModel? Period { get; init; }
        public JsonElement? Participant { get; init; }
        public JsonElement? Diagnosis { get; init; }
        public JsonElement? ReasonCode { get; init; }
        public JsonElement? Hospitalization { get; init; }
        public JsonElement? Code { get; init; }
        public JsonElement? VerificationStatus { get; init; }
        public ConceptModel? MedicationCodeableConcept { get; init; }
        public ReferenceModel? MedicationReference { get; init; }
        public string? Gender { get; init; }
        public string? BirthDate { get; init; }
        public JsonElement? Identifier { get; init; }
    }

    internal sealed record MetaModel(string? VersionId, string? LastUpdated);

    internal sealed record ReferenceModel(string? Reference, string? Display);

    internal sealed record PeriodModel(string? Start, string? End);

    internal sealed record ConceptModel(CodingModel[]? Coding, string? Text);

    internal sealed record CodingModel(string? System, string? Code, string? Display);

    [JsonSerializable(typeof(BundleModel))]
    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    internal sealed partial class Models : JsonSerializerContext;
}
