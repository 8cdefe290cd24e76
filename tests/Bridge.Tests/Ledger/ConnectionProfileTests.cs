using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bridge.Tests.Ledger;

public sealed class ConnectionProfileTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("bridge-profile-");
    private readonly TestIdentity test = new();

    public ConnectionProfileTests()
    {
        Directory.CreateDirectory(Path.Combine(folder.FullName, "keys"));
        Write("keys/cert.pem", test.CertificatePem);
        Write("keys/key.pem", test.Key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public async Task Load_CompleteProfile_ConnectsAndSigns()
    {
        await using var fake = await FakeGateway.StartAsync();
        EvaluateRequest? seen = null;
        fake.On("Evaluate", call =>
        {
            seen = call.Request(EvaluateRequest.Parser);
            return call.AnswerAsync(new EvaluateResponse());
        });
        var path = Write("profile.json", Profile($$"""[{"endpoint":"{{fake.Address}}"}]"""));

        var profile = ConnectionProfile.Load(path);
        using var gateway = Gateway.Connect(profile.ToGatewayOptions());
        await gateway.GetNetwork(profile.Channel).GetContract(profile.Chaincode).EvaluateTransactionAsync("Read");

        Assert.Equal(("bridge", "summaries", "HospitalAMSP"), (profile.Channel, profile.Chaincode, profile.Identity.MspId));
        Assert.True(test.Signed(seen!.ProposedTransaction.ProposalBytes.Span, seen.ProposedTransaction.Signature.Span));
    }

    [Fact]
    public void Load_TlsMembers_AreReadRelativeToTheFile()
    {
        var path = Write("profile.json", Profile(
            """
            [{"endpoint":"https://10.1.2.3:7051","tlsRoots":"keys/cert.pem","serverName":"peer0.hospital-a","tlsCertificate":"keys/cert.pem","tlsKey":"keys/key.pem"},
             {"endpoint":"https://peer1.hospital-a:7051"}]
            """));

        var gateways = ConnectionProfile.Load(path).Gateways;

        Assert.Equal(new Uri("https://10.1.2.3:7051"), gateways[0].Address);
        Assert.Equal("peer0.hospital-a", gateways[0].ServerName);
        Assert.Single(gateways[0].TlsRoots!);
        Assert.True(gateways[0].ClientCertificate!.HasPrivateKey);
        Assert.Null(gateways[1].TlsRoots);
    }

    [Fact]
    public void Load_ManyFaults_AreAllNamedWithValueAndCure()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Write("keys/other.pem", other.ExportPkcs8PrivateKeyPem());
        var path = Write("profile.json",
            """
            {"mspId":"","chaincode":7,"certificate":"keys/cert.pem","key":"keys/other.pem","colour":"blue",
             "gateways":[{"endpoint":"http://10.1.2.3:7051"},{"endpoint":"peer:7051","tlsRoots":"keys/none.pem"},{"serverName":"x","tlsKey":"keys/key.pem"},7]}
            """);

        var exception = Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(path));

        string[] expected =
        [
            "colour", "mspId", "channel", "chaincode", "key does not belong to certificate", "http://10.1.2.3:7051", "gateways[1].endpoint is 'peer:7051'",
            "gateways[1].tlsRoots is 'keys/none.pem'", "gateways[2].endpoint is missing", "gateways[2].tlsCertificate", "gateways[3] is not an object",
        ];
        Assert.All(expected, words => Assert.Contains(exception.Faults, fault => fault.Contains(words)));
        Assert.Equal(expected.Length, exception.Faults.Count);
        Assert.All(exception.Faults, fault => Assert.Contains(fault, exception.Message));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void Load_NotAProfile_SaysSo(string content) =>
        Assert.NotEmpty(Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(Write("profile.json", content))).Faults);

    [Fact]
    public void Load_MissingFile_NamesIt()
    {
        var path = Path.Combine(folder.FullName, "none.json");
        Assert.Contains(path, Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(path)).Message);
    }

    [Fact]
    public void Load_BadKeyAndCertificate_AreBothNamed()
    {
        Write("keys/cert.pem", "nothing");
        Write("keys/key.pem", "nothing");

        var faults = Assert.Throws<ConnectionProfileException>(
            () => ConnectionProfile.Load(Write("profile.json", Profile("""[{"endpoint":"https://peer:7051"}]""")))).Faults;

        Assert.Equal(2, faults.Count);
    }

    [Fact]
    public void Load_ExpiredCertificate_SaysWhen()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow.AddDays(30));

        var faults = Assert.Throws<ConnectionProfileException>(
            () => ConnectionProfile.Load(Write("profile.json", Profile("""[{"endpoint":"https://peer:7051"}]""")), time: time)).Faults;

        Assert.Contains("expired", Assert.Single(faults));
    }

    [Fact]
    public void Load_SignerElsewhere_NeedsNoKey()
    {
        Signer signer = (_, _) => ValueTask.FromResult(Array.Empty<byte>());
        var path = Write("profile.json", Profile("""[{"endpoint":"https://peer:7051"}]""").Replace("\"key\":\"keys/key.pem\",", ""));

        Assert.Same(signer, ConnectionProfile.Load(path, signer).ToGatewayOptions().Signer);
        Assert.Contains("key is missing", Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(path)).Message);
    }

    private static string Profile(string gateways) =>
        $$"""{"mspId":"HospitalAMSP","channel":"bridge","chaincode":"summaries","certificate":"keys/cert.pem","key":"keys/key.pem","gateways":{{gateways}}}""";

    private string Write(string name, string content)
    {
        var path = Path.Combine(folder.FullName, name);
        File.WriteAllText(path, content, new UTF8Encoding(false));
        return path;
    }
}
