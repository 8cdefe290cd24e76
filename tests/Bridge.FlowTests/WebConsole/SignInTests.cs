using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Hospital;
using Bridge.Sandbox.Processes;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>Signing in against an authorisation server that nobody here wrote.</summary>
[Collection(HospitalPagesCollection.Name)]
public class SignInTests(HospitalFixture fixture)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task CodeFlow_PeopleOfTheHospital_GetTheirRolesAndNobodyElseGetsIn()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;

        // The doctor's licence comes from the Practitioner that fhirUser names.
        using var iris = new PlainBrowser();
        var callback = await iris.WalkAsync(new Uri(home, "/signin?return=/queue"), home, "/signin/callback", "iris");
        using (var back = await iris.GetAsync(callback))
        {
            Assert.Equal("/queue", back.Headers.Location!.OriginalString);
            var cookie = back.Headers.GetValues("Set-Cookie").Single(text => text.StartsWith("bridge-session-", StringComparison.Ordinal));
            Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        }
        var me = await MeAsync(iris, home);
        Assert.Equal("LIC-iris", me.GetProperty("licence").GetString());
        Assert.Equal(["doctor"], me.GetProperty("roles").EnumerateArray().Select(role => role.GetString()));
        Assert.Equal("Iris Keller", me.GetProperty("display").GetString());

        using var dual = new PlainBrowser();
        await FinishAsync(dual, home, "dual");
        Assert.Equal(["operator", "desk"], (await MeAsync(dual, home)).GetProperty("roles").EnumerateArray().Select(role => role.GetString()));

        foreach (var (login, problem) in new[] { ("stranger", "no-role"), ("nolicence", "no-licence"), ("foreign", "no-role") })
        {
            using var other = new PlainBrowser();
            Assert.Equal($"/?problem={problem}", await FinishAsync(other, home, login));
            using var answer = await other.GetAsync(new Uri(home, "/api/me"));
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        // Signed out is signed out, also for who kept the cookie.
        var kept = iris.Cookies.GetCookieHeader(home);
        using (var refused = await iris.SendAsync(HttpMethod.Post, new Uri(home, "/signin/out")))
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using (var done = await iris.SendAsync(HttpMethod.Post, new Uri(home, "/signin/out"), null, ("X-Bridge-Console", "1")))
            Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        using var thief = new HttpClient(new HttpClientHandler { UseCookies = false });
        using var asked = new HttpRequestMessage(HttpMethod.Get, new Uri(home, "/api/me"));
        asked.Headers.Add("Cookie", kept);
        using var told = await thief.SendAsync(asked, Ct);
        Assert.Equal(HttpStatusCode.Unauthorized, told.StatusCode);
    }

    [Fact]
    public async Task Callback_ForgedReplayedOrOfAnotherBrowser_OpensNoSession()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;
        using var victim = new PlainBrowser();
        using var attacker = new PlainBrowser();
        var hers = await victim.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", "otto");
        var his = await attacker.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", "dual");

        // Sign-in CSRF: the attacker's answer in the victim's browser. It also uses the victim's own request up.
        Assert.Equal("/?problem=expired", await LocationAsync(victim, his));
        Assert.Equal("/?problem=expired", await LocationAsync(victim, hers));
        // In the right browser, once.
        Assert.Equal("/", await LocationAsync(attacker, his));
        Assert.Equal("/?problem=expired", await LocationAsync(attacker, his));

        // A stolen code without its verifier: another request's state, this code.
        using var other = new PlainBrowser();
        var third = await other.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", "otto");
        using var fourth = new PlainBrowser();
        var mixed = await fourth.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", "otto");
        Assert.Equal("/?problem=provider", await LocationAsync(fourth, WithCodeOf(mixed, third)));
        // The server said no.
        using var cancelled = new PlainBrowser();
        var fifth = await cancelled.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", "otto");
        Assert.Equal("/?problem=refused", await LocationAsync(cancelled, new Uri(home, $"/signin/callback?error=access_denied&state={Query(fifth, "state")}")));
        Assert.Equal("/", await FinishToAsync(home, "/signin?return=//evil.example"));
        Assert.Equal("/", await FinishToAsync(home, "/signin?return=https://evil.example"));
    }

    [Fact]
    public async Task Launch_FromTheEhr_SignsInAndFromElsewhereDoesNot()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        var start = new Uri(home, $"/signin/launch?iss={Uri.EscapeDataString(place.Oidc.SmartIssuer)}&launch=xyz123");
        using (var sent = await browser.GetAsync(start))
        {
            var asked = sent.Headers.Location!;
            Assert.Equal("xyz123", Query(asked, "launch"));
            Assert.Equal(place.Oidc.SmartIssuer, Query(asked, "aud"));
            Assert.Equal("S256", Query(asked, "code_challenge_method"));
            Assert.StartsWith("launch openid", Query(asked, "scope"), StringComparison.Ordinal);
        }
        var callback = await browser.WalkAsync(start, home, "/signin/callback", "launched");
        Assert.Equal("/", await LocationAsync(browser, callback));
        var me = await MeAsync(browser, home);
        Assert.Equal(("LIC-iris", "doctor"), (me.GetProperty("licence").GetString(), me.GetProperty("roles")[0].GetString()));

        using var tricked = new PlainBrowser();
        Assert.Equal("/?problem=foreign-launch", await LocationAsync(tricked, new Uri(home, "/signin/launch?iss=https%3A%2F%2Fevil.example%2Ffhir&launch=1")));
        Assert.Equal("/?problem=foreign-launch", await LocationAsync(tricked, new Uri(home, $"/signin/launch?iss={Uri.EscapeDataString(place.Oidc.SmartIssuer)}")));
    }

    [Fact]
    public async Task SignOut_AtASharedWorkstation_EndsTheSessionAtTheProviderToo()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        await FinishAsync(browser, home, "iris");

        // What the page gets to read holds no token.
        using (var done = await browser.SendAsync(HttpMethod.Post, new Uri(home, "/signin/out"), null, ("X-Bridge-Console", "1")))
        {
            Assert.Equal("""{"outcome":"SIGNED_OUT","next":"/signin/leave"}""", await done.Content.ReadAsStringAsync(Ct));
            Assert.All(done.Headers.GetValues("Set-Cookie"), cookie => Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase));
        }
        // Our own session is over before the browser leaves.
        using (var me = await browser.GetAsync(new Uri(home, "/api/me")))
            Assert.Equal(HttpStatusCode.Unauthorized, me.StatusCode);
        var there = new Uri(await LocationAsync(browser, new Uri(home, "/signin/leave")));
        Assert.StartsWith(place.Oidc.Issuer, there.AbsoluteUri, StringComparison.Ordinal);
        Assert.Equal(new Uri(home, "/signin/left").AbsoluteUri, Query(there, "post_logout_redirect_uri"));
        Assert.Equal(3, Query(there, "id_token_hint").Split('.').Length);
        var back = await browser.WalkAsync(there, home, "/signin/left", "");
        Assert.Equal(Query(there, "state"), Query(back, "state"));
        // Of no use in another browser, with another state, or a second time; and it leads nowhere else.
        using var stranger = new PlainBrowser();
        Assert.Equal("/", await LocationAsync(stranger, back));
        Assert.Equal("/", await LocationAsync(stranger, new Uri(home, "/signin/leave")));
        Assert.Equal("/", await LocationAsync(browser, new Uri(home, "/signin/left?state=https://evil.example")));
        Assert.Equal("/?left=ended", await LocationAsync(browser, back));
        Assert.Equal("/", await LocationAsync(browser, back));

        // Even a sign-in that does not ask for it, from the address bar, finds no session at the provider.
        var begun = new Uri(await LocationAsync(browser, new Uri(home, "/signin")));
        Assert.Equal("login", Query(begun, "prompt"));
        var quiet = new Uri(begun.AbsoluteUri.Replace("&prompt=login&max_age=0", "", StringComparison.Ordinal));
        Assert.Equal("/", await LocationAsync(browser, await browser.WalkAsync(quiet, home, "/signin/callback", "otto")));
        Assert.Equal("Otto Brandt", (await MeAsync(browser, home)).GetProperty("display").GetString());
    }

    [Fact]
    public async Task SignOut_ProviderThatEndsNoSessions_SaysSoAndAsksAgain()
    {
        await using var place = await StartAsync(endsSessions: false);
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        await FinishAsync(browser, home, "iris");
        // She is here: whoever signs in again is not asked.
        Assert.Null(System.Web.HttpUtility.ParseQueryString(new Uri(await LocationAsync(browser, new Uri(home, "/signin"))).Query)["prompt"]);

        Assert.Equal("/signin/leave", await SignOutAsync(browser, home));
        Assert.Equal("/?left=open", await LocationAsync(browser, new Uri(home, "/signin/leave")));

        // The provider still knows her, and asks the next one all the same.
        await FinishAsync(browser, home, "otto");
        Assert.Equal("Otto Brandt", (await MeAsync(browser, home)).GetProperty("display").GetString());
        // So it does where a session ran out without anybody signing out.
        foreach (System.Net.Cookie cookie in browser.Cookies.GetCookies(home))
            cookie.Expired = cookie.Name.StartsWith("bridge-session", StringComparison.Ordinal);
        await FinishAsync(browser, home, "dual");
        Assert.Equal("Dua Lind", (await MeAsync(browser, home)).GetProperty("display").GetString());
    }

    [Fact]
    public async Task SignOut_WhereSingleSignOnIsKept_EndsOurSessionAndSaysWhatStaysOpen()
    {
        await using var place = await StartAsync(more: [("SignIn:SignOut", "Here")]);
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        await FinishAsync(browser, home, "iris");
        Assert.Equal("/?left=here", await SignOutAsync(browser, home));
        using (var me = await browser.GetAsync(new Uri(home, "/api/me")))
            Assert.Equal(HttpStatusCode.Unauthorized, me.StatusCode);
        // One click.
        await FinishAsync(browser, home, "otto");
        Assert.Equal("Iris Keller", (await MeAsync(browser, home)).GetProperty("display").GetString());
    }

    [Fact]
    public async Task SignOut_AfterALaunch_LeavesTheEhrsSessionAlone()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        var start = new Uri(home, $"/signin/launch?iss={Uri.EscapeDataString(place.Oidc.SmartIssuer)}&launch=xyz123");
        await LocationAsync(browser, await browser.WalkAsync(start, home, "/signin/callback", "launched"));
        Assert.Equal("/?left=open", await SignOutAsync(browser, home));
        Assert.Equal("login", Query(new Uri(await LocationAsync(browser, new Uri(home, "/signin"))), "prompt"));
    }

    // Whoever says no there stays signed in there, which is theirs to say; the console asks all the same.
    [Fact]
    public async Task SignOut_RefusedAtTheProvider_NextSignInAsksAllTheSame()
    {
        await using var place = await StartAsync();
        await using var person = await fixture.Browser.PersonAsync(place.Rig.BaseAddress, "en-GB");
        var page = person.Page;
        await page.GotoAsync("/");
        await SignInAsync(page, "otto");
        await person.Button("Sign out").ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "No, stay signed in" }).ClickAsync();
        await page.GetByText("If you chose to stay signed in there").WaitForAsync();

        await SignInAsync(page, "dual");
        await page.GetByText("Dua Lind").WaitForAsync();
    }

    [Theory]
    [InlineData("en-GB")]
    [InlineData("zh-CN")]
    public async Task Session_NearItsEnd_SaysSoAndGoesOnAfterASignInElsewhere(string language)
    {
        await using var place = await StartAsync(more: [("SignIn:Idle", "00:05:00"), ("SignIn:Absolute", "00:09:00")]);
        await using var person = await fixture.Browser.PersonAsync(place.Rig.BaseAddress, language);
        var page = person.Page;
        await page.GotoAsync("/");
        await SignInAsync(page, "otto", language == "zh-CN");
        var again = page.GetByRole(AriaRole.Link, new() { Name = language == "zh-CN" ? "重新登录" : "Sign in again" });
        await again.WaitForAsync();
        Assert.Empty(await person.AxeAsync("session-end"));
        foreach (var width in new[] { 390, 1280 })
        {
            await page.SetViewportSizeAsync(width, 900);
            Assert.False(await person.ScrollsSidewaysAsync());
            await person.PictureAsync($"session-end-{language}-{width}");
        }
        var ends = await EndsAtAsync(page);

        // One click: who is at work is not asked for the password.
        var tab = await page.Context.RunAndWaitForPageAsync(() => again.ClickAsync());
        await tab.GetByRole(AriaRole.Navigation).WaitForAsync();
        Assert.True(await EndsAtAsync(page) > ends);
        await tab.EvaluateAsync("fetch('/signin/out', { method: 'POST', headers: { 'X-Bridge-Console': '1', 'Content-Type': 'application/json' }, body: '{}' })");

        // Back at the first: nobody is here any more, and the page does not go on as if.
        await page.EvaluateAsync("dispatchEvent(new Event('focus'))");
        await page.GetByRole(AriaRole.Link, new() { Name = language == "zh-CN" ? "用医院账号登录" : "Sign in with the hospital account" }).WaitForAsync();
    }

    [Fact]
    public async Task Page_SomebodyElseSignedInBesideIt_BecomesTheirs()
    {
        await using var place = await StartAsync();
        await using var person = await fixture.Browser.PersonAsync(place.Rig.BaseAddress, "en-GB");
        var page = person.Page;
        await page.GotoAsync("/");
        await SignInAsync(page, "otto");
        var name = await page.Locator(".person").InnerTextAsync();
        var tab = await page.Context.NewPageAsync();
        await tab.GotoAsync("/");
        await tab.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await tab.ClickAsync("button[name=logout][value=yes]");
        await SignInAsync(tab, "dual");

        await page.EvaluateAsync("document.querySelector('main').dataset.of = 'otto'; dispatchEvent(new Event('focus'))");

        await page.Locator(".person").Filter(new() { HasText = "Dua Lind" }).WaitForAsync();
        Assert.NotEqual("Dua Lind", name);
        Assert.Equal(0, await page.Locator("main[data-of=otto]").CountAsync());
    }

    [Theory]
    [InlineData("en-GB")]
    [InlineData("zh-CN")]
    public async Task SignOut_InTheBrowser_NextPersonIsAskedForThePassword(string language)
    {
        await using var place = await StartAsync();
        await using var person = await fixture.Browser.PersonAsync(place.Rig.BaseAddress, language);
        var page = person.Page;
        var chinese = language == "zh-CN";
        await page.GotoAsync("/");
        await SignInAsync(page, "otto", chinese);
        await person.Button(chinese ? "退出登录" : "Sign out").ClickAsync();
        await page.ClickAsync("button[name=logout][value=yes]");
        await page.GetByText(chinese ? "您已退出 Bridge。" : "You are signed out of Bridge.").WaitForAsync();
        Assert.EndsWith("/?left=ended", page.Url, StringComparison.Ordinal);
        foreach (var left in new[] { "ended", "open", "here" })
            foreach (var width in new[] { 390, 1280 })
            {
                await page.SetViewportSizeAsync(width, 900);
                await page.GotoAsync($"/?left={left}");
                await page.GetByText(chinese ? "您已退出 Bridge。" : "You are signed out of Bridge.").WaitForAsync();
                Assert.Empty(await person.AxeAsync(left));
                Assert.False(await person.ScrollsSidewaysAsync());
                await person.PictureAsync($"signed-out-{left}-{language}-{width}");
            }
        // Fails unless the form is there to fill in.
        await SignInAsync(page, "dual", chinese);
        await page.GetByText("Dua Lind").WaitForAsync();
    }

    [Fact]
    public async Task Cookie_WithoutTheConsolesOwnHeader_ChangesNothing()
    {
        await using var place = await StartAsync();
        var home = place.Rig.BaseAddress;
        using var browser = new PlainBrowser();
        await FinishAsync(browser, home, "otto");
        var pause = new Uri(home, "/api/operations/pause");
        const string Why = """{"reason":"maintenance"}""";
        foreach (var headers in new (string, string)[][]
        {
            [],
            [("X-Bridge-Console", "1"), ("Sec-Fetch-Site", "cross-site")],
            [("X-Bridge-Console", "1"), ("Sec-Fetch-Site", "same-site")],
            [("X-Bridge-Console", "1"), ("Origin", "https://evil.example")],
            [("Origin", "null")],
        })
        {
            using var refused = await browser.SendAsync(HttpMethod.Post, pause, Why, headers);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
            Assert.Contains("FORGED", await refused.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }
        using var own = await browser.SendAsync(
            HttpMethod.Post, pause, Why, ("X-Bridge-Console", "1"), ("Sec-Fetch-Site", "same-origin"), ("Origin", home.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
        // A path is matched whatever its case, and so is the fence; no session is needed to sign somebody in as another.
        foreach (var path in new[] { "/signin/sample", "/SIGNIN/sample", "/SignIn/Sample" })
        {
            using var stranger = new PlainBrowser();
            using var refused = await stranger.SendAsync(HttpMethod.Post, new Uri(home, path), """{"person":0}""");
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }
        // A socket is opened by GET and with the cookie, by a page of a neighbour too.
        foreach (var (origin, expected) in new[] { ("https://evil.example", HttpStatusCode.Forbidden), ("null", HttpStatusCode.Forbidden), (home.GetLeftPart(UriPartial.Authority), HttpStatusCode.OK) })
        {
            using var socket = await browser.SendAsync(HttpMethod.Get, new Uri(home, "/api/me"), null, ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Origin", origin));
            Assert.Equal(expected, socket.StatusCode);
        }
        // Anyone may be anyone in the Sandbox only.
        using var sample = await browser.SendAsync(HttpMethod.Post, new Uri(home, "/signin/sample"), """{"person":0}""", ("X-Bridge-Console", "1"));
        Assert.Equal(HttpStatusCode.NotFound, sample.StatusCode);
    }

    private static Uri WithCodeOf(Uri callback, Uri other) =>
        new(callback.AbsoluteUri.Replace(Uri.EscapeDataString(Query(callback, "code")), Uri.EscapeDataString(Query(other, "code")), StringComparison.Ordinal));

    private static string Query(Uri uri, string name) => System.Web.HttpUtility.ParseQueryString(uri.Query)[name]!;

    private static async Task<string> FinishToAsync(Uri home, string start)
    {
        using var browser = new PlainBrowser();
        return await LocationAsync(browser, await browser.WalkAsync(new Uri(home, start), home, "/signin/callback", "otto"));
    }

    private static async Task<string> FinishAsync(PlainBrowser browser, Uri home, string login) =>
        await LocationAsync(browser, await browser.WalkAsync(new Uri(home, "/signin"), home, "/signin/callback", login));

    private static async Task<string> SignOutAsync(PlainBrowser browser, Uri home)
    {
        using var done = await browser.SendAsync(HttpMethod.Post, new Uri(home, "/signin/out"), null, ("X-Bridge-Console", "1"));
        return JsonElement.Parse(await done.Content.ReadAsStringAsync(Ct)).GetProperty("next").GetString()!;
    }

    private static async Task<string> LocationAsync(PlainBrowser browser, Uri at)
    {
        using var response = await browser.GetAsync(at);
        return response.Headers.Location!.OriginalString;
    }

    private static async Task<JsonElement> MeAsync(PlainBrowser browser, Uri home)
    {
        using var response = await browser.GetAsync(new Uri(home, "/api/me"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return JsonElement.Parse(await response.Content.ReadAsStringAsync(Ct));
    }

    // Through the forms of the provider, which must be there to be filled in.
    private static async Task SignInAsync(IPage page, string login, bool chinese = false)
    {
        await page.GetByRole(AriaRole.Link, new() { Name = chinese ? "用医院账号登录" : "Sign in with the hospital account" }).ClickAsync();
        await page.FillAsync("input[name=login]", login);
        await page.FillAsync("input[name=password]", "any");
        await page.ClickAsync("button[type=submit]");
        await page.ClickAsync("button[type=submit]");
        await page.GetByRole(AriaRole.Navigation).WaitForAsync();
    }

    private static async Task<DateTimeOffset> EndsAtAsync(IPage page) => DateTimeOffset.Parse(
        await page.EvaluateAsync<string>("fetch('/api/me').then((answer) => answer.json()).then((me) => me.session.endsAt)"), CultureInfo.InvariantCulture);

    private async Task<Place> StartAsync(bool endsSessions = true, params (string Key, string Value)[] more)
    {
        await fixture.PutAsync(new JsonObject
        {
            ["resourceType"] = "Practitioner",
            ["id"] = "prac-iris",
            ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:register", ["value"] = "LIC-iris" }),
        });
        var port = Ports.FreeRun(0, 1);
        var origin = $"http://127.0.0.1:{port}";
        var rig = Rig.Create(fixture);
        var oidc = await OidcServer.StartAsync(rig.Folder, origin, Ct, endsSessions);
        await rig.StartAsync([("Server:Urls", origin), ("Operations:Workers", "false"), .. oidc.Settings, .. more]);
        return new Place(rig, oidc);
    }

    private sealed record Place(Rig Rig, OidcServer Oidc) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Rig.DisposeAsync();
            await Oidc.DisposeAsync();
        }
    }
}
