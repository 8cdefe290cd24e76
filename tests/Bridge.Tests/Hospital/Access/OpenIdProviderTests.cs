using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Web;
using Bridge.Hospital.Access;
using Bridge.Records;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>ID tokens of a server that lies, on a real socket: none of them signs anyone in, and none ends in an internal error.</summary>
public sealed class OpenIdProviderTests : IAsyncLifetime
{
    private const string Client = "bridge-console";
    private const string Nonce = "the-nonce-that-was-sent";
    private static readonly DateTimeOffset Now = TestStore.Now;
    private readonly RSA key = RSA.Create(2048);
    private readonly RSA other = RSA.Create(2048);
    private WebApplication server = null!;
    private string issuer = "";
    private string token = "";
    private string? keys;
    private object? endSession;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        server = builder.Build();
        server.MapGet("/.well-known/openid-configuration", () => Results.Json(new { issuer, authorization_endpoint = $"{issuer}/a", token_endpoint = $"{issuer}/t", jwks_uri = $"{issuer}/k", end_session_endpoint = endSession }));
        server.MapGet("/k", () => Results.Text(keys ?? KeySet(key), "application/json"));
        server.MapPost("/t", () => Results.Json(new { id_token = token, token_type = "Bearer" }));
        await server.StartAsync();
        issuer = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    [Fact]
    public async Task Redeem_TokenAsItMustBe_GivesItsClaims()
    {
        token = Token();
        Assert.Equal("iris", (await RedeemAsync()).GetProperty("sub").GetString());
        token = Token(claims => claims["aud"] = new[] { Client, "another" });
        Assert.Equal("iris", (await RedeemAsync()).GetProperty("sub").GetString());
        token = Token(claims => (claims["aud"], claims["azp"]) = (new[] { Client, "another" }, Client));
        Assert.Equal("iris", (await RedeemAsync()).GetProperty("sub").GetString());
    }

    public static TheoryData<string> Lies => [.. Changes.Keys];

