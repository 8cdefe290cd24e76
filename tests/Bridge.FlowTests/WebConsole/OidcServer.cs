using System.Net;
using System.Text.RegularExpressions;
using Bridge.FlowTests.Hospital;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;

namespace Bridge.FlowTests.WebConsole;

/// <summary>An authorisation server that nobody here wrote (npm oidc-provider), with a hospital's people: tests/node/oidc/server.mjs.</summary>
internal sealed partial class OidcServer : IAsyncDisposable
{
    public const string ClientId = "bridge-console";
    public const string Secret = "a-secret-of-the-tests";

    private readonly ChildProcess process;

    private OidcServer(ChildProcess process, string issuer) => (this.process, Issuer) = (process, issuer);

    public string Issuer { get; }

    /// <summary>The base that an EHR of this server would name in a launch.</summary>
    public string SmartIssuer => Issuer + "/fhir";

    public static async Task<OidcServer> StartAsync(string folder, string origin, CancellationToken ct, bool endsSessions = true)
    {
        var node = Path.Combine(Checkout.Find().Root, "tests", "node");
        await new NodePackage(node, []).PrepareAsync(_ => { }, ct);
        var process = ChildProcess.Start(new ChildCommand(
            "The authorisation server", "node", endsSessions ? ["oidc/server.mjs", origin] : ["oidc/server.mjs", "--no-end-session", origin], Path.Combine(folder, "oidc.log"), new Dictionary<string, string?>(), node));
        return new OidcServer(process, (await process.WaitForOutputAsync(Ready(), TimeSpan.FromMinutes(2), ct)).Groups[1].Value);
    }

    /// <summary>Configuration of a console that trusts this server.</summary>
    public (string Key, string Value)[] Settings =>
    [
        ("SignIn:Issuer", Issuer),
        ("SignIn:SmartIssuer", SmartIssuer),
        ("SignIn:ClientId", ClientId),
        ("SignIn:ClientSecret", Secret),
        ("SignIn:LicenceSystem", "urn:register"),
        ("SignIn:Roles:doctor:0", "clinician"),
        ("SignIn:Roles:operator:0", "bridge-ops"),
        ("SignIn:Roles:desk:0", "front-office"),
    ];

    public ValueTask DisposeAsync() => process.DisposeAsync();

    [GeneratedRegex(@"^ready (http://\S+)")]
    private static partial Regex Ready();
}

/// <summary>A browser as far as signing in needs one: cookies, redirects that are looked at one by one, forms.</summary>
internal sealed partial class PlainBrowser : IDisposable
{
    private readonly HttpClient http;

    public PlainBrowser() => http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, CookieContainer = Cookies });

    /// <summary>Signed in as the first sample person of a role.</summary>
    public static async Task<PlainBrowser> SignedInAsync(Rig rig, string role)
    {
        var people = (await rig.CallAsync(null, HttpMethod.Get, "/api/signin")).Body.GetProperty("people").EnumerateArray();
        var person = people.First(item => item.GetProperty("roles")[0].GetString() == role).GetProperty("person").GetInt32();
        var browser = new PlainBrowser();
        using var answer = await browser.SendAsync(HttpMethod.Post, new Uri(rig.BaseAddress, "/signin/sample"), $$"""{"person":{{person}}}""", ("X-Bridge-Console", "1"));
        answer.EnsureSuccessStatusCode();
        return browser;
    }

    public CookieContainer Cookies { get; } = new();

    public void Dispose() => http.Dispose();

    public Task<HttpResponseMessage> GetAsync(Uri address) => http.GetAsync(address);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, Uri address, string? json = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, address);
        if (json is not null)
            request.Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await http.SendAsync(request);
    }

    /// <summary>
    /// Follows redirects from <paramref name="from"/>, filling in the authorisation server's own forms, until an address of <paramref name="home"/> whose path begins
    /// with <paramref name="until"/> comes up; that one is not called.
    /// </summary>
    public async Task<Uri> WalkAsync(Uri from, Uri home, string until, string login)
    {
        var at = from;
        for (var step = 0; step < 20; step++)
        {
            using var response = await http.GetAsync(at);
            var next = await NextAsync(response, at, login);
            if (next.Authority == home.Authority && next.AbsolutePath.StartsWith(until, StringComparison.Ordinal))
                return next;
            at = next;
        }
        throw new InvalidOperationException($"the way from {from} leads in a circle");
    }

    private async Task<Uri> NextAsync(HttpResponseMessage response, Uri at, string login)
    {
        if (response.Headers.Location is { } location)
            return new Uri(at, location);
        var page = await response.Content.ReadAsStringAsync();
        if (Form().Match(page) is not { Success: true } form)
            throw new InvalidOperationException($"{at} answered {(int)response.StatusCode}: {page}");
        var fields = Hidden().Matches(page).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        if (fields.GetValueOrDefault("prompt") == "login")
            (fields["login"], fields["password"]) = (login, "any");
        else if (page.Contains("name=\"logout\"", StringComparison.Ordinal))
            fields["logout"] = "yes";
        using var sent = await http.PostAsync(new Uri(at, WebUtility.HtmlDecode(form.Groups[1].Value)), new FormUrlEncodedContent(fields));
        return new Uri(at, sent.Headers.Location ?? throw new InvalidOperationException($"the form at {at} was answered {(int)sent.StatusCode}"));
    }

    [GeneratedRegex("<form[^>]*action=\"([^\"]+)\"")]
    private static partial Regex Form();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]+)\" value=\"([^\"]*)\"")]
    private static partial Regex Hidden();
}
