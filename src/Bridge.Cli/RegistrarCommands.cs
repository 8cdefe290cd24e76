using System.CommandLine;
using System.Security.Cryptography;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary>
/// <c>bridge registrar</c>: the registrar's word, signed on the registrar's own machine. Each command writes one compact JWS, which the bridge carries to the ledger
/// and cannot change.
/// </summary>
internal static class RegistrarCommands
{
    public static Command Create(Terminal terminal) => new("registrar", "Statements of a registrar or attestor: vouch for doctors, confirm, approve hospitals, revoke.")
    {
        Statement(terminal), Confirm(terminal), Approve(terminal), Revoke(terminal),
    };

    private static (Option<FileInfo> Key, Option<FileInfo> Certificate, Option<FileInfo?> Password, Option<FileInfo> Out, Option<bool> Yes) Signer() => (
        BridgeCommand.RequiredFile("--key", "Your key."),
        BridgeCommand.RequiredFile("--signer", "Your certificate."),
        BridgeCommand.PasswordFile(),
        BridgeCommand.RequiredFile("--out", "New file for the signed statement (compact JWS)."),
        BridgeCommand.Yes());

    private static Command Statement(Terminal terminal)
    {
        var (key, signer, password, output, yes) = Signer();
        var hospital = BridgeCommand.RequiredText("--hospital", "MSP id of your hospital.");
        var certificate = BridgeCommand.RequiredFile("--certificate", "The doctor's certificate.");
        var licence = BridgeCommand.RequiredText("--licence", "Licence number, as in the register.");
        var registry = BridgeCommand.RequiredText("--registry", "Which register you checked, e.g. \"State Medical Register, 2026-11-20\".");
        var command = new Command("statement", "Vouch that a certificate belongs to a licensed doctor of your hospital.") { key, signer, password, output, yes, hospital, certificate, licence, registry };
        command.SetAction(result =>
        {
            var outFile = result.GetRequiredValue(output);
            TextFiles.MustNotExist(outFile);
            var doctor = KeyFiles.ReadCertificate(result.GetRequiredValue(certificate));
            var name = CertificateCheck.NameIn(doctor)
                ?? throw new CliFault(ExitCode.Refused, $"{result.GetRequiredValue(certificate).FullName} has no common name: a doctor's certificate carries the real name.");
            if (CertificateCheck.RoleIn(doctor) != PersonRole.Doctor)
                throw new CliFault(ExitCode.Refused, $"{result.GetRequiredValue(certificate).FullName} does not bear the mark of a doctor: have it issued with `bridge ca issue --kind doctor`.");
            var statement = new DoctorStatement(
                result.GetRequiredValue(hospital), Handle.New(), Digest.Of(doctor), name, result.GetRequiredValue(licence), result.GetRequiredValue(registry));
            terminal.Line($"doctor       {name}");
            terminal.Line($"licence      {statement.Licence}");
            terminal.Line($"register     {statement.Registry}");
            terminal.Line($"hospital     {statement.Hospital}");
            terminal.Line($"certificate  {KeyFiles.Describe(doctor)}");
            return Sign(terminal, statement, result.GetRequiredValue(key), result.GetRequiredValue(signer), result.GetValue(password), outFile,
                "Do you vouch for this doctor?", result.GetValue(yes), asRegistrar: true);
        });
        return command;
    }

    private static Command Confirm(Terminal terminal)
    {
        var (key, signer, password, output, yes) = Signer();
        var statement = BridgeCommand.RequiredFile("--statement", "The other hospital's statement.");
        var certificate = BridgeCommand.RequiredFile("--certificate", "The doctor's certificate.");
        var record = BridgeCommand.RequiredFile("--record", "The other hospital's record, as the ledger gives it.");
        var command = new Command("confirm", "Confirm another hospital's doctor, after looking for yourself.") { key, signer, password, output, yes, statement, certificate, record };
        command.SetAction(result =>
        {
            var outFile = result.GetRequiredValue(output);
            TextFiles.MustNotExist(outFile);
            var hospital = ReadRecord(result.GetRequiredValue(record));
            var doctor = KeyFiles.ReadCertificate(result.GetRequiredValue(certificate));
            var text = TextFiles.Read(result.GetRequiredValue(statement)).Trim();
            var verified = CompactJws.Verify<DoctorStatement>(text);
            if (verified.Value is not { } signed)
                throw new CliFault(ExitCode.Refused, $"{result.GetRequiredValue(statement).FullName} is no doctor statement that verifies: {verified.Outcome.Code()}.");
            if (signed.Statement.Hospital != hospital.Msp || signed.Thumbprint != hospital.RegistrarThumbprint)
                throw new CliFault(ExitCode.Refused, $"The statement is not signed by the registrar of {hospital.Msp}: ask that hospital for another, or for its record in force.");
            if (signed.Statement.Thumbprint != Digest.Of(doctor))
                throw new CliFault(ExitCode.Refused, $"The statement is about another certificate than {result.GetRequiredValue(certificate).FullName}.");
            var fault = CertificateCheck.CheckPerson(doctor, PersonRole.Doctor, hospital.CasFor(CaUse.People), terminal.Now);
            if (fault != CertificateFault.None)
                throw new CliFault(ExitCode.Refused, $"The doctor's certificate does not pass ({fault}): {hospital.Msp} must issue another.");
            terminal.Line($"doctor       {signed.Statement.Name}");
            terminal.Line($"licence      {signed.Statement.Licence}");
            terminal.Line($"register     {signed.Statement.Registry}");
            terminal.Line($"hospital     {hospital.Name} ({hospital.Msp})");
            terminal.Line($"vouched by   {KeyFiles.Describe(signed.Certificate.ToArray())}");
            terminal.Line($"certificate  {KeyFiles.Describe(doctor)}");
            return Sign(terminal, DoctorConfirmation.Of(signed.Statement, text), result.GetRequiredValue(key), result.GetRequiredValue(signer), result.GetValue(password), outFile,
                "Have you looked this licence up yourself, and do you confirm?", result.GetValue(yes));
        });
        return command;
    }

