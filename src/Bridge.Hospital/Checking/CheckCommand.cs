using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Announcing;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Hospital.WriteBack;

namespace Bridge.Hospital.Checking;

/// <summary>
/// <c>check</c>: tries everything that the bridge stands on, part by part, each with what the others leave it: a go-live report. Exit code 0 where nothing is at
/// fault, 1 otherwise. It writes nothing, anywhere.
/// </summary>
internal static class CheckCommand
{
    /// <summary>Two clocks that lie further apart are a fault.</summary>
    public static readonly TimeSpan MostSkew = TimeSpan.FromSeconds(5);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var arguments = ShellArguments.Parse(args, ["--json"], ["--patients"]);
        var patients = arguments.Value("--patients") is null ? (int?)null : arguments.Number("--patients", 0, 0, 10_000_000);
        var report = new CheckReport();
        await ShellProgress.RunAsync(output, arguments.Json, tasks => TryAllAsync(arguments, patients, report, tasks));
        await output.WriteLineAsync(arguments.Json
            ? JsonSerializer.Serialize(new { good = !report.HasFaults, lines = report.Lines }, Json)
            : Text(report));
        return report.HasFaults ? ExitCode.Found : ExitCode.Done;
    }

    private static async Task<int> TryAllAsync(ShellArguments arguments, int? patients, CheckReport report, IShellTasks tasks)
    {
        var clock = TimeProvider.System;
        var task = tasks.Begin("configuration", 0);
        var (configuration, baseDirectory) = ShellSetup.Configuration(arguments);
        var reader = new ConfigurationReader(configuration, baseDirectory);
        // Every part is read whatever is wrong with the others.
        var hospital = HospitalOptions.Read(reader);
        ServerOptions.Read(reader);
        var access = AccessOptions.Read(reader);
        var signIn = SignInOptions.Read(reader);
        var store = Read(reader, StoreOptions.Read, "Database");
        var ledger = LedgerOptions.Read(reader);
        using var bridge = reader.Faults.Any(fault => fault.Key == "Ledger:Profile") ? null : ledger.ReadBridge(reader);
        var watching = Read(reader, WatchingOptions.Read, "Fhir");
        var extraction = Read(reader, ExtractionSettings.Read, "Extraction");
        TurnOptions.Read(reader);
        AnchoringOptions.Read(reader);
        var enrolment = EnrolmentOptions.Read(reader);
        var certificates = CertificatesOptions.Read(reader);
        var operations = OperationsOptions.Read(reader);
        var writeBack = WriteBackOptions.Read(reader);
        var announcing = Read(reader, AnnouncingOptions.Read, "Announcing");
        reader.FindUnknown();
        using var patientCa = enrolment.PatientCa;
        using var statusKey = certificates.StatusKey;
        foreach (var fault in reader.Faults)
            report.Fault("configuration", fault.Key, fault.Value is null ? "(not set)" : $"'{fault.Value}'", fault.Cure);
        if (reader.Faults.Count == 0)
            report.Good("configuration", "all keys", "hold together");
        foreach (var role in (string[])[Roles.Operator, Roles.Desk])
            if (!access.People.Any(person => person.Roles.Contains(role)) && signIn.RoleValues[role].Count == 0)
                report.Warn("configuration", "Access:People", $"nobody has the role {role}", $"Name somebody in Access:People with the role {role}, or a group in SignIn:Roles:{role}");
        task.End("read");

        var now = clock.GetUtcNow();
        KeyFiles.Judge(report, reader, "bridge", bridge, "Ledger:Key", now, certificates.WarnBefore);
        KeyFiles.Judge(report, reader, "patient CA", patientCa, "Enrolment:PatientCaKey", now, certificates.WarnBefore);
        KeyFiles.Judge(report, reader, "status key", statusKey, "Certificates:StatusKey", now, certificates.WarnBefore);
        if (watching?.SmartKeyFile is { } smartKey)
            KeyFiles.Judge(report, "keys", "SMART key", smartKey);
        Tables(report, extraction);

        task = tasks.Begin("database", 0);
        var (enrolled, somePatient) = store is null ? NotTried<(int, string?)>(report, "database", "server") : await new DatabaseCheck(store, report, clock).RunAsync();
        task.End("tried");

        task = tasks.Begin("FHIR server", 0);
        if (watching is null)
            report.NotTried("fhir", "server", "see the configuration (Fhir)");
        else
            await report.TryAsync("fhir", "server", "See the configuration (Fhir)", async () =>
            {
                using var fhir = new FhirCheck(watching, report, clock);
                await fhir.RunAsync(patients ?? enrolled, somePatient, operations.Reconcile);
                WrittenType[] written = [.. writeBack.Provenance ? [WrittenType.Provenance] : (WrittenType[])[], .. announcing?.Task == true ? [WrittenType.Task] : (WrittenType[])[]];
                if (written.Length > 0)
                    await FhirWriteCheck.RunAsync(watching, writeBack, written, report, clock);
            });
        if (announcing?.Mail is { } mail)
            await MailCheck.RunAsync(mail, report);
        task.End("tried");

        task = tasks.Begin("ledger", 0);
        var tried = new LedgerCheck(ledger, hospital.Msp, report, clock);
        await tried.EndpointsAsync();
        if (bridge is null || ledger.Gateways.Count == 0 || reader.Faults.Any(fault => fault.Key is "Ledger:TlsRoots" or "Ledger:Profile" or "Hospital:Msp"))
            report.NotTried("ledger", "contract", "see the configuration (Ledger)");
        else
            await report.TryAsync("ledger", "contract", "See the configuration (Ledger)", () => tried.ContractAsync(
                bridge, reader.Faults.Any(fault => fault.Key.StartsWith("Enrolment:PeopleCas", StringComparison.Ordinal) || fault.Key.StartsWith("Enrolment:BridgeCas", StringComparison.Ordinal)) ? null : enrolment.CaDigests,
                patientCa?.Certificate, statusKey?.Certificate));
        task.End("tried");
        return 0;
    }

    // A part of the configuration that can be worked with, or null.
    private static T? Read<T>(ConfigurationReader reader, Func<ConfigurationReader, T> read, params string[] needed)
        where T : class
    {
        var value = read(reader);
        return reader.Faults.Any(fault => needed.Any(key => fault.Key.StartsWith(key, StringComparison.OrdinalIgnoreCase))) ? null : value;
    }

    private static T NotTried<T>(CheckReport report, string area, string name)
    {
        report.NotTried(area, name, "see the configuration");
        return default!;
    }

    private static void Tables(CheckReport report, ExtractionSettings? extraction)
    {
        if (extraction is null)
        {
            report.NotTried("terminology", "tables", "see the configuration (Extraction:Terminology)");
            return;
        }
        var terms = extraction.Terminology;
        Count("ICD-10 hierarchy", terms.Hierarchy.Count, "nodes", "icd10-hierarchy.tsv holds none: the rarity filter could generalise nothing");
        Count("SNOMED CT map", terms.Map.Count, "codes", "snomed-to-icd10cm.tsv holds none: SNOMED CT codes would find no cell and nothing would leave");
        Count("people counts", terms.Counts.Count, "cells", "people-counts.tsv holds none: everything would be withheld as too rare");
        report.Good("terminology", "rarity", $"a condition leaves where at least {extraction.MinimumPeople} people share its cell");

        void Count(string name, int count, string what, string none)
        {
            if (count == 0)
                report.Fault("terminology", name, $"0 {what}", none);
            else
                report.Good("terminology", name, $"{count} {what}");
        }
    }

    private static string Text(CheckReport report)
    {
        var lines = new List<string>();
        foreach (var area in report.Lines.GroupBy(line => line.Area, StringComparer.Ordinal))
        {
            lines.Add(area.Key);
            foreach (var line in area)
            {
                lines.Add($"  {Mark(line.State)}  {line.Name}: {line.Says}");
                if (line.Cure is not null)
                    lines.Add($"           -> {line.Cure}");
            }
        }
        var (faults, warnings) = (report.Lines.Count(line => line.State == CheckState.Fault), report.Lines.Count(line => line.State == CheckState.Warning));
        var open = report.Lines.Count(line => line.State == CheckState.NotTried);
        lines.Add(report.HasFaults
            ? $"Not ready: {faults} faults, {warnings} warnings{(open > 0 ? $", {open} not tried" : "")}."
            : $"Ready to go live: no fault, {warnings} warnings.");
        return string.Join(Environment.NewLine, lines);
    }

    private static string Mark(CheckState state) => state switch
    {
        CheckState.Good => "good   ",
        CheckState.Warning => "warning",
        CheckState.Fault => "FAULT  ",
        _ => "not yet",
    };
}
