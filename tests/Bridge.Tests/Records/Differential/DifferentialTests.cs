using System.Text.Json.Nodes;
using Bridge.Tests.Records.Vectors;
using Xunit;

namespace Bridge.Tests.Records.Differential;

/// <summary>
/// C# and the contract judge the same hostile input: shared vectors and fresh records, changed at random and signed again where a signature would hide the
/// change. They agree on every outcome, and neither throws. Short by default; <c>tests/run.sh --long</c> searches for minutes.
/// </summary>
public sealed class DifferentialTests : IAsyncLifetime
{
    private static readonly int Rounds = Environment.GetEnvironmentVariable("BRIDGE_FUZZ_ROUNDS") is { } rounds
        ? int.Parse(rounds, System.Globalization.CultureInfo.InvariantCulture)
        : Environment.GetEnvironmentVariable("BRIDGE_TESTS_LONG") is null ? 600 : 60_000;

    private readonly Random _random = new(Environment.GetEnvironmentVariable("BRIDGE_FUZZ_SEED") is { } seed ? int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture) : Random.Shared.Next());
    private readonly HostileRecords _hostile;
    private ContractJudge _contract = null!;

    public DifferentialTests() => _hostile = new HostileRecords(_random);

    public async ValueTask InitializeAsync() => _contract = await ContractJudge.StartAsync(TestContext.Current.CancellationToken);

    [Fact]
    public async Task Judge_ChangedJson_AgreesWithTheContract() => await AgreeAsync(_hostile.Json);

    [Fact]
    public async Task Judge_ChangedCertificates_AgreesWithTheContract() => await AgreeAsync(_hostile.Certificate);

    [Fact]
    public async Task Judge_ChangedEnvelopes_AgreesWithTheContract() => await AgreeAsync(_hostile.Envelope);

    [Fact]
    public async Task Judge_ChangedStatements_AgreesWithTheContract() => await AgreeAsync(_hostile.Compact);

    [Fact]
    public async Task Judge_ChangedHospitalRecords_AgreesWithTheContract() => await AgreeAsync(_hostile.Record);

    private async Task AgreeAsync(Func<JsonObject> next)
    {
        var disputes = new List<string>();
        var outcomes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        for (var done = 0; done < Rounds;)
        {
            var vectors = Enumerable.Range(0, Math.Min(500, Rounds - done)).Select(_ => next()).ToList();
            var answers = await _contract.JudgeAsync(vectors, TestContext.Current.CancellationToken);
            foreach (var (vector, answer) in vectors.Zip(answers))
            {
                var said = answer["outcome"]!.GetValue<string>();
                outcomes[said] = outcomes.GetValueOrDefault(said) + 1;
                if (Dispute(vector, answer, said) is { } dispute)
                    disputes.Add(dispute);
            }
            done += vectors.Count;
        }
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", outcomes.Select(o => $"{o.Key} {o.Value}")));
        if (Environment.GetEnvironmentVariable("BRIDGE_FUZZ_OUT") is { } folder)
            await File.WriteAllLinesAsync(Path.Combine(folder, $"disputes-{next.Method.Name}.txt"), disputes.Append(string.Join(", ", outcomes.Select(o => $"{o.Key} {o.Value}"))));
        Assert.True(disputes.Count == 0, $"{disputes.Count} of {Rounds}:\n" + string.Join("\n", disputes.Take(5)));
    }

    /// <summary>Null where both say the same.</summary>
    private static string? Dispute(JsonObject vector, JsonObject answer, string contract)
    {
        foreach (var (member, none) in new (string, JsonNode)[] { ("canonical", ""), ("digest", ""), ("caDigests", new JsonObject()) })
            vector[member] = answer[member]?.DeepClone() ?? none;
        string ours;
        string? wrong = null;
        try
        {
            (ours, wrong) = VectorJudge.Judge(vector);
        }
        catch (Exception e)
        {
            ours = $"THROWS {e.GetType().Name}: {e.Message} {e.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("Bridge.Records", StringComparison.Ordinal))?.Trim()}";
        }
        var same = vector["kind"]!.GetValue<string>() == "certificate" ? (ours == "NONE") == (contract == "NONE") : ours == contract;
        var isThrown = ours.StartsWith("THROWS", StringComparison.Ordinal) || contract.StartsWith("THROWS", StringComparison.Ordinal);
        return same && wrong is null && !isThrown ? null : $"C# says {ours}{(wrong is null ? "" : $" ({wrong} differs)")}, the contract {contract}: {vector.ToJsonString()}";
    }

    public async ValueTask DisposeAsync()
    {
        await _contract.DisposeAsync();
        _hostile.Dispose();
    }
}
