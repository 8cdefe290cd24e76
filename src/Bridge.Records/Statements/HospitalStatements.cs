using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>The digests of a hospital's CA certificates: what a patient's enrolment code carries, and all that a reader need trust.</summary>
/// <param name="Bridge">CAs of the hospital's Fabric organisation, ascending.</param>
/// <param name="People">CAs of doctors, registrar, status key and patient CA, ascending.</param>
public sealed record CaDigests(IReadOnlyList<Digest> Bridge, IReadOnlyList<Digest> People)
{
    private static readonly string[] Members = ["bridge", "people"];

    /// <summary>{"bridge":[…],"people":[…]}, each sorted.</summary>
    public JsonObject ToJson() => new() { ["bridge"] = StatementSchema.Array(Bridge.Order()), ["people"] = StatementSchema.Array(People.Order()) };

    /// <summary>The canonical JSON text.</summary>
    public string ToCanonicalText() => CanonicalJson.SerializeToString(ToJson());

    /// <summary>Reads <see cref="ToCanonicalText"/>'s form; null where it is not exactly that.</summary>
    public static CaDigests? Parse(ReadOnlyMemory<byte> json)
    {
        if (StrictJson.Parse(json, out var document) != JsonFault.None)
            return null;
        using (document)
        {
            var closed = new Closed();
            var digests = Read(document!.RootElement, "", closed);
            return closed.Fault is null ? digests : null;
        }
    }

    /// <summary>Equal lists.</summary>
    public bool Equals(CaDigests? other) => other is not null && Bridge.Order().SequenceEqual(other.Bridge.Order()) && People.Order().SequenceEqual(other.People.Order());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Bridge.Count, People.Count, People.Count > 0 ? People.Min() : default);

    internal static CaDigests Read(JsonElement element, string path, Closed closed)
    {
        if (!closed.Object(element, path, Members))
            return new([], []);
        return new(Ascending(element, path, "bridge", closed), Ascending(element, path, "people", closed));
    }

    private static IReadOnlyList<Digest> Ascending(JsonElement element, string path, string name, Closed closed)
    {
        var list = closed.List(element, path, name, 1, 16, StatementSchema.ReadDigest, distinct: true);
        for (var i = 1; i < list.Count; i++)
            if (list[i - 1] > list[i])
                closed.Refuse($"{Closed.Join(path, name)}[{i}]");
        return list;
    }
}

/// <summary>A hospital's registrar approves another hospital's record, or its own in force (<c>bridge-approval+jws</c>).</summary>
/// <param name="By">MSP id of the approving hospital.</param>
/// <param name="Msp">MSP id of the approved one.</param>
/// <param name="Name">Its name.</param>
/// <param name="CaDigests">Its CA digests.</param>
/// <param name="Registrar">Digest of its registrar's certificate.</param>
/// <param name="Seq">The record's number.</param>
/// <param name="Record">Digest of the canonical record.</param>
public sealed record HospitalApproval(string By, string Msp, string Name, CaDigests CaDigests, Digest Registrar, long Seq, Digest Record) : IStatement<HospitalApproval>
{
    private static readonly string[] Members = ["v", "by", "msp", "name", "caDigests", "registrar", "seq", "record"];

    /// <inheritdoc/>
    public static string Typ => "bridge-approval+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => true;

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["by"] = By,
        ["msp"] = Msp,
        ["name"] = Name,
        ["caDigests"] = CaDigests.ToJson(),
        ["registrar"] = Registrar.ToString(),
        ["seq"] = Seq,
        ["record"] = Record.ToString(),
    };

    /// <inheritdoc/>
    public static HospitalApproval? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        HospitalApproval? approval = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            approval = new HospitalApproval(
                closed.Text(payload, "", "by", SummarySchema.IsMsp),
                closed.Text(payload, "", "msp", SummarySchema.IsMsp),
                closed.Text(payload, "", "name", StatementSchema.IsName),
                Records.CaDigests.Read(payload.GetProperty("caDigests"), "caDigests", closed),
                closed.Digest(payload, "", "registrar"),
                closed.Integer(payload, "", "seq", 1, StatementSchema.MaxInteger),
                closed.Digest(payload, "", "record"));
        }
        return StatementSchema.End(closed, approval, out fault);
    }
}

