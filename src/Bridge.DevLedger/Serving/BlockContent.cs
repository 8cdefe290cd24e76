using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Serving;

/// <summary>Reads what a committed block holds.</summary>
internal static class BlockContent
{
    /// <summary>Events of the valid transactions, in order.</summary>
    public static IEnumerable<ChaincodeEvent> Events(Block block)
    {
        for (var place = 0; place < block.Data.Data.Count; place++)
        {
            if (BlockFormat.ValidationCode(block, place) == TxValidationCode.Valid && Read(block, place) is { } payload
                && Event(payload) is { ChaincodeId.Length: > 0, EventName.Length: > 0, TxId.Length: > 0 } happened)
            {
                yield return happened;
            }
        }
    }

    /// <summary>Ids, codes and event names: what <c>DeliverFiltered</c> shows of a block.</summary>
    public static FilteredBlock Filter(Block block)
    {
        var filtered = new FilteredBlock { Number = block.Header.Number };
        for (var place = 0; place < block.Data.Data.Count; place++)
        {
            if (Read(block, place) is not { } payload)
                continue;
            var header = ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader);
            filtered.ChannelId = header.ChannelId;
            var transaction = new FilteredTransaction
            {
                Txid = header.TxId,
                Type = (HeaderType)header.Type,
                TxValidationCode = BlockFormat.ValidationCode(block, place),
            };
            if (transaction.Type == HeaderType.EndorserTransaction)
            {
                transaction.TransactionActions = new FilteredTransactionActions();
                if (Event(payload) is { ChaincodeId.Length: > 0 } happened)
                {
                    transaction.TransactionActions.ChaincodeActions.Add(new FilteredChaincodeAction
                    {
                        ChaincodeEvent = new ChaincodeEvent
                        {
                            TxId = happened.TxId,
                            ChaincodeId = happened.ChaincodeId,
                            EventName = happened.EventName,
                        },
                    });
                }
            }

            filtered.FilteredTransactions.Add(transaction);
        }

        return filtered;
    }

    private static Payload? Read(Block block, int place)
    {
        try
        {
            var payload = Payload.Parser.ParseFrom(Envelope.Parser.ParseFrom(block.Data.Data[place]).Payload);
            return payload.Header is null ? null : payload;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static ChaincodeEvent? Event(Payload payload)
    {
        try
        {
            if (ChannelHeader.Parser.ParseFrom(payload.Header.ChannelHeader).Type != (int)HeaderType.EndorserTransaction)
                return null;
            var actions = Transaction.Parser.ParseFrom(payload.Data).Actions;
            if (actions.Count == 0)
                return null;
            var action = ChaincodeActionPayload.Parser.ParseFrom(actions[0].Payload).Action;
            if (action is null)
                return null;
            var result = ChaincodeAction.Parser.ParseFrom(ProposalResponsePayload.Parser.ParseFrom(action.ProposalResponsePayload).Extension);
            return result.Events.IsEmpty ? null : ChaincodeEvent.Parser.ParseFrom(result.Events);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
