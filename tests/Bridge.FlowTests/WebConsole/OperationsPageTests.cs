using System.Text.Json;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Sandbox.Processes;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>The operator's pages in a real browser.</summary>
[Collection(HospitalPagesCollection.Name)]
public class OperationsPageTests(HospitalFixture fixture)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Operations_InTheBrowser_ShowsPausesRunsAgainAndComesBackByItself()
    {
        await using var rig = await StartAsync();
        var licence = rig.Doctors.Keys.Single();
        var patient = await rig.EnrolAsync();
        await using var otto = await fixture.Browser.PersonAsync(rig.BaseAddress);
        var sockets = new List<string>();
        otto.Page.WebSocket += (_, socket) => sockets.Add(socket.Url);
        await otto.SignInAsync("operator", "/operations");
        await otto.Heading("Operations").WaitForAsync();
        await otto.Page.GetByText("live", new PageGetByTextOptions { Exact = true }).WaitForAsync();
        await Text(otto, "Nothing failed and nothing is withheld.").WaitForAsync();
        // Over a WebSocket, under the content policy as it is.
        Assert.Contains(sockets, url => url.StartsWith($"ws://{rig.BaseAddress.Authority}/api/operations/live", StringComparison.Ordinal));

        // Something between that lets no WebSocket through: another way is found, under the same policy.
        await using (var behind = await fixture.Browser.PersonAsync(rig.BaseAddress))
        {
            await behind.Context.AddInitScriptAsync("window.WebSocket = undefined;");
            await behind.SignInAsync("operator", "/operations");
            await behind.Page.GetByText("live", new PageGetByTextOptions { Exact = true }).WaitForAsync();
            await Text(behind, "Nothing failed and nothing is withheld.").WaitForAsync();
            Assert.Contains(behind.Traffic, request => request.StartsWith("POST", StringComparison.Ordinal) && request.Contains("/live/negotiate", StringComparison.Ordinal));
            Assert.Empty(behind.Complaints);
        }

        // An encounter without a doctor turns up with nobody touching the page.
        var encounter = await fixture.EncounterAsync(patient.FhirId, null);
        var group = otto.Page.Locator("details.group", new PageLocatorOptions { HasText = "no doctor could be told" });
        await group.WaitForAsync();
        await otto.Button("Assign doctors").WaitForAsync();

        // Paused: nothing is read any more, and the page says by whom and why.
        await otto.Button("Pause…").ClickAsync();
        await otto.Button("Pause now").ClickAsync();
        Assert.True(await otto.Page.Locator(".ops-pause input:invalid").IsVisibleAsync(), "a pause without a reason was sent");
        await otto.Page.Locator(".ops-pause input").FillAsync("the record system is upgraded");
        await otto.Button("Pause now").ClickAsync();
        await otto.Heading("The bridge is paused").WaitForAsync();
        await Text(otto, "the record system is upgraded").WaitForAsync();
        await otto.Button("Resume…").ClickAsync();
        await otto.Page.Locator(".ops-pause input").FillAsync("the upgrade is over");
        await otto.Page.Keyboard.PressAsync("Enter");
        await otto.Heading("The bridge runs").WaitForAsync();

        // Run again: read anew from the source, which names a doctor by now.
        var practitioner = await fixture.PractitionerAsync(licence);
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "so that only the re-run reads it" });
        await otto.Heading("The bridge is paused").WaitForAsync();
        await fixture.ChangeAsync(encounter, resource => resource["participant"] = Source.Attending(practitioner));
        await group.Locator("summary").ClickAsync();
        await group.GetByRole(AriaRole.Checkbox).Nth(1).CheckAsync();
        await group.GetByRole(AriaRole.Textbox).FillAsync("the practitioner is on record now");
        await LooksAsync(otto, "operations", "Operations", "运行");
        await otto.Button("Run 1 again").ClickAsync();
        await Text(otto, "1 summary runs again.").WaitForAsync();
        await rig.PostAsync("operator", "/api/operations/resume", new { reason = "go on" });
        await Text(otto, "Nothing failed and nothing is withheld.").WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        await rig.UntilStatusAsync(encounter, SummaryStatus.AwaitingCoSign);

        // The sums, and what ran when.
        await otto.Button("Add up now").ClickAsync();
        await Assertions.Expect(otto.Page.Locator("section[aria-labelledby=sum] dd").First).Not.ToHaveTextAsync("0", new LocatorAssertionsToHaveTextOptions { Timeout = 60_000 });
        await otto.Page.Locator(".job", new PageLocatorOptions { HasText = "Enrol patients" }).Locator("summary").ClickAsync();
        await otto.Page.Locator(".runs li").First.WaitForAsync();
        await otto.Page.GetByText("People CA").First.WaitForAsync();

        // A restart of the server: the page says so and since when, and goes on by itself.
        await rig.StopAsync();
        await otto.Page.GetByText("No connection to the bridge since").WaitForAsync();
        Assert.Empty(await otto.AxeAsync("operations without its server"));
        await otto.PictureAsync("operations-lost");
        await rig.StartAsync();
        await otto.Page.GetByText("live", new PageGetByTextOptions { Exact = true }).WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "seen after the restart" });
        await Text(otto, "seen after the restart").WaitForAsync();

        // An operator's browser never had anything of a patient.
        foreach (var secret in new[] { patient.FhirId, patient.Request.Pseudonym.ToString(), encounter, Source.Canary })
            Assert.DoesNotContain(secret, await otto.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(otto.Complaints, complaint => complaint.Contains("CSP", StringComparison.Ordinal) || !complaint.Contains("WebSocket", StringComparison.Ordinal));

        // Signed out elsewhere: the page asks to sign in again.
        await rig.Database.WriteAsync(work => work.RunAsync("DELETE FROM session"), Ct);
        await otto.Page.GetByText("Your session has ended").WaitForAsync();
    }

    [Fact]
    public async Task Audit_InTheBrowser_IsSearchedCheckedAndSaved()
    {
        await using var rig = await StartAsync();
        var licence = rig.Doctors.Keys.Single();
        await rig.GetAsync(licence, "/api/cosign/queue");
        for (var i = 0; i < 60; i++)
            await rig.PostAsync("operator", $"/api/operations/{(i % 2 == 0 ? "pause" : "resume")}", new { reason = $"trial {i}" });
        await using var otto = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await otto.SignInAsync("operator", "/audit");
        await otto.Heading("Audit log").WaitForAsync();
        var lines = otto.Page.Locator(".audit-line");
        await lines.Nth(49).WaitForAsync();
        Assert.Equal(50, await lines.CountAsync());
        await Assertions.Expect(lines.First).ToContainTextAsync("signed in");
        await otto.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { NameRegex = new("^Those before") }).ClickAsync();
        await lines.Nth(55).WaitForAsync();

        // What happens meanwhile is announced, not loaded: to read the log is an act that stands in it.
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "one more" });
        await otto.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { NameRegex = new("newer entr") }).ClickAsync();
        await Assertions.Expect(lines.First).ToContainTextAsync("paused the bridge");

        await otto.Page.GetByLabel("Act, such as summary.read").FillAsync("operations.resume");
        await otto.Button("Search").ClickAsync();
        await Assertions.Expect(lines).ToHaveCountAsync(30);
        await otto.Button("Check the chain").ClickAsync();
        await otto.Page.GetByText("The chain holds").WaitForAsync();
        await LooksAsync(otto, "audit", "Audit log", "审计日志");

        foreach (var (button, end) in new[] { ("Save as NDJSON", ".ndjson"), ("Save as a Bundle", ".json") })
        {
            var saved = await otto.Page.RunAndWaitForDownloadAsync(() => otto.Page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = button, Exact = true }).ClickAsync());
            Assert.EndsWith(end, saved.SuggestedFilename, StringComparison.Ordinal);
            var text = await File.ReadAllTextAsync(await saved.PathAsync(), Ct);
            Assert.Contains("AuditEvent", JsonElement.Parse(end == ".json" ? text : text.Split('\n')[0]).ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain("trial", text, StringComparison.Ordinal);
        }
        await otto.Page.GetByLabel("Act, such as summary.read").FillAsync("audit.export");
        await otto.Button("Search").ClickAsync();
        await Assertions.Expect(lines).ToHaveCountAsync(2);
        Assert.Empty(otto.Complaints);
    }

    /// <summary>One address for good: a page outlives a restart of its server.</summary>
    private async Task<Rig> StartAsync()
    {
        var rig = Rig.Create(fixture);
        await rig.AddDoctorAsync();
        await rig.StartAsync(("Server:Urls", $"http://127.0.0.1:{Ports.FreeRun(0, 1)}"), ("SignIn:SamplePeople", "true"), ("Hospital:Name", "Linden Hospital"));
        return rig;
    }

    private static ILocator Text(ConsolePerson person, string text) => person.Page.GetByText(text, new PageGetByTextOptions { Exact = true });

    /// <summary>Light and dark, wide, narrow and at 200 % zoom, English and Chinese: axe finds nothing, nothing scrolls sideways, no text is left standing in the other language.</summary>
    private static async Task LooksAsync(ConsolePerson person, string name, string english, string chinese)
    {
        var faults = new List<string>();
        foreach (var inChinese in new[] { true, false })
        {
            await person.Page.Locator(".language select").SelectOptionAsync(inChinese ? "zh-CN" : "en");
            await person.Heading(inChinese ? chinese : english).WaitForAsync();
            foreach (var (dark, width) in new[] { (!inChinese, 360), (false, 720), (inChinese, 1440) })
            {
                await person.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
                await person.Page.SetViewportSizeAsync(width, width == 720 ? 450 : 900);
                var look = $"{name}-{(inChinese ? "zh" : "en")}-{(dark ? "dark" : "light")}-{width}";
                faults.AddRange(await person.AxeAsync(look));
                if (await person.ScrollsSidewaysAsync())
                    faults.Add($"{look} scrolls sideways");
                await person.PictureAsync(look);
            }
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }
}
