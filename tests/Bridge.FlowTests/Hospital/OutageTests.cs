using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bridge.FlowTests.Hospital;

[Collection(HospitalCollection.Name)]
public class OutageTests(HospitalFixture fixture)
{
    [Fact]
    public async Task Ready_FhirServerAndLedgerUnreachable_NamesBothAndRecovers()
    {
        using var fhir = new Gate(fixture.Fhir);
        using var ledger = new Gate(fixture.Ledger.Ledger.Endpoint(Rig.Msp));
        await using var rig = Rig.Create(fixture);
        await rig.StartAsync(("Fhir:BaseUrl", fhir.Address.ToString()), ("Ledger:Endpoints:0", ledger.Address.ToString()));

        var last = await rig.GetAsync("operator", "/health/ready");
        await rig.UntilAsync("both to be missed", async () =>
        {
            last = await rig.GetAsync("operator", "/health/ready");
            return Detail(last, "fhir")?.Contains("does not answer", StringComparison.Ordinal) == true && Detail(last, "ledger") is not null;
        });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, last.Status);
        Assert.Null(Detail(last, "database"));
        Assert.Equal(HttpStatusCode.OK, (await rig.GetAsync("operator", "/health/live")).Status);

        fhir.Open();
        ledger.Open();

        await rig.UntilAsync("recovery", async () => (last = await rig.GetAsync("operator", "/health/ready")).Status == HttpStatusCode.OK, state: () => Task.FromResult(last.Body.ToString()));
    }

    /// <summary>What a check that is not ready says; null where it is ready.</summary>
    private static string? Detail(Answer answer, string name)
    {
        var check = answer.Body.GetProperty("checks").EnumerateArray().Single(check => check.GetProperty("name").GetString() == name);
        return check.GetProperty("ready").GetBoolean() ? null : check.GetProperty("detail").GetString();
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
