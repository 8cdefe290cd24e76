using System.Text;
using System.Text.Json.Nodes;
using Bridge.Fhir;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.Records;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>No input throws, and whatever becomes Ready fits the format that the ledger accepts.</summary>
public class FuzzTests
{
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") is null ? 400 : 20_000;

    private static readonly ExtractionContext Context = new()
    {
        Now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
        RareConsented = true,
        ConsentedCategories = [.. SensitiveNodes.Categories],
    };

    private static readonly string[] Nasty =
    [
        "null", "true", "0", "-1", "1e400", "\"\"", "\"\\ud800\"", "\"2024-02-30\"", "\"9999-12-31T23:59:59.9999999-14:00\"", "\"0001-01-01T00:00:00+14:00\"", "\"#\"", "\"#dr\"",
        "\"Patient/../../x\"", "[]", "{}", "[[]]", "[{}]", "{\"reference\":1}", "{\"coding\":{}}", "{\"coding\":[null,1,{\"code\":[]}]}", "\"\\u0000\"", "\"http://snomed.info/sct\"",
        "[{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"44054006\"}]}]", "{\"reference\":\"urn:uuid:\"}", "{\"reference\":\"PractitionerRole/role-07\"}", "\"2024\"", "9007199254740993",
    ];

    private static readonly Lazy<SummaryExtractor> Extractor =
        new(() => new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce }));

    private static readonly Lazy<byte[][]> Seeds = new(() =>
        [.. Directory.GetDirectories(TestFiles.Samples).Select(d => Path.Combine(d, "input.json")).Where(File.Exists).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)]);

    [Fact]
    public void Extract_MutatedBytes_NeverThrows() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(Rounds).WithReplay(20260301, 77),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var bytes = (byte[])Seeds.Value[random.Next(Seeds.Value.Length)].Clone();
            for (var i = random.Next(1, 12); i > 0; i--)
                bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)"{}[]\",:\\"[random.Next(8)] : (byte)random.Next(256);
            Drive(random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
        }));

    [Fact]
    public void Extract_MutatedMembers_NeverThrowsAndReadyFitsTheFormat() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(Rounds).WithReplay(20260302, 77),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var root = JsonNode.Parse(Seeds.Value[random.Next(Seeds.Value.Length)])!;
            var nodes = All(root).Where(n => n.Parent is not null).ToList();
            var raw = new List<string>();
            for (var i = random.Next(1, 6); i > 0; i--)
            {
                var node = nodes[random.Next(nodes.Count)];
                if (node.Parent is null)
                    continue;
                // put in as text: JsonNode would not write some of these back
                raw.Add(random.Next(3) == 0 ? nodes[random.Next(nodes.Count)].ToJsonString() : Nasty[random.Next(Nasty.Length)]);
                node.ReplaceWith($"@{raw.Count - 1}@");
            }
            var text = root.ToJsonString();
            for (var i = raw.Count - 1; i >= 0; i--)
                text = text.Replace($"\"@{i}@\"", raw[i], StringComparison.Ordinal);
            Drive(Encoding.UTF8.GetBytes(text));
        }));

    [Fact]
    public void Extract_MemberReplacedByEveryNastyValue_NeverThrows()
    {
        var seed = File.ReadAllBytes(Path.Combine(TestFiles.Samples, "diabetes-clinic", "input.json"));
        var count = All(JsonNode.Parse(seed)!).Count();
        for (var at = 1; at < count; at += Rounds == 400 ? 3 : 1)
        {
            var root = JsonNode.Parse(seed)!;
            All(root).ElementAt(at).ReplaceWith("@0@");
            var text = root.ToJsonString();
            foreach (var nasty in Nasty)
                Drive(Encoding.UTF8.GetBytes(text.Replace("\"@0@\"", nasty, StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{")]
    [InlineData("{\"resourceType\":\"Encounter\"")]
    [InlineData("{\"resourceType\":\"Encounter\",\"id\":\"a\",\"status\":\"finished\"}}")]
    public void Extract_NoEncounterAtAll_HasAReason(string json)
    {
        var result = Extractor.Value.Extract(new EncounterFile { Encounter = new FhirResource(Encoding.UTF8.GetBytes(json)) }, Context);

        Assert.Equal(ExtractionOutcome.SetAside, result.Outcome);
        Assert.Contains(result.SetAside, new[] { SetAsideReason.Malformed, SetAsideReason.NotAnEncounter, SetAsideReason.NoSubject });
    }

    [Fact]
    public void Extract_TenThousandDeep_IsSetAsideWhereverItStands()
    {
        var deep = string.Concat(Enumerable.Repeat("{\"a\":[", 5_000)) + "1" + string.Concat(Enumerable.Repeat("]}", 5_000));
        var encounter = $$"""{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"x":{{deep}}}""";
        var result = Extractor.Value.Extract(new EncounterFile { Encounter = new FhirResource(Encoding.UTF8.GetBytes(encounter)) }, Context);
        Assert.Equal("SetAside(TooDeep)", result.Name);
        Assert.Equal("e", result.EncounterId);

        // in a child it costs that child only
        var bundle = Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(TestFiles.Samples, "diabetes-clinic", "input.json")))
            .Replace("\"text\": \"Type 2 diabetes, well controlled; sister Philippa has it too\"", "\"x\": " + deep, StringComparison.Ordinal);
        var file = Assert.Single(BundleFiles.Read(Encoding.UTF8.GetBytes(bundle)));
        Assert.Equal(["I10"], Extractor.Value.Extract(file, Context).Draft!.Conditions.Select(c => c.Code));
    }

    [Fact]
    public void Extract_RoleThatLeadsBackToItself_IsAReferenceLoop()
    {
        var bundle = Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(TestFiles.Samples, "practitioner-role", "input.json")))
            .Replace("\"reference\": \"Practitioner/doc-07\"", "\"reference\": \"PractitionerRole/role-07\"", StringComparison.Ordinal);
        var file = Assert.Single(BundleFiles.Read(Encoding.UTF8.GetBytes(bundle)));

        Assert.Equal("SetAside(ReferenceLoop)", Extractor.Value.Extract(file, Context).Name);
    }

    [Fact]
    public void Extract_HundredMegabytes_IsSetAsideAndItsNeighboursAreNot()
    {
        var bundle = new byte[100_000_000];
        Array.Fill(bundle, (byte)'x');
        "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Encounter\",\"id\":\"huge\",\"status\":\"finished\",\"text\":{\"div\":\""u8.CopyTo(bundle);
        var tail = "\"}}},{\"resource\":{\"resourceType\":\"Encounter\",\"id\":\"small\",\"status\":\"planned\"}}]}"u8;
        tail.CopyTo(bundle.AsSpan(bundle.Length - tail.Length));

        var results = BundleFiles.Read(bundle).Select(f => Extractor.Value.Extract(f, Context)).ToList();

        Assert.Equal([("huge", "SetAside(TooLarge)"), ("small", "NotFinished")], results.Select(r => (r.EncounterId, r.Name)));
    }

    private static void Drive(byte[] bundle)
    {
        foreach (var file in BundleFiles.Read(bundle))
        {
            var result = Extractor.Value.Extract(file, Context);
            if (result.Outcome == ExtractionOutcome.SetAside)
                Assert.NotEqual(SetAsideReason.None, result.SetAside);
            if (result.Draft is { } draft)
                Fits(draft);
        }
        _ = Extractor.Value.Extract(new EncounterFile { Encounter = new FhirResource(bundle) }, Context);
        _ = SightingReader.Read(new FhirResource(bundle));
        foreach (var resource in BundleFraming.Frame(bundle, ResourceLimits.MaxResourceBytes).Resources)
            SightsAlike(resource);
    }

    /// <summary>A sighting read in one pass says what one does that is read with all faults in mind, and extraction gives the same from it as from the bytes.</summary>
    private static void SightsAlike(FhirResource resource)
    {
        var (once, careful) = (SightingReader.Read(resource), SightingReader.ReadWithFaults(resource));
        Assert.Equal(careful, once with { Scan = null });
        if (once.Scan is null)
            return;
        var (given, bytes) = (
            Extractor.Value.Extract(new EncounterFile { Encounter = resource, Scan = once.Scan }, Context), Extractor.Value.Extract(new EncounterFile { Encounter = resource }, Context));
        Assert.Equal((bytes.Name, bytes.EncounterId, bytes.EncounterVersion, bytes.PatientId), (given.Name, given.EncounterId, given.EncounterVersion, given.PatientId));
    }

    private static void Fits(SummaryDraft draft)
    {
        Assert.Matches("^(19|20|21)[0-9]{2}(-(0[1-9]|1[0-2]))?$", draft.Period);
        Assert.Contains(draft.Class, new[] { "AMB", "EMER", "FLD", "HH", "IMP", "ACUTE", "NONAC", "OBSENC", "PRENC", "SS", "VR" });
        Assert.InRange(draft.Conditions.Count, 1, MinimalSummary.MaxConditions);
        Assert.InRange(draft.Treatments.Count, 0, MinimalSummary.MaxTreatments);
        Assert.Equal(Enumerable.Range(1, draft.Conditions.Count), draft.Conditions.Select(c => c.Rank));
        Assert.All(draft.Conditions, c => Assert.True(CodeSystems.IsForConditions(c.System)));
        Assert.All(draft.Treatments, t => Assert.True(CodeSystems.IsForTreatments(t.System, t.Kind)));
        Assert.All(draft.Conditions.Select(c => c.Code).Concat(draft.Treatments.Select(t => t.Code)), c => Assert.Matches("^[A-Za-z0-9][A-Za-z0-9.+*/-]{0,31}$", c));
        Assert.Equal(draft.Conditions.Count, draft.Conditions.Select(c => (c.System, c.Code)).Distinct().Count());
        var keys = draft.Treatments.Select(t => $"{t.Kind.ToString().ToLowerInvariant()}\0{t.System}\0{t.Code}").ToList();
        Assert.Equal(keys.Distinct().Order(StringComparer.Ordinal), keys);
        Assert.NotNull(AgeBands.Index(draft.AgeBand));
        Assert.Contains(draft.Sex, new[] { "male", "female", "other", "unknown" });
        if (draft.Disposition is not null)
            Assert.Contains(draft.Disposition, new[] { "home", "alt-home", "other-hcf", "hosp", "long", "aadvice", "exp", "psy", "rehab", "snf", "oth" });
    }

    private static IEnumerable<JsonNode> All(JsonNode node)
    {
        yield return node;
        IEnumerable<JsonNode?> children = node switch { JsonObject o => o.Select(m => m.Value), JsonArray a => a, _ => [] };
        foreach (var child in children)
        {
            if (child is null)
                continue;
            foreach (var inner in All(child))
                yield return inner;
        }
    }
}
