using System.Globalization;
using System.Security.Claims;
using Bridge.Hospital.Access;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Records;
using Confirmation = Bridge.Records.DoctorConfirmation;
using Revocation = Bridge.Records.DoctorRevocation;

namespace Bridge.Hospital.Certificates;

/// <summary>Body of a proposal.</summary>
/// <param name="Certificate">The doctor's certificate, standard base64 of the DER.</param>
/// <param name="Statement">Compact JWS of this hospital's registrar, as <c>bridge registrar</c> writes it.</param>
internal sealed record ProposeRequest(string? Certificate, string? Statement);

/// <summary>Body of a confirmation or revocation.</summary>
internal sealed record StatementRequest(string? Statement);

/// <summary>Doctors' certificates over HTTP: the directory, the registrars' files, what expires.</summary>
internal static class CertificatesSlice
{
    public static void AddCertificates(this WebApplicationBuilder builder, CertificatesOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<CertificatesSignals>();
        builder.Services.AddSingleton<DoctorDirectory>();
        builder.Services.AddSingleton<StatusLists>();
        builder.Services.AddSingleton<CertificateList>();
        builder.Services.AddStage<DoctorDirectory>(
            "directory", _ => options.SyncInterval, provider => provider.GetRequiredService<CertificatesSignals>().Directory, (directory, token) => directory.RunAsync(token),
            tellsTheLedger: true);
        builder.Services.AddStage<StatusLists>("status-list", _ => options.SyncInterval, _ => null, (lists, token) => lists.RunAsync(token), tellsTheLedger: true);
    }

    public static void MapCertificates(this WebApplication app)
    {
        var group = app.MapGroup("/api/doctors");
        group.MapGet("", ListAsync).RequireAuthorization(policy => policy.RequireRole(Roles.Registrar, Roles.Operator));
        group.MapGet("/tasks", async (DoctorDirectory directory, CancellationToken cancellation) => Results.Ok(new { items = await directory.TasksAsync(cancellation) }))
            .RequireAuthorization(policy => policy.RequireRole(Roles.Registrar, Roles.Operator));
        group.MapPost("", ProposeAsync).RequireAuthorization(Roles.Registrar);
        group.MapPost("/confirmations", ConfirmAsync).RequireAuthorization(Roles.Registrar);
        group.MapPost("/revocations", RevokeAsync).RequireAuthorization(Roles.Registrar);
        DoctorPapers.Map(app);
        KeyRequests.Map(app);
        app.MapGet("/api/certificates", ListEndsAsync).RequireAuthorization(Roles.Operator);
    }

    private static async Task<IResult> ListAsync(Database database, HospitalOptions hospital, CertificatesOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        var doctors = await database.ReadAsync(work => DoctorRows.AllAsync(work, hospital.Msp), cancellation);
        return Results.Ok(new
        {
            items = doctors.Select(doctor => new
            {
                doctor.Handle,
                doctor.Thumbprint,
                doctor.Name,
                doctor.Licence,
                doctor.Status,
                standing = DoctorRules.Judge(doctor, hospital.Msp, null, clock.GetUtcNow()).ToString(),
                notAfter = DateTimeOffset.FromUnixTimeSeconds(doctor.NotAfter).UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
                expiring = doctor.Status == "ACTIVE" && DateTimeOffset.FromUnixTimeSeconds(doctor.NotAfter) - clock.GetUtcNow() <= options.WarnBefore,
                revokedBecause = DoctorPapers.RevokedBecause(doctor),
            }),
        });
    }

