using System.CommandLine;
using System.Globalization;
using Bridge.DevLedger;
using Microsoft.Extensions.Logging;

var data = new Option<string>("--data") { Description = "Directory for blocks, state, keys and connection profiles.", DefaultValueFactory = _ => ".data/devledger" };
var organizations = new Option<string[]>("--org")
{
    Description = "MSP id of an organisation, repeated for each. Default: HospitalAMSP, HospitalBMSP and PortalMSP.",
    AllowMultipleArgumentsPerToken = true,
};
var port = new Option<int>("--port") { Description = "Port of the first organisation's gateway; the others follow it. 0: free ones.", DefaultValueFactory = _ => 0 };
var chaincode = new Option<string?>("--chaincode") { Description = "Directory of the built contract.", DefaultValueFactory = _ => "chaincode/summaries" };
var address = new Option<string[]>("--chaincode-address")
{
    Description = "Address (http://127.0.0.1:port) of a contract that runs already, one for each organisation, or one for all.",
    AllowMultipleArgumentsPerToken = true,
};
var environment = new Option<string[]>("--env") { Description = "NAME=VALUE for the contract's environment, repeated.", AllowMultipleArgumentsPerToken = true };
var collections = new Option<string?>("--collections")
{
    Description = "Fabric's collections configuration. Default: collections.json beside the contract.",
};
var policy = new Option<string?>("--policy") { Description = "Endorsement policy of the chaincode. Default: a majority of the organisations' peers." };
var channel = new Option<string>("--channel") { Description = "The channel's name.", DefaultValueFactory = _ => "bridge" };
var name = new Option<string>("--name") { Description = "The chaincode's name.", DefaultValueFactory = _ => "summaries" };
var timeout = new Option<double>("--batch-timeout") { Description = "Milliseconds from a block's first transaction until it is cut.", DefaultValueFactory = _ => 50 };
var size = new Option<int>("--batch-size") { Description = "Transactions in a block, at most.", DefaultValueFactory = _ => 500 };
var verbose = new Option<bool>("--verbose") { Description = "Log every block." };

var command = new RootCommand("A ledger for trying and testing: plays one Fabric peer for each organisation, on loopback only.")
{
    data, organizations, port, chaincode, address, environment, collections, policy, channel, name, timeout, size, verbose,
};
command.SetAction((result, ct) => RunAsync(result, ct));
return await command.Parse(args).InvokeAsync();

async Task<int> RunAsync(ParseResult result, CancellationToken ct)
{
    using var logging = LoggerFactory.Create(builder => builder
        .SetMinimumLevel(result.GetValue(verbose) ? LogLevel.Debug : LogLevel.Warning)
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddSimpleConsole(console => console.SingleLine = true));
    try
    {
        await using var host = await DevLedgerHost.StartAsync(Options(result, logging), ct);
        Console.WriteLine("Bridge dev ledger: for trying and testing only. One process, loopback only, no fault tolerance.");
        Console.WriteLine($"Data directory  {Path.GetFullPath(result.GetValue(data)!)}");
        foreach (var gateway in host.Gateways.Values)
            Console.WriteLine($"{gateway.MspId,-15} {gateway.Endpoint.GetLeftPart(UriPartial.Authority)}  profile {gateway.ConnectionProfile}");
        Console.WriteLine("Ready. Stop with Ctrl+C.");
        await Task.Delay(Timeout.Infinite, ct).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return 0;
    }
    catch (Exception e) when (e is DevLedgerOptionsException or IOException or InvalidOperationException or UnauthorizedAccessException)
    {
        await Console.Error.WriteLineAsync(e.Message);
        return 1;
    }
    catch (OperationCanceledException) when (ct.IsCancellationRequested)
    {
        return 1;
    }
}

DevLedgerOptions Options(ParseResult result, ILoggerFactory logging)
{
    var names = result.GetValue(organizations) is { Length: > 0 } given ? given : ["HospitalAMSP", "HospitalBMSP", "PortalMSP"];
    var first = result.GetValue(port);
    var addresses = result.GetValue(address) ?? [];
    var faults = new List<string>();
    if (addresses.Length > 1 && addresses.Length != names.Length)
    {
        faults.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"--chaincode-address is given {addresses.Length} times for {names.Length} organisations: give one for all, or one for each"));
    }

    foreach (var text in addresses.Where(text => !Uri.TryCreate(text, UriKind.Absolute, out _)))
        faults.Add($"--chaincode-address '{text}': write http://127.0.0.1:port");
    var variables = new Dictionary<string, string>(StringComparer.Ordinal);
    foreach (var pair in result.GetValue(environment) ?? [])
    {
        var equals = pair.IndexOf('=', StringComparison.Ordinal);
        if (equals < 1)
            faults.Add($"--env '{pair}': write NAME=VALUE");
        else
            variables[pair[..equals]] = pair[(equals + 1)..];
    }

    if (faults.Count > 0)
        throw new DevLedgerOptionsException(faults);
    var directory = result.GetValue(chaincode);
    var beside = directory is null ? null : Path.Combine(directory, "collections.json");
    return new DevLedgerOptions
    {
        DataDirectory = result.GetValue(data)!,
        Organizations = [.. names.Select((mspId, i) => new DevOrganization(mspId)
        {
            Port = first == 0 ? 0 : first + i,
            ChaincodeAddress = addresses.Length == 0 ? null : new Uri(addresses[addresses.Length == 1 ? 0 : i]),
        })],
        ChaincodeDirectory = directory,
        ChaincodeEnvironment = variables,
        CollectionsConfigFile = result.GetValue(collections) ?? (File.Exists(beside) ? beside : null),
        EndorsementPolicy = result.GetValue(policy),
        Channel = result.GetValue(channel)!,
        Chaincode = result.GetValue(name)!,
        BatchTimeout = TimeSpan.FromMilliseconds(result.GetValue(timeout)),
        BatchSize = result.GetValue(size),
        Logging = logging,
    };
}
