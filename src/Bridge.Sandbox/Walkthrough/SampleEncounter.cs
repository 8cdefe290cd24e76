using System.Globalization;
using System.Text.Json.Nodes;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>
/// One visit in the sample hospital's EHR. Every text that must never leave carries <see cref="Canary"/>: it is searched for afterwards.
/// </summary>
internal sealed class SampleEncounter(string tag)
{
    /// <summary>Stands in names, addresses, notes and displays of the source.</summary>
    public const string Canary = "Zanzibari-Quillfeather";

    private readonly DateTimeOffset end = DateTimeOffset.UtcNow.AddHours(-2);

    public string PatientId { get; } = $"pat-{tag}";

    public string EncounterId { get; } = $"enc-{tag}";

    public static JsonObject Practitioner() => new()
    {
        ["resourceType"] = "Practitioner",
        ["id"] = "prac-keller",
        ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:oid:2.16.756.5.30.1.123", ["value"] = SampleSystem.DoctorLicence }),
        ["name"] = new JsonArray(new JsonObject { ["family"] = "Keller", ["given"] = new JsonArray("Iris") }),
    };

    public JsonObject Patient() => new()
    {
        ["resourceType"] = "Patient",
        ["id"] = PatientId,
        ["name"] = new JsonArray(new JsonObject { ["family"] = Canary, ["given"] = new JsonArray(Canary) }),
        ["telecom"] = new JsonArray(new JsonObject { ["system"] = "phone", ["value"] = Canary }),
        ["address"] = new JsonArray(new JsonObject { ["line"] = new JsonArray($"1 {Canary} Lane"), ["city"] = Canary }),
        ["gender"] = "female",
        ["birthDate"] = "1968-03-14",
    };

    /// <summary>The diagnosis: type 2 diabetes mellitus.</summary>
    public JsonObject Condition() => new()
    {
        ["resourceType"] = "Condition",
        ["id"] = $"con-{EncounterId}",
        ["clinicalStatus"] = Coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        ["verificationStatus"] = Coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        ["category"] = new JsonArray(Coded("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis")),
        ["code"] = Coded("http://snomed.info/sct", "44054006", Canary),
        ["subject"] = Reference($"Patient/{PatientId}"),
        ["encounter"] = Reference($"Encounter/{EncounterId}"),
        ["note"] = new JsonArray(new JsonObject { ["text"] = $"Lives with {Canary}." }),
    };

    public JsonObject MedicationRequest() => new()
    {
        ["resourceType"] = "MedicationRequest",
        ["id"] = $"med-{EncounterId}",
        ["status"] = "active",
        ["intent"] = "order",
        ["medicationCodeableConcept"] = Coded("http://www.nlm.nih.gov/research/umls/rxnorm", "860975", Canary),
        ["subject"] = Reference($"Patient/{PatientId}"),
        ["encounter"] = Reference($"Encounter/{EncounterId}"),
    };

    /// <summary>The status goes from in-progress to finished.</summary>
    public JsonObject Encounter(string status) => new()
    {
        ["resourceType"] = "Encounter",
        ["id"] = EncounterId,
        ["status"] = status,
        ["class"] = new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/v3-ActCode", ["code"] = "AMB" },
        ["subject"] = Reference($"Patient/{PatientId}"),
        ["participant"] = new JsonArray(new JsonObject
        {
            ["type"] = new JsonArray(Coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND")),
            ["individual"] = Reference("Practitioner/prac-keller"),
        }),
        ["period"] = new JsonObject { ["start"] = Time(end.AddHours(-1)), ["end"] = Time(end) },
        ["reasonCode"] = new JsonArray(new JsonObject { ["text"] = Canary }),
    };

    private static JsonObject Coded(string system, string code, string? display = null)
    {
        var coding = new JsonObject { ["system"] = system, ["code"] = code };
        var concept = new JsonObject { ["coding"] = new JsonArray(coding) };
        if (display is not null)
        {
            coding["display"] = display;
            concept["text"] = display;
        }

        return concept;
    }

    private static JsonObject Reference(string target) => new() { ["reference"] = target };

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
