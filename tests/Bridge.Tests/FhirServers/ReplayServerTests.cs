using Bridge.Fhir.Client;
using Bridge.Fhir.Extraction;
using Bridge.Fhir.Watching;
using Bridge.FhirServers;
using Bridge.Tests.Fhir;
using Xunit;

namespace Bridge.Tests.FhirServers;

/// <summary>The replay server's answers are true: a watch over it ends as reading the bundles themselves does.</summary>
public class ReplayServerTests
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 2023, 795)]
    [InlineData(2, 4046, 1590)]
    public async Task Watch_TheWholeSample_GivesEveryEncounterItsOwnChildren(int copies, int encounters, int ready)
    {
        await using var server = await ReplayServer.StartAsync(SyntheaSample.Load(TestFiles.Shared("synthea-100.zip"), copies));
        using var client = new FhirClient(new FhirClientOptions { BaseUrl = server.BaseUrl });
        var (watcher, reader) = (new EncounterWatcher(client, new WatchOptions()), new EncounterReader(client, new WatchOptions()));
        var extractor = new SummaryExtractor(new Minimiser(TestFiles.SampleTerms.Value), new ExtractionOptions { Ready = ReadyOptions.AtOnce });
        var context = new ExtractionContext { Now = new(2026, 2, 1, 0, 0, 0, TimeSpan.Zero), RareConsented = true, ConsentedCategories = [.. SensitiveNodes.Categories] };

        var ids = new HashSet<string>();
        var patients = new HashSet<string?>();
        var outcomes = new Dictionary<string, int>();
        var (conditions, treatments) = (0, 0);
        await foreach (var batch in watcher.WalkAsync(Cursor.StartingAt(DateTimeOffset.UnixEpoch), Stop))
        {
            foreach (var file in await reader.ReadAsync(batch.Sightings, Stop))
            {
                var result = extractor.Extract(file, context);
                Assert.True(ids.Add(result.EncounterId));
                patients.Add(result.PatientId);
                outcomes[result.Name] = outcomes.GetValueOrDefault(result.Name) + 1;
                conditions += file.Conditions.Count;
                treatments += file.Procedures.Count + file.MedicationRequests.Count;
            }
        }

        Assert.Equal(encounters, ids.Count);
        Assert.Equal(100 * copies, patients.Count);
        // 795 have a Condition or a reason; no NothingNew, since nothing is held against earlier summaries here
        Assert.Equal((ready, encounters - ready), (outcomes["Ready"], outcomes["Withheld(NoCondition)"]));
        Assert.Equal((575 * copies, (1218 + 426) * copies), (conditions, treatments));
    }
}
