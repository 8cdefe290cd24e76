using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Enrolment;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Xunit;
using Request = Bridge.Records.EnrolmentRequest;

namespace Bridge.FlowTests.WebConsole;

/// <summary>The enrolment desk in a real browser; the patient has the printed page and nothing else.</summary>
[Collection(HospitalPagesCollection.Name)]
public class DeskTests(HospitalFixture fixture)
{
    private const string Portal = "https://portal.example/enrol";

    private static readonly (string Key, string Value)[] Settings =
        [("SignIn:SamplePeople", "true"), ("Hospital:Name", "Linden Hospital"), ("Enrolment:Page", Portal), ("Enrolment:PortalName", "Patients together")];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Desk_PatientByHerNumber_EnrolsByThePrintedPageAndIsWithdrawnWhenTheLedgerSaysSo()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(Settings);
        var (number, patient) = await PatientAsync("Ada");
        await using var clerk = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await clerk.SignInAsync("desk", "/desk");
        await clerk.Heading("Enrolment desk").WaitForAsync();

        // Somebody whom the record system does not know; then the patient herself, by keyboard alone.
        await clerk.Page.GetByLabel("Patient’s number, or reference").FillAsync("no-such-number");
        await clerk.Page.Keyboard.PressAsync("Enter");
        await clerk.Page.GetByText("The record system knows no patient of this number.").WaitForAsync();
        await clerk.Page.Keyboard.PressAsync("Control+A");
        await clerk.Page.Keyboard.TypeAsync(number);
        await clerk.Page.Keyboard.PressAsync("Enter");
        await clerk.Page.GetByText("One patient fits.").WaitForAsync();
        await clerk.Page.GetByText("Ada Quill", new PageGetByTextOptions { Exact = true }).WaitForAsync();
        await clerk.Page.GetByText("1962-04-09").WaitForAsync();
        await Looks.TryAllAsync(clerk, "desk-found", chinese => clerk.Heading(chinese ? "登记台" : "Enrolment desk"));
        await clerk.Button("Look up").FocusAsync();
        await clerk.Page.Keyboard.PressAsync("Tab");
        await clerk.Page.Keyboard.PressAsync("Tab");
        await clerk.Page.Keyboard.PressAsync("Enter");

