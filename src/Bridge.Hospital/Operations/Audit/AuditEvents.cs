using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>
/// Audit entries as FHIR R4 <c>AuditEvent</c> resources (http://hl7.org/fhir/R4/auditevent.html), for an audit repository. What people wrote freely (why they paused, ran again,
/// withdrew) stays behind: nobody can promise that no patient is named in it. Each resource carries its place in the chain, so that an export shows later what was changed in the log.
/// </summary>
internal static class AuditEvents
{
    /// <summary>Of the bridge's own names for acts, in <c>AuditEvent.subtype</c>.</summary>
    public const string ActionSystem = "urn:bridge:audit-action";

    /// <summary>Of the bridge's own row numbers and handles, in <c>AuditEvent.entity.what</c>.</summary>
    public const string SubjectSystem = "urn:bridge:audit-subject";

    private const string Dicom = "http://dicom.nema.org/resources/ontology/DCM";

    // What a detail is called decides whether it leaves: codes, numbers and handles only.
    private static readonly HashSet<string> Leaving = new(StringComparer.Ordinal)
    {
        "code", "status", "from", "to", "was", "decision", "thumbprint", "struck", "way", "licence", "tx", "summaries", "guardian", "insteadOf", "by", "changed", "ofHospital", "first", "last", "count",
        "format", "entries", "brokenAt", "difference", "outcome",
    };

    // A reason that the program gave is a code; the one of a pause is a person's words.
    private static readonly HashSet<string> CodedReasons = new(StringComparer.Ordinal) { "enrolment.withdrawn", "retraction.ask", "summary.retract", "summary.rerun" };

