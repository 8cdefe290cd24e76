using System.Globalization;
using System.Text;
using Bridge.Fhir;
using Bridge.Fhir.Extraction;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>
/// The rules of the rarity filter, each by itself against a second reading of the same tables: code → category → block → chapter; a band of twenty years only where
/// it saves a diagnosis; else the diagnosis is dropped; nothing left is TooRare, which the consent to rare diagnoses lifts and marks; time is outside the cell.
/// </summary>
public class RarityTests
{
    private static readonly string[] Bands = ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+"];
    private static readonly string[] WideBands = ["0-19", "20-39", "40-59", "60-79", "80+"];
    private static readonly int[] Ks = [1, 5, 20, 100, 400, 1_000, 4_000, 20_000, 1_000_000];
    private static readonly Lazy<Tables> Sample = new(Tables.Load);

    // Every diagnosis of the sample tables, every sex and band, alone.
    [Fact]
    public void Conditions_EveryCellOfTheSample_ReleasesTheFinestNodeOfKPeopleAndNoOther()
    {
        var tables = Sample.Value;
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var k in Ks)
        {
            var minimiser = new Minimiser(TestFiles.SampleTerms.Value, new MinimiserOptions { K = k });
            foreach (var (system, code) in tables.Codes)
                foreach (var sex in (string[])["female", "male", "other"])
                    foreach (var band in Bands)
                    {
                        var wide = WideBands[Array.IndexOf(Bands, band) / 2];
                        var sources = new List<SourceField>();
                        var result = minimiser.Conditions([new(new(system, code), "c", "Condition.code")], sex, band, wide, false, sources);

                        var (level, node, at) = tables.Finest(system, code, sex, [band, wide], k);
                        var told = $"{code} {sex} {band} k={k}";
                        if (node is null)
                        {
                            Assert.True(result.Conditions.Count == 0 && sources.Single().Treatment == FieldTreatment.DroppedAsRare && sources[0].Released is null, told);
                            Count("dropped");
                            continue;
                        }
                        var released = Assert.Single(result.Conditions);
                        Assert.True((released.Code, released.Level, result.AgeBand) == (node, level, at), $"{told}: {released.Code} {released.Level} {result.AgeBand}, should be {node} {level} {at}");
                        Assert.True(tables.People(released.Code, sex, result.AgeBand) >= k, told);
                        Assert.Equal(level == CodeLevel.Code ? FieldTreatment.AsRecorded : FieldTreatment.GeneralisedForRarity, Assert.Single(sources).Treatment);
                        Assert.Equal((code, node), (sources[0].Recorded, sources[0].Released));
                        Assert.False(result.Rare);
                        Count(at == band ? $"{level}" : $"{level} in the wide band");
                    }
        }
        // Each rule was needed.
        foreach (var rule in (string[])["Code", "Category", "Block", "Chapter", "Code in the wide band", "Chapter in the wide band", "dropped"])
            Assert.True(seen.GetValueOrDefault(rule) > 0, $"{rule} never happened: {string.Join(", ", seen)}");

