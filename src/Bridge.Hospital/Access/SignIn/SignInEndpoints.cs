using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;

namespace Bridge.Hospital.Access;

/// <summary>Body of choosing a sample person.</summary>
/// <param name="Person">Place in <c>Access:People</c>.</param>
internal sealed record SampleRequest(int? Person);

/// <summary>The console's sign-in over HTTP: the browser holds one http-only cookie and no token.</summary>
internal static class SignInEndpoints
{
    /// <summary>Header that the console's own pages send with what changes something; another site's page cannot without being asked.</summary>
    public const string OwnPageHeader = "X-Bridge-Console";

    /// <summary>Where a page that signed out goes, to be sent on to the authorisation server.</summary>
    public const string LeavePath = "/signin/leave";

    private const string AskedCookie = "sign-in";
    private const string LeavingCookie = "sign-out";

    // Says no more than that somebody signed in with this browser since it was started.
    private const string UsedCookie = "used";

    public static void AddSignIn(this WebApplicationBuilder builder, SignInOptions options)
    {
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<Sessions>();
        builder.Services.AddSingleton<OpenIdProvider>();
        builder.Services.AddSingleton<SignInSeal>();
        builder.Services.AddSingleton<SignIn>();
        builder.Services.AddSingleton<SignOut>();
    }

