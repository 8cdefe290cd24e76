using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Bridge.Hospital.Store;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Bridge.Hospital.Access;

/// <summary>
/// Who calls. Endpoints ask for a role and read claims only; whether they came with a bearer token (scripts) or with the console's session makes no
/// difference to them.
/// </summary>
internal static class AccessEndpoints
{
    public const string LicenceClaim = "licence";
    public const string DisplayClaim = "display";
    public const string SessionEndClaim = "session-end";

    private const string Either = "Either";

    public static void AddAccess(this WebApplicationBuilder builder, AccessOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddAuthentication(Either)
            .AddPolicyScheme(Either, null, policy => policy.ForwardDefaultSelector = context =>
                context.Request.Headers.ContainsKey("Authorization") || !context.Request.Cookies.ContainsKey(ConsoleCookies.Name(context.Request, SessionCookie.Kind))
                    ? BearerTokens.Scheme
                    : SessionCookie.Scheme)
            .AddScheme<AuthenticationSchemeOptions, BearerTokens>(BearerTokens.Scheme, null)
            .AddScheme<AuthenticationSchemeOptions, SessionCookie>(SessionCookie.Scheme, null);
        builder.Services.AddAuthorization(authorization =>
        {
            foreach (var role in Roles.All)
                authorization.AddPolicy(role, policy => policy.RequireRole(role));
            authorization.FallbackPolicy = authorization.DefaultPolicy;
        });
        if (options.TrustedProxies.Count > 0)
            builder.Services.Configure<ForwardedHeadersOptions>(forwarded =>
            {
                forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
                forwarded.KnownIPNetworks.Clear();
                forwarded.KnownProxies.Clear();
                foreach (var proxy in options.TrustedProxies)
                    if (IPAddress.TryParse(proxy, out var address))
                        forwarded.KnownProxies.Add(address);
                    else
                        forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
            });
    }

    public static void MapAccess(this WebApplication app)
    {
        if (app.Services.GetRequiredService<AccessOptions>().TrustedProxies.Count > 0)
        {
            app.UseForwardedHeaders();
            // What did not come encrypted through the proxy is answered only on this machine itself.
            app.Use(static (context, next) =>
            {
                if (context.Request.IsHttps || context.Connection.RemoteIpAddress is { } remote && IPAddress.IsLoopback(remote))
                    return next();
                return Results.Problem(
                    "This server answers over TLS only: call the address of its proxy, and let the proxy send X-Forwarded-Proto.",
                    statusCode: StatusCodes.Status421MisdirectedRequest).ExecuteAsync(context);
            });
        }
        app.Use(SignInEndpoints.ForgedRequestsAsync);
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapSignIn();
        app.MapGet("/api/me", SignInEndpoints.Me);
    }

    /// <summary>The caller as the audit log names them.</summary>
    public static Actor Actor(this ClaimsPrincipal user, string role) => new(user.Identity?.Name ?? "unknown", role);

    /// <summary>A doctor's licence; endpoints that ask for the doctor role may rely on it.</summary>
    public static string Licence(this ClaimsPrincipal user) =>
        user.FindFirstValue(LicenceClaim) ?? throw new InvalidOperationException("a doctor without a licence was let in");
}

/// <summary>Bearer tokens of configured people (RFC 6750).</summary>
internal sealed class BearerTokens(
    AccessOptions access, IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory loggers, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public new const string Scheme = "Bearer";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return Task.FromResult(AuthenticateResult.NoResult());
        if (access.Find(header["Bearer ".Length..].Trim()) is not { } person)
            return Task.FromResult(AuthenticateResult.Fail("unknown token"));
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(ClaimTypes.Name, person.Name));
        foreach (var role in person.Roles)
            identity.AddClaim(new Claim(ClaimTypes.Role, role));
        if (person.Licence is not null)
            identity.AddClaim(new Claim(AccessEndpoints.LicenceClaim, person.Licence));
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        return Task.CompletedTask;
    }
}
