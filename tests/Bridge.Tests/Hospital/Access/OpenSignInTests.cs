using System.Net;
using System.Web;
using Bridge.Hospital;
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

/// <summary>Sign-ins that were begun: anybody may begin one, as often as they like, and nobody else's answer ends it.</summary>
public sealed class OpenSignInTests : IAsyncLifetime
{
    private static readonly AskedSignIn Asked = new("state", "nonce", "verifier", "https://bridge.example/signin/callback", "/queue", "oidc", 17);
    private readonly FakeTimeProvider clock = new(TestStore.Now);
    private WebApplication server = null!;
    private string issuer = "";
    private bool answers = true;
    private int asked;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        server = builder.Build();
        server.MapGet("/.well-known/openid-configuration", () =>
        {
            Interlocked.Increment(ref asked);
            return answers
                ? Results.Json(new { issuer, authorization_endpoint = $"{issuer}/a", token_endpoint = $"{issuer}/t", jwks_uri = $"{issuer}/k" })
                : Results.StatusCode(503);
        });
        server.MapPost("/t", () => Results.Json(new { error = "invalid_grant" }, statusCode: 400));
        await server.StartAsync();
        issuer = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
    }

    [Theory]
    [OnBothEngines]
    public async Task BeginAndFinish_ByNobodyAThousandTimes_LeavesNothingInTheDatabase(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        using var provider = Provider();
        var signIn = SignIn(store, provider);
        async Task<List<long>> RowsAsync()
        {
            var counts = new List<long>();
            foreach (var table in (string[])["sign_in_done", "session", "audit", "bookmark", "lease"])
                counts.Add(await store.ReadAsync(work => work.ScalarAsync<long>($"SELECT COUNT(*) FROM {table}")));
            return counts;
        }
        await signIn.BeginAsync(OpenIdProvider.Oidc, null, "http://localhost/signin/callback", "/", anew: false, Ct);
        var before = await RowsAsync();

        for (var i = 0; i < 1000; i++)
        {
            var (address, cookie) = (await signIn.BeginAsync(OpenIdProvider.Oidc, null, "http://localhost/signin/callback", "/", anew: false, Ct))!.Value;
            if (i % 100 == 0)
                // With an answer that the authorisation server never gave.
                Assert.Equal(SignInProblem.Provider, (await signIn.FinishAsync(cookie, HttpUtility.ParseQueryString(address.Query)["state"], "made up", null, null, Ct)).Problem);
        }

        Assert.Equal(before, await RowsAsync());
        Assert.Equal(1, asked);
    }

    [Theory]
    [OnBothEngines]
    public async Task Finish_OfAnotherBrowserTooLateOrTamperedWith_IsExpired(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        using var provider = Provider();
        var signIn = SignIn(store, provider);
        var (address, cookie) = (await signIn.BeginAsync(OpenIdProvider.Oidc, null, "http://localhost/signin/callback", "/", anew: false, Ct))!.Value;
        var (_, other) = (await signIn.BeginAsync(OpenIdProvider.Oidc, null, "http://localhost/signin/callback", "/", anew: false, Ct))!.Value;
        var state = HttpUtility.ParseQueryString(address.Query)["state"];
        foreach (var given in new[] { null, "", other, cookie[..^8], "A" + cookie, cookie[..20] + (cookie[20] == 'A' ? 'B' : 'A') + cookie[21..], new string('A', 100_000) })
            Assert.Equal(SignInProblem.Expired, (await signIn.FinishAsync(given, state, "code", null, null, Ct)).Problem);
        Assert.Equal(SignInProblem.Expired, (await signIn.FinishAsync(cookie, "another", "code", null, null, Ct)).Problem);
        Assert.Equal(SignInProblem.Expired, (await signIn.FinishAsync(cookie, null, "code", null, null, Ct)).Problem);
        Assert.Equal(SignInProblem.Refused, (await signIn.FinishAsync(cookie, state, null, "access_denied", null, Ct)).Problem);

        clock.Advance(TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(1));
        Assert.Equal(SignInProblem.Expired, (await signIn.FinishAsync(cookie, state, null, "access_denied", null, Ct)).Problem);
    }

    [Theory]
    [OnBothEngines]
    public async Task Seal_OnOneInstance_IsOpenedOnAnotherAndNotInAnotherHospital(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        await using var elsewhere = await TestStore.CreateAsync(engine);
        using var again = store.OpenAgain();
        // Both instances draw the key at the same time.
        var (first, second) = (new SignInSeal(store.Database, clock), new SignInSeal(again, clock));
        var cookies = await Task.WhenAll(first.SealAsync(Asked, Ct), second.SealAsync(Asked, Ct));

        Assert.NotEqual(cookies[0], cookies[1]);
        Assert.Equal(Asked, await second.OpenAsync<AskedSignIn>(cookies[0], Ct));
        Assert.Equal(Asked, await first.OpenAsync<AskedSignIn>(cookies[1], Ct));
        Assert.Null(await new SignInSeal(elsewhere.Database, clock).OpenAsync<AskedSignIn>(cookies[0], Ct));
        // A browser keeps no cookie of more than 4,096 bytes.
        Assert.InRange(cookies[0].Length, 1, 1000);
        Assert.DoesNotContain("verifier", System.Text.Encoding.UTF8.GetString(Base64Url.Decode(cookies[0])), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Describe_ServerThatFails_IsNotAskedForEachCaller()
    {
        answers = false;
        using var provider = Provider();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Assert.ThrowsAsync<SignInException>(() => provider.DescribeAsync(OpenIdProvider.Oidc, Ct))));
        Assert.Equal(1, asked);

        answers = true;
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(issuer, (await provider.DescribeAsync(OpenIdProvider.Oidc, Ct)).Issuer);
    }

    private OpenIdProvider Provider() => new(Options(), clock);

    private SignIn SignIn(TestStore store, OpenIdProvider provider) => new(
        store.Database, provider, new SignInSeal(store.Database, clock), Options(), null!, null!, new HospitalOptions("HospitalAMSP", "Linden Hospital"), clock, NullLogger<SignIn>.Instance);

    private SignInOptions Options() => new(
        new Uri(issuer), null, "bridge-console", null, "openid", null, "roles", Roles.All.ToDictionary(role => role, _ => (IReadOnlyList<string>)[]), null, null,
        TimeSpan.FromMinutes(30), TimeSpan.FromHours(12), SamplePeople: false, EndsThere: true);

    public async ValueTask DisposeAsync() => await server.DisposeAsync();
}
