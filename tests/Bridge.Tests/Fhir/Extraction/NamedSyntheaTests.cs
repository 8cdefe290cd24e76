using Bridge.Fhir.Extraction;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>Encounters of the Synthea set, read by hand from their bundles and compared field by field.</summary>
public class NamedSyntheaTests
{
    [Theory]
    [InlineData("Filiberto_Ryan", "6bd1936c-4f22-4ab6-86ec-89b6ebe96be6", "2017-12 IMP 10-19 male home", "428251008", "procedure:80146002", "e34619ed-fc04-401f-a94c-1cf43395f4b3")]
    [InlineData("Evelyn_McCullough", "f1ec437d-c685-4615-a92f-c714b550d0fc", "1998-08 EMER 50-59 female ", "22298006 399211009", "procedure:232717009 procedure:415070008", "89af50db-f85c-497f-aa1f-f1c5cea70bc7")]
    [InlineData("Loyd_Connelly", "17cfc6f6-d19f-4624-a04f-835114b8b1a3", "2004-05 AMB 70-79 male ", "126906006 92691004", "medication:1860480 medication:752899 procedure:90470006", "e34619ed-fc04-401f-a94c-1cf43395f4b3")]
    [InlineData("Kristopher_Upton", "5c86c1d9-370f-4b38-b6ab-efee0ee63668", "1926-04 EMER 0-9 male home", "128613002 703151001 84757009", "", "21deb55c-2cda-4306-947d-001412452463")]
    [InlineData("Lemuel_Hodkiewicz", "8ca871d7-a5da-4c1a-b2dd-f960af8a2290", "2000-02 IMP 10-19 male home", "428251008", "", "dcd1d857-7a66-41bf-a779-44d4b1aa0f0b")]
    public void Extract_NamedEncounter_GivesWhatItsBundleSays(string patient, string encounter, string fields, string conditions, string treatments, string doctor)
    {
        var json = TestFiles.Synthea(patient);
        var file = BundleFiles.Read(json).Single(f => f.Encounter.FullUrl == "urn:uuid:" + encounter);
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });

        var result = extractor.Extract(file, new ExtractionContext { Now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) });

        Assert.Equal("Ready", result.Name);
        var draft = result.Draft!;
        Assert.Equal(fields, $"{draft.Period} {draft.Class} {draft.AgeBand} {draft.Sex} {draft.Disposition}");
        Assert.Equal(conditions, string.Join(' ', draft.Conditions.Select(c => c.Code)));
        Assert.All(draft.Conditions, c => Assert.Equal((CodeSystems.Snomed, CodeLevel.Code), (c.System, c.Level)));
        Assert.Equal(treatments, string.Join(' ', draft.Treatments.Select(t => $"{t.Kind.ToString().ToLowerInvariant()}:{t.Code}")));
        Assert.Equal((doctor, DoctorRole.Sole), (Assert.Single(result.Doctors).PractitionerId, result.Doctors[0].Role));
    }
}
