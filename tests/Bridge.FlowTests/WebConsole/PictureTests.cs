using System.Text.RegularExpressions;
using Bridge.FlowTests.Hospital;
using Bridge.Sandbox.Setup;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>
/// The pictures of the README. Where <c>BRIDGE_PICTURES</c> is set they are taken anew; always, what they show is compared with the console: each text of a picture must still
/// be on its page, so a picture of something that is gone fails. Pixels are not compared: fonts differ between machines.
/// </summary>
[Collection(ConsoleCollection.Name)]
public sealed partial class PictureTests(ConsoleFixture console)
{
    private static readonly string Folder = Path.Combine(Checkout.Find().Root, ".github");

    private static bool Taking => Environment.GetEnvironmentVariable("BRIDGE_PICTURES") is { Length: > 0 };

    [Fact]
    public async Task Pictures_OfTheReadme_ShowWhatTheConsoleShows()
    {
        var named = ReadmePicture().Matches(await File.ReadAllTextAsync(Path.Combine(Checkout.Find().Root, "README.md"), TestContext.Current.CancellationToken)).Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Contains("queue", named);
        var vera = console.Named(ConsoleFixture.Pictured);
        var made = 17;
        await console.QueuedAsync(vera.Licence, 5, async (patient, encounter) =>
        {
            await console.PutAsync(Source.Condition(patient, encounter, Source.Codes[made++]));
            await console.PutAsync(Source.Procedure(patient, encounter, "73761001"));
        });
        foreach (var (name, role) in new[] { ("queue", vera.Name), ("desk", "desk"), ("operations", "operator") })
        {
            if (!named.Remove(name) && !(Taking && ConsolePages.All.Any(page => page.Path == $"/{name}")))
                continue;
            await using var person = role == vera.Name ? await console.AtAsync(vera, width: 1280) : await console.Browser.PersonAsync(console.Rig.BaseAddress, width: 1280);
            if (role != vera.Name)
                await person.SignInAsync(role, $"/{name}");
            await person.Heading(ConsolePages.English[ConsolePages.All.Single(page => page.Path == $"/{name}").Title]).WaitForAsync();
            await person.Page.Locator("main .loading").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
            await CompareAsync(person, name);
        }
        Assert.Empty(named);
    }

    private static async Task CompareAsync(ConsolePerson person, string name)
    {
        await person.Page.SetViewportSizeAsync(1120, 720);
        var file = Path.Combine(Folder, $"{name}.png");
        var now = await ShownAsync(person.Page);
        if (Taking)
            await File.WriteAllBytesAsync(file, Picture.With(await person.Page.ScreenshotAsync(), now), TestContext.Current.CancellationToken);
        var then = Picture.Shown(await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
        Assert.NotEmpty(then);
        Assert.True(then.All(now.Contains), $".github/{name}.png shows what the page no longer has ({string.Join(", ", then.Except(now))}): take it anew with BRIDGE_PICTURES=1");
    }

    /// <summary>The keys of the catalogue's texts that head, name or label something on the page.</summary>
    private static async Task<IReadOnlyList<string>> ShownAsync(IPage page)
    {
        var texts = await page.EvaluateAsync<string[]>(
            "() => [...document.querySelectorAll('nav a, h1, h2, h3, th, dt, button, label, legend')].filter(one => one.checkVisibility()).map(one => one.innerText.trim())");
        return [.. ConsolePages.English.Where(entry => !entry.Value.Contains('{', StringComparison.Ordinal) && texts.Any(text => Regex.IsMatch(text, $@"^{Regex.Escape(entry.Value)}(\s+[a-z?]|\s*:)?$")))
            .Select(entry => entry.Key).Order(StringComparer.Ordinal)];
    }

    [GeneratedRegex(@"!\[[^\]]*\]\(\.github/(\w+)\.png\)")]
    private static partial Regex ReadmePicture();
}
