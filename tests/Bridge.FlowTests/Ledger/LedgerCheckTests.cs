using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Bridge.Hospital;
using Bridge.Hospital.Checking;
using Bridge.Hospital.Configuration;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Tests.Hospital.Checking;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>The check's part about the ledger, with the real contract. It writes nothing, so that it shares the ledger with all others.</summary>
public class LedgerCheckTests(LedgerFixture fixture)
{
    private const string Msp = "HospitalAMSP";
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_GoodSetUp_FindsNothing()
    {
        var report = await CheckAsync([]);

        Assert.False(report.HasFaults, report.Text());
        foreach (var name in (string[])["contract", "portal", "consortium", "hospital record", "bridge identity", "CA digests", "patient CA", "status key", "collection doctors", $"collection s_{Msp}", "mailbox", "events", "ledger peer"])
            report.Only(name, CheckState.Good);
    }

    [Theory]
    [InlineData("Ledger:Channel", "elsewhere")]
    [InlineData("Ledger:Chaincode", "another")]
    public async Task Run_NoSuchChannelOrContract_SaysOnceWhatToCorrect(string key, string value)
    {
        var report = await CheckAsync((key, value));

        var fault = Assert.Single(report.Lines, line => line.State == CheckState.Fault);
        Assert.Equal("contract", fault.Name);
        Assert.Contains(value, fault.Says, StringComparison.Ordinal);
        Assert.Contains(key, fault.Cure, StringComparison.Ordinal);
        Assert.Single(report.Lines, line => line.State == CheckState.NotTried);
    }

    [Fact]
    public async Task Run_CertificateOfAnUnknownCa_SaysWhoseItHasToBe()
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (from, to) = (DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddYears(1));
        var root = CertificateProfile.CreateRoot(rootKey, "Nobody's CA", "Nobody", from, to);
        var stranger = KeyPair.Create(fixture.Actors.Folder(), "stranger", key => CertificateProfile.IssueFabricIdentity(new CertificateIssuer(root, rootKey), key.ExportSubjectPublicKeyInfo(), "bridge", "client", from, to));

        var line = (await CheckAsync(("Ledger:Certificate", stranger.CertificateFile), ("Ledger:Key", stranger.KeyFile))).Only("contract", CheckState.Fault);

