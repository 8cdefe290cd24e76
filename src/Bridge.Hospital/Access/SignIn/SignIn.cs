using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Records;

namespace Bridge.Hospital.Access;

/// <summary>What a sign-in came to: a session, or why not.</summary>
internal sealed record SignInResult(SignInProblem Problem, SignedIn? Who = null, string ReturnTo = "/");

/// <summary>The two halves of signing in at an authorisation server: the way out and the way back.</summary>
internal sealed partial class SignIn(
    Database database, OpenIdProvider provider, SignInSeal seal, SignInOptions options, FhirClient fhir, WatchingOptions watching, HospitalOptions hospital, TimeProvider clock,
    ILogger<SignIn> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Of the two clocks.
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(2);

    /// <summary>Where to send the browser, and the cookie that ties the answer to it; null where the authorisation server cannot be had.</summary>
    public async Task<(Uri Address, string Cookie)?> BeginAsync(
        string way, string? launch, string redirectUri, string returnTo, bool anew, CancellationToken cancellationToken)
    {
        ProviderMetadata metadata;
        try
        {
            metadata = await provider.DescribeAsync(way, cancellationToken);
        }
        catch (SignInException e)
        {
            Log.ProviderFailed(log, e.Message);
            return null;
        }
        var (state, nonce, verifier) = (Random(), Random(), Random());
        var cookie = await seal.SealAsync(new AskedSignIn(state, nonce, verifier, redirectUri, returnTo, way, clock.GetUtcNow().ToUnixTimeMilliseconds(), anew), cancellationToken);
        return (provider.AuthorizeAt(metadata, redirectUri, state, nonce, verifier, launch, anew), cookie);
    }

    /// <summary>Takes the answer of the authorisation server. An answer counts once, in the browser that asked, within ten minutes.</summary>
    public async Task<SignInResult> FinishAsync(string? cookie, string? state, string? code, string? error, string? issuer, CancellationToken cancellationToken)
    {
        var asked = cookie is null ? null : await seal.OpenAsync<AskedSignIn>(cookie, cancellationToken);
        if (asked is null || asked.AskedAt < (clock.GetUtcNow() - Patience).ToUnixTimeMilliseconds() || !Same(asked.State, state))
            return new SignInResult(SignInProblem.Expired);
        if (error is not null || code is null)
            return new SignInResult(SignInProblem.Refused);
        try
        {
            // RFC 9207: an answer of another server than the one that was asked.
            if (issuer is not null && issuer != (await provider.DescribeAsync(asked.Way, cancellationToken)).Issuer)
                return new SignInResult(SignInProblem.Provider);
            var token = await provider.RedeemAsync(new CodeExchange(asked.Way, code, asked.Verifier, asked.RedirectUri, asked.Nonce), cancellationToken);
            // Only now is anything stored: the authorisation server knows the person, and takes a code once.
            return await CountsAsync(asked, cancellationToken) ? await JudgeAsync(token, asked, cancellationToken) : new SignInResult(SignInProblem.Expired);
        }
        catch (SignInException e)
        {
            Log.ProviderFailed(log, e.Message);
            return new SignInResult(SignInProblem.Provider);
        }
        catch (FhirException e)
        {
            Log.NoPractitioner(log, e.Fault.ToString());
            return new SignInResult(SignInProblem.Provider);
        }
    }

    // False where the same request was answered before; a server that takes a code twice does not make two sessions of it.
    private Task<bool> CountsAsync(AskedSignIn asked, CancellationToken cancellationToken) => database.WriteAsync(async work =>
    {
        var now = clock.GetUtcNow();
        await work.RunAsync("DELETE FROM sign_in_done WHERE done_at < @old", new { old = (now - Patience).ToUnixTimeMilliseconds() });
        return await work.InsertIfNewAsync(
            "sign_in_done (state_hash, done_at) VALUES (@hash, @now)", new { hash = Sessions.HashOf(asked.State), now = now.ToUnixTimeMilliseconds() });
    }, cancellationToken);

    private async Task<SignInResult> JudgeAsync(IdToken token, AskedSignIn asked, CancellationToken cancellationToken)
    {
        var claims = token.Claims;
        if (asked.Anew && !SignInRules.AskedSince(claims, DateTimeOffset.FromUnixTimeMilliseconds(asked.AskedAt), Tolerance))
            return new SignInResult(SignInProblem.NotAsked);
        var roles = SignInRules.RolesOf(claims, options).ToList();
        var licence = await LicenceAsync(claims, cancellationToken);
        if (licence is not null && !roles.Contains(Roles.Doctor))
            roles.Add(Roles.Doctor);
        if (roles.Count == 0)
            return new SignInResult(SignInProblem.NoRole);
        if (roles.Contains(Roles.Doctor) && licence is null)
            return new SignInResult(SignInProblem.NoLicence);
        var (display, person) = SignInRules.NameOf(claims);
        return new SignInResult(SignInProblem.None, new SignedIn(person, display, roles, licence, asked.Way, token.Text), asked.ReturnTo);
    }

    /// <summary>A doctor's licence: by the claim where one is configured, else by the Practitioner that <c>fhirUser</c> names.</summary>
    private async Task<string?> LicenceAsync(JsonElement claims, CancellationToken cancellationToken)
    {
        if (options.LicenceClaim is { } name && claims.TryGetProperty(name, out var claim) && claim.ValueKind == JsonValueKind.String && claim.GetString() is { Length: > 0 and <= 64 } told)
            return told;
        if (SignInRules.PractitionerOf(claims, watching.Client.BaseUrl, options.SmartIssuer) is not { } id)
            return null;
        if (options.LicenceSystem is { } system && await fhir.ReadAsync("Practitioner", id, cancellationToken) is { Oversize: false } resource
            && SignInRules.LicenceIn(JsonElement.Parse(resource.Json.Span), system) is { } licence)
            return licence;
        return await database.ReadAsync(work => DoctorRows.LicenceOfAsync(work, hospital.Msp, id, []), cancellationToken);
    }

    private static bool Same(string expected, string? sent) =>
        sent is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(sent));

    private static string Random() => Base64Url.Encode(RandomNumberGenerator.GetBytes(32));

    private static partial class Log
    {
        [LoggerMessage(EventId = 6201, Level = LogLevel.Warning, Message = "Sign-in failed at the authorisation server: {Fault}")]
        public static partial void ProviderFailed(ILogger logger, string fault);

        [LoggerMessage(EventId = 6202, Level = LogLevel.Warning, Message = "Sign-in failed: the Practitioner that fhirUser names could not be read ({Fault})")]
        public static partial void NoPractitioner(ILogger logger, string fault);
    }
}
