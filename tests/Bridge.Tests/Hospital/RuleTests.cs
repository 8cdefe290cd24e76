using System.Security.Cryptography;
using Bridge.Fhir.Extraction;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Ledger;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Hospital;

public class RuleTests
{
    private static readonly AnchoringOptions Options = new(5, TimeSpan.FromDays(1), TimeSpan.FromDays(7), 50, TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(3));
    private static readonly HashSet<string> Nobody = [];

    [Fact]
    public void Choose_FewPatientsNotDue_KeepsAll() =>
        Assert.Empty(AnchorRules.Choose(Queue(4, notBefore: TestStore.Now.AddHours(1)), Nobody, TestStore.Now, Options, new Random(1)));

    [Fact]
    public void Choose_FewPatients_SendsThoseWhoseWaitIsOver()
    {
        AnchorRow[] queue = [.. Queue(3, notBefore: TestStore.Now.AddHours(1)), Anchor(9, "pz", TestStore.Now)];

        Assert.Equal(9, Assert.Single(AnchorRules.Choose(queue, Nobody, TestStore.Now, Options, new Random(1))).AnchorId);
    }

    [Fact]
    public void Choose_EnoughPatients_SendsOneOfEachAtOnce()
    {
        var queue = Queue(5, notBefore: TestStore.Now.AddDays(7)).Append(Anchor(99, "p1", TestStore.Now.AddDays(7)));

        var chosen = AnchorRules.Choose(queue, Nobody, TestStore.Now, Options, new Random(1));

        Assert.Equal(5, chosen.Count);
        Assert.DoesNotContain(chosen, anchor => anchor.AnchorId == 99);
    }

    [Fact]
    public void Choose_PatientOnTheWay_Waits()
    {
        var chosen = AnchorRules.Choose(Queue(6, TestStore.Now), new HashSet<string> { "p2" }, TestStore.Now, Options, new Random(1));

        Assert.Equal(5, chosen.Count);
        Assert.DoesNotContain(chosen, anchor => anchor.Pseudonym == "p2");
    }

    [Fact]
    public void Choose_ManyPatients_StaysWithinTheBatch() =>
        Assert.Equal(50, AnchorRules.Choose(Queue(200, TestStore.Now), Nobody, TestStore.Now, Options, new Random(1)).Count);

    [Fact]
    public void Choose_Order_DoesNotTellWhoSignedFirst()
    {
        var orders = Enumerable.Range(0, 20)
            .Select(seed => string.Join(',', AnchorRules.Choose(Queue(6, TestStore.Now), Nobody, TestStore.Now, Options, new Random(seed)).Select(anchor => anchor.AnchorId)));

        Assert.True(orders.Distinct().Count() > 10);
    }

    [Fact]
    public void Delay_Random_StaysWithinItsBounds()
    {
        Assert.Equal(Options.MinDelay, Options.Delay(0));
        Assert.InRange(Options.Delay(0.9999), TimeSpan.FromDays(6.99), Options.MaxDelay);
    }

    [Theory]
    [InlineData("ANCHORED", nameof(AnchorStep.Anchored))]
    [InlineData("ID_IN_USE", nameof(AnchorStep.LookAtLedger))]
    [InlineData("ID_RETIRED", nameof(AnchorStep.LookAtLedger))]
    [InlineData("DOCTOR_STALE", nameof(AnchorStep.DoctorStale))]
    [InlineData("DOCTOR_REVOKED", nameof(AnchorStep.AnotherDoctor))]
    [InlineData("DOCTOR_EXPIRED", nameof(AnchorStep.AnotherDoctor))]
    [InlineData("DOCTOR_PENDING", nameof(AnchorStep.AnotherDoctor))]
    [InlineData("CONSENT_WITHDRAWN", nameof(AnchorStep.Withdrawn))]
    [InlineData("CONSENT_EXPIRED", nameof(AnchorStep.NoConsent))]
    [InlineData("CLOCK_SKEW", nameof(AnchorStep.Retry))]
    [InlineData("NOT_BRIDGE", nameof(AnchorStep.Retry))]
    [InlineData("BAD_SIGNATURE", nameof(AnchorStep.Failed))]
    [InlineData("INDEX_FULL", nameof(AnchorStep.Failed))]
    [InlineData("A_CODE_OF_A_LATER_CONTRACT", nameof(AnchorStep.Failed))]
    public void Judge_Code_SaysWhatToDo(string code, string step) => Assert.Equal(step, AnchorRules.Judge(code).ToString());

