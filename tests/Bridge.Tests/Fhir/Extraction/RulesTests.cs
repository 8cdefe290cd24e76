using System.Text;
using Bridge.Fhir;
using Bridge.Fhir.Extraction;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

public class RulesTests
{
    private static readonly DateTimeOffset End = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ReadyOptions Waits = new();

    [Theory]
    [InlineData("AMB", 0, true, 1, Readiness.Settling, 24)]
    [InlineData("AMB", 0, true, 24, Readiness.Ready, 0)]
    [InlineData("AMB", 71, true, 71.5, Readiness.Settling, 72)] // changed late: the longest wait ends it
    [InlineData("AMB", 71, true, 72, Readiness.Ready, 0)]
    [InlineData("IMP", 71, true, 72, Readiness.Settling, 95)]
    [InlineData("IMP", 71, true, 95, Readiness.Ready, 0)]
    [InlineData("AMB", 0, false, 30, Readiness.Settling, 54)] // a Condition may arrive without a trace in the encounter: look once a day
    [InlineData("AMB", 0, false, 60, Readiness.Settling, 72)]
    [InlineData("AMB", 0, false, 72, Readiness.NoCondition, 0)]
    [InlineData("IMP", 0, false, 335, Readiness.Settling, 336)]
    [InlineData("IMP", 0, false, 336, Readiness.NoCondition, 0)]
    public void Judge_HoursAfterTheEnd_IsReadyWhenSettledOrOverdue(string cls, double changed, bool coded, double now, Readiness expected, double again)
    {
        var verdict = ReadyRule.Judge(cls, End, End.AddHours(changed), coded, End.AddHours(now), Waits);

        Assert.Equal(expected, verdict.Readiness);
        Assert.Equal(expected == Readiness.Settling ? End.AddHours(again) : null, verdict.LookAgainAt);
    }

    [Fact]
    public void Judge_SandboxWaits_NeverSettles()
    {
        Assert.Equal(Readiness.Ready, ReadyRule.Judge("IMP", End, End, true, End, ReadyOptions.AtOnce).Readiness);
        Assert.Equal(Readiness.NoCondition, ReadyRule.Judge("IMP", End, End, false, End, ReadyOptions.AtOnce).Readiness);
    }

    [Theory]
    [InlineData("E11.9", CodeLevel.Category, "E11")]
    [InlineData("E11.9", CodeLevel.Block, "E08-E13")]
    [InlineData("E11.9", CodeLevel.Chapter, "E00-E89")]
    [InlineData("E11.900x001", CodeLevel.Block, "E08-E13")]
    [InlineData("Z68.41", CodeLevel.Chapter, "Z00-Z99")]
    [InlineData("Z68.41", CodeLevel.Block, null)]
    [InlineData("U99.9", CodeLevel.Chapter, null)]
    public void Generalise_CodeOfTheSampleHierarchy_WalksUp(string code, CodeLevel level, string? expected) =>
        Assert.Equal(expected, TestFiles.SampleTerms.Value.Hierarchy.Generalise(code, level));

    [Theory]
    [InlineData("A00.1", CodeLevel.Block, "A00-A09")]
    [InlineData("A00.1", CodeLevel.Chapter, "A00-B99")]
    [InlineData("O9A.311", CodeLevel.Chapter, "O00-O9A")]
    [InlineData("Z68.41", CodeLevel.Chapter, "Z00-Z99")]
    [InlineData("C50.911", CodeLevel.Chapter, "C00-D49")]
    public void Generalise_WholeReleaseOfTheCdc_GivesRanges(string code, CodeLevel level, string expected) =>
        Assert.Equal(expected, CodeHierarchy.Load(TestFiles.Shared(Path.Combine("terminology", "icd10cm-2021-hierarchy.tsv.gz"))).Generalise(code, level));

