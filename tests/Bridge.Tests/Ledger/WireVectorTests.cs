using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Bridge.Ledger;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;
using Wire = Bridge.Ledger.Protocol;

namespace Bridge.Tests.Ledger;

/// <summary>Wire formats pinned as literals.</summary>
public class WireVectorTests
{
    private static readonly BigInteger Order = BigInteger.Parse(
        "0ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", System.Globalization.NumberStyles.HexNumber);

    // a self-signed certificate without a key anywhere: any PEM certificate will do
    private const string Certificate =
        "-----BEGIN CERTIFICATE-----\nMIIBKzCB0aADAgECAgECMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwHhcN\n";

    [Fact]
    public void Creator_IsMspIdThenPem()
    {
        var test = new TestIdentity("OrgMSP");
        var pem = Encoding.UTF8.GetBytes(test.CertificatePem);

        byte[] expected = [0x0a, 6, .. "OrgMSP"u8, 0x12, (byte)(pem.Length & 0x7f | 0x80), (byte)(pem.Length >> 7), .. pem];

        Assert.Equal(expected, test.Identity.Creator.ToArray());
        Assert.Equal(pem, test.Identity.Credentials.ToArray());
    }

    [Fact]
    public void Identity_WithoutCertificate_IsRefused()
    {
        var exception = Assert.Throws<ArgumentException>(() => new Identity("OrgMSP", Encoding.UTF8.GetBytes(Certificate)));
        Assert.Contains("OrgMSP", exception.Message);
    }

    [Fact]
    public void TransactionId_IsHexOfHashOfNonceThenCreator()
    {
        // SHA-256("abc"), FIPS 180-2
        Assert.Equal(
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ProposalBuilder.TransactionId("a"u8, "bc"u8));
    }

    [Fact]
    public void ProposalHash_CoversHeadersAndPayloadWithoutTransient()
    {
        var header = new Header { ChannelHeader = ByteString.CopyFromUtf8("ch"), SignatureHeader = ByteString.CopyFromUtf8("sh") };

        Assert.Equal(SHA256.HashData("chshpayload"u8), ProposalBuilder.ProposalHash(header, ByteString.CopyFromUtf8("payload")));
    }

    [Fact]
    public void Proposal_EveryField_StandsWhereFabricReadsIt()
    {
        var test = new TestIdentity();
        var nonce = Enumerable.Range(0, 24).Select(i => (byte)i).ToArray();
        var options = new ProposalOptions
        {
            Arguments = ["one"u8.ToArray(), ReadOnlyMemory<byte>.Empty],
            TransientData = new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = "secret"u8.ToArray() },
            EndorsingOrganizations = ["AMSP", "BMSP"],
        };

        var built = ProposalBuilder.Build(
            test.Identity, "bridge", "summaries", "Anchor", options, nonce, DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_500));

        var id = Convert.ToHexStringLower(SHA256.HashData([.. nonce, .. test.Identity.Creator.Span]));
        Assert.Equal(id, built.TransactionId);
        Assert.Equal(["AMSP", "BMSP"], built.EndorsingOrganizations);
        var proposal = Wire.Proposal.Parser.ParseFrom(built.Proposal.ProposalBytes);
        var header = Header.Parser.ParseFrom(proposal.Header);
        byte[] extension = [0x3a, 13, 0x12, 11, 0x12, 9, .. "summaries"u8];
        byte[] channelHeader =
        [
            0x08, 3,
            0x1a, 12, 0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01,
            0x22, 6, .. "bridge"u8,
            0x2a, 64, .. Encoding.ASCII.GetBytes(id),
            .. extension,
        ];
        Assert.Equal(Convert.ToHexString(channelHeader), Convert.ToHexString(header.ChannelHeader.Span));
        var signatureHeader = SignatureHeader.Parser.ParseFrom(header.SignatureHeader);
        Assert.Equal(nonce, signatureHeader.Nonce.ToByteArray());
        Assert.Equal(test.Identity.Creator.ToArray(), signatureHeader.Creator.ToByteArray());
        var payload = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload);
        Assert.Equal("secret", payload.TransientMap["input"].ToStringUtf8());
        byte[] call = [0x0a, 6, .. "Anchor"u8, 0x0a, 3, .. "one"u8, 0x0a, 0];
        byte[] spec = [0x08, 2, 0x12, 11, 0x12, 9, .. "summaries"u8, 0x1a, (byte)call.Length, .. call];
        byte[] invocation = [0x0a, (byte)spec.Length, .. spec];
        Assert.Equal(Convert.ToHexString(invocation), Convert.ToHexString(payload.Input.Span));
    }

    [Theory]
    [InlineData("01", "01", "3006020101020101")]
    [InlineData("80", "7f", "300702020080" + "02017f")]
    // S is n - 1: the low one is 1
    [InlineData("01", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", "3006020101020101")]
    // S is (n - 1) / 2: the highest low one stays
    [InlineData(
        "01",
        "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8",
        "302502010102207fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8")]
    // S is (n + 1) / 2: one too high
    [InlineData(
        "01",
        "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9",
        "302502010102207fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8")]
    public void ToDerLowS_Vectors_AreMinimalAndLow(string r, string s, string der)
    {
        var p1363 = Convert.FromHexString(r.PadLeft(64, '0') + s.PadLeft(64, '0'));

        var encoded = FabricSignature.ToDerLowS(p1363);

        Assert.Equal(der, Convert.ToHexStringLower(encoded));
        Assert.True(FabricSignature.IsDerLowS(encoded));
    }

    [Theory]
    // high S
    [InlineData("3026020101022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550")]
    [InlineData("302502010102207fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9")]
    // zero, negative, superfluous zero, trailing byte, not DER
    [InlineData("3006020100020101")]
    [InlineData("3006020101020180")]
    [InlineData("300702020001020101")]
    [InlineData("300602010102010100")]
    [InlineData("")]
    [InlineData("0001")]
    public void IsDerLowS_OtherForms_AreRefused(string hex) => Assert.False(FabricSignature.IsDerLowS(Convert.FromHexString(hex)));

    [Fact]
    public async Task Signer_ManySignaturesOnManyThreads_AreAllLowAndVerify()
    {
        var test = new TestIdentity();
        var signer = Signers.NewPrivateKeySigner(test.Key);
        var token = TestContext.Current.CancellationToken;

        var signatures = await Task.WhenAll(Enumerable.Range(0, 256).Select(i => Task.Run(
            async () =>
            {
                var message = BitConverter.GetBytes(i);
                return (message, signature: await signer(SHA256.HashData(message), token));
            },
            token)));

        Assert.All(signatures, one =>
        {
            Assert.True(test.Signed(one.message, one.signature));
            var reader = new System.Formats.Asn1.AsnReader(one.signature, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
            reader.ReadInteger();
            Assert.True(reader.ReadInteger() <= Order / 2);
        });
    }

    [Fact]
    public void Signer_OtherCurve_IsRefused()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Contains("384", Assert.Throws<ArgumentException>(() => Signers.NewPrivateKeySigner(key)).Message);
    }
}
