using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Records;

namespace Bridge.Cli;

/// <summary><c>bridge ca</c>: the hospital's people CA, on an offline machine with medical affairs.</summary>
internal static class CaCommands
{
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    public static Command Create(Terminal terminal) => new("ca", "The hospital's CA of people: root, certificates, revocation list. Keep it off the network.")
    {
        Init(terminal), Issue(terminal), Roll(terminal), Attestor(terminal), Crl(terminal), Digests(terminal),
    };

    private static (Option<FileInfo> Certificate, Option<FileInfo> Key) Issuer() => (
        new("--ca") { Description = "The CA's certificate.", DefaultValueFactory = _ => new FileInfo("people-ca.cert.pem") },
        new("--ca-key") { Description = "The CA's key.", DefaultValueFactory = _ => new FileInfo("people-ca.key.pem") });

    private static Command Init(Terminal terminal)
    {
        var name = BridgeCommand.RequiredText("--name", "Name of the CA, e.g. \"Hospital A people\".");
        var organisation = new Option<string?>("--organisation") { Description = "Name of the hospital." };
        var key = new Option<FileInfo>("--key") { Description = "New key file.", DefaultValueFactory = _ => new FileInfo("people-ca.key.pem") };
        var certificate = new Option<FileInfo>("--out") { Description = "New certificate file.", DefaultValueFactory = _ => new FileInfo("people-ca.cert.pem") };
        var days = BridgeCommand.Days(7305);
        var encrypt = new Option<bool>("--encrypt") { Description = "Encrypt the key file with a password." };
        var passwordFile = BridgeCommand.PasswordFile();
        var command = new Command("init", "Make the root: key and self-signed certificate.") { name, organisation, key, certificate, days, encrypt, passwordFile };
        command.SetAction(result => MakeRoot(terminal, result.GetRequiredValue(key), result.GetRequiredValue(certificate),
            result.GetValue(encrypt) || result.GetValue(passwordFile) is not null ? terminal.NewPassword(result.GetValue(passwordFile)) : null,
            made => CertificateProfile.CreateRoot(
                made, result.GetRequiredValue(name), result.GetValue(organisation), terminal.Now - ClockSkew, terminal.Now.AddDays(result.GetValue(days)))));
        return command;
    }

    private static Command Roll(Terminal terminal)
    {
        var (ca, caKey) = Issuer();
        var name = BridgeCommand.RequiredText("--name", "Name of the new root.");
        var organisation = new Option<string?>("--organisation") { Description = "Name of the hospital." };
        var key = BridgeCommand.RequiredFile("--key", "New key file.");
        var certificate = BridgeCommand.RequiredFile("--out", "New certificate file.");
        var days = BridgeCommand.Days(7305);
        var passwordFile = BridgeCommand.PasswordFile();
        var command = new Command("roll", "Make a new root, signed by the old one's key: readers who trust the old root follow.") { ca, caKey, name, organisation, key, certificate, days, passwordFile };
        command.SetAction(result =>
        {
            var issuer = ReadIssuer(result.GetRequiredValue(ca), result.GetRequiredValue(caKey), result.GetValue(passwordFile), terminal);
            using (issuer.Key)
                return MakeRoot(terminal, result.GetRequiredValue(key), result.GetRequiredValue(certificate), null, made => CertificateProfile.RollRoot(
                    issuer, made.ExportSubjectPublicKeyInfo(), result.GetRequiredValue(name), result.GetValue(organisation), terminal.Now - ClockSkew, terminal.Now.AddDays(result.GetValue(days))));
        });
        return command;
    }

    private static int MakeRoot(Terminal terminal, FileInfo keyFile, FileInfo certificateFile, string? password, Func<ECDsa, byte[]> make)
    {
        TextFiles.MustNotExist(keyFile, certificateFile);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var certificate = Checked(() => make(key));
        KeyFiles.Write(keyFile, key, password);
        KeyFiles.WriteCertificate(certificateFile, certificate);
        terminal.Line($"key          {keyFile.FullName}{(password is null ? "" : " (encrypted)")}");
        terminal.Line($"certificate  {certificateFile.FullName}");
        terminal.Line(KeyFiles.Describe(certificate));
        return ExitCode.Done;
    }

