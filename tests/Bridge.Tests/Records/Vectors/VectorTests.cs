using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Bridge.Records;
using Xunit;

namespace Bridge.Tests.Records.Vectors;

/// <summary>
/// The shared vectors: the committed ones, which the contract and the browser read too, and fresh ones with new keys. To write the committed ones anew:
/// <c>BRIDGE_WRITE_VECTORS=1 dotnet test tests/Bridge.Tests --filter FullyQualifiedName~VectorTests</c>.
/// </summary>
public sealed class VectorTests
{
    private static readonly string Folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "../../../vectors"));

    [Fact]
    public void Judge_FreshlyMadeVectors_IsAsTheySay()
    {
        var signed = SignedSummaryVectors.Make();
        WebAuthnVectors.Add(signed);
        VectorFile[] files =
        [
            signed, OtherVectors.Retractions(), OtherVectors.CanonicalTexts(), OtherVectors.Names(), OtherVectors.Codes(), CompactVectors.Make(), OtherVectors.Certificates(), OtherVectors.Records(),
        ];
        var faults = files.SelectMany(f => f.Vectors).Select(Fault).OfType<string>().ToList();
        Assert.True(faults.Count == 0, string.Join("\n", faults));
        if (Environment.GetEnvironmentVariable("BRIDGE_WRITE_VECTORS") != "1")
            return;
        foreach (var file in files)
            File.WriteAllText(Path.Combine(Folder, file.Kind + ".json"), file.ToText());
    }

    [Fact]
    public void Judge_CommittedVectors_IsAsTheySay()
    {
        var files = Directory.GetFiles(Folder, "*.json");
        var vectors = files.SelectMany(f => JsonNode.Parse(File.ReadAllText(f))!.AsArray()).Select(v => v!.AsObject()).ToList();
        Assert.True(vectors.Count >= 400, $"only {vectors.Count} vectors in {files.Length} files");
        var faults = vectors.Select(Fault).OfType<string>().ToList();
        Assert.True(faults.Count == 0, string.Join("\n", faults));
    }

    [Fact]
    public void CommittedVectors_EveryOutcome_IsShownByOne()
    {
        var seen = Directory.GetFiles(Folder, "*.json").SelectMany(f => JsonNode.Parse(File.ReadAllText(f))!.AsArray())
            .Select(v => v!["outcome"]!.GetValue<string>()).ToHashSet();
        Assert.Superset(Enum.GetValues<VerificationOutcome>().Select(o => o.Code()).ToHashSet(), seen);
    }

    /// <summary>Null where the vector is judged as it says.</summary>
    private static string? Fault(JsonObject vector)
    {
        var expected = VectorJudge.Text(vector, "outcome");
        var (actual, wrong) = VectorJudge.Judge(vector);
        if (actual != expected)
            return $"{VectorJudge.Text(vector, "name")}: {expected} expected, judged {actual}";
        return wrong is null ? null : $"{VectorJudge.Text(vector, "name")}: {wrong} differs";
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
