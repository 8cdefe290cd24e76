using System.Text.Json;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Ledger;
using Bridge.Records;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>Taking an anchored summary back, as its doctor sees it.</summary>
[Collection(ConsoleCollection.Name)]
public class TakeBackTests(ConsoleFixture console)
{
    [Fact]
    public async Task TakeBack_EnteredInErrorAndStillRight_OneIsPurgedUnderBothSignaturesAndTheOtherStays()
    {
        var (doctor, rig) = (console.Next(), console.Rig);
        var summaries = await console.QueuedAsync(doctor.Licence, 2);
        foreach (var summary in summaries)
            Assert.Equal("APPROVED", (await rig.ApproveAsync(doctor.Licence, summary)).Outcome);
        await console.AnchoredAsync(summaries);
        foreach (var summary in summaries)
            await console.ChangeAsync((await rig.RowOfSummaryAsync(summary))!.EncounterKey, resource => resource["status"] = "entered-in-error");
        foreach (var summary in summaries)
            await rig.RetractionQueuedAsync(doctor.Licence, summary);

        await using var person = await console.AtAsync(doctor);
        var page = person.Page;
        await page.GetByText("2 summaries of your patients stand on the ledger and are to be taken back.").WaitForAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "See what and why" }).ClickAsync();
        var first = page.Locator($"article[data-summary='{summaries[0]}']");
        await first.GetByText("The encounter was entered in error, cancelled or deleted in the record system.").WaitForAsync();
        await first.GetByText($"{doctor.Name} signed it on").WaitForAsync();
        await first.GetByText("What the summary says").ClickAsync();
        var shown = await first.InnerTextAsync();
        QueueTests.AllShown((await rig.RowOfSummaryAsync(summaries[0]))!.Payload!, shown);
        await person.PictureAsync("take-back");

        // What is signed is what the page shows: number, hospital, reason. Any other bytes would be refused.
        Assert.All(new[] { summaries[0], Rig.Msp, "ENTERED_IN_ERROR" }, value => Assert.Contains(value, shown, StringComparison.Ordinal));
        var asked = await page.RunAndWaitForRequestAsync(
            () => first.GetByRole(AriaRole.Button, new() { Name = "Sign and take back" }).ClickAsync(), $"**/api/retractions/{summaries[0]}/approve");
        await page.GetByText("Signed. It is on its way to the ledger").WaitForAsync();
        var header = JsonElement.Parse(Base64Url.Decode(JsonElement.Parse(asked.PostData!).GetProperty("protected").GetString()!));
        Assert.Equal(("bridge-retraction+json", "doctor"), (header.GetProperty("typ").GetString(), header.GetProperty("role").GetString()));
        await rig.UntilSummaryAsync(summaries[0], SummaryStatus.Retracted);
        Assert.Equal([SummaryState.Erased, SummaryState.Live], await AmendmentTests.StatesAsync(rig, summaries));

        // Not hers to judge: a colleague has it, reads who sent it and why, and says that it is not hers either; it comes back to the doctor whom the record names.
        var colleague = console.Next();
        await page.Locator($"article[data-summary='{summaries[1]}']").GetByRole(AriaRole.Button, new() { Name = "Send to a colleague" }).ClickAsync();
        await page.GetByLabel("Who is to decide?").SelectOptionAsync(colleague.Licence);
        await page.GetByLabel("A word to go with it").FillAsync("you saw her last");
        await person.Button("Send").ClickAsync();
        await page.GetByText("Sent to your colleague.").WaitForAsync();
        await using (var other = await console.AtAsync(colleague, "/take-back", width: 360))
        {
            var theirs = other.Page.Locator($"article[data-summary='{summaries[1]}']");
            await theirs.GetByText("sent by a colleague").WaitForAsync();
            await theirs.GetByText("you saw her last").WaitForAsync();
            Assert.False(await other.ScrollsSidewaysAsync());
            await other.PictureAsync("take-back-360");
            await theirs.GetByRole(AriaRole.Button, new() { Name = "Not my patient" }).ClickAsync();
            await other.Page.GetByText("Sent on: to the next doctor on record").WaitForAsync();
            await other.Page.GetByText("Nothing is to be taken back.").WaitForAsync();
            Assert.Empty(other.Complaints);
        }
        await page.ReloadAsync();

        // The other one is right: it stays, with her reason before the operators.
        var second = page.Locator($"article[data-summary='{summaries[1]}']");
        await second.GetByRole(AriaRole.Button, new() { Name = "It is right, keep it" }).ClickAsync();
        await person.Button("The record system is wrong").ClickAsync();
        await person.Button("Keep it").ClickAsync();
        await page.GetByText("Kept. The people who assign doctors may ask a colleague").WaitForAsync();
        await page.GetByText("Nothing is to be taken back.").WaitForAsync();
        var held = (await rig.GetAsync("operator", "/api/retractions/held")).Body.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("id").GetString() == summaries[1]);
        Assert.Equal("Declined", held.GetProperty("state").GetString());
        Assert.Equal([SummaryState.Erased, SummaryState.Live], await AmendmentTests.StatesAsync(rig, summaries));

        await page.GotoAsync("/signed");
        await page.GetByText("taken back on the ledger").WaitForAsync();
        await page.GetByText("taking back declined").WaitForAsync();
        // Asked once more, in another tab meanwhile decided: told.
        await using (var otto = await console.Browser.PersonAsync(rig.BaseAddress, width: 360))
        {
            await otto.SignInAsync("operator", "/assign");
            var waiting = otto.Page.Locator($"[data-summary='{summaries[1]}']");
            await waiting.GetByText("a doctor says that it stays").WaitForAsync();
            Assert.Empty(await otto.AxeAsync("assign-take-back"));
            Assert.False(await otto.ScrollsSidewaysAsync());
            await otto.PictureAsync("assign-take-back-360");
            // What the doctor wrote and whose it is are not an operator's to see.
            var seen = await otto.Page.InnerTextAsync("main");
            Assert.All(console.Secrets.Append("The record system is wrong"), secret => Assert.DoesNotContain(secret, seen, StringComparison.Ordinal));
            await waiting.GetByLabel("Licence of the doctor").FillAsync(doctor.Licence);
            await waiting.GetByRole(AriaRole.Button, new() { Name = "Assign" }).ClickAsync();
            await otto.Page.GetByText("Assigned.").WaitForAsync();
        }
        await page.GotoAsync("/take-back");
        await page.GetByText($"{doctor.Name} said on").WaitForAsync();
        Assert.Equal("APPROVED", (await rig.ApproveAsync(doctor.Licence, summaries[1], "retractions")).Outcome);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign and take back" }).ClickAsync();
        await page.GetByText("It was decided already").Or(page.GetByText("It is no longer in your queue.")).First.WaitForAsync();
        await rig.UntilSummaryAsync(summaries[1], SummaryStatus.Retracted);
        Assert.Empty(person.Complaints);
    }
}