        Assert.Contains("Ledger:Certificate is of the hospital's Fabric CA", line.Cure, StringComparison.Ordinal);
        Assert.DoesNotContain("unknown place", line.Says, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_BridgeThatTheRecordDoesNotName_SaysHowToRegisterIt()
    {
        var client = fixture.NewClient(Msp, "another");

        var report = await CheckAsync(("Ledger:Certificate", client.CertificateFile), ("Ledger:Key", client.KeyFile));

        var line = report.Only("bridge identity", CheckState.Fault);
        Assert.Contains(Digest.Of(client.Der()).ToString(), line.Says, StringComparison.Ordinal);
        Assert.Contains("'bridges'", line.Cure, StringComparison.Ordinal);
        report.Only("contract", CheckState.Good);
    }

    // Another hospital's CAs and keys: nobody of the consortium has approved them for this one.
    [Fact]
    public async Task Run_CasAndKeysThatWereNotApproved_NamesEach()
    {
        var other = fixture.Consortium.B;

        var report = await CheckAsync(printed: fixture.Actors.CaDigestsOf(other.Msp), patientCa: other.PatientCa, statusKey: other.StatusKey);

        foreach (var (name, key) in ((string, string)[])[("CA digests", "Enrolment:PeopleCas"), ("patient CA", "Enrolment:PatientCaCertificate"), ("status key", "Certificates:StatusCertificate")])
        {
            Assert.Contains(key, report.Only(name, CheckState.Fault).Cure, StringComparison.Ordinal);
            Assert.Contains("approved", report.Only(name).Cure, StringComparison.Ordinal);
        }
        report.Only("bridge identity", CheckState.Good);
    }

    [Fact]
    public async Task Run_AnotherPortal_NamesTheRightOne() =>
        Assert.Equal($"Set Ledger:PortalMsp to {SampleConsortium.PortalMsp}", (await CheckAsync(("Ledger:PortalMsp", "PortalXMSP"))).Only("portal", CheckState.Fault).Cure);

    [Fact]
    public async Task Run_DeadReserveGateway_IsFoundBeforeItIsNeeded()
    {
        var dead = $"http://127.0.0.1:{Ports.Free()}";

        var report = await CheckAsync(("Ledger:Endpoints:1", dead));

        var line = report.Only(new Uri(dead).Authority, CheckState.Fault);
        Assert.Contains("refused", line.Says, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Ledger:Endpoints", line.Cure, StringComparison.Ordinal);
        report.Only("contract", CheckState.Good);
    }

    [Theory]
    [InlineData(30, "ahead of")]
    [InlineData(-30, "behind")]
    [InlineData(1200, "ahead of")]
    [InlineData(-3600, "15 minutes off")]
    public async Task Run_ClocksApart_SaysWhichWay(int seconds, string says)
    {
        var line = (await CheckAsync(clock: new ShiftedTime(TimeSpan.FromSeconds(seconds)))).Only("ledger peer", CheckState.Fault);

        Assert.Contains(says, line.Says, StringComparison.Ordinal);
        Assert.Contains("NTP", line.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoint_WhoseTlsIsNotRight_SaysInWhichWay()
    {
        var folder = fixture.Actors.Folder();
        using var certificate = Certificate("peer0.hospital.example");
        var pem = Path.Combine(folder, "tls-root.pem");
        await File.WriteAllTextAsync(pem, certificate.ExportCertificatePem(), Stop);
        using var server = new TlsServer(certificate, SslApplicationProtocol.Http2);
        using var old = new TlsServer(certificate, null);
        using var plain = new TlsServer(null, null);

        Assert.Contains("another name (peer0.hospital.example)", (await EndpointAsync(server)).Says, StringComparison.Ordinal);
        Assert.Contains("Ledger:ServerName", (await EndpointAsync(server)).Cure, StringComparison.Ordinal);
        var named = ("Ledger:ServerName", "peer0.hospital.example");
        Assert.Contains("not trusted", (await EndpointAsync(server, named)).Says, StringComparison.Ordinal);
        Assert.Contains("Ledger:TlsRoots", (await EndpointAsync(server, named)).Cure, StringComparison.Ordinal);
        Assert.Equal(CheckState.Good, (await EndpointAsync(server, named, ("Ledger:TlsRoots", pem))).State);
        Assert.Contains("not HTTP/2", (await EndpointAsync(old, named, ("Ledger:TlsRoots", pem))).Says, StringComparison.Ordinal);
        Assert.Contains("no TLS connection", (await EndpointAsync(plain)).Says, StringComparison.Ordinal);
        Assert.Contains("Ledger:Endpoints", (await EndpointAsync(plain)).Cure, StringComparison.Ordinal);
    }

    private async Task<CheckLine> EndpointAsync(TlsServer server, params (string, string)[] settings)
    {
        var report = new CheckReport();
        await new LedgerCheck(Options([.. settings, ("Ledger:Endpoints:0", $"https://127.0.0.1:{server.Port}")]).Ledger, Msp, report, TimeProvider.System).EndpointsAsync();
        return report.Only($"127.0.0.1:{server.Port}");
    }

    private Task<CheckReport> CheckAsync(params (string, string)[] settings) => CheckAsync(null, null, null, null, settings);

    private async Task<CheckReport> CheckAsync(
        CaDigests? printed = null, KeyPair? patientCa = null, KeyPair? statusKey = null, TimeProvider? clock = null, params (string, string)[] settings)
    {
        var own = fixture.Consortium.A;
        var (options, bridge) = Options(settings);
        using var _ = bridge;
        using var patients = X509CertificateLoader.LoadCertificate((patientCa ?? own.PatientCa).Der());
        using var status = X509CertificateLoader.LoadCertificate((statusKey ?? own.StatusKey).Der());
        var report = new CheckReport();
        var check = new LedgerCheck(options, Msp, report, clock ?? TimeProvider.System);
        await check.EndpointsAsync();
        await check.ContractAsync(bridge, printed ?? fixture.Actors.CaDigestsOf(Msp), patients, status);
        return report;
    }

    private (LedgerOptions Ledger, SigningIdentity Bridge) Options((string Key, string Value)[] settings)
    {
        var client = fixture.Ledger.Client(Msp);
        var values = new Dictionary<string, string?>
        {
            ["Ledger:Endpoints:0"] = fixture.Ledger.Endpoint(Msp).ToString(),
            ["Ledger:Certificate"] = client.CertificateFile,
            ["Ledger:Key"] = client.KeyFile,
        };
        foreach (var (key, value) in fixture.Ledger.Settings(Msp).Where(one => one.Value is JsonValue))
            values[$"Ledger:{key}"] = (string)value!;
        foreach (var (key, value) in settings)
            values[key] = value;
        var reader = new ConfigurationReader(new ConfigurationBuilder().AddInMemoryCollection(values).Build(), "/");
        var options = LedgerOptions.Read(reader);
        var bridge = options.ReadBridge(reader);
        Assert.Empty(reader.Faults);
        return (options, bridge!);
    }

    private static X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
    }

    private sealed class ShiftedTime(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    /// <summary>Shows a certificate to whoever comes; without one it talks, but not TLS.</summary>
    private sealed class TlsServer : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly X509Certificate2? certificate;
        private readonly SslApplicationProtocol? speaks;

        public TlsServer(X509Certificate2? certificate, SslApplicationProtocol? speaks)
        {
            this.certificate = certificate;
            this.speaks = speaks;
            listener.Start();
            _ = AcceptAsync();
        }

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public void Dispose() => listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = AnswerAsync(await listener.AcceptTcpClientAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // the server was ended
            }
        }

        private async Task AnswerAsync(TcpClient client)
        {
            using var _ = client;
            try
            {
                if (certificate is null)
                {
                    await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
                    return;
                }
                await using var tls = new SslStream(client.GetStream());
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, ApplicationProtocols = speaks is { } one ? [one] : null });
                await tls.ReadExactlyAsync(new byte[1]);
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // the other side has seen enough
            }
        }
    }
}