    /// <summary>The entry as a resource; its id is made from the entry's hash, so that the same entry is the same resource in every export.</summary>
    public static JsonObject Of(AuditEntry entry, HospitalOptions hospital)
    {
        var (type, sub, action) = Kind(entry.Action);
        using var detail = JsonDocument.Parse(entry.Detail);
        var subtypes = new JsonArray(Coding(ActionSystem, entry.Action, null));
        if (sub is { } dicom)
            subtypes.Insert(0, dicom);
        return new JsonObject
        {
            ["resourceType"] = "AuditEvent",
            ["id"] = Id(entry),
            ["type"] = type,
            ["subtype"] = subtypes,
            ["action"] = action,
            ["recorded"] = DateTimeOffset.FromUnixTimeMilliseconds(entry.At).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            ["outcome"] = entry.Action.EndsWith(".fail", StringComparison.Ordinal) || entry.Action.Contains(".bad-", StringComparison.Ordinal) ? "4" : "0",
            ["agent"] = new JsonArray(Agent(entry)),
            ["source"] = new JsonObject
            {
                ["site"] = hospital.Msp,
                ["observer"] = new JsonObject { ["identifier"] = new JsonObject { ["system"] = "urn:bridge:msp", ["value"] = hospital.Msp }, ["display"] = hospital.Name },
                ["type"] = new JsonArray(Coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server")),
            },
            ["entity"] = Entities(entry, detail.RootElement),
        };
    }

    /// <summary>A UUID (version 8, RFC 9562) of the first bits of the entry's hash.</summary>
    public static string Id(AuditEntry entry)
    {
        var bytes = Convert.FromHexString(entry.Hash.AsSpan(0, 32));
        bytes[6] = (byte)(bytes[6] & 0x0f | 0x80);
        bytes[8] = (byte)(bytes[8] & 0x3f | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }

    private static (JsonObject Type, JsonObject? Sub, string Action) Kind(string action)
    {
        var dot = action.IndexOf('.', StringComparison.Ordinal);
        var (subject, act) = dot < 0 ? (action, "") : (action[..dot], action[(dot + 1)..]);
        return (subject, act) switch
        {
            ("session", "open") => (Dcm("110114", "User Authentication"), Dcm("110122", "Login"), "E"),
            ("session", _) => (Dcm("110114", "User Authentication"), Dcm("110123", "Logout"), "E"),
            ("audit", "export") => (Dcm("110106", "Export"), null, "R"),
            ("audit", _) => (Dcm("110101", "Audit Log Used"), null, "R"),
            (_, "bad-mac" or "bad-consent") => (Dcm("110113", "Security Alert"), null, "E"),
            (_, "read" or "queue" or "look-up") => (Dcm("110110", "Patient Record"), null, "R"),
            ("enrolment", "open" or "issue" or "enrolled") => (Dcm("110110", "Patient Record"), null, "C"),
            ("enrolment", "withdraw" or "withdrawn" or "swept") or ("summary", "erased" or "retract") => (Dcm("110110", "Patient Record"), null, "D"),
            ("enrolment" or "summary" or "decision" or "retraction" or "patient" or "queue" or "signed", _) => (Dcm("110110", "Patient Record"), null, "U"),
            ("doctor" or "key" or "practitioner", _) => (Dcm("110137", "User Security Attributes Changed"), null, "U"),
            _ => (Dcm("110100", "Application Activity"), null, "E"),
        };
    }

    private static JsonObject Agent(AuditEntry entry)
    {
        var program = entry.Role == Actor.Bridge.Role;
        return new JsonObject
        {
            ["type"] = new JsonObject
            {
                ["coding"] = new JsonArray(program
                    ? Dcm("110150", "Application")
                    : Coding("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "humanuser", "human user")),
            },
            ["role"] = new JsonArray(new JsonObject { ["text"] = Text(entry.Role) }),
            ["who"] = new JsonObject { ["identifier"] = new JsonObject { ["system"] = "urn:bridge:person", ["value"] = Text(entry.Person) }, ["display"] = Text(entry.Person) },
            ["requestor"] = true,
        };
    }

    private static JsonArray Entities(AuditEntry entry, JsonElement detail)
    {
        var entities = new JsonArray();
        // What was on a page that somebody read.
        foreach (var (member, kind) in (ReadOnlySpan<(string, string)>)[("rows", "summary"), ("seen", "enrolment")])
            if (detail.ValueKind == JsonValueKind.Object && detail.TryGetProperty(member, out var rows) && rows.ValueKind == JsonValueKind.Array)
                foreach (var row in rows.EnumerateArray())
                    if (row.ValueKind == JsonValueKind.Number)
                        entities.Add(Entity($"{kind}/{row}"));
        var chain = new JsonArray(Detail("chain.seq", entry.Seq.ToString(CultureInfo.InvariantCulture)), Detail("chain.hash", entry.Hash));
        if (entry.Previous.Length > 0)
            chain.Add(Detail("chain.previous", entry.Previous));
        if (detail.ValueKind == JsonValueKind.Object)
            foreach (var member in detail.EnumerateObject())
                if ((Leaving.Contains(member.Name) || member.Name == "reason" && CodedReasons.Contains(entry.Action))
                    && member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False && member.Value.ToString() is { Length: > 0 } value)
                    chain.Add(Detail(member.Name, value));
        var subject = Entity(Text(entry.Subject));
        subject["detail"] = chain;
        entities.Insert(0, subject);
        return entities;
    }

    private static JsonObject Entity(string subject) => new()
    {
        ["what"] = new JsonObject { ["identifier"] = new JsonObject { ["system"] = SubjectSystem, ["value"] = subject } },
        ["type"] = Coding("http://terminology.hl7.org/CodeSystem/audit-entity-type", "2", "System Object"),
    };

    private static JsonObject Detail(string type, string value) => new() { ["type"] = type, ["valueString"] = value };

    private static JsonObject Dcm(string code, string display) => Coding(Dicom, code, display);

    private static JsonObject Coding(string system, string code, string? display)
    {
        var coding = new JsonObject { ["system"] = system, ["code"] = code };
        if (display is not null)
            coding["display"] = display;
        return coding;
    }

    // An R4 string is not empty.
    private static string Text(string text) => string.IsNullOrWhiteSpace(text) ? "unknown" : text;
}
