using System.Security.Cryptography;
using System.Text.Json;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records;

public sealed class EnrolmentTests
{
    private static readonly CaDigests Cas = new([Digest.Of("bridge ca")], [Digest.Of("people ca 1"), Digest.Of("people ca 2")]);

    [Fact]
    public void TryParse_PrintedCode_IsTheSameCode()
    {
        for (var i = 0; i < 200; i++)
        {
            var code = EnrolmentCode.New();
            Assert.Equal(CodeReading.Good, EnrolmentCode.TryParse(code.ToPrintedText().ToLowerInvariant().Replace('0', 'o'), out var read));
            Assert.Equal(code.ToPlainText(), read!.ToPlainText());
        }
    }

    [Fact]
    public void TryParse_OneCharacterChangedOrTwoSwapped_IsRefused()
    {
        var plain = EnrolmentCode.New().ToPlainText();
        for (var i = 0; i < 16; i++)
        {
            var typo = plain[..i] + (plain[i] == 'A' ? 'B' : 'A') + plain[(i + 1)..];
            Assert.Equal(CodeReading.CheckFailed, EnrolmentCode.TryParse(typo, out _));
            if (i < 15 && plain[i] != plain[i + 1])
                Assert.Equal(CodeReading.CheckFailed, EnrolmentCode.TryParse(plain[..i] + plain[i + 1] + plain[i] + plain[(i + 2)..], out _));
        }
        Assert.Equal(CodeReading.WrongLength, EnrolmentCode.TryParse(plain[1..], out _));
        Assert.Equal(CodeReading.WrongLength, EnrolmentCode.TryParse(null, out _));
        Assert.Equal(CodeReading.BadCharacter, EnrolmentCode.TryParse("!" + plain[1..], out _));
        Assert.Equal(CodeReading.BadCharacter, EnrolmentCode.TryParse("u" + plain[1..], out _));
    }

    [Fact]
    public void ToFragment_Ticket_IsReadBack()
    {
        for (var i = 0; i < 100; i++)
        {
            var ticket = new EnrolmentTicket("HospitalAMSP", EnrolmentCode.New(), Cas);
            var uri = ticket.ToUri(new Uri("https://portal.example/enrol"));
            Assert.True(EnrolmentTicket.TryParse(uri.Fragment, out var read));
            Assert.Equal(ticket.Code.ToPlainText(), read!.Code.ToPlainText());
            Assert.Equal(Cas, read.CaDigests);
            Assert.Empty(uri.Query);
        }
        Assert.False(EnrolmentTicket.TryParse("#v=1&h=A", out _));
    }

    [Fact]
    public void Verify_RequestOfTheCodesHolder_IsTrueAndOfAnyOtherFalse()
    {
        var keys = EnrolmentCode.New().Derive("HospitalAMSP", Cas);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = EnrolmentRequest.Create(keys, "PortalMSP", key, ["peers"], ["PortalMSP"], "what you consent to", "en", new DateOnly(2027, 1, 1));
        using var json = JsonDocument.Parse(request.ToJson().ToJsonString());
        var read = EnrolmentRequest.Read(json.RootElement, out _)!;

        Assert.True(keys.Verify(read, "PortalMSP"));
        Assert.True(new EnrolmentKeys("HospitalAMSP", Cas, keys.CodeId, keys.MacKey.Span).Verify(read, "PortalMSP"));
        Assert.Equal(VerificationOutcome.Valid, CompactJws.Verify<Consent>(read.Consent, read.SubjectPublicKeyInfo).Outcome);
        Assert.False(keys.Verify(read, "OtherMSP"));
        Assert.False(keys.Verify(read with { Consent = read.Consent + "x" }, "PortalMSP"));
        Assert.False(EnrolmentCode.New().Derive("HospitalAMSP", Cas).Verify(read, "PortalMSP"));
        Assert.False(keys.Verify(read with { Mac = "AAAA" }, "PortalMSP"));
    }

    [Fact]
    public void Derive_OtherHospitalOrOtherCas_IsAnotherId()
    {
        var code = EnrolmentCode.New();
        var id = code.Derive("HospitalAMSP", Cas).CodeId;
        Assert.Equal(id, code.Derive("HospitalAMSP", Cas with { People = [.. Cas.People.Reverse()] }).CodeId);
        Assert.NotEqual(id, code.Derive("HospitalBMSP", Cas).CodeId);
        Assert.NotEqual(id, code.Derive("HospitalAMSP", Cas with { People = [Cas.People[0]] }).CodeId);
    }
}
