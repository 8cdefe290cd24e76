using System.Text.Json;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed class SignedSummaryTests : IDisposable
{
    private readonly TestKey _doctor = new("Dr Ada Marten");
    private readonly TestKey _bridge = new("bridge");
    private readonly TestKey _patient = new("patient");

    [Fact]
    public void Verify_AssembledFromBothSignatures_IsValidAndGivesTheSummaryBack()
    {
        var summary = TestRecords.Summary(Pseudonym.FromPublicKey(_patient.PublicKey));
        var doctor = SigningInput.ForDoctor(summary, _doctor.Certificate);
        var bridge = SigningInput.ForBridge(summary, _bridge.Certificate);

        var json = SignedSummary.Assemble(doctor, doctor.Sign(_doctor.Key), bridge, bridge.Sign(_bridge.Key));
        var result = SignedSummary.Verify(json);

        Assert.Equal(VerificationOutcome.Valid, result.Outcome);
        Assert.Equal(summary.ToCanonicalJson(), result.Value!.Summary.ToCanonicalJson());
        Assert.Equal(_doctor.Certificate, result.Value.DoctorCertificate.ToArray());
        Assert.Equal(_bridge.Certificate, result.Value.BridgeCertificate.ToArray());
    }

    [Fact]
    public void Verify_OneKeyInBothRoles_IsSameKey()
    {
        var summary = TestRecords.Summary(Pseudonym.FromPublicKey(_patient.PublicKey));
        var doctor = SigningInput.ForDoctor(summary, _doctor.Certificate);
        var bridge = SigningInput.ForBridge(summary, _doctor.Certificate);

        var json = SignedSummary.Assemble(doctor, doctor.Sign(_doctor.Key), bridge, bridge.Sign(_doctor.Key));

        Assert.Equal(VerificationOutcome.SameKey, SignedSummary.Verify(json).Outcome);
    }

    [Fact]
    public void ToCanonicalJson_Summary_IsWhatTheGeneralCanonicaliserGives()
    {
        var summary = TestRecords.Summary(Pseudonym.FromPublicKey(_patient.PublicKey)) with { Supersedes = SummaryId.New() };
        var direct = summary.ToCanonicalJson();

        Assert.Equal(CanonicalJson.Canonicalise(direct), direct);
        using var document = JsonDocument.Parse(direct);
        Assert.NotNull(MinimalSummary.Read(document.RootElement, out _));
    }

    [Fact]
    public void CompactJws_EveryPatientKind_RoundTrips()
    {
        var consent = new Consent(Handle.New(), "HospitalAMSP", Digest.Of(_patient.PublicKey), ["peers", "sensitive:hiv"], ["PortalMSP"], Digest.Of("notice"), "zh-CN", new DateOnly(2027, 11, 20));
        var jws = CompactJws.Sign(consent, _patient.Key);

        var result = CompactJws.Verify<Consent>(jws, _patient.PublicKey);
        Assert.Equal(VerificationOutcome.Valid, result.Outcome);
        Assert.Equal(consent.ConsentId, result.Value!.Statement.ConsentId);
        Assert.Equal(VerificationOutcome.BadSignature, CompactJws.Verify<Consent>(jws, _bridge.PublicKey).Outcome);
        Assert.Equal(VerificationOutcome.WrongTyp, CompactJws.Verify<Withdrawal>(jws, _patient.PublicKey).Outcome);
    }

    public void Dispose()
    {
        _doctor.Dispose();
        _bridge.Dispose();
        _patient.Dispose();
    }
}
