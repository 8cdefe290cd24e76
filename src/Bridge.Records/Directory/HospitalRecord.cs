using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>What a hospital's CA issues.</summary>
public enum CaUse
{
    /// <summary>Doctors, registrar, status key and the patient CA.</summary>
    People,

    /// <summary>The members of the hospital's Fabric organisation, its bridge among them.</summary>
    Bridge,
}

/// <summary>A hospital's CA certificate.</summary>
/// <param name="Use">What it issues.</param>
/// <param name="Certificate">DER.</param>
public sealed record HospitalCa(CaUse Use, byte[] Certificate);

/// <summary>A hospital as the consortium has registered it: public on the ledger, and in <c>consortium.json</c>.</summary>
public sealed record HospitalRecord
{
    private static readonly string[] Members =
        ["v", "msp", "name", "seq", "cas", "registrar", "statusKey", "patientCa", "bridges", "origins", "rpId"];

    private static readonly string[] CaMembers = ["use", "certificate"];

    /// <summary>Fabric MSP id.</summary>
    public required string Msp { get; init; }

    /// <summary>Name as people read it, 1 to 128 characters.</summary>
    public required string Name { get; init; }

    /// <summary>Number of the record, from 1.</summary>
    public required long Seq { get; init; }

    /// <summary>2 to 16, each use at least once.</summary>
    public required IReadOnlyList<HospitalCa> Cas { get; init; }

    /// <summary>The registrar's certificate, DER.</summary>
    public required byte[] Registrar { get; init; }

    /// <summary>The status key's certificate, DER.</summary>
    public required byte[] StatusKey { get; init; }

    /// <summary>The patient CA's certificate, DER.</summary>
    public required byte[] PatientCa { get; init; }

    /// <summary>Thumbprints of the hospital's bridges.</summary>
    public required IReadOnlyList<Digest> Bridges { get; init; }

    /// <summary>Origins of the hospital's signing pages.</summary>
    public required IReadOnlyList<string> Origins { get; init; }

    /// <summary>WebAuthn relying party; null where doctors may not sign by WebAuthn.</summary>
    public string? RpId { get; init; }

    /// <summary>The digests of the CA certificates, each list ascending.</summary>
    public CaDigests CaDigests => new(Digests(CaUse.Bridge), Digests(CaUse.People));

    /// <summary>Where doctors may sign by WebAuthn; null where they may not.</summary>
    public WebAuthnPolicy? WebAuthn => RpId is { } rpId ? new WebAuthnPolicy([.. Origins], rpId) : null;

    /// <summary>Digest of the canonical record, as approvals name it.</summary>
    public Digest RecordDigest => Digest.Of(ToCanonicalJson());

    /// <summary>Digest of the registrar's certificate.</summary>
    public Digest RegistrarThumbprint => Digest.Of(Registrar);

    /// <summary>CA certificates of one use, DER.</summary>
    public IEnumerable<byte[]> CasFor(CaUse use) => Cas.Where(ca => ca.Use == use).Select(ca => ca.Certificate);

    /// <summary>The payload with which hospital <paramref name="by"/>'s registrar approves this record.</summary>
    public HospitalApproval ApprovalBy(string by) => new(by, Msp, Name, CaDigests, RegistrarThumbprint, Seq, RecordDigest);

