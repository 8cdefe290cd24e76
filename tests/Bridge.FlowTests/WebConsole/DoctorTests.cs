using System.Security.Cryptography;
using System.Text;
using Bridge.FlowTests.Hospital;
using Bridge.Hospital.Store;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Walkthrough;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>A doctor's key in a real browser, from its making to the moment when it may sign.</summary>
[Collection(HospitalPagesCollection.Name)]
public class DoctorTests(HospitalFixture fixture)
{
    private const string Vera = "Dr. Vera Stein";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Doctor_NewKey_IsCertifiedByPeopleAndNeverLeavesTheBrowser()
    {
        await using var rig = Rig.Create(fixture);
        var licence = "LIC-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        await rig.StartAsync(
            ("SignIn:SamplePeople", "true"), ("Hospital:Name", "Linden Hospital"),
            ("Access:People:60:Name", Vera), ("Access:People:60:Roles:0", "doctor"), ("Access:People:60:Licence", licence),
            ("Access:People:60:TokenSha256", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(licence)))));
        await using var vera = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await using var registrar = await fixture.Browser.PersonAsync(rig.BaseAddress);

        await vera.SignInAsync(Vera);
        await KeyAsync(rig, vera, registrar, licence);
        await FirstSignatureAsync(rig, vera, licence);
        // What left the browser: signatures and a certificate request, and no private key.
        Assert.All(vera.Traffic, request => Assert.StartsWith(rig.BaseAddress.GetLeftPart(UriPartial.Authority), request.Split(' ')[1], StringComparison.Ordinal));
        Assert.DoesNotContain(vera.Traffic, request => request.Contains("PRIVATE KEY", StringComparison.Ordinal) || request.Contains("MIGHAgEAMBMGByqGSM4" + "9", StringComparison.Ordinal)
            || request.Contains("\"d\":", StringComparison.Ordinal));
        Assert.Empty(vera.Complaints);
        Assert.Empty(registrar.Complaints);
    }

    /// <summary>With the new key she reads and signs one; it is anchored, and a reader who trusts nothing but the CAs' digests finds her name.</summary>
    private async Task FirstSignatureAsync(Rig rig, ConsolePerson vera, string licence)
    {
        var patient = await rig.EnrolAsync();
        var encounter = await fixture.EncounterAsync(patient.FhirId, await fixture.PractitionerAsync(licence));
        await rig.UntilStatusAsync(encounter, SummaryStatus.AwaitingCoSign);
        var summary = (await rig.RowOfAsync(encounter))!.SummaryId;
        await vera.Page.GetByRole(AriaRole.Link, new() { Name = "Waiting for you" }).ClickAsync();
        await vera.Page.GetByText("1 summary waits for you.").WaitForAsync();
        await vera.Button("Approve and sign a").ClickAsync();
        await vera.Page.GetByText("1 summary signed.").WaitForAsync();
        await rig.UntilSummaryAsync(summary, SummaryStatus.Anchored);
        var (_, verdict) = await Reader.ReadAsync(
            fixture.Ledger.Typed(SampleConsortium.PortalMsp), Rig.Msp, SummaryId.Parse(summary), rig.Actors.CaDigestsOf(Rig.Msp), patient.Request.Pseudonym, Ct);
        Assert.Equal(Vera, verdict.DoctorName);
    }

    /// <summary>A key of the browser, vouched for with the bridge command and confirmed by another hospital's registrar.</summary>
    private async Task KeyAsync(Rig rig, ConsolePerson vera, ConsolePerson registrar, string licence)
    {
        await vera.Page.GotoAsync("/key");
        await vera.Button("Make the key").ClickAsync();
        // A browser that promises nothing is told apart before the key is made.
        var anyway = vera.Button("Make it all the same");
        var waiting = vera.Page.GetByText("Waiting for medical affairs");
        await anyway.Or(waiting).First.WaitForAsync();
        if (await anyway.IsVisibleAsync())
            await anyway.ClickAsync();
        await waiting.WaitForAsync();
        var fingerprint = await vera.Page.Locator(".notice code").InnerTextAsync();
        Assert.Equal("refused", await vera.Page.EvaluateAsync<string>(
            """
            () => new Promise(done => {
              indexedDB.open('bridge-keys', 1).onsuccess = opened => {
                opened.target.result.transaction('keys').objectStore('keys').getAll().onsuccess = found =>
                  crypto.subtle.exportKey('pkcs8', found.target.result[0].keys.privateKey).then(() => done('given'), () => done('refused'));
              };
            })
            """));

        await registrar.SignInAsync("registrar", "/doctors");
        await registrar.Page.GetByText(fingerprint).WaitForAsync();
        await LooksAsync(registrar, "registrar", [("Registrar", "登记员")]);
        var folder = Directory.CreateDirectory(Path.Combine(rig.Folder, "registrar")).FullName;
        var request = Path.Combine(folder, "doctor.csr.pem");
        var saved = await registrar.Page.RunAndWaitForDownloadAsync(() => registrar.Button("Save the request").ClickAsync());
        await saved.SaveAsAsync(request);
        Assert.Equal([RoleMark.Of(PersonRole.Doctor)], PersonRequest.TryRead(await File.ReadAllTextAsync(request, Ct))!.Marks);
        var (own, other) = (rig.Actors.Hospital(Rig.Msp), fixture.Ledger.Consortium.B);
        var (certificate, statement, confirmation) = (Path.Combine(folder, "doctor.cert.pem"), Path.Combine(folder, "statement.jws"), Path.Combine(folder, "confirmation.jws"));
        await BridgeCli.RunAsync(Ct, "ca", "issue", "--ca", own.PeopleRoot.CertificateFile, "--ca-key", own.PeopleRoot.KeyFile, "--kind", "doctor", "--request", request, "--out", certificate, "--yes");
        await BridgeCli.RunAsync(
            Ct, "registrar", "statement", "--key", own.Registrar.KeyFile, "--signer", own.Registrar.CertificateFile, "--hospital", Rig.Msp, "--certificate", certificate, "--licence", licence,
            "--registry", "register of the tests", "--out", statement, "--yes");
        await registrar.Page.Locator("form:has-text('certificate and your statement') input[type=file]").Nth(0).SetInputFilesAsync(statement);
        await registrar.Page.Locator("form:has-text('certificate and your statement') input[type=file]").Nth(1).SetInputFilesAsync(certificate);
        await registrar.Button("Hand in the statement").ClickAsync();
        await registrar.Page.GetByText("Taken. It is on its way to the ledger.").WaitForAsync();
        await vera.Page.GetByText("waits for its second confirmation").WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
        await LooksAsync(vera, "key", [("My key", "我的密钥")]);

        var record = Path.Combine(folder, "record.json");
        await File.WriteAllTextAsync(record, (await fixture.Ledger.Typed(Rig.Msp).ReadHospitalAsync(Rig.Msp, Ct)).Record, Ct);
        await BridgeCli.RunAsync(
            Ct, "registrar", "confirm", "--key", other.Registrar.KeyFile, "--signer", other.Registrar.CertificateFile, "--statement", statement, "--certificate", certificate, "--record", record,
            "--out", confirmation, "--yes");
        await registrar.Page.Locator("form:has-text('A second confirmation') input[type=file]").SetInputFilesAsync(confirmation);
        await registrar.Button("Hand in the confirmation").ClickAsync();
        await vera.Page.GetByText("This browser can sign").WaitForAsync(new LocatorWaitForOptions { Timeout = 60_000 });
    }

    /// <summary>Light and dark, wide, narrow and at 200 % zoom, English and Chinese: axe finds nothing and nothing has to be scrolled sideways.</summary>
    private static async Task LooksAsync(ConsolePerson person, string name, (string English, string Chinese)[] titles)
    {
        var faults = new List<string>();
        foreach (var chinese in new[] { true, false })
        {
            await person.Page.Locator(".language select").SelectOptionAsync(chinese ? "zh-CN" : "en");
            await person.Heading(chinese ? titles[0].Chinese : titles[0].English).WaitForAsync();
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
