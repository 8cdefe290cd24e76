using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Records;

namespace Bridge.Sandbox.Consortium;

/// <summary>The contract's functions by name, as its README lists them: public arguments in clear, everything private in the transient map.</summary>
internal static class ContractCalls
{
    public const string Channel = "bridge";
    public const string Chaincode = "summaries";

    public static Contract Summaries(this Gateway gateway) => gateway.GetNetwork(Channel).GetContract(Chaincode);

    /// <summary>Endorsed by exactly the organisations named (none: as the policies ask), ordered and committed when it returns.</summary>

    public static async Task<string> SubmitAsync(
        this Contract contract, string function, IEnumerable<string> arguments, JsonObject? input, string[] organisations, CancellationToken ct) =>
        Encoding.UTF8.GetString(await contract.SubmitAsync(function, Options(arguments, input, organisations), ct));

    public static async Task<JsonElement> EvaluateAsync(
        this Contract contract, string function, IEnumerable<string> arguments, JsonObject? input, string[] organisations, CancellationToken ct)
    {
        var answer = await contract.EvaluateAsync(function, Options(arguments, input, organisations), ct);
        return answer.Length == 0 ? default : JsonElement.Parse(answer);
    }

    private static ProposalOptions Options(IEnumerable<string> arguments, JsonObject? input, string[] organisations) => new()
    {
        Arguments = [.. arguments.Select(argument => new ReadOnlyMemory<byte>(Encoding.UTF8.GetBytes(argument)))],
        TransientData = input is null
            ? new Dictionary<string, ReadOnlyMemory<byte>>()
            : new Dictionary<string, ReadOnlyMemory<byte>> { ["input"] = CanonicalJson.Serialize(input) },
        EndorsingOrganizations = organisations,
    };
}