    [Theory]
    [InlineData(5, "E11.9", CodeLevel.Code, "50-59", "E11.9")]
    [InlineData(100, "E11.9", CodeLevel.Category, "50-59", "E11")]
    [InlineData(1000, "E11.9", CodeLevel.Block, "50-59", "E08-E13")]
    [InlineData(10_000, "E11.9", CodeLevel.Chapter, "50-59", "E00-E89")]
    [InlineData(15_000, "E11.9", CodeLevel.Chapter, "40-59", "E00-E89")]
    [InlineData(100_000, null, CodeLevel.Code, "50-59", null)]
    public void Conditions_GrowingK_GeneralisesCodeThenBandThenDrops(int k, string? code, CodeLevel level, string band, string? released)
    {
        var counts = Table("""
            code	sex	ageBand	people
            E11.9	female	50-59	50
            E11	female	50-59	500
            E08-E13	female	50-59	5000
            E00-E89	female	50-59	12000
            E00-E89	female	40-49	9000
            """);
        var minimiser = new Minimiser(TestFiles.SampleTerms.Value with { Counts = counts }, new MinimiserOptions { K = k });
        var sources = new List<SourceField>();

        var result = minimiser.Conditions([new(new(CodeSystems.Icd10Cm, "E11.9"), "c", "Condition.code")], "female", "50-59", "40-59", false, sources);

        Assert.Equal(code is null ? [] : [new CodedConcept(CodeSystems.Icd10Cm, released!, level, 1)], result.Conditions);
        Assert.Equal(band, result.AgeBand);
        Assert.Equal(code is null ? FieldTreatment.DroppedAsRare : level == CodeLevel.Code ? FieldTreatment.AsRecorded : FieldTreatment.GeneralisedForRarity, Assert.Single(sources).Treatment);
    }

    [Fact]
    public void Conditions_TwoCodesOfOneCategory_LeaveAsOneAndRanksStayDense()
    {
        var counts = Table("code\tsex\tageBand\tpeople\nE11\tmale\t60-69\t50\nI10\tmale\t60-69\t50");
        var minimiser = new Minimiser(TestFiles.SampleTerms.Value with { Counts = counts });

        var result = minimiser.Conditions(
            [new(new(CodeSystems.Icd10Cm, "E11.9"), "a", ""), new(new(CodeSystems.Icd10Cm, "E11.65"), "b", ""), new(new(CodeSystems.Icd10Cm, "I10"), "c", "")],
            "male", "60-69", "60-79", false, []);

        Assert.Equal([("E11", CodeLevel.Category, 1), ("I10", CodeLevel.Code, 2)], result.Conditions.Select(c => (c.Code, c.Level, c.Rank)));
    }

    [Theory]
    [InlineData(CodeSystems.Icd10Cm, "F32.9", "mental-health")]
    [InlineData(CodeSystems.Icd10Cn, "F20.900x002", "mental-health")]
    [InlineData(CodeSystems.Icd10, "B24", "hiv")]
    [InlineData(CodeSystems.Icd10Cm, "O9A.311", "abuse,reproductive")]
    [InlineData(CodeSystems.Icd10Cm, "F17.210", "addiction")]
    [InlineData(CodeSystems.Icd10Cm, "Z21", "hiv")]
    [InlineData(CodeSystems.Icd10Cm, "R78.81", "")] // bacteraemia
    [InlineData(CodeSystems.Icd10Cm, "E11.9", "")]
    [InlineData(CodeSystems.Snomed, "72892002", "reproductive")] // by the map
    [InlineData(CodeSystems.Snomed, "31676001", "hiv")]
    [InlineData(CodeSystems.Atc, "J05AR10", "hiv")]
    [InlineData(CodeSystems.Atc, "C07AB07", "")]
    public void CategoriesOf_Code_FollowsTheShippedList(string system, string code, string expected) =>
        Assert.Equal(expected, string.Join(',', SensitiveNodes.Shipped.CategoriesOf(system, code, TestFiles.SampleTerms.Value.Map)));

