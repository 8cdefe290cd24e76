using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bridge.Records;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Bridge.Hospital.Access;

/// <summary>The authorisation server did not answer as it must; the message names what, never a token.</summary>
internal sealed class SignInException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What an authorisation server says of itself.</summary>
/// <param name="Issuer">Its name.</param>
/// <param name="Authorization">Where browsers sign in.</param>
/// <param name="Token">Where a code becomes tokens.</param>
/// <param name="Jwks">Its keys.</param>
/// <param name="EndSession">Where browsers sign out (OpenID Connect RP-Initiated Logout 1.0); null where it has no such place.</param>
internal sealed record ProviderMetadata(string Issuer, Uri Authorization, Uri Token, Uri Jwks, Uri? EndSession);

/// <summary>A verified ID token.</summary>
/// <param name="Claims">What it says.</param>
/// <param name="Text">As it was given.</param>
internal sealed record IdToken(JsonElement Claims, string Text);

/// <summary>The code that came back, and what was sent when it was asked for.</summary>
internal sealed record CodeExchange(string Way, string Code, string Verifier, string RedirectUri, string Nonce);

/// <summary>
/// The client side of OpenID Connect's code flow with PKCE (RFC 6749, RFC 7636, OpenID Connect Core 1.0) and of the SMART EHR launch (SMART App Launch 2.2), whose
/// server describes itself below the FHIR base, and of RP-Initiated Logout 1.0. No script sees code verifier or tokens.
/// </summary>
internal sealed class OpenIdProvider(SignInOptions options, TimeProvider clock) : IDisposable
{
    public const string Oidc = "oidc";
    public const string Smart = "smart";

    private static readonly TimeSpan KeepMetadata = TimeSpan.FromHours(1);

    // Anybody may make this server ask: one that does not answer is asked by one at a time, and not at once again.
    private static readonly TimeSpan KeepFailure = TimeSpan.FromSeconds(2);
    private const int MaxAnswer = 256 * 1024;

