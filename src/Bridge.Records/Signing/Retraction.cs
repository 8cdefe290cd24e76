using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>Why a hospital takes a summary back.</summary>
public enum RetractionReason
{
    /// <summary>The encounter was entered in error.</summary>
    EnteredInError,

    /// <summary>It belongs to another patient.</summary>
    WrongPatient,

    /// <summary>Records were merged; it is issued again.</summary>
    Merged,
}

/// <summary>The payload that doctor and bridge both sign to take a summary back.</summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="Id">The summary.</param>
/// <param name="Reason">Why.</param>
public sealed record Retraction(string Hospital, SummaryId Id, RetractionReason Reason)
{
    private static readonly string[] Members = ["v", "hospital", "id", "reason"];
    private static readonly string[] Reasons = ["ENTERED_IN_ERROR", "WRONG_PATIENT", "MERGED"];

    /// <summary>The canonical bytes, which both signatures cover. <see cref="InvalidOperationException"/> where the hospital is no MSP id.</summary>
    public byte[] ToCanonicalJson()
    {
        if (!SummarySchema.IsMsp(Hospital))
            throw new InvalidOperationException($"'{Hospital}' is no MSP id");
        return CanonicalJson.Serialize(new JsonObject
        {
            ["v"] = 1,
            ["hospital"] = Hospital,
            ["id"] = Id.ToString(),
            ["reason"] = Reasons[(int)Reason],
        });
    }

    /// <summary>Reads a payload that keeps the schema; otherwise null and the member at fault.</summary>
    public static Retraction? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        Retraction? retraction = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            var hospital = closed.Text(payload, "", "hospital", SummarySchema.IsMsp);
            if (!SummaryId.TryParse(closed.Text(payload, "", "id"), out var id))
                closed.Refuse("id");
            var reason = Array.IndexOf(Reasons, closed.Text(payload, "", "reason"));
            if (reason < 0)
                closed.Refuse("reason");
            retraction = new Retraction(hospital, id, (RetractionReason)reason);
        }
        fault = closed.Fault;
        return fault is null ? retraction : null;
    }
}
