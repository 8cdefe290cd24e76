using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Bridge.Cli;
using Bridge.Records;
using Bridge.Tests.Records;
using Xunit;

namespace Bridge.Tests.Cli;

/// <summary>Two hospitals set up by the commands alone, up to a record that a patient verifies.</summary>
public sealed class RecordCommandTests : IAsyncLifetime
{
    private readonly CliDesk _desk = new();
    private readonly Pseudonym _patient;

    public RecordCommandTests()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _patient = Pseudonym.FromPublicKey(key.ExportSubjectPublicKeyInfo());
    }

    public async ValueTask InitializeAsync()
    {
        await HospitalAsync("a", "HospitalAMSP", "Hospital A");
        await HospitalAsync("b", "HospitalBMSP", "Hospital B");
        await IssueAsync("a", "doctor", "Dr Ada Marten", "a.doctor");
        await _desk.DoneAsync("registrar", "statement", "--key", "@a.registrar.key.pem", "--signer", "@a.registrar.cert.pem", "--hospital", "HospitalAMSP",
            "--certificate", "@a.doctor.cert.pem", "--licence", "A-12345", "--registry", "State Medical Register", "--out", "@statement.jws", "--yes");
    }

    [Fact]
    public async Task VerifyRecord_MadeByTheCommandsAlone_IsValidUntilTheListEnds()
    {
        await RecordAsync();
        Assert.Equal(0, await VerifyAsync("a", "HospitalAMSP"));
        Assert.StartsWith("VALID", _desk.Out, StringComparison.Ordinal);
        Assert.Contains("Dr Ada Marten, licence A-12345", _desk.Out);
        Assert.Equal(0, await VerifyAsync("b", "HospitalBMSP"));
        Assert.Equal(0, await VerifyAsync("a", "HospitalAMSP", "--patient", _patient.ToString(), "--json"));
        using (var json = JsonDocument.Parse(_desk.Out))
            Assert.Equal("Valid", json.RootElement.GetProperty("outcome").GetString());
        Assert.Equal(20, await VerifyAsync("a", "HospitalAMSP", "--at", "2026-11-22T08:00:00Z"));
        _desk.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Equal(20, await VerifyAsync("a", "HospitalAMSP"));
        Assert.StartsWith("FRESHNESS UNKNOWN", _desk.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task VerifyRecord_OtherPatientCaOrContent_EndsWithItsOwnCode()
    {
        await RecordAsync();
        Assert.Equal(22, await VerifyAsync("a", "HospitalAMSP", "--patient", "p00000000000000000000000000"));
        Assert.Equal(23, await VerifyAsync("b", "HospitalAMSP"));
        Assert.Equal(2, await VerifyAsync("a", "HospitalAMSP", "--patient", "Jane"));
        Assert.Equal(2, await VerifyAsync("a", "HospitalAMSP", "--at", "yesterday"));
        var text = await File.ReadAllTextAsync(_desk.At("record.json"), TestContext.Current.CancellationToken);
        var at = text.IndexOf("\"payload\":\"", StringComparison.Ordinal) + 200;
        await File.WriteAllTextAsync(_desk.At("record.json"), text[..at] + (text[at] == 'A' ? 'B' : 'A') + text[(at + 1)..], TestContext.Current.CancellationToken);
        Assert.Equal(25, await VerifyAsync("a", "HospitalAMSP"));
        Assert.StartsWith("FORGED", _desk.Out, StringComparison.Ordinal);
        await File.WriteAllTextAsync(_desk.At("record.json"), "{}", TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Input, await VerifyAsync("a", "HospitalAMSP"));
    }

    [Fact]
    public async Task VerifyRecord_DoctorRevokedOrUnconfirmed_EndsWithItsOwnCode()
    {
        await _desk.DoneAsync("registrar", "revoke", "--key", "@a.registrar.key.pem", "--signer", "@a.registrar.cert.pem", "--statement", "@statement.jws", "--reason", "left", "--out", "@revocation.jws", "--yes");
        await RecordAsync(file => file with { Revocation = Read("revocation.jws") });
        Assert.Equal(21, await VerifyAsync("a", "HospitalAMSP"));
        File.Delete(_desk.At("record.json"));
        await RecordAsync(file => file with { Confirmation = null }, again: true);
        Assert.Equal(24, await VerifyAsync("a", "HospitalAMSP"));
    }

    [Fact]
    public async Task Confirm_StatementNotOfTheRegistrarOrOtherDoctor_IsRefused()
    {
        string[] confirm = ["registrar", "confirm", "--key", "@b.registrar.key.pem", "--signer", "@b.registrar.cert.pem", "--out", "@c.jws", "--yes"];
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. confirm, "--statement", "@statement.jws", "--certificate", "@a.doctor.cert.pem", "--record", "@b.record.json"]));
        Assert.Contains("not signed by the registrar", _desk.Error);
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. confirm, "--statement", "@statement.jws", "--certificate", "@a.registrar.cert.pem", "--record", "@a.record.json"]));
        Assert.Contains("about another certificate", _desk.Error);
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. confirm, "--statement", "@a.record.json", "--certificate", "@a.doctor.cert.pem", "--record", "@a.record.json"]));
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("", [.. confirm, "--statement", "@statement.jws", "--certificate", "@a.doctor.cert.pem", "--record", "@statement.jws"]));
        Assert.False(File.Exists(_desk.At("c.jws")));
        Assert.Equal(ExitCode.NotConfirmed, await _desk.RunAsync("no\n", [.. confirm[..^1], "--statement", "@statement.jws", "--certificate", "@a.doctor.cert.pem", "--record", "@a.record.json"]));
        Assert.Contains("A-12345", _desk.Out);
    }

    [Fact]
    public async Task Statement_TooLongOrWrongHospital_IsRefused()
    {
        string[] statement = ["registrar", "statement", "--key", "@a.registrar.key.pem", "--signer", "@a.registrar.cert.pem", "--certificate", "@a.doctor.cert.pem", "--registry", "R", "--out", "@s.jws", "--yes"];
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. statement, "--hospital", "Hospital A", "--licence", "1"]));
        Assert.Contains("'hospital'", _desk.Error);
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. statement, "--hospital", "HospitalAMSP", "--licence", new string('1', 65)]));
        Assert.Contains("'licence'", _desk.Error);
        Assert.False(File.Exists(_desk.At("s.jws")));
    }

    [Fact]
    public async Task Approve_OwnAndOtherRecord_IsWhatReadersWalk()
    {
        await _desk.DoneAsync("registrar", "approve", "--by", "HospitalBMSP", "--key", "@b.registrar.key.pem", "--signer", "@b.registrar.cert.pem", "--record", "@a.record.json", "--out", "@approval.jws", "--yes");
        var approval = CompactJws.Verify<HospitalApproval>(Read("approval.jws"));
        Assert.Equal(("HospitalBMSP", "HospitalAMSP"), (approval.Value!.Statement.By, approval.Value.Statement.Msp));
        Assert.Contains("registrar    CN=Registrar of Hospital A", _desk.Out);
    }

    [Fact]
    public async Task Record_CertificateOfAnotherHospital_IsRefusedWithItsMember()
    {
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", Record("a", "HospitalAMSP", "Hospital A", "x.json").Select(w => w == "@a.status.cert.pem" ? "@b.status.cert.pem" : w).ToArray()));
        Assert.Contains("statusKey: WrongIssuer", _desk.Error);
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. Record("a", "HospitalAMSP", "Hospital A", "x.json"), "--rp-id", "hospital.example"]));
        Assert.Contains("'rpId'", _desk.Error);
    }

    [Fact]
    public async Task Consortium_TwoHospitals_IsReadBackAndTwiceTheSameIsRefused()
    {
        await _desk.DoneAsync("ca", "attestor", "--name", "Licensing Board", "--key", "@board.key.pem", "--out", "@board.cert.pem");
        string[] consortium = ["hospital", "consortium", "--portal", "PortalMSP", "--attestor-name", "Licensing Board", "--attestor", "@board.cert.pem", "--out", "@consortium.json", "--hospital", "@a.record.json"];
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. consortium, "@a.record.json"]));
        Assert.Contains("hospitals[1].msp", _desk.Error);
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", [.. consortium.Select(w => w == "@board.cert.pem" ? "@b.registrar.cert.pem" : w), "@b.record.json"]));
        Assert.Contains("hospitals[1].registrar: KeyInOtherRole", _desk.Error);
        await _desk.DoneAsync([.. consortium, "@b.record.json"]);
        Assert.Equal(2, Consortium.Parse(await File.ReadAllBytesAsync(_desk.At("consortium.json"), TestContext.Current.CancellationToken), out _)!.Hospitals.Count);
    }

    [Fact]
    public async Task Sign_Batch_ShowsEachAndSignsEach()
    {
        for (var i = 0; i < 3; i++)
            await File.WriteAllBytesAsync(_desk.At($"s{i}.json"), TestRecords.Summary(_patient).ToCanonicalJson(), TestContext.Current.CancellationToken);
        string[] sign = ["sign", "@s0.json", "@s1.json", "@s2.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.doctor.cert.pem"];
        Assert.Equal(ExitCode.NotConfirmed, await _desk.RunAsync("nein\n", sign));
        Assert.Empty(Directory.GetFiles(_desk.Folder, "*.signature.json"));
        Assert.Equal(ExitCode.Done, await _desk.RunAsync("yes\n", sign));
        Assert.Contains("ICD-10-CM E11.9", _desk.Out);
        Assert.Contains("[3/3]", _desk.Out);
        for (var i = 0; i < 3; i++)
        {
            var (input, signature) = await SignatureAsync($"s{i}.json");
            Assert.Equal(VerificationOutcome.Valid, input.Verify(signature));
        }
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("yes\n", sign));
        Assert.Contains("exists already", _desk.Error);
    }

    [Fact]
    public async Task Sign_OneBadFileInTheBatch_SignsNone()
    {
        await File.WriteAllBytesAsync(_desk.At("good.json"), TestRecords.Summary(_patient).ToCanonicalJson(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_desk.At("spaced.json"), Encoding.UTF8.GetString(TestRecords.Summary(_patient).ToCanonicalJson()) + "\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_desk.At("other.json"), "{\"v\":1}", TestContext.Current.CancellationToken);
        foreach (var (bad, fault) in new[] { ("spaced", "(not canonical)"), ("other", "id"), ("missing", "There is no file") })
        {
            Assert.Equal(ExitCode.Input, await _desk.RunAsync("yes\n", "sign", "@good.json", $"@{bad}.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.doctor.cert.pem"));
            Assert.Contains(fault, _desk.Error);
            Assert.False(File.Exists(_desk.At("good.json.signature.json")));
        }
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("yes\n", "sign", "@good.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.registrar.cert.pem"));
    }

    [Fact]
    public async Task Sign_Retraction_IsADoctorsSignatureOnIt()
    {
        var payload = new Retraction("HospitalAMSP", SummaryId.New(), RetractionReason.WrongPatient).ToCanonicalJson();
        await File.WriteAllBytesAsync(_desk.At("r.json"), payload, TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("yes\n", "sign", "@r.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.doctor.cert.pem"));
        Directory.CreateDirectory(_desk.At("out"));
        await _desk.DoneAsync("sign", "--retraction", "@r.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.doctor.cert.pem", "--yes", "--out-dir", "@out");
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(_desk.At("out/r.json.signature.json"), TestContext.Current.CancellationToken));
        var input = SigningInput.Create(EnvelopeKind.Retraction, SignerRole.Doctor, payload, Certificate("a.doctor"));
        Assert.Equal(input.Protected, json.RootElement.GetProperty("protected").GetString());
        Assert.Equal(VerificationOutcome.Valid, input.Verify(Base64Url.Decode(json.RootElement.GetProperty("signature").GetString()!)));
    }

    [Fact]
    public async Task Process_VerifyRecordAndFault_GiveTheirExitCodesAndStreams()
    {
        await RecordAsync();
        var (code, output, _) = await ProcessAsync("verify-record", _desk.At("record.json"), "--hospital", "HospitalAMSP", "--ca-digests", _desk.At("a.digests.json"), "--at", "2026-11-20T09:00:00Z");
        Assert.Equal(0, code);
        Assert.StartsWith("VALID", output, StringComparison.Ordinal);
        (code, output, var error) = await ProcessAsync("key", "create", "--name", "x", "--key", _desk.At("a.doctor.key.pem"), "--request", _desk.At("n.csr.pem"));
        Assert.Equal(ExitCode.Input, code);
        Assert.Equal("", output);
        Assert.StartsWith("bridge: ", error, StringComparison.Ordinal);
        (code, _, _) = await ProcessAsync("key");
        Assert.Equal(ExitCode.Usage, code);
    }

    private static async Task<(int Code, string Out, string Error)> ProcessAsync(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "bridge.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    private async Task HospitalAsync(string prefix, string msp, string name)
    {
        await _desk.DoneAsync("ca", "init", "--name", $"{name} people", "--organisation", name, "--key", $"@{prefix}.people.key.pem", "--out", $"@{prefix}.people.cert.pem");
        await _desk.DoneAsync("ca", "init", "--name", $"{name} Fabric", "--key", $"@{prefix}.fabric.key.pem", "--out", $"@{prefix}.fabric.cert.pem");
        await IssueAsync(prefix, "registrar", $"Registrar of {name}", $"{prefix}.registrar");
        await IssueAsync(prefix, "status", $"{name} status list", $"{prefix}.status");
        await IssueAsync(prefix, "patient-ca", $"{name} patients", $"{prefix}.patients");
        // a Fabric CA issues the bridge's identity
        await _desk.DoneAsync("key", "create", "--name", "bridge", "--key", $"@{prefix}.bridge.key.pem", "--request", $"@{prefix}.bridge.csr.pem");
        using var fabric = Key($"{prefix}.fabric");
        using var bridge = Key($"{prefix}.bridge");
        var certificate = CertificateProfile.IssueFabricIdentity(
            new(Certificate($"{prefix}.fabric"), fabric), bridge.ExportSubjectPublicKeyInfo(), "bridge", "client", CliDesk.Now.AddDays(-1), CliDesk.Now.AddYears(1));
        await File.WriteAllTextAsync(_desk.At($"{prefix}.bridge.cert.pem"), PemEncoding.WriteString("CERTIFICATE", certificate));
        await _desk.DoneAsync(Record(prefix, msp, name, $"{prefix}.record.json"));
        await _desk.DoneAsync("ca", "digests", "--people", $"@{prefix}.people.cert.pem", "--bridge", $"@{prefix}.fabric.cert.pem");
        await File.WriteAllTextAsync(_desk.At($"{prefix}.digests.json"), _desk.Out);
    }

    private static string[] Record(string prefix, string msp, string name, string output) =>
    [
        "hospital", "record", "--msp", msp, "--name", name, "--people-ca", $"@{prefix}.people.cert.pem", "--bridge-ca", $"@{prefix}.fabric.cert.pem", "--registrar", $"@{prefix}.registrar.cert.pem",
        "--status-key", $"@{prefix}.status.cert.pem", "--patient-ca", $"@{prefix}.patients.cert.pem", "--bridge", $"@{prefix}.bridge.cert.pem", "--out", $"@{output}",
    ];

    private async Task IssueAsync(string prefix, string kind, string name, string file)
    {
        await _desk.DoneAsync("key", "create", "--name", name, "--key", $"@{file}.key.pem", "--request", $"@{file}.csr.pem");
        await _desk.DoneAsync("ca", "issue", "--kind", kind, "--ca", $"@{prefix}.people.cert.pem", "--ca-key", $"@{prefix}.people.key.pem", "--request", $"@{file}.csr.pem", "--out", $"@{file}.cert.pem", "--yes");
    }

    /// <summary>Confirms, approves and signs by command; the bridge's part and the status list by the keys it would have.</summary>
    private async Task RecordAsync(Func<RecordFile, RecordFile>? change = null, bool again = false)
    {
        if (!again)
        {
            await _desk.DoneAsync("registrar", "confirm", "--key", "@b.registrar.key.pem", "--signer", "@b.registrar.cert.pem", "--statement", "@statement.jws", "--certificate", "@a.doctor.cert.pem",
                "--record", "@a.record.json", "--out", "@confirmation.jws", "--yes");
            await _desk.DoneAsync("registrar", "approve", "--by", "HospitalBMSP", "--key", "@b.registrar.key.pem", "--signer", "@b.registrar.cert.pem", "--record", "@a.record.json", "--out", "@ab.jws", "--yes");
            await File.WriteAllBytesAsync(_desk.At("summary.json"), TestRecords.Summary(_patient).ToCanonicalJson());
            await _desk.DoneAsync("sign", "@summary.json", "--key", "@a.doctor.key.pem", "--certificate", "@a.doctor.cert.pem", "--yes");
        }
        var (doctor, signature) = await SignatureAsync("summary.json");
        var bridge = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Bridge, Base64Url.Decode(doctor.Payload), Certificate("a.bridge"));
        using var bridgeKey = Key("a.bridge");
        var file = new RecordFile
        {
            Summary = SignedSummary.Assemble(doctor, signature, bridge, bridge.Sign(bridgeKey)),
            Hospital = HospitalRecord.Parse(await File.ReadAllBytesAsync(_desk.At("a.record.json")), out _)!,
            Own = HospitalRecord.Parse(await File.ReadAllBytesAsync(_desk.At("b.record.json")), out _)!,
            OwnStatus = Status("b", "HospitalBMSP"),
            Approvals = [Read("ab.jws")],
            Statement = Read("statement.jws"),
            Confirmation = Read("confirmation.jws"),
            Status = Status("a", "HospitalAMSP"),
        };
        await File.WriteAllBytesAsync(_desk.At("record.json"), (change?.Invoke(file) ?? file).ToJson());
    }

    private string Status(string prefix, string msp)
    {
        using var key = Key($"{prefix}.status");
        var record = HospitalRecord.Parse(File.ReadAllBytes(_desk.At($"{prefix}.record.json")), out _)!;
        return CompactJws.Sign(new StatusList(msp, record.RecordDigest, 1, CliDesk.Now, CliDesk.Now.AddHours(24), []), key, Certificate($"{prefix}.status"));
    }

    private async Task<(SigningInput Input, byte[] Signature)> SignatureAsync(string payload)
    {
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(_desk.At(payload + ".signature.json")));
        var input = SigningInput.Create(EnvelopeKind.Summary, SignerRole.Doctor, await File.ReadAllBytesAsync(_desk.At(payload)), Certificate("a.doctor"));
        Assert.Equal(input.Protected, json.RootElement.GetProperty("protected").GetString());
        return (input, Base64Url.Decode(json.RootElement.GetProperty("signature").GetString()!));
    }

    private Task<int> VerifyAsync(string trusted, string msp, params string[] more) =>
        _desk.RunAsync("", ["verify-record", "@record.json", "--hospital", msp, "--ca-digests", $"@{trusted}.digests.json", .. more]);

    private string Read(string name) => File.ReadAllText(_desk.At(name)).Trim();

    private byte[] Certificate(string name)
    {
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(_desk.At($"{name}.cert.pem"));
        return certificate.RawData;
    }

    private ECDsa Key(string name)
    {
        var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(_desk.At($"{name}.key.pem")));
        return key;
    }

    public ValueTask DisposeAsync()
    {
        _desk.Dispose();
        return ValueTask.CompletedTask;
    }
}