    // What can be told without the ledger is told at once; the rest is the contract's to judge.
    private static async Task<IResult> ProposeAsync(
        ProposeRequest body, ClaimsPrincipal user, DoctorDirectory directory, CertificatesSignals signals, HospitalOptions hospital, CancellationToken cancellation)
    {
        if (CompactJws.Verify<DoctorStatement>(body.Statement ?? "").Value?.Statement is not { } statement)
            return Bad("BAD_STATEMENT", "statement is no registrar's statement that verifies; make it with `bridge registrar`");
        if (statement.Hospital != hospital.Msp)
            return Bad("WRONG_HOSPITAL", "the statement is for another hospital");
        var der = new byte[(body.Certificate ?? "").Length];
        if (!Convert.TryFromBase64String(body.Certificate ?? "", der, out var length) || Digest.Of(der.AsSpan(0, length)) != statement.Thumbprint)
            return Bad("BAD_DOCTOR_CERTIFICATE", "certificate is not the one that the statement names (standard base64 of the DER is expected)");
        if (CertificateCheck.RoleIn(der.AsSpan(0, length)) != PersonRole.Doctor)
            return Bad("BAD_DOCTOR_CERTIFICATE", "certificate does not bear the mark of a doctor; have it issued with `bridge ca issue --kind doctor`");
        return await HandInAsync(DirectoryAct.Propose, statement.Hospital, statement.Handle, body.Certificate, body.Statement!, user, directory, signals, cancellation);
    }

    private static async Task<IResult> ConfirmAsync(
        StatementRequest body, ClaimsPrincipal user, DoctorDirectory directory, CertificatesSignals signals, CancellationToken cancellation) =>
        CompactJws.Verify<Confirmation>(body.Statement ?? "").Value?.Statement is { } confirmation
            ? await HandInAsync(DirectoryAct.Confirm, confirmation.Hospital, confirmation.Handle, null, body.Statement!, user, directory, signals, cancellation)
            : Bad("BAD_CONFIRMATION", "statement is no confirmation that verifies; make it with `bridge registrar`");

    private static async Task<IResult> RevokeAsync(
        StatementRequest body, ClaimsPrincipal user, DoctorDirectory directory, CertificatesSignals signals, CancellationToken cancellation) =>
        CompactJws.Verify<Revocation>(body.Statement ?? "").Value?.Statement is { } revocation
            ? await HandInAsync(DirectoryAct.Revoke, revocation.Hospital, revocation.Handle, null, body.Statement!, user, directory, signals, cancellation)
            : Bad("BAD_REVOCATION", "statement is no revocation that verifies; make it with `bridge registrar`");

    private static async Task<IResult> HandInAsync(
        DirectoryAct act, string ofHospital, Handle handle, string? certificate, string jws, ClaimsPrincipal user, DoctorDirectory directory, CertificatesSignals signals,
        CancellationToken cancellation)
    {
        if (!await directory.HandInAsync(user.Actor(Roles.Registrar), act, ofHospital, handle, certificate, jws, cancellation))
            return Results.Conflict(new { outcome = "ALREADY_QUEUED", detail = "The same act is on its way; see /api/doctors/tasks." });
        signals.Directory.Wake();
        return Results.Accepted("/api/doctors/tasks", new { outcome = "QUEUED", handle = handle.ToString() });
    }

    /// <summary>What ends when, the first first: <c>{items: [{kind, name, what, notAfter, state}], complete}</c>. Not complete = the ledger did not say yet what stands in the hospital's record.</summary>
    private static async Task<IResult> ListEndsAsync(CertificateList list, Database database, CancellationToken cancellation)
    {
        await list.RefreshAsync(cancellation);
        var lines = await database.ReadAsync(list.ReadAsync, cancellation);
        return Results.Ok(new
        {
            items = lines.Select(line => new { line.Kind, line.Name, line.What, notAfter = line.NotAfter.UtcDateTime.ToString("O", CultureInfo.InvariantCulture), line.State }),
            complete = list.IsComplete,
        });
    }

    private static IResult Bad(string outcome, string detail) => Results.UnprocessableEntity(new { outcome, detail });
}

/// <summary>What wakes the directory.</summary>
internal sealed class CertificatesSignals
{
    public Wakeable Directory { get; } = new();
}
