using Bridge.DevLedger;
using Xunit;

namespace Bridge.Tests.DevLedger;

public sealed class OptionsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("bridge-options-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Start_ManyFaults_AllAtOnceWithKeyValueAndCure()
    {
        var collections = Path.Combine(folder, "collections.json");
        await File.WriteAllTextAsync(collections, """[{"name":"s","policy":"OR('NobodyMSP.member')"}]""", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<DevLedgerOptionsException>(() => DevLedgerHost.StartAsync(new DevLedgerOptions
        {
            DataDirectory = " ",
            Organizations =
            [
                new DevOrganization("AMSP") { Port = 7051 },
                new DevOrganization("AMSP") { Port = 7051, PeerKeyFile = Path.Combine(folder, "absent.key") },
                new DevOrganization("B MSP") { ChaincodeAddress = new Uri("http://192.0.2.1:9999") },
            ],
            ChaincodeDirectory = Path.Combine(folder, "nowhere"),
            CollectionsConfigFile = collections,
            EndorsementPolicy = "OR('AMSP.peer'",
            Channel = "Bridge",
            BatchTimeout = TimeSpan.Zero,
            BatchSize = 0,
        }, TestContext.Current.CancellationToken));

        foreach (var part in new[]
        {
            "DataDirectory is empty", "'AMSP' stands 2 times", "port 7051 is given to", "absent.key' does not exist", "together",
            "an MSP id has letters", "http://192.0.2.1:9999", "there is no package.json", "'NobodyMSP' is none of the organisations",
            "EndorsementPolicy: policy \"OR('AMSP.peer'\"", "Channel 'Bridge'", "BatchTimeout (milliseconds) is 0", "BatchSize is 0",
        })
        {
            Assert.Contains(failure.Faults, fault => fault.Contains(part, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Start_ContractNotBuilt_SaysWhatToRun()
    {
        await File.WriteAllTextAsync(Path.Combine(folder, "package.json"), """{"main":"dist/index.js"}""", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<DevLedgerOptionsException>(() => DevLedgerHost.StartAsync(new DevLedgerOptions
        {
            DataDirectory = Path.Combine(folder, "data"),
            ChaincodeDirectory = folder,
        }, TestContext.Current.CancellationToken));

        Assert.Contains(failure.Faults, fault => fault.Contains("npm ci", StringComparison.Ordinal));
        Assert.Contains(failure.Faults, fault => fault.Contains("npm run build", StringComparison.Ordinal) && fault.Contains("dist/index.js", StringComparison.Ordinal));
        Assert.False(Directory.Exists(Path.Combine(folder, "data")));
    }
}
