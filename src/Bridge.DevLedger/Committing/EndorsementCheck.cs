using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Committing;

/// <summary>
/// Fabric's v20 key-level validation over one block: every written key falls under its own policy if it has one, else its collection's, else
/// the chaincode's; a transaction that came under none of them falls under the chaincode's.
/// </summary>
internal sealed class EndorsementCheck(ChannelDefinition definition, Snapshot state)
{
    // Keys whose policy an earlier transaction of this block changes: what it will be is not known yet, so a later write of them fails.
    private readonly HashSet<(string Namespace, string Collection, ByteString Key)> changed = [];

    /// <summary>Call in the block's order. VALID, ENDORSEMENT_POLICY_FAILURE or INVALID_CHAINCODE.</summary>
    public TxValidationCode Check(CheckedTransaction transaction)
    {
        foreach (var set in transaction.Sets.Where(set => set.Writes && set.Name != definition.Chaincode))
            return TxValidationCode.InvalidChaincode;

        var own = transaction.Sets.FirstOrDefault(set => set.Name == definition.Chaincode);
        if (!new Evaluation(this, transaction).IsEndorsed(own))
            return TxValidationCode.EndorsementPolicyFailure;

        if (own is not null)
        {
            foreach (var write in own.Public.MetadataWrites)
                changed.Add((own.Name, "", ByteString.CopyFromUtf8(write.Key)));
            foreach (var (name, set, _) in own.Collections)
            {
                foreach (var write in set.MetadataWrites)
                    changed.Add((own.Name, name, write.KeyHash));
            }
        }

        return TxValidationCode.Valid;
    }

    private sealed class Evaluation(EndorsementCheck check, CheckedTransaction transaction)
    {
        private readonly HashSet<string> passed = new(StringComparer.Ordinal);
        private bool anyPassed;

        public bool IsEndorsed(NamespaceSet? set)
        {
            if (set is not null)
            {
                var publicKeys = set.Public.Writes.Select(w => w.Key).Concat(set.Public.MetadataWrites.Select(w => w.Key));
                if (!publicKeys.All(key => Key("", ByteString.CopyFromUtf8(key), check.PublicPolicy(key))))
                    return false;
                foreach (var (name, hashed, _) in set.Collections)
                {
                    var keys = hashed.HashedWrites.Select(w => w.KeyHash).Concat(hashed.MetadataWrites.Select(w => w.KeyHash));
                    if (!keys.All(key => Key(name, key, check.PrivatePolicy(name, key))))
                        return false;
                }
            }

            return anyPassed || Satisfied(check.Definition.EndorsementPolicy);
        }

        private bool Key(string collection, ByteString key, ByteString? policy)
        {
            if (check.changed.Contains((check.Definition.Chaincode, collection, key)))
                return false;
            if (policy is null)
                return CollectionOrChaincode(collection);
            try
            {
                return Satisfied(SignaturePolicyEnvelope.Parser.ParseFrom(policy));
            }
            catch (InvalidProtocolBufferException)
            {
                return false;
            }
        }

        private bool CollectionOrChaincode(string collection)
        {
            if (collection.Length > 0)
            {
                if (passed.Contains(collection))
                    return true;
                if (check.Definition.FindCollection(collection) is not { } found)
                    return false;
                if (found.EndorsementPolicy is not null)
                    return Satisfied(found.EndorsementPolicy) && Pass(collection);
            }

            return passed.Contains("") || (Satisfied(check.Definition.EndorsementPolicy) && Pass(""));
        }

        private bool Satisfied(SignaturePolicyEnvelope policy)
        {
            if (!SignaturePolicies.IsSatisfiedBy(policy, transaction.Endorsers))
                return false;
            anyPassed = true;
            return true;
        }

        private bool Pass(string scope)
        {
            passed.Add(scope);
            return true;
        }
    }

    private ChannelDefinition Definition => definition;

    private ByteString? PublicPolicy(string key) =>
        KeyMetadata.ValidationParameter(state.GetState(definition.Chaincode, key)?.Metadata);

    private ByteString? PrivatePolicy(string collection, ByteString keyHash) =>
        KeyMetadata.ValidationParameter(state.GetHash(definition.Chaincode, collection, keyHash.ToByteArray())?.Metadata);
}
