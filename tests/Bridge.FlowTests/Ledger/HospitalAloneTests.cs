using System.Globalization;
using System.Text;
using Bridge.Records;
using Bridge.Sandbox.Consortium;
using Xunit;

namespace Bridge.FlowTests.Ledger;

/// <summary>Nobody becomes a hospital alone, and no hospital changes its own offices alone.</summary>
[Collection("ledger")]
public class HospitalAloneTests(LedgerFixture fixture)
{
    private Actors Actors => fixture.Actors;

    private string A => fixture.Consortium.A.Msp;

    private string B => fixture.Consortium.B.Msp;

    [Fact]
    public async Task Portal_ProposesAHospital_NotBridge() =>
        await Refused.WithAsync("NOT_BRIDGE", () => ProposeAsync(NewHospital("HospitalCMSP"), SampleConsortium.PortalMsp));

    [Fact]
    public async Task Hospital_ProposesThePortalAsAHospital_PortalNotHospital() =>
        await Refused.WithAsync("PORTAL_NOT_HOSPITAL", () => ProposeAsync(NewHospital(SampleConsortium.PortalMsp), A));

    [Fact]
    public async Task Hospital_ApprovesItsOwnProposalAlone_IsNoHospitalYet()
    {
        var record = NewHospital("HospitalDMSP");
        await ProposeAsync(record, A);

        Assert.Equal("APPROVED", await ApproveAsync(record, A, Actors.Hospital(A).Registrar, A));

        await Refused.WithAsync("ALREADY_APPROVED", () => ApproveAsync(record, A, Actors.Hospital(A).Registrar, A));
        await Refused.WithAsync("UNKNOWN_HOSPITAL", () => ReadAsync("HospitalDMSP"));
    }

    [Fact]
    public async Task Hospital_SignsTheOtherHospitalsApproval_NotRegistrar()
    {
        var record = NewHospital("HospitalEMSP");
        await ProposeAsync(record, A);

        await Refused.WithAsync("NOT_REGISTRAR", () => ApproveAsync(record, B, Actors.Hospital(A).Registrar, A));
    }

    [Fact]
    public async Task Majority_ApprovesAProposal_IsAHospital()
    {
        var record = NewHospital("HospitalFMSP");
        await ProposeAsync(record, A);
        await ApproveAsync(record, A, Actors.Hospital(A).Registrar, A);

        Assert.Equal("ACTIVE", await ApproveAsync(record, B, Actors.Hospital(B).Registrar, B));

        Assert.Null(await Refused.ByAsync(() => ReadAsync("HospitalFMSP")));
    }

    [Fact]
    public async Task Hospital_ChangesAnotherHospitalsRegistrar_NotBridge()
    {
        var current = await ReadAsync(B);
        var changed = HospitalRecord.Read(current.GetProperty("record"), out _)! with { Seq = 2, Registrar = Certified(PersonRole.Registrar) };

        await Refused.WithAsync("NOT_BRIDGE", () => ProposeAsync(changed, A));
    }

    [Fact]
    public async Task Hospital_NamesADoctorOrStatusKeyRegistrar_BadRecord()
    {
        var current = HospitalRecord.Read((await ReadAsync(B)).GetProperty("record"), out _)! with { Seq = 2 };
        foreach (var role in new[] { PersonRole.Doctor, PersonRole.StatusKey })
            await Refused.WithAsync("BAD_RECORD", () => ProposeAsync(current with { Registrar = Certified(role) }, B));
        await Refused.WithAsync("BAD_RECORD", () => ProposeAsync(current with { StatusKey = Certified(PersonRole.Doctor) }, B));
    }

    private byte[] Certified(PersonRole role) => Actors.Hospital(B).IssuePerson(Actors.Folder(), "friend", role, "Friend", DateTimeOffset.UtcNow).Der();

    private HospitalRecord NewHospital(string msp)
    {
        var folder = Actors.Folder();
        var now = DateTimeOffset.UtcNow;
        var hospital = new SampleHospital(msp, "New Hospital", Path.Combine(folder, "affairs"), Path.Combine(folder, "bridge"));
        hospital.CreateKeys(now);
        var root = KeyPair.Create(folder, "fabric", key => CertificateProfile.CreateRoot(key, $"ca.{msp}", null, now.AddMinutes(-5), now.AddYears(9)));
        var bridge = KeyPair.Create(folder, "bridge", key => root.Issue(issuer => CertificateProfile.IssueFabricIdentity(
            issuer, key.ExportSubjectPublicKeyInfo(), "bridge", "client", now.AddMinutes(-5), now.AddYears(1))));
        return hospital.Record(root.Der(), bridge.Der());
    }

    private Task<string> ProposeAsync(HospitalRecord record, string by) =>
        fixture.Contract(by).SubmitAsync("ProposeHospital", [Encoding.UTF8.GetString(record.ToCanonicalJson())], null, [A, B], TestContext.Current.CancellationToken);

    private Task<string> ApproveAsync(HospitalRecord record, string approving, KeyPair registrar, string submitter)
    {
        using var key = registrar.LoadKey();
        var approval = CompactJws.Sign(record.ApprovalBy(approving), key, registrar.Der());
        return fixture.Contract(submitter).SubmitAsync(
            "ApproveHospital", [record.Msp, record.Seq.ToString(CultureInfo.InvariantCulture), approval], null, [A, B], TestContext.Current.CancellationToken);
    }

    private Task<System.Text.Json.JsonElement> ReadAsync(string msp) =>
        fixture.Contract(A).EvaluateAsync("ReadHospital", [msp], null, [A], TestContext.Current.CancellationToken);
}
