using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>The consortium grows and changes its contract while a hospital anchors. On a network of its own: no other test expects a third hospital.</summary>
[Trait("Category", "Fabric")]
[Collection(JoiningCollection.Name)]
public sealed class JoiningTests(FabricLedgerFixture network)
{
    private const string C = "HospitalCMSP";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private readonly FabricLedgerFixture fixture = network.Required();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string A => fixture.Consortium.A.Msp;

    private string B => fixture.Consortium.B.Msp;

    [Fact]
    public async Task HospitalJoinsAndTheContractIsReplaced_UnderLoad_NothingIsLostAndTheNewcomerAnchors()
    {
        await using var load = await AnchorLoad.StartAsync(fixture, A, 4);
        await load.MoreAsync(8, Limit);

        // channel configuration, peer and definition, signed by all; in the contract it is nobody yet
        await fixture.Network.AddHospitalAsync(C, Token);
        var folder = fixture.Actors.Folder();
        var newcomer = new SampleHospital(C, "Orchard Hospital", Path.Combine(folder, "affairs"), Path.Combine(folder, "bridge"));
        newcomer.CreateKeys(DateTimeOffset.UtcNow);
        fixture.Actors.Joined[C] = newcomer;
        await load.MoreAsync(8, Limit);
        var early = fixture.Actors.NewDoctor(C, "Dr. Ana Pereira");
        await Refused.WithAsync("UNKNOWN_HOSPITAL", () => fixture.Actors.ProposeAsync(early));

        // a majority of the hospitals that are there lets it in
        var record = newcomer.Record(fixture.Network.Root(C).Der(), fixture.Network.Client(C).Der());
        await fixture.Contract(A).SubmitAsync("ProposeHospital", [Encoding.UTF8.GetString(record.ToCanonicalJson())], null, [A, B], Token);
        await ApproveAsync(record, A);
        await ApproveAsync(record, B);
        await using var theirs = await AnchorLoad.StartAsync(fixture, C, 2);
        await theirs.MoreAsync(6, Limit);
        await load.MoreAsync(8, Limit);

        // the contract in a new version, approved by all four: the old one serves until the new definition is committed
        var replacing = DateTime.UtcNow;
        await fixture.Network.DeployAsync(NextVersion(folder), Token);
        Assert.Contains(await fixture.Network.StatusAsync(Token), line => line.Contains("contract summaries 1.0.1, sequence 3", StringComparison.Ordinal));
        await load.MoreAsync(8, Limit);
        await theirs.MoreAsync(6, Limit);

        Assert.Empty(await load.DifferencesAsync());
        Assert.Empty(await theirs.DifferencesAsync());
        // a member of the channel, and of no other hospital's collections
        Assert.Equal("NOT_MEMBER", await fixture.Actors.ReadRefusalAsync(A, load.Some, C));
        Assert.Equal("NOT_MEMBER", await fixture.Actors.ReadRefusalAsync(C, theirs.Some, A));
        Assert.Null(await fixture.Actors.ReadRefusalAsync(C, theirs.Some, SampleConsortium.PortalMsp));
        TestContext.Current.TestOutputHelper?.WriteLine($"longest time without an anchor since the replacement began: {load.LongestGap(replacing).TotalSeconds:0.0} s; said: {string.Join(" | ", load.Said.Concat(theirs.Said).Distinct())}");
    }

    private async Task ApproveAsync(HospitalRecord record, string approving)
    {
        var registrar = fixture.Actors.Hospital(approving).Registrar;
        using var key = registrar.LoadKey();
        var approval = CompactJws.Sign(record.ApprovalBy(approving), key, registrar.Der());
        await fixture.Contract(approving).SubmitAsync("ApproveHospital", [record.Msp, record.Seq.ToString(CultureInfo.InvariantCulture), approval], null, [A, B], Token);
    }

    // The same contract under the next number, so that its definition changes and its packages with it.
    private static string NextVersion(string folder)
    {
        var source = Path.Combine(Checkout.Find().Root, "chaincode", "summaries");
        var target = Path.Combine(folder, "contract");
        foreach (var file in Directory.EnumerateFiles(source, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
        {
            var name = Path.GetRelativePath(source, file);
            if (name.Split(Path.DirectorySeparatorChar)[0] is "node_modules" or "dist" or "build-test")
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(target, name))!);
            File.Copy(file, Path.Combine(target, name));
        }

        Directory.CreateSymbolicLink(Path.Combine(target, "node_modules"), Path.Combine(source, "node_modules"));
        var manifest = Path.Combine(target, "package.json");
        var package = JsonNode.Parse(File.ReadAllText(manifest))!;
        package["version"] = "1.0.1";
        File.WriteAllText(manifest, package.ToJsonString());
        return target;
    }
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class JoiningCollection : ICollectionFixture<FabricLedgerFixture>
{
    public const string Name = "Joining on Fabric";
}
