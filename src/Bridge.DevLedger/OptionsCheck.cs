using System.Text.RegularExpressions;
using Bridge.DevLedger.Policies;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger;

/// <summary>Finds all that is wrong with the options, not only the first.</summary>
internal static partial class OptionsCheck
{
    public static (SignaturePolicyEnvelope Policy, IReadOnlyList<Collection> Collections) Check(DevLedgerOptions options)
    {
        var faults = new List<string>();
        if (string.IsNullOrWhiteSpace(options.DataDirectory))
            faults.Add("DataDirectory is empty: name a directory for blocks, state and keys");
        CheckOrganizations(options, faults);
        CheckChaincode(options, faults);
        CheckRange(options.BatchTimeout.TotalMilliseconds, 1, 60_000, "BatchTimeout (milliseconds)", faults);
        CheckRange(options.BatchSize, 1, 10_000, "BatchSize", faults);
        CheckRange(options.AbsoluteMaxBytes, 1, 99 << 20, "AbsoluteMaxBytes", faults);
        CheckRange(options.PreferredMaxBytes, 1, options.AbsoluteMaxBytes, "PreferredMaxBytes", faults);
        CheckRange(options.GatewayConcurrency, 1, 100_000, "GatewayConcurrency", faults);
        if (!ChannelName().IsMatch(options.Channel))
            faults.Add($"Channel '{options.Channel}': lower-case letters, digits, '.' and '-', beginning with a letter, at most 249");
        if (!ChaincodeName().IsMatch(options.Chaincode))
            faults.Add($"Chaincode '{options.Chaincode}': letters, digits, '_' and '-', beginning with a letter or digit");
        if (string.IsNullOrWhiteSpace(options.ChaincodeVersion))
            faults.Add("ChaincodeVersion is empty: any text will do, for example 1.0");

        var policy = Policy(options, faults);
        var collections = Collections(options, faults);
        return faults.Count == 0 ? (policy!, collections) : throw new DevLedgerOptionsException(faults);
    }

    private static void CheckOrganizations(DevLedgerOptions options, List<string> faults)
    {
        if (options.Organizations.Count is 0 or > 12)
            faults.Add($"Organizations has {options.Organizations.Count} entries: 1 to 12 are possible");
        foreach (var twice in options.Organizations.GroupBy(o => o.MspId).Where(g => g.Count() > 1))
            faults.Add($"Organizations: '{twice.Key}' stands {twice.Count()} times: name each once");
        foreach (var twice in options.Organizations.Where(o => o.Port != 0).GroupBy(o => o.Port).Where(g => g.Count() > 1))
            faults.Add($"Organizations: port {twice.Key} is given to {string.Join(" and ", twice.Select(o => o.MspId))}: give each its own, or 0");
        foreach (var organization in options.Organizations)
        {
            var where = $"Organizations '{organization.MspId}'";
            if (!MspName().IsMatch(organization.MspId))
                faults.Add($"{where}: an MSP id has letters, digits, '.' and '-' only");
            if (organization.Port is < 0 or > 65535)
                faults.Add($"{where}: Port {organization.Port}: 0 (a free one) to 65535");
            var given = organization.RootCertificateFiles.Count > 0;
            if (given != (organization.PeerCertificateFile is not null) || given != (organization.PeerKeyFile is not null))
                faults.Add($"{where}: give RootCertificateFiles, PeerCertificateFile and PeerKeyFile together, or none and all are made");
            foreach (var file in organization.RootCertificateFiles.Append(organization.PeerCertificateFile).Append(organization.PeerKeyFile))
            {
                if (file is not null && !File.Exists(file))
                    faults.Add($"{where}: the file '{file}' does not exist");
            }

            if (organization.ChaincodeAddress is { } address && (!address.IsAbsoluteUri || address.Scheme != "http" || !address.IsLoopback))
                faults.Add($"{where}: ChaincodeAddress '{address}': http:// and a loopback address, for example http://127.0.0.1:9999");
        }
    }

