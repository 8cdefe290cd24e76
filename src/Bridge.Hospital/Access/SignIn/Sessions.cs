using System.Data.Common;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;
using Bridge.Records;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Bridge.Hospital.Access;

/// <summary>Who signed in, as far as the console needs to know.</summary>
/// <param name="Person">As the audit log names them.</param>
/// <param name="Display">For their own eyes.</param>
/// <param name="Roles">At least one.</param>
/// <param name="Licence">A doctor's licence number.</param>
/// <param name="Way">oidc, smart or sample.</param>
/// <param name="IdToken">By which the authorisation server knows its session again.</param>
internal sealed record SignedIn(string Person, string Display, IReadOnlyList<string> Roles, string? Licence, string Way, string? IdToken = null);

/// <summary>What a closed session leaves to do.</summary>
/// <param name="Way">How it was opened.</param>
/// <param name="IdToken">As it was given then; null where it was not kept.</param>
internal sealed record Closed(string Way, string? IdToken);

/// <summary>
/// Sessions of the console: rows of the database, so that they survive a restart, hold on every instance, and end when they are deleted. One holds no longer than what it
/// was opened by: the configuration that gave the roles, and the doctor's standing.
/// </summary>
internal sealed class Sessions(Database database, SignInOptions options, AccessOptions access, HospitalOptions hospital, TimeProvider clock)
{
    // A row is not written for every click.
    private static readonly TimeSpan SeenStep = TimeSpan.FromSeconds(30);

    /// <summary>The way of somebody who chose whom to be.</summary>
    public const string Sample = "sample";

    // A cookie carries it from here to the authorisation server, and holds no more. A longer one is not kept.
    private const int LongestIdToken = 2600;

    internal sealed class Row
    {
        public string Person { get; init; } = "";
        public string Display { get; init; } = "";
        public string Roles { get; init; } = "";
        public string? Licence { get; init; }
        public string Way { get; init; } = "";
        public long SeenAt { get; init; }
        public long EndsAt { get; init; }
        public string? IdToken { get; init; }
        public string Basis { get; init; } = "";
        public long DismissedBefore { get; init; }
        public long Revoked { get; init; }
    }

    /// <summary>Opens a session; returns what the cookie holds. Sessions that ended are deleted on the way, an idle time after the last act.</summary>
    public async Task<string> OpenAsync(SignedIn who, CancellationToken cancellationToken)
    {
        var token = Base64Url.Encode(RandomNumberGenerator.GetBytes(32));
        await database.WriteAsync(async work =>
        {
            var now = clock.GetUtcNow();
            await work.RunAsync("DELETE FROM session WHERE seen_at <= @idle", new { idle = (now - options.Idle).ToUnixTimeMilliseconds() });
            await work.RunAsync(
                """
                INSERT INTO session (token_hash, person, display, roles, licence, way, created_at, seen_at, ends_at, id_token, basis, dismissed)
                VALUES (@hash, @Person, @Display, @roles, @Licence, @Way, @now, @now, @ends, @idToken, @basis, @dismissed)
                """,
                new
                {
                    hash = HashOf(token),
                    who.Person,
                    who.Display,
                    roles = string.Join(' ', who.Roles),
                    who.Licence,
                    who.Way,
                    now = now.ToUnixTimeMilliseconds(),
                    ends = (now + options.Absolute).ToUnixTimeMilliseconds(),
                    basis = BasisOf(who.Way, who.Person),
                    dismissed = who.Licence is null ? 0 : await DoctorPapers.DismissalsAsync(work, hospital.Msp, who.Licence),
                    idToken = who.IdToken is { Length: <= LongestIdToken } kept && options.EndsThere ? Sealed.Close(KeyOf(token), Purpose, Encoding.ASCII.GetBytes(kept)) : null,
                });
            await AuditLog.AppendAsync(work, new Actor(who.Person, string.Join(' ', who.Roles)), "session.open", "session", new { who.Way }, now);
        }, cancellationToken);
        return token;
    }

    /// <summary>The live session behind a cookie; counts as an act of its owner unless <paramref name="background"/>.</summary>
    public async Task<Row?> FindAsync(string token, bool background, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var hash = HashOf(token);
        var (row, isDismissed) = await database.ReadAsync(async work =>
        {
            var found = await work.FirstAsync<Row>(
                """
                SELECT person AS Person, display AS Display, roles AS Roles, licence AS Licence, way AS Way, seen_at AS SeenAt, ends_at AS EndsAt, basis AS Basis, dismissed AS DismissedBefore,
                  (SELECT COUNT(*) FROM doctor d WHERE d.hospital = @msp AND d.licence = session.licence AND d.status = 'REVOKED') AS Revoked
                FROM session WHERE token_hash = @hash
                """,
                new { hash, msp = hospital.Msp });
            return (found, found is { Licence: { } licence } && found.Revoked > found.DismissedBefore && await DoctorPapers.DismissalsAsync(work, hospital.Msp, licence) > found.DismissedBefore);
        }, cancellationToken);
        if (row is null || row.EndsAt <= now.ToUnixTimeMilliseconds() || row.SeenAt <= (now - options.Idle).ToUnixTimeMilliseconds())
            return null;
        if (isDismissed || row.Basis != BasisOf(row.Way, row.Person))
        {
            await EndAsync(hash, row, isDismissed ? "REVOKED" : "CONFIGURATION", cancellationToken);
            return null;
        }
        var step = options.Idle / 10 < SeenStep ? options.Idle / 10 : SeenStep;
        if (!background && row.SeenAt <= (now - step).ToUnixTimeMilliseconds())
            await database.WriteAsync(work => work.RunAsync("UPDATE session SET seen_at = @now WHERE token_hash = @hash", new { hash, now = now.ToUnixTimeMilliseconds() }), cancellationToken);
        return row;
    }

