using System.Text;
using System.Text.Json;
using Bridge.Fhir.Extraction;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>Sets that others made: each encounter gives a summary or a named reason, and no input an exception.</summary>
public class PublicSetsTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] AllCategories = [.. SensitiveNodes.Categories];

    private static SummaryExtractor Extractor() =>
        new(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });

    private static string Tally(IEnumerable<IReadOnlyList<EncounterFile>> patients, ExtractionContext context)
    {
        var extractor = Extractor();
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var files in patients)
        {
            var known = new List<KnownContent>();
            foreach (var file in files)
            {
                var result = extractor.Extract(file, context with { Known = known });
                outcomes[result.Name] = outcomes.GetValueOrDefault(result.Name) + 1;
                if (result.Outcome == ExtractionOutcome.Ready)
                    known.Add(new KnownContent(result.Draft!.Conditions, result.Draft.Treatments));
            }
        }
        return string.Join("; ", outcomes.Select(o => $"{o.Key} {o.Value}"));
    }

    [Fact]
    public void Extract_SyntheaHundredWithPlainConsent_EndsInTheseOutcomes()
    {
        var tally = Tally(TestFiles.Synthea().Select(f => BundleFiles.Read(f.Json)), new ExtractionContext { Now = Now });

        Assert.Equal("Ready 507; Withheld(NoCondition) 1228; Withheld(NothingNew) 167; Withheld(Sensitive) 121", tally);
    }

    [Fact]
    public void Extract_SyntheaHundredWithFullConsent_EndsInTheseOutcomes()
    {
        var tally = Tally(TestFiles.Synthea().Select(f => BundleFiles.Read(f.Json)),
            new ExtractionContext { Now = Now, RareConsented = true, ConsentedCategories = AllCategories });

        Assert.Equal("Ready 577; Withheld(NoCondition) 1228; Withheld(NothingNew) 218", tally);
    }

    [Fact]
    public void Extract_BulkSetWithConditionalReferences_EndsInTheseOutcomes()
    {
        var resources = new List<Bridge.Fhir.FhirResource>();
        foreach (var (_, gz) in TestFiles.TarGz("bulk10-2023.tar.gz").Where(f => f.Name.EndsWith(".ndjson.gz", StringComparison.Ordinal)))
        {
            foreach (var line in Encoding.UTF8.GetString(TestFiles.Gunzip(gz)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                resources.Add(new Bridge.Fhir.FhirResource(Encoding.UTF8.GetBytes(line)));
        }
        var files = BundleFiles.Group(resources);
        Assert.Equal(1215, files.Count);

        var tally = Tally([files], new ExtractionContext { Now = Now, RareConsented = true, ConsentedCategories = AllCategories });
        Assert.Equal("Ready 105; Withheld(NoCondition) 199; Withheld(NothingNew) 911", tally);
    }

    [Fact]
    public void Extract_EveryOfficialExample_GivesASummaryOrANamedReason()
    {
        var examples = TestFiles.TarGz("r4-examples.tar.gz").Where(f => f.Name.EndsWith(".json", StringComparison.Ordinal)).ToList();
        Assert.Equal(377, examples.Count);
        var extractor = Extractor();
        var all = examples.Select(e => new Bridge.Fhir.FhirResource(e.Bytes)).ToList();
        var named = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, bytes) in examples)
        {
            // each as if it were an encounter, and each as a bundle
            var result = extractor.Extract(new EncounterFile { Encounter = new Bridge.Fhir.FhirResource(bytes) }, new ExtractionContext { Now = Now });
            Assert.Contains(result.Outcome, Enum.GetValues<ExtractionOutcome>());
            if (!name.StartsWith("Encounter-", StringComparison.Ordinal))
                Assert.Equal("SetAside(NotAnEncounter)", result.Name);
            foreach (var file in BundleFiles.Read(bytes))
                Assert.NotEqual("", extractor.Extract(file, new ExtractionContext { Now = Now }).Name);
        }
        foreach (var file in BundleFiles.Group(all))
        {
            var result = extractor.Extract(file, new ExtractionContext { Now = Now, RareConsented = true, ConsentedCategories = AllCategories });
            named[result.EncounterId] = result.Name + (result.Draft is { } d ? " " + JsonSerializer.Serialize(d.Conditions.Select(c => c.Code)) : "");
        }
        Assert.Equal(
            [
                "emerg: NotFinished", "example: NotFinished", "f001: SetAside(NoPeriod)", "f002: SetAside(NoPeriod)", "f003: SetAside(NoPeriod)",
                "f201: SetAside(NoPeriod)", "f202: SetAside(NoPeriod)", "f203: Ready [\"386661006\"]", "home: Withheld(NoCondition)", "xcda: SetAside(NoPeriod)",
            ],
            named.Select(n => $"{n.Key}: {n.Value}"));
    }
}