/// <summary>
/// A hospital's list of revoked certificates, or a part of it (<c>bridge-status+jws</c>), beside the record of the hospital that is in force. Past <see cref="NextUpdate"/> it says nothing of today.
/// Certificates that have expired stay on it: what they signed before is read by it for as long as there are readers.
/// </summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="Record">Digest of the hospital's canonical record in force.</param>
/// <param name="Seq">Number of the list; grows.</param>
/// <param name="ThisUpdate">When it was made; whole seconds.</param>
/// <param name="NextUpdate">When it ends: at most 24 hours later.</param>
/// <param name="Revoked">Digests of revoked certificates, all of this part.</param>
/// <param name="Part">Which part this is, from 0.</param>
/// <param name="Parts">How many there are, 1 to <see cref="MaxParts"/>.</param>
public sealed record StatusList(
    string Hospital, Digest Record, long Seq, DateTimeOffset ThisUpdate, DateTimeOffset NextUpdate, IReadOnlyList<Digest> Revoked, int Part = 0, int Parts = 1) : IStatement<StatusList>
{
    private static readonly string[] Members = ["v", "hospital", "record", "seq", "thisUpdate", "nextUpdate", "part", "parts", "revoked"];

    /// <summary>Most certificates in one part: with any certificate of the status key around it the signed text keeps its 64 KiB.</summary>
    public const int MaxRevoked = 768;

    /// <summary>Most parts.</summary>
    public const int MaxParts = 256;

    /// <summary>Longest time a list may serve: 24 hours.</summary>
    public static readonly TimeSpan MaxLife = TimeSpan.FromHours(24);

    /// <inheritdoc/>
    public static string Typ => "bridge-status+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => true;

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["hospital"] = Hospital,
        ["record"] = Record.ToString(),
        ["seq"] = Seq,
        ["thisUpdate"] = ThisUpdate.ToUnixTimeSeconds(),
        ["nextUpdate"] = NextUpdate.ToUnixTimeSeconds(),
        ["part"] = Part,
        ["parts"] = Parts,
        ["revoked"] = StatementSchema.Array(Revoked),
    };

    /// <summary>The part that speaks of a certificate.</summary>
    /// <param name="certificate">Digest of the certificate: digests are even, so their first two bytes part them.</param>
    /// <param name="parts">How many parts there are.</param>
    public static int PartOf(Digest certificate, int parts) => (BinaryPrimitives.ReadUInt16BigEndian(certificate.ToBytes()) * parts) >> 16;

    /// <summary>True where this part speaks of the certificate: of others it says nothing, neither good nor bad.</summary>
    public bool Covers(Digest certificate) => PartOf(certificate, Parts) == Part;

    /// <inheritdoc/>
    public static StatusList? Read(JsonElement payload, out string? fault)
    {
        const long LastSecond = 253402300799; // 9999-12-31
        var closed = new Closed();
        StatusList? list = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            var from = closed.Integer(payload, "", "thisUpdate", 0, LastSecond);
            var to = closed.Integer(payload, "", "nextUpdate", 0, LastSecond);
            if (to <= from || to - from > (long)MaxLife.TotalSeconds)
                closed.Refuse("nextUpdate");
            list = new StatusList(
                closed.Text(payload, "", "hospital", SummarySchema.IsMsp),
                closed.Digest(payload, "", "record"),
                closed.Integer(payload, "", "seq", 1, StatementSchema.MaxInteger),
                DateTimeOffset.FromUnixTimeSeconds(from),
                DateTimeOffset.FromUnixTimeSeconds(to),
                closed.List(payload, "", "revoked", 0, MaxRevoked, StatementSchema.ReadDigest),
                (int)closed.Integer(payload, "", "part", 0, MaxParts - 1),
                (int)closed.Integer(payload, "", "parts", 1, MaxParts));
            if (list.Part >= list.Parts)
                closed.Refuse("part");
            else if (!list.Revoked.All(list.Covers))
                closed.Refuse("revoked");
        }
        return StatementSchema.End(closed, list, out fault);
    }
}