    // RFC 8725: never "none", never a shared secret.
    private static readonly string[] Algorithms =
        [SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.RsaSha384];

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = TimeSpan.FromSeconds(15),
        MaxResponseContentBufferSize = MaxAnswer,
    };

    private readonly SemaphoreSlim _one = new(1);
    private readonly Dictionary<string, (ProviderMetadata? Metadata, string Fault, DateTimeOffset Until)> _known = [];

    /// <param name="way">Of the provider, or of the EHR's authorisation server.</param>
    /// <param name="cancellationToken">Of the asking.</param>
    /// <param name="anew">Whether it is to answer now, rather than to have answered within the hour.</param>
    /// <exception cref="SignInException">It cannot be had, or does not say what the flow needs.</exception>
    public async Task<ProviderMetadata> DescribeAsync(string way, CancellationToken cancellationToken, bool anew = false)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_known.TryGetValue(way, out var known) && known.Until > clock.GetUtcNow() && !(anew && known.Metadata is not null))
                return known.Metadata ?? throw new SignInException(known.Fault);
            try
            {
                var metadata = await AskAsync(way, cancellationToken);
                _known[way] = (metadata, "", clock.GetUtcNow() + KeepMetadata);
                return metadata;
            }
            catch (SignInException e)
            {
                _known[way] = (null, e.Message, clock.GetUtcNow() + KeepFailure);
                throw;
            }
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<ProviderMetadata> AskAsync(string way, CancellationToken cancellationToken)
    {
        var at = way == Smart ? options.SmartIssuer! : options.Issuer!;
        var document = await GetAsync(new Uri(at.AbsoluteUri.TrimEnd('/') + (way == Smart ? "/.well-known/smart-configuration" : "/.well-known/openid-configuration")), cancellationToken);
        var issuer = Text(document, "issuer") ?? throw new SignInException("the authorisation server's description names no issuer");
        if (way == Oidc && issuer.TrimEnd('/') != at.AbsoluteUri.TrimEnd('/'))
            throw new SignInException($"the provider at {at} calls itself {issuer}: set SignIn:Issuer to what it calls itself");
        if (document.TryGetProperty("code_challenge_methods_supported", out var methods) && methods.ValueKind == JsonValueKind.Array
            && !methods.EnumerateArray().Any(method => method.ValueEquals("S256")))
            throw new SignInException("the authorisation server does not offer PKCE with S256");
        return new ProviderMetadata(
            issuer, Endpoint(document, "authorization_endpoint"), Endpoint(document, "token_endpoint"), Endpoint(document, "jwks_uri"),
            // A launch's session is the EHR's: it opened it, and ends it.
            way == Oidc ? OptionalEndpoint(document, "end_session_endpoint") : null);
    }

    /// <summary>Where the browser goes to sign in.</summary>
    /// <param name="metadata">Of the server.</param>
    /// <param name="redirectUri">Where it comes back to.</param>
    /// <param name="state">Random; comes back unchanged.</param>
    /// <param name="nonce">Random; comes back inside the ID token.</param>
    /// <param name="verifier">Of PKCE; only its hash is sent.</param>
    /// <param name="launch">What the EHR handed over; null outside an EHR launch.</param>
    /// <param name="anew">Whether it asks who it is even where it knows.</param>
    public Uri AuthorizeAt(ProviderMetadata metadata, string redirectUri, string state, string nonce, string verifier, string? launch, bool anew)
    {
        var query = new Dictionary<string, string>
        {
            ["response_type"] = "code",
            ["client_id"] = options.ClientId,
            ["redirect_uri"] = redirectUri,
            ["scope"] = launch is null ? options.Scopes : $"launch {options.Scopes}",
            ["state"] = state,
            ["nonce"] = nonce,
            ["code_challenge"] = Base64Url.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        };
        if (launch is not null)
        {
            query["launch"] = launch;
            query["aud"] = options.SmartIssuer!.AbsoluteUri.TrimEnd('/');
        }
        if (anew)
            // The second makes it say when it asked (auth_time).
            (query["prompt"], query["max_age"]) = ("login", "0");
        return With(metadata.Authorization, query);
    }

    /// <summary>Where the browser goes to end its session there.</summary>
    public Uri SignOutAt(Uri endSession, AskedSignOut asked)
    {
        var query = new Dictionary<string, string> { ["post_logout_redirect_uri"] = asked.ReturnTo, ["state"] = asked.State };
        if (asked.IdToken is { } hint)
            query["id_token_hint"] = hint;
        else
            query["client_id"] = options.ClientId;
        return With(endSession, query);
    }

    private static Uri With(Uri endpoint, Dictionary<string, string> query) => new(
        $"{endpoint}{(endpoint.Query.Length > 0 ? '&' : '?')}{string.Join('&', query.Select(pair => $"{pair.Key}={Uri.EscapeDataString(pair.Value)}"))}");

    /// <summary>Trades the code for an ID token and verifies it: signature, issuer, audience, nonce, time.</summary>
    /// <exception cref="SignInException">It was refused, or the token does not hold.</exception>
    public async Task<IdToken> RedeemAsync(CodeExchange exchange, CancellationToken cancellationToken)
    {
        var metadata = await DescribeAsync(exchange.Way, cancellationToken);
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code",
            ["code"] = exchange.Code,
            ["redirect_uri"] = exchange.RedirectUri,
            ["code_verifier"] = exchange.Verifier,
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, metadata.Token);
        if (options.ClientSecret is { } secret)
            request.Headers.Authorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{Uri.EscapeDataString(options.ClientId)}:{Uri.EscapeDataString(secret)}")));
        else
            form["client_id"] = options.ClientId;
        request.Content = new FormUrlEncodedContent(form);
        var answer = await SendAsync(request, cancellationToken);
        var token = Text(answer, "id_token") ?? throw new SignInException("the token endpoint gave no id_token: is the scope openid granted to this client?");
        return new IdToken(await ClaimsAsync(metadata, token, exchange.Nonce, cancellationToken), token);
    }

    public void Dispose()
    {
        _http.Dispose();
        _one.Dispose();
    }

    private async Task<JsonElement> ClaimsAsync(ProviderMetadata metadata, string token, string nonce, CancellationToken cancellationToken)
    {
        // Read anew each time: keys roll, and people sign in seldom enough.
        var keys = KeysIn(await GetAsync(metadata.Jwks, cancellationToken));
        var now = clock.GetUtcNow().UtcDateTime;
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidIssuer = metadata.Issuer,
            ValidAudience = options.ClientId,
            IssuerSigningKeys = keys,
            ValidAlgorithms = Algorithms,
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            ValidateLifetime = true,
            LifetimeValidator = (from, to, _, _) => to is { } end && end > now.AddMinutes(-2) && (from is null || from < now.AddMinutes(2)),
        });
        if (!result.IsValid)
            throw new SignInException($"the ID token does not hold: {result.Exception?.GetType().Name}", result.Exception);
        if (!Base64Url.TryDecode(((JsonWebToken)result.SecurityToken).EncodedPayload, out var payload))
            throw new SignInException("the ID token's payload is spelled oddly");
        var claims = JsonElement.Parse(payload);
        // OpenID Connect Core §2 and §3.1.3.7: a subject always, and where it says for whom it was made, for this client.
        if (Text(claims, "sub") is not { Length: > 0 })
            throw new SignInException("the ID token names nobody (sub)");
        if (claims.TryGetProperty("azp", out var madeFor) && !(madeFor.ValueKind == JsonValueKind.String && madeFor.ValueEquals(options.ClientId)))
            throw new SignInException("the ID token was made for another client (azp)");
        return Text(claims, "nonce") is { } sent && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(sent), Encoding.UTF8.GetBytes(nonce))
            ? claims
            : throw new SignInException("the ID token answers another request (nonce)");
    }

    private static IList<SecurityKey> KeysIn(JsonElement document)
    {
        try
        {
            return new JsonWebKeySet(document.GetRawText()).GetSigningKeys();
        }
        catch (Exception e) when (e is ArgumentException or JsonException or FormatException or CryptographicException)
        {
            throw new SignInException($"the authorisation server's keys cannot be read: {e.GetType().Name}", e);
        }
    }

    private async Task<JsonElement> GetAsync(Uri address, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Accept.ParseAdd("application/json");
        return await SendAsync(request, cancellationToken);
    }

    private async Task<JsonElement> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var where = request.RequestUri!.GetLeftPart(UriPartial.Path);
        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            var json = body.Length > 0 && body[0] == '{' ? JsonElement.Parse(body) : default;
            if (!response.IsSuccessStatusCode)
                throw new SignInException($"{where} answered {(int)response.StatusCode} {Text(json, "error")}");
            return json.ValueKind == JsonValueKind.Object ? json : throw new SignInException($"{where} answered no JSON object");
        }
        catch (Exception e) when (e is HttpRequestException or System.Net.Sockets.SocketException or JsonException || e is TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new SignInException($"{where} did not answer: {e.GetType().Name}", e);
        }
    }

    private static string? Text(JsonElement json, string member) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    // One that cannot be used is as good as none: nobody is kept from signing in for it.
    private static Uri? OptionalEndpoint(JsonElement document, string member) =>
        Uri.TryCreate(Text(document, member), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && !Configuration.ConfigurationReader.IsPlainToElsewhere(uri) ? uri : null;

    private static Uri Endpoint(JsonElement document, string member)
    {
        if (!Uri.TryCreate(Text(document, member), UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new SignInException($"the authorisation server's description has no {member}");
        return Configuration.ConfigurationReader.IsPlainToElsewhere(uri) ? throw new SignInException($"{member} leads to another machine without TLS") : uri;
    }
}
