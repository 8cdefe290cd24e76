using System.Text.Json;
using Bridge.DevLedger.Identity;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Policies;

/// <summary>What every peer of the channel agrees on: organisations, the one chaincode, its policy and collections.</summary>
internal sealed class ChannelDefinition
{
    private readonly Dictionary<string, Collection> collections;

    public ChannelDefinition(
        string channel,
        string chaincode,
        string chaincodeVersion,
        SignaturePolicyEnvelope endorsementPolicy,
        IEnumerable<Collection> collections,
        MemberDirectory members)
    {
        Channel = channel;
        Chaincode = chaincode;
        ChaincodeVersion = chaincodeVersion;
        EndorsementPolicy = endorsementPolicy;
        this.collections = collections.ToDictionary(c => c.Name, StringComparer.Ordinal);
        Members = members;
    }

    public string Channel { get; }

    public string Chaincode { get; }

    public string ChaincodeVersion { get; }

    public SignaturePolicyEnvelope EndorsementPolicy { get; }

    public MemberDirectory Members { get; }

    public IReadOnlyCollection<Collection> Collections => collections.Values;

    public Collection? FindCollection(string name) => collections.GetValueOrDefault(name);

    /// <summary>/Channel/Application/Writers: any organisation's admin or client.</summary>
    public static bool MayWrite(Member member) => member.Fault is null && member.Role is NodeRole.Admin or NodeRole.Client;

    /// <summary>/Channel/Application/Readers: any organisation's admin, client or peer.</summary>
    public static bool MayRead(Member member) => member.Fault is null && member.Role is NodeRole.Admin or NodeRole.Client or NodeRole.Peer;

    /// <summary>The definition as a configuration block keeps it; equal definitions give equal bytes.</summary>
    public byte[] ToConfiguration(IReadOnlyDictionary<string, IReadOnlyList<string>> authorities)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("channel", Channel);
            json.WriteStartObject("organizations");
            foreach (var (mspId, certificates) in authorities.OrderBy(a => a.Key, StringComparer.Ordinal))
            {
                json.WriteStartArray(mspId);
                foreach (var certificate in certificates)
                    json.WriteStringValue(certificate);
                json.WriteEndArray();
            }

            json.WriteEndObject();
            json.WriteStartObject("chaincode");
            json.WriteString("name", Chaincode);
            json.WriteString("version", ChaincodeVersion);
            json.WriteString("endorsementPolicy", EndorsementPolicy.ToString());
            json.WriteStartArray("collections");
            foreach (var collection in collections.Values)
            {
                json.WriteStartObject();
                json.WriteString("name", collection.Name);
                json.WriteString("members", collection.Members.ToString());
                json.WriteString("endorsementPolicy", collection.EndorsementPolicy?.ToString() ?? "");
                json.WriteBoolean("memberOnlyRead", collection.MemberOnlyRead);
                json.WriteBoolean("memberOnlyWrite", collection.MemberOnlyWrite);
                json.WriteNumber("blockToLive", collection.BlockToLive);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}
