using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Bridge.Hospital.Access;
using Bridge.Records;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Hospital;

public class SessionTests
{
    private static readonly SignedIn Iris = new("Iris Keller (iris)", "Iris Keller", ["doctor", "operator"], "LIC-1", "oidc");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [OnBothEngines]
    public async Task Find_OpenSession_GivesItsOwnerAndNotTheToken(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var sessions = Sessions(store.Database, Options(), new FakeTimeProvider(TestStore.Now));

        var token = await sessions.OpenAsync(Iris, Ct);
        var found = await sessions.FindAsync(token, background: false, Ct);

        Assert.Equal(("Iris Keller (iris)", "doctor operator", "LIC-1"), (found!.Person, found.Roles, found.Licence));
        Assert.Null(await sessions.FindAsync(token + "A", background: false, Ct));
        Assert.Equal(0, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM session WHERE token_hash = @token", new { token })));
    }

    [Theory]
    [OnBothEngines]
    public async Task Find_AfterIdleTime_IsOverUnlessThePersonActed(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var clock = new FakeTimeProvider(TestStore.Now);
        var sessions = Sessions(store.Database, Options(), clock);
        var token = await sessions.OpenAsync(Iris, Ct);

        for (var i = 0; i < 5; i++)
        {
            clock.Advance(TimeSpan.FromMinutes(20));
            Assert.NotNull(await sessions.FindAsync(token, background: false, Ct));
        }
        // What the page asks by itself does not count.
        clock.Advance(TimeSpan.FromMinutes(20));
        Assert.NotNull(await sessions.FindAsync(token, background: true, Ct));
        clock.Advance(TimeSpan.FromMinutes(10));
        Assert.Null(await sessions.FindAsync(token, background: false, Ct));
    }

    [Theory]
    [OnBothEngines]
    public async Task Find_AfterAbsoluteTime_IsOverHoweverBusy(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var clock = new FakeTimeProvider(TestStore.Now);
        var sessions = Sessions(store.Database, Options(), clock);
        var token = await sessions.OpenAsync(Iris, Ct);

        for (var minutes = 20; minutes < 12 * 60; minutes += 20)
        {
            clock.Advance(TimeSpan.FromMinutes(20));
            Assert.NotNull(await sessions.FindAsync(token, background: false, Ct));
        }
        clock.Advance(TimeSpan.FromMinutes(20));
        Assert.Null(await sessions.FindAsync(token, background: false, Ct));
        // A sign-in sweeps it away, when it is no longer of use to tell who is still here.
        Assert.True(await sessions.IsInUseAsync(token, Ct));
        clock.Advance(TimeSpan.FromMinutes(30));
        Assert.False(await sessions.IsInUseAsync(token, Ct));
        await sessions.OpenAsync(Iris, Ct);
        Assert.Equal(1, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM session")));
    }

    [Theory]
    [OnBothEngines]
    public async Task Close_Session_EndsItForEveryHolderOfTheCookie(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var sessions = Sessions(store.Database, Options(), new FakeTimeProvider(TestStore.Now));
        var token = await sessions.OpenAsync(Iris, Ct);

        Assert.Equal("oidc", (await sessions.CloseAsync(token, Ct))!.Way);

        Assert.Null(await sessions.FindAsync(token, background: false, Ct));
        Assert.False(await sessions.IsInUseAsync(token, Ct));
        Assert.Null(await sessions.CloseAsync(token, Ct));
        Assert.Equal(
            (Iris.Person, "session.close"),
            await store.ReadAsync(work => work.FirstAsync<(string, string)>("SELECT person, action FROM audit ORDER BY seq DESC LIMIT 1", new { })));
    }

    [Theory]
    [OnBothEngines]
    public async Task Close_SessionWithIdToken_GivesItBackAndTheDatabaseAloneDoesNot(Engine engine)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var sessions = Sessions(store.Database, Options(), new FakeTimeProvider(TestStore.Now));
        var idToken = $"{new string('h', 40)}.{new string('p', 2000)}.{new string('s', 340)}";
        var mine = await sessions.OpenAsync(Iris with { IdToken = idToken }, Ct);
        var other = await sessions.OpenAsync(Iris with { IdToken = idToken }, Ct);
        var large = await sessions.OpenAsync(Iris with { IdToken = new string('l', 2601) }, Ct);

        var stored = await store.ReadAsync(work => work.ListAsync<string>("SELECT id_token FROM session WHERE id_token IS NOT NULL"));
        Assert.Equal(2, stored.Distinct().Count());
        Assert.All(stored, kept => Assert.DoesNotContain("pppp", System.Text.Encoding.Latin1.GetString(Base64Url.Decode(kept)), StringComparison.Ordinal));
        // Another session's is no use with this cookie.
        await store.WriteAsync(work => work.RunAsync(
            "UPDATE session SET id_token = (SELECT kept FROM (SELECT id_token AS kept FROM session WHERE token_hash = @from) AS one) WHERE token_hash = @to",
            new { from = Bridge.Hospital.Access.Sessions.HashOf(mine), to = Bridge.Hospital.Access.Sessions.HashOf(other) }));
        Assert.Equal(idToken, (await sessions.CloseAsync(mine, Ct))!.IdToken);
        Assert.Null((await sessions.CloseAsync(other, Ct))!.IdToken);
        Assert.Null((await sessions.CloseAsync(large, Ct))!.IdToken);

        var here = await Sessions(store.Database, Options() with { EndsThere = false }, new FakeTimeProvider(TestStore.Now)).OpenAsync(Iris with { IdToken = idToken }, Ct);
        Assert.Null((await sessions.CloseAsync(here, Ct))!.IdToken);
    }

    public static TheoryData<string> Changed => ["issuer", "client", "claim", "group", "licence"];

    [Theory]
    [MemberData(nameof(Changed))]
    public async Task Find_SessionOpenedUnderAnotherConfiguration_IsOver(string what)
    {
        await using var store = await TestStore.CreateAsync(Engine.Sqlite);
        var clock = new FakeTimeProvider(TestStore.Now);
        var before = Options() with { Issuer = new Uri("https://login.hospital.example"), RoleValues = Groups("clinician") };
        var token = await Sessions(store.Database, before, clock).OpenAsync(Iris, Ct);
        // A restart changes nothing.
        Assert.NotNull(await Sessions(store.Database, before with { RoleValues = Groups("clinician") }, clock).FindAsync(token, background: false, Ct));

        var after = what switch
        {
            "issuer" => before with { Issuer = new Uri("https://other.hospital.example") },
            "client" => before with { ClientId = "another" },
            "claim" => before with { RolesClaim = "groups" },
            "group" => before with { RoleValues = Groups("physician") },
            _ => before with { LicenceSystem = "urn:another" },
        };
        Assert.Null(await Sessions(store.Database, after, clock).FindAsync(token, background: false, Ct));

        // For good, and it stands in the audit log why.
        Assert.Null(await Sessions(store.Database, before, clock).FindAsync(token, background: false, Ct));
        var (action, detail) = await store.ReadAsync(work => work.FirstAsync<(string, string)>("SELECT action, detail FROM audit ORDER BY seq DESC LIMIT 1"));
        Assert.Equal("session.end", action);
        Assert.Contains("CONFIGURATION", detail, StringComparison.Ordinal);

        static Dictionary<string, IReadOnlyList<string>> Groups(string doctors) => Roles.All.ToDictionary(role => role, role => (IReadOnlyList<string>)(role == Roles.Doctor ? [doctors] : []));
    }

    [Fact]
    public async Task Find_PersonOfTheConfigurationChangedOrRemoved_IsOver()
    {
        await using var store = await TestStore.CreateAsync(Engine.Sqlite);
        var clock = new FakeTimeProvider(TestStore.Now);
        var (olga, desk) = (new Person("olga", ["operator", "desk"], new byte[32], null), new Person("dora", ["desk"], new byte[32], null));
        var options = Options() with { SamplePeople = true };
        async Task<bool> HoldsAsync(SignInOptions then, params Person[] people)
        {
            var token = await Sessions(store.Database, options, clock, olga, desk).OpenAsync(new SignedIn("olga", "olga", olga.Roles, null, "sample"), Ct);
            return await Sessions(store.Database, then, clock, people).FindAsync(token, background: false, Ct) is not null;
        }

        Assert.True(await HoldsAsync(options, desk, olga with { TokenSha256 = new byte[31] }));
        Assert.False(await HoldsAsync(options, desk));
        Assert.False(await HoldsAsync(options, desk, olga with { Roles = ["desk"] }));
        Assert.False(await HoldsAsync(options, desk, olga with { Licence = "LIC-1" }));
        Assert.False(await HoldsAsync(options with { SamplePeople = false }, olga, desk));
    }

    [Theory]
    [OnBothEngines("left", true)]
    [OnBothEngines("licence withdrawn", true)]
    [OnBothEngines("key-lost", false)]
    [OnBothEngines("ended-by-doctor", false)]
    public async Task Find_DoctorRevokedSince_IsOverUnlessOnlyAKeyIsGone(Engine engine, string reason, bool over)
    {
        await using var store = await TestStore.CreateAsync(engine);
        var sessions = Sessions(store.Database, Options(), new FakeTimeProvider(TestStore.Now));
        foreach (var n in new[] { 1, 2 })
            await store.WriteAsync(work => work.RunAsync(
                """
                INSERT INTO doctor (handle, hospital, thumbprint, certificate, name, licence, status, not_before, not_after, stored, synced_at)
                VALUES (@handle, 'HospitalAMSP', @handle, '', 'Dr. Keller', @licence, 'ACTIVE', 0, 1, '{}', 0)
                """,
                new { handle = $"h-{n}", licence = $"LIC-{n}" }));
        var (hers, other) = (await sessions.OpenAsync(Iris, Ct), await sessions.OpenAsync(Iris with { Licence = "LIC-2" }, Ct));
        var operators = await sessions.OpenAsync(Iris with { Licence = null, Roles = ["operator"] }, Ct);

        await store.WriteAsync(work => work.RunAsync("UPDATE doctor SET status = 'REVOKED', stored = @stored WHERE handle = 'h-1'", new { stored = Revocation(reason) }));

        // What the page asks by itself ends it as well.
        Assert.Equal(over, await sessions.FindAsync(hers, background: true, Ct) is null);
        Assert.NotNull(await sessions.FindAsync(other, background: false, Ct));
        Assert.NotNull(await sessions.FindAsync(operators, background: false, Ct));
        Assert.Equal(over ? 1 : 0, await store.ReadAsync(work => work.ScalarAsync<long>("SELECT COUNT(*) FROM audit WHERE action = 'session.end'")));
        // Where the hospital's sign-in still lets her in, an old revocation is no new one.
        Assert.NotNull(await sessions.FindAsync(await sessions.OpenAsync(Iris, Ct), background: false, Ct));

        static string Revocation(string why)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var certificate = new CertificateRequest("CN=Registrar", key, HashAlgorithmName.SHA256).CreateSelfSigned(TestStore.Now, TestStore.Now.AddDays(1));
            return JsonSerializer.Serialize(new { revocation = CompactJws.Sign(new DoctorRevocation("HospitalAMSP", Handle.New(), Digest.Of([1]), why), key, certificate.RawData) });
        }
    }

