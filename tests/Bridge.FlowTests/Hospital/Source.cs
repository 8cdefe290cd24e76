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
            encounter["participant"] = Attending(practitioner);
        if (id is not null)
            encounter["id"] = id;
        encounter["id"] = await fixture.PutAsync(encounter);
        await fixture.PutAsync(Condition(patient, (string)encounter["id"]!, code));
        // Finished last, as hospitals do: the watch then sees everything at once.
        encounter["status"] = status;
        return await fixture.PutAsync(encounter);
    }

    /// <summary>Who treats, as an encounter's participants say it.</summary>
    public static JsonArray Attending(string practitioner) => new(new JsonObject
    {
        ["type"] = new JsonArray(new JsonObject
        {
            ["coding"] = new JsonArray(new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", ["code"] = "ATND" }),
        }),
        ["individual"] = new JsonObject { ["reference"] = $"Practitioner/{practitioner}" },
    });

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

    public static JsonObject Procedure(string patient, string encounter, string code) => new()
    {
        ["resourceType"] = "Procedure",
        ["status"] = "completed",
        ["code"] = Coded("http://snomed.info/sct", code),
        ["subject"] = new JsonObject { ["reference"] = $"Patient/{patient}" },
        ["encounter"] = new JsonObject { ["reference"] = $"Encounter/{encounter}" },
    };

    /// <summary>Changes an encounter as its EHR would.</summary>
    public static async Task ChangeAsync(this HospitalFixture fixture, string encounter, Action<JsonObject> change)
    {
        var resource = await fixture.GetAsync("Encounter", encounter);
        change(resource);
        await fixture.PutAsync(resource);
    }

    /// <summary>A new version that says the same.</summary>
    public static Task TouchAsync(this HospitalFixture fixture, string encounter) => fixture.ChangeAsync(encounter, _ => { });

    /// <summary>Another diagnosis in place of the encounter's first; the encounter itself is not touched.</summary>
    public static async Task ReplaceDiagnosisAsync(this HospitalFixture fixture, string encounter, string code)
    {
        var condition = (await fixture.SearchAsync($"Condition?encounter=Encounter/{encounter}"))[0];
        condition["code"] = Coded("http://snomed.info/sct", code);
        await fixture.PutAsync(condition);
    }

    /// <summary>The encounter and what belongs to it turn out to be another patient's.</summary>
    public static async Task MoveAsync(this HospitalFixture fixture, string encounter, string patient)
    {
        foreach (var condition in await fixture.SearchAsync($"Condition?encounter=Encounter/{encounter}"))
        {
            condition["subject"]!["reference"] = $"Patient/{patient}";
            await fixture.PutAsync(condition);
        }
        await fixture.ChangeAsync(encounter, resource => resource["subject"]!["reference"] = $"Patient/{patient}");
    }

    /// <summary>One record is merged into another, as R4 says it: both name the other, and no encounter is rewritten.</summary>
    public static async Task MergeAsync(this HospitalFixture fixture, string from, string into)
    {
        await fixture.LinkAsync(from, "replaced-by", into);
        await fixture.LinkAsync(into, "replaces", from);
    }

    /// <summary>The merge was a mistake.</summary>
    public static async Task PartAsync(this HospitalFixture fixture, params string[] patients)
    {
        foreach (var patient in patients)
        {
            var resource = await fixture.GetAsync("Patient", patient);
            resource.Remove("link");
            await fixture.PutAsync(resource);
        }
    }

    private static async Task LinkAsync(this HospitalFixture fixture, string patient, string type, string other)
    {
        var resource = await fixture.GetAsync("Patient", patient);
        resource["link"] = new JsonArray(new JsonObject { ["other"] = new JsonObject { ["reference"] = $"Patient/{other}" }, ["type"] = type });
        await fixture.PutAsync(resource);
    }

    private static JsonObject Coded(string system, string code) => new()
    {
        ["coding"] = new JsonArray(new JsonObject { ["system"] = system, ["code"] = code }),
    };

    private static string Text(DateTime at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
}
