using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>What a patient may consent to.</summary>
public static class Purposes
{
    /// <summary>Being found by patients with a similar illness. Required.</summary>
    public const string Peers = "peers";

    /// <summary>Releasing rare diagnoses too, which single a person out.</summary>
    public const string Rare = "rare";

    /// <summary>Prefix of the sensitive categories.</summary>
    public const string SensitivePrefix = "sensitive:";

    /// <summary>All of them, in the notice's order.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        Peers, Rare, "sensitive:mental-health", "sensitive:hiv", "sensitive:reproductive", "sensitive:addiction", "sensitive:abuse", "sensitive:genetics",
    ];
}

/// <summary>A patient's consent (<c>bridge-consent+jws</c>).</summary>
/// <param name="ConsentId">Random.</param>
/// <param name="Hospital">MSP id of the hospital that may release summaries.</param>
/// <param name="PatientKey">Digest of the patient's SubjectPublicKeyInfo.</param>
/// <param name="Purposes">From <see cref="Records.Purposes.All"/>, <c>peers</c> among them, none twice.</param>
/// <param name="Recipients">MSP ids, 1 to 16, the portal's among them.</param>
/// <param name="Notice">Digest of the notice's text that was shown.</param>
/// <param name="Language">BCP 47 tag of that text.</param>
/// <param name="Expires">Last day on which the consent holds.</param>
public sealed record Consent(
    Handle ConsentId, string Hospital, Digest PatientKey, IReadOnlyList<string> Purposes, IReadOnlyList<string> Recipients, Digest Notice, string Language, DateOnly Expires)
    : IStatement<Consent>
{
    private static readonly string[] Members = ["v", "consentId", "hospital", "patientKey", "purposes", "recipients", "notice", "language", "exp"];

    /// <inheritdoc/>
    public static string Typ => "bridge-consent+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => false;

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["consentId"] = ConsentId.ToString(),
        ["hospital"] = Hospital,
        ["patientKey"] = PatientKey.ToString(),
        ["purposes"] = StatementSchema.Array(Purposes),
        ["recipients"] = StatementSchema.Array(Recipients),
        ["notice"] = Notice.ToString(),
        ["language"] = Language,
        ["exp"] = Expires.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
    };

    /// <inheritdoc/>
    public static Consent? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        Consent? consent = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            var purposes = closed.Texts(payload, "", "purposes", 1, 8, Records.Purposes.All.Contains);
            if (!purposes.Contains(Records.Purposes.Peers))
                closed.Refuse("purposes");
            var expires = StatementSchema.Date(closed.Text(payload, "", "exp"));
            if (expires is null)
                closed.Refuse("exp");
            consent = new Consent(
                closed.Handle(payload, "", "consentId"),
                closed.Text(payload, "", "hospital", SummarySchema.IsMsp),
                closed.Digest(payload, "", "patientKey"),
                purposes,
                closed.Texts(payload, "", "recipients", 1, 16, SummarySchema.IsMsp),
                closed.Digest(payload, "", "notice"),
                closed.Text(payload, "", "language", StatementSchema.IsLanguage),
                expires ?? default);
        }
        return StatementSchema.End(closed, consent, out fault);
    }
}

/// <summary>A patient's withdrawal of consent (<c>bridge-withdrawal+jws</c>).</summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="ConsentId">The consent's id.</param>
public sealed record Withdrawal(string Hospital, Handle ConsentId) : IStatement<Withdrawal>
{
    private static readonly string[] Members = ["v", "hospital", "consentId"];

    /// <inheritdoc/>
    public static string Typ => "bridge-withdrawal+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => false;

    /// <inheritdoc/>
    public JsonObject ToJson() => new() { ["v"] = 1, ["hospital"] = Hospital, ["consentId"] = ConsentId.ToString() };

    /// <inheritdoc/>
    public static Withdrawal? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        Withdrawal? withdrawal = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            withdrawal = new Withdrawal(closed.Text(payload, "", "hospital", SummarySchema.IsMsp), closed.Handle(payload, "", "consentId"));
        }
        return StatementSchema.End(closed, withdrawal, out fault);
    }
}

/// <summary>A patient's order to erase one summary (<c>bridge-erasure+jws</c>).</summary>
/// <param name="Hospital">MSP id.</param>
/// <param name="Id">The summary.</param>
public sealed record Erasure(string Hospital, SummaryId Id) : IStatement<Erasure>
{
    private static readonly string[] Members = ["v", "hospital", "id"];

    /// <inheritdoc/>
    public static string Typ => "bridge-erasure+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => false;

    /// <inheritdoc/>
    public JsonObject ToJson() => new() { ["v"] = 1, ["hospital"] = Hospital, ["id"] = Id.ToString() };

    /// <inheritdoc/>
    public static Erasure? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        Erasure? erasure = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            if (!SummaryId.TryParse(closed.Text(payload, "", "id"), out var id))
                closed.Refuse("id");
            erasure = new Erasure(closed.Text(payload, "", "hospital", SummarySchema.IsMsp), id);
        }
        return StatementSchema.End(closed, erasure, out fault);
    }
}