    private static void CheckChaincode(DevLedgerOptions options, List<string> faults)
    {
        if (options.Organizations.All(o => o.ChaincodeAddress is not null))
            return;
        if (options.ChaincodeDirectory is not { } directory)
        {
            faults.Add("ChaincodeDirectory is missing: name the directory of the built contract (chaincode/summaries), or a ChaincodeAddress for every organisation");
            return;
        }

        if (!File.Exists(Path.Combine(directory, "package.json")))
        {
            faults.Add($"ChaincodeDirectory '{directory}': there is no package.json in it: name the directory of the contract");
            return;
        }

        if (!File.Exists(Path.Combine(directory, "node_modules", "fabric-shim", "cli.js")))
            faults.Add($"ChaincodeDirectory '{directory}': its packages are not installed: run 'npm ci' there");
        using var package = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(directory, "package.json")));
        var main = package.RootElement.TryGetProperty("main", out var entry) ? entry.GetString() ?? "index.js" : "index.js";
        if (!File.Exists(Path.Combine(directory, main)))
            faults.Add($"ChaincodeDirectory '{directory}': the contract is not built ('{main}' is missing): run 'npm run build' there");
    }

    private static SignaturePolicyEnvelope? Policy(DevLedgerOptions options, List<string> faults)
    {
        var text = options.EndorsementPolicy
            ?? $"OutOf({options.Organizations.Count / 2 + 1}, {string.Join(", ", options.Organizations.Select(o => $"'{o.MspId}.peer'"))})";
        try
        {
            var policy = SignaturePolicyParser.Parse(text);
            CheckPrincipals(policy, options, "EndorsementPolicy", faults);
            return policy;
        }
        catch (FormatException e)
        {
            if (options.EndorsementPolicy is not null)
                faults.Add($"EndorsementPolicy: {e.Message}");
            return null;
        }
    }

    private static IReadOnlyList<Collection> Collections(DevLedgerOptions options, List<string> faults)
    {
        if (options.CollectionsConfigFile is not { } file)
            return [];
        if (!File.Exists(file))
        {
            faults.Add($"CollectionsConfigFile: the file '{file}' does not exist");
            return [];
        }

        var found = new List<string>();
        var collections = CollectionsFile.Parse(File.ReadAllText(file), found);
        faults.AddRange(found.Select(fault => $"CollectionsConfigFile '{file}': {fault}"));
        foreach (var collection in collections)
        {
            CheckPrincipals(collection.Members, options, $"CollectionsConfigFile '{file}': {collection.Name}", faults);
            if (collection.EndorsementPolicy is not null)
                CheckPrincipals(collection.EndorsementPolicy, options, $"CollectionsConfigFile '{file}': {collection.Name}", faults);
        }

        return collections;
    }

    private static void CheckPrincipals(SignaturePolicyEnvelope policy, DevLedgerOptions options, string where, List<string> faults)
    {
        var unknown = policy.Identities.Select(p => MSPRole.Parser.ParseFrom(p.Principal).MspIdentifier)
            .Except(options.Organizations.Select(o => o.MspId)).ToList();
        foreach (var mspId in unknown)
            faults.Add($"{where}: '{mspId}' is none of the organisations ({string.Join(", ", options.Organizations.Select(o => o.MspId))})");
    }

    private static void CheckRange(double value, double least, double most, string key, List<string> faults)
    {
        if (value < least || value > most)
            faults.Add($"{key} is {value}: {least} to {most} is possible");
    }

    [GeneratedRegex("^[a-z][a-z0-9.-]{0,248}$")]
    private static partial Regex ChannelName();

    [GeneratedRegex("^[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*$")]
    private static partial Regex ChaincodeName();

    [GeneratedRegex("^[A-Za-z0-9.-]{1,64}$")]
    private static partial Regex MspName();
}
