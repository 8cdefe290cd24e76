using System.Net;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A doctor goes on leave: her queue is her deputy's, says so, can be signed there, and comes back.</summary>
[Collection(HospitalPagesCollection.Name)]
public class AbsenceTests(HospitalFixture fixture)
{
    [Fact]
    public async Task Absence_SetInTheBrowser_MovesTheQueueToTheDeputyAndBack()
    {
        await using var rig = Rig.Create(fixture);
        var (ann, bea) = ((await rig.AddDoctorAsync()).Statement.Licence, (await rig.AddDoctorAsync()).Statement.Licence);
        await rig.StartAsync(
            ("SignIn:SamplePeople", "true"), ("CoSign:TurnInterval", "00:00:00.300"), ("Anchoring:MinPatients", "100"), ("Anchoring:MinDelay", "1.00:00:00"), ("Anchoring:MaxDelay", "1.00:00:00"));
        var practitioner = await fixture.PractitionerAsync(ann);
        var patient = await rig.EnrolAsync();
        var first = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[0]);
        var second = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[1]);
        var summary = await rig.QueuedAsync(ann, first);
        await rig.QueuedAsync(ann, second);
        await using var person = await fixture.Browser.PersonAsync(rig.BaseAddress);
        var faults = new List<string>();

        await person.SignInAsync(ann, "/absence");
        await person.Heading("My absence").WaitForAsync();
        var today = DateTime.Today;
        await person.Page.GetByLabel("First day away").FillAsync($"{today:yyyy-MM-dd}");
        await person.Page.GetByLabel("Last day away").FillAsync($"{today.AddDays(7):yyyy-MM-dd}");
        await person.Page.GetByLabel("Who stands in").SelectOptionAsync(bea);
        await person.Button("Set it").ClickAsync();
        await person.Page.GetByText("Set. It is followed by itself.").WaitForAsync();

        // And whom she names for what she leaves too long.
        await person.Page.GetByLabel("Who gets it then").SelectOptionAsync(bea);
        await person.Button("Save").ClickAsync();
        await person.Page.GetByText("Saved.").WaitForAsync();
        Assert.Equal(bea, (await rig.GetAsync(ann, "/api/absences")).Body.GetProperty("deputy").GetProperty("licence").GetString());
        Assert.Equal(1, (await rig.GetAsync(bea, "/api/absences")).Body.GetProperty("deputyFor").GetArrayLength());

        // New work too: the queue is the deputy's, in whose lines stands for whom, and empty for the one who is away.
        var third = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[2]);
        foreach (var encounter in new[] { first, second, third })
            await rig.QueuedAsync(bea, encounter);
        var line = (await rig.GetAsync(bea, "/api/cosign/queue")).Body.GetProperty("items")[0];
        Assert.Equal("Absent", line.GetProperty("for").GetProperty("why").GetString());
        Assert.Equal(0, (await rig.GetAsync(ann, "/api/cosign/queue")).Body.GetProperty("items").GetArrayLength());
        Assert.Equal(HttpStatusCode.NotFound, (await rig.GetAsync(ann, $"/api/cosign/{summary}")).Status);
        await person.Page.ReloadAsync();
        await person.Page.GetByText("summaries of yours are with others").WaitForAsync();
        faults.AddRange(await LooksAsync(person, "absence", "My absence", "我的缺勤"));

        await using var deputy = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await deputy.SignInAsync(bea, "/queue");
        await deputy.Page.GetByText("absent until").First.WaitForAsync();
        faults.AddRange(await LooksAsync(deputy, "absence-queue", "Waiting for you", null));
        Assert.Equal("APPROVED", (await rig.ApproveAsync(bea, summary)).Outcome);
        Assert.Equal(SummaryStatus.CoSigned, (await rig.RowOfAsync(first))!.Status);

        await person.Button("I am back").ClickAsync();
        await person.Page.GetByText("Welcome back.").WaitForAsync();
        foreach (var encounter in new[] { second, third })
            await rig.QueuedAsync(ann, encounter);
        Assert.Equal(0, (await rig.GetAsync(bea, "/api/cosign/queue")).Body.GetProperty("items").GetArrayLength());
        Assert.Empty(person.Complaints);
        Assert.Empty(deputy.Complaints);
        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    // A telephone and a desk, light and dark, English and, where its title is given, Chinese.
    private static async Task<List<string>> LooksAsync(ConsolePerson person, string name, string english, string? chinese)
    {
        var faults = new List<string>();
        foreach (var (language, title, width, dark) in new[] { ("zh-CN", chinese, 360, true), ("zh-CN", chinese, 1440, false), ("en", english, 1440, true), ("en", english, 360, false) })
        {
            if (title is null)
                continue;
            await person.Page.Locator(".language select").SelectOptionAsync(language);
            await person.Heading(title).WaitForAsync();
            await person.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light, ReducedMotion = ReducedMotion.Reduce });
            await person.Page.SetViewportSizeAsync(width, 900);
            faults.AddRange(await person.AxeAsync($"{name} {language} {width}"));
            if (await person.ScrollsSidewaysAsync())
                faults.Add($"{name} {language} {width} scrolls sideways");
            await person.PictureAsync($"{name}-{language}-{width}");
        }
        await person.Page.SetViewportSizeAsync(1440, 900);
        return faults;
    }
}
