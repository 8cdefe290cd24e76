using System.Globalization;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Access;
using Bridge.Hospital.Store;
using Bridge.Records;

namespace Bridge.Hospital.Certificates;

/// <summary>Body of a request for a certificate.</summary>
/// <param name="Request">PKCS #10, standard base64 of the DER, signed with the key that it is about.</param>
internal sealed record KeyRequestBody(string? Request);

/// <summary>Somebody's wish to have a key certified.</summary>
internal sealed class KeyRequestRow
{
    public long RequestId { get; init; }
    public string Licence { get; init; } = "";
    public string Person { get; init; } = "";
    public string Display { get; init; } = "";
    public string KeyId { get; init; } = "";
    public string Request { get; init; } = "";
    public string State { get; init; } = "";
    public string? Reason { get; init; }
    public long AskedAt { get; init; }
}

/// <summary>
/// A doctor's keys over HTTP, under <c>/api/keys</c>: her browser asks for a certificate, the registrar takes the request to the machine where the CA and the registrar's key lie,
/// and hands certificate and statement in at <c>/api/doctors</c>. No private key comes here.
/// </summary>
internal static class KeyRequests
{
    private const int MaxOpen = 5;

    private const string Columns =
        "request_id AS RequestId, licence AS Licence, person AS Person, display AS Display, key_id AS KeyId, request AS Request, state AS State, reason AS Reason, asked_at AS AskedAt";

    public static void Map(WebApplication app)
    {
        var doctor = app.MapGroup("/api/keys").RequireAuthorization(Roles.Doctor);
        doctor.MapGet("", MineAsync);
        doctor.MapPost("/requests", AskAsync);
        doctor.MapPost("/requests/{keyId}/withdraw", WithdrawAsync);
        doctor.MapPost("/{thumbprint}/lost", LostAsync);
        doctor.MapPost("/revocations", RevokeAsync);
        var registrar = app.MapGroup("/api/keys").RequireAuthorization(Roles.Registrar);
        registrar.MapGet("/requests", OpenAsync);
        registrar.MapPost("/requests/{id:long}/decline", DeclineAsync);
    }

    private static async Task<IResult> MineAsync(ClaimsPrincipal user, Database database, HospitalOptions hospital, CertificatesOptions options, TimeProvider clock, CancellationToken cancellation)
    {
        var licence = user.Licence();
        var now = clock.GetUtcNow();
        var (doctors, requests) = await database.ReadAsync(async work => (
            await DoctorRows.OfLicenceAsync(work, hospital.Msp, licence),
            await work.ListAsync<KeyRequestRow>($"SELECT {Columns} FROM key_request WHERE licence = @licence ORDER BY request_id DESC LIMIT 50", new { licence })), cancellation);
        return Results.Ok(new
        {
            certificates = doctors.Select(doctor => new
            {
                doctor.Thumbprint,
                doctor.Handle,
                doctor.Name,
                doctor.Certificate,
                keyId = KeyIdOf(Convert.FromBase64String(doctor.Certificate)),
                standing = DoctorRules.Judge(doctor, hospital.Msp, licence, now).ToString(),
                notAfter = Time(doctor.NotAfter * 1000),
                expiring = DateTimeOffset.FromUnixTimeSeconds(doctor.NotAfter) - now <= options.WarnBefore,
                revokedBecause = DoctorPapers.RevokedBecause(doctor),
                lostAt = doctor.LostAt is { } lost ? Time(lost) : null,
            }),
            requests = requests.Select(request => new { request.KeyId, request.State, request.Reason, askedAt = Time(request.AskedAt) }),
        });
    }

