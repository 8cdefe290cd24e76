using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Simulation;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Bridge.DevLedger.Committing;

/// <summary>Makes blocks of ordered envelopes: chains, signs, validates and writes them. One block at a time.</summary>
internal sealed class Committer(
    ChannelDefinition definition, IReadOnlyList<Member> peers, SigningIdentity orderer, LedgerStore store, LedgerFeed feed, TimeProvider clock, ILogger logger)
{
    private const string LastConfigFact = "last-config-block";
    private const string DefinitionFact = "definition";

    private byte[] previousHash = [];
    private byte[] previousCommitHash = [];
    private ulong height;
    private ulong lastConfig;

    /// <summary>Reads where the ledger stands; writes a configuration block where the definition is new or has changed.</summary>
    public async Task StartAsync(byte[] configuration, CancellationToken ct)
    {
        using (var snapshot = await store.OpenSnapshotAsync(ct))
        {
            height = snapshot.Height;
            if (height > 0)
            {
                previousHash = snapshot.GetHeaderHash(height - 1)!;
                var slot = snapshot.GetBlock(height - 1)!.Metadata.Metadata[(int)BlockMetadataIndex.CommitHash];
                previousCommitHash = Metadata.Parser.ParseFrom(slot).Value.ToByteArray();
            }
        }

        feed.Start(height);
        lastConfig = await store.ReadFactAsync(LastConfigFact) is { } fact ? BitConverter.ToUInt64(fact) : 0;
        var known = await store.ReadFactAsync(DefinitionFact);
        if (known is not null && known.AsSpan().SequenceEqual(configuration))
            return;
        await CommitConfigurationAsync(configuration, ct);
    }

    public async Task CommitAsync(IReadOnlyList<(long Row, ByteString Envelope)> batch, CancellationToken ct)
    {
        var block = BlockFormat.NewBlock(height, previousHash, batch.Select(item => item.Envelope));
        Sign(block);
        var transactions = new CheckedTransaction[batch.Count];
        Parallel.For(0, batch.Count, i => transactions[i] = CheckedTransaction.Check(batch[i].Envelope, definition));

        BlockCommit commit;
        using (var snapshot = await store.OpenSnapshotAsync(ct))
        {
            Validate(transactions, snapshot);
            commit = Prepare(block, transactions, batch.Select(item => item.Row).ToList(), snapshot);
        }

        await WriteAsync(commit);
        var invalid = transactions.Where(t => t.Code != TxValidationCode.Valid).ToList();
        CommitLog.Committed(logger, block.Header.Number, batch.Count, invalid.Count);
        foreach (var transaction in invalid)
            CommitLog.Invalid(logger, block.Header.Number, transaction.TxId, transaction.Code);
    }

    // 1. each against the policies, as the state was before the block; 2. an id stands once; 3. reads, each after the writes of those before.
    private void Validate(CheckedTransaction[] transactions, Snapshot snapshot)
    {
        var endorsement = new EndorsementCheck(definition, snapshot);
        foreach (var transaction in transactions.Where(t => t.Code == TxValidationCode.NotValidated))
        {
            transaction.Code = snapshot.FindTransaction(transaction.TxId) is not null
                ? TxValidationCode.DuplicateTxid
                : endorsement.Check(transaction);
        }

        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var transaction in transactions.Where(t => t.Code == TxValidationCode.Valid && !ids.Add(t.TxId)))
            transaction.Code = TxValidationCode.DuplicateTxid;
    }

    private BlockCommit Prepare(Block block, CheckedTransaction[] transactions, IReadOnlyList<long> rows, Snapshot snapshot)
    {
        var state = new BlockState(snapshot);
        var secrets = new PrivateChanges(definition, peers, snapshot);
        var history = new List<(string, string, Height)>();
        for (var place = 0; place < transactions.Length; place++)
        {
            var transaction = transactions[place];
            if (transaction.Code != TxValidationCode.Valid)
                continue;
            transaction.Code = state.Check(transaction.Sets);
            if (transaction.Code != TxValidationCode.Valid)
                continue;
            var version = new Height(height, (ulong)place);
            state.Apply(transaction.Sets, version);
            secrets.Add(transaction, version);
            history.AddRange(transaction.Sets.SelectMany(set => set.Public.Writes.Select(write => (set.Name, write.Key, version))));
        }

        return Finish(block, transactions.Select(t => t.Code).ToArray(), state, new BlockCommit
        {
            Block = block,
            HeaderHash = BlockFormat.HeaderHash(block.Header),
            Transactions = transactions.Select((t, place) => (t.TxId, place, t.Code)).Where(t => t.TxId.Length > 0).ToList(),
            State = state.State.ToList(),
            Hashes = state.Hashes.ToList(),
            History = history,
            Private = secrets.Writes,
            PrivateSets = secrets.Sets,
            Purges = secrets.Purges,
            Expiries = secrets.Expiries(height),
            PendingRows = rows,
        });
    }

    private async Task CommitConfigurationAsync(byte[] configuration, CancellationToken ct)
    {
        var nonce = System.Security.Cryptography.RandomNumberGenerator.GetBytes(24);
        var payload = new Payload
        {
            Header = new Header
            {
                ChannelHeader = new ChannelHeader
                {
                    Type = (int)HeaderType.Config,
                    ChannelId = definition.Channel,
                    Timestamp = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(clock.GetUtcNow()),
                }.ToByteString(),
                SignatureHeader = new SignatureHeader { Creator = orderer.Serialized, Nonce = ByteString.CopyFrom(nonce) }.ToByteString(),
            },
            Data = ByteString.CopyFrom(configuration),
        }.ToByteString();
        var envelope = new Envelope { Payload = payload, Signature = orderer.Sign(payload.Span) }.ToByteString();
        var block = BlockFormat.NewBlock(height, previousHash, [envelope]);
        lastConfig = height;
        Sign(block);
        byte[]? sequence;
        using (var snapshot = await store.OpenSnapshotAsync(ct))
            sequence = snapshot.GetState(LifecycleState.Namespace, LifecycleState.SequenceKey(definition.Chaincode))?.Value;
        var next = BitConverter.GetBytes(sequence is null ? 1L : BitConverter.ToInt64(sequence) + 1);
        await WriteAsync(Finish(block, [TxValidationCode.Valid], new BlockState(null!), new BlockCommit
        {
            Block = block,
            HeaderHash = BlockFormat.HeaderHash(block.Header),
            Transactions = [],
            State = [(LifecycleState.Namespace, LifecycleState.SequenceKey(definition.Chaincode), next, null, new Height(height, 0))],
            Hashes = [],
            History = [],
            Private = [],
            PrivateSets = [],
            Purges = [],
            Expiries = [],
            Facts = [(LastConfigFact, BitConverter.GetBytes(lastConfig)), (DefinitionFact, configuration)],
            PendingRows = [],
        }));
    }

    private BlockCommit Finish(Block block, TxValidationCode[] codes, BlockState state, BlockCommit commit)
    {
        BlockFormat.SetValidationCodes(block, codes);
        var updates = new KVRWSet();
        updates.Writes.AddRange(state.State.Select(u => Update(u.Namespace, u.Key, u.Value)));
        updates.Writes.AddRange(state.Hashes.Select(u => Update(u.Namespace + "/" + u.Collection, Convert.ToHexStringLower(u.KeyHash), u.ValueHash)));
        previousCommitHash = BlockFormat.CommitHash(codes.Select(code => (byte)code).ToArray(), updates.ToByteArray(), previousCommitHash);
        block.Metadata.Metadata[(int)BlockMetadataIndex.CommitHash] =
            new Metadata { Value = ByteString.CopyFrom(previousCommitHash) }.ToByteString();
        return commit;

        static KVWrite Update(string ns, string key, byte[]? value) =>
            new() { Key = ns + "/" + key, IsDelete = value is null, Value = value is null ? ByteString.Empty : ByteString.CopyFrom(value) };
    }

    private async Task WriteAsync(BlockCommit commit)
    {
        await store.CommitAsync(commit);
        previousHash = commit.HeaderHash;
        height++;
        feed.Publish(commit.Block, commit.Transactions);
    }

    private void Sign(Block block)
    {
        var value = BlockFormat.SignaturesValue(lastConfig, []);
        var header = new SignatureHeader
        {
            Creator = orderer.Serialized,
            Nonce = ByteString.CopyFrom(System.Security.Cryptography.RandomNumberGenerator.GetBytes(24)),
        }.ToByteString();
        BlockFormat.SetSignatures(block, lastConfig, value, [new MetadataSignature
        {
            SignatureHeader = header,
            Signature = orderer.Sign(BlockFormat.SignedBytes(value, header.Span, block.Header)),
        }]);
    }
}

internal static partial class CommitLog
{
    [LoggerMessage(7200, LogLevel.Debug, "Block {Number}: {Count} transactions, {Invalid} of them invalid")]
    public static partial void Committed(ILogger logger, ulong number, int count, int invalid);

    [LoggerMessage(7201, LogLevel.Information, "Block {Number}: transaction {TxId} is invalid: {Code}")]
    public static partial void Invalid(ILogger logger, ulong number, string txId, TxValidationCode code);
}