    private static Command Approve(Terminal terminal)
    {
        var (key, signer, password, output, yes) = Signer();
        var by = BridgeCommand.RequiredText("--by", "MSP id of your hospital.");
        var record = BridgeCommand.RequiredFile("--record", "The hospital record to approve: another's, or your own in force.");
        var command = new Command("approve", "Approve a hospital's record in your hospital's name.") { key, signer, password, output, yes, by, record };
        command.SetAction(result =>
        {
            var outFile = result.GetRequiredValue(output);
            TextFiles.MustNotExist(outFile);
            var hospital = ReadRecord(result.GetRequiredValue(record));
            var faults = CertificateCheck.FaultsIn(hospital, terminal.Now);
            if (faults.Count > 0)
                throw new CliFault(ExitCode.Refused, $"The record does not pass: {string.Join(", ", faults.Select(f => $"{f.Member}: {f.Fault}"))}. Ask {hospital.Msp} for a right one.");
            terminal.Line($"hospital     {hospital.Name} ({hospital.Msp}), record {hospital.Seq}");
            foreach (var ca in hospital.Cas)
                terminal.Line($"CA           {(ca.Use == CaUse.People ? "people" : "bridge")}: {KeyFiles.Describe(ca.Certificate)}");
            terminal.Line($"registrar    {KeyFiles.Describe(hospital.Registrar)}");
            terminal.Line($"status key   {KeyFiles.Describe(hospital.StatusKey)}");
            terminal.Line($"patient CA   {KeyFiles.Describe(hospital.PatientCa)}");
            terminal.Line($"bridges      {string.Join(", ", hospital.Bridges)}");
            terminal.Line($"origins      {string.Join(", ", hospital.Origins)}");
            terminal.Line($"record       SHA-256 {hospital.RecordDigest}");
            return Sign(terminal, hospital.ApprovalBy(result.GetRequiredValue(by)), result.GetRequiredValue(key), result.GetRequiredValue(signer), result.GetValue(password), outFile,
                "Have you compared the CA digests with that hospital by another way, and do you approve?", result.GetValue(yes), asRegistrar: true);
        });
        return command;
    }

    private static Command Revoke(Terminal terminal)
    {
        var (key, signer, password, output, yes) = Signer();
        var statement = BridgeCommand.RequiredFile("--statement", "The statement by which the doctor was entered.");
        var reason = BridgeCommand.RequiredText("--reason", "Why, 1 to 64 characters, e.g. left, key-lost.");
        var command = new Command("revoke", "End a doctor's standing for good. The hospital's registrar, the attestor and the doctor herself may.") { key, signer, password, output, yes, statement, reason };
        command.SetAction(result =>
        {
            var outFile = result.GetRequiredValue(output);
            TextFiles.MustNotExist(outFile);
            var verified = CompactJws.Verify<DoctorStatement>(TextFiles.Read(result.GetRequiredValue(statement)).Trim());
            if (verified.Value?.Statement is not { } doctor)
                throw new CliFault(ExitCode.Refused, $"{result.GetRequiredValue(statement).FullName} is no doctor statement that verifies: {verified.Outcome.Code()}.");
            terminal.Line($"doctor       {doctor.Name}");
            terminal.Line($"licence      {doctor.Licence}");
            terminal.Line($"hospital     {doctor.Hospital}");
            return Sign(terminal, new DoctorRevocation(doctor.Hospital, doctor.Handle, doctor.Thumbprint, result.GetRequiredValue(reason)),
                result.GetRequiredValue(key), result.GetRequiredValue(signer), result.GetValue(password), outFile,
                "Revoke this doctor's certificate for good?", result.GetValue(yes));
        });
        return command;
    }

    internal static HospitalRecord ReadRecord(FileInfo file) =>
        HospitalRecord.Parse(TextFiles.ReadBytes(file), out var fault)
            ?? throw new CliFault(ExitCode.Input, $"{file.FullName} is no hospital record: '{fault}' is missing or wrong (see `bridge hospital record`).");

    private static int Sign<T>(Terminal terminal, T statement, FileInfo keyFile, FileInfo signerFile, FileInfo? passwordFile, FileInfo output, string question, bool yes, bool asRegistrar = false)
        where T : class, IStatement<T>
    {
        var (key, certificate) = KeyFiles.ReadPair(keyFile, signerFile, passwordFile, terminal);
        using (key)
        {
            if (asRegistrar && CertificateCheck.RoleIn(certificate) != PersonRole.Registrar)
                throw new CliFault(ExitCode.Refused, $"{signerFile.FullName} does not bear the mark of a registrar, so nobody would accept this: have it issued with `bridge ca issue --kind registrar`.");
            terminal.Line($"signed by    {KeyFiles.Describe(certificate)}");
            terminal.Confirm(question, yes);
            try
            {
                TextFiles.WriteNew(output, CompactJws.Sign(statement, key, certificate) + "\n");
            }
            catch (Exception e) when (e is ArgumentException or CryptographicException)
            {
                throw new CliFault(ExitCode.Refused, e.Message);
            }
            terminal.Line($"statement    {output.FullName}");
            return ExitCode.Done;
        }
    }
}
