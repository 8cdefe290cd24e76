using System.Collections.Concurrent;
using System.Text.Json;
using Bridge.Sandbox.Setup;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>One Chromium for all tests of the collection, started when the first one asks.</summary>
public sealed class ConsoleBrowser : IAsyncDisposable
{
    private IPlaywright? playwright;
    private IBrowser? browser;

    internal async Task<IBrowser> GetAsync()
    {
        playwright ??= await Playwright.CreateAsync();
        return browser ??= await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Executable(), Args = ["--no-sandbox", "--disable-dev-shm-usage"] });
    }

    /// <summary>A person's own browser profile.</summary>
    internal async Task<ConsolePerson> PersonAsync(Uri home, string language = "en-GB", bool dark = false, int width = 1440, int height = 900)
    {
        var context = await (await GetAsync()).NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = home.ToString(),
            Locale = language,
            TimezoneId = "Europe/Berlin",
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
            ViewportSize = new ViewportSize { Width = width, Height = height },
        });
        context.SetDefaultTimeout(15_000);
        return await ConsolePerson.OpenAsync(context);
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.CloseAsync();
        playwright?.Dispose();
    }

    private static string Executable() =>
        Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } named ? named
        : new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException("Chromium is not installed: run tests/run.sh, which installs it, or set CHROMIUM to its path.");
}

/// <summary>Somebody at the console: one page, everything that it sent, and everything that it complained about.</summary>
internal sealed class ConsolePerson : IAsyncDisposable
{
    private static string? axe;

    private ConsolePerson(IBrowserContext context, IPage page) => (Context, Page) = (context, page);

    public IBrowserContext Context { get; }

    public IPage Page { get; }

    /// <summary>Each request with its headers and body, as it left the browser.</summary>
    public List<string> Traffic { get; } = [];

    /// <summary>Bodies of what the API answered.</summary>
    public ConcurrentBag<string> Answers { get; } = [];

    /// <summary>Errors of scripts and violations of the content policy.</summary>
    public List<string> Complaints { get; } = [];

    public static async Task<ConsolePerson> OpenAsync(IBrowserContext context)
    {
        var person = new ConsolePerson(context, await context.NewPageAsync());
        context.Request += (_, request) =>
        {
            lock (person.Traffic)
                person.Traffic.Add($"{request.Method} {request.Url} {string.Join(' ', request.Headers.Select(header => $"{header.Key}: {header.Value}"))} {request.PostData}");
        };
        context.Response += async (_, response) =>
        {
            // The last ones are gone with the page: nobody saw those.
            if (response.Url.Contains("/api/", StringComparison.Ordinal) && await Record.ExceptionAsync(async () => person.Answers.Add(await response.TextAsync())) is not (null or PlaywrightException))
                person.Complaints.Add($"no body of {response.Url}");
        };
        person.Page.WebSocket += (_, socket) =>
        {
            socket.FrameReceived += (_, frame) => person.Answers.Add(frame.Text ?? "");
            socket.FrameSent += (_, frame) =>
            {
                lock (person.Traffic)
                    person.Traffic.Add($"FRAME {socket.Url} {frame.Text}");
            };
        };
        person.Page.PageError += (_, error) => person.Complaints.Add(error);
        person.Page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning" && !message.Text.StartsWith("Failed to load resource", StringComparison.Ordinal))
                person.Complaints.Add(message.Text);
        };
        await context.AddInitScriptAsync("document.addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));");
        return person;
    }

    public ILocator Button(string name, bool exact = true) => Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = exact });

    public ILocator Heading(string name) => Page.GetByRole(AriaRole.Heading, new PageGetByRoleOptions { Name = name, Exact = true });

    /// <summary>Signs in as a sample person.</summary>
    public async Task SignInAsync(string name, string path = "/")
    {
        await Page.GotoAsync(path);
        await Button(name, exact: false).ClickAsync();
        await Page.GetByRole(AriaRole.Navigation).WaitForAsync();
    }

    /// <summary>What axe finds on the page as it is now: WCAG 2.0 to 2.2, levels A and AA, and best practices.</summary>
    public async Task<IReadOnlyList<string>> AxeAsync(string where)
    {
        axe ??= await File.ReadAllTextAsync(Path.Combine(Checkout.Find().Root, "src", "web", "node_modules", "axe-core", "axe.min.js"));
        // Evaluated by the debugger, which the content policy does not bind: the page itself stays under it.
        await Page.EvaluateAsync(axe);
        // Colours follow a change of scheme with the next frames: measured in between, text of the one stands on ground of the other.
        await Page.EvaluateAsync(
            """
            async () => {
              for (let i = 0; i < 2; i++) await Promise.race([new Promise(requestAnimationFrame), new Promise(done => setTimeout(done, 250))]);
              await Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})));
            }
            """);
        var found = await Page.EvaluateAsync<JsonElement>("async () => (await axe.run()).violations.map(v => ({id: v.id, nodes: v.nodes.map(n => n.target.join(' ') + ' — ' + n.failureSummary)}))");
        return [.. found.EnumerateArray().Select(item => $"{where}: {item.GetProperty("id").GetString()}: {string.Join("; ", item.GetProperty("nodes").EnumerateArray().Select(node => node.GetString()))}")];
    }

    /// <summary>True where the page is wider than its window: at this size somebody would have to scroll sideways.</summary>
    public Task<bool> ScrollsSidewaysAsync() => Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > document.documentElement.clientWidth");

    /// <summary>Keeps a picture where BRIDGE_SCREENSHOTS names a folder.</summary>
    public async Task PictureAsync(string name)
    {
        if (Environment.GetEnvironmentVariable("BRIDGE_SCREENSHOTS") is { Length: > 0 } folder)
            await Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{name}.png"), FullPage = true });
    }

    public ValueTask DisposeAsync() => new(Context.CloseAsync());
}
