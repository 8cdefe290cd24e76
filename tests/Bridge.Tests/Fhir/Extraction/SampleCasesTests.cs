using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Fhir.Extraction;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Fhir.Extraction;

/// <summary>The hand-checked cases of fhir-samples, field by field.</summary>
public class SampleCasesTests
{
    public static TheoryData<string> Cases() =>
        [.. Directory.GetDirectories(TestFiles.Samples).Select(d => Path.GetFileName(d)!).Where(n => n != "maps").Order(StringComparer.Ordinal)];

    [Fact]
    public void Samples_AreAtLeastTwenty() => Assert.True(Cases().Count >= 20);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Extract_HandCheckedCase_GivesTheExpectedSummary(string name)
    {
        var input = File.ReadAllBytes(Path.Combine(TestFiles.Samples, name, "input.json"));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(TestFiles.Samples, name, "expected.summary.json")))!;
        var result = Run(input, expected);

        Assert.Equal((string?)expected["outcome"], result.Name);
        Assert.Equal((string?)expected["encounter"], result.EncounterId);
        Assert.Equal(expected["sensitive"]?.AsArray().Select(n => (string)n!) ?? [], result.SensitiveCategories);
        Assert.Equal((bool?)expected["releasesRare"] ?? false, result.ReleasesRare);
        Assert.Equal(expected["summary"]?.ToJsonString(), result.Draft is { } draft ? Json(draft).ToJsonString() : null);
        if (expected["doctors"] is JsonArray doctors)
        {
            Assert.Equal(
                doctors.Select(d => $"{(string?)d!["practitioner"]}|{(string?)d["licence"]}|{(string?)d["role"]}"),
                result.Doctors.Select(d => $"{d.PractitionerId}|{d.Identifiers.Single().Value}|{d.Role}"));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Extract_HandCheckedCase_LetsNoCanaryOut(string name)
    {
        var input = File.ReadAllBytes(Path.Combine(TestFiles.Samples, name, "input.json"));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(TestFiles.Samples, name, "expected.summary.json")))!;
        var result = Run(input, expected);
        var said = JsonSerializer.Serialize(result.Draft, JsonSerializerOptions.Web) + JsonSerializer.Serialize(result.Sources, JsonSerializerOptions.Web);
        said = System.Text.RegularExpressions.Regex.Unescape(said.Replace("\\\"", "'", StringComparison.Ordinal));

        foreach (var canary in Canaries(JsonNode.Parse(input)!))
            Assert.DoesNotContain(canary, said);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Extract_HandCheckedCase_ExplainsEveryFieldOfItsDraft(string name)
    {
        var input = File.ReadAllBytes(Path.Combine(TestFiles.Samples, name, "input.json"));
        var expected = JsonNode.Parse(File.ReadAllText(Path.Combine(TestFiles.Samples, name, "expected.summary.json")))!;
        if (Run(input, expected) is not { Draft: { } draft } result)
            return;
        string[] released = [.. result.Sources.Where(s => s.Released is not null).Select(s => s.Released!)];
        string[] leaving = [draft.Period, draft.Class, draft.AgeBand, draft.Sex, .. draft.Conditions.Select(c => c.Code), .. draft.Treatments.Select(t => t.Code)];
        Assert.All(leaving, value => Assert.Contains(value, released));
        Assert.All(result.Sources, s => Assert.NotEqual("", s.Why));
        Assert.Equal(64, result.ContentDigest.Length);
    }

    private static Bridge.Fhir.Extraction.Extraction Run(byte[] input, JsonNode expected)
    {
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        return extractor.Extract(Assert.Single(BundleFiles.Read(input)), new ExtractionContext
        {
            Now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
            ConsentedCategories = [.. expected["consent"]?.AsArray().Select(n => (string)n!) ?? []],
            RareConsented = (bool?)expected["rareConsent"] ?? false,
        });
    }

    private static JsonObject Json(SummaryDraft draft)
    {
        var json = new JsonObject
        {
            ["period"] = draft.Period,
            ["class"] = draft.Class,
            ["conditions"] = new JsonArray([.. draft.Conditions.Select(c => new JsonObject
            {
                ["system"] = c.System, ["code"] = c.Code, ["level"] = c.Level.ToString().ToLowerInvariant(), ["rank"] = c.Rank,
            })]),
            ["treatments"] = new JsonArray([.. draft.Treatments.Select(t => new JsonObject
            {
                ["system"] = t.System, ["code"] = t.Code, ["kind"] = t.Kind == TreatmentKind.Procedure ? "procedure" : "medication",
            })]),
            ["ageBand"] = draft.AgeBand,
            ["sex"] = draft.Sex,
        };
        if (draft.Disposition is not null)
            json["disposition"] = draft.Disposition;
        return json;
    }

    /// <summary>Every name, number, address, narrative, display and free text of the input, and every date finer than a month.</summary>
    private static IEnumerable<string> Canaries(JsonNode node, string member = "")
    {
        if (node is JsonObject members)
            return members.Where(m => m.Value is not null).SelectMany(m => Canaries(m.Value!, m.Key));
        if (node is JsonArray items)
            return items.Where(i => i is not null).SelectMany(i => Canaries(i!, member));
        var free = member is "family" or "given" or "text" or "display" or "div" or "line" or "city" or "postalCode" or "value" or "birthDate" or "start" or "end";
        return free && node.GetValueKind() == JsonValueKind.String && (string)node! is { Length: > 5 } text ? [text] : [];
    }
}