    private static Command Issue(Terminal terminal)
    {
        var (ca, caKey) = Issuer();
        var kind = new Option<string>("--kind") { Description = "Whose certificate: it bears the mark of that role and serves in no other.", Required = true };
        kind.AcceptOnlyFromAmong("doctor", "registrar", "status", "patient-ca");
        var request = BridgeCommand.OptionalFile("--request", "Certificate request (PEM); shows that the asker has the key.");
        var publicKey = BridgeCommand.OptionalFile("--public-key", "Public key (PEM), instead of a request; see to it that it is the right person's.");
        var name = new Option<string?>("--name") { Description = "Common name; the request's where left out. A doctor's real name, as in the register." };
        var organisation = new Option<string?>("--organisation") { Description = "Name of the hospital, to stand in the certificate." };
        var days = new Option<int?>("--days") { Description = "Days of validity; default 730, patient CA 3650; never beyond the CA's own end." };
        var output = BridgeCommand.RequiredFile("--out", "New certificate file.");
        var yes = BridgeCommand.Yes();
        var passwordFile = BridgeCommand.PasswordFile();
        var command = new Command("issue", "Issue a certificate to a doctor, registrar, status key or patient CA.") { ca, caKey, kind, request, publicKey, name, organisation, days, output, yes, passwordFile };
        command.SetAction(result =>
        {
            var outFile = result.GetRequiredValue(output);
            TextFiles.MustNotExist(outFile);
            var (requestFile, publicKeyFile) = (result.GetValue(request), result.GetValue(publicKey));
            if (requestFile is null == publicKeyFile is null)
                throw new CliFault(ExitCode.Usage, "Give either --request or --public-key: the one says whose key is certified.");
            var asked = requestFile is not null ? KeyFiles.ReadRequest(requestFile) : new PersonRequest(KeyFiles.ReadPublicKey(publicKeyFile!), null, []);
            var role = RoleOf(result.GetRequiredValue(kind));
            if (!asked.MayBe(role))
                throw new CliFault(ExitCode.Refused, $"The request asks for another role than --kind {result.GetRequiredValue(kind)}: whoever made it means {RoleMark.In(asked.Marks)?.ToString() ?? "something that this version does not know"}. Ask back.");
            var commonName = result.GetValue(name) ?? asked.Name
                ?? throw new CliFault(ExitCode.Usage, "There is no name in the request: give --name.");
            var issuer = ReadIssuer(result.GetRequiredValue(ca), result.GetRequiredValue(caKey), result.GetValue(passwordFile), terminal);
            using (issuer.Key)
                return Issue(terminal, issuer, role, asked.PublicKey, commonName, result.GetValue(organisation), result.GetValue(days), outFile, result.GetValue(yes));
        });
        return command;
    }

    private static int Issue(
        Terminal terminal, CertificateIssuer issuer, PersonRole? role, byte[] publicKey, string name, string? organisation, int? days, FileInfo output, bool yes)
    {
        var (from, to) = (terminal.Now - ClockSkew, terminal.Now.AddDays(days ?? (role is null ? 3650 : 730)));
        using (var ca = X509CertificateLoader.LoadCertificate(issuer.Certificate))
        {
            var end = new DateTimeOffset(ca.NotAfter.ToUniversalTime(), TimeSpan.Zero);
            to = to < end ? to : end;
            terminal.Line($"CA           {ca.Subject}");
        }
        terminal.Line($"kind         {role switch { null => "patient CA", PersonRole.StatusKey => "status key", var one => one.ToString()!.ToLowerInvariant() }}");
        terminal.Line($"name         {name}");
        terminal.Line($"public key   SHA-256 {Digest.Of(publicKey)}");
        terminal.Line($"valid        {from:yyyy-MM-dd} to {to:yyyy-MM-dd}");
        terminal.Confirm("Issue this certificate?", yes);
        var certificate = Checked(() => role is { } person
            ? CertificateProfile.IssuePerson(issuer, publicKey, person, name, organisation, from, to)
            : CertificateProfile.IssuePatientCa(issuer, publicKey, name, organisation, from, to));
        var fault = role is { } checkedAs
            ? CertificateCheck.CheckPerson(certificate, checkedAs, [issuer.Certificate], terminal.Now)
            : CertificateCheck.CheckPatientCa(certificate, [issuer.Certificate], terminal.Now);
        if (fault != CertificateFault.None)
            throw new CliFault(ExitCode.Refused, $"The certificate would not pass the consortium's checks ({fault}): is the CA still valid?");
        KeyFiles.WriteCertificate(output, certificate);
        terminal.Line($"certificate  {output.FullName}");
        terminal.Line(KeyFiles.Describe(certificate));
        return ExitCode.Done;
    }

    /// <summary>Null: a patient CA, which has no role's mark.</summary>
    private static PersonRole? RoleOf(string kind) => kind switch
    {
        "doctor" => PersonRole.Doctor,
        "registrar" => PersonRole.Registrar,
        "status" => PersonRole.StatusKey,
        _ => null,
    };

