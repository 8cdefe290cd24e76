using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Cli;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Cli;

public sealed class CaCommandTests : IDisposable
{
    private readonly CliDesk _desk = new();

    [Fact]
    public async Task Init_NewRoot_WritesAKeyForItsOwnerOnlyAndACaCertificate()
    {
        await _desk.DoneAsync("ca", "init", "--name", "Hospital A people", "--organisation", "Hospital A", "--key", "@ca.key.pem", "--out", "@ca.cert.pem");
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_desk.At("ca.key.pem")));
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckCa(Certificate("ca.cert.pem"), CliDesk.Now));
        Assert.DoesNotContain("PRIVATE", _desk.Out);
    }

    [Fact]
    public async Task Init_FileInTheWay_IsRefusedAndNothingTouched()
    {
        await File.WriteAllTextAsync(_desk.At("ca.key.pem"), "precious", TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("", "ca", "init", "--name", "x", "--key", "@ca.key.pem", "--out", "@ca.cert.pem"));
        Assert.Contains("is not overwritten", _desk.Error);
        Assert.Equal("precious", await File.ReadAllTextAsync(_desk.At("ca.key.pem"), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(_desk.At("ca.cert.pem")));
    }

    [Theory]
    [InlineData("doctor", PersonRole.Doctor)]
    [InlineData("registrar", PersonRole.Registrar)]
    [InlineData("status", PersonRole.StatusKey)]
    public async Task Issue_PersonFromARequest_PassesTheConsortiumsChecks(string kind, PersonRole role)
    {
        await RootAsync();
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Märten", "--key", "@p.key.pem", "--request", "@p.csr.pem");
        await _desk.DoneAsync("ca", "issue", "--kind", kind, "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes");
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPerson(Certificate("p.cert.pem"), role, [Certificate("ca.cert.pem")], CliDesk.Now));
        Assert.Equal("Dr Ada Märten", CertificateCheck.NameIn(Certificate("p.cert.pem")));
    }

    [Fact]
    public async Task Issue_PatientCaFromAPublicKey_PassesTheConsortiumsChecks()
    {
        await RootAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await File.WriteAllTextAsync(_desk.At("pub.pem"), key.ExportSubjectPublicKeyInfoPem(), TestContext.Current.CancellationToken);
        string[] issue = ["ca", "issue", "--kind", "patient-ca", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--public-key", "@pub.pem", "--out", "@pca.cert.pem", "--yes"];
        Assert.Equal(ExitCode.Usage, await _desk.RunAsync("", issue));
        Assert.Contains("--name", _desk.Error);
        await _desk.DoneAsync([.. issue, "--name", "Hospital A patients"]);
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckPatientCa(Certificate("pca.cert.pem"), [Certificate("ca.cert.pem")], CliDesk.Now));
    }

    [Fact]
    public async Task Issue_WithoutYes_AsksAndWritesNothingUnlessYes()
    {
        await RootAsync();
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Marten", "--key", "@p.key.pem", "--request", "@p.csr.pem");
        string[] issue = ["ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem"];
        Assert.Equal(ExitCode.NotConfirmed, await _desk.RunAsync("y\n", issue));
        Assert.Equal(ExitCode.NotConfirmed, await _desk.RunAsync("", issue));
        Assert.False(File.Exists(_desk.At("p.cert.pem")));
        Assert.Contains("Dr Ada Marten", _desk.Out);
        Assert.Equal(ExitCode.Done, await _desk.RunAsync("yes\n", issue));
        Assert.True(File.Exists(_desk.At("p.cert.pem")));
    }

    [Fact]
    public async Task Issue_BeyondTheCasEnd_EndsWithTheCa()
    {
        await _desk.DoneAsync("ca", "init", "--name", "Short", "--key", "@ca.key.pem", "--out", "@ca.cert.pem", "--days", "30");
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Marten", "--key", "@p.key.pem", "--request", "@p.csr.pem");
        await _desk.DoneAsync("ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes");
        using var ca = X509CertificateLoader.LoadCertificate(Certificate("ca.cert.pem"));
        using var doctor = X509CertificateLoader.LoadCertificate(Certificate("p.cert.pem"));
        Assert.Equal(ca.NotAfter, doctor.NotAfter);
        _desk.Clock.Advance(TimeSpan.FromDays(31));
        Assert.Equal(ExitCode.Refused, await _desk.RunAsync(
            "", "ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@q.cert.pem", "--yes"));
        Assert.Contains("Expired", _desk.Error);
    }

    [Fact]
    public async Task Issue_WrongFiles_SaysWhichAndWhatToDo()
    {
        await RootAsync();
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Marten", "--key", "@p.key.pem", "--request", "@p.csr.pem");
        await RefusedAsync(ExitCode.Input, "There is no file", "--request", "@none.pem");
        await RefusedAsync(ExitCode.Input, "is no certificate request", "--request", "@ca.cert.pem");
        await RefusedAsync(ExitCode.Input, "holds a private key", "--public-key", "@p.key.pem", "--name", "x");
        await RefusedAsync(ExitCode.Usage, "either --request or --public-key", "--name", "x");
        await RefusedAsync(ExitCode.Refused, "64 characters", "--request", "@p.csr.pem", "--name", new string('x', 65));
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("", "ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@p.key.pem", "--request", "@p.csr.pem", "--out", "@o.pem", "--yes"));
        Assert.Contains("is not the key of the certificate", _desk.Error);
        Assert.Equal(ExitCode.Usage, await _desk.RunAsync("", "ca", "issue", "--kind", "nurse", "--request", "@p.csr.pem", "--out", "@o.pem"));
        Assert.False(File.Exists(_desk.At("o.pem")));

        async Task RefusedAsync(int code, string message, params string[] more)
        {
            Assert.Equal(code, await _desk.RunAsync("", ["ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--out", "@o.pem", "--yes", .. more]));
            Assert.Contains(message, _desk.Error);
        }
    }

    [Fact]
    public async Task Issue_RequestForAnotherRole_IsRefused()
    {
        await RootAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedName("CN=Dr Ada Marten");
        await File.WriteAllTextAsync(_desk.At("p.csr.pem"), PersonRequest.Create(key, subject, PersonRole.Doctor), TestContext.Current.CancellationToken);
        foreach (var kind in new[] { "registrar", "status", "patient-ca" })
        {
            Assert.Equal(ExitCode.Refused, await _desk.RunAsync("", "ca", "issue", "--kind", kind, "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes"));
            Assert.Contains("means Doctor", _desk.Error);
        }
        Assert.False(File.Exists(_desk.At("p.cert.pem")));
        await _desk.DoneAsync("ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes");
        Assert.Equal(PersonRole.Doctor, CertificateCheck.RoleIn(Certificate("p.cert.pem")));
    }

    [Fact]
    public async Task Create_EncryptedKey_OpensWithItsPasswordOnly()
    {
        await File.WriteAllTextAsync(_desk.At("pw"), "correct horse\n", TestContext.Current.CancellationToken);
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Marten", "--key", "@p.key.pem", "--request", "@p.csr.pem", "--password-file", "@pw");
        Assert.StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY", await File.ReadAllTextAsync(_desk.At("p.key.pem"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, await _desk.RunAsync("secret\nsecret\n", "ca", "init", "--name", "A", "--key", "@e.key.pem", "--out", "@e.cert.pem", "--encrypt"));
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("secret\nsecre\n", "ca", "init", "--name", "A", "--key", "@f.key.pem", "--out", "@f.cert.pem", "--encrypt"));
        Assert.False(File.Exists(_desk.At("f.key.pem")));
        string[] issue = ["ca", "issue", "--kind", "doctor", "--ca", "@e.cert.pem", "--ca-key", "@e.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes"];
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("wrong\n", issue));
        Assert.Contains("right password", _desk.Error);
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("", issue));
        Assert.Equal(ExitCode.Done, await _desk.RunAsync("secret\n", issue));
    }

    [Fact]
    public async Task Roll_NewRoot_IsSignedByTheOld()
    {
        await RootAsync();
        await _desk.DoneAsync("ca", "roll", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--name", "Hospital A people 2", "--key", "@ca2.key.pem", "--out", "@ca2.cert.pem");
        using var rolled = X509CertificateLoader.LoadCertificate(Certificate("ca2.cert.pem"));
        Assert.Equal("CN=Hospital A people", rolled.Issuer);
        Assert.Equal(CertificateFault.None, CertificateCheck.CheckCa(Certificate("ca2.cert.pem"), CliDesk.Now));
    }

    [Fact]
    public async Task Crl_TwoLists_CountOnAndKeepTheirEntries()
    {
        await RootAsync();
        await _desk.DoneAsync("key", "create", "--name", "Dr Ada Marten", "--key", "@p.key.pem", "--request", "@p.csr.pem");
        await _desk.DoneAsync("ca", "issue", "--kind", "doctor", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--request", "@p.csr.pem", "--out", "@p.cert.pem", "--yes");
        string[] crl = ["ca", "crl", "--ca", "@ca.cert.pem", "--ca-key", "@ca.key.pem", "--crl", "@list.pem"];
        await _desk.DoneAsync([.. crl, "--revoke", "@p.cert.pem"]);
        Assert.Contains("list 1", _desk.Out);
        await _desk.DoneAsync(crl);
        Assert.Contains("list 2", _desk.Out);
        var builder = CertificateRevocationListBuilder.LoadPem(await File.ReadAllTextAsync(_desk.At("list.pem"), TestContext.Current.CancellationToken), out var number);
        using var doctor = X509CertificateLoader.LoadCertificate(Certificate("p.cert.pem"));
        Assert.Equal(2, number);
        Assert.True(builder.RemoveEntry(doctor.SerialNumberBytes.Span));
        await File.WriteAllTextAsync(_desk.At("list.pem"), "other", TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Input, await _desk.RunAsync("", crl));
    }

    [Fact]
    public async Task Run_UnknownOrIncomplete_IsUsage()
    {
        Assert.Equal(ExitCode.Usage, await _desk.RunAsync("", "frobnicate"));
        Assert.Equal(ExitCode.Usage, await _desk.RunAsync("", "ca", "init"));
        Assert.Equal(ExitCode.Usage, await _desk.RunAsync("", "ca", "init", "--name", "x", "--days", "0"));
        Assert.Equal(ExitCode.Done, await _desk.RunAsync("", "--help"));
        Assert.Contains("Exit codes", _desk.Out);
    }

    private Task RootAsync() => _desk.DoneAsync("ca", "init", "--name", "Hospital A people", "--key", "@ca.key.pem", "--out", "@ca.cert.pem");

    private byte[] Certificate(string name)
    {
        using var certificate = X509CertificateLoader.LoadCertificateFromFile(_desk.At(name));
        return certificate.RawData;
    }

    public void Dispose() => _desk.Dispose();
}