    /// <summary>The record as a JSON object.</summary>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["msp"] = Msp,
        ["name"] = Name,
        ["seq"] = Seq,
        ["cas"] = new JsonArray([.. Cas.Select(ca => (JsonNode)new JsonObject
        {
            ["use"] = ca.Use == CaUse.People ? "people" : "bridge",
            ["certificate"] = Convert.ToBase64String(ca.Certificate),
        })]),
        ["registrar"] = Convert.ToBase64String(Registrar),
        ["statusKey"] = Convert.ToBase64String(StatusKey),
        ["patientCa"] = Convert.ToBase64String(PatientCa),
        ["bridges"] = StatementSchema.Array(Bridges),
        ["origins"] = StatementSchema.Array(Origins),
        ["rpId"] = RpId,
    };

    /// <summary>The canonical bytes.</summary>
    public byte[] ToCanonicalJson() => CanonicalJson.Serialize(ToJson());

    /// <summary>Reads a record that keeps the schema (its certificates' issuers are <see cref="CertificateCheck.FaultsIn(HospitalRecord, DateTimeOffset)"/>'s question); otherwise null and the member at fault.</summary>
    public static HospitalRecord? Parse(ReadOnlyMemory<byte> json, out string? fault)
    {
        if (StrictJson.Parse(json, out var document) != JsonFault.None)
        {
            fault = "(document)";
            return null;
        }
        using (document)
            return Read(document!.RootElement, out fault);
    }

    /// <summary>As <see cref="Parse"/>, of a parsed element.</summary>
    public static HospitalRecord? Read(JsonElement element, out string? fault)
    {
        var closed = new Closed();
        var record = Read(element, "", closed);
        return StatementSchema.End(closed, record, out fault);
    }

    internal static HospitalRecord? Read(JsonElement element, string path, Closed closed)
    {
        if (!closed.Object(element, path, Members))
            return null;
        closed.Integer(element, path, "v", 1, 1);
        var record = new HospitalRecord
        {
            Msp = closed.Text(element, path, "msp", SummarySchema.IsMsp),
            Name = closed.Text(element, path, "name", StatementSchema.IsName),
            Seq = closed.Integer(element, path, "seq", 1, StatementSchema.MaxInteger),
            Cas = ReadCas(element, path, closed),
            Registrar = Certificate(element, path, "registrar", closed),
            StatusKey = Certificate(element, path, "statusKey", closed),
            PatientCa = Certificate(element, path, "patientCa", closed),
            Bridges = closed.List(element, path, "bridges", 1, 64, StatementSchema.ReadDigest, distinct: true),
            Origins = closed.Texts(element, path, "origins", 0, 16, IsOrigin),
            RpId = closed.TextOrNull(element, path, "rpId"),
        };
        if (record.RpId is { } rpId && (rpId.Length is < 1 or > 253 || !rpId.All(IsHostCharacter) || record.Origins.Count == 0))
            closed.Refuse(Closed.Join(path, "rpId"));
        return record;
    }

    internal static byte[] Certificate(JsonElement element, string path, string name, Closed closed)
    {
        var certificate = LeafCertificate.TryRead(closed.Text(element, path, name), LeafKey.P256);
        if (certificate is null)
            closed.Refuse(Closed.Join(path, name));
        return certificate?.Der.ToArray() ?? []; // a record's arrays are its own
    }

    private static List<HospitalCa> ReadCas(JsonElement element, string path, Closed closed)
    {
        var at = Closed.Join(path, "cas");
        var cas = new List<HospitalCa>();
        var array = element.GetProperty("cas");
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() is < 2 or > 16)
        {
            closed.Refuse(at);
            return cas;
        }
        foreach (var item in array.EnumerateArray())
        {
            var itemPath = $"{at}[{cas.Count}]";
            if (!closed.Object(item, itemPath, CaMembers))
                return cas;
            var use = closed.Text(item, itemPath, "use", text => text is "people" or "bridge") == "people" ? CaUse.People : CaUse.Bridge;
            cas.Add(new HospitalCa(use, Certificate(item, itemPath, "certificate", closed)));
        }
        if (!cas.Exists(ca => ca.Use == CaUse.People) || !cas.Exists(ca => ca.Use == CaUse.Bridge))
            closed.Refuse(at);
        return cas;
    }

    /// <summary><c>https://host[:port]</c>, or <c>http://localhost[:port]</c> for trying out; lower case, no path.</summary>
    private static bool IsOrigin(string text)
    {
        var isLocal = text.StartsWith("http://localhost", StringComparison.Ordinal);
        if (!isLocal && !text.StartsWith("https://", StringComparison.Ordinal))
            return false;
        var authority = text[(isLocal ? 7 : 8)..];
        var colon = authority.IndexOf(':', StringComparison.Ordinal);
        var host = colon < 0 ? authority : authority[..colon];
        var portIsGood = colon < 0 || (authority.Length - colon - 1 is >= 1 and <= 5 && SummarySchema.IsDigits(authority.AsSpan(colon + 1)));
        return portIsGood && host.Length is >= 1 and <= 253 && host.All(IsHostCharacter) && (!isLocal || host == "localhost");
    }

    private static bool IsHostCharacter(char c) => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '-';

    private List<Digest> Digests(CaUse use) => [.. CasFor(use).Select(c => Digest.Of(c)).Distinct().Order()];
}
