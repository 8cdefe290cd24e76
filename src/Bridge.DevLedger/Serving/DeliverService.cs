using Bridge.DevLedger.Committing;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Serving;

/// <summary>What a reader of blocks wants of each.</summary>
internal enum DeliverForm
{
    Block,
    Filtered,
    WithPrivateData,
}

/// <summary><c>protos.Deliver</c> of one organisation's peer.</summary>
internal sealed class DeliverService(string mspId, ChannelDefinition definition, LedgerStore store, LedgerFeed feed, TimeProvider clock)
{
    private static readonly TimeSpan TimeWindow = TimeSpan.FromMinutes(15);

    /// <summary>Sends the blocks that one envelope asks for; the result is the status that ends them.</summary>
    public async Task<Status> DeliverAsync(Envelope envelope, DeliverForm form, Func<DeliverResponse, Task> send, CancellationToken ct)
    {
        ChannelHeader header;
        SignatureHeader signer;
        SeekInfo seek;
        try
        {
            var payload = Payload.Parser.ParseFrom(envelope.Payload);
            if (payload.Header is null)
                return Status.BadRequest;
            header = ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader);
            signer = SignatureHeader.Parser.ParseFrom(payload.Header.SignatureHeader);
            if (header.Timestamp is null || (header.Timestamp.ToDateTimeOffset() - clock.GetUtcNow()).Duration() > TimeWindow)
                return Status.BadRequest;
            if (header.ChannelId != definition.Channel)
                return Status.NotFound;
            seek = SeekInfo.Parser.ParseFrom(payload.Data);
        }
        catch (InvalidProtocolBufferException)
        {
            return Status.BadRequest;
        }

        var reader = definition.Members.Find(signer.Creator);
        if (reader is null || !ChannelDefinition.MayRead(reader) || reader.IsExpired(clock.GetUtcNow())
            || !reader.Verify(envelope.Payload.Span, envelope.Signature.Span))
        {
            return Status.Forbidden;
        }

        if (seek.Start is null || seek.Stop is null)
            return Status.BadRequest;
        var height = feed.Height;
        if (Number(seek.Start, height) is not { } number)
            return Status.BadRequest;
        var last = seek.Stop.TypeCase switch
        {
            SeekPosition.TypeOneofCase.Oldest => number,
            SeekPosition.TypeOneofCase.Newest => seek.Start.Equals(seek.Stop) ? number : height - 1,
            SeekPosition.TypeOneofCase.Specified => seek.Stop.Specified.Number,
            _ => 0UL,
        };
        if (last < number)
            return Status.BadRequest;

        for (; ; number++)
        {
            if (seek.Behavior == SeekInfo.Types.SeekBehavior.FailIfNotReady && number >= feed.Height)
                return Status.NotFound;
            var block = await feed.GetBlockAsync(number, ct);
            await send(await ResponseAsync(block, seek, form, reader, ct));
            if (number == last)
                return Status.Success;
        }
    }

    private static ulong? Number(SeekPosition position, ulong height) => position.TypeCase switch
    {
        SeekPosition.TypeOneofCase.Oldest => 0,
        SeekPosition.TypeOneofCase.Newest => height - 1,
        SeekPosition.TypeOneofCase.NextCommit => height,
        SeekPosition.TypeOneofCase.Specified => position.Specified.Number,
        _ => null,
    };

    private async Task<DeliverResponse> ResponseAsync(Block block, SeekInfo seek, DeliverForm form, Identity.Member reader, CancellationToken ct)
    {
        if (form == DeliverForm.Filtered)
            return new DeliverResponse { FilteredBlock = BlockContent.Filter(block) };
        var shown = seek.ContentType == SeekInfo.Types.SeekContentType.HeaderWithSig
            ? new Block { Header = block.Header, Metadata = block.Metadata }
            : block;
        return form == DeliverForm.Block
            ? new DeliverResponse { Block = shown }
            : new DeliverResponse { BlockAndPrivateData = await WithPrivateDataAsync(block.Header.Number, shown, reader, ct) };
    }

    // What this organisation's peer holds, less the collections that the reader is no member of.
    private async Task<BlockAndPrivateData> WithPrivateDataAsync(ulong number, Block block, Identity.Member reader, CancellationToken ct)
    {
        var response = new BlockAndPrivateData { Block = block };
        using var snapshot = await store.OpenSnapshotAsync(ct);
        foreach (var set in snapshot.GetPrivateSets(number, mspId))
        {
            if (definition.FindCollection(set.Collection) is not { } collection || !collection.HasMember(reader))
                continue;
            if (!response.PrivateDataMap.TryGetValue((ulong)set.Place, out var transaction))
                response.PrivateDataMap[(ulong)set.Place] = transaction = new TxPvtReadWriteSet();
            var ns = transaction.NsPvtRwset.FirstOrDefault(entry => entry.Namespace == set.Namespace);
            if (ns is null)
                transaction.NsPvtRwset.Add(ns = new NsPvtReadWriteSet { Namespace = set.Namespace });
            ns.CollectionPvtRwset.Add(new CollectionPvtReadWriteSet { CollectionName = set.Collection, Rwset = ByteString.CopyFrom(set.RwSet) });
        }

        return response;
    }
}
