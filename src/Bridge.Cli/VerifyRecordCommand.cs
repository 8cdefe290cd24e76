using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary><c>bridge verify-record</c>: a reader who trusts only the CA digests of its own hospital.</summary>
internal static class VerifyRecordCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = new Argument<FileInfo>("record") { Description = "The record file, as a patient downloads it." };
        var hospital = BridgeCommand.RequiredText("--hospital", "MSP id of your own hospital.");
        var digests = BridgeCommand.RequiredFile("--ca-digests", "File with your hospital's CA digests, {\"bridge\":[…],\"people\":[…]}, as printed with the enrolment code or by `bridge ca digests`.");
        var patient = new Option<string?>("--patient") { Description = "Pseudonym of the patient whose record it must be." };
        var at = new Option<DateTimeOffset?>("--at")
        {
            Description = "Judge as of this time (ISO 8601), instead of now.",
            CustomParser = result =>
            {
                if (DateTimeOffset.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
                    return time;
                result.AddError($"--at is '{result.Tokens[0].Value}': a time such as 2026-11-20T08:00:00Z is expected.");
                return null;
            },
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of words." };
        var command = new Command("verify-record", $"Judge a record away from the ledger. {ExitCode.Help}") { file, hospital, digests, patient, at, json };
        command.SetAction(result =>
        {
            var input = result.GetRequiredValue(file);
            var record = RecordFile.Parse(TextFiles.ReadBytes(input), out var fault)
                ?? throw new CliFault(ExitCode.Input, $"{input.FullName} is no record file: '{fault}' is missing or wrong.");
            var trusted = CaDigests.Parse(TextFiles.ReadBytes(result.GetRequiredValue(digests)))
                ?? throw new CliFault(ExitCode.Input, $"{result.GetRequiredValue(digests).FullName} holds no CA digests: {{\"bridge\":[…],\"people\":[…]}} is expected, each ascending.");
            Pseudonym? owner = null;
            if (result.GetValue(patient) is { } text)
                owner = Pseudonym.TryParse(text, out var pseudonym) ? pseudonym : throw new CliFault(ExitCode.Usage, "--patient is no pseudonym: p and 26 lower-case characters are expected.");
            var verdict = RecordVerifier.Verify(record, new TrustAnchor(result.GetRequiredValue(hospital), trusted), owner, result.GetValue(at) ?? terminal.Now);
            if (result.GetValue(json))
                terminal.Line(Json(verdict).ToJsonString());
            else
                Print(terminal, verdict);
            return ExitCode.Of(verdict.Outcome);
        });
        return command;
    }

    private static void Print(Terminal terminal, RecordVerdict verdict)
    {
        terminal.Line($"{Words(verdict.Outcome)}");
        if (verdict.Outcome == RecordOutcome.Forged)
            terminal.Line($"  {verdict.Signature.Code()}{(verdict.Where is null ? "" : $" at {verdict.Where}")}");
        if (verdict.HospitalName is { } hospital)
            terminal.Line($"  hospital     {hospital}");
        if (verdict.DoctorName is { } doctor)
            terminal.Line($"  doctor       {doctor}{(verdict.Licence is { } licence ? $", licence {licence} ({verdict.Registry})" : "")}");
        if (verdict.DoctorFrom is { } from)
            terminal.Line($"  certificate  {Time(from)} to {Time(verdict.DoctorTo)}");
        if (verdict.VouchedBy is { } voucher)
            terminal.Line($"  vouched by   {voucher}{(verdict.VouchedByRegistrarOfToday ? "" : " (a former registrar)")}");
        if (verdict.ConfirmedBy is { } confirmer)
            terminal.Line($"  confirmed by {confirmer}");
        if (verdict.StatusFrom is { } status)
            terminal.Line($"  status list  {Time(status)} to {Time(verdict.StatusTo)}");
        if (verdict.Summary is { } summary)
            foreach (var line in SummaryText.Lines(summary))
                terminal.Line(line);
    }

    private static JsonObject Json(RecordVerdict verdict) => new()
    {
        ["outcome"] = verdict.Outcome.ToString(),
        ["signature"] = verdict.Signature.Code(),
        ["where"] = verdict.Where,
        ["hospital"] = verdict.HospitalName,
        ["doctor"] = verdict.DoctorName,
        ["licence"] = verdict.Licence,
        ["registry"] = verdict.Registry,
        ["vouchedBy"] = verdict.VouchedBy,
        ["confirmedBy"] = verdict.ConfirmedBy,
        ["statusFrom"] = Time(verdict.StatusFrom),
        ["statusTo"] = Time(verdict.StatusTo),
        ["id"] = verdict.Summary?.Id.ToString(),
    };

    private static string? Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Words(RecordOutcome outcome) => outcome switch
    {
        RecordOutcome.Valid => "VALID",
        RecordOutcome.FreshnessUnknown => "FRESHNESS UNKNOWN: signed rightly, but no fresh status list says that the doctor still stood. Get a newer one.",
        RecordOutcome.DoctorRevoked => "DOCTOR REVOKED: the doctor who signed was revoked.",
        RecordOutcome.NotThisPatient => "NOT THIS PATIENT: the record is about another.",
        RecordOutcome.WrongHospital => "WRONG HOSPITAL: the summary names another hospital than the record beside it.",
        RecordOutcome.UntrustedCa => "UNTRUSTED CA: your hospital's CA certificates are not the ones you trust. Compare the digests with the hospital.",
        RecordOutcome.UntrustedHospital => "UNTRUSTED HOSPITAL: its registrar or status key was not issued by its CA.",
        RecordOutcome.HospitalNotApproved => "HOSPITAL NOT APPROVED: your hospital has not approved this record of the other.",
        RecordOutcome.BridgeNotOfHospital => "BRIDGE NOT OF THE HOSPITAL: another machine signed.",
        RecordOutcome.DoctorNotOfHospital => "DOCTOR NOT OF THE HOSPITAL: its CA did not issue her certificate.",
        RecordOutcome.DoctorNotVouched => "DOCTOR NOT VOUCHED FOR: no registrar of the hospital stands behind her.",
        RecordOutcome.DoctorNotConfirmed => "DOCTOR NOT CONFIRMED: nobody outside the hospital confirmed her.",
        _ => "FORGED: the signatures do not hold.",
    };
}
