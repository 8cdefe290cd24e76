using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Sandbox.Processes;
using Xunit;

namespace Bridge.Tests.Hospital;

/// <summary>TLS to the database, with authorities made here. The driver trusts what the system does, so each case is a process of its own.</summary>
public class DatabaseTlsTests
{
    private const string Password = "canary-of-a-password";

    [Fact]
    public async Task Init_ServerWithTls_ConnectsOnlyWhereItIsTheRightOne()
    {
        var folder = Directory.CreateTempSubdirectory("bridge-tls-").FullName;
        try
        {
            var (good, certificate, key) = MakeServer(folder, "good");
            var (forged, _, _) = MakeServer(folder, "forged");
            await using var server = await MariaDbServer.StartAsync(null, $"--ssl-ca={good}", $"--ssl-cert={certificate}", $"--ssl-key={key}");
            await using var plain = await MariaDbServer.StartAsync();
            // With no more rights than the README names.
            foreach (var at in (MariaDbServer[])[server, plain])
                await at.ExecuteAsync(
                    $"""
                    CREATE DATABASE bridge; CREATE USER bridge IDENTIFIED BY '{Password}' REQUIRE {(at == server ? "SSL" : "NONE")};
                    GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER ON bridge.* TO bridge
                    """);
            string To(string host, MariaDbServer at) => $"Server={host};Port={at.Port};Database=bridge;User ID=bridge;Password={Password};SslMode=VerifyFull";

            var (code, said) = await InitAsync(folder, To("localhost", server), good);
            Assert.True(code == 0, said);
            foreach (var (connection, trusted, cause) in ((string, string, string)[])[
                (To("localhost", server), forged, "not of a CA that this machine trusts"),
                (To("127.0.0.1", server), good, "not for that host name"),
                (To("localhost", plain), good, "the server offers no TLS"),
            ])
            {
                (code, said) = await InitAsync(folder, connection, trusted);
                Assert.NotEqual(0, code);
                Assert.Contains(cause, said, StringComparison.Ordinal);
                Assert.Contains("SSL_CERT_FILE", said, StringComparison.Ordinal);
                Assert.DoesNotContain(Password, said, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(int Code, string Said)> InitAsync(string folder, string connection, string trusted)
    {
        var run = Directory.CreateDirectory(Path.Combine(folder, Guid.NewGuid().ToString("N"))).FullName;
        await using var process = ChildProcess.Start(Dotnet.Command(
            "The hospital", "Bridge.Hospital", ["init", "--config", Path.Combine(run, "hospital.json")], Path.Combine(run, "log"),
            new Dictionary<string, string?> { ["Database__Engine"] = "mysql", ["Database__ConnectionString"] = connection, ["SSL_CERT_FILE"] = trusted, ["SSL_CERT_DIR"] = run }));
        var code = await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken);
        return (code, string.Join(Environment.NewLine, process.Output()));
    }

    // Both authorities have the same name: only the key tells them apart.
    private static (string Root, string Certificate, string Key) MakeServer(string folder, string name)
    {
        var now = DateTimeOffset.UtcNow;
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("CN=Database CA", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        rootRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using var root = rootRequest.CreateSelfSigned(now.AddHours(-1), now.AddDays(30));
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(root.SubjectName, X509SignatureGenerator.CreateForECDsa(rootKey), now.AddHours(-1), now.AddDays(20), RandomNumberGenerator.GetBytes(16));
        string Write(string file, string text)
        {
            var path = Path.Combine(folder, $"{name}.{file}.pem");
            File.WriteAllText(path, text + "\n");
            return path;
        }
        return (Write("ca", root.ExportCertificatePem()), Write("cert", certificate.ExportCertificatePem()), Write("key", key.ExportPkcs8PrivateKeyPem()));
    }
}
