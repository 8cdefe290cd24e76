using Bridge.Sandbox.Parts;
using Bridge.Sandbox.Processes;
using Bridge.Sandbox.Setup;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>
/// The tests that the official Node client makes of the development ledger (<c>tests/node</c>), made of real peers: what they expect of the one they must get from the
/// other. On a network of its own, with the contract that makes any call of the shim.
/// </summary>
[Trait("Category", "Fabric")]
[Collection(NodeSuiteCollection.Name)]
public sealed class NodeSuiteTests
{
    [Fact]
    public async Task OfficialClientsSuite_OnRealPeers_GetsWhatTheDevelopmentLedgerGives()
    {
        Assert.SkipUnless(FabricPart.IsAvailable, FabricLedgerFixture.Missing);
        var ct = TestContext.Current.CancellationToken;
        var checkout = Checkout.Find();
        var suite = Path.Combine(checkout.Root, "tests", "node");
        var folder = Directory.CreateTempSubdirectory("bridge-node-suite-").FullName;
        var network = new FabricPart(checkout, Path.Combine(folder, "state"), folder, FabricPart.FreeBase(0), FabricLedgerFixture.Options)
        {
            // the suite asks for the past of keys, of which the network's own peers keep no index
            Environment = new Dictionary<string, string?> { ["CORE_LEDGER_HISTORY_ENABLEHISTORYDATABASE"] = "true" },
        };
        try
        {
            await network.StartAsync(ct);
            await network.DeployAsync(
                Path.Combine(suite, "contract"), ct, "--collections", Path.Combine(suite, "contract", "collections.json"),
                "--policy", "OutOf(2, 'HospitalAMSP.peer', 'HospitalBMSP.peer', 'PortalMSP.peer')");
            await using var tests = ChildProcess.Start(new ChildCommand(
                "The official client's suite", "npm", ["test"], Path.Combine(folder, "suite.log"), new Dictionary<string, string?> { ["BRIDGE_TEST_PROFILES"] = network.Data }, suite));

            var code = await tests.WaitForExitAsync(ct);

            Assert.True(code == 0, await File.ReadAllTextAsync(Path.Combine(folder, "suite.log"), ct));
            TestContext.Current.TestOutputHelper?.WriteLine(string.Join(System.Environment.NewLine, tests.Output().TakeLast(9)));
        }
        finally
        {
            await network.StopAsync();
            Directory.Delete(folder, recursive: true);
        }
    }
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class NodeSuiteCollection
{
    public const string Name = "Node suite on Fabric";
}
