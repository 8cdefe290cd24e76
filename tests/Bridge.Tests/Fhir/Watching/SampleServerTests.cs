using System.Text;
using System.Text.Json.Nodes;
using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Xunit;

namespace Bridge.Tests.Fhir.Watching;

/// <summary>Watching, reading and extracting against the FHIR server that the Sandbox runs, over HTTP.</summary>
public sealed class SampleServerTests(SampleServer server) : IClassFixture<SampleServer>
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly WatchOptions _options = new() { PageSize = 10 };

    [Fact]
    public async Task ReadAsync_AllSamples_GiveTheSameOutcomesAsTheirBundles()
    {
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = server.BaseUrl });
        var (watcher, reader) = (new EncounterWatcher(client, _options), new EncounterReader(client, _options));
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var expected = Directory.GetFiles(TestFiles.Samples, "expected.summary.json", SearchOption.AllDirectories)
            .Select(f => JsonNode.Parse(File.ReadAllText(f))!).ToDictionary(n => (string)n["encounter"]!);

        var seen = new Dictionary<string, string>();
        await foreach (var batch in watcher.WalkAsync(Cursor.StartingAt(DateTimeOffset.UnixEpoch), Stop))
        {
            var sightings = batch.Sightings.Where(s => expected.ContainsKey(s.EncounterId)).ToList();
            var files = await reader.ReadAsync(sightings, Stop);
            for (var i = 0; i < files.Count; i++)
            {
                var want = expected[sightings[i].EncounterId];
                var result = extractor.Extract(files[i], Context(want));
                seen.Add(result.EncounterId, result.Name + " " + string.Join(',', result.Draft?.Conditions.Select(c => c.Code) ?? []));
                Assert.Equal(sightings[i].Version, result.EncounterVersion);
            }
        }

        Assert.Equal(
            expected.Values.Select(n => $"{(string)n["encounter"]!}: {(string)n["outcome"]!} {string.Join(',', n["summary"]?["conditions"]?.AsArray().Select(c => (string)c!["code"]!) ?? [])}").Order(StringComparer.Ordinal),
            seen.Select(s => $"{s.Key}: {s.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ReadAgainAsync_ChangedCondition_IsSeenThoughTheEncounterIsUntouched()
    {
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = server.BaseUrl });
        using var http = new HttpClient();
        var reader = new EncounterReader(client, _options);
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        async Task PutAsync(string path, string json) => (await http.PutAsync(new Uri(server.BaseUrl, path), new StringContent(json, Encoding.UTF8, "application/fhir+json"), Stop)).EnsureSuccessStatusCode();
        await PutAsync("Patient/again-p", """{"resourceType":"Patient","id":"again-p","gender":"male","birthDate":"1970-05-05"}""");
        await PutAsync("Encounter/again-e", """{"resourceType":"Encounter","id":"again-e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/again-p"},"participant":[{"individual":{"reference":"Practitioner/doc-01"}}],"period":{"start":"2024-01-01","end":"2024-01-01"}}""");
        async Task<Bridge.Fhir.Extraction.Extraction> ReadAsync() =>
            extractor.Extract((await reader.ReadAgainAsync(["again-e"], Stop))[0]!, new ExtractionContext { Now = Now });
        const string condition = """{"resourceType":"Condition","id":"again-c","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"@"}]},"subject":{"reference":"Patient/again-p"},"encounter":{"reference":"Encounter/again-e"}}""";

        var none = await ReadAsync();
        await PutAsync("Condition/again-c", condition.Replace("@", "I10", StringComparison.Ordinal));
        var first = await ReadAsync();
        await PutAsync("Condition/again-c", condition.Replace("@", "E11.9", StringComparison.Ordinal));
        var second = await ReadAsync();

        Assert.Equal("Withheld(NoCondition)", none.Name);
        Assert.Equal(["I10"], first.Draft!.Conditions.Select(c => c.Code));
        Assert.Equal(["E11.9"], second.Draft!.Conditions.Select(c => c.Code));
        Assert.Equal(first.EncounterVersion, second.EncounterVersion);
        Assert.NotEqual(first.ContentDigest, second.ContentDigest);
        Assert.Equal(second.ContentDigest, (await ReadAsync()).ContentDigest);
        Assert.Equal([null], await reader.ReadAgainAsync(["never-was"], Stop));
    }

    [Fact]
    public async Task WalkAsync_TransactionThatCommitsLate_IsDeliveredByTheNextWalk()
    {
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = server.BaseUrl });
        using var http = new HttpClient();
        var watcher = new EncounterWatcher(client, _options);
        var cursor = Cursor.StartingAt(DateTimeOffset.UtcNow.AddSeconds(-1));
        async Task<List<string>> WalkAsync()
        {
            var ids = new List<string>();
            await foreach (var batch in watcher.WalkAsync(cursor, Stop))
            {
                ids.AddRange(batch.Sightings.Where(s => s.PatientId == "late-p").Select(s => s.Status!));
                cursor = batch.Next;
            }
            return ids;
        }
        StringContent Body(string json) => new(json, Encoding.UTF8, "application/fhir+json");
        const string encounter = """{"resourceType":"Encounter","status":"@","class":{"code":"AMB"},"subject":{"reference":"Patient/late-p"}}""";
        await http.PostAsync(new Uri(server.BaseUrl, "/switches"), Body("""{"commitDelayMs":2000}"""), Stop);

        var transaction = http.PostAsync(server.BaseUrl, Body("""{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Encounter"},"resource":"""
            + encounter.Replace("@", "cancelled", StringComparison.Ordinal) + "}]}"), Stop);
        // nothing shows from outside that the transaction has begun: that is the point
        await Task.Delay(300, Stop);
        (await http.PostAsync(new Uri(server.BaseUrl, "Encounter"), Body(encounter.Replace("@", "finished", StringComparison.Ordinal)), Stop)).EnsureSuccessStatusCode();
        var before = await WalkAsync();
        (await transaction).EnsureSuccessStatusCode();
        var after = await WalkAsync();
        await http.PostAsync(new Uri(server.BaseUrl, "/switches"), Body("""{"commitDelayMs":0}"""), Stop);

        Assert.Equal(["finished"], before);
        Assert.Equal(["cancelled"], after);
        Assert.Empty(await WalkAsync());
    }

    private static ExtractionContext Context(JsonNode expected) => new()
    {
        Now = Now,
        ConsentedCategories = [.. expected["consent"]?.AsArray().Select(n => (string)n!) ?? []],
        RareConsented = (bool?)expected["rareConsent"] ?? false,
    };
}
