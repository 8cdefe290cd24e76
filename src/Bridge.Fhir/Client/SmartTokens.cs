using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bridge.Fhir.Client;

/// <summary>SMART Backend Services (SMART App Launch 2.x, client_credentials with private_key_jwt).</summary>
public sealed record SmartOptions
{
    /// <summary>The token endpoint, as <c>/.well-known/smart-configuration</c> names it.</summary>
    public required Uri TokenEndpoint { get; init; }

    /// <summary>The id under which the bridge is registered.</summary>
    public required string ClientId { get; init; }

    /// <summary>Scopes asked for. Default <c>system/*.rs</c> (v2); v1 servers want <c>system/*.read</c>. What is granted may be less.</summary>
    public string Scope { get; init; } = "system/*.rs";

    /// <summary>Address of the hosted JWKS, put into the assertion's <c>jku</c>; null = the server has the keys on file.</summary>
    public Uri? JwksUrl { get; init; }

    /// <summary>Life of an assertion. Default and most 5 minutes.</summary>
    public TimeSpan AssertionLife { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>Fetches and keeps access tokens. One request at a time however many callers wait. Thread-safe.</summary>
public sealed class SmartTokens : IDisposable
{
    private const int MaxTokenBytes = 64 * 1024;

    private readonly SmartOptions _options;
    private readonly SmartKey _key;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpClient _http = HttpPlumbing.Create();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile Token? _token;

    /// <summary>Creates it; the key stays the caller's.</summary>
    public SmartTokens(SmartOptions options, SmartKey key, TimeProvider? time = null, ILogger<SmartTokens>? log = null)
    {
        if (options.AssertionLife <= TimeSpan.Zero || options.AssertionLife > TimeSpan.FromMinutes(5))
            throw new ArgumentException($"an assertion life of {options.AssertionLife} is not allowed: more than 0 and at most 5 minutes (SMART App Launch)", nameof(options));
        _options = options;
        _key = key;
        _time = time ?? TimeProvider.System;
        _log = log ?? NullLogger<SmartTokens>.Instance;
    }

    /// <summary>The scopes that the server granted last; null before the first token.</summary>
    public string? GrantedScope => _token?.Scope;

    /// <summary>A token good for at least the next seconds.</summary>
    /// <exception cref="FhirException"><see cref="FhirFault.NoToken"/>: the endpoint refused.</exception>
    public async ValueTask<string> TokenAsync(CancellationToken cancellation = default)
    {
        if (_token is { } held && held.RenewAt > _time.GetUtcNow())
            return held.Value;
        await _gate.WaitAsync(cancellation);
        try
        {
            if (_token is { } other && other.RenewAt > _time.GetUtcNow())
                return other.Value;
            var fresh = await RequestAsync(cancellation);
            _token = fresh;
            return fresh.Value;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Drops the held token, because the server no longer takes it.</summary>
    public void Forget() => _token = null;

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _gate.Dispose();
    }

    internal string Assertion(DateTimeOffset now)
    {
        var header = new Dictionary<string, string> { ["alg"] = _key.Algorithm, ["kid"] = _key.KeyId, ["typ"] = "JWT" };
        if (_options.JwksUrl is { } jku)
            header["jku"] = jku.AbsoluteUri;
        var claims = new Dictionary<string, object>
        {
            ["iss"] = _options.ClientId,
            ["sub"] = _options.ClientId,
            ["aud"] = _options.TokenEndpoint.AbsoluteUri,
            ["exp"] = (now + _options.AssertionLife).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["jti"] = Encode(RandomNumberGenerator.GetBytes(24)),
        };
        var input = Encode(JsonSerializer.SerializeToUtf8Bytes(header)) + "." + Encode(JsonSerializer.SerializeToUtf8Bytes(claims));
        return input + "." + Encode(_key.Sign(Encoding.ASCII.GetBytes(input)));
    }

    internal static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);

    private async Task<Token> RequestAsync(CancellationToken cancellation)
    {
        var now = _time.GetUtcNow();
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["scope"] = _options.Scope,
            ["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ["client_assertion"] = Assertion(now),
        });
        using var response = await _http.PostAsync(_options.TokenEndpoint, form, cancellation);
        var body = await HttpPlumbing.ReadAsync(response, MaxTokenBytes, TimeSpan.FromSeconds(30), cancellation);
        var status = (int)response.StatusCode;
        // a throttled or broken endpoint is an outage like any other: the caller's back-off waits it out
        if (RetryRule.Judge(status) != RetryAction.Take)
            throw new HttpRequestException($"token endpoint {_options.TokenEndpoint.GetLeftPart(UriPartial.Path)}: {status}", null, response.StatusCode);
        if (!response.IsSuccessStatusCode)
        {
            throw new FhirException(FhirFault.NoToken,
                $"token endpoint {_options.TokenEndpoint.GetLeftPart(UriPartial.Path)}: {status} {ErrorCode(body.Bytes)}; check the client id, the registered key ({_key.Algorithm}, kid {_key.KeyId}) and the clocks", status);
        }
        return Read(body.Bytes, now) ?? throw new FhirException(FhirFault.NoToken,
            $"token endpoint {_options.TokenEndpoint.GetLeftPart(UriPartial.Path)}: the answer holds no bearer token", status);
    }

    private Token? Read(ReadOnlyMemory<byte> json, DateTimeOffset now)
    {
        try
        {
            using var answer = JsonDocument.Parse(json);
            var root = answer.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("access_token", out var value) || value.GetString() is not { Length: > 0 } token)
                return null;
            var life = 300L;
            if (root.TryGetProperty("expires_in", out var expires))
            {
                if (expires.ValueKind == JsonValueKind.Number && expires.TryGetInt64(out var n))
                    life = n;
                else if (expires.ValueKind == JsonValueKind.String && long.TryParse(expires.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var t))
                    life = t;
            }
            life = Math.Clamp(life, 1, 24 * 3600);
            var scope = root.TryGetProperty("scope", out var granted) && granted.ValueKind == JsonValueKind.String ? granted.GetString()! : _options.Scope;
            // renewed a tenth of its life early, at most 30 s
            var until = now + TimeSpan.FromSeconds(life);
            ClientLog.TokenObtained(_log, until, scope);
            return new Token(token, until - TimeSpan.FromSeconds(Math.Min(30, life / 10.0)), scope);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The OAuth error code where the body has one; some servers answer in plain text, which is not repeated.</summary>
    private static string ErrorCode(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return answer.RootElement.ValueKind == JsonValueKind.Object && answer.RootElement.TryGetProperty("error", out var error)
                && error.GetString() is { Length: > 0 and <= 64 } code && code.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? code : "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return "";
        }
    }

    private sealed record Token(string Value, DateTimeOffset RenewAt, string Scope);
}