        // The page that is printed is all that the patient gets.
        await clerk.Heading("Your enrolment code").WaitForAsync();
        await Looks.TryAllAsync(clerk, "desk-ticket", chinese => clerk.Page.GetByText(chinese ? "此代码只显示一次" : "This code is shown once"));
        var printed = await PrintedAsync(clerk, "en");
        Assert.StartsWith(Portal + "#v=1&h=HospitalAMSP&c=", printed.Address, StringComparison.Ordinal);
        Assert.True(EnrolmentTicket.TryParse(new Uri(printed.Address).Fragment, out var ticket));
        Assert.Equal(ticket!.Code.ToPrintedText(), printed.Code);
        Assert.All(ticket.CaDigests.People.Concat(ticket.CaDigests.Bridge), digest => Assert.Contains(digest.ToString(), printed.Text, StringComparison.Ordinal));
        var notice = ConsentNotice.Shipped[0];
        Assert.Contains(notice.Digest.ToString(), printed.Text, StringComparison.Ordinal);
        Assert.All(notice.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Contains(line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..], printed.Text, StringComparison.Ordinal));
        Assert.Contains("Patients together (PortalMSP)", printed.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Quill", printed.Text, StringComparison.Ordinal);
        // What the browser drew it told nobody; nor does any other answer give it.
        Assert.DoesNotContain(clerk.Traffic, request => request.Contains(ticket.Code.ToPlainText(), StringComparison.OrdinalIgnoreCase) || request.Contains(printed.Code, StringComparison.OrdinalIgnoreCase));
        await clerk.Button("Handed over: put it away").ClickAsync();
        var line = clerk.Page.Locator($"[data-enrolment='{printed.Enrolment}']");
        await line.GetByText("open", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        Assert.DoesNotContain(printed.Code, await clerk.Page.ContentAsync(), StringComparison.OrdinalIgnoreCase);

        var consent = await RequestAsync(rig, ticket, ["peers", "sensitive:hiv"], notice);
        await line.GetByText("enrolled", new LocatorGetByTextOptions { Exact = true }).WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        await line.GetByText("finding fellow patients, HIV").WaitForAsync();
        var shown = (await rig.GetAsync("desk", $"/api/enrolments/{printed.Enrolment}")).Body.GetProperty("consent");
        Assert.Equal((true, notice.Digest.ToString()), (shown.GetProperty("shipped").GetBoolean(), shown.GetProperty("notice").GetString()));

        // Withdrawal by keyboard: the second step has the focus and can be left again.
        var index = (await RowAsync(rig, printed.Enrolment)).IndexHandle!;
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Withdraw…" }).FocusAsync();
        await clerk.Page.Keyboard.PressAsync("Enter");
        await clerk.Page.Keyboard.PressAsync("Escape");
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Withdraw…" }).FocusAsync();
        await clerk.Page.Keyboard.PressAsync("Enter");
        await clerk.Page.GetByText("End this enrolment for good?").WaitForAsync();
        await Looks.TryAllAsync(clerk, "desk-withdraw", chinese => clerk.Heading(chinese ? "登记台" : "Enrolment desk"));
        await clerk.Page.GetByLabel("Number or date of the written request").FocusAsync();
        await clerk.Page.Keyboard.TypeAsync("letter 17");
        await clerk.Page.Keyboard.PressAsync("Enter");
        await line.GetByText("withdrawn", new LocatorGetByTextOptions { Exact = true }).WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        Assert.True(await IsWithdrawnAsync(rig, index));
        await line.GetByText("patient no longer kept").WaitForAsync();
        Assert.DoesNotContain(patient, await line.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Empty(clerk.Complaints);

        // Who looked and who did what stands in the audit log, without a name or a number of the patient.
        var audit = await rig.Database.ReadAsync(work => work.ListAsync<string>("SELECT action || ' ' || subject || ' ' || detail FROM audit WHERE person = 'desk' ORDER BY seq"), Ct);
        Assert.Equal(["patient.look-up", "patient.look-up", "enrolment.open", "enrolment.read", "enrolment.withdraw"], audit.Select(entry => entry.Split(' ')[0]).Where(action => !action.StartsWith("session", StringComparison.Ordinal)));
        Assert.All(audit, entry => Assert.False(entry.Contains(number, StringComparison.Ordinal) || entry.Contains(patient, StringComparison.Ordinal) || entry.Contains("Quill", StringComparison.Ordinal)));
        Assert.NotNull(consent);
    }

    [Theory]
    [InlineData("en-GB")]
    [InlineData("zh-CN")]
    public async Task Desk_WithdrawalOfAnEnrolmentUnderWay_IsRecordedAtOnceAndSaysWhatItWaitsFor(string language)
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync([.. Settings, ("Operations:Workers", "false")]);
        var patient = await rig.RequestAsync((await PatientAsync("Nell")).Id);
        // The request was taken, and the ledger lets its answer wait.
        await rig.Database.WriteAsync(work => work.RunAsync("UPDATE enrolment SET state = 'Enrolling', purposes = 'peers'"), Ct);
        var chinese = language == "zh-CN";
        await using var clerk = await fixture.Browser.PersonAsync(rig.BaseAddress, language, width: 390);
        await clerk.SignInAsync("desk", "/desk");
        var line = clerk.Page.Locator($"[data-enrolment='{patient.Enrolment}']");

        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = chinese ? "撤回…" : "Withdraw…" }).ClickAsync();
        await line.GetByRole(AriaRole.Textbox).FillAsync("letter 18");
        await clerk.Page.Keyboard.PressAsync("Enter");

        await line.GetByText(chinese ? "已受理撤回" : "withdrawal recorded", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        await clerk.Page.GetByText(chinese ? "撤回已受理。" : "Recorded. The enrolment is just on its way").WaitForAsync();
        // Nothing more to do about it, and no second word to say.
        Assert.Equal(0, await line.GetByRole(AriaRole.Button).CountAsync());
        foreach (var width in new[] { 390, 1280 })
        {
            await clerk.Page.SetViewportSizeAsync(width, 900);
            Assert.Empty(await clerk.AxeAsync($"desk {width}"));
            Assert.False(await clerk.ScrollsSidewaysAsync());
            await clerk.PictureAsync($"desk-withdrawal-waits-{language}-{width}");
        }
        Assert.NotNull((await RowAsync(rig, patient.Enrolment)).WithdrawAt);
        Assert.Empty(clerk.Complaints);
    }

    [Fact]
    public async Task Desk_GuardianCancelReissueAndMisusedCode_EndAsTheyShould()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(Settings);
        var (number, patient) = await PatientAsync("Milo");
        await using var clerk = await fixture.Browser.PersonAsync(rig.BaseAddress, width: 360);
        await clerk.SignInAsync("desk", "/desk");

        // A guardian for a child, by reference; the page in Chinese, on a telephone's screen.
        await LookAsync(clerk, $"Patient/{patient}");
        await clerk.Page.GetByLabel("A guardian, for a child or a dependent adult (ask for the proof)").CheckAsync();
        await clerk.Button("Open and show the code").ClickAsync();
        var first = await PrintedAsync(clerk, "zh-CN");
        Assert.Contains("由监护人使用", first.Text, StringComparison.Ordinal);
        Assert.Contains(ConsentNotice.Shipped[1].Digest.ToString(), first.Text, StringComparison.Ordinal);
        await clerk.Button("Handed over: put it away").ClickAsync();

        // A second code for the same patient is not to be had; cancelled, and re-issued.
        await LookAsync(clerk, number);
        await clerk.Page.GetByText($"Enrolment {first.Enrolment} stands for this patient: open.").WaitForAsync();
        var line = clerk.Page.Locator($"[data-enrolment='{first.Enrolment}']");
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Cancel" }).ClickAsync();
        await line.GetByText("cancelled", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Re-issue a code" }).ClickAsync();
        var second = await PrintedAsync(clerk, "en");
        Assert.NotEqual(first.Code, second.Code);
        Assert.Contains("to be used by the guardian", second.Text, StringComparison.Ordinal);
        await clerk.Button("Handed over: put it away").ClickAsync();

        // Typed instead of scanned: the code from the paper, the digests from the paper.
        Assert.Equal(CodeReading.Good, EnrolmentCode.TryParse(second.Code, out var typed));
        await RequestAsync(rig, new EnrolmentTicket(Rig.Msp, typed!, rig.Actors.CaDigestsOf(Rig.Msp)), ["peers"], ConsentNotice.Shipped[1]);
        line = clerk.Page.Locator($"[data-enrolment='{second.Enrolment}']");
        await line.GetByText("enrolled", new LocatorGetByTextOptions { Exact = true }).WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        var row = await RowAsync(rig, second.Enrolment);
        using (var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(row.Certificate!)))
            Assert.Contains("OU=guardian", certificate.Subject, StringComparison.Ordinal);

        // The family says that it was not they who used it: ended, and another opened for the same child.
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Patient says: code already used…" }).ClickAsync();
        await clerk.Page.GetByLabel("How and when it was reported").FillAsync("by telephone");
        await clerk.Button("End it").ClickAsync();
        await line.GetByText("ended: code misused", new LocatorGetByTextOptions { Exact = true }).WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        Assert.True(await IsWithdrawnAsync(rig, row.IndexHandle!));
        await line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Open another for this patient" }).ClickAsync();
        Assert.Equal(patient, await clerk.Page.GetByLabel("Patient’s number, or reference").InputValueAsync());
        await clerk.Button("Look up").ClickAsync();
        await clerk.Button("Open and show the code").ClickAsync();
        Assert.NotEqual(second.Code, (await PrintedAsync(clerk, "en")).Code);
        Assert.Empty(clerk.Complaints);
    }

    [Fact]
    public async Task LookUp_RecordSystemAwayOrManyOfOneNumber_SaysSo()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync([.. Settings, ("Operations:Workers", "false")]);
        var (number, _) = await PatientAsync("Uma");
        for (var i = 0; i < 6; i++)
            await PatientAsync("Uma", number, replaced: i == 0);
        var found = await rig.PostAsync("desk", "/api/enrolments/patients", new { patient = number });
        Assert.Equal((5, true), (found.Body.GetProperty("items").GetArrayLength(), found.Body.GetProperty("more").GetBoolean()));
        Assert.All(found.Body.GetProperty("items").EnumerateArray(), item => Assert.Equal(number, item.GetProperty("identifiers")[0].GetString()));
        Assert.Contains(found.Body.GetProperty("items").EnumerateArray(), item => !item.GetProperty("inUse").GetBoolean());
        foreach (var bad in new[] { "", " ", new string('x', 201), "a\u0000b" })
            Assert.Equal("BAD_REQUEST", (await rig.PostAsync("desk", "/api/enrolments/patients", new { patient = bad })).Outcome);
        // A comma would ask for either of two, a bar for a system: the one is data, the other is meant.
        Assert.Equal("UNKNOWN_PATIENT", (await rig.PostAsync("desk", "/api/enrolments/patients", new { patient = $"{number},x" })).Outcome);
        Assert.Equal("FOUND", (await rig.PostAsync("desk", "/api/enrolments/patients", new { patient = $"urn:mrn|{number}" })).Outcome);

        await using var other = Rig.Create(fixture);
        await other.StartAsync([.. Settings, ("Operations:Workers", "false"), ("Fhir:BaseUrl", "http://127.0.0.1:9/fhir")]);
        await using var clerk = await fixture.Browser.PersonAsync(other.BaseAddress);
        await clerk.SignInAsync("desk", "/desk");
        await clerk.Page.GetByLabel("Patient’s number, or reference").FillAsync(number);
        await clerk.Page.Keyboard.PressAsync("Enter");
        await clerk.Page.GetByText("The record system does not answer.").WaitForAsync(new LocatorWaitForOptions { Timeout = 30_000 });
        Assert.DoesNotContain(number, other.LogText, StringComparison.Ordinal);
    }

    private sealed record Printed(long Enrolment, string Code, string Address, string Text);

    /// <summary>The sheet as the printer gives it, in the patient's language: what it says, and what a phone reads in its QR code.</summary>
    private static async Task<Printed> PrintedAsync(ConsolePerson clerk, string language)
    {
        await clerk.Page.GetByLabel("Patient’s language").SelectOptionAsync(language);
        await clerk.Page.Locator($".sheet[lang='{language}']").WaitForAsync();
        await clerk.Page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });
        Assert.False(await clerk.Page.GetByText("This code is shown once").IsVisibleAsync());
        Assert.False(await clerk.Page.Locator("header.bar").IsVisibleAsync());
        var sheet = clerk.Page.Locator(".sheet");
        var code = await sheet.Locator(".ticket-code").InnerTextAsync();
        var printed = new Printed(
            long.Parse((await sheet.Locator(".sheet-number").InnerTextAsync()).Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture), code,
            await QrReader.ReadAsync(sheet.Locator(".qr"), clerk.Context), await sheet.InnerTextAsync());
        if (Environment.GetEnvironmentVariable("BRIDGE_SCREENSHOTS") is { Length: > 0 } folder)
            await clerk.Page.PdfAsync(new PagePdfOptions { Path = Path.Combine(folder, $"ticket-{language}-{printed.Enrolment}.pdf"), PreferCSSPageSize = true });
        await clerk.Page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Screen });
        return printed;
    }

    private static async Task LookAsync(ConsolePerson clerk, string text)
    {
        await clerk.Page.GetByLabel("Patient’s number, or reference").FillAsync(text);
        await clerk.Button("Look up").ClickAsync();
        await clerk.Page.GetByText("One patient fits.").WaitForAsync();
    }

    private async Task<(string Number, string Id)> PatientAsync(string given, string? number = null, bool replaced = false)
    {
        number ??= "MRN-" + Convert.ToHexString(RandomNumberGenerator.GetBytes(5));
        var patient = new JsonObject
        {
            ["resourceType"] = "Patient",
            ["identifier"] = new JsonArray(new JsonObject { ["system"] = "urn:mrn", ["value"] = number }),
            ["name"] = new JsonArray(
                new JsonObject { ["use"] = "nickname", ["text"] = "Nick" },
                new JsonObject { ["use"] = "official", ["family"] = "Quill", ["given"] = new JsonArray(given) }),
            ["gender"] = "female",
            ["birthDate"] = "1962-04-09",
        };
        if (replaced)
            patient["link"] = new JsonArray(new JsonObject { ["type"] = "replaced-by", ["other"] = new JsonObject { ["reference"] = "Patient/x" } });
        return (number, await fixture.PutAsync(patient));
    }

    /// <summary>What the patient's browser makes of the ticket; the portal puts it on the ledger.</summary>
    private static async Task<string> RequestAsync(Rig rig, EnrolmentTicket ticket, string[] purposes, ConsentNotice notice)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request.Create(
            ticket.Code.Derive(ticket.Hospital, ticket.CaDigests), SampleConsortium.PortalMsp, key, purposes, [SampleConsortium.PortalMsp], notice.Text, notice.Language,
            DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
        await rig.Actors.RequestAsync(Rig.Msp, request);
        return request.Consent;
    }

    private static async Task<EnrolmentRow> RowAsync(Rig rig, long enrolment) => (await rig.Database.ReadAsync(work => EnrolmentRows.ByIdAsync(work, enrolment), Ct))!;

    private static async Task<bool> IsWithdrawnAsync(Rig rig, string index)
    {
        var reading = await rig.Services.GetRequiredService<SummaryLedger>().ReadPatientByIndexAsync(Rig.Msp, Handle.Parse(index), Ct);
        return reading is { Withdrawn: true, Consent: null };
    }
}
