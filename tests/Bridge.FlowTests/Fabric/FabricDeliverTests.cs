using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.FlowTests.Ledger;
using Xunit;

namespace Bridge.FlowTests.Fabric;

/// <summary>The same on real peers. Where BRIDGE_RECORD_WIRE names a folder, what they answered is written there as a wire vector (tests/vectors/wire).</summary>
[Trait("Category", "Fabric")]
[Collection(FabricCollection.Name)]
public sealed class FabricDeliverTests(FabricLedgerFixture fixture) : DeliverTests(fixture.Required())
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly FabricLedgerFixture fixture = fixture;

    internal override async Task<string?> VersionAsync() =>
        (await fixture.Network.StatusAsync(TestContext.Current.CancellationToken))[0].Split("Fabric ")[1].Split(',')[0];

    internal override async Task KeepAsync(IReadOnlyList<DeliverReply> replies)
    {
        if (Environment.GetEnvironmentVariable("BRIDGE_RECORD_WIRE") is not { Length: > 0 } folder)
            return;
        var version = await VersionAsync();
        var vectors = replies.Select(reply => (JsonNode)new JsonObject
        {
            ["name"] = reply.Case.Name,
            ["what"] = reply.Case.What,
            ["call"] = reply.Case.Method,
            ["mspId"] = reply.Case.ByOther ? fixture.Consortium.B.Msp : fixture.Consortium.A.Msp,
            ["request"] = Convert.ToBase64String(reply.Request),
            ["grpcStatus"] = reply.GrpcStatus,
            ["responses"] = new JsonArray([.. reply.Messages.Select(message => (JsonNode)Convert.ToBase64String(message))]),
            ["expect"] = new JsonArray([.. reply.Answers.Select(answer => (JsonNode)answer)]),
        });
        var recording = new JsonObject { ["version"] = version, ["recorded"] = DateTime.UtcNow.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture), ["vectors"] = new JsonArray([.. vectors]) };
        await File.WriteAllTextAsync(Path.Combine(folder, $"deliver-{version}.json"), recording.ToJsonString(Indented) + "\n", TestContext.Current.CancellationToken);
    }
}
