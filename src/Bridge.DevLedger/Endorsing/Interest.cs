using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.Ledger.Protocol;

namespace Bridge.DevLedger.Endorsing;

/// <summary>Which policies a simulated transaction falls under, and which organisations' peers can meet them together.</summary>
internal static class Interest
{
    public const string NoCombination = "no combination of peers can be derived which satisfy the endorsement policy: ";

    /// <summary>What a peer tells the gateway: the chaincode, key-level policies met, and each collection with whether a value of it was read.</summary>
    public static ChaincodeInterest Of(string chaincode, SimulationResult result)
    {
        var keyPolicies = new List<SignaturePolicyEnvelope>();
        var collections = new SortedSet<string>(StringComparer.Ordinal);
        var needsChaincodePolicy = result.WrittenKeys.Count == 0;
        foreach (var (collection, policy) in result.WrittenKeys)
        {
            if (policy is not null)
                keyPolicies.Add(SignaturePolicyEnvelope.Parser.ParseFrom(policy));
            else if (collection.Length == 0)
                needsChaincodePolicy = true;
            else
                collections.Add(collection);
        }

        collections.UnionWith(result.PrivateReads);
        var interest = new ChaincodeInterest();
        if (keyPolicies.Count > 0 || needsChaincodePolicy)
        {
            var call = new ChaincodeCall { Name = chaincode, DisregardNamespacePolicy = !needsChaincodePolicy };
            call.KeyPolicies.AddRange(keyPolicies);
            interest.Chaincodes.Add(call);
        }

        foreach (var collection in collections)
        {
            var call = new ChaincodeCall { Name = chaincode, NoPrivateReads = !result.PrivateReads.Contains(collection) };
            call.CollectionNames.Add(collection);
            interest.Chaincodes.Add(call);
        }

        return interest;
    }

    /// <summary>The smallest sets of organisations that meet every policy; empty when there is none.</summary>
    /// <param name="peers">The peers at hand, one per organisation.</param>
    public static IReadOnlyList<IReadOnlySet<string>> Layouts(ChannelDefinition definition, ChaincodeInterest interest, IReadOnlyList<Member> peers)
    {
        var policies = new List<SignaturePolicyEnvelope>();
        var authorized = peers.ToList();
        foreach (var call in interest.Chaincodes)
        {
            foreach (var name in call.CollectionNames)
            {
                var collection = definition.FindCollection(name);
                policies.Add(collection?.EndorsementPolicy ?? definition.EndorsementPolicy);
                if (!call.NoPrivateReads && collection is not null)
                    authorized.RemoveAll(peer => !collection.Authorizes(peer));
            }

            if (call.CollectionNames.Count == 0 && !call.DisregardNamespacePolicy)
                policies.Add(definition.EndorsementPolicy);
            policies.AddRange(call.KeyPolicies);
        }

        // Organisations are few: every subset is tried, small ones first, and supersets of a set that will do are left out.
        var found = new List<IReadOnlySet<string>>();
        foreach (var subset in Enumerable.Range(1, (1 << authorized.Count) - 1).OrderBy(set => System.Numerics.BitOperations.PopCount((uint)set)))
        {
            var chosen = authorized.Where((_, i) => (subset >> i & 1) == 1).ToList();
            var names = chosen.Select(peer => peer.MspId).ToHashSet(StringComparer.Ordinal);
            if (!found.Any(names.IsSupersetOf) && policies.TrueForAll(policy => SignaturePolicies.IsSatisfiedBy(policy, chosen)))
                found.Add(names);
        }

        return found;
    }
}