    [Theory]
    [InlineData(SummaryState.Live, nameof(AnchorStep.Anchored))]
    [InlineData(SummaryState.NotFound, nameof(AnchorStep.Retry))]
    [InlineData(SummaryState.Erased, nameof(AnchorStep.Erased))]
    [InlineData(SummaryState.Withdrawn, nameof(AnchorStep.Withdrawn))]
    [InlineData(SummaryState.Forged, nameof(AnchorStep.Failed))]
    public void JudgeFound_State_SaysWhatToDo(SummaryState found, string step) => Assert.Equal(step, AnchorRules.JudgeFound(found).ToString());

    [Fact]
    public void Backoff_Grows_ToHalfAMinute()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), AnchorRules.Backoff(0, 0));
        Assert.Equal(TimeSpan.FromSeconds(8), AnchorRules.Backoff(3, 0));
        Assert.Equal(TimeSpan.FromSeconds(30), AnchorRules.Backoff(50, 0));
    }

    [Theory]
    [InlineData("ACTIVE", "HospitalAMSP", 0, nameof(DoctorStanding.Active))]
    [InlineData("PENDING", "HospitalAMSP", 0, nameof(DoctorStanding.Pending))]
    [InlineData("REVOKED", "HospitalAMSP", 0, nameof(DoctorStanding.Revoked))]
    [InlineData("ACTIVE", "HospitalBMSP", 0, nameof(DoctorStanding.Unknown))]
    [InlineData("ACTIVE", "HospitalAMSP", 400, nameof(DoctorStanding.Expired))]
    [InlineData("ACTIVE", "HospitalAMSP", -2, nameof(DoctorStanding.Expired))]
    public void Judge_Doctor_ByStatusHospitalAndDates(string status, string hospital, int days, string standing)
    {
        var doctor = new DoctorRow
        {
            Hospital = hospital,
            Licence = "L-1",
            Status = status,
            NotBefore = TestStore.Now.AddDays(-1).ToUnixTimeSeconds(),
            NotAfter = TestStore.Now.AddDays(365).ToUnixTimeSeconds(),
        };

        Assert.Equal(standing, DoctorRules.Judge(doctor, "HospitalAMSP", "L-1", TestStore.Now.AddDays(days)).ToString());
        Assert.Equal(DoctorStanding.Unknown, DoctorRules.Judge(doctor, "HospitalAMSP", "L-2", TestStore.Now));
        Assert.Equal(DoctorStanding.Unknown, DoctorRules.Judge(null, "HospitalAMSP", "L-1", TestStore.Now));
    }

    [Theory]
    [InlineData(ExtractionOutcome.Ready, WithheldReason.None, "L-1", "Insert AwaitingCoSign ")]
    [InlineData(ExtractionOutcome.Ready, WithheldReason.None, null, "Insert Withheld NoDoctor")]
    [InlineData(ExtractionOutcome.Withheld, WithheldReason.NoDoctor, null, "Insert Withheld NoDoctor")]
    [InlineData(ExtractionOutcome.Withheld, WithheldReason.TooRare, "L-1", "Insert Withheld TooRare")]
    [InlineData(ExtractionOutcome.Withheld, WithheldReason.NothingNew, "L-1", "Insert Withheld NothingNew")]
    [InlineData(ExtractionOutcome.Settling, WithheldReason.None, "L-1", "Insert Settling ")]
    public void Decide_FirstReading_StoresWhatItGave(ExtractionOutcome outcome, WithheldReason withheld, string? licence, string expected) =>
        Assert.StartsWith(expected, Text(IntakeRules.Decide(Reading(outcome, withheld), null, null, licence)), StringComparison.Ordinal);

    [Theory]
    [InlineData(nameof(SummaryStatus.AwaitingCoSign), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.AwaitingCoSign), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Settling), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Withheld), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Failed), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.Failed), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Declined), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.Declined), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.CoSigned), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.CoSigned), "d0", "Update AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Anchoring), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.Anchoring), "d0", "Later")]
    [InlineData(nameof(SummaryStatus.Anchored), "d1", "Touch")]
    [InlineData(nameof(SummaryStatus.Anchored), "d0", "Insert AwaitingCoSign")]
    [InlineData(nameof(SummaryStatus.Erased), "d0", "Nothing")]
    [InlineData(nameof(SummaryStatus.Withdrawn), "d0", "Insert AwaitingCoSign")]
    public void Decide_ReadAgain_DependsOnWhereItStandsAndWhetherItChanged(string status, string storedDigest, string expected)
    {
        var row = new SummaryRow { Status = Enum.Parse<SummaryStatus>(status), ContentDigest = storedDigest };

        Assert.StartsWith(expected, Text(IntakeRules.Decide(Reading(ExtractionOutcome.Ready, WithheldReason.None), row, null, "L-1")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(SummaryStatus.CoSigned), ExtractionOutcome.Settling, WithheldReason.None, "Touch")]
    [InlineData(nameof(SummaryStatus.CoSigned), ExtractionOutcome.SetAside, WithheldReason.None, "Touch")]
    [InlineData(nameof(SummaryStatus.CoSigned), ExtractionOutcome.Withheld, WithheldReason.NoCondition, "Update Withheld NoCondition False")]
    [InlineData(nameof(SummaryStatus.Anchored), ExtractionOutcome.Settling, WithheldReason.None, "Touch")]
    [InlineData(nameof(SummaryStatus.Anchored), ExtractionOutcome.SetAside, WithheldReason.None, "Touch")]
    [InlineData(nameof(SummaryStatus.Anchored), ExtractionOutcome.Withheld, WithheldReason.NoCondition, "Insert Withheld NoCondition True")]
    [InlineData(nameof(SummaryStatus.Anchored), ExtractionOutcome.Withheld, WithheldReason.Sensitive, "Insert Withheld Sensitive True")]
    [InlineData(nameof(SummaryStatus.Anchored), ExtractionOutcome.Withheld, WithheldReason.NoDoctor, "Touch")]
    public void Decide_ReadAgainWithoutContent_ASignatureOutlivesWhatSaysNothing(string status, ExtractionOutcome outcome, WithheldReason withheld, string expected)
    {
        var row = new SummaryRow { Status = Enum.Parse<SummaryStatus>(status), ContentDigest = "d1", DoctorLicence = "L-1" };

        Assert.StartsWith(expected, Text(IntakeRules.Decide(Reading(outcome, withheld), row, null, null)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(SummaryStatus.AwaitingCoSign), "d1", "Restore")]
    [InlineData(nameof(SummaryStatus.CoSigned), "d1", "Restore")]
    [InlineData(nameof(SummaryStatus.Withheld), "d1", "Restore")]
    [InlineData(nameof(SummaryStatus.Anchoring), "d1", "Later")]
    [InlineData(nameof(SummaryStatus.AwaitingCoSign), "d7", "Update AwaitingCoSign")]
    public void Decide_SaysAgainWhatStands_DropsTheReplacement(string status, string standing, string expected)
    {
        var row = new SummaryRow { Status = Enum.Parse<SummaryStatus>(status), ContentDigest = "d0" };
        var older = new SummaryRow { Status = SummaryStatus.Anchored, ContentDigest = standing };

        Assert.StartsWith(expected, Text(IntakeRules.Decide(Reading(ExtractionOutcome.Ready, WithheldReason.None), row, older, "L-1")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ERASED", nameof(RetractionStep.Done))]
    [InlineData("DOCTOR_STALE", nameof(RetractionStep.DoctorStale))]
    [InlineData("DOCTOR_REVOKED", nameof(RetractionStep.AnotherDoctor))]
    [InlineData("BRIDGE_NOT_CREATOR", nameof(RetractionStep.MakeAnew))]
    [InlineData("CLOCK_SKEW", nameof(RetractionStep.Retry))]
    [InlineData("NOT_FOUND", nameof(RetractionStep.Failed))]
    [InlineData("LOCKED", nameof(RetractionStep.Failed))]
    public void JudgeRetraction_Code_SaysWhatToDo(string code, string step) => Assert.Equal(step, RetractionRules.Judge(code).ToString());

    [Theory]
    [InlineData(SummaryState.Erased, nameof(RetractionStep.Done))]
    [InlineData(SummaryState.Live, nameof(RetractionStep.Retry))]
    [InlineData(SummaryState.Withdrawn, nameof(RetractionStep.Gone))]
    [InlineData(SummaryState.NotFound, nameof(RetractionStep.Gone))]
    [InlineData(SummaryState.Forged, nameof(RetractionStep.Failed))]
    public void JudgeRetractionFound_State_SaysWhatToDo(SummaryState found, string step) => Assert.Equal(step, RetractionRules.JudgeFound(found).ToString());

    [Theory]
    [InlineData(10, 10, true)]
    [InlineData(11, 100, false)]
    [InlineData(11, 110, true)]
    [InlineData(2000, 2023, false)]
    public void IsPlausible_ManyGoneAtOnce_IsTheServersFault(int gone, int among, bool plausible) => Assert.Equal(plausible, GoneRules.IsPlausible(gone, among));

    [Fact]
    public void JudgeConsent_OfATextThatNobodyShips_IsRefused()
    {
        var now = new DateTimeOffset(2026, 11, 22, 8, 0, 0, TimeSpan.Zero);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var keys = EnrolmentCode.New().Derive("HospitalAMSP", new CaDigests([Digest.Of("bridge"u8)], [Digest.Of("people"u8)]));
        EnrolmentRequest Request(string text, string recipient = "PortalMSP", string expires = "2027-01-01") =>
            EnrolmentRequest.Create(keys, "PortalMSP", key, [Purposes.Peers], [recipient], text, "en", DateOnly.Parse(expires, System.Globalization.CultureInfo.InvariantCulture));
        (bool Good, string Fault) Judge(EnrolmentRequest request, string hospital = "HospitalAMSP") =>
            ConsentRules.Judge(request, hospital, "PortalMSP", now) is var (consent, fault) ? (consent is not null, fault) : default;

        foreach (var shipped in ConsentNotice.Shipped)
            Assert.Equal((true, ""), Judge(Request(shipped.Text)));
        Assert.Equal((false, "UNKNOWN_NOTICE"), Judge(Request("You agree to everything.")));
        Assert.Equal((false, "UNKNOWN_NOTICE"), Judge(Request(ConsentNotice.Shipped[0].Text + " ")));

        var text = ConsentNotice.Shipped[0].Text;
        Assert.Equal((false, "CONSENT_NOT_VALID"), Judge(Request(text), "HospitalBMSP"));
        Assert.Equal((false, "CONSENT_NOT_VALID"), Judge(Request(text, recipient: "OtherMSP")));
        Assert.Equal((false, "CONSENT_NOT_VALID"), Judge(Request(text, expires: "2026-11-21")));
        // Its last day counts to the end.
        Assert.Equal((true, ""), Judge(Request(text, expires: "2026-11-22")));
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Assert.Equal((false, "CONSENT_NOT_VALID"), Judge(Request(text) with { SubjectPublicKeyInfo = other.ExportSubjectPublicKeyInfo() }));
    }

    private static string Text(IntakeDecision decision) =>
        decision.Step is IntakeStep.Insert or IntakeStep.Update ? $"{decision.Step} {decision.Status} {decision.Reason} {decision.TakesBack}" : decision.Step.ToString();

    private static Extraction Reading(ExtractionOutcome outcome, WithheldReason withheld) =>
        new() { Outcome = outcome, Withheld = withheld, EncounterId = "e1", EncounterVersion = "1", PatientId = "p1", ContentDigest = "d1" };

    private static IEnumerable<AnchorRow> Queue(int count, DateTimeOffset notBefore) => Enumerable.Range(1, count).Select(i => Anchor(i, $"p{i}", notBefore));

    private static AnchorRow Anchor(long id, string patient, DateTimeOffset notBefore) =>
        new() { AnchorId = id, Pseudonym = patient, NotBefore = notBefore.ToUnixTimeMilliseconds() };
}
