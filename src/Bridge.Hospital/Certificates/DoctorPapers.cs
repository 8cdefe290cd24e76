using System.Security.Cryptography;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>
/// What people away from this server need to speak about one doctor: the registrar's statement and the certificate (for the second confirmation, and for a
/// revocation), and this hospital's record. Nothing in them is secret; they leave as files, and what was signed about them comes back to <c>/api/doctors</c>.
/// </summary>
internal static class DoctorPapers
{
    public static void Map(WebApplication app) => app.MapGet("/api/doctors/{handle}/papers", ReadAsync).RequireAuthorization(Roles.Registrar);

    private static async Task<IResult> ReadAsync(string handle, Database database, HospitalOptions hospital, SummaryLedger ledger, CancellationToken cancellation)
    {
        var doctor = await database.ReadAsync(work => DoctorRows.ByHandleAsync(work, handle), cancellation);
        if (doctor is null || doctor.Hospital != hospital.Msp)
            return Results.NotFound(new { outcome = "NOT_FOUND", detail = "No doctor of this hospital has this handle." });
        string record;
        try
        {
            record = (await ledger.ReadHospitalAsync(hospital.Msp, cancellation)).Record;
        }
        catch (Exception e) when (e is GatewayException or LedgerRefusalException)
        {
            return Results.Json(
                new { outcome = "LEDGER_UNREACHABLE", detail = $"The ledger did not give the hospital's record: {(e is LedgerRefusalException refusal ? refusal.CodeText : Faults.Describe(e))}. Try again shortly." },
                statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        return Results.Ok(new
        {
            outcome = "PAPERS",
            statement = Member(doctor, "statement"),
            certificate = PemEncoding.WriteString("CERTIFICATE", Convert.FromBase64String(doctor.Certificate)) + "\n",
            record,
        });
    }

    // Of what befell a key, and not its doctor.
    private static readonly string[] AboutKeys = ["key-lost", "ended-by-doctor"];

    /// <summary>How many of a doctor's certificates were revoked for another reason than that she lost or ended a key: that she left, above all.</summary>
    public static async Task<int> DismissalsAsync(Work work, string hospital, string licence) =>
        (await DoctorRows.OfLicenceAsync(work, hospital, licence)).Count(doctor => doctor.Status == "REVOKED" && !AboutKeys.Contains(RevokedBecause(doctor)));

    /// <summary>Why a doctor was revoked, in the words of whoever revoked her; null where she was not.</summary>
    public static string? RevokedBecause(DoctorRow doctor) =>
        doctor.Status == "REVOKED" && Member(doctor, "revocation") is { } revocation ? CompactJws.Verify<Records.DoctorRevocation>(revocation).Value?.Statement.Reason : null;

    private static string? Member(DoctorRow doctor, string name)
    {
        using var stored = JsonDocument.Parse(doctor.Stored);
        return stored.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }
}
