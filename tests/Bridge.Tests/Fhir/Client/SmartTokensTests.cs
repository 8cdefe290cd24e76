using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bridge.Fhir.Client;
using Bridge.FhirServers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Fhir.Client;

public class SmartTokensTests
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    public static TheoryData<string> Algorithms => ["RS384", "ES384"];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task TokenAsync_EitherAlgorithm_SendsAnAssertionThatTheHostedJwksVerifies(string algorithm)
    {
        using var key = algorithm == "RS384" ? SmartKey.NewRs384() : SmartKey.NewEs384();
        using var again = SmartKey.FromPem(key.ToPem());
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        var seen = new ConcurrentBag<string>();
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => AuthorizeAsync(c, SmartKey.Jwks(key), server.BaseUrl + "token", time, seen, 300);
        using var tokens = new SmartTokens(new SmartOptions { TokenEndpoint = new Uri(server.BaseUrl, "token"), ClientId = "bridge", JwksUrl = new Uri("https://bridge.example.org/jwks") }, again, time);

        var first = await tokens.TokenAsync(Stop);
        Assert.Equal(first, await tokens.TokenAsync(Stop));
        Assert.Single(server.Requests);
        Assert.Equal("system/Encounter.rs", tokens.GrantedScope);
        time.Advance(TimeSpan.FromSeconds(271));
        Assert.NotEqual(first, await tokens.TokenAsync(Stop));

        Assert.Equal(algorithm, again.Algorithm);
        Assert.Equal(key.KeyId, again.KeyId);
        Assert.Equal(2, seen.Distinct().Count());
    }

    [Fact]
    public async Task TokenAsync_ManyCallers_AskOnce()
    {
        using var key = SmartKey.NewEs384();
        await using var server = await ScriptedServer.StartAsync();
        server.Handle = c => AuthorizeAsync(c, SmartKey.Jwks(key), server.BaseUrl + "token", TimeProvider.System, [], 300);
        using var tokens = new SmartTokens(new SmartOptions { TokenEndpoint = new Uri(server.BaseUrl, "token"), ClientId = "bridge" }, key);

        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => tokens.TokenAsync(Stop).AsTask()));

        Assert.Single(all.Distinct());
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task SearchAsync_TokenNoLongerTaken_FetchesAnotherOnce()
    {
        using var key = SmartKey.NewEs384();
        await using var server = await ScriptedServer.StartAsync();
        var searches = 0;
        server.Handle = c => c.Request.Path.Value!.EndsWith("token", StringComparison.Ordinal)
            ? AuthorizeAsync(c, SmartKey.Jwks(key), server.BaseUrl + "token", TimeProvider.System, [], 300)
            : Interlocked.Increment(ref searches) == 1 ? ScriptedServer.Text(c, 401, "expired") : ScriptedServer.Json(c, ScriptedServer.Bundle([]));
        using var tokens = new SmartTokens(new SmartOptions { TokenEndpoint = new Uri(server.BaseUrl, "token"), ClientId = "bridge" }, key);
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = server.BaseUrl }, tokens);

        await client.SearchAsync(new FhirSearch("Patient"), Stop);

        Assert.Equal(2, server.Requests.Count(r => r.PathAndQuery.EndsWith("token", StringComparison.Ordinal)));
        Assert.Equal(2, server.Requests.Where(r => r.Authorization is not null).Select(r => r.Authorization).Distinct().Count());
    }

    [Theory]
    [InlineData(400, """{"error":"invalid_client","error_description":"Canary"}""", "invalid_client")]
    [InlineData(401, "plain Canary text", "401")]
    [InlineData(200, "<html>Canary</html>", "no bearer token")]
    [InlineData(200, """{"token_type":"bearer"}""", "no bearer token")]
    public async Task TokenAsync_Refused_IsAClearErrorWithoutTheBody(int status, string body, string says)
    {
        using var key = SmartKey.NewEs384();
        await using var server = await ScriptedServer.StartAsync(c => ScriptedServer.Text(c, status, body));
        using var tokens = new SmartTokens(new SmartOptions { TokenEndpoint = new Uri(server.BaseUrl, "token"), ClientId = "bridge" }, key);

        var e = await Assert.ThrowsAsync<FhirException>(() => tokens.TokenAsync(Stop).AsTask());

        Assert.Equal(FhirFault.NoToken, e.Fault);
        Assert.Contains(says, e.Message);
        Assert.DoesNotContain("Canary", e.ToString());
    }

    [Fact]
    public void FromPem_OtherKeys_AreRefusedWithWhatIsWanted()
    {
        using var p256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var small = RSA.Create(1024);

        Assert.Contains("P-384", Assert.Throws<CryptographicException>(() => SmartKey.FromPem(p256.ExportPkcs8PrivateKeyPem())).Message);
        Assert.Contains("2048", Assert.Throws<CryptographicException>(() => SmartKey.FromPem(small.ExportPkcs8PrivateKeyPem())).Message);
        Assert.Contains("PEM", Assert.Throws<CryptographicException>(() => SmartKey.FromPem("no key")).Message);
        using var good = SmartKey.NewEs384();
        Assert.Throws<ArgumentException>(() => new SmartTokens(new SmartOptions { TokenEndpoint = new Uri("http://x/"), ClientId = "c", AssertionLife = TimeSpan.FromMinutes(6) }, good));
    }

    /// <summary>The other side, by the book: checks the assertion with nothing but the published JWKS.</summary>
    private static async Task AuthorizeAsync(HttpContext context, string jwks, string audience, TimeProvider time, ConcurrentBag<string> seen, int life)
    {
        var form = QueryHelpers.ParseQuery((string)context.Items["body"]!);
        var parts = form["client_assertion"].ToString().Split('.');
        using var header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]));
        using var claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]));
        var key = JsonDocument.Parse(jwks).RootElement.GetProperty("keys").EnumerateArray()
            .Single(k => k.GetProperty("kid").GetString() == header.RootElement.GetProperty("kid").GetString());
        var input = Encoding.ASCII.GetBytes(parts[0] + "." + parts[1]);
        var signature = Base64Url.DecodeFromChars(parts[2]);
        byte[] Member(string name) => Base64Url.DecodeFromChars(key.GetProperty(name).GetString());
        bool verified;
        if (key.GetProperty("kty").GetString() == "RSA")
        {
            using var rsa = RSA.Create(new RSAParameters { Modulus = Member("n"), Exponent = Member("e") });
            verified = header.RootElement.GetProperty("alg").GetString() == "RS384" && rsa.VerifyData(input, signature, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
        }
        else
        {
            using var ec = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP384, Q = new ECPoint { X = Member("x"), Y = Member("y") } });
            verified = header.RootElement.GetProperty("alg").GetString() == "ES384" && ec.VerifyData(input, signature, HashAlgorithmName.SHA384);
        }
        var root = claims.RootElement;
        var left = root.GetProperty("exp").GetInt64() - time.GetUtcNow().ToUnixTimeSeconds();
        var good = verified && root.GetProperty("iss").GetString() == "bridge" && root.GetProperty("sub").GetString() == "bridge"
            && root.GetProperty("aud").GetString() == audience && left is > 0 and <= 300
            && form["grant_type"] == "client_credentials" && form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            && !key.TryGetProperty("d", out _);
        seen.Add(root.GetProperty("jti").GetString()!);
        await (good
            ? ScriptedServer.Json(context, $$"""{"access_token":"{{Guid.NewGuid()}}","token_type":"bearer","expires_in":{{life}},"scope":"system/Encounter.rs"}""")
            : ScriptedServer.Json(context, """{"error":"invalid_client"}""", 400));
    }
}
