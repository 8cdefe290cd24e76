using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>The body that may confirm doctors beside other hospitals' registrars, such as a licensing authority.</summary>
/// <param name="Name">Name as people read it.</param>
/// <param name="Certificate">DER; taken as it stands.</param>
public sealed record Attestor(string Name, byte[] Certificate);

/// <summary>The consortium's founding document, <c>consortium.json</c>, which each organisation checks against its own copy.</summary>
/// <param name="Portal">MSP id of the portal.</param>
/// <param name="Attestor">Who confirms doctors beside hospitals.</param>
/// <param name="Hospitals">Founding hospitals, 1 to 64, each with seq 1, none twice.</param>
public sealed record Consortium(string Portal, Attestor Attestor, IReadOnlyList<HospitalRecord> Hospitals)
{
    /// <summary>Most hospitals of a consortium.</summary>
    public const int MaxHospitals = 64;

    private static readonly string[] Members = ["v", "portal", "attestor", "hospitals"];
    private static readonly string[] AttestorMembers = ["name", "certificate"];

    /// <summary>The document as a JSON object.</summary>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["portal"] = Portal,
        ["attestor"] = new JsonObject { ["name"] = Attestor.Name, ["certificate"] = Convert.ToBase64String(Attestor.Certificate) },
        ["hospitals"] = new JsonArray([.. Hospitals.Select(h => (JsonNode)h.ToJson())]),
    };

    /// <summary>The canonical bytes.</summary>
    public byte[] ToCanonicalJson() => CanonicalJson.Serialize(ToJson());

    /// <summary>Reads a document that keeps the schema; otherwise null and the member at fault.</summary>
    public static Consortium? Parse(ReadOnlyMemory<byte> json, out string? fault)
    {
        if (StrictJson.Parse(json, out var document) != JsonFault.None)
        {
            fault = "(document)";
            return null;
        }
        using (document)
        {
            var closed = new Closed();
            var root = document!.RootElement;
            Consortium? consortium = null;
            if (closed.Object(root, "", Members) && closed.Object(root.GetProperty("attestor"), "attestor", AttestorMembers))
            {
                closed.Integer(root, "", "v", 1, 1);
                var portal = closed.Text(root, "", "portal", SummarySchema.IsMsp);
                var attestor = root.GetProperty("attestor");
                consortium = new Consortium(
                    portal,
                    new Attestor(closed.Text(attestor, "attestor", "name", StatementSchema.IsName), HospitalRecord.Certificate(attestor, "attestor", "certificate", closed)),
                    ReadHospitals(root, portal, closed));
            }
            return StatementSchema.End(closed, consortium, out fault);
        }
    }

    private static List<HospitalRecord> ReadHospitals(System.Text.Json.JsonElement root, string portal, Closed closed)
    {
        var hospitals = new List<HospitalRecord>();
        var array = root.GetProperty("hospitals");
        if (array.ValueKind != System.Text.Json.JsonValueKind.Array || array.GetArrayLength() is < 1 or > MaxHospitals)
        {
            closed.Refuse("hospitals");
            return hospitals;
        }
        foreach (var item in array.EnumerateArray())
        {
            var path = $"hospitals[{hospitals.Count}]";
            if (HospitalRecord.Read(item, path, closed) is not { } record)
                return hospitals;
            if (record.Seq != 1)
                closed.Refuse($"{path}.seq");
            if (record.Msp == portal || hospitals.Exists(h => h.Msp == record.Msp))
                closed.Refuse($"{path}.msp");
            hospitals.Add(record);
        }
        return hospitals;
    }
}
