using System.Text.Json;
using Bridge.DevLedger.Identity;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Policies;

/// <summary>One private data collection, as Fabric's collections configuration defines it.</summary>
internal sealed class Collection
{
    public required string Name { get; init; }

    public required SignaturePolicyEnvelope Members { get; init; }

    /// <summary>Null: the chaincode's endorsement policy holds for the collection too.</summary>
    public required SignaturePolicyEnvelope? EndorsementPolicy { get; init; }

    public required bool MemberOnlyRead { get; init; }

    public required bool MemberOnlyWrite { get; init; }

    /// <summary>In blocks; 0 keeps for ever.</summary>
    public required ulong BlockToLive { get; init; }

    /// <summary>Whether the identity, a peer or a client, is among the collection's members.</summary>
    public bool HasMember(Member identity) => SignaturePolicies.IsSatisfiedBy(Members, [identity]);

    /// <summary>Whether the identity satisfies any one principal of the member policy: what peers are asked when an endorsement is planned.</summary>
    public bool Authorizes(Member identity) => Members.Identities.Any(principal => SignaturePolicies.Satisfies(identity, principal));
}

/// <summary>Reads the file that <c>peer lifecycle chaincode … --collections-config</c> reads.</summary>
internal static class CollectionsFile
{
    /// <summary>Adds every fault found to <paramref name="faults"/>; the result is whole only when none was added.</summary>
    public static IReadOnlyList<Collection> Parse(string json, ICollection<string> faults)
    {
        var collections = new List<Collection>();
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            faults.Add($"not JSON: {e.Message}");
            return collections;
        }

        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Array)
            {
                faults.Add($"an array of collections was expected, found {document.RootElement.ValueKind}");
                return collections;
            }

            var names = new HashSet<string>(StringComparer.Ordinal);
            var index = 0;
            foreach (var element in document.RootElement.EnumerateArray())
            {
                var where = $"collection {index++}";
                if (element.ValueKind != JsonValueKind.Object)
                {
                    faults.Add($"{where}: an object was expected");
                    continue;
                }

                var name = Text(element, "name");
                if (string.IsNullOrEmpty(name))
                    faults.Add($"{where}: name is missing");
                else if (!names.Add(name))
                    faults.Add($"{where}: name '{name}' stands twice");
                where = name ?? where;
                var members = Policy(element, "policy", where, faults);
                if (members is null && Text(element, "policy") is null)
                    faults.Add($"{where}: policy is missing");
                SignaturePolicyEnvelope? endorsement = null;
                if (element.TryGetProperty("endorsementPolicy", out var policy) && policy.ValueKind == JsonValueKind.Object)
                {
                    if (policy.TryGetProperty("channelConfigPolicy", out _))
                        faults.Add($"{where}: endorsementPolicy.channelConfigPolicy is not supported here; write a signaturePolicy");
                    endorsement = Policy(policy, "signaturePolicy", where, faults);
                }

                if (name is null || members is null)
                    continue;
                collections.Add(new Collection
                {
                    Name = name,
                    Members = members,
                    EndorsementPolicy = endorsement,
                    MemberOnlyRead = Flag(element, "memberOnlyRead"),
                    MemberOnlyWrite = Flag(element, "memberOnlyWrite"),
                    BlockToLive = element.TryGetProperty("blockToLive", out var live) && live.TryGetUInt64(out var blocks) ? blocks : 0,
                });
            }
        }

        return collections;
    }

    private static SignaturePolicyEnvelope? Policy(JsonElement element, string key, string where, ICollection<string> faults)
    {
        var text = Text(element, key);
        if (text is null)
            return null;
        try
        {
            return SignaturePolicyParser.Parse(text);
        }
        catch (FormatException e)
        {
            faults.Add($"{where}: {key}: {e.Message}");
            return null;
        }
    }

    private static string? Text(JsonElement element, string key) =>
        element.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Flag(JsonElement element, string key) =>
        element.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.True;
}