    private static Command Attestor(Terminal terminal)
    {
        var name = BridgeCommand.RequiredText("--name", "Name of the licensing body.");
        var key = BridgeCommand.RequiredFile("--key", "New key file.");
        var certificate = BridgeCommand.RequiredFile("--out", "New certificate file.");
        var days = BridgeCommand.Days(3653);
        var passwordFile = BridgeCommand.OptionalFile("--password-file", "File whose first line is the password to encrypt the key with.");
        var command = new Command("attestor", "Make the key and self-signed certificate of the attestor that consortium.json names.") { name, key, certificate, days, passwordFile };
        command.SetAction(result => MakeRoot(terminal, result.GetRequiredValue(key), result.GetRequiredValue(certificate),
            result.GetValue(passwordFile) is { } file ? terminal.NewPassword(file) : null,
            made => CertificateProfile.CreateAttestor(made, result.GetRequiredValue(name), terminal.Now - ClockSkew, terminal.Now.AddDays(result.GetValue(days)))));
        return command;
    }

    private static Command Crl(Terminal terminal)
    {
        var (ca, caKey) = Issuer();
        var list = BridgeCommand.RequiredFile("--crl", "The revocation list (PEM): taken up where it exists, then replaced.");
        var revoke = new Option<FileInfo[]>("--revoke") { Description = "Certificates to add.", AllowMultipleArgumentsPerToken = true };
        var days = BridgeCommand.Days(30);
        var passwordFile = BridgeCommand.PasswordFile();
        var command = new Command("crl", "Write the next revocation list. The ledger goes by its own records: revoke a doctor there too, with `bridge registrar revoke`.") { ca, caKey, list, revoke, days, passwordFile };
        command.SetAction(result =>
        {
            var issuer = ReadIssuer(result.GetRequiredValue(ca), result.GetRequiredValue(caKey), result.GetValue(passwordFile), terminal);
            using (issuer.Key)
            {
                var file = result.GetRequiredValue(list);
                var next = Checked(() => CertificateProfile.NextCrl(
                    issuer, Previous(file), (result.GetValue(revoke) ?? []).Select(KeyFiles.ReadCertificate), terminal.Now, terminal.Now.AddDays(result.GetValue(days))));
                TextFiles.Replace(file, System.Text.Encoding.ASCII.GetBytes(PemEncoding.WriteString("X509 CRL", next) + "\n"));
                CertificateRevocationListBuilder.Load(next, out var number, out _);
                terminal.Line($"list {number}  {file.FullName}, next due {terminal.Now.AddDays(result.GetValue(days)):yyyy-MM-dd}");
                return ExitCode.Done;
            }
        });
        return command;

        static byte[] Previous(FileInfo file)
        {
            if (!file.Exists)
                return [];
            var text = TextFiles.Read(file);
            return PemEncoding.TryFind(text, out var fields) && text[fields.Label] == "X509 CRL"
                ? Convert.FromBase64String(text[fields.Base64Data])
                : throw new CliFault(ExitCode.Input, $"{file.FullName} is no PEM revocation list: a new one is not put in its place.");
        }
    }

    private static Command Digests(Terminal terminal)
    {
        var people = new Option<FileInfo[]>("--people") { Description = "CA certificates of people.", Required = true, AllowMultipleArgumentsPerToken = true };
        var bridge = new Option<FileInfo[]>("--bridge") { Description = "CA certificates of the hospital's Fabric organisation.", Required = true, AllowMultipleArgumentsPerToken = true };
        var command = new Command("digests", "Print the digests of CA certificates: what readers trust (`verify-record --ca-digests`).") { people, bridge };
        command.SetAction(result =>
        {
            terminal.Line(new CaDigests(Of(result.GetRequiredValue(bridge)), Of(result.GetRequiredValue(people))).ToCanonicalText());
            return ExitCode.Done;
        });
        return command;

        static List<Digest> Of(FileInfo[] files) => [.. files.Select(f => Digest.Of(KeyFiles.ReadCertificate(f))).Distinct().Order()];
    }

    private static CertificateIssuer ReadIssuer(FileInfo certificateFile, FileInfo keyFile, FileInfo? passwordFile, Terminal terminal)
    {
        var (key, certificate) = KeyFiles.ReadPair(keyFile, certificateFile, passwordFile, terminal);
        var fault = CertificateCheck.CheckCa(certificate, terminal.Now);
        if (fault == CertificateFault.None)
            return new CertificateIssuer(certificate, key);
        key.Dispose();
        throw new CliFault(ExitCode.Refused, $"{certificateFile.FullName} is no CA certificate that can issue now ({fault}).");
    }

    private static byte[] Checked(Func<byte[]> make)
    {
        try
        {
            return make();
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new CliFault(ExitCode.Refused, e.Message);
        }
    }
}
