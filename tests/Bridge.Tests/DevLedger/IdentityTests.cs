using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Bridge.DevLedger.Identity;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.DevLedger;

public class IdentityTests
{
    private static readonly byte[] Data = Encoding.UTF8.GetBytes("what is signed");

    private readonly TestAuthority authority = new("AMSP");
    private readonly MemberDirectory directory;

    public IdentityTests()
    {
        directory = new MemberDirectory(new Dictionary<string, X509Certificate2Collection> { ["AMSP"] = [authority.Certificate] });
    }

    [Theory]
    [InlineData("OU=client, CN=c", nameof(NodeRole.Client))]
    [InlineData("OU=peer, CN=p", nameof(NodeRole.Peer))]
    [InlineData("OU=admin, CN=a", nameof(NodeRole.Admin))]
    [InlineData("OU=orderer, CN=o", nameof(NodeRole.Orderer))]
    [InlineData("OU=client, OU=cardiology, CN=c", nameof(NodeRole.Client))]
    public void Find_MemberWithOneRole_HasIt(string subject, string role)
    {
        var member = directory.Find(authority.Serialize(authority.Issue(subject).Certificate))!;

        Assert.Null(member.Fault);
        Assert.Equal(role, member.Role.ToString());
    }

    [Theory]
    [InlineData("CN=nobody")]
    [InlineData("OU=client, OU=peer, CN=both")]
    public void Find_NoOrTwoRoles_Faulty(string subject) =>
        Assert.NotNull(directory.Find(authority.Serialize(authority.Issue(subject).Certificate))!.Fault);

    [Fact]
    public void Find_OtherCurveOrAuthority_Faulty()
    {
        Assert.NotNull(directory.Find(authority.Serialize(authority.Issue("OU=client, CN=c", ECCurve.NamedCurves.nistP384).Certificate))!.Fault);
        Assert.NotNull(directory.Find(authority.Serialize(authority.Issue("OU=client, CN=c", isAuthority: true).Certificate))!.Fault);
    }

    [Fact]
    public void Find_UnknownMspOtherRootOrNoIdentity_Null()
    {
        var certificate = authority.Issue("OU=client, CN=c").Certificate;

        Assert.Null(directory.Find(authority.Serialize(certificate, "BMSP")));
        Assert.Null(directory.Find(authority.Serialize(new TestAuthority("AMSP").Issue("OU=client, CN=c").Certificate)));
        Assert.Null(directory.Find(ByteString.CopyFromUtf8("not an identity")));
        Assert.Null(directory.Find(ByteString.Empty));
    }

    [Fact]
    public void Find_Expired_StillOfItsOrganisationAndSaysSo()
    {
        var member = directory.Find(authority.Serialize(authority.Issue("OU=client, CN=c", life: TimeSpan.FromHours(1)).Certificate))!;

        Assert.Null(member.Fault);
        Assert.True(member.IsExpired(DateTimeOffset.UtcNow));
    }

    [Fact]
    public void Sign_ManyTimes_AlwaysLowAndVerified()
    {
        var (certificate, key) = authority.Issue("OU=client, CN=c");
        var member = new Member("AMSP", certificate, null);
        for (var i = 0; i < 50; i++)
        {
            var signature = Signatures.Sign(key, Data);

            Assert.True(member.Verify(Data, signature));
            Assert.False(member.Verify(Data, Raise(signature)));
        }
    }

    [Fact]
    public void Verify_OtherFormsOfASignature_Refused()
    {
        var (certificate, key) = authority.Issue("OU=client, CN=c");
        var member = new Member("AMSP", certificate, null);
        var signature = Signatures.Sign(key, Data);

        Assert.False(member.Verify(Data, [.. signature, 0]));
        Assert.False(member.Verify(Data, key.SignData(Data, HashAlgorithmName.SHA256)));
        Assert.False(member.Verify(Data, []));
        Assert.False(member.Verify([.. Data, 0], signature));
    }

    // The other valid signature of the same message: s replaced by the order less s.
    private static byte[] Raise(byte[] der)
    {
        var order = BigInteger.Parse("0FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", System.Globalization.NumberStyles.HexNumber, null);
        var reader = new System.Formats.Asn1.AsnReader(der, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence();
        var (r, s) = (reader.ReadInteger(), reader.ReadInteger());
        var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(r);
            writer.WriteInteger(order - s);
        }

        return writer.Encode();
    }
}
