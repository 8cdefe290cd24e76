using System.Globalization;
using System.Text.Json.Nodes;

namespace Bridge.Hospital.WriteBack;

/// <summary>What is told of a summary.</summary>
internal enum ProvenanceEvent
{
    /// <summary>It stands on the ledger.</summary>
    Anchored,

    /// <summary>Hospital and doctor took it back.</summary>
    Retracted,

    /// <summary>The patient's consent ended.</summary>
    Withdrawn,

    /// <summary>The patient erased it.</summary>
    Erased,
}

/// <summary>A doctor as the FHIR server knows her: by the id of her Practitioner, else by her licence number.</summary>
internal sealed record ProvenanceDoctor(string? PractitionerKey, string Licence);

/// <summary>
/// The Provenance as R4 writes it. It tells that a summary of this encounter was signed, by whom, and that it stands on the ledger or does no more; nothing of what
/// the summary says, and no name, key or pseudonym of the patient: the encounter leads to her record for those who may read it.
/// </summary>
internal static class ProvenanceResource
{
    /// <summary>The tag by which a repeat is known; its code is drawn for each resource and says nothing.</summary>
    public const string TagSystem = "urn:bridge:write-back";

    private const string SummarySystem = "urn:bridge:summary";
    private const string HospitalSystem = "urn:bridge:msp";
    private const string ParticipantSystem = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    private const string OperationSystem = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";

    /// <summary>Of a summary that came to stand on the ledger.</summary>
    /// <param name="tag">Its code under <see cref="TagSystem"/>.</param>
    /// <param name="encounter">Logical id.</param>
    /// <param name="version">The version that was summarised, or what stands for one where the server gives none.</param>
    /// <param name="summary">Its id.</param>
    /// <param name="supersedes">Id of the one that it replaces, or null.</param>
    /// <param name="doctor">Who signed; null where that is not known any more.</param>
    /// <param name="msp">The hospital.</param>
    /// <param name="occurred">When it came to stand there.</param>
    /// <param name="recorded">When this is written down.</param>
    public static JsonObject Anchored(
        string tag, string encounter, string version, string summary, string? supersedes, ProvenanceDoctor? doctor, string msp, DateTimeOffset occurred, DateTimeOffset recorded)
    {
        var entities = new JsonArray(Entity("derivation", summary));
        if (supersedes is not null)
            entities.Add((JsonNode)Entity("revision", supersedes));
        return Resource(
            tag, [new JsonObject { ["reference"] = IsVersionId(version) ? $"Encounter/{encounter}/_history/{version}" : $"Encounter/{encounter}" }], supersedes is null ? "CREATE" : "UPDATE", null,
            doctor, msp, entities, occurred, recorded);
    }

    /// <summary>Of a summary that stands there no more: about what the first Provenance was about, and about that one.</summary>
    /// <param name="tag">Its code under <see cref="TagSystem"/>.</param>
    /// <param name="first">The first Provenance as the server has it now.</param>
    /// <param name="firstId">Its logical id.</param>
    /// <param name="end">What ended it.</param>
    /// <param name="summary">Its id.</param>
    /// <param name="doctor">Who signed the taking back; null where no doctor did.</param>
    /// <param name="msp">The hospital.</param>
    /// <param name="occurred">When it ended.</param>
    /// <param name="recorded">When this is written down.</param>
    public static JsonObject Ended(
        string tag, JsonObject first, string firstId, ProvenanceEvent end, string summary, ProvenanceDoctor? doctor, string msp, DateTimeOffset occurred, DateTimeOffset recorded)
    {
        var targets = new JsonArray([.. (first["target"] as JsonArray ?? []).Select(target => target?.DeepClone()), new JsonObject { ["reference"] = $"Provenance/{firstId}" }]);
        var reason = end switch
        {
            ProvenanceEvent.Retracted => "Taken back by the hospital",
            ProvenanceEvent.Erased => "Erased at the patient's wish",
            _ => "Consent ended",
        };
        return Resource(tag, targets, "NULLIFY", reason, doctor, msp, new JsonArray(Entity("removal", summary)), occurred, recorded);
    }

    private static JsonObject Resource(
        string tag, JsonArray targets, string activity, string? reason, ProvenanceDoctor? doctor, string msp, JsonArray entities, DateTimeOffset occurred, DateTimeOffset recorded)
    {
        var agents = new JsonArray();
        if (doctor is not null)
            agents.Add((JsonNode)Agent("attester", doctor.PractitionerKey is { } key
                ? new JsonObject { ["reference"] = $"Practitioner/{key}", ["type"] = "Practitioner" }
                : new JsonObject { ["type"] = "Practitioner", ["identifier"] = new JsonObject { ["value"] = doctor.Licence } }));
        agents.Add((JsonNode)Agent("assembler", new JsonObject
        {
            ["type"] = "Device",
            ["identifier"] = new JsonObject { ["system"] = HospitalSystem, ["value"] = msp },
            ["display"] = "Bridge",
        }));
        var resource = new JsonObject
        {
            ["resourceType"] = "Provenance",
            ["meta"] = new JsonObject { ["tag"] = new JsonArray(new JsonObject { ["system"] = TagSystem, ["code"] = tag }) },
            ["target"] = targets,
            ["occurredDateTime"] = Text(occurred),
            ["recorded"] = Text(recorded),
        };
        if (reason is not null)
            resource["reason"] = new JsonArray(new JsonObject { ["text"] = reason });
        resource["activity"] = new JsonObject { ["coding"] = new JsonArray(new JsonObject { ["system"] = OperationSystem, ["code"] = activity }) };
        resource["agent"] = agents;
        resource["entity"] = entities;
        return resource;
    }

    // What the watch tells versions by where the server gives none, a moment or a digest, names nothing on the server.
    private static bool IsVersionId(string version) =>
        version.Length is > 0 and <= 64 && version.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') && !(version.Length == 32 && version.All(char.IsAsciiHexDigitLower));

    private static JsonObject Agent(string type, JsonObject who) => new()
    {
        ["type"] = new JsonObject { ["coding"] = new JsonArray(new JsonObject { ["system"] = ParticipantSystem, ["code"] = type }) },
        ["who"] = who,
    };

    private static JsonObject Entity(string role, string summary) => new()
    {
        ["role"] = role,
        ["what"] = new JsonObject { ["identifier"] = new JsonObject { ["system"] = SummarySystem, ["value"] = summary } },
    };

    private static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
