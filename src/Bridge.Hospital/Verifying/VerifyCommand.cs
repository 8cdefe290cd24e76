using System.Globalization;
using System.Text.Json;
using Bridge.Fhir.Watching;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;

namespace Bridge.Hospital.Verifying;

/// <summary>
/// <c>verify</c>: exit code 0 where everything agrees, 1 on any finding, 3 where something could not be read and nothing else was found; with <c>--source</c>, 4 where
/// only the EHR says something else than when it was read.
/// </summary>
internal static class VerifyCommand
{
    // Somebody waits before a terminal; a server that throttles is given time all the same.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var arguments = ShellArguments.Parse(args, ["--json", "--source"], []);
        var (configuration, baseDirectory) = ShellSetup.Configuration(arguments);
        var reader = new ConfigurationReader(configuration, baseDirectory);
        var hospital = HospitalOptions.Read(reader);
        var store = StoreOptions.Read(reader);
        var options = LedgerOptions.Read(reader);
        using var bridge = options.ReadBridge(reader);
        var printed = EnrolmentOptions.ReadCaDigests(reader);
        var watching = arguments.Has("--source") ? WatchingOptions.Read(reader) : null;
        var extraction = watching is null ? null : ExtractionSettings.Read(reader);
        if (reader.Faults.Count > 0)
            throw new ConfigurationException([.. reader.Faults]);

        using var database = ShellSetup.Open(store, write: false);
        using var gateway = ShellSetup.Connect(options, hospital.Msp, bridge!);
        var ledger = new SummaryLedger(gateway, options.Channel, options.Chaincode, new SummaryLedgerOptions { PortalMspId = options.PortalMsp, MaxAttempts = 3 });
        using var fhir = watching?.Connect(Patience, TimeProvider.System);
        Func<Findings, SourceCheck>? source = fhir is null
            ? null
            : found => new SourceCheck(database, new EncounterReader(fhir, watching!.Watch), extraction!.Extractor(watching.Ready), hospital.Msp, found, TimeProvider.System);
        var findings = await ShellProgress.RunAsync(output, arguments.Json, tasks =>
            new Verification(database, ledger, hospital.Msp, printed, tasks, TimeProvider.System, source).RunAsync(CancellationToken.None));
        var (all, moved) = (findings.All, findings.Source);
        var code = all.Count > 0 ? ExitCode.Found : findings.Unread.Count > 0 ? ExitCode.Unfinished : moved.Count > 0 ? ExitCode.SourceMoved : ExitCode.Done;
        if (arguments.Json)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(
                new { clean = code == ExitCode.Done, looked = findings.Checked.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary(), findings = all, source = moved, unread = findings.Unread }, Json));
            return code;
        }
        await output.WriteLineAsync(
            $"Looked at {string.Join(", ", findings.Checked.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Value} {pair.Key}")))}.");
        foreach (var finding in all)
            await output.WriteLineAsync(finding.ToString());
        foreach (var difference in moved)
            await output.WriteLineAsync($"SOURCE  {difference}");
        foreach (var unread in findings.Unread)
            await output.WriteLineAsync($"NOT READ  {unread}");
        await output.WriteLineAsync(code switch
        {
            ExitCode.Done => "Everything agrees.",
            ExitCode.Found => string.Create(CultureInfo.InvariantCulture, $"{all.Count} findings."),
            ExitCode.SourceMoved => string.Create(CultureInfo.InvariantCulture, $"Tables and ledger agree; {moved.Count} encounters changed in the EHR since they were read."),
            _ => "What could be read agrees; the rest was not looked at.",
        });
        return code;
    }
}
