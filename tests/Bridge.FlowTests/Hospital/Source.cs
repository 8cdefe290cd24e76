using System.Text.Json.Nodes;

namespace Bridge.FlowTests.Hospital;

/// <summary>Writes what a hospital's EHR would: patients, doctors, encounters. Names and texts are canaries: they must turn up nowhere else.</summary>
internal static class Source
{
    public const string Canary = "Zyxwabel";

    // Diagnoses common enough for the sample count table, each one new to a patient.
    public static readonly string[] Codes =
    [
        "44054006", "38341003", "195662009", "10509002", "40055000", "55822004", "65363002", "43878008", "24079001", "44465007", "70704007",
        "90560007", "195967001", "201834006", "232353008", "82423001", "64859006", "36971009", "40275004", "75498004", "84757009", "53741008", "15777000",
    ];

    public static Task<string> PatientAsync(this HospitalFixture fixture) => fixture.PutAsync(new JsonObject
    {
        ["resourceType"] = "Patient",
        ["name"] = new JsonArray(new JsonObject { ["family"] = Canary, ["given"] = new JsonArray($"{Canary}a") }),
        ["gender"] = "female",
        ["birthDate"] = "1971-03-05",
        ["address"] = new JsonArray(new JsonObject { ["city"] = $"{Canary}ville" }),
    });

    public static Task<string> PractitionerAsync(this HospitalFixture fixture, string? licence) => fixture.PutAsync(new JsonObject
    {
        ["resourceType"] = "Practitioner",
        ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:register", ["value"] = licence ?? "unknown" }),
        ["name"] = new JsonArray(new JsonObject { ["family"] = "Keller" }),
    });

    /// <summary>A finished encounter with one diagnosis.</summary>
    public static async Task<string> EncounterAsync(
        this HospitalFixture fixture, string patient, string? practitioner, string code = "44054006", string status = "finished", string? id = null)
    {
        var ended = DateTime.UtcNow.AddDays(-40);
        var encounter = new JsonObject
        {
            ["resourceType"] = "Encounter",
            ["status"] = "in-progress",
            ["class"] = new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/v3-ActCode", ["code"] = "AMB" },
            ["subject"] = new JsonObject { ["reference"] = $"Patient/{patient}", ["display"] = Canary },
            ["period"] = new JsonObject { ["start"] = Text(ended.AddHours(-1)), ["end"] = Text(ended) },
        };
        if (practitioner is not null)
            encounter["participant"] = new JsonArray(new JsonObject
            {
                ["type"] = new JsonArray(new JsonObject
                {
                    ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", ["code"] = "ATND" }),
                }),
                ["individual"] = new JsonObject { ["reference"] = $"Practitioner/{practitioner}" },
            });
        if (id is not null)
            encounter["id"] = id;
        encounter["id"] = await fixture.PutAsync(encounter);
        await fixture.PutAsync(Condition(patient, (string)encounter["id"]!, code));
        // Finished last, as hospitals do: the watch then sees everything at once.
        encounter["status"] = status;
        return await fixture.PutAsync(encounter);
    }

    public static JsonObject Condition(string patient, string encounter, string code) => new()
    {
        ["resourceType"] = "Condition",
        ["clinicalStatus"] = Coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        ["verificationStatus"] = Coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        ["code"] = new JsonObject
        {
            ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://snomed.info/sct", ["code"] = code, ["display"] = $"{Canary} display" }),
            ["text"] = $"{Canary} text",
        },
        ["subject"] = new JsonObject { ["reference"] = $"Patient/{patient}" },
        ["encounter"] = new JsonObject { ["reference"] = $"Encounter/{encounter}" },
    };

    private static JsonObject Coded(string system, string code) => new()
    {
        ["coding"] = new JsonArray(new JsonObject { ["system"] = system, ["code"] = code }),
    };

    private static string Text(DateTime at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
}
