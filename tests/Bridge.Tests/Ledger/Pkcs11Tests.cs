using System.Security.Cryptography;
using System.Text.Json;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Xunit;

namespace Bridge.Tests.Ledger;

/// <summary>The token with the key of the tests' identity, and another.</summary>
public sealed class BridgesToken : SoftToken
{
    public BridgesToken()
    {
        File.WriteAllText(PathOf("cert.pem"), Identity.CertificatePem);
        Import(Identity.Key, "bridge", "01");
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Import(other, "another", "02");
    }

    internal TestIdentity Identity { get; } = new();
}

/// <summary>The bridge's key in a PKCS#11 token.</summary>
public sealed class Pkcs11Tests(BridgesToken token) : IClassFixture<BridgesToken>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Profile_KeyInToken_SignsProposalsThatTheCertificateVerifies()
    {
        await using var fake = await FakeGateway.StartAsync();
        EvaluateRequest? seen = null;
        fake.On("Evaluate", call =>
        {
            seen = call.Request(EvaluateRequest.Parser);
            return call.AnswerAsync(new EvaluateResponse());
        });
        var profile = ConnectionProfile.Load(Profile(fake.Address, new { library = token.Library, token = "bridge", key = "bridge", pinFile = "pin" }));

        using var gateway = Gateway.Connect(profile.ToGatewayOptions());
        await gateway.GetNetwork(profile.Channel).GetContract(profile.Chaincode).EvaluateTransactionAsync("Read");

        Assert.True(token.Identity.Signed(seen!.ProposedTransaction.ProposalBytes.Span, seen.ProposedTransaction.Signature.Span));
        Assert.Throws<CryptographicException>(() => profile.PrivateKey!.ExportParameters(includePrivateParameters: true));
        profile.PrivateKey!.Dispose();
    }

    [Fact]
    public async Task Signer_ManyThreads_GivesLowSAlways()
    {
        using var key = Open("bridge", null);
        var sign = Signers.NewPrivateKeySigner(key);
        var message = RandomNumberGenerator.GetBytes(100);
        var digest = SHA256.HashData(message);

        var signatures = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () => await sign(digest, Token))));

        Assert.All(signatures, signature => Assert.True(token.Identity.Signed(message, signature)));
    }

    [Fact]
    public void Sign_AfterTheTokenWasReset_OpensItAnew()
    {
        using var key = Open(null, "01");
        var digest = SHA256.HashData("before"u8);
        key.SignHash(digest);

        token.CloseAllSessions();

        var signatures = Enumerable.Range(0, 20).AsParallel().Select(_ => key.SignHash(digest)).ToList();
        Assert.All(signatures, signature => Assert.True(token.Identity.Key.VerifyHash(digest, signature)));
    }

    [Theory]
    [InlineData("nobody", "bridge", "4711", "no slot of")]
    [InlineData("bridge", "nothing", "4711", "there are 0 EC private keys")]
    [InlineData("bridge", "another", "4711", "is not the key of the certificate")]
    [InlineData("bridge", "bridge", "0000", "the PIN of token 'bridge' is wrong")]
    public void Open_WrongTokenKeyOrPin_SaysWhich(string label, string key, string pin, string said)
    {
        // logged in is a process, not a session: a wrong PIN shows only where nobody is
        token.CloseAllSessions();

        var failure = Assert.Throws<CryptographicException>(
            () => Pkcs11Key.Open(new Pkcs11Location(token.Library, label, key, null, pin), token.Identity.Key));

        Assert.Contains(said, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(pin, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Profile_FaultyToken_NamesEveryMember()
    {
        var faulty = Profile(new Uri("https://127.0.0.1:7051"), new { library = token.Library, token = "bridge", id = "0x1", pinVariable = "BRIDGE_NO_SUCH_PIN", slot = 0 });

        var faults = Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(faulty)).Faults;

        foreach (var member in (string[])["pkcs11.slot", "pkcs11.id", "pkcs11.pinVariable"])
            Assert.Contains(faults, fault => fault.StartsWith(member, StringComparison.Ordinal));
        var missing = Profile(new Uri("https://127.0.0.1:7051"), new { library = "/nowhere/token.so", token = "bridge", key = "bridge", pinFile = "pin" });
        Assert.Contains("/nowhere/token.so", Assert.Single(Assert.Throws<ConnectionProfileException>(() => ConnectionProfile.Load(missing)).Faults), StringComparison.Ordinal);
    }

    private Pkcs11Key Open(string? label, string? id) =>
        Pkcs11Key.Open(new Pkcs11Location(token.Library, "bridge", label, id, SoftToken.Pin) { MaxSessions = 4 }, token.Identity.Key);

    private string Profile(Uri gateway, object pkcs11)
    {
        var path = token.PathOf($"profile-{Guid.NewGuid():n}.json");
        File.WriteAllText(path, JsonSerializer.Serialize(new
        {
            mspId = "HospitalAMSP",
            channel = "bridge",
            chaincode = "summaries",
            certificate = "cert.pem",
            pkcs11,
            gateways = new[] { new { endpoint = gateway.ToString() } },
        }));
        return path;
    }
}
