using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A page in every look that people have it in.</summary>
internal static class Looks
{
    /// <summary>Light and dark, wide, narrow and at 200 % zoom, English and Chinese: axe finds nothing and nothing has to be scrolled sideways. Ends in English, light.</summary>
    /// <param name="person">At the page, in English.</param>
    /// <param name="name">Of the pictures.</param>
    /// <param name="mark">Finds in the page, in a language, what shows that it speaks it.</param>
    public static async Task TryAllAsync(ConsolePerson person, string name, Func<bool, ILocator> mark)
    {
        var faults = new List<string>();
        foreach (var chinese in new[] { true, false })
        {
            await person.Page.Locator(".language select").SelectOptionAsync(chinese ? "zh-CN" : "en");
            await mark(chinese).WaitForAsync();
            foreach (var (dark, width) in new[] { (!chinese, 360), (false, 720), (chinese, 1440) })
            {
                await person.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
                await person.Page.SetViewportSizeAsync(width, width == 720 ? 450 : 900);
                var look = $"{name}-{(chinese ? "zh" : "en")}-{(dark ? "dark" : "light")}-{width}";
                faults.AddRange(await person.AxeAsync(look));
                if (await person.ScrollsSidewaysAsync())
                    faults.Add($"{look} scrolls sideways");
                await person.PictureAsync(look);
            }
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }
}