        void Count(string rule) => seen[rule] = seen.GetValueOrDefault(rule) + 1;
    }

    // Several diagnoses share one band: it is widened where it saves one of them, and each then takes the finest node of that band.
    [Fact]
    public void Conditions_SeveralAtOnce_ShareTheNarrowestBandThatDropsNoneThatCouldBeSaved()
    {
        var tables = Sample.Value;
        var random = new Random(20261128);
        var (widened, dropped) = (0, 0);
        for (var round = 0; round < 5_000; round++)
        {
            var k = Ks[random.Next(Ks.Length)];
            var sex = random.Next(2) == 0 ? "female" : "male";
            var band = Bands[random.Next(Bands.Length)];
            var wide = WideBands[Array.IndexOf(Bands, band) / 2];
            var recorded = Enumerable.Range(0, random.Next(2, 5)).Select(_ => tables.Codes[random.Next(tables.Codes.Count)]).ToList();
            var result = new Minimiser(TestFiles.SampleTerms.Value, new MinimiserOptions { K = k })
                .Conditions([.. recorded.Select(code => new RecordedCondition(new(code.System, code.Code), null, ""))], sex, band, wide, false, []);

            var saved = recorded.Any(code => tables.Finest(code.System, code.Code, sex, [band], k).Node is null && tables.Finest(code.System, code.Code, sex, [wide], k).Node is not null);
            var at = saved ? wide : band;
            var expected = recorded.Select(code => tables.Finest(code.System, code.Code, sex, [at], k)).Where(found => found.Node is not null)
                .DistinctBy(found => found.Node).Select(found => (found.Node, found.Level)).ToList();
            Assert.Equal(at, result.AgeBand);
            Assert.Equal(expected, result.Conditions.Select(condition => ((string?)condition.Code, condition.Level)));
            Assert.Equal(Enumerable.Range(1, expected.Count), result.Conditions.Select(condition => condition.Rank));
            widened += saved ? 1 : 0;
            dropped += recorded.Count > expected.Count ? 1 : 0;
        }
        Assert.True(widened > 100 && dropped > 100, $"{widened} widened, {dropped} dropped");
    }

    [Fact]
    public void Extract_NothingCommonEnough_IsTooRareUntilThePatientConsentsToThat()
    {
        // No cell at any level reaches it.
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value, new MinimiserOptions { K = 1_000_000 }), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var withheld = extractor.Extract(File("2025-03-07"), new ExtractionContext { Now = Now });
        var lifted = extractor.Extract(File("2025-03-07"), new ExtractionContext { Now = Now, RareConsented = true });

        Assert.Equal("Withheld(TooRare)", withheld.Name);
        Assert.Null(withheld.Draft);
        Assert.False(withheld.ReleasesRare);
        Assert.Equal("Ready", lifted.Name);
        Assert.True(lifted.ReleasesRare);
        Assert.Equal(("195967001", CodeLevel.Code), (lifted.Draft!.Conditions.Single().Code, lifted.Draft.Conditions.Single().Level));
        Assert.Contains(lifted.Sources, source => source is { Field: "conditions", Treatment: FieldTreatment.RareByConsent });

        // Where nothing is rare the consent changes and marks nothing.
        var usual = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var without = usual.Extract(File("2025-03-07"), new ExtractionContext { Now = Now });
        var with = usual.Extract(File("2025-03-07"), new ExtractionContext { Now = Now, RareConsented = true });
        Assert.Equal(without.ContentDigest, with.ContentDigest);
        Assert.False(with.ReleasesRare);
    }

    // The same diagnosis of the same person, in every month of the ten years of one age band.
    [Fact]
    public void Extract_WhateverTheMonth_GeneralisesTheSame()
    {
        foreach (var k in Ks.Take(6))
        {
            var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value, new MinimiserOptions { K = k }), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
            var drafts = Enumerable.Range(0, 100).Select(month => new DateOnly(2016, 1, 7).AddMonths(month).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture))
                .Select(end => extractor.Extract(File(end), new ExtractionContext { Now = Now })).ToList();

            Assert.Single(drafts.Select(extraction => (extraction.Name, string.Join(' ', extraction.Draft?.Conditions.Select(condition => $"{condition.Code} {condition.Level}") ?? []), extraction.Draft?.AgeBand)).Distinct());
        }
    }

    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static EncounterFile File(string end) => new()
    {
        Encounter = new(Encoding.UTF8.GetBytes(
            """{"resourceType":"Encounter","id":"e","meta":{"versionId":"1"},"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"end":"@"},"participant":[{"individual":{"reference":"Practitioner/d"}}]}"""
            .Replace("@", end, StringComparison.Ordinal))),
        Patient = new FhirResource("""{"resourceType":"Patient","id":"p","gender":"female","birthDate":"1985-12-31"}"""u8.ToArray()),
        Conditions = [new("""{"resourceType":"Condition","id":"c","code":{"coding":[{"system":"http://snomed.info/sct","code":"195967001"}]},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"}}"""u8.ToArray())],
    };

    /// <summary>The sample tables as a statistician would read them.</summary>
    private sealed class Tables
    {
        private readonly Dictionary<string, string> parents = new(StringComparer.Ordinal);
        private readonly Dictionary<string, string> map = new(StringComparer.Ordinal);
        private readonly Dictionary<(string, string, string), int> cells = [];

        public List<(string System, string Code)> Codes { get; } = [];

        public static Tables Load()
        {
            var tables = new Tables();
            foreach (var row in Rows("icd10-hierarchy.tsv"))
                tables.parents[row[0]] = row[1];
            foreach (var row in Rows("snomed-to-icd10cm.tsv"))
                tables.map[row[0]] = row[1];
            foreach (var row in Rows("people-counts.tsv"))
                tables.cells[(row[0], row[1], row[2])] = int.Parse(row[3], CultureInfo.InvariantCulture);
            tables.Codes.AddRange(tables.map.Keys.Select(code => (CodeSystems.Snomed, code)));
            tables.Codes.AddRange(tables.map.Values.Distinct().Select(code => (CodeSystems.Icd10Cm, code)));
            return tables;

            static IEnumerable<string[]> Rows(string name) => System.IO.File.ReadLines(Path.Combine(TestFiles.Maps, name))
                .Where(line => line.Length > 0 && line[0] != '#').Skip(1).Select(line => line.Split('\t'));
        }

        public int People(string node, string sex, string band)
        {
            if (cells.TryGetValue((node, sex, band), out var people))
                return people;
            var wide = Array.IndexOf(WideBands, band);
            return wide < 0 ? 0 : cells.GetValueOrDefault((node, sex, Bands[wide * 2])) + cells.GetValueOrDefault((node, sex, Bands[wide * 2 + 1]));
        }

        /// <summary>The finest node with k people, in the first of the bands that has one at any level.</summary>
        public (CodeLevel Level, string? Node, string Band) Finest(string system, string code, string sex, string[] bands, int k)
        {
            foreach (var band in bands)
                foreach (var (level, node) in Nodes(system, code))
                    if (People(node, sex, band) >= k)
                        return (level, node, band);
            return (default, null, bands[0]);
        }

        private IEnumerable<(CodeLevel, string)> Nodes(string system, string code)
        {
            yield return (CodeLevel.Code, code);
            if ((system == CodeSystems.Snomed ? map.GetValueOrDefault(code) : code) is not { } icd)
                yield break;
            yield return (CodeLevel.Category, icd[..3]);
            // A range that stands in another is a block, one that stands in none is a chapter.
            for (var at = parents.GetValueOrDefault(icd[..3]); !string.IsNullOrEmpty(at); at = parents.GetValueOrDefault(at))
                if (at.Contains('-', StringComparison.Ordinal))
                    yield return (string.IsNullOrEmpty(parents[at]) ? CodeLevel.Chapter : CodeLevel.Block, at);
        }
    }
}