    /// <summary>Whether somebody acted in it within the idle time, be it over or not. It is not, once it was closed.</summary>
    public async Task<bool> IsInUseAsync(string token, CancellationToken cancellationToken) => await database.ReadAsync(
        work => work.ScalarAsync<long?>("SELECT seen_at FROM session WHERE token_hash = @hash", new { hash = HashOf(token) }), cancellationToken)
        > (clock.GetUtcNow() - options.Idle).ToUnixTimeMilliseconds();

    /// <summary>Ends a session for every holder of its cookie; null where there is none.</summary>
    public Task<Closed?> CloseAsync(string token, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var hash = HashOf(token);
        var row = await work.FirstAsync<Row>("SELECT person AS Person, roles AS Roles, way AS Way, id_token AS IdToken FROM session WHERE token_hash = @hash", new { hash });
        if (row is null || await work.RunAsync("DELETE FROM session WHERE token_hash = @hash", new { hash }) == 0)
            return null;
        await AuditLog.AppendAsync(work, new Actor(row.Person, row.Roles), "session.close", "session", null, clock.GetUtcNow());
        return new Closed(row.Way, row.IdToken is { } kept && Sealed.Open(KeyOf(token), Purpose, kept) is { } plain ? Encoding.ASCII.GetString(plain) : null);
    }, cancellationToken);

    private Task EndAsync(string hash, Row row, string code, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        if (await work.RunAsync("DELETE FROM session WHERE token_hash = @hash", new { hash }) > 0)
            await AuditLog.AppendAsync(work, Actor.Bridge, "session.end", "session", new { row.Person, code }, clock.GetUtcNow());
    }, cancellationToken);

    /// <summary>The configuration that gave somebody their roles, as a digest: another one, and the session is over.</summary>
    private string BasisOf(string way, string person) => HashOf(way == Sample
        ? JsonSerializer.Serialize(new { options.SamplePeople, people = access.People.Where(known => known.Name == person).Select(known => new { known.Name, known.Roles, known.Licence }) })
        : JsonSerializer.Serialize(new
        {
            issuer = way == OpenIdProvider.Oidc ? options.Issuer : options.SmartIssuer,
            options.ClientId,
            options.RolesClaim,
            roles = Roles.All.Select(role => options.RoleValues[role]),
            options.LicenceClaim,
            options.LicenceSystem,
        }));

    // Of the cookie, which is stored nowhere: the database alone tells no ID token.
    private static byte[] KeyOf(string token) => HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(token), 32, info: "bridge-session-key-1"u8.ToArray());

    private static ReadOnlySpan<byte> Purpose => "bridge-id-token-1"u8;

    public static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}

/// <summary>The console's cookies. Over https they carry the prefix that keeps every other host and path from setting them.</summary>
internal static class ConsoleCookies
{
    /// <summary>The name of a cookie on this address; on plain loopback the port is part of it, because browsers share cookies between ports.</summary>
    public static string Name(HttpRequest request, string kind) =>
        request.IsHttps ? $"__Host-bridge-{kind}" : $"bridge-{kind}-{request.Host.Port ?? 80}";

    public static void Set(HttpContext context, string kind, string value, SameSiteMode sameSite) =>
        context.Response.Cookies.Append(Name(context.Request, kind), value, Options(context, sameSite));

    public static void Clear(HttpContext context, string kind, SameSiteMode sameSite) =>
        context.Response.Cookies.Delete(Name(context.Request, kind), Options(context, sameSite));

    private static CookieOptions Options(HttpContext context, SameSiteMode sameSite) =>
        new() { HttpOnly = true, Secure = context.Request.IsHttps, SameSite = sameSite, Path = "/", IsEssential = true };
}

/// <summary>Authenticates by the session cookie.</summary>
internal sealed class SessionCookie(
    Sessions sessions, IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public new const string Scheme = "Session";
    public const string Kind = "session";

    /// <summary>Header of requests that a page makes by itself: they do not keep a session alive.</summary>
    public const string BackgroundHeader = "X-Bridge-Background";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Cookies[ConsoleCookies.Name(Request, Kind)] is not { Length: > 0 } token)
            return AuthenticateResult.NoResult();
        // A page that follows live events does so by itself, and a WebSocket carries no header that would say so.
        var background = Request.Headers.ContainsKey(BackgroundHeader) || SignInEndpoints.IsLive(Context);
        Sessions.Row? session;
        try
        {
            session = await sessions.FindAsync(token, background, Context.RequestAborted);
        }
        catch (DbException) when (Context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            // What anybody may ask, health above all, is answered without a database too.
            return AuthenticateResult.NoResult();
        }
        if (session is null)
            return AuthenticateResult.Fail("the session has ended");
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(ClaimTypes.Name, session.Person));
        identity.AddClaim(new Claim(AccessEndpoints.DisplayClaim, session.Display));
        identity.AddClaim(new Claim(AccessEndpoints.SessionEndClaim, session.EndsAt.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        foreach (var role in session.Roles.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            identity.AddClaim(new Claim(ClaimTypes.Role, role));
        if (session.Licence is not null)
            identity.AddClaim(new Claim(AccessEndpoints.LicenceClaim, session.Licence));
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }
}
