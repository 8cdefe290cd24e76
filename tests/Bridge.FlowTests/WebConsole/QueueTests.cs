using System.Text.Json;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Records;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>What a doctor does with her queue, in a real browser against a whole hospital and the ledger.</summary>
[Collection(ConsoleCollection.Name)]
public class QueueTests(ConsoleFixture console)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Approve_TwentyByKeyboardInOneGesture_EachIsSignedAloneAndVerifies()
    {
        var iris = console.Next();
        var summaries = await console.QueuedAsync(iris.Licence, 21);
        await using var her = await console.AtAsync(iris);
        var page = her.Page;
        await page.GetByText("21 summaries wait for you.").WaitForAsync();

        // Oldest first, with age and why it waits; two are read, the second one stays out.
        Assert.Equal(summaries[0], await CurrentAsync(page));
        Assert.Equal(2, await page.Locator(".line[aria-current='true'] .tag").CountAsync());
        await page.Keyboard.PressAsync("?");
        await page.GetByText("approve and sign the chosen ones, or this one").WaitForAsync();
        await page.Keyboard.PressAsync("?");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("k");
        Assert.Equal(summaries[1], await CurrentAsync(page));
        await page.Keyboard.PressAsync("j");
        foreach (var _ in summaries.Skip(2))
        {
            await page.Keyboard.PressAsync("x");
            await page.Keyboard.PressAsync("j");
        }
        await page.Keyboard.PressAsync("k");
        for (var i = 0; i < 19; i++)
            await page.Keyboard.PressAsync("k");
        await page.Keyboard.PressAsync("x");
        await page.GetByText("You sign 20 summaries, each with a signature of its own:").WaitForAsync();
        Assert.Equal(20, await page.Locator(".chosen [data-summary]").CountAsync());
        var batch = summaries.Where(summary => summary != summaries[1]).ToList();
        var shown = new Dictionary<string, string>();
        foreach (var summary in batch)
            shown[summary] = await page.Locator($".chosen [data-summary='{summary}']").InnerTextAsync();

        var asked = await page.RunAndWaitForRequestAsync(() => page.Keyboard.PressAsync("a"), "**/api/cosign/approvals");
        await page.GetByText("20 summaries signed.").WaitForAsync();
        await page.GetByText("1 summary waits for you.").WaitForAsync();
        Assert.Equal(summaries[1], await CurrentAsync(page));

        var sent = JsonElement.Parse(asked.PostData!).GetProperty("items").EnumerateArray().ToDictionary(item => item.GetProperty("id").GetString()!);
        Assert.Equal(batch.Order(StringComparer.Ordinal), sent.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(20, sent.Values.Select(item => item.GetProperty("signature").GetString()).Distinct().Count());
        await console.AnchoredAsync(batch);
        foreach (var summary in batch)
        {
            var (payload, verdict) = await console.ReadAsync(summary);
            Assert.Equal(iris.Name, verdict.DoctorName);
            Assert.Equal(sent[summary].GetProperty("payload").GetString(), Base64Url.Encode(payload));
            AllShown(payload, shown[summary]);
        }

        // A key that is held down signs nothing; nor does one while somebody writes.
        await page.EvaluateAsync("() => dispatchEvent(new KeyboardEvent('keydown', { key: 'a', repeat: true, bubbles: true }))");
        await page.Keyboard.PressAsync("d");
        await page.Keyboard.TypeAsync("a jax");
        Assert.Equal("a jax", await page.GetByLabel("Why does this not leave the hospital?").InputValueAsync());
        await page.Keyboard.PressAsync("Escape");
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await console.Rig.RowOfSummaryAsync(summaries[1]))!.Status);
        await page.Keyboard.PressAsync("a");
        await page.GetByText("Nothing waits for you.").WaitForAsync();
        Assert.Empty(her.Complaints);
    }

    [Fact]
    public async Task Strike_OneOfTwoDiagnoses_OnlyWhatIsLeftIsShownSignedAndAnchored()
    {
        var (jonas, rig) = (console.Next(), console.Rig);
        var summary = Assert.Single(await console.QueuedAsync(jonas.Licence, 1, async (patient, encounter) =>
        {
            await console.PutAsync(Source.Condition(patient, encounter, "271737000"));
            await console.PutAsync(Source.Procedure(patient, encounter, "73761001"));
        }));
        await using var his = await console.AtAsync(jonas);
        var page = his.Page;
        var article = page.Locator($"article[data-summary='{summary}']").First;
        await article.WaitForAsync();
        var queued = MinimalSummary.Read((await rig.RowOfSummaryAsync(summary))!.Payload!, out _)!;
        Assert.Equal((2, 1), (queued.Conditions.Count, queued.Treatments.Count));
        AllShown(queued.ToCanonicalJson(), await article.InnerTextAsync());
        // Where it came from, what was done to it, why it leaves.
        foreach (var text in new[] { "leaves as recorded", "leave so that fellow patients can be found", "leaves to tell how recent it is", "Condition" })
            await page.GetByText(text).First.WaitForAsync();

        await article.Locator(".code button:enabled").First.ClickAsync();
        await page.GetByText("struck: does not leave").WaitForAsync();
        // One has to stay.
        Assert.True(await article.GetByRole(AriaRole.Region, new() { Name = "Diagnoses" }).Locator(".code:not(.struck) button").IsDisabledAsync());
        await page.GetByText("The last diagnosis cannot be struck").WaitForAsync();
        var left = await article.Locator(".code:not(.struck) code").AllInnerTextsAsync();
        await his.Button("Sign without what is struck a").ClickAsync();
        await page.GetByText("1 summary signed.").WaitForAsync();
        await console.AnchoredAsync([summary]);

        var (payload, verdict) = await console.ReadAsync(summary);
        Assert.Equal((queued with { Conditions = [queued.Conditions[1] with { Rank = 1 }] }).ToCanonicalJson(), payload);
        Assert.Equal(jonas.Name, verdict.DoctorName);
        Assert.Contains(left, text => text.EndsWith(queued.Conditions[1].Code, StringComparison.Ordinal));
        // It is locked now, with who signed it and when.
        await page.GotoAsync("/signed");
        await page.GetByText("on the ledger").WaitForAsync();
        await page.GetByText($"Signed by {jonas.Name}, ").WaitForAsync();
        Assert.Equal(0, await his.Button("Take back", exact: false).CountAsync());
        Assert.Equal("ON_ITS_WAY", (await rig.PostAsync(jonas.Licence, $"/api/cosign/{summary}/recall")).Outcome);
        Assert.Empty(his.Complaints);
    }

    [Fact]
    public async Task Acts_DeclineSensitiveNotMineDelegateRecall_EachGoesWhereThePageSays()
    {
        var (lena, omar, rig) = (console.Next(), console.Next(), console.Rig);
        var summaries = await console.QueuedAsync(lena.Licence, 5);
        await using var hers = await console.AtAsync(lena);
        await using var his = await console.AtAsync(omar);
        var page = hers.Page;
        await page.GetByText("5 summaries wait for you.").WaitForAsync();

        await page.Keyboard.PressAsync("d");
        await hers.Button("The record is wrong").ClickAsync();
        await hers.Button("Decline it").ClickAsync();
        await page.GetByText("Declined. It does not leave").WaitForAsync();
        await hers.Button("Too sensitive").ClickAsync();
        await page.GetByText("Marked as too sensitive.").WaitForAsync();
        await hers.Button("Not my patient").ClickAsync();
        await page.GetByText("Sent on: to the next doctor").WaitForAsync();
        await hers.Button("Send to a colleague").ClickAsync();
        // A hasty Enter sends it to nobody: no colleague is chosen by itself.
        Assert.Equal("", await page.GetByLabel("Who is to decide?").InputValueAsync());
        await page.GetByLabel("A word to go with it").FillAsync("you saw her last");
        await page.Keyboard.PressAsync("Enter");
        await hers.Button("Send").ClickAsync();
        Assert.True(await page.GetByLabel("Who is to decide?").EvaluateAsync<bool>("select => select.validity.valueMissing"));
        Assert.DoesNotContain(hers.Traffic, request => request.Contains("/delegate", StringComparison.Ordinal));
        await page.GetByLabel("Who is to decide?").SelectOptionAsync(omar.Licence);
        await hers.Button("Send").ClickAsync();
        await page.GetByText("Sent to your colleague.").WaitForAsync();
        await page.GetByText("1 summary waits for you.").WaitForAsync();
        foreach (var (i, status, reason) in new[] { (0, SummaryStatus.Declined, "Doctor"), (1, SummaryStatus.Declined, "Sensitive"), (2, SummaryStatus.Withheld, "NoDoctor"), (3, SummaryStatus.AwaitingCoSign, null) })
            Assert.Equal((status, reason), ((await rig.RowOfSummaryAsync(summaries[i]))!.Status, (await rig.RowOfSummaryAsync(summaries[i]))!.Reason));

        // The colleague reads who sent it and why; the first doctor has no more to say about it.
        await his.Page.ReloadAsync();
        await his.Page.GetByText($"{lena.Name} sent it to a colleague").WaitForAsync();
        await his.Page.GetByText("you saw her last").WaitForAsync();
        await his.Page.GetByText("sent by a colleague").WaitForAsync();
        Assert.Equal("NOT_FOUND", (await rig.PostAsync(lena.Licence, $"/api/cosign/{summaries[3]}/decline", new { reason = "mine" })).Outcome);

        // Signed, taken back while nothing leaves, signed again.
        await rig.PostAsync("operator", "/api/operations/pause", new { reason = "the test looks" });
        try
        {
            await page.Keyboard.PressAsync("a");
            await page.GetByText("1 summary signed.").WaitForAsync();
            await page.GetByRole(AriaRole.Link, new() { Name = "Signed", Exact = true }).ClickAsync();
            await page.GetByText("signed, waits to leave").WaitForAsync();
            await hers.Button("Take back", exact: false).ClickAsync();
            await page.GetByText("The signature was taken back; the summary waits for you again.").WaitForAsync();
            await page.GetByRole(AriaRole.Link, new() { Name = "Waiting for you" }).ClickAsync();
            await page.GetByText("you took your signature back").WaitForAsync();
            await page.Keyboard.PressAsync("a");
            await page.GetByText("1 summary signed.").WaitForAsync();
        }
        finally
        {
            await rig.PostAsync("operator", "/api/operations/resume", new { reason = "the test has looked" });
        }
        await console.AnchoredAsync([summaries[4]]);
        Assert.Equal(lena.Name, (await console.ReadAsync(summaries[4])).Verdict.DoctorName);
        Assert.Equal(1, await console.DecisionsAsync(summaries[4], "approve"));

        Assert.Empty(hers.Complaints);
        Assert.Empty(his.Complaints);
    }

    [Fact]
    public async Task Decide_TwoTabsAndTwoDoctors_OneWinsAndTheOtherIsTold()
    {
        var (mei, paul, rig) = (console.Next(), console.Next(), console.Rig);
        var summaries = await console.QueuedAsync(mei.Licence, 2);
        await using var hers = await console.AtAsync(mei);
        await using var his = await console.AtAsync(paul);
        var (first, second) = (hers.Page, await hers.Context.NewPageAsync());
        await second.GotoAsync("/queue");
        foreach (var tab in new[] { first, second })
            await tab.GetByText("2 summaries wait for you.").WaitForAsync();

        // At the same moment.
        await second.Keyboard.PressAsync("d");
        await second.GetByLabel("Why does this not leave the hospital?").FillAsync("not ready");
        await Task.WhenAll(first.Keyboard.PressAsync("a"), second.Keyboard.PressAsync("Enter"));
        await first.GetByText("1 summary signed.").Or(first.GetByText("It was decided already")).WaitForAsync();
        await second.GetByText("Declined. It does not leave").Or(second.GetByText("It was decided already")).WaitForAsync();
        Assert.Equal(1, await first.GetByText("It was decided already").CountAsync() + await second.GetByText("It was decided already").CountAsync());
        Assert.Equal(1, await console.DecisionsAsync(summaries[0], "approve") + await console.DecisionsAsync(summaries[0], "decline"));

        // Sent on in one tab and signed by the colleague; the other tab still shows it.
        await rig.PostAsync(mei.Licence, $"/api/cosign/{summaries[1]}/delegate", new { licence = paul.Licence });
        await his.Page.ReloadAsync();
        await his.Page.Locator($"article[data-summary='{summaries[1]}']").First.WaitForAsync();
        await his.Page.Keyboard.PressAsync("a");
        await his.Page.GetByText("1 summary signed.").WaitForAsync();
        await second.Keyboard.PressAsync("Escape");
        await second.Keyboard.PressAsync("a");
        await second.GetByText("It is no longer in your queue.").WaitForAsync();
        await console.AnchoredAsync([summaries[1]]);
        Assert.Equal(paul.Name, (await console.ReadAsync(summaries[1])).Verdict.DoctorName);
        Assert.Empty(hers.Complaints);
    }

    [Fact]
    public async Task Approve_KeyRevokedMeanwhile_IsRefusedInWordsADoctorUnderstands()
    {
        var (ana, rig) = (console.Next(), console.Rig);
        var summary = Assert.Single(await console.QueuedAsync(ana.Licence, 1));
        await using var hers = await console.AtAsync(ana);
        await hers.Page.GetByText("1 summary waits for you.").WaitForAsync();
        await rig.Actors.RevokeAsync(rig.Doctors[ana.Licence], rig.Actors.Hospital(Rig.Msp).Registrar);
        await rig.UntilAsync("the revocation", async () =>
            await rig.Database.ReadAsync(work => work.ScalarAsync<string>("SELECT status FROM doctor WHERE licence = @licence", new { licence = ana.Licence }), Ct) == "REVOKED");

        // Her page knows nothing of it yet.
        await hers.Button("Approve and sign a").ClickAsync();
        var alert = hers.Page.GetByRole(AriaRole.Alert);
        await alert.WaitForAsync();
        Assert.Equal("1 was not signed: Your signing key was revoked, so nothing you sign with it counts. Ask medical affairs why, and make a new key.", await alert.InnerTextAsync());
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await rig.RowOfSummaryAsync(summary))!.Status);
        // Opened anew, it says so before she tries.
        await hers.Page.ReloadAsync();
        await hers.Page.GetByText("The key in this browser was revoked").WaitForAsync();
        Assert.True(await hers.Button("Approve and sign a").IsDisabledAsync());
        // She can still pass on what waits.
        await hers.Button("Too sensitive").ClickAsync();
        await hers.Page.GetByText("Marked as too sensitive.").WaitForAsync();
        Assert.Empty(hers.Complaints);
        // A restart waits for the doctors who can sign.
        rig.Doctors.Remove(ana.Licence);
    }

    private static Task<string?> CurrentAsync(IPage page) => page.Locator(".queue-read > article").GetAttributeAsync("data-summary");

    /// <summary>Whatever the payload says stands in what was on the page.</summary>
    internal static void AllShown(byte[] payload, string shown)
    {
        var summary = JsonElement.Parse(payload);
        var values = new List<string?> { summary.GetProperty("id").GetString(), summary.GetProperty("patient").GetString(), summary.GetProperty("hospital").GetString(), summary.GetProperty("ageBand").GetString() };
        values.AddRange(summary.GetProperty("conditions").EnumerateArray().Concat(summary.GetProperty("treatments").EnumerateArray()).Select(item => item.GetProperty("code").GetString()));
        values.Add(summary.GetProperty("sex").GetString());
        values.Add(summary.GetProperty("class").GetString() == "AMB" ? "outpatient" : "?");
        values.Add(DateTime.ParseExact(summary.GetProperty("period").GetString()!, "yyyy-MM", null).ToString("MMMM yyyy", System.Globalization.CultureInfo.InvariantCulture));
        Assert.All(values, value => Assert.Contains(value!, shown, StringComparison.Ordinal));
    }
}