    /// <summary>Refuses what another site's page might have sent with this browser's cookie (SameSite is the first fence, this one the second).</summary>
    public static Task ForgedRequestsAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var safe = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        var byCookie = request.Path.StartsWithSegments("/signin", StringComparison.OrdinalIgnoreCase) // as routes are matched
            || !request.Headers.ContainsKey("Authorization") && request.Cookies.ContainsKey(ConsoleCookies.Name(request, SessionCookie.Kind));
        // A page of a neighbour (same site, another origin) may open a socket and read it: no header of its own can be asked of it, but every browser says where it comes from.
        var isSocket = request.Headers.ContainsKey("Upgrade") || context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } || safe && IsLive(context);
        if (!byCookie || (safe && !isSocket))
            return next(context);
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        var origin = request.Headers.Origin.ToString();
        var isOwnPage = isSocket || request.Headers.ContainsKey(OwnPageHeader);
        if (isOwnPage && site is "" or "same-origin" && (origin.Length == 0 || origin == $"{request.Scheme}://{request.Host}"))
            return next(context);
        return Results.Json(new { outcome = "FORGED", detail = "This was not sent by a page of the console." }, statusCode: StatusCodes.Status403Forbidden).ExecuteAsync(context);
    }

    /// <summary>Whether the request opens or holds a connection over which the server tells events.</summary>
    public static bool IsLive(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<HubMetadata>() is not null;

    public static void MapSignIn(this WebApplication app)
    {
        app.MapGet("/api/signin", Ways).AllowAnonymous();
        app.MapGet("/signin", BeginAsync).AllowAnonymous();
        app.MapGet("/signin/launch", LaunchAsync).AllowAnonymous();
        app.MapGet("/signin/callback", FinishAsync).AllowAnonymous();
        app.MapPost("/signin/sample", SampleAsync).AllowAnonymous();
        app.MapPost("/signin/out", OutAsync).AllowAnonymous();
        app.MapGet(LeavePath, LeaveAsync).AllowAnonymous();
        app.MapGet("/signin/left", LeftAsync).AllowAnonymous();
    }

    /// <summary>How one can sign in here. The people are given only where anyone may be anyone.</summary>
    private static IResult Ways(SignInOptions options, AccessOptions access, HospitalOptions hospital) => Results.Ok(new
    {
        hospital = hospital.Name,
        msp = hospital.Msp,
        provider = options.Issuer is not null,
        launch = options.SmartIssuer is not null,
        people = options.SamplePeople ? access.People.Select((person, i) => new { person = i, person.Name, person.Roles }) : null,
    });

    private static async Task<IResult> BeginAsync(string? @return, HttpContext context, SignInOptions options, SignIn signIn, Sessions sessions)
    {
        if (options.Issuer is null)
            return Problem(SignInProblem.Provider);
        // Who was here before may be signed in there still. Who is here now, and whose session only came to its end, is not asked again.
        var anew = options.EndsThere && context.Request.Cookies.ContainsKey(ConsoleCookies.Name(context.Request, UsedCookie))
            && !(context.Request.Cookies[ConsoleCookies.Name(context.Request, SessionCookie.Kind)] is { Length: > 0 } token && await sessions.IsInUseAsync(token, context.RequestAborted));
        return await SendAsync(OpenIdProvider.Oidc, null, SignInRules.SafeReturn(@return), anew, context, options, signIn);
    }

    private static async Task<IResult> LaunchAsync(string? iss, string? launch, HttpContext context, SignInOptions options, SignIn signIn)
    {
        // Only the EHR that is configured: a launch from anywhere else would send the person to sign in at a server of the launcher's choice.
        if (options.SmartIssuer is null || string.IsNullOrEmpty(launch) || iss?.TrimEnd('/') != options.SmartIssuer.AbsoluteUri.TrimEnd('/'))
            return Problem(SignInProblem.ForeignLaunch);
        return await SendAsync(OpenIdProvider.Smart, launch, "/", anew: false, context, options, signIn);
    }

    private static string Origin(HttpContext context, SignInOptions options) =>
        options.Origin?.GetLeftPart(UriPartial.Authority) ?? $"{context.Request.Scheme}://{context.Request.Host}";

    private static async Task<IResult> SendAsync(string way, string? launch, string returnTo, bool anew, HttpContext context, SignInOptions options, SignIn signIn)
    {
        if (await signIn.BeginAsync(way, launch, $"{Origin(context, options)}/signin/callback", returnTo, anew, context.RequestAborted) is not { } begun)
            return Problem(SignInProblem.Provider);
        // Lax: the answer comes by a navigation from another site.
        ConsoleCookies.Set(context, AskedCookie, begun.Cookie, SameSiteMode.Lax);
        return Results.Redirect(begun.Address.AbsoluteUri);
    }

    private static async Task<IResult> FinishAsync(string? state, string? code, string? error, string? iss, HttpContext context, SignIn signIn, Sessions sessions)
    {
        var cookie = context.Request.Cookies[ConsoleCookies.Name(context.Request, AskedCookie)];
        ConsoleCookies.Clear(context, AskedCookie, SameSiteMode.Lax);
        var result = await signIn.FinishAsync(cookie, state, code, error, iss, context.RequestAborted);
        if (result.Who is null)
            return Problem(result.Problem);
        ConsoleCookies.Set(context, SessionCookie.Kind, await sessions.OpenAsync(result.Who, context.RequestAborted), SameSiteMode.Strict);
        // Lax: wherever the link to the sign-in stands.
        ConsoleCookies.Set(context, UsedCookie, "1", SameSiteMode.Lax);
        return Results.Redirect(result.ReturnTo);
    }

    private static async Task<IResult> SampleAsync(SampleRequest body, HttpContext context, SignInOptions options, AccessOptions access, Sessions sessions)
    {
        if (!options.SamplePeople)
            return Results.NotFound();
        // A page whose name was made to lead here (DNS rebinding) is its own origin and passes every other fence.
        if (context.Request.Host.Host is not ("localhost" or "127.0.0.1" or "[::1]"))
            return Results.Json(new { outcome = "FORGED", detail = "Sample people are for this machine's own addresses." }, statusCode: StatusCodes.Status403Forbidden);
        if (body.Person is not { } i || i < 0 || i >= access.People.Count)
            return Results.UnprocessableEntity(new { outcome = "NO_SUCH_PERSON" });
        var person = access.People[i];
        var who = new SignedIn(person.Name, person.Name, person.Roles, person.Licence, Sessions.Sample);
        ConsoleCookies.Set(context, SessionCookie.Kind, await sessions.OpenAsync(who, context.RequestAborted), SameSiteMode.Strict);
        return Results.Ok(new { outcome = "SIGNED_IN" });
    }

    private static async Task<IResult> OutAsync(HttpContext context, SignInOptions options, SignOut signOut)
    {
        var next = "/";
        if (context.Request.Cookies[ConsoleCookies.Name(context.Request, SessionCookie.Kind)] is { Length: > 0 } token)
        {
            (next, var cookie) = await signOut.BeginAsync(token, $"{Origin(context, options)}/signin/left", context.RequestAborted);
            // The ID token goes by this cookie to the address that sends the browser on: no script reads it.
            if (cookie is not null)
                ConsoleCookies.Set(context, LeavingCookie, cookie, SameSiteMode.Strict);
        }
        ConsoleCookies.Clear(context, SessionCookie.Kind, SameSiteMode.Strict);
        return Results.Ok(new { outcome = "SIGNED_OUT", next });
    }

    private static async Task<IResult> LeaveAsync(HttpContext context, SignOut signOut)
    {
        var (address, cookie) = await signOut.LeaveAsync(context.Request.Cookies[ConsoleCookies.Name(context.Request, LeavingCookie)], context.RequestAborted);
        if (cookie is null)
            ConsoleCookies.Clear(context, LeavingCookie, SameSiteMode.Lax);
        else
            // Lax: the browser comes back by a navigation from another site.
            ConsoleCookies.Set(context, LeavingCookie, cookie, SameSiteMode.Lax);
        return Results.Redirect(address);
    }

    private static async Task<IResult> LeftAsync(string? state, HttpContext context, SignOut signOut)
    {
        if (!await signOut.HasReturnedAsync(context.Request.Cookies[ConsoleCookies.Name(context.Request, LeavingCookie)], state, context.RequestAborted))
            return Results.Redirect("/");
        ConsoleCookies.Clear(context, LeavingCookie, SameSiteMode.Lax);
        return Results.Redirect(SignOut.Ended);
    }

    private static IResult Problem(SignInProblem problem) =>
        Results.Redirect($"/?problem={JsonNamingPolicy.KebabCaseLower.ConvertName(problem.ToString())}");

    /// <summary>Who the caller is and how long the session lasts at most.</summary>
    public static IResult Me(ClaimsPrincipal user, SignInOptions options) => Results.Ok(new
    {
        name = user.Identity!.Name,
        display = user.FindFirstValue(AccessEndpoints.DisplayClaim) ?? user.Identity.Name,
        roles = user.FindAll(ClaimTypes.Role).Select(claim => claim.Value),
        licence = user.FindFirstValue(AccessEndpoints.LicenceClaim),
        session = user.FindFirstValue(AccessEndpoints.SessionEndClaim) is { } end
            ? new { idleSeconds = (long)options.Idle.TotalSeconds, endsAt = DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(end, CultureInfo.InvariantCulture)).UtcDateTime.ToString("O", CultureInfo.InvariantCulture) }
            : null,
    });
}
