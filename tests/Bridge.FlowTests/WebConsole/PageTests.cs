using System.Net;
using Bridge.FlowTests.Hospital;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>How the console is served, and what everybody sees of it.</summary>
[Collection(HospitalPagesCollection.Name)]
public class PageTests(HospitalFixture fixture)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_Served_AreCachedByNameAndBoundByPolicy()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(("Operations:Workers", "false"));
        using var http = new HttpClient();
        var page = await http.GetAsync(rig.BaseAddress, Ct);
        var html = await page.Content.ReadAsStringAsync(Ct);
        Assert.Equal("no-cache", page.Headers.CacheControl!.ToString());
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("require-trusted-types-for 'script'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("http", policy, StringComparison.Ordinal);

        var scripts = System.Text.RegularExpressions.Regex.Matches(html, "(?:src|href)=\"(/assets/[^\"]+)\"").Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(scripts);
        foreach (var path in scripts)
        {
            var file = await http.GetAsync(new Uri(rig.BaseAddress, path), Ct);
            Assert.Equal("public, max-age=31536000, immutable", file.Headers.CacheControl!.ToString());
        }
        using var again = new HttpRequestMessage(HttpMethod.Get, rig.BaseAddress);
        again.Headers.IfNoneMatch.Add(page.Headers.ETag!);
        Assert.Equal(HttpStatusCode.NotModified, (await http.SendAsync(again, Ct)).StatusCode);
        // Addresses of pages give the page; what is missing elsewhere is missing.
        Assert.Equal(html, await http.GetStringAsync(new Uri(rig.BaseAddress, "/queue"), Ct));
        foreach (var missing in new[] { "/assets/none.js", "/api/none" })
            Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri(rig.BaseAddress, missing), Ct)).StatusCode);
        var api = await http.GetAsync(new Uri(rig.BaseAddress, "/api/me"), Ct);
        Assert.Equal((HttpStatusCode.Unauthorized, "no-store"), (api.StatusCode, api.Headers.CacheControl!.ToString()));
    }

    [Fact]
    public async Task SignIn_EveryLookAndLanguage_IsAccessibleAndKeepsThePolicy()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(("Operations:Workers", "false"), ("SignIn:SamplePeople", "true"));
        var faults = new List<string>();
        foreach (var (language, dark, width) in new[] { ("en-GB", false, 1440), ("en-GB", true, 360), ("zh-CN", true, 1440), ("zh-CN", false, 360) })
        {
            await using var person = await fixture.Browser.PersonAsync(rig.BaseAddress, language, dark, width);
            var look = $"{language}-{(dark ? "dark" : "light")}-{width}";
            await person.Page.GotoAsync("/?problem=no-licence");
            await person.Page.GetByRole(AriaRole.Alert).WaitForAsync();
            faults.AddRange(await person.AxeAsync($"sign-in {look}"));
            await person.PictureAsync($"sign-in-{look}");
            Assert.False(await person.ScrollsSidewaysAsync(), look);
            Assert.Equal(language.StartsWith("zh", StringComparison.Ordinal) ? "zh-CN" : "en", await person.Page.EvaluateAsync<string>("document.documentElement.lang"));

            // By keyboard alone: the language, then the first person.
            await person.Page.Keyboard.PressAsync("Tab");
            await person.Page.Keyboard.PressAsync("Tab");
            await person.Page.Keyboard.PressAsync("Enter");
            await person.Page.GetByRole(AriaRole.Navigation).WaitForAsync();
            faults.AddRange(await person.AxeAsync($"start {look}"));
            await person.PictureAsync($"start-{look}");
            Assert.False(await person.ScrollsSidewaysAsync(), look);

            await person.Button(language == "zh-CN" ? "退出登录" : "Sign out").ClickAsync();
            await person.Button("desk", exact: false).WaitForAsync();
            Assert.Empty(person.Complaints);
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }
}
