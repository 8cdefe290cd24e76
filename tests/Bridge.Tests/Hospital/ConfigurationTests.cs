using System.Security.Cryptography;
using System.Text;
using Bridge.Hospital;
using Bridge.Hospital.Access;
using Bridge.Hospital.Configuration;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Bridge.Tests.Hospital;

public class ConfigurationTests
{
    [Fact]
    public void Read_Empty_NamesEveryMissingKeyAtOnce()
    {
        var faults = Faults([]);

        foreach (var key in (string[])["Hospital:Msp", "Fhir:BaseUrl", "Ledger:Endpoints", "Ledger:Certificate", "Ledger:Key", "Extraction:Terminology",
            "Enrolment:PatientCaCertificate", "Enrolment:PatientCaKey", "Enrolment:PeopleCas", "Enrolment:BridgeCas", "Certificates:StatusCertificate", "Certificates:StatusKey"])
            Assert.Contains(faults, fault => fault.Key == key && fault.Value is null && fault.Cure.Length > 10);
    }

    [Theory]
    [InlineData("Watching:Settle", "1", "d.hh:mm:ss")]
    [InlineData("Watching:Settle", "-01:00:00", "00:00:00")]
    [InlineData("Anchoring:MinPatients", "0", "1 to 100")]
    [InlineData("Anchoring:MaxDelay", "00:00:01", "MinDelay")]
    [InlineData("Database:Engine", "oracle", "mysql")]
    [InlineData("Fhir:BaseUrl", "ehr/fhir", "https://")]
    [InlineData("Ledger:Endpoints:0", "peer0:7051/x", "https://")]
    [InlineData("Watching:Since", "yesterday", "2026")]
    [InlineData("Watching:Setle", "00:01:00", "Watching:Settle")]
    [InlineData("Telemetry:OtlpEndpoint", "otel", "https://")]
    [InlineData("Server:TrustedProxies:0", "proxy", "IP address")]
    [InlineData("CoSign:RemindAfter", "8.00:00:00", "CoSign:EscalateAfter")]
    [InlineData("CoSign:EscalateTo", "anybody", "colleague, operator")]
    [InlineData("WriteBack:Provenance", "yes", "true or false")]
    [InlineData("Announcing:Task", "1", "true or false")]
    [InlineData("Announcing:Language", "de", "zh-CN")]
    [InlineData("Announcing:Link", "http://bridge.hospital.example", "https://")]
    public void Read_BadValue_ShowsKeyValueAndCure(string key, string value, string cure)
    {
        var fault = Assert.Single(Faults(new() { [key] = value }), fault => fault.Key.StartsWith(key, StringComparison.Ordinal) || key.StartsWith(fault.Key, StringComparison.Ordinal) && fault.Value is not null);

        Assert.Contains(cure, fault.Cure, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Server=db.example;Database=bridge;User ID=b", "SslMode=VerifyFull")]
    [InlineData("Server=127.0.0.1,db.example;Database=bridge;User ID=b", "SslMode=VerifyFull")]
    [InlineData("Server=10.0.0.7;Database=bridge;User ID=b;SslMode=VerifyCA", "SslMode=VerifyFull")]
    [InlineData("Server=localhost.example;Database=bridge;SslMode=Required", "SslMode=VerifyFull")]
    [InlineData("Server=db.example;Database=bridge;SslMode=VerifyFull;SslCa=/ca.pem", "leave SslCa")]
    [InlineData("Server=localhost;User ID=b", "Database=")]
    [InlineData("Server=localhost;Database=bridge;Pasword=canary", "Connector/NET")]
    [InlineData("Server=db.example;Database=bridge;SslMode=VerifyFull", null)]
    [InlineData("Server=localhost;Database=bridge;SslMode=None", null)]
    [InlineData("Server=127.0.0.1;Database=bridge", null)]
    [InlineData("Server=::1;Database=bridge", null)]
    public void Database_ConnectionThatIsUnsafeOrWrong_IsAFaultThatShowsNoSecret(string connection, string? cure)
    {
        var faults = Faults(new() { ["Database:Engine"] = "mysql", ["Database:ConnectionString"] = connection }).Where(fault => fault.Key == "Database:ConnectionString").ToList();

        Assert.Equal(cure is null ? 0 : 1, faults.Count);
        if (cure is not null)
            Assert.Contains(cure, faults[0].Cure, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", string.Concat(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Announcing:Mail:Tls", "None", "without TLS")]
    [InlineData("Announcing:Mail:Server", "smtp://mail.hospital.example:25", "a host name alone")]
    [InlineData("Announcing:Mail:From", "bridge@hospital.example\r\nBcc: x@y.example", "a mail address")]
    [InlineData("Announcing:Mail:Doctors:0:Address", "ann", "a mail address")]
    [InlineData("Announcing:Mail:Doctors:0:Licence", "", "licence number")]
    [InlineData("Announcing:Mail:At", "7", "07:00")]
    [InlineData("Announcing:Mail:TlsRoots", "none.pem", "no such file")]
    [InlineData("Announcing:Mail:Password", "canary", "that goes with Announcing:Mail:Password")]
    [InlineData("Announcing:Mail:User", "bridge", "the password of")]
    [InlineData("Announcing:Link", "", "console's address")]
    public void Mail_SettingThatIsWrong_IsAFaultWithItsCureAndShowsNoSecret(string key, string value, string cure)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Announcing:Link"] = "https://bridge.hospital.example",
            ["Announcing:Mail:Server"] = "mail.hospital.example",
            ["Announcing:Mail:From"] = "bridge@hospital.example",
            ["Announcing:Mail:Doctors:0:Licence"] = "L-1",
            ["Announcing:Mail:Doctors:0:Address"] = "ann@hospital.example",
        };
        Assert.DoesNotContain(Faults(settings), fault => fault.Key.StartsWith("Announcing", StringComparison.Ordinal));
        settings[key] = value;

        var faults = Faults(settings).Where(fault => fault.Key.StartsWith("Announcing", StringComparison.Ordinal)).ToList();

        Assert.Contains(cure, Assert.Single(faults).Cure, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", string.Concat(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Ledger:Endpoints:0", "http://peer0.hospital.example:7051", false)]
    [InlineData("Ledger:Endpoints:0", "http://10.0.0.7:7051", false)]
    [InlineData("Ledger:Endpoints:0", "https://peer0.hospital.example:7051", true)]
    [InlineData("Ledger:Endpoints:0", "http://127.0.0.9:7051", true)]
    [InlineData("Fhir:BaseUrl", "http://ehr.hospital.example/fhir", false)]
    [InlineData("Fhir:BaseUrl", "http://localhost.hospital.example/fhir", false)]
    [InlineData("Fhir:BaseUrl", "http://[fe80::1]/fhir", false)]
    [InlineData("Fhir:BaseUrl", "https://ehr.hospital.example/fhir", true)]
    [InlineData("Fhir:BaseUrl", "http://[::1]:8080/fhir", true)]
    [InlineData("Fhir:BaseUrl", "http://localhost:8080/fhir", true)]
    [InlineData("Fhir:Smart:TokenEndpoint", "http://ehr.hospital.example/token", false)]
    [InlineData("Fhir:Smart:TokenEndpoint", "https://ehr.hospital.example/token", true)]
    [InlineData("Fhir:Smart:TokenEndpoint", "http://127.0.0.1:8080/token", true)]
    [InlineData("Telemetry:OtlpEndpoint", "http://otel.hospital.example:4317", false)]
    [InlineData("Telemetry:OtlpEndpoint", "https://otel.hospital.example:4317", true)]
    [InlineData("Telemetry:OtlpEndpoint", "http://127.0.0.1:4317", true)]
    public void Remote_WithoutTls_OnlyOnThisMachine(string key, string address, bool allowed)
    {
        var faults = Faults(new() { [key] = address }).Where(fault => key.StartsWith(fault.Key, StringComparison.Ordinal)).ToList();

        if (allowed)
        {
            Assert.Empty(faults);
            return;
        }
        var fault = Assert.Single(faults);
        Assert.Equal(address, fault.Value);
        Assert.Contains("use https://", fault.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_SecretInUnknownPlace_IsNotShown()
    {
        var fault = Assert.Single(Faults(new() { ["Database:ConnectionStrin"] = "Password=canary" }), fault => fault.Key == "Database:ConnectionStrin");

        Assert.DoesNotContain("canary", fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:0", true)]
    [InlineData("http://localhost:8080", true)]
    [InlineData("http://[::1]:8080", true)]
    [InlineData("http://0.0.0.0:8080", false)]
    [InlineData("http://*:8080", false)]
    [InlineData("http://bridge.hospital.example:80", false)]
    [InlineData("https://0.0.0.0:8443", false)]
    public void Urls_WithoutTls_OnlyOnThisMachine(string url, bool allowed)
    {
        var faults = Faults(new() { ["Server:Urls"] = url }).Where(fault => fault.Key == "Server:Urls").ToList();

        Assert.Equal(allowed, faults.Count == 0);
        if (!allowed)
            Assert.Contains("Server:Certificate", faults[0].Cure, StringComparison.Ordinal);
    }

    [Fact]
    public void Urls_BehindListedProxy_AreAllowed() =>
        Assert.DoesNotContain(
            Faults(new() { ["Server:Urls"] = "http://0.0.0.0:8080", ["Server:TrustedProxies:0"] = "10.1.0.0/24" }), fault => fault.Key == "Server:Urls");

    [Fact]
    public void People_Token_FindsOnlyItsPerson()
    {
        var reader = new ConfigurationReader(Configuration(new()
        {
            ["Access:People:0:Name"] = "ruth",
            ["Access:People:0:Roles:0"] = "registrar",
            ["Access:People:0:TokenSha256"] = Hash("one"),
            ["Access:People:1:Name"] = "iris",
            ["Access:People:1:Roles:0"] = "doctor",
            ["Access:People:1:Licence"] = "L-1",
            ["Access:People:1:TokenSha256"] = Hash("two"),
        }), "/");

        var access = AccessOptions.Read(reader);

        Assert.Equal("ruth", access.Find("one")?.Name);
        Assert.Equal("L-1", access.Find("two")?.Licence);
        Assert.Null(access.Find("three"));
        Assert.Null(access.Find(Hash("one")));
    }

    [Theory]
    [InlineData("Roles:0", "chief", "doctor, operator")]
    [InlineData("TokenSha256", "plain token", "sha256sum")]
    [InlineData("Licence", null, "licence number")]
    public void People_BadEntry_IsNamed(string member, string? value, string cure)
    {
        var values = new Dictionary<string, string?>
        {
            ["Access:People:0:Name"] = "iris",
            ["Access:People:0:Roles:0"] = "doctor",
            ["Access:People:0:Licence"] = "L-1",
            ["Access:People:0:TokenSha256"] = Hash("two"),
        };
        values[$"Access:People:0:{member}"] = value;

        Assert.Contains(Faults(values), fault => fault.Key.StartsWith("Access:People:0", StringComparison.Ordinal) && fault.Cure.Contains(cure, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Init_Twice_MakesWhatIsMissingAndKeepsTheRest()
    {
        var folder = Directory.CreateTempSubdirectory("bridge-init-").FullName;
        try
        {
            string[] args = ["init", "--config", Path.Combine(folder, "hospital.json"), "--msp", "HospitalAMSP"];
            var error = new StringWriter();
            Assert.Equal(0, await HospitalApp.RunAsync(args, new StringWriter(), error));
            var key = Path.Combine(folder, "keys", "patient-ca.key.pem");
            var request = Path.Combine(folder, "keys", "patient-ca.csr.pem");
            var before = (await File.ReadAllTextAsync(key, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(request, TestContext.Current.CancellationToken));
            File.Delete(Path.Combine(folder, "keys", "status.csr.pem"));

            Assert.Equal(0, await HospitalApp.RunAsync(args, new StringWriter(), error));

            Assert.Equal(before, (await File.ReadAllTextAsync(key, TestContext.Current.CancellationToken), await File.ReadAllTextAsync(request, TestContext.Current.CancellationToken)));
            Assert.True(File.Exists(Path.Combine(folder, "keys", "status.csr.pem")));
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
            Assert.Equal("", error.ToString());
        }
        finally
        {
            Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Serve_Misconfigured_ListsAllFaultsAndReturns2()
    {
        var error = new StringWriter();

        Assert.Equal(2, await HospitalApp.RunAsync(["serve", "--Watching:Settle", "soon"], new StringWriter(), error));

        Assert.Contains("Watching:Settle = 'soon'", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("Fhir:BaseUrl = (not set)", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ConnectionProfile_TellsItsFaultsAndWhatStandsTwice()
    {
        var folder = Directory.CreateTempSubdirectory("bridge-profile-");
        try
        {
            var profile = Path.Combine(folder.FullName, "connection.json");
            File.WriteAllText(profile, """{"mspId":"HospitalAMSP","channel":"bridge","chaincode":"summaries","certificate":"cert.pem","key":"key.pem","gateways":[]}""");

            var faults = Faults(new() { ["Ledger:Profile"] = profile, ["Ledger:Key"] = "bridge.pem", ["Ledger:Endpoints:0"] = "https://127.0.0.1:7051" });

            foreach (var member in (string[])["certificate", "key", "gateways"])
                Assert.Contains(faults, fault => fault.Key == "Ledger:Profile" && fault.Value == profile && fault.Cure.StartsWith(member, StringComparison.Ordinal));
            Assert.Contains(faults, fault => fault.Key == "Ledger:Key" && fault.Cure.Contains("Ledger:Profile", StringComparison.Ordinal));
            Assert.Contains(faults, fault => fault.Key == "Ledger:Endpoints:0" && fault.Cure.Contains("Ledger:Profile", StringComparison.Ordinal));
            Assert.DoesNotContain(faults, fault => fault.Key == "Ledger:Certificate");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IReadOnlyList<ConfigurationFault> Faults(Dictionary<string, string?> values) =>
        Assert.Throws<ConfigurationException>(() => Settings.Read(Configuration(values), "/")).Faults;

    private static IConfiguration Configuration(Dictionary<string, string?> values) => new ConfigurationBuilder().AddInMemoryCollection(values).Build();

    private static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