    [Theory]
    [InlineData("Practitioner/p-1", "p-1")]
    [InlineData("https://ehr.example/fhir/Practitioner/p-1", "p-1")]
    [InlineData("https://evil.example/fhir/Practitioner/p-1", null)]
    [InlineData("https://ehr.example/fhir.evil.example/Practitioner/p-1", null)]
    [InlineData("Patient/p-1", null)]
    [InlineData("Practitioner/../Patient/p-1", null)]
    [InlineData("Practitioner/a b", null)]
    public void PractitionerOf_FhirUser_NamesOnlyPractitionersOfOurServers(string user, string? expected)
    {
        var claims = JsonSerializer.SerializeToElement(new { fhirUser = user });

        Assert.Equal(expected, SignInRules.PractitionerOf(claims, new Uri("https://ehr.example/fhir/"), null));
    }

    [Theory]
    [InlineData("{}", true)]
    [InlineData("""{"auth_time":1000000}""", true)]
    [InlineData("""{"auth_time":999880}""", true)]
    [InlineData("""{"auth_time":999879}""", false)]
    [InlineData("""{"auth_time":"1000000"}""", false)]
    [InlineData("""{"auth_time":null}""", false)]
    public void AskedSince_TimeOfAuthentication_IsNoEarlierThanTheRequest(string claims, bool expected) => Assert.Equal(
        expected, SignInRules.AskedSince(JsonElement.Parse(claims), DateTimeOffset.FromUnixTimeSeconds(1_000_000), TimeSpan.FromMinutes(2)));

    [Theory]
    [InlineData("/queue", "/queue")]
    [InlineData("//evil.example", "/")]
    [InlineData("/\\evil.example", "/")]
    [InlineData("https://evil.example", "/")]
    [InlineData("/a?b", "/")]
    [InlineData(null, "/")]
    public void SafeReturn_AnyText_StaysInTheConsole(string? path, string expected) => Assert.Equal(expected, SignInRules.SafeReturn(path));

    private static Sessions Sessions(Bridge.Hospital.Store.Database database, SignInOptions options, TimeProvider clock, params Person[] people) =>
        new(database, options, new AccessOptions(people, []), new Bridge.Hospital.HospitalOptions("HospitalAMSP", "Linden Hospital"), clock);

    private static SignInOptions Options() => new(
        null, null, "", null, "openid", null, "roles", Roles.All.ToDictionary(role => role, _ => (IReadOnlyList<string>)[]), null, null,
        TimeSpan.FromMinutes(30), TimeSpan.FromHours(12), SamplePeople: false, EndsThere: true);
}
