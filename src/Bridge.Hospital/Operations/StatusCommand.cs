using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Shell;
using Bridge.Hospital.Store;

namespace Bridge.Hospital.Operations;

/// <summary>
/// <c>status</c>: what stands where, what waits how long, what ends soon. Reads the database only, so it answers whether the server runs or not.
/// </summary>
internal static class StatusCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };
    private static readonly (string What, string Key)[] OwnCertificates =
    [
        ("bridge", "Ledger:Certificate"), ("patient CA", "Enrolment:PatientCaCertificate"), ("status key", "Certificates:StatusCertificate"), ("web server", "Server:Certificate"),
    ];

    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var arguments = ShellArguments.Parse(args, ["--json"], []);
        var (configuration, baseDirectory) = ShellSetup.Configuration(arguments);
        var reader = new ConfigurationReader(configuration, baseDirectory);
        var store = StoreOptions.Read(reader);
        var hospital = HospitalOptions.Read(reader);
        var warn = reader.Duration("Certificates:WarnBefore", TimeSpan.FromDays(30), TimeSpan.Zero, TimeSpan.FromDays(365));
        if (reader.Faults.Count > 0)
            throw new ConfigurationException([.. reader.Faults]);
        using var database = ShellSetup.Open(store, write: false);
        var report = await database.ReadAsync(work => StatusReport.ReadAsync(work, Own(reader), hospital.Msp));
        var now = DateTimeOffset.UtcNow;
        var running = store.File is null ? (bool?)null : DatabaseFile.IsHeld(store.File);
        await output.WriteLineAsync(arguments.Json
            ? JsonSerializer.Serialize(new { at = now, running, status = report, expiring = report.Certificates.Count(certificate => certificate.NotAfter - now <= warn) }, Json)
            : Text(report, running, warn, now));
        return ExitCode.Done;
    }

    // A certificate that cannot be read is `check`'s matter.
    private static IEnumerable<CertificateEnd> Own(ConfigurationReader reader)
    {
        foreach (var (what, key) in OwnCertificates)
        {
            if (reader.Raw(key) is not { } file)
                continue;
            CertificateEnd? end = null;
            try
            {
                using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(Path.GetFullPath(file, reader.BaseDirectory)));
                end = new CertificateEnd(what, new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
            {
            }
            if (end is not null)
                yield return end;
        }
    }

    private static string Text(StatusReport report, bool? running, TimeSpan warn, DateTimeOffset now)
    {
        var lines = new List<string>();
        Line("server", running switch { true => "runs on this database", false => "does not run", _ => "the database is shared: see its instances' /health/ready" });
        Line("schema", report.Schema ?? "none");
        var note = report.Pause.Since is { } since ? $" since {Moment(since)} by {report.Pause.By}: {report.Pause.Reason}" : "";
        Line("paused", report.Pause.On ? $"YES{note}" : "no");
        Line("encounters", $"{report.Known} in a state");
        foreach (var state in report.States)
            Line("", $"{state.Count,8}  {state.Status}{(state.Reason is null ? "" : $" ({state.Reason})")}");
        Line("for doctors", Age(report.AwaitingDoctor, now));
        Line("without doctor", Age(report.WithoutDoctor, now));
        if (report.RetractionsHeld.Count > 0)
            Line("to take back", $"{Age(report.RetractionsHeld, now)}, without a doctor");
        Line("to anchor", $"{Age(report.AnchorsQueued, now)}; {report.AnchorsSent.Count} sent and unanswered, {report.AnchorsFailed} failed");
        Line("enrolments", report.Enrolments.Count == 0 ? "none" : string.Join(", ", report.Enrolments.Select(state => $"{state.Count} {state.Status}")));
        Line("to read", $"{Age(report.Sweeps, now)} (patients enrolled lately)");
        Line("watch cursor", report.CursorCommitted is { } committed ? $"{Span(now - committed)} old; it stands at {Moment(report.CursorAt!.Value)}" : "none yet");
        if (report.Subscription is { } subscription)
            Line("subscription", subscription);
        Line("ledger events", (report.EventsCommitted is { } heard ? $"last one {Span(now - heard)} ago" : "none yet") + $"; not yet dealt with: {Age(report.Notices, now)}");
        Line("status list", report.StatusListUntil is { } until ? $"good until {Moment(until)}{(until <= now ? "  EXPIRED" : "")}" : "none published");
        Line("certificates", "");
        foreach (var certificate in report.Certificates)
            Line("", $"{Moment(certificate.NotAfter)}  {certificate.What}{(certificate.NotAfter <= now ? "  EXPIRED" : certificate.NotAfter - now <= warn ? "  ends soon" : "")}");
        var last = report.Reconciliation;
        Line("reconciliation", last is null
            ? "never"
            : Moment(DateTimeOffset.FromUnixTimeMilliseconds(last.At)) + (last.Scope == ReconciliationRow.Enrolled
                ? $": {last.ServerFinished} finished on the server of enrolled patients = {last.Known} in a state"
                : $": {last.ServerFinished} finished on the server = {last.NotEnrolled} of patients not enrolled + {last.Known} in a state")
                + (last.Difference == 0 ? "" : $" + {last.Difference} UNACCOUNTED FOR")
                + (last.Scope == ReconciliationRow.Enrolled ? "; of patients not enrolled it cannot be counted: the server searches within a patient only" : ""));
        return string.Join(Environment.NewLine, lines);

        void Line(string name, string text) => lines.Add($"{name,-15} {text}".TrimEnd());
    }

    private static string Age(Waiting waiting, DateTimeOffset now) => waiting is { Count: > 0, Oldest: { } oldest }
        ? $"{waiting.Count}, the oldest {Span(now - DateTimeOffset.FromUnixTimeMilliseconds(oldest))}"
        : waiting.Count.ToString(CultureInfo.InvariantCulture);

    private static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Span(TimeSpan span) => span switch
    {
        { TotalDays: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:F1} days"),
        { TotalHours: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:F1} h"),
        { TotalMinutes: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:F1} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, span.TotalSeconds):F0} s"),
    };
}
