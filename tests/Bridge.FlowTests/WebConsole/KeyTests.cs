using System.Security.Cryptography;
using System.Text;
using Bridge.FlowTests.Hospital;
using Bridge.Records;
using Bridge.Sandbox.Processes;
using Microsoft.Playwright;
using Xunit;

namespace Bridge.FlowTests.WebConsole;

/// <summary>What becomes of a doctor's key after it was made: renewed, joined by another device's, lost, ended; and where it is not made at all.</summary>
[Collection(HospitalPagesCollection.Name)]
public class KeyTests(HospitalFixture fixture)
{
    private const string Nora = "Dr. Nora Lindqvist";

    private static readonly LocatorWaitForOptions Long = new() { Timeout = 60_000 };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private readonly string licence = "LIC-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private int made;

    private (string Key, string Value)[] Settings =>
    [
        ("SignIn:SamplePeople", "true"), ("Hospital:Name", "Linden Hospital"),
        ("Access:People:60:Name", Nora), ("Access:People:60:Roles:0", "doctor"), ("Access:People:60:Licence", licence),
        ("Access:People:60:TokenSha256", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"token-of-{licence}")))),
    ];

    [Fact]
    public async Task Key_EndsSoonThenSecondDeviceThenLost_AlwaysOneThatWorksAndWordsForEach()
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(Settings);
        await using var office = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await using var ward = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await office.SignInAsync(Nora, "/key");
        await ward.SignInAsync(Nora, "/key");

        // The first key's certificate is short: it ends within the time of warning.
        await MakeAsync(office);
        var first = await CertifyAsync(rig, days: 20);
        await office.Page.GetByText("Make your next key").WaitForAsync(Long);
        await Looks.TryAllAsync(office, "key-renew", chinese => office.Heading(chinese ? "我的密钥" : "My key"));
        await office.Page.GotoAsync("/queue");
        await office.Page.GetByText("Your key ends on").WaitForAsync();
        await office.Page.GetByText("Make the next one now").WaitForAsync();

        // While the next one is on its way the old one signs; once it is confirmed the new one does, by itself.
        var patient = await rig.EnrolAsync();
        var practitioner = await fixture.PractitionerAsync(licence);
        await office.Page.GotoAsync("/key");
        await MakeAsync(office);
        await office.Page.GotoAsync("/queue");
        await office.Page.GetByText("The next one is asked for").WaitForAsync();
        Assert.Equal(first, await SignAsync(rig, office, patient.FhirId, practitioner, 0));
        var (second, confirmation) = await StateAsync(rig, days: null);
        await office.Page.GotoAsync("/key");
        await office.Page.GetByText("waits for its second confirmation").WaitForAsync(Long);
        Assert.Equal(first, await SignAsync(rig, office, patient.FhirId, practitioner, 1));
        Assert.Equal("QUEUED", (await rig.PostAsync("registrar", "/api/doctors/confirmations", new { statement = confirmation })).Outcome);
        await office.Page.GotoAsync("/key");
        await office.Page.GetByText("A newer key of this browser signs now.").WaitForAsync(Long);
        Assert.Equal(second, await SignAsync(rig, office, patient.FhirId, practitioner, 2));

        // A second device has a key of its own; the first is told that somebody asks in her name.
        await ward.Page.GotoAsync("/key");
        await ward.Page.GetByText("You have a key that works, in another browser.").WaitForAsync();
        await MakeAsync(ward);
        await office.Page.GotoAsync("/key");
        await office.Page.GetByText("Another browser asks for a certificate in your name").WaitForAsync();
        await Looks.TryAllAsync(office, "key-asked", chinese => office.Heading(chinese ? "我的密钥" : "My key"));
        var third = await CertifyAsync(rig, days: null);
        await ward.Page.GetByText("This browser can sign").WaitForAsync(Long);
        Assert.Equal(third, await SignAsync(rig, ward, patient.FhirId, practitioner, 3));
        Assert.Equal(second, await SignAsync(rig, office, patient.FhirId, practitioner, 4));

        // The office's computer is gone: reported from the ward, it signs nothing here at once, also what it shows to have signed a moment before.
        await ward.Page.GotoAsync("/key");
        var card = ward.Page.Locator("li.card", new PageLocatorOptions { HasText = second[..12] });
        await card.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "I lost this key or this device" }).FocusAsync();
        await ward.Page.Keyboard.PressAsync("Enter");
        await ward.Page.GetByText("Report this key as lost?").WaitForAsync();
        await Looks.TryAllAsync(ward, "key-lost", chinese => ward.Heading(chinese ? "我的密钥" : "My key"));
        await ward.Button("Report it lost").FocusAsync();
        await ward.Page.Keyboard.PressAsync("Enter");
        await card.GetByText("reported lost", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        // The old first key still works, so the office has another: that is lost with the computer too.
        var old = ward.Page.Locator("li.card", new PageLocatorOptions { HasText = first[..12] });
        await old.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "I lost this key or this device" }).ClickAsync();
        await ward.Button("Report it lost").ClickAsync();
        await old.GetByText("reported lost", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        await office.Page.GotoAsync("/queue");
        await office.Page.GetByText("You reported the key in this browser as lost.").WaitForAsync();

        // The registrar reads it, takes the paper, revokes with the key on a machine of the office's own, and hands it in.
        await using var registrar = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await registrar.SignInAsync("registrar", "/doctors");
        await registrar.Page.GetByText($"{Nora} reported a key as lost").First.WaitForAsync();
        await Looks.TryAllAsync(registrar, "registrar-lost", chinese => registrar.Heading(chinese ? "登记员" : "Registrar"));
        await RevokeAsync(rig, registrar, second);
        await office.Page.GotoAsync("/key");
        await office.Page.GetByText("key lost", new PageGetByTextOptions { Exact = true }).First.WaitForAsync(Long);
        await office.Page.GotoAsync("/queue");
        await office.Page.GetByText("The key in this browser was revoked").Or(office.Page.GetByText("You reported the key in this browser as lost.")).First.WaitForAsync();

        // Ended by her own hand, with the key itself: the ledger says so, and the page in its words.
        await ward.Page.GotoAsync("/key");
        var own = ward.Page.Locator("li.card", new PageLocatorOptions { HasText = third[..12] });
        await own.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "End it for good" }).ClickAsync();
        await ward.Button("Sign and end it").ClickAsync();
        await own.GetByText("revoked", new LocatorGetByTextOptions { Exact = true }).WaitForAsync(Long);
        await own.GetByText("ended by the doctor", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
        await ward.Page.GetByText("The key in this browser was revoked").WaitForAsync();
        await Looks.TryAllAsync(ward, "key-revoked", chinese => ward.Heading(chinese ? "我的密钥" : "My key"));
        Assert.Equal("REVOKED", (await DirectoryAsync(rig))[third]);
        await own.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Throw this key away" }).ClickAsync();
        await own.GetByText("another browser").WaitForAsync();
        Assert.All([office, ward, registrar], person => Assert.Empty(person.Complaints));
    }

    [Theory]
    [InlineData("closed", "IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError'); };")]
    [InlineData("absent", "Object.defineProperty(window, 'indexedDB', { value: undefined });")]
    [InlineData("full", "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };")]
    [InlineData("forgetful", "const get = IDBObjectStore.prototype.get; IDBObjectStore.prototype.get = function (key) { return get.call(this, key + '-gone'); };")]
    public async Task Key_BrowserThatKeepsNothing_IsToldApartBeforeAKeyIsMade(string how, string script)
    {
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync([.. Settings, ("Operations:Workers", "false")]);
        await using var nora = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await nora.Context.AddInitScriptAsync(script);
        await nora.SignInAsync(Nora, "/key");
        await nora.Page.GetByText("This browser keeps nothing").WaitForAsync();
        Assert.Equal(0, await nora.Button("Make the key").CountAsync());
        if (how == "closed")
            await Looks.TryAllAsync(nora, "key-no-storage", chinese => nora.Page.GetByText(chinese ? "此浏览器不保存任何内容" : "This browser keeps nothing"));
        await nora.Button("Try again").ClickAsync();
        await nora.Page.GetByText("This browser keeps nothing").WaitForAsync();
        Assert.DoesNotContain(nora.Traffic, request => request.Contains("/api/keys/requests", StringComparison.Ordinal));
        Assert.Empty(nora.Complaints);
    }

    [Fact]
    public async Task Key_BrowserWithAndWithoutAPromise_AsksFirstOrMakesItAtOnce()
    {
        await using var rig = Rig.Create(fixture);
        var elsewhere = (await rig.AddDoctorAsync()).Statement.Licence;
        await rig.StartAsync(Settings);
        await using var nora = await fixture.Browser.PersonAsync(rig.BaseAddress);
        await nora.Context.AddInitScriptAsync("StorageManager.prototype.persist = async () => window.promised === true; StorageManager.prototype.persisted = async () => false;");
        await nora.SignInAsync(Nora, "/key");
        await nora.Button("Make the key").ClickAsync();
        await nora.Page.GetByText("This browser may throw the key away").WaitForAsync();
        await Looks.TryAllAsync(nora, "key-at-risk", chinese => nora.Page.GetByText(chinese ? "此浏览器可能会丢弃密钥" : "This browser may throw the key away"));
        Assert.DoesNotContain(nora.Traffic, request => request.Contains("/api/keys/requests", StringComparison.Ordinal));
        await nora.Button("Cancel").ClickAsync();
        await nora.Page.EvaluateAsync("window.promised = true");
        await nora.Button("Make the key").ClickAsync();
        await nora.Page.GetByText("Waiting for medical affairs").WaitForAsync();

        // Taken back: the registrar is not left with a request for a key that is gone.
        Assert.Equal(1, (await rig.GetAsync("registrar", "/api/keys/requests")).Body.GetProperty("items").GetArrayLength());
        await nora.Button("Take back the request and throw the key away").ClickAsync();
        await nora.Button("Make the key").WaitForAsync();
        Assert.Equal(0, (await rig.GetAsync("registrar", "/api/keys/requests")).Body.GetProperty("items").GetArrayLength());

        // Storage wiped (or another computer): she has a certificate that works, and this browser no key.
        await nora.Button("Sign out").ClickAsync();
        await nora.Button(elsewhere, exact: false).ClickAsync();
        await nora.Page.GetByRole(AriaRole.Navigation).WaitForAsync();
        await nora.Page.GotoAsync("/queue");
        await nora.Page.GetByText("If it was in this one, this browser has thrown it away: report it as lost.").WaitForAsync();
        Assert.Empty(nora.Complaints);
    }

    private static async Task MakeAsync(ConsolePerson person)
    {
        await person.Button("Make the key").ClickAsync();
        var anyway = person.Button("Make it all the same");
        var waiting = person.Page.GetByText("Waiting for medical affairs");
        await anyway.Or(waiting).First.WaitForAsync();
        if (await anyway.IsVisibleAsync())
            await anyway.ClickAsync();
        await waiting.WaitForAsync();
    }

    /// <summary>What the registrar, the CA and another hospital's registrar do, each at their own machine; returns once it is ACTIVE.</summary>
    private async Task<string> CertifyAsync(Rig rig, int? days)
    {
        var (thumbprint, confirmation) = await StateAsync(rig, days);
        Assert.Equal("QUEUED", (await rig.PostAsync("registrar", "/api/doctors/confirmations", new { statement = confirmation })).Outcome);
        await rig.UntilAsync("the certificate to be confirmed", async () => (await DirectoryAsync(rig)).GetValueOrDefault(thumbprint) == "ACTIVE");
        return thumbprint;
    }

    /// <summary>Certified and stated, PENDING on the ledger; the confirmation is signed and not handed in.</summary>
    private async Task<(string Thumbprint, string Confirmation)> StateAsync(Rig rig, int? days)
    {
        var folder = Directory.CreateDirectory(Path.Combine(rig.Folder, $"certify-{++made}")).FullName;
        var open = Assert.Single((await rig.GetAsync("registrar", "/api/keys/requests")).Body.GetProperty("items").EnumerateArray());
        var (request, certificate, statement) = (Path.Combine(folder, "request.pem"), Path.Combine(folder, "certificate.pem"), Path.Combine(folder, "statement.jws"));
        await File.WriteAllTextAsync(request, open.GetProperty("pem").GetString(), Ct);
        var own = rig.Actors.Hospital(Rig.Msp);
        await BridgeCli.RunAsync(Ct, [
            "ca", "issue", "--ca", own.PeopleRoot.CertificateFile, "--ca-key", own.PeopleRoot.KeyFile, "--kind", "doctor", "--request", request, "--out", certificate, "--yes",
            .. days is { } limit ? (string[])["--days", $"{limit}"] : []]);
        await BridgeCli.RunAsync(
            Ct, "registrar", "statement", "--key", own.Registrar.KeyFile, "--signer", own.Registrar.CertificateFile, "--hospital", Rig.Msp, "--certificate", certificate, "--licence", licence,
            "--registry", "register of the tests", "--out", statement, "--yes");
        var der = PemDer(await File.ReadAllTextAsync(certificate, Ct));
        Assert.Equal("QUEUED", (await rig.PostAsync("registrar", "/api/doctors", new
        {
            certificate = Convert.ToBase64String(der),
            statement = (await File.ReadAllTextAsync(statement, Ct)).Trim(),
        })).Outcome);
        var thumbprint = Digest.Of(der).ToString();
        await rig.UntilAsync("the certificate to be proposed", async () => (await DirectoryAsync(rig)).GetValueOrDefault(thumbprint) == "PENDING");

        // What the other hospital's registrar is sent comes from the page's own papers.
        var handle = (await DoctorAsync(rig, thumbprint)).GetProperty("handle").GetString();
        var papers = (await rig.GetAsync("registrar", $"/api/doctors/{handle}/papers")).Body;
        foreach (var (name, file) in new[] { ("statement", "sent.jws"), ("certificate", "sent.pem"), ("record", "record.json") })
            await File.WriteAllTextAsync(Path.Combine(folder, file), papers.GetProperty(name).GetString(), Ct);
        var other = fixture.Ledger.Consortium.B;
        var confirmation = Path.Combine(folder, "confirmation.jws");
        await BridgeCli.RunAsync(
            Ct, "registrar", "confirm", "--key", other.Registrar.KeyFile, "--signer", other.Registrar.CertificateFile, "--statement", Path.Combine(folder, "sent.jws"), "--certificate",
            Path.Combine(folder, "sent.pem"), "--record", Path.Combine(folder, "record.json"), "--out", confirmation, "--yes");
        return (thumbprint, (await File.ReadAllTextAsync(confirmation, Ct)).Trim());
    }

    /// <summary>By way of the page: the statement is saved, the revocation signed elsewhere, and handed in.</summary>
    private static async Task RevokeAsync(Rig rig, ConsolePerson registrar, string thumbprint)
    {
        var folder = Directory.CreateDirectory(Path.Combine(rig.Folder, "revoke")).FullName;
        var handle = (await DoctorAsync(rig, thumbprint)).GetProperty("handle").GetString()!;
        var line = registrar.Page.Locator($"[data-doctor='{handle}']");
        await line.GetByText("To revoke").ClickAsync();
        var (statement, revocation) = (Path.Combine(folder, "statement.jws"), Path.Combine(folder, "revocation.jws"));
        var saved = await registrar.Page.RunAndWaitForDownloadAsync(() => line.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Save the statement" }).ClickAsync());
        await saved.SaveAsAsync(statement);
        var own = rig.Actors.Hospital(Rig.Msp);
        await BridgeCli.RunAsync(
            Ct, "registrar", "revoke", "--key", own.Registrar.KeyFile, "--signer", own.Registrar.CertificateFile, "--statement", statement, "--reason", "key-lost", "--out", revocation, "--yes");
        await registrar.Page.Locator("form:has-text('A revocation') input[type=file]").SetInputFilesAsync(revocation);
        await registrar.Button("Hand in the revocation").ClickAsync();
        await rig.UntilAsync("the certificate to be revoked", async () => (await DirectoryAsync(rig))[thumbprint] == "REVOKED");
        await line.GetByText("revoked", new LocatorGetByTextOptions { Exact = true }).WaitForAsync();
    }

    /// <summary>A new encounter is signed in this person's browser; returns the thumbprint of the certificate that signed it.</summary>
    private async Task<string> SignAsync(Rig rig, ConsolePerson person, string patient, string practitioner, int code)
    {
        var encounter = await fixture.EncounterAsync(patient, practitioner, Source.Codes[code]);
        var summary = await rig.QueuedAsync(licence, encounter);
        await person.Page.GotoAsync("/queue");
        await person.Button("Approve and sign", exact: false).ClickAsync();
        string? thumbprint = null;
        await rig.UntilAsync("the summary to be signed", async () => (thumbprint = await rig.Database.ReadAsync(
            work => work.ScalarAsync<string>("SELECT thumbprint FROM decision WHERE summary_id = @summary AND kind = 'approve'", new { summary }), Ct)) is not null);
        return thumbprint!;
    }

    private static async Task<Dictionary<string, string>> DirectoryAsync(Rig rig) => (await rig.Database.ReadAsync(
        work => work.ListAsync<string>("SELECT thumbprint || ' ' || status FROM doctor"), Ct)).Select(line => line.Split(' ')).ToDictionary(parts => parts[0], parts => parts[1]);

    private static async Task<System.Text.Json.JsonElement> DoctorAsync(Rig rig, string thumbprint) =>
        (await rig.GetAsync("registrar", "/api/doctors")).Body.GetProperty("items").EnumerateArray().Single(item => item.GetProperty("thumbprint").GetString() == thumbprint);

    private static byte[] PemDer(string pem)
    {
        var fields = PemEncoding.Find(pem);
        return Convert.FromBase64String(pem[fields.Base64Data]);
    }
}