    private static async Task<IResult> AskAsync(
        KeyRequestBody body, ClaimsPrincipal user, Database database, HospitalOptions hospital, TimeProvider clock, CancellationToken cancellation)
    {
        if (Read(body.Request) is not { } read)
            return Answer(StatusCodes.Status422UnprocessableEntity, "BAD_REQUEST", "request is no certificate request (PKCS #10) of a doctor for an ECDSA P-256 key, signed with that key.");
        // The registrar certifies the name that the request says, beside the licence of whoever signed in: they must be one person's.
        var display = user.FindFirstValue(AccessEndpoints.DisplayClaim) ?? user.Identity!.Name;
        if (read.Name != display)
            return Answer(StatusCodes.Status422UnprocessableEntity, "OTHER_NAME",
                $"request must ask for the name that you have here, {display}, and no other; if yours has to be another, medical affairs issue it under that (`bridge ca issue --name`).");
        var keyId = Base64Url.Encode(SHA256.HashData(read.PublicKey));
        var licence = user.Licence();
        var outcome = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            // A request that became a certificate waits for nobody: renewals do not use the number up.
            var certified = (await DoctorRows.OfLicenceAsync(work, hospital.Msp, licence)).Select(doctor => KeyIdOf(Convert.FromBase64String(doctor.Certificate)));
            var open = await work.ListAsync<string>("SELECT key_id FROM key_request WHERE licence = @licence AND state = 'Open'", new { licence });
            if (open.Except(certified, StringComparer.Ordinal).Count() >= MaxOpen)
                return "TOO_MANY";
            if (!await work.InsertIfNewAsync(
                "key_request (licence, person, display, key_id, request, state, asked_at) VALUES (@licence, @person, @display, @keyId, @request, 'Open', @now)",
                new
                {
                    licence,
                    person = user.Identity!.Name,
                    display,
                    keyId,
                    request = body.Request,
                    now = now.ToUnixTimeMilliseconds(),
                }))
                return "ALREADY_ASKED";
            await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "key.request", $"key/{keyId}", null, now);
            return "REQUESTED";
        }, cancellation);
        return Answer(outcome == "REQUESTED" ? StatusCodes.Status202Accepted : StatusCodes.Status409Conflict, outcome, null);
    }

    /// <summary>Takes a request back that is not wanted any more: the key was thrown away, or somebody else made it.</summary>
    private static async Task<IResult> WithdrawAsync(string keyId, ClaimsPrincipal user, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        var done = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await work.RunAsync(
                "UPDATE key_request SET state = 'Withdrawn', ended_at = @now WHERE key_id = @keyId AND licence = @licence AND state = 'Open'",
                new { keyId, licence = user.Licence(), now = now.ToUnixTimeMilliseconds() }) == 0)
                return false;
            await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "key.withdraw", $"key/{keyId}", null, now);
            return true;
        }, cancellation);
        return done ? Answer(StatusCodes.Status200OK, "WITHDRAWN", null) : Answer(StatusCodes.Status404NotFound, "NOT_FOUND", "You have no open request for this key.");
    }

    /// <summary>Stops a key here at once; ending it for good on the ledger is the registrar's, or the key's own, word.</summary>
    private static async Task<IResult> LostAsync(string thumbprint, ClaimsPrincipal user, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        var done = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await work.RunAsync(
                "UPDATE doctor SET lost_at = @now WHERE thumbprint = @thumbprint AND licence = @licence AND lost_at IS NULL",
                new { thumbprint, licence = user.Licence(), now = now.ToUnixTimeMilliseconds() }) == 0)
                return false;
            await AuditLog.AppendAsync(work, user.Actor(Roles.Doctor), "key.lost", $"doctor/{thumbprint}", null, now);
            return true;
        }, cancellation);
        return done ? Answer(StatusCodes.Status200OK, "REPORTED", null) : Answer(StatusCodes.Status404NotFound, "NOT_FOUND", "You have no certificate of this thumbprint that works.");
    }

    /// <summary>The doctor's own word that one of her keys has ended, signed with it.</summary>
    private static async Task<IResult> RevokeAsync(
        StatementRequest body, ClaimsPrincipal user, Database database, DoctorDirectory directory, CertificatesSignals signals, TimeProvider clock, CancellationToken cancellation)
    {
        if (CompactJws.Verify<Records.DoctorRevocation>(body.Statement ?? "").Value is not { } signed)
            return Answer(StatusCodes.Status422UnprocessableEntity, "BAD_REVOCATION", "statement is no revocation that verifies.");
        var revocation = signed.Statement;
        var mine = await database.ReadAsync(work => DoctorRows.ByThumbprintAsync(work, revocation.Thumbprint.ToString()), cancellation);
        if (mine is null || mine.Licence != user.Licence() || mine.Handle != revocation.Handle.ToString() || signed.Thumbprint != revocation.Thumbprint)
            return Answer(StatusCodes.Status422UnprocessableEntity, "BAD_REVOCATION", "the statement is not about a certificate of yours, signed with its own key.");
        await database.WriteAsync(work => work.RunAsync(
            "UPDATE doctor SET lost_at = COALESCE(lost_at, @now) WHERE thumbprint = @Thumbprint", new { mine.Thumbprint, now = clock.GetUtcNow().ToUnixTimeMilliseconds() }), cancellation);
        if (!await directory.HandInAsync(user.Actor(Roles.Doctor), DirectoryAct.Revoke, revocation.Hospital, revocation.Handle, null, body.Statement!, cancellation))
            return Answer(StatusCodes.Status409Conflict, "ALREADY_QUEUED", null);
        signals.Directory.Wake();
        return Answer(StatusCodes.Status202Accepted, "QUEUED", null);
    }

    /// <summary>What waits for the registrar: requests whose key no certificate in the directory has yet.</summary>
    private static async Task<IResult> OpenAsync(Database database, HospitalOptions hospital, CancellationToken cancellation)
    {
        var (requests, doctors) = await database.ReadAsync(async work => (
            await work.ListAsync<KeyRequestRow>($"SELECT {Columns} FROM key_request WHERE state = 'Open' ORDER BY request_id LIMIT 500"),
            await DoctorRows.AllAsync(work, hospital.Msp)), cancellation);
        var certified = doctors.Select(doctor => KeyIdOf(Convert.FromBase64String(doctor.Certificate))).ToHashSet(StringComparer.Ordinal);
        return Results.Ok(new
        {
            items = requests.Where(request => !certified.Contains(request.KeyId)).Select(request => new
            {
                id = request.RequestId,
                request.Licence,
                request.Person,
                request.Display,
                request.KeyId,
                pem = PemEncoding.WriteString("CERTIFICATE REQUEST", Convert.FromBase64String(request.Request)) + "\n",
                askedAt = Time(request.AskedAt),
            }),
            lost = doctors.Where(doctor => doctor is { LostAt: not null, Status: not "REVOKED" }).Select(doctor => new { doctor.Handle, doctor.Name, doctor.Licence, doctor.Thumbprint, lostAt = Time(doctor.LostAt!.Value) }),
        });
    }

    private static async Task<IResult> DeclineAsync(long id, Operations.ReasonRequest body, ClaimsPrincipal user, Database database, TimeProvider clock, CancellationToken cancellation)
    {
        if (body.Reason?.Trim() is not { Length: > 0 and <= 400 } reason)
            return Answer(StatusCodes.Status422UnprocessableEntity, "NO_REASON", "Say why, in 1 to 400 characters.");
        var done = await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            if (await work.RunAsync(
                "UPDATE key_request SET state = 'Declined', reason = @reason, ended_at = @now WHERE request_id = @id AND state = 'Open'",
                new { id, reason, now = now.ToUnixTimeMilliseconds() }) == 0)
                return false;
            await AuditLog.AppendAsync(work, user.Actor(Roles.Registrar), "key.decline", $"key-request/{id}", null, now);
            return true;
        }, cancellation);
        return done ? Answer(StatusCodes.Status200OK, "DECLINED", null) : Answer(StatusCodes.Status404NotFound, "NOT_FOUND", "No open request has this number.");
    }

    /// <summary>A doctor's request that its own key signed; null for anything else.</summary>
    private static PersonRequest? Read(string? request)
    {
        if (request is not { Length: > 0 and <= PersonRequest.MaxBytes * 4 / 3 })
            return null;
        var der = new byte[PersonRequest.MaxBytes];
        return Convert.TryFromBase64String(request, der, out var length) && PersonRequest.TryRead(der.AsSpan(0, length)) is { } read && read.MayBe(PersonRole.Doctor)
            ? read : null;
    }

    private static string KeyIdOf(byte[] certificate)
    {
        using var parsed = X509CertificateLoader.LoadCertificate(certificate);
        return Base64Url.Encode(SHA256.HashData(parsed.PublicKey.ExportSubjectPublicKeyInfo()));
    }

    private static IResult Answer(int status, string outcome, string? detail) => Results.Json(new { outcome, detail }, statusCode: status);

    private static string Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
}
