using Bridge.DevLedger.Identity;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Policies;

/// <summary>Decides signature policies as Fabric does: each identity satisfies one leaf at most.</summary>
internal static class SignaturePolicies
{
    /// <summary>Whether the envelope can be evaluated at all (Fabric refuses to compile others).</summary>
    public static bool IsWellFormed(SignaturePolicyEnvelope policy) =>
        policy.Version == 0 && policy.Rule is not null && IsWellFormed(policy.Rule, policy.Identities.Count);

    public static bool IsSatisfiedBy(SignaturePolicyEnvelope policy, IReadOnlyList<Member> identities) =>
        IsWellFormed(policy) && Evaluate(policy.Rule, policy, identities, new bool[identities.Count]);

    public static bool Satisfies(Member identity, MSPPrincipal principal)
    {
        if (identity.Fault is not null)
            return false;
        try
        {
            switch (principal.PrincipalClassification)
            {
                case MSPPrincipal.Types.Classification.Role:
                    var role = MSPRole.Parser.ParseFrom(principal.Principal);
                    return role.MspIdentifier == identity.MspId && role.Role switch
                    {
                        MSPRole.Types.MSPRoleType.Member => true,
                        MSPRole.Types.MSPRoleType.Admin => identity.Role == NodeRole.Admin,
                        MSPRole.Types.MSPRoleType.Client => identity.Role == NodeRole.Client,
                        MSPRole.Types.MSPRoleType.Peer => identity.Role == NodeRole.Peer,
                        MSPRole.Types.MSPRoleType.Orderer => identity.Role == NodeRole.Orderer,
                        _ => false,
                    };
                case MSPPrincipal.Types.Classification.Identity:
                    var other = SerializedIdentity.Parser.ParseFrom(principal.Principal);
                    return other.Mspid == identity.MspId
                        && other.IdBytes.ToStringUtf8().ReplaceLineEndings("").Trim()
                            == identity.Certificate.ExportCertificatePem().ReplaceLineEndings("").Trim();
                default:
                    return false;
            }
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private static bool Evaluate(SignaturePolicy rule, SignaturePolicyEnvelope policy, IReadOnlyList<Member> identities, bool[] used)
    {
        if (rule.TypeCase == SignaturePolicy.TypeOneofCase.SignedBy)
        {
            for (var i = 0; i < identities.Count; i++)
            {
                if (used[i] || !Satisfies(identities[i], policy.Identities[rule.SignedBy]))
                    continue;
                used[i] = true;
                return true;
            }

            return false;
        }

        var satisfied = 0;
        foreach (var inner in rule.NOutOf.Rules)
        {
            var attempt = (bool[])used.Clone();
            if (!Evaluate(inner, policy, identities, attempt))
                continue;
            satisfied++;
            attempt.CopyTo(used, 0);
        }

        return satisfied >= rule.NOutOf.N;
    }

    private static bool IsWellFormed(SignaturePolicy rule, int identities) => rule.TypeCase switch
    {
        SignaturePolicy.TypeOneofCase.SignedBy => rule.SignedBy >= 0 && rule.SignedBy < identities,
        SignaturePolicy.TypeOneofCase.NOutOf => rule.NOutOf.Rules.All(inner => IsWellFormed(inner, identities)),
        _ => false,
    };
}
