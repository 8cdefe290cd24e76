using System.Security.Cryptography.X509Certificates;
using Bridge.DevLedger.Endorsing;
using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Xunit;

namespace Bridge.Tests.DevLedger;

public class InterestTests
{
    private static readonly Member[] Peers = [new TestAuthority("A").Member("peer"), new TestAuthority("B").Member("peer"), new TestAuthority("P").Member("peer")];

    private static readonly ChannelDefinition Definition = new(
        "bridge", "cc", "1.0", SignaturePolicyParser.Parse("OutOf(2, 'A.peer', 'B.peer', 'P.peer')"),
        CollectionsFile.Parse(
            """
            [{"name":"s","policy":"OR('A.member','P.member')","endorsementPolicy":{"signaturePolicy":"AND('A.peer','P.peer')"}},
             {"name":"w","policy":"OR('A.member','P.member')","endorsementPolicy":{"signaturePolicy":"OR('A.peer','P.peer')"}},
             {"name":"plain","policy":"OR('A.member','P.member')"},
             {"name":"doctors","policy":"OR('A.member','B.member','P.member')","endorsementPolicy":{"signaturePolicy":"AND('A.peer','B.peer')"}}]
            """,
            new List<string>()),
        new MemberDirectory(new Dictionary<string, X509Certificate2Collection>()));

    [Fact]
    public void Of_NothingWritten_ChaincodePolicy() => Assert.Equal(["A+B", "A+P", "B+P"], Layouts(Result()));

    [Fact]
    public void Of_CollectionWritten_ItsPolicyOnly()
    {
        Assert.Equal(["A+P"], Layouts(Result(("s", null))));
        Assert.Equal(["A", "P"], Layouts(Result(("w", null))));
        Assert.Equal(["A+B", "A+P", "B+P"], Layouts(Result(("plain", null))));
    }

    [Fact]
    public void Of_SeveralCollections_AllTheirPolicies() => Assert.Equal(["A+B+P"], Layouts(Result(("s", null), ("doctors", null))));

    [Fact]
    public void Of_ValueReadAndAnotherCollectionWritten_NoneFits()
    {
        var result = Result(("doctors", null)) with { PrivateReads = new HashSet<string> { "s" } };

        Assert.Empty(Layouts(result));
    }

    [Fact]
    public void Of_ValueReadWithoutWrites_ChaincodeAndCollectionPolicyAmongMembers()
    {
        var result = Result() with { PrivateReads = new HashSet<string> { "s" } };

        Assert.Equal(["A+P"], Layouts(result));
    }

    [Fact]
    public void Of_KeysWithPoliciesOfTheirOwn_ThoseAlone()
    {
        var onlyB = SignaturePolicyParser.Parse("OR('B.peer')").ToByteString();

        Assert.Equal(["B"], Layouts(Result(("", onlyB))));
        Assert.Equal(["A+B", "B+P"], Layouts(Result(("", onlyB), ("", null))));
        // a private key's own policy replaces its collection's
        var either = SignaturePolicyParser.Parse("OR('A.peer', 'P.peer')").ToByteString();
        Assert.Equal(["A", "P"], Layouts(Result(("s", either))));
    }

    private static SimulationResult Result(params (string Collection, ByteString? Policy)[] written) =>
        new(new TxReadWriteSet(), null, new HashSet<string>(), written);

    private static List<string> Layouts(SimulationResult result) =>
        Interest.Layouts(Definition, Interest.Of("cc", result), Peers)
            .Select(layout => string.Join('+', layout.Order(StringComparer.Ordinal)))
            .Order(StringComparer.Ordinal)
            .ToList();
}
