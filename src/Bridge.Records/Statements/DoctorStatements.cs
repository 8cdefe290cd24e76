using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.Records;

/// <summary>A registrar's word that a certificate belongs to a licensed doctor of the hospital (<c>bridge-doctor+jws</c>).</summary>
/// <param name="Hospital">MSP id of the registrar's hospital.</param>
/// <param name="Handle">The doctor record's random handle.</param>
/// <param name="Thumbprint">Digest of the doctor's certificate.</param>
/// <param name="Name">Real name, as in the certificate's CN.</param>
/// <param name="Licence">Licence number.</param>
/// <param name="Registry">Which register was checked.</param>
public sealed record DoctorStatement(string Hospital, Handle Handle, Digest Thumbprint, string Name, string Licence, string Registry) : IStatement<DoctorStatement>
{
    private static readonly string[] Members = ["v", "hospital", "handle", "thumbprint", "name", "licence", "registry"];

    /// <inheritdoc/>
    public static string Typ => "bridge-doctor+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => true;

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["hospital"] = Hospital,
        ["handle"] = Handle.ToString(),
        ["thumbprint"] = Thumbprint.ToString(),
        ["name"] = Name,
        ["licence"] = Licence,
        ["registry"] = Registry,
    };

    /// <inheritdoc/>
    public static DoctorStatement? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        DoctorStatement? statement = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            statement = new DoctorStatement(
                closed.Text(payload, "", "hospital", SummarySchema.IsMsp),
                closed.Handle(payload, "", "handle"),
                closed.Digest(payload, "", "thumbprint"),
                closed.Text(payload, "", "name", StatementSchema.IsName),
                closed.Text(payload, "", "licence", StatementSchema.IsShort),
                closed.Text(payload, "", "registry", StatementSchema.IsName));
        }
        return StatementSchema.End(closed, statement, out fault);
    }
}

/// <summary>Another hospital's registrar, or the attestor, confirms a doctor statement (<c>bridge-doctor-confirmation+jws</c>).</summary>
/// <param name="Hospital">MSP id of the doctor's hospital.</param>
/// <param name="Handle">The doctor record's handle.</param>
/// <param name="Thumbprint">Digest of the doctor's certificate.</param>
/// <param name="Statement">Digest of the compact statement's text.</param>
public sealed record DoctorConfirmation(string Hospital, Handle Handle, Digest Thumbprint, Digest Statement) : IStatement<DoctorConfirmation>
{
    private static readonly string[] Members = ["v", "hospital", "handle", "thumbprint", "statement"];

    /// <inheritdoc/>
    public static string Typ => "bridge-doctor-confirmation+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => true;

    /// <summary>The confirmation of a statement as it stands on the ledger. The caller has verified it.</summary>
    public static DoctorConfirmation Of(DoctorStatement statement, string compactStatement)
    {
        ArgumentNullException.ThrowIfNull(statement);
        return new(statement.Hospital, statement.Handle, statement.Thumbprint, Digest.Of(compactStatement));
    }

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["hospital"] = Hospital,
        ["handle"] = Handle.ToString(),
        ["thumbprint"] = Thumbprint.ToString(),
        ["statement"] = Statement.ToString(),
    };

    /// <inheritdoc/>
    public static DoctorConfirmation? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        DoctorConfirmation? confirmation = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            confirmation = new DoctorConfirmation(
                closed.Text(payload, "", "hospital", SummarySchema.IsMsp),
                closed.Handle(payload, "", "handle"),
                closed.Digest(payload, "", "thumbprint"),
                closed.Digest(payload, "", "statement"));
        }
        return StatementSchema.End(closed, confirmation, out fault);
    }
}

/// <summary>The hospital's registrar, the attestor or the doctor herself ends a doctor's standing for good (<c>bridge-doctor-revocation+jws</c>).</summary>
/// <param name="Hospital">MSP id of the doctor's hospital.</param>
/// <param name="Handle">The doctor record's handle.</param>
/// <param name="Thumbprint">Digest of the doctor's certificate.</param>
/// <param name="Reason">1 to 64 characters, e.g. <c>left</c>, <c>key-lost</c>.</param>
public sealed record DoctorRevocation(string Hospital, Handle Handle, Digest Thumbprint, string Reason) : IStatement<DoctorRevocation>
{
    private static readonly string[] Members = ["v", "hospital", "handle", "thumbprint", "reason"];

    /// <inheritdoc/>
    public static string Typ => "bridge-doctor-revocation+jws";

    /// <inheritdoc/>
    public static bool HasCertificate => true;

    /// <inheritdoc/>
    public JsonObject ToJson() => new()
    {
        ["v"] = 1,
        ["hospital"] = Hospital,
        ["handle"] = Handle.ToString(),
        ["thumbprint"] = Thumbprint.ToString(),
        ["reason"] = Reason,
    };

    /// <inheritdoc/>
    public static DoctorRevocation? Read(JsonElement payload, out string? fault)
    {
        var closed = new Closed();
        DoctorRevocation? revocation = null;
        if (closed.Object(payload, "", Members))
        {
            closed.Integer(payload, "", "v", 1, 1);
            revocation = new DoctorRevocation(
                closed.Text(payload, "", "hospital", SummarySchema.IsMsp),
                closed.Handle(payload, "", "handle"),
                closed.Digest(payload, "", "thumbprint"),
                closed.Text(payload, "", "reason", StatementSchema.IsShort));
        }
        return StatementSchema.End(closed, revocation, out fault);
    }
}
