using System.Net;
using System.Net.Sockets;
using Bridge.FlowTests.WebConsole;
using Bridge.Hospital.Store;
using Bridge.Sandbox.Parts;
using Bridge.Tests.Hospital;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class OutageTests(HospitalFixture fixture)
{
    [Theory]
    [OnBothEngines]
    public async Task Ready_FhirServerAndLedgerUnreachable_NamesBothAndRecovers(Engine engine)
    {
        using var fhir = new Gate(fixture.Fhir);
        using var ledger = new Gate(fixture.Ledger.Ledger.Endpoint(Rig.Msp));
        await using var rig = await Rig.CreateAsync(fixture, engine);
        await rig.StartAsync(("Fhir:BaseUrl", fhir.Address.ToString()), ("Ledger:Endpoints:0", ledger.Address.ToString()), ("SignIn:SamplePeople", "true"));

        var last = await rig.GetAsync("operator", "/health/ready");
        await rig.UntilAsync("both to be missed", async () =>
        {
            last = await rig.GetAsync("operator", "/health/ready");
            return Detail(last, "fhir")?.Contains("does not answer", StringComparison.Ordinal) == true && Detail(last, "ledger") is not null;
        });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, last.Status);
        Assert.Null(Detail(last, "database"));
        Assert.Equal(HttpStatusCode.OK, (await rig.GetAsync("operator", "/health/live")).Status);
        // Whoever is no operator hears which part it is, and nothing of where it lies or what it says.
        foreach (var who in new[] { null, "desk", "registrar", "nobody-known" })
        {
            var told = await rig.CallAsync(who, HttpMethod.Get, "/health/ready");
            Assert.Equal(HttpStatusCode.ServiceUnavailable, told.Status);
            Assert.Equal(["status", "notReady"], told.Body.EnumerateObject().Select(member => member.Name));
            Assert.Equal("not ready", told.Body.GetProperty("status").GetString());
            var names = told.Body.GetProperty("notReady").EnumerateArray().Select(name => name.GetString()!).ToList();
            Assert.Contains("fhir", names);
            Assert.Contains("ledger", names);
            Assert.DoesNotContain("database", names);
            Assert.All(names, name => Assert.Matches("^[a-z]+$", name));
        }

        fhir.Open();
        ledger.Open();

        await rig.UntilAsync("recovery", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.OK, state: () => Task.FromResult(last.Body.ToString()));
        Assert.Equal("""{"status":"ready","notReady":[]}""", (await rig.CallAsync(null, HttpMethod.Get, "/health/ready")).Body.ToString());
        // An operator who signed in reads them too.
        using var browser = await PlainBrowser.SignedInAsync(rig, "operator");
        using var hers = await browser.GetAsync(new Uri(rig.BaseAddress, "/health/ready"));
        Assert.Contains("\"checks\":[{\"name\":\"database\"", await hers.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_DatabaseServerGoneForAMinute_NamesItAndWorkGoesOnByItselfInOrder()
    {
        var clock = new JumpingTime();
        await using var server = await MariaDbServer.StartAsync();
        await using var rig = Rig.Create(fixture);
        rig.Clock = clock;
        rig.Use(await server.NewDatabaseAsync());
        var licence = (await rig.AddDoctorAsync()).Statement.Licence;
        // What one patient's doctor signs waits almost a minute: it becomes due while the database is away.
        await rig.StartAsync(("Anchoring:MinPatients", "2"), ("Anchoring:MinDelay", "00:00:50"), ("Anchoring:MaxDelay", "00:00:50"), ("SignIn:SamplePeople", "true"));
        using var operators = await PlainBrowser.SignedInAsync(rig, "operator");
        var patient = await rig.EnrolAsync();
        var practitioner = await fixture.PractitionerAsync(licence);
        var signed = new List<string>();
        foreach (var code in Source.Codes.Take(3))
        {
            signed.Add(await fixture.EncounterAsync(patient.FhirId, practitioner, code));
            Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, await rig.QueuedAsync(licence, signed[^1]))).Outcome);
        }

        await server.KillAsync();
        var last = await rig.GetAsync("operator", "/health/live");
        Assert.Equal(HttpStatusCode.OK, last.Status);
        await rig.UntilAsync("the database to be missed", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.ServiceUnavailable && Detail(last, "database") is not null);
        // Who signed in cannot be told without it: that is no reason to say nothing.
        using (var told = await operators.GetAsync(new Uri(rig.BaseAddress, "/health/ready")))
            Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (told.StatusCode, (await told.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Contains("\"database\"", StringComparison.Ordinal)));
        // The record goes on meanwhile, and a minute passes for the bridge.
        var meanwhile = await fixture.EncounterAsync(patient.FhirId, practitioner, Source.Codes[3]);
        clock.Jump(TimeSpan.FromMinutes(1));
        await rig.UntilAsync("the database to be missed still", async () => Detail(last = await rig.GetAsync("operator", "/health/ready"), "database") is not null);
        await server.RunAsync();

        await rig.UntilAsync("recovery", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.OK, state: () => Task.FromResult(last.Body.ToString()));
        Assert.Equal("APPROVED", (await rig.ApproveAsync(licence, await rig.QueuedAsync(licence, meanwhile))).Outcome);
        clock.Jump(TimeSpan.FromMinutes(1));
        foreach (var encounter in (string[])[.. signed, meanwhile])
            await rig.UntilStatusAsync(encounter, SummaryStatus.Anchored);
        var order = await rig.Database.ReadAsync(work => work.ListAsync<string>(
            "SELECT s.encounter_key FROM receipt r JOIN summary s ON s.row_id = r.row_id ORDER BY r.block_number"), TestContext.Current.CancellationToken);
        Assert.Equal([.. signed, meanwhile], order);
        Assert.DoesNotContain(patient.FhirId, rig.LogText, StringComparison.Ordinal);
        await rig.StopAsync();
    }

    /// <summary>What a check that is not ready says; null where it is ready.</summary>
    private static string? Detail(Answer answer, string name)
    {
        var check = answer.Body.GetProperty("checks").EnumerateArray().Single(check => check.GetProperty("name").GetString() == name);
        return check.GetProperty("ready").GetBoolean() ? null : check.GetProperty("detail").GetString();
    }

    /// <summary>This machine's clock, which can be put forward.</summary>
    private sealed class JumpingTime : TimeProvider
    {
        private long _ahead;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _ahead));

        public void Jump(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);
    }

    /// <summary>An address where nobody listens until it is opened; then whatever comes is passed on.</summary>
    private sealed class Gate : IDisposable
    {
        private readonly Uri _target;
        // bound and not listening: connections are refused, and nobody else takes the port
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        public Gate(Uri target)
        {
            _target = target;
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            Address = new UriBuilder(target) { Port = ((IPEndPoint)_socket.LocalEndPoint!).Port }.Uri;
        }

        public Uri Address { get; }

        public void Open()
        {
            _socket.Listen();
            _ = AcceptAsync();
        }

        public void Dispose() => _socket.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = PassAsync(await _socket.AcceptAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // the gate was closed
            }
        }

        private async Task PassAsync(Socket from)
        {
            using var to = new TcpClient();
            await using var near = new NetworkStream(from, ownsSocket: true);
            await to.ConnectAsync(_target.Host, _target.Port);
            await using var far = to.GetStream();
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
    }
}
