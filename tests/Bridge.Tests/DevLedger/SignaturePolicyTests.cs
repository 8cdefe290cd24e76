using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Xunit;

namespace Bridge.Tests.DevLedger;

public class SignaturePolicyTests
{
    private static readonly TestAuthority A = new("AMSP");
    private static readonly TestAuthority B = new("BMSP");
    private static readonly TestAuthority C = new("CMSP");

    [Theory]
    [InlineData("OR('AMSP.peer')", "A", true)]
    [InlineData("OR('AMSP.peer')", "B", false)]
    [InlineData("AND('AMSP.peer', 'BMSP.peer')", "AB", true)]
    [InlineData("AND('AMSP.peer', 'BMSP.peer')", "A", false)]
    [InlineData("And(\"AMSP.member\",\"BMSP.member\")", "BA", true)]
    [InlineData("OutOf(2, 'AMSP.peer', 'BMSP.peer', 'CMSP.peer')", "AC", true)]
    [InlineData("OutOf(2, 'AMSP.peer', 'BMSP.peer', 'CMSP.peer')", "C", false)]
    [InlineData("AND('AMSP.peer', OR('BMSP.peer', 'CMSP.peer'))", "AC", true)]
    [InlineData("AND('AMSP.peer', OR('BMSP.peer', 'CMSP.peer'))", "BC", false)]
    [InlineData("AND('AMSP.peer', 'AMSP.peer')", "A", false)]
    [InlineData("AND('AMSP.peer', 'AMSP.member')", "AA", true)]
    [InlineData("OR('AMSP.client', 'AMSP.admin')", "A", false)]
    [InlineData(" outof ( 1 , 'AMSP.peer' , 'BMSP.peer' ) ", "B", true)]
    public void IsSatisfiedBy_Peers_AsFabricDecides(string text, string signers, bool expected)
    {
        var members = signers.Select(s => (s == 'A' ? A : s == 'B' ? B : C).Member("peer")).ToList();

        Assert.Equal(expected, SignaturePolicies.IsSatisfiedBy(SignaturePolicyParser.Parse(text), members));
    }

    [Theory]
    [InlineData("", "at character 1", "a gate")]
    [InlineData("XOR('A.peer')", "at character 1", "a gate")]
    [InlineData("OR('AMSP.king')", "at character", "no principal")]
    [InlineData("OR('peer')", "at character", "no principal")]
    [InlineData("OR('AMSP.peer'", "at character", "')' was expected")]
    [InlineData("OR('AMSP.peer", "at character", "closing quote")]
    [InlineData("OR('AMSP.peer') OR", "at character", "nothing may follow")]
    [InlineData("OutOf(5, 'AMSP.peer', 'BMSP.peer')", "at character", "invalid t-out-of-n predicate, t 5, n 2")]
    [InlineData("OutOf('AMSP.peer')", "at character", "a number was expected")]
    public void Parse_NotAPolicy_SaysWhereAndWhatWasExpected(string text, string where, string what)
    {
        var fault = Assert.Throws<FormatException>(() => SignaturePolicyParser.Parse(text));

        Assert.Contains(where, fault.Message, StringComparison.Ordinal);
        Assert.Contains(what, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Satisfies_InvalidIdentity_Never()
    {
        var (certificate, _) = A.Issue("OU=peer, OU=client, CN=both");
        var both = new Member("AMSP", certificate, null);

        Assert.NotNull(both.Fault);
        Assert.False(SignaturePolicies.IsSatisfiedBy(SignaturePolicyParser.Parse("OR('AMSP.member')"), [both]));
    }

    [Fact]
    public void CollectionsFile_Faults_AllAtOnce()
    {
        var faults = new List<string>();

        CollectionsFile.Parse(
            """
            [{"name":"a","policy":"OR('AMSP.member')"},{"name":"a","policy":"OR("},{"policy":"OR('AMSP.member')"},
             {"name":"b"},{"name":"c","policy":"OR('AMSP.member')","endorsementPolicy":{"channelConfigPolicy":"/X"}},7]
            """,
            faults);

        Assert.Contains(faults, f => f.Contains("'a' stands twice", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("a: policy: policy \"OR(\"", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("collection 2: name is missing", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("b: policy is missing", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("c: endorsementPolicy.channelConfigPolicy", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("collection 5: an object was expected", StringComparison.Ordinal));
    }

    [Fact]
    public void CollectionsFile_AsThePeerReadsIt_KeepsEveryMember()
    {
        var faults = new List<string>();

        var collection = Assert.Single(CollectionsFile.Parse(
            """
            [{"name":"s","policy":"OR('AMSP.member','BMSP.member')","requiredPeerCount":0,"maxPeerCount":2,"blockToLive":7,
              "memberOnlyRead":true,"memberOnlyWrite":true,"endorsementPolicy":{"signaturePolicy":"AND('AMSP.peer','BMSP.peer')"}}]
            """,
            faults));

        Assert.Empty(faults);
        Assert.True(collection.MemberOnlyRead && collection.MemberOnlyWrite);
        Assert.Equal(7UL, collection.BlockToLive);
        Assert.True(collection.HasMember(A.Member("client")));
        Assert.False(collection.HasMember(C.Member("client")));
        Assert.True(SignaturePolicies.IsSatisfiedBy(collection.EndorsementPolicy!, [A.Member("peer"), B.Member("peer")]));
    }
}
