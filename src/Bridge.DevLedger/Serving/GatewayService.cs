using Bridge.DevLedger.Committing;
using Bridge.DevLedger.Endorsing;
using Bridge.DevLedger.Ordering;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Serving;

/// <summary><c>gateway.Gateway</c> of one organisation's peer.</summary>
internal sealed class GatewayService(
    string mspId, ChannelDefinition definition, IReadOnlyList<Endorser> endorsers, Orderer orderer, LedgerStore store, LedgerFeed feed, string ordererAddress)
{
    public async Task<EvaluateResponse> EvaluateAsync(EvaluateRequest request, CancellationToken ct)
    {
        var (channel, chaincode, hasTransient) = Target(request.ProposedTransaction);
        if (channel != definition.Channel)
        {
            throw new GrpcException(
                GrpcCode.Unavailable, $"failed to get config for channel [{channel}]: could not get last config for channel {channel}");
        }

        // Transient data leaves the gateway's own organisation only where the client names others.
        IReadOnlyList<string>? targets = request.TargetOrganizations.Count > 0 ? request.TargetOrganizations : hasTransient ? [mspId] : null;
        var candidates = chaincode == definition.Chaincode
            ? endorsers.Where(e => targets?.Contains(e.MspId) ?? true).OrderBy(e => e.MspId == mspId ? 0 : 1).ToList()
            : [];
        if (candidates.Count == 0)
        {
            var none = $"no peers available to evaluate chaincode {chaincode} in channel {channel}";
            throw new GrpcException(GrpcCode.FailedPrecondition, hasTransient && request.TargetOrganizations.Count == 0
                ? $"no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: {none}"
                : none);
        }

        var details = new List<ErrorDetail>();
        var outcome = new PeerOutcome(GrpcCode.Ok, "", false);
        foreach (var endorser in candidates)
        {
            var reply = await endorser.ProcessAsync(request.ProposedTransaction, ct);
            outcome = PeerOutcome.Of(reply, endorser.MspId == mspId);
            if (outcome.Code == GrpcCode.Ok)
                return new EvaluateResponse { Result = reply.Response!.Response };
            details.Add(Detail(endorser, outcome.Message));
            if (!outcome.Retry)
                throw new GrpcException(outcome.Code, $"evaluate call to endorser returned error: {outcome.Message}", details);
        }

        throw new GrpcException(outcome.Code, "failed to evaluate transaction, see attached details for more info", details);
    }

    public async Task<EndorseResponse> EndorseAsync(EndorseRequest request, CancellationToken ct)
    {
        if (request.ProposedTransaction is null || request.ProposedTransaction.ProposalBytes.IsEmpty)
            throw new GrpcException(GrpcCode.InvalidArgument, "the proposed transaction must contain a signed proposal");
        var (header, payload, channel, chaincode) = Parts(request.ProposedTransaction);
        var plan = new EndorsementPlan(mspId, definition, endorsers, request.ProposedTransaction);
        var action = request.EndorsingOrganizations.Count > 0
            ? await plan.FromNamedAsync(channel, chaincode, request.EndorsingOrganizations, ct)
            : await plan.FromPoliciesAsync(channel, chaincode, payload.TransientMap.Count > 0, ct);

        var transaction = new Transaction();
        transaction.Actions.Add(new TransactionAction
        {
            Header = header.SignatureHeader,
            Payload = new ChaincodeActionPayload
            {
                ChaincodeProposalPayload = UnpackedProposal.WithoutTransient(payload),
                Action = action,
            }.ToByteString(),
        });
        return new EndorseResponse
        {
            PreparedTransaction = new Envelope { Payload = new Payload { Header = header, Data = transaction.ToByteString() }.ToByteString() },
        };
    }

    public async Task<SubmitResponse> SubmitAsync(SubmitRequest request)
    {
        if (request.PreparedTransaction is null)
            throw new GrpcException(GrpcCode.InvalidArgument, "a prepared transaction is required");
        if (request.PreparedTransaction.Signature.IsEmpty)
            throw new GrpcException(GrpcCode.InvalidArgument, "prepared transaction must be signed");
        if (request.ChannelId != definition.Channel)
        {
            throw new GrpcException(
                GrpcCode.FailedPrecondition,
                $"failed to get config for channel [{request.ChannelId}]: could not get last config for channel {request.ChannelId}");
        }

        var (status, info) = await orderer.BroadcastAsync(request.PreparedTransaction);
        if (status == Status.Success)
            return new SubmitResponse();
        if ((int)status is >= 400 and < 500)
            throw new GrpcException(GrpcCode.Aborted, $"received unsuccessful response from orderer: status={StatusName(status)}, info={info}");
        throw new GrpcException(
            GrpcCode.Unavailable,
            "no orderers could successfully process transaction",
            [new ErrorDetail { Address = ordererAddress, MspId = "OrdererMSP", Message = info }]);
    }

    public async Task<CommitStatusResponse> CommitStatusAsync(SignedCommitStatusRequest signed, CancellationToken ct)
    {
        if (signed.Request.IsEmpty)
            throw new GrpcException(GrpcCode.InvalidArgument, "a commit status request is required");
        CommitStatusRequest request;
        try
        {
            request = CommitStatusRequest.Parser.ParseFrom(signed.Request);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"invalid status request: {e.Message}");
        }

        if (request.Identity.IsEmpty)
            throw new GrpcException(GrpcCode.InvalidArgument, "no identity provided");
        if (request.ChannelId.Length == 0)
            throw new GrpcException(GrpcCode.InvalidArgument, "no channel ID provided");
        if (request.TransactionId.Length == 0)
            throw new GrpcException(GrpcCode.InvalidArgument, "transaction ID should not be empty");
        RequireReader(request.ChannelId, request.Identity, signed.Request, signed.Signature);
        var record = await feed.GetTransactionAsync(request.TransactionId, ct);
        return new CommitStatusResponse { Result = record.Code, BlockNumber = record.Block };
    }

    /// <summary>Sends the events of each block that has any, until the client goes.</summary>
    public async Task ChaincodeEventsAsync(SignedChaincodeEventsRequest signed, Func<ChaincodeEventsResponse, Task> send, CancellationToken ct)
    {
        if (signed.Request.IsEmpty)
            throw new GrpcException(GrpcCode.InvalidArgument, "a chaincode events request is required");
        ChaincodeEventsRequest request;
        try
        {
            request = ChaincodeEventsRequest.Parser.ParseFrom(signed.Request);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"invalid chaincode events request: {e.Message}");
        }

        RequireReader(request.ChannelId, request.Identity, signed.Request, signed.Signature);
        var number = await StartBlockAsync(request, ct);
        var passed = request.AfterTransactionId.Length == 0;
        for (; ; number++)
        {
            var block = await feed.GetBlockAsync(number, ct);
            var response = new ChaincodeEventsResponse { BlockNumber = number };
            foreach (var happened in BlockContent.Events(block))
            {
                if (passed)
                {
                    if (happened.ChaincodeId == request.ChaincodeId)
                        response.Events.Add(happened);
                }
                else if (happened.TxId == request.AfterTransactionId)
                {
                    passed = true;
                }
            }

            if (response.Events.Count > 0)
                await send(response);
        }
    }

    private async Task<ulong> StartBlockAsync(ChaincodeEventsRequest request, CancellationToken ct)
    {
        if (request.AfterTransactionId.Length > 0)
        {
            using var snapshot = await store.OpenSnapshotAsync(ct);
            if (snapshot.FindTransaction(request.AfterTransactionId) is { } record)
                return record.Block;
        }

        return request.StartPosition?.TypeCase switch
        {
            null or SeekPosition.TypeOneofCase.None or SeekPosition.TypeOneofCase.NextCommit => feed.Height,
            SeekPosition.TypeOneofCase.Specified => request.StartPosition.Specified.Number,
            var other => throw new GrpcException(GrpcCode.InvalidArgument, $"invalid start position type: *orderer.SeekPosition_{other}"),
        };
    }

    private void RequireReader(string channel, ByteString identity, ByteString data, ByteString signature)
    {
        if (channel != definition.Channel)
            throw new GrpcException(GrpcCode.PermissionDenied, $"Failed to get policy manager for channel [{channel}]");
        var member = definition.Members.Find(identity);
        if (member is null || !ChannelDefinition.MayRead(member) || !member.Verify(data.Span, signature.Span))
            throw new GrpcException(GrpcCode.PermissionDenied, AccessTexts.PolicyFailure(channel, "Readers"));
    }

    private static (string Channel, string Chaincode, bool HasTransient) Target(SignedProposal? signed)
    {
        try
        {
            if (signed is null || signed.ProposalBytes.IsEmpty)
                throw new FormatException("a signed proposal is required");
            var (_, payload, channel, chaincode) = Parts(signed);
            if (channel.Length == 0)
                throw new FormatException("no channel id provided");
            if (chaincode.Length == 0)
                throw new FormatException("no chaincode name is provided, channel id [" + channel + "]");
            return (channel, chaincode, payload.TransientMap.Count > 0);
        }
        catch (Exception e) when (e is FormatException or GrpcException)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"failed to unpack transaction proposal: {e.Message}");
        }
    }

    private static (Header Header, ChaincodeProposalPayload Payload, string Channel, string Chaincode) Parts(SignedProposal signed)
    {
        try
        {
            var proposal = Proposal.Parser.ParseFrom(signed.ProposalBytes);
            var header = Header.Parser.ParseFrom(proposal.Header);
            var channelHeader = ChannelHeader.Parser.ParseFrom(header.ChannelHeader);
            var payload = ChaincodeProposalPayload.Parser.ParseFrom(proposal.Payload);
            var specification = ChaincodeInvocationSpec.Parser.ParseFrom(payload.Input);
            return (header, payload, channelHeader.ChannelId, specification.ChaincodeSpec?.ChaincodeId?.Name ?? "");
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(GrpcCode.InvalidArgument, $"error unmarshalling Proposal: {e.Message}");
        }
    }

    private static ErrorDetail Detail(Endorser endorser, string message) =>
        new() { Address = endorser.Address, MspId = endorser.MspId, Message = message };

    private static string StatusName(Status status) => status switch
    {
        Status.BadRequest => "BAD_REQUEST",
        Status.Forbidden => "FORBIDDEN",
        Status.NotFound => "NOT_FOUND",
        Status.RequestEntityTooLarge => "REQUEST_ENTITY_TOO_LARGE",
        _ => status.ToString().ToUpperInvariant(),
    };
}
