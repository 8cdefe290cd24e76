using System.Text.Json;
using System.Text.RegularExpressions;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>What holds on every page and for every role, whoever builds the page.</summary>
[Collection(ConsoleCollection.Name)]
public sealed partial class WholeConsoleTests(ConsoleFixture console)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_EachForEachRole_AreAccessibleTranslatedAndKeepToThemselves()
    {
        Assert.True(ConsolePages.All.Count >= 7, "shell.tsx lists its pages in another form: teach ConsolePages to read it");
        var (kai, rig) = (console.Next(), console.Rig);
        var (replacing, left) = await FillAsync(kai.Licence);
        var faults = new List<string>();

        await using (var doctor = await console.AtAsync(kai))
        {
            await ReplacementIsToldAsync(doctor, replacing);
            await LookAsync(doctor, "doctor", faults);
            await LeavesNothingBehindAsync(doctor, kai.Licence, left);
        }
        foreach (var role in new[] { "registrar", "operator", "desk" })
        {
            await using var person = await console.Browser.PersonAsync(rig.BaseAddress);
            await person.SignInAsync(role);
            await LookAsync(person, role, faults);
            // The desk knows its patients, and nobody's summaries.
            var seen = string.Concat(person.Answers);
            foreach (var secret in role == "desk" ? [Source.Canary] : console.Secrets)
                if (seen.Contains(secret, StringComparison.Ordinal))
                    faults.Add($"{role} was told {secret}: …{Around(seen, secret)}…");
            if (person.Answers.Any(answer => answer.Contains("\"payload\"", StringComparison.Ordinal)))
                faults.Add($"{role} was given the content of a summary");
        }
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public async Task Doctor_WithNothingRoutedToHer_IsToldNothing()
    {
        var (tom, rosa) = (console.Next(), console.Next());
        var summary = Assert.Single(await console.QueuedAsync(tom.Licence, 1));
        await using var stranger = await console.AtAsync(rosa);
        foreach (var page in ConsolePages.All.Where(page => page.IsOf("doctor")))
        {
            await stranger.Page.GotoAsync(page.Path);
            await stranger.Heading(ConsolePages.English[page.Title]).WaitForAsync();
        }
        var seen = string.Concat(stranger.Answers);
        Assert.All(console.Secrets.Append(summary), secret => Assert.DoesNotContain(secret, seen, StringComparison.Ordinal));
        foreach (var path in new[] { $"/api/cosign/{summary}", $"/api/retractions/{summary}" })
            Assert.Equal("NOT_FOUND", (await console.Rig.GetAsync(rosa.Licence, path)).Outcome);
        foreach (var act in new[] { "approve", "decline", "too-sensitive", "not-mine", "delegate", "recall" })
            Assert.Contains((await console.Rig.PostAsync(rosa.Licence, $"/api/cosign/{summary}/{act}", new { reason = "curious", licence = rosa.Licence })).Outcome, new[] { "NOT_FOUND", "COLLEAGUE_CANNOT" });
        Assert.Equal("APPROVED", (await console.Rig.ApproveAsync(tom.Licence, summary)).Outcome);
    }

    /// <summary>Something to see on each page: two that wait, one of them a replacement, one signed, one to be taken back, one without a doctor.</summary>
    private async Task<(string Replacing, string Left)> FillAsync(string licence)
    {
        var rig = console.Rig;
        var summaries = await console.QueuedAsync(licence, 4);
        foreach (var summary in summaries.Take(2))
            Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, summary)).Outcome);
        Assert.Equal("REROUTED", (await rig.PostAsync(licence, $"/api/cosign/{summaries[2]}/not-mine")).Outcome);
        await console.AnchoredAsync(summaries.Take(2));
        await console.ChangeAsync((await rig.RowOfSummaryAsync(summaries[0]))!.EncounterKey, resource => resource["status"] = "entered-in-error");
        var encounter = (await rig.RowOfSummaryAsync(summaries[1]))!.EncounterKey;
        await console.ReplaceDiagnosisAsync(encounter, "271737000");
        await console.TouchAsync(encounter);
        await rig.RetractionQueuedAsync(licence, summaries[0]);
        await rig.UntilAsync("a replacement", async () => (await rig.RowOfAsync(encounter)) is { Status: SummaryStatus.AwaitingCoSign } row && row.SummaryId != summaries[1]);
        return ((await rig.RowOfAsync(encounter))!.SummaryId, summaries[3]);
    }

    private static async Task ReplacementIsToldAsync(ConsolePerson doctor, string replacing)
    {
        var page = doctor.Page;
        await page.GetByRole(AriaRole.Button, new() { Name = "replaces an earlier one" }).ClickAsync();
        var article = page.Locator($".queue-read > article[data-summary='{replacing}']");
        await article.GetByText("anaemia").First.WaitForAsync();
        Assert.Equal("new", await article.GetByRole(AriaRole.Region, new() { Name = "Diagnoses" }).Locator(".tag").InnerTextAsync());
        await article.GetByRole(AriaRole.Region, new() { Name = "What does not leave" }).GetByText("no longer there").WaitForAsync();
        await article.GetByText("leaves so that the earlier one ends").WaitForAsync();
    }

    /// <summary>Every page of a role: light English and dark Chinese, wide, at 200 % and on a telephone, and by keyboard.</summary>
    private static async Task LookAsync(ConsolePerson person, string role, List<string> faults)
    {
        var page = person.Page;
        foreach (var (path, _, title) in ConsolePages.All.Where(candidate => candidate.IsOf(role)))
        {
            var where = $"{role} {path}";
            await page.GotoAsync(path);
            foreach (var chinese in new[] { false, true })
            {
                await page.Locator(".language select").SelectOptionAsync(chinese ? "zh-CN" : "en");
                await page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = chinese ? ColorScheme.Dark : ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
                await person.Heading((chinese ? ConsolePages.Chinese : ConsolePages.English)[title]).WaitForAsync();
                await page.Locator("main .loading").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
                // 720 wide is 1440 at 200 %.
                foreach (var (width, height) in new[] { (720, 450), (360, 780), (1440, 900) })
                {
                    await page.SetViewportSizeAsync(width, height);
                    if (await person.ScrollsSidewaysAsync())
                        faults.Add($"{where} scrolls sideways at {width}");
                    if (width == (chinese ? 360 : 1440))
                        faults.AddRange(await person.AxeAsync($"{where}-{(chinese ? "zh-dark" : "en-light")}-{width}"));
                    await person.PictureAsync($"{role}{path.Replace('/', '-')}-{(chinese ? "zh" : "en")}-{width}");
                }
                if (chinese)
                    faults.AddRange(await UntranslatedAsync(page, where));
                else
                    faults.AddRange(await ByKeyboardAsync(page, where));
            }
            if (await page.EvaluateAsync<double>(Longest) > 0.001)
                faults.Add($"{where} moves for who asked for less motion");
            await page.Locator(".language select").SelectOptionAsync("en");
        }
        faults.AddRange(person.Complaints.Select(complaint => $"{role}: {complaint}"));
        faults.AddRange(person.Traffic.Where(request => !request.Split(' ')[1].Contains("//127.0.0.1:", StringComparison.Ordinal)).Select(request => $"{role} asked elsewhere: {request}"));
    }

    /// <summary>Latin words on a page in Chinese that are no names, codes or keys.</summary>
    private static async Task<IEnumerable<string>> UntranslatedAsync(IPage page, string where)
    {
        var texts = await page.EvaluateAsync<string[]>(
            """
            () => {
              const found = [];
              const skip = 'code, kbd, pre, option, .person, .brand, [lang]:not(html), script, style';
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walker.nextNode()) {
                const element = walker.currentNode.parentElement;
                if (!element.closest(skip) && element.checkVisibility({ visibilityProperty: true })) found.push(walker.currentNode.data);
              }
              for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]'))
                if (!element.closest(skip)) found.push(...['aria-label', 'title', 'placeholder'].map(name => element.getAttribute(name) ?? ''));
              return found;
            }
            """);
        // Names of people, places and kinds of files, and whatever holds a digit: numbers of records, codes, addresses.
        return texts.Select(text => ConsoleFixture.Names.Concat(["Linden Hospital", "Bridge", "bridge", "operator", "registrar", "desk", "API", ".jws", ".pem", "FHIR", "AuditEvent", "NDJSON", "Bundle"]).Aggregate(text, (rest, name) => rest.Replace(name, "", StringComparison.Ordinal)))
            .Select(text => HoldsDigit().Replace(text, "")).Where(text => Word().IsMatch(text)).Distinct().Select(text => $"{where} says in Chinese: {text.Trim()}");
    }

    /// <summary>Whatever can be pressed or filled in is reached by Tab, and shows that it is.</summary>
    private static async Task<IReadOnlyList<string>> ByKeyboardAsync(IPage page, string where)
    {
        const string Usable = "element => element.isConnected && !element.disabled && element.getAttribute('aria-disabled') !== 'true' && element.checkVisibility({ visibilityProperty: true }) && !element.closest('[inert]')";
        var count = await page.EvaluateAsync<int>(
            $$"""
            () => {
              document.activeElement?.blur();
              getSelection()?.removeAllRanges();
              const all = [...document.querySelectorAll('a[href], button, input:not([type=radio]), select, textarea, summary, [tabindex="0"]')].filter({{Usable}});
              window.left = new Set(all);
              window.unseen = [];
              // A date is several stops: day, month, year, calendar.
              return all.length + 4 * all.filter(element => element.type === 'date').length;
            }
            """);
        for (var i = 0; i < count + 4; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (await page.EvaluateAsync<bool>(
                """
                () => {
                  const element = document.activeElement;
                  const style = getComputedStyle(element);
                  if (element !== document.body && style.outlineStyle === 'none' && style.boxShadow === 'none') window.unseen.push(element.outerHTML.slice(0, 120));
                  window.left.delete(element);
                  return window.left.size === 0;
                }
                """))
                break;
        }
        var (left, unseen) = (
            await page.EvaluateAsync<string[]>($"() => [...window.left].filter({Usable}).map(element => element.outerHTML.slice(0, 160))"),
            await page.EvaluateAsync<string[]>("() => window.unseen"));
        return [.. left.Select(element => $"{where}: Tab does not reach {element}"), .. unseen.Select(element => $"{where}: the focus is not seen on {element}")];
    }

    private const string Longest =
        "() => Math.max(...[...document.querySelectorAll('*')].flatMap(element => { const style = getComputedStyle(element); return [...style.transitionDuration.split(','), ...style.animationDuration.split(',')].map(parseFloat); }))";

    /// <summary>She signs; what left the browser and what lies in it is neither her key nor anything of a patient.</summary>
    private async Task LeavesNothingBehindAsync(ConsolePerson doctor, string licence, string summary)
    {
        var page = doctor.Page;
        await page.GotoAsync("/queue");
        await page.GetByText("summaries wait for you.").WaitForAsync();
        await page.Locator(".line input").First.CheckAsync();
        await page.Keyboard.PressAsync("a");
        await page.GetByText("1 summary signed.").WaitForAsync();

        using var key = console.Rig.Doctors[licence].Keys.LoadKey();
        var secret = key.ExportParameters(true).D!;
        var sent = string.Concat(doctor.Traffic);
        // The scalar in hexadecimal, or in base64 at each of the three places where it may begin.
        var forms = Enumerable.Range(0, 3).Select(at => Convert.ToBase64String([.. new byte[at], .. secret])[((at * 8 + 5) / 6)..^4]).Append(Convert.ToHexString(secret)).ToList();
        Assert.All(forms, form =>
        {
            Assert.DoesNotContain(form, sent, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(form.Replace('+', '-').Replace('/', '_'), sent, StringComparison.OrdinalIgnoreCase);
        });
        var kept = await page.EvaluateAsync<JsonElement>(
            """
            async () => {
              const keys = await new Promise(done => indexedDB.open('bridge-keys', 1).onsuccess = opened =>
                opened.target.result.transaction('keys').objectStore('keys').getAll().onsuccess = found => done(found.target.result));
              return {
                local: Object.keys(localStorage), session: Object.keys(sessionStorage), cookie: document.cookie, caches: await caches.keys(),
                databases: (await indexedDB.databases()).map(one => one.name), extractable: keys.some(one => one.keys.privateKey.extractable), workers: (await navigator.serviceWorker.getRegistrations()).length,
              };
            }
            """);
        Assert.All(kept.GetProperty("local").EnumerateArray(), name => Assert.Contains(name.GetString(), new[] { "bridge-language", "bridge-single-keys" }));
        Assert.Equal(
            ("[]", "", "[]", """["bridge-keys"]""", false, 0),
            (kept.GetProperty("session").GetRawText(), kept.GetProperty("cookie").GetString(), kept.GetProperty("caches").GetRawText(), kept.GetProperty("databases").GetRawText(),
                kept.GetProperty("extractable").GetBoolean(), kept.GetProperty("workers").GetInt32()));
        // No address of a page or of the API names a patient.
        Assert.All(console.Secrets, word => Assert.All(doctor.Traffic, request => Assert.DoesNotContain(word, request.Split(' ')[1], StringComparison.Ordinal)));
        await console.Rig.UntilAsync("her signature", async () => await console.Rig.Database.ReadAsync(
            work => work.ScalarAsync<long>("SELECT COUNT(*) FROM decision WHERE licence = @licence AND kind = 'approve' AND voided_at IS NULL", new { licence }), Ct) == 3);
        Assert.NotNull(await console.Rig.RowOfSummaryAsync(summary));
    }

    private static string Around(string text, string word)
    {
        var at = text.IndexOf(word, StringComparison.Ordinal);
        return text[Math.Max(0, at - 80)..Math.Min(text.Length, at + 80)];
    }

    [GeneratedRegex(@"[\w.:/+-]*\d[\w.:/+-]*")]
    private static partial Regex HoldsDigit();

    [GeneratedRegex("[A-Za-z]{3,}")]
    private static partial Regex Word();
}
