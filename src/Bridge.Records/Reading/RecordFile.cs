using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>
/// A signed summary with all that a reader needs to judge it away from the ledger: what a patient downloads and hands on. Nothing in it is trusted for
/// being in it.
/// </summary>
public sealed record RecordFile
{
    /// <summary>Largest file read: 1 MiB.</summary>
    public const int MaxBytes = 1024 * 1024;

    private static readonly string[] Members = ["v", "summary", "hospital", "approvals", "own", "ownStatus", "doctor", "status"];
    private static readonly string[] DoctorMembers = ["statement", "confirmation", "revocation"];

    /// <summary>The signed summary's JSON.</summary>
    public required ReadOnlyMemory<byte> Summary { get; init; }

    /// <summary>The record of the hospital that vouches for it.</summary>
    public required HospitalRecord Hospital { get; init; }

    /// <summary>Compact approvals: of that record by the reader's own hospital; of the own record by its registrar, where its Fabric CA is newer than what the reader trusts.</summary>
    public IReadOnlyList<string> Approvals { get; init; } = [];

    /// <summary>The record of the reader's own hospital, where that is another one; null otherwise.</summary>
    public HospitalRecord? Own { get; init; }

    /// <summary>A compact status list of the reader's own hospital, any part of it: it says that <see cref="Own"/> is the record in force. Null where that is null.</summary>
    public string? OwnStatus { get; init; }

    /// <summary>The registrar's compact statement on the doctor.</summary>
    public required string Statement { get; init; }

    /// <summary>The compact confirmation of it; null while the doctor is pending.</summary>
    public string? Confirmation { get; init; }

    /// <summary>A compact revocation of the doctor; null where there is none.</summary>
    public string? Revocation { get; init; }

    /// <summary>The part of the hospital's compact status list that speaks of the doctor; null where none could be had.</summary>
    public string? Status { get; init; }

    /// <summary>The file's text: canonical JSON.</summary>
    public byte[] ToJson() => CanonicalJson.Serialize(new JsonObject
    {
        ["v"] = 1,
        ["summary"] = JsonNode.Parse(Summary.Span),
        ["hospital"] = Hospital.ToJson(),
        ["approvals"] = StatementSchema.Array(Approvals),
        ["own"] = Own?.ToJson(),
        ["ownStatus"] = OwnStatus,
        ["doctor"] = new JsonObject { ["statement"] = Statement, ["confirmation"] = Confirmation, ["revocation"] = Revocation },
        ["status"] = Status,
    });

    /// <summary>Reads a file of this form; otherwise null and the member at fault. Signatures are not looked at.</summary>
    public static RecordFile? Parse(ReadOnlyMemory<byte> json, out string? fault)
    {
        fault = "(document)";
        if (json.Length > MaxBytes || StrictJson.Parse(json, out var document) != JsonFault.None)
            return null;
        using (document)
        {
            var closed = new Closed();
            var root = document!.RootElement;
            RecordFile? file = null;
            if (closed.Object(root, "", Members) && closed.Object(root.GetProperty("doctor"), "doctor", DoctorMembers))
            {
                closed.Integer(root, "", "v", 1, 1);
                var doctor = root.GetProperty("doctor");
                var hospital = HospitalRecord.Read(root.GetProperty("hospital"), "hospital", closed);
                file = hospital is null ? null : new RecordFile
                {
                    Summary = Encoding.UTF8.GetBytes(root.GetProperty("summary").GetRawText()),
                    Hospital = hospital,
                    Approvals = closed.Texts(root, "", "approvals", 0, 64, _ => true),
                    Own = root.GetProperty("own").ValueKind == JsonValueKind.Null ? null : HospitalRecord.Read(root.GetProperty("own"), "own", closed),
                    OwnStatus = closed.TextOrNull(root, "", "ownStatus"),
                    Statement = closed.Text(doctor, "doctor", "statement"),
                    Confirmation = closed.TextOrNull(doctor, "doctor", "confirmation"),
                    Revocation = closed.TextOrNull(doctor, "doctor", "revocation"),
                    Status = closed.TextOrNull(root, "", "status"),
                };
            }
            return StatementSchema.End(closed, file, out fault);
        }
    }
}
