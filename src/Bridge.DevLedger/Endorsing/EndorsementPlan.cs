using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Serving;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Endorsing;

/// <summary>Collects the endorsements of one proposal: of the organisations that the client named, or of those that the policies ask for.</summary>
internal sealed class EndorsementPlan(
    string gatewayMspId, ChannelDefinition definition, IReadOnlyList<Endorser> endorsers, SignedProposal proposal)
{
    private readonly List<ErrorDetail> details = [];
    private readonly List<(string MspId, Endorsement Endorsement)> endorsements = [];
    private ByteString? payload;

    public async Task<ChaincodeEndorsedAction> FromNamedAsync(
        string channel, string chaincode, IReadOnlyCollection<string> organizations, CancellationToken ct)
    {
        var named = organizations.Distinct(StringComparer.Ordinal).ToList();
        var missing = IsDefined(channel, chaincode)
            ? named.Where(name => endorsers.All(e => e.MspId != name)).ToList()
            : named;
        if (missing.Count > 0)
            throw new GrpcException(GrpcCode.Unavailable, $"failed to find any endorsing peers for org(s): {string.Join(", ", missing)}");
        await CollectAsync(endorsers.Where(e => named.Contains(e.MspId)), ct);
        return Finish(named);
    }

    public async Task<ChaincodeEndorsedAction> FromPoliciesAsync(string channel, string chaincode, bool hasTransient, CancellationToken ct)
    {
        if (!IsDefined(channel, chaincode))
        {
            throw new GrpcException(GrpcCode.FailedPrecondition, hasTransient
                ? "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data"
                : Interest.NoCombination + $"No metadata was found for chaincode {chaincode} in channel {channel}");
        }

        // The gateway's own peer simulates first; what it read and wrote says who else is needed.
        var first = endorsers.First(e => e.MspId == gatewayMspId);
        var reply = await first.ProcessAsync(proposal, ct);
        var outcome = PeerOutcome.Of(reply, isLocal: true);
        if (outcome.Code != GrpcCode.Ok)
        {
            throw new GrpcException(
                GrpcCode.Aborted, "failed to endorse transaction, see attached details for more info", [Detail(first, outcome.Message)]);
        }

        var layouts = Plan(reply.Response!.Interest, hasTransient);
        Add(first, reply.Response);
        var failed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var layout in layouts)
        {
            if (layout.Overlaps(failed))
                continue;
            var missing = endorsers.Where(e => layout.Contains(e.MspId) && endorsements.All(x => x.MspId != e.MspId)).ToList();
            failed.UnionWith(await CollectAsync(missing, ct));
            if (layout.All(name => endorsements.Any(e => e.MspId == name)))
                return Finish(layout);
        }

        throw NotEnough();
    }

    // Sets with the gateway's own organisation, whose endorsement is at hand, come first.
    private List<IReadOnlySet<string>> Plan(ChaincodeInterest interest, bool hasTransient)
    {
        var peers = endorsers.Select(e => e.Peer).ToList();
        var guarded = interest.Clone();
        var hidden = new List<string>();
        if (hasTransient)
        {
            foreach (var call in guarded.Chaincodes.Where(call => call.NoPrivateReads))
            {
                call.NoPrivateReads = false;
                hidden.AddRange(call.CollectionNames);
            }
        }

        var layouts = Interest.Layouts(definition, guarded, peers);
        if (layouts.Count == 0)
        {
            throw new GrpcException(
                GrpcCode.FailedPrecondition,
                hidden.Count > 0 && Interest.Layouts(definition, interest, peers).Count > 0
                    ? "requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): " +
                      $"[{string.Join(' ', hidden)}]; retry specifying trusted endorsing organizations to protect transient data"
                    : Interest.NoCombination + "no peer combination can satisfy the endorsement policy");
        }

        return [.. layouts.OrderBy(layout => layout.Contains(gatewayMspId) ? 0 : 1).ThenBy(_ => Random.Shared.Next())];
    }

    private async Task<IReadOnlyList<string>> CollectAsync(IEnumerable<Endorser> asked, CancellationToken ct)
    {
        var failed = new List<string>();
        await foreach (var task in Task.WhenEach(asked.Select(AskAsync)).WithCancellation(ct))
        {
            var (endorser, reply) = await task;
            var outcome = PeerOutcome.Of(reply, endorser.MspId == gatewayMspId);
            if (outcome.Code != GrpcCode.Ok)
            {
                details.Add(Detail(endorser, outcome.Message));
                failed.Add(endorser.MspId);
            }
            else if (!Add(endorser, reply.Response!))
            {
                details.Add(Detail(endorser, "ProposalResponsePayloads do not match"));
                failed.Add(endorser.MspId);
            }
        }

        return failed;

        async Task<(Endorser, EndorserReply)> AskAsync(Endorser endorser) => (endorser, await endorser.ProcessAsync(proposal, ct));
    }

    private bool Add(Endorser endorser, ProposalResponse response)
    {
        payload ??= response.Payload;
        if (!payload.Equals(response.Payload))
            return false;
        endorsements.Add((endorser.MspId, response.Endorsement));
        return true;
    }

    private ChaincodeEndorsedAction Finish(IReadOnlyCollection<string> wanted)
    {
        var chosen = endorsements.Where(e => wanted.Contains(e.MspId)).Select(e => e.Endorsement).ToList();
        if (chosen.Count < wanted.Count)
            throw NotEnough();
        var action = new ChaincodeEndorsedAction { ProposalResponsePayload = payload };
        action.Endorsements.AddRange(chosen);
        return action;
    }

    private GrpcException NotEnough() => new(
        GrpcCode.Aborted, "failed to collect enough transaction endorsements, see attached details for more info", details);

    private bool IsDefined(string channel, string chaincode) => channel == definition.Channel && chaincode == definition.Chaincode;

    private static ErrorDetail Detail(Endorser endorser, string message) =>
        new() { Address = endorser.Address, MspId = endorser.MspId, Message = message };
}
