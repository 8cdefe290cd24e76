using System.CommandLine;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary><c>bridge hospital</c>: put together what the consortium registers. Nothing is signed here.</summary>
internal static class HospitalCommands
{
    public static Command Create(Terminal terminal) => new("hospital", "Write a hospital's record, or the consortium's founding document.") { Record(terminal), Founding(terminal) };

    private static Command Record(Terminal terminal)
    {
        var msp = BridgeCommand.RequiredText("--msp", "MSP id.");
        var name = BridgeCommand.RequiredText("--name", "Name as people read it.");
        var seq = new Option<long>("--seq") { Description = "Number of the record.", DefaultValueFactory = _ => 1 };
        var people = Files("--people-ca", "CA certificates of people.");
        var bridgeCas = Files("--bridge-ca", "CA certificates of the Fabric organisation.");
        var registrar = BridgeCommand.RequiredFile("--registrar", "The registrar's certificate.");
        var statusKey = BridgeCommand.RequiredFile("--status-key", "The status key's certificate.");
        var patientCa = BridgeCommand.RequiredFile("--patient-ca", "The patient CA's certificate.");
        var bridges = Files("--bridge", "The bridges' certificates.");
        var origins = new Option<string[]>("--origin") { Description = "Origins of the signing page, e.g. https://bridge.hospital.example.", AllowMultipleArgumentsPerToken = true };
        var rpId = new Option<string?>("--rp-id") { Description = "WebAuthn relying party; left out, doctors sign with plain keys only." };
        var output = BridgeCommand.RequiredFile("--out", "New file.");
        var command = new Command("record", "Write a hospital record.") { msp, name, seq, people, bridgeCas, registrar, statusKey, patientCa, bridges, origins, rpId, output };
        command.SetAction(result =>
        {
            var record = new HospitalRecord
            {
                Msp = result.GetRequiredValue(msp),
                Name = result.GetRequiredValue(name),
                Seq = result.GetValue(seq),
                Cas =
                [
                    .. result.GetRequiredValue(people).Select(f => new HospitalCa(CaUse.People, KeyFiles.ReadCertificate(f))),
                    .. result.GetRequiredValue(bridgeCas).Select(f => new HospitalCa(CaUse.Bridge, KeyFiles.ReadCertificate(f))),
                ],
                Registrar = KeyFiles.ReadCertificate(result.GetRequiredValue(registrar)),
                StatusKey = KeyFiles.ReadCertificate(result.GetRequiredValue(statusKey)),
                PatientCa = KeyFiles.ReadCertificate(result.GetRequiredValue(patientCa)),
                Bridges = [.. result.GetRequiredValue(bridges).Select(f => Digest.Of(KeyFiles.ReadCertificate(f)))],
                Origins = result.GetValue(origins) ?? [],
                RpId = result.GetValue(rpId),
            };
            if (HospitalRecord.Parse(record.ToCanonicalJson(), out var fault) is null)
                throw new CliFault(ExitCode.Refused, $"The record would break the schema at '{fault}': correct that option.");
            var faults = CertificateCheck.FaultsIn(record, terminal.Now);
            if (faults.Count > 0)
                throw new CliFault(ExitCode.Refused, $"The consortium would refuse these certificates: {string.Join(", ", faults.Select(f => $"{f.Member}: {f.Fault}"))}.");
            TextFiles.WriteNew(result.GetRequiredValue(output), record.ToCanonicalJson());
            terminal.Line($"record   {result.GetRequiredValue(output).FullName}");
            terminal.Line($"SHA-256  {record.RecordDigest}");
            terminal.Line($"CAs      {record.CaDigests.ToCanonicalText()}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Founding(Terminal terminal)
    {
        var portal = BridgeCommand.RequiredText("--portal", "MSP id of the portal.");
        var name = BridgeCommand.RequiredText("--attestor-name", "Name of the body that confirms doctors beside hospitals.");
        var attestor = BridgeCommand.RequiredFile("--attestor", "Its certificate.");
        var hospitals = Files("--hospital", "Records of the founding hospitals (seq 1).");
        var output = BridgeCommand.RequiredFile("--out", "New file.");
        var command = new Command("consortium", "Write consortium.json: every organisation keeps the same copy, and checks it.") { portal, name, attestor, hospitals, output };
        command.SetAction(result =>
        {
            var consortium = new Consortium(
                result.GetRequiredValue(portal),
                new Attestor(result.GetRequiredValue(name), KeyFiles.ReadCertificate(result.GetRequiredValue(attestor))),
                [.. result.GetRequiredValue(hospitals).Select(RegistrarCommands.ReadRecord)]);
            var bytes = consortium.ToCanonicalJson();
            if (Consortium.Parse(bytes, out var fault) is null)
                throw new CliFault(ExitCode.Refused, $"The document would break the schema at '{fault}': correct that option.");
            var faults = CertificateCheck.FaultsIn(consortium, terminal.Now);
            if (faults.Count > 0)
                throw new CliFault(ExitCode.Refused, $"The contract would refuse these certificates: {string.Join(", ", faults.Select(f => $"{f.Member}: {f.Fault}"))}.");
            TextFiles.WriteNew(result.GetRequiredValue(output), bytes);
            terminal.Line($"consortium  {result.GetRequiredValue(output).FullName}");
            terminal.Line($"SHA-256     {Digest.Of(bytes)}");
            return ExitCode.Done;
        });
        return command;
    }

    private static Option<FileInfo[]> Files(string name, string description) => new(name) { Description = description, Required = true, AllowMultipleArgumentsPerToken = true };
}
