using Bridge.Hospital.Store;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>The line breaks, or the server restarts, while a doctor signs: nothing is lost, nothing is done twice, and the page says what holds.</summary>
[Collection(ConsoleCollection.Name)]
public class BrokenLineTests(ConsoleFixture console)
{
    private const string Approvals = "**/api/cosign/approvals";

    [Fact]
    public async Task Line_BreaksMidSigning_ThePageSaysWhatHoldsAndNothingIsSignedTwice()
    {
        var (nils, rig) = (console.Next(), console.Rig);
        var summaries = await console.QueuedAsync(nils.Licence, 5);
        await using var his = await console.AtAsync(nils);
        var page = his.Page;
        var inDoubt = page.GetByText("The connection broke before the answer came");
        await page.GetByText("5 summaries wait for you.").WaitForAsync();

        // Stored, but the answer is lost with the network.
        await OnceAsync(page, Approvals, async route =>
        {
            await route.FetchAsync();
            await his.Context.SetOfflineAsync(true);
            await route.AbortAsync("internetdisconnected");
        });
        await page.Keyboard.PressAsync("a");
        await inDoubt.WaitForAsync();
        Assert.True(await his.Button("Approve and sign a").IsDisabledAsync());
        await page.Keyboard.PressAsync("a");
        await his.Context.SetOfflineAsync(false);
        await page.GetByText("The connection is back: 1 signature was stored.").WaitForAsync();
        await page.GetByText("4 summaries wait for you.").WaitForAsync();
        Assert.Equal(1, await console.DecisionsAsync(summaries[0], "approve"));

        // It never left.
        await OnceAsync(page, Approvals, async route =>
        {
            await his.Context.SetOfflineAsync(true);
            await route.AbortAsync("internetdisconnected");
        });
        await page.Keyboard.PressAsync("a");
        await inDoubt.WaitForAsync();
        await his.Context.SetOfflineAsync(false);
        await page.GetByText("The connection is back: 1 was not stored and still waits for you. Sign it again.").WaitForAsync();
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await rig.RowOfSummaryAsync(summaries[1]))!.Status);

        // The server stops before the request comes in, and starts again.
        await OnceAsync(page, Approvals, async route =>
        {
            await rig.StopAsync();
            await route.ContinueAsync();
        });
        await page.Keyboard.PressAsync("a");
        await inDoubt.WaitForAsync();
        await rig.StartAsync();
        await page.GetByText("The connection is back: 1 was not stored").WaitForAsync();
        await page.Keyboard.PressAsync("a");
        await page.GetByText("1 summary signed.").WaitForAsync();

        // It stops after three signatures were stored, before it has said so.
        await page.GetByLabel("Choose all 3 that are shown").CheckAsync();
        await OnceAsync(page, Approvals, async route =>
        {
            await route.FetchAsync();
            await rig.StopAsync();
            await route.AbortAsync("connectionreset");
        });
        await page.Keyboard.PressAsync("a");
        await inDoubt.WaitForAsync();
        await rig.StartAsync();
        await page.GetByText("The connection is back: 3 signatures were stored.").WaitForAsync();
        await page.GetByText("Nothing waits for you.").WaitForAsync();

        await console.AnchoredAsync(summaries);
        foreach (var summary in summaries)
        {
            Assert.Equal(1, await console.DecisionsAsync(summary, "approve"));
            Assert.Equal(1, await rig.Database.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM anchor WHERE summary_id = @summary", new { summary }), TestContext.Current.CancellationToken));
            Assert.Equal(nils.Name, (await console.ReadAsync(summary)).Verdict.DoctorName);
        }
    }

    [Fact]
    public async Task Line_BreaksWhileDecliningOrTakingBack_ThePageSaysWhatHolds()
    {
        var (eva, rig) = (console.Next(), console.Rig);
        var summaries = await console.QueuedAsync(eva.Licence, 2);
        await using var hers = await console.AtAsync(eva);
        var page = hers.Page;
        await page.GetByText("2 summaries wait for you.").WaitForAsync();
        await OnceAsync(page, "**/too-sensitive", async route =>
        {
            await route.FetchAsync();
            await route.AbortAsync("connectionreset");
        });
        await hers.Button("Too sensitive").ClickAsync();
        await page.GetByText("The connection is back: what you did was stored.").WaitForAsync();
        await page.GetByText("1 summary waits for you.").WaitForAsync();
        Assert.Equal(1, await console.DecisionsAsync(summaries[0], "too-sensitive"));

        await OnceAsync(page, "**/not-mine", route => route.AbortAsync("connectionreset"));
        await hers.Button("Not my patient").ClickAsync();
        await page.GetByText("The connection is back: what you did was not stored.").WaitForAsync();
        Assert.Equal(SummaryStatus.AwaitingCoSign, (await rig.RowOfSummaryAsync(summaries[1]))!.Status);
        await page.Keyboard.PressAsync("a");
        await page.GetByText("1 summary signed.").WaitForAsync();
        Assert.Empty(hers.Complaints);
    }

    private static Task<IAsyncDisposable> OnceAsync(IPage page, string pattern, Func<IRoute, Task> act) => page.RouteAsync(pattern, act, new PageRouteOptions { Times = 1 });
}