    [Theory]
    [InlineData("1974-06-15", "2024-06-14", "40-49", "40-59")]
    [InlineData("1974-06-15", "2024-06-15", "50-59", "40-59")]
    [InlineData("1984", "2014", null, "20-39")]
    [InlineData("1974", "2014", null, null)]
    [InlineData("1920-01", "2024-06-15", "90+", "80+")]
    [InlineData("2024-06-15", "2024-06-15", "0-9", "0-19")]
    public void Band_VagueDates_GiveABandOnlyWhereItIsSure(string birth, string end, string? band, string? wide)
    {
        Assert.True(FhirDate.TryParse(Encoding.ASCII.GetBytes(birth), out var b));
        Assert.True(FhirDate.TryParse(Encoding.ASCII.GetBytes(end), out var e));

        Assert.Equal((band, wide), (Ages.Band(b, e), Ages.WideBand(b, e)));
    }

    [Theory]
    [InlineData("2024-02-30")]
    [InlineData("2023-02-29")]
    [InlineData("2024-13")]
    [InlineData("2024-00-10")]
    [InlineData("0000")]
    [InlineData("24")]
    [InlineData("2024-01-01T25:00:00Z")]
    [InlineData("2024-01-01T10:61:00Z")]
    [InlineData("2024-01-01T10:00:00+15:00")]
    [InlineData("2024-01-01 10:00")]
    [InlineData("yesterday")]
    public void TryParse_DateThatDoesNotExist_IsRefused(string text) => Assert.False(FhirDate.TryParse(Encoding.ASCII.GetBytes(text), out _));

    [Fact]
    public void TryParse_MidnightElsewhere_KeepsTheHospitalsOwnMonth()
    {
        Assert.True(FhirDate.TryParse("2024-03-01T00:30:00.1234567+08:00"u8, out var date));
        Assert.Equal("2024-03", date.ToMonth());
        Assert.Equal(new DateTimeOffset(2024, 2, 29, 16, 30, 0, TimeSpan.Zero).AddTicks(1234567), date.Instant);
    }

    [Fact]
    public void Extract_SettlingThenChangedChild_WaitsAgainAndThenIsReady()
    {
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value));
        string Condition(string updated) => """{"resourceType":"Condition","id":"c","meta":{"lastUpdated":"@"},"code":{"coding":[{"system":"http://snomed.info/sct","code":"195967001"}]},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"}}"""
            .Replace("@", updated, StringComparison.Ordinal);
        EncounterFile File(string updated) => new()
        {
            Encounter = new(Encoding.UTF8.GetBytes("""{"resourceType":"Encounter","id":"e","meta":{"versionId":"7","lastUpdated":"2026-03-01T12:00:00Z"},"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"end":"2026-03-01T12:00:00Z"},"participant":[{"individual":{"reference":"Practitioner/d"}}]}""")),
            Patient = new FhirResource("""{"resourceType":"Patient","id":"p","gender":"female","birthDate":"1990-01-01"}"""u8.ToArray()),
            Conditions = [new(Encoding.UTF8.GetBytes(Condition(updated)))],
        };

        var first = extractor.Extract(File("2026-03-01T12:00:00Z"), new ExtractionContext { Now = End.AddHours(2) });
        var changed = extractor.Extract(File("2026-03-02T11:00:00Z"), new ExtractionContext { Now = End.AddHours(24) });
        var ready = extractor.Extract(File("2026-03-02T11:00:00Z"), new ExtractionContext { Now = End.AddHours(48) });

        Assert.Equal(("Settling", End.AddHours(24)), (first.Name, first.ReadAgainAt));
        Assert.Equal(("Settling", End.AddHours(47)), (changed.Name, changed.ReadAgainAt));
        Assert.Equal(("Ready", "7", "p"), (ready.Name, ready.EncounterVersion, ready.PatientId));
        var known = new ExtractionContext { Now = End.AddHours(48), Known = [new KnownContent(ready.Draft!.Conditions, ready.Draft.Treatments)] };
        Assert.Equal("Withheld(NothingNew)", extractor.Extract(File("2026-03-02T11:00:00Z"), known).Name);
    }

    private static CountTable Table(string text)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            return CountTable.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