    private static readonly Dictionary<string, Action<Dictionary<string, object?>>> Changes = new()
    {
        ["another client's"] = claims => claims["aud"] = "another",
        ["given to another client, this one is only told"] = claims => claims["azp"] = "another",
        ["of another issuer"] = claims => claims["iss"] = "https://evil.example",
        ["without issuer"] = claims => claims.Remove("iss"),
        ["expired"] = claims => claims["exp"] = Now.AddMinutes(-3).ToUnixTimeSeconds(),
        ["without end"] = claims => claims.Remove("exp"),
        ["not valid yet"] = claims => claims["nbf"] = Now.AddMinutes(3).ToUnixTimeSeconds(),
        ["for another request"] = claims => claims["nonce"] = "another",
        ["without nonce"] = claims => claims.Remove("nonce"),
        ["with a nonce that is no text"] = claims => claims["nonce"] = new[] { Nonce },
        ["of nobody"] = claims => claims.Remove("sub"),
        ["of somebody without name"] = claims => claims["sub"] = "",
        ["of a number"] = claims => claims["sub"] = 7,
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task Redeem_TokenThatLies_IsRefused(string lie)
    {
        token = Token(Changes[lie]);
        await Assert.ThrowsAsync<SignInException>(RedeemAsync);
    }

    [Fact]
    public async Task Redeem_TokenThatNobodySignedOrAnotherKeyDid_IsRefused()
    {
        var parts = Token().Split('.');
        foreach (var forged in new[]
        {
            Signed("""{"alg":"none"}""", parts[1], _ => []), $"{B64("""{"alg":"none"}""")}.{parts[1]}.", $"{B64("""{"alg":"none"}""")}.{parts[1]}",
            Signed("""{"alg":"HS256"}""", parts[1], input => HMACSHA256.HashData(Encoding.UTF8.GetBytes("a-secret"), input)),
            Signed("""{"alg":"HS256"}""", parts[1], input => HMACSHA256.HashData(key.ExportSubjectPublicKeyInfo(), input)),
            Signed("""{"alg":"RS256"}""", parts[1], input => other.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)),
            Signed($$"""{"alg":"RS256","jwk":{{Jwk(other)}}}""", parts[1], input => other.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)),
            Signed($$"""{"alg":"RS256","jku":"{{issuer}}/evil"}""", parts[1], input => other.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)),
            $"{parts[0]}.{parts[1]}.", $"{parts[0]}.{parts[1]}", "", "x", "a.b.c", $"{parts[0]}.{B64("[]")}.{parts[2]}",
        })
        {
            token = forged;
            await Assert.ThrowsAsync<SignInException>(RedeemAsync);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"keys":null}""")]
    [InlineData("""{"keys":[7]}""")]
    [InlineData("""{"keys":"x"}""")]
    [InlineData("""{"keys":[{"kty":"RSA","n":"!","e":"AQAB"}]}""")]
    [InlineData("""{"keys":[{"kty":"oct","k":"YQ"}]}""")]
    [InlineData("""[]""")]
    [InlineData("junk")]
    public async Task Redeem_KeysThatCannotBeRead_IsRefused(string given)
    {
        (keys, token) = (given, Token());
        await Assert.ThrowsAsync<SignInException>(RedeemAsync);
    }

    [Theory]
    [InlineData(true, -121, "NotAsked")]
    [InlineData(true, -119, "None")]
    [InlineData(true, 1, "None")]
    [InlineData(true, null, "None")]
    [InlineData(false, -86_400, "None")]
    public async Task Finish_PersonWhomTheServerAskedLongBefore_IsLetInOnlyWhereItWasNotToAskAnew(bool anew, int? asked, string expected)
    {
        await using var store = await TestStore.CreateAsync(Engine.Sqlite);
        using var provider = Provider();
        var clock = new FakeTimeProvider(Now);
        var signIn = new SignIn(
            store.Database, provider, new SignInSeal(store.Database, clock), Options(), null!, null!, new Bridge.Hospital.HospitalOptions("HospitalAMSP", "Linden Hospital"), clock, NullLogger<SignIn>.Instance);
        var (address, cookie) = (await signIn.BeginAsync(OpenIdProvider.Oidc, null, "http://localhost/signin/callback", "/", anew, TestContext.Current.CancellationToken))!.Value;
        var query = HttpUtility.ParseQueryString(address.Query);
        Assert.Equal(anew ? "login" : null, query["prompt"]);
        Assert.Equal(anew ? "0" : null, query["max_age"]);
        token = Token(claims =>
        {
            (claims["nonce"], claims["licence"]) = (query["nonce"], "LIC-1");
            if (asked is { } seconds)
                claims["auth_time"] = Now.AddSeconds(seconds).ToUnixTimeSeconds();
        });

        var result = await signIn.FinishAsync(cookie, query["state"], "code", null, null, TestContext.Current.CancellationToken);

        Assert.Equal(expected, result.Problem.ToString());
        Assert.Equal(expected == "None" ? token : null, result.Who?.IdToken);
    }

    [Fact]
    public async Task Describe_PlaceToSignOut_IsTakenOnlyWhereATokenMayGoThere()
    {
        async Task<Uri?> OfferedAsync(object? offered)
        {
            endSession = offered;
            using var provider = Provider();
            return (await provider.DescribeAsync(OpenIdProvider.Oidc, TestContext.Current.CancellationToken)).EndSession;
        }

        Assert.Equal(new Uri($"{issuer}/out"), await OfferedAsync($"{issuer}/out"));
        Assert.Equal(new Uri("https://login.hospital.example/out?tenant=1"), await OfferedAsync("https://login.hospital.example/out?tenant=1"));
        foreach (var none in new object?[] { null, 7, "", "/out", "http://login.hospital.example/out", "javascript:alert(1)", "file:///etc/passwd" })
            Assert.Null(await OfferedAsync(none));
    }

    [Fact]
    public void SignOutAt_WithAndWithoutIdToken_TellsWhoseSessionAndWhereTo()
    {
        using var provider = Provider();
        var asked = new AskedSignOut("st&te", "a.b.c", "https://bridge.example/signin/left", 0);
        Assert.Equal(
            "https://login.example/out?tenant=1&post_logout_redirect_uri=https%3A%2F%2Fbridge.example%2Fsignin%2Fleft&state=st%26te&id_token_hint=a.b.c",
            provider.SignOutAt(new Uri("https://login.example/out?tenant=1"), asked).AbsoluteUri);
        Assert.Equal(
            "https://login.example/out?post_logout_redirect_uri=https%3A%2F%2Fbridge.example%2Fsignin%2Fleft&state=st%26te&client_id=bridge-console",
            provider.SignOutAt(new Uri("https://login.example/out"), asked with { IdToken = null }).AbsoluteUri);
    }

    private async Task<JsonElement> RedeemAsync()
    {
        using var provider = Provider();
        return (await provider.RedeemAsync(new CodeExchange(OpenIdProvider.Oidc, "code", "verifier", "http://localhost/signin/callback", Nonce), TestContext.Current.CancellationToken)).Claims;
    }

    private OpenIdProvider Provider() => new(Options(), new FakeTimeProvider(Now));

    private SignInOptions Options() => new(
        new Uri(issuer), null, Client, null, "openid", null, "roles", Roles.All.ToDictionary(role => role, _ => (IReadOnlyList<string>)[]), "licence", null,
        TimeSpan.FromMinutes(30), TimeSpan.FromHours(12), SamplePeople: false, EndsThere: true);

    private string Token(Action<Dictionary<string, object?>>? change = null)
    {
        var claims = new Dictionary<string, object?>
        {
            ["iss"] = issuer,
            ["aud"] = Client,
            ["sub"] = "iris",
            ["nonce"] = Nonce,
            ["exp"] = Now.AddMinutes(5).ToUnixTimeSeconds(),
        };
        change?.Invoke(claims);
        return Signed("""{"alg":"RS256","typ":"JWT"}""", B64(JsonSerializer.Serialize(claims)), input => key.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static string Signed(string header, string payload, Func<byte[], byte[]> sign)
    {
        var input = $"{B64(header)}.{payload}";
        return $"{input}.{Base64Url.Encode(sign(Encoding.ASCII.GetBytes(input)))}";
    }

    private static string KeySet(RSA rsa) => $$"""{"keys":[{{Jwk(rsa)}}]}""";

    private static string Jwk(RSA rsa)
    {
        var parameters = rsa.ExportParameters(false);
        return $$"""{"kty":"RSA","use":"sig","n":"{{Base64Url.Encode(parameters.Modulus)}}","e":"{{Base64Url.Encode(parameters.Exponent)}}"}""";
    }

    private static string B64(string text) => Base64Url.Encode(Encoding.UTF8.GetBytes(text));

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        key.Dispose();
        other.Dispose();
    }
}
