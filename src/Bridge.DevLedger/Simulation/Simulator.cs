using System.Security.Cryptography;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Storage;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Simulation;

/// <summary>A peer refused what the chaincode asked for; the message is the one a Fabric peer gives.</summary>
internal sealed class SimulationException(string message) : Exception(message);

/// <summary>What a simulation came to.</summary>
/// <param name="PrivateReads">Collections of which a value (not only its hash) was read.</param>
/// <param name="WrittenKeys">Collection ("" for the public state) and key-level policy, if it has one, of every key written.</param>
internal sealed record SimulationResult(
    TxReadWriteSet Public,
    TxPvtReadWriteSet? Private,
    IReadOnlySet<string> PrivateReads,
    IReadOnlyList<(string Collection, ByteString? Policy)> WrittenKeys);

/// <summary>
/// One run of the chaincode on one organisation's peer: reads the committed state (never its own writes) and records what was read and
/// written. What may not follow what is as in Fabric's simulator, texts included.
/// </summary>
internal sealed class Simulator : IDisposable
{
    private readonly Snapshot snapshot;
    private readonly ChannelDefinition definition;
    private readonly string organization;
    private readonly string txId;
    private readonly string ns;
    private readonly ReadWriteSetBuilder sets = new();
    private readonly List<RangeScan> scans = [];
    private readonly HashSet<string> privateReads = new(StringComparer.Ordinal);
    private readonly List<(string, ByteString?)> writtenKeys = [];
    private bool disposed;
    private bool writePerformed;
    private bool privateQueryPerformed;
    private bool pagedQueryPerformed;

    public Simulator(Snapshot snapshot, ChannelDefinition definition, string organization, string txId)
    {
        this.snapshot = snapshot;
        this.definition = definition;
        this.organization = organization;
        this.txId = txId;
        ns = definition.Chaincode;
        // Every invocation reads which definition of the chaincode is in force: a change of it in between voids the transaction.
        var sequence = LifecycleState.SequenceKey(ns);
        sets.Read(LifecycleState.Namespace, sequence, snapshot.GetState(LifecycleState.Namespace, sequence)?.Version);
    }

    public byte[]? GetState(string key)
    {
        var value = snapshot.GetState(ns, key);
        sets.Read(ns, key, value?.Version);
        return value?.Value;
    }

    public byte[]? GetStateMetadata(string key)
    {
        var value = snapshot.GetState(ns, key);
        sets.Read(ns, key, value?.Version);
        return value?.Metadata;
    }

    public byte[]? GetPrivateData(string collection, string key)
    {
        RequireCollection(collection);
        var value = snapshot.GetPrivate(organization, ns, collection, key);
        var hash = snapshot.GetHash(ns, collection, Hash(key));
        if (hash?.Version != value?.Version)
        {
            throw new SimulationException(
                "private data matching public hash version is not available. " +
                $"Public hash version = {Text(hash?.Version)}, Private data version = {Text(value?.Version)}");
        }

        sets.ReadHashed(ns, collection, key, value?.Version);
        privateReads.Add(collection);
        return value?.Value;
    }

    public byte[]? GetPrivateDataHash(string collection, string key)
    {
        RequireCollection(collection);
        var hash = snapshot.GetHash(ns, collection, Hash(key));
        sets.ReadHashed(ns, collection, key, hash?.Version);
        return hash?.Value;
    }

    public byte[]? GetPrivateDataMetadata(string collection, string key)
    {
        RequireCollection(collection);
        var hash = snapshot.GetHash(ns, collection, Hash(key));
        sets.ReadHashed(ns, collection, key, hash?.Version);
        return hash?.Metadata;
    }

    public void PutState(string key, ByteString value)
    {
        RequireWritable();
        sets.Write(ns, key, value);
        NoteWritten("", key);
    }

    public void PutStateMetadata(string key, string name, ByteString value)
    {
        RequireWritable();
        sets.WriteMetadata(ns, key, name, value);
        NoteWritten("", key);
    }

    public void PutPrivateData(string collection, string key, ByteString value, bool purge)
    {
        RequireCollection(collection);
        RequireWritable();
        sets.WritePrivate(ns, collection, key, value, purge);
        NoteWritten(collection, key);
    }

    public void PutPrivateDataMetadata(string collection, string key, string name, ByteString value)
    {
        RequireCollection(collection);
        RequireWritable();
        sets.WritePrivateMetadata(ns, collection, key, name, value);
        NoteWritten(collection, key);
    }

    /// <param name="pageSize">0: not paged.</param>
    public RangeScan OpenRange(string start, string end, int pageSize, bool paged)
    {
        if (paged)
        {
            if (writePerformed)
                throw new SimulationException($"txid [{txId}]: unsuppored transaction. Paginated queries are supported only in a read-only transaction");
            pagedQueryPerformed = true;
        }

        var scan = new RangeScan(snapshot.GetStateRange(ns, start, end), start, end, pageSize);
        scans.Add(scan);
        return scan;
    }

    public IEnumerator<VersionedKey> OpenPrivateRange(string collection, string start, string end)
    {
        RequireReadOnlyForPrivateQuery();
        RequireCollection(collection);
        return snapshot.GetPrivateRange(organization, ns, collection, start, end).GetEnumerator();
    }

    /// <summary>Rich queries need a document database behind the peer; as a peer on LevelDB, this one has none.</summary>
    public void RefuseRichQuery(string collection, bool paged)
    {
        if (collection.Length > 0)
        {
            RequireReadOnlyForPrivateQuery();
            RequireCollection(collection);
        }
        else if (paged)
        {
            if (writePerformed)
                throw new SimulationException($"txid [{txId}]: unsuppored transaction. Paginated queries are supported only in a read-only transaction");
            pagedQueryPerformed = true;
            throw new SimulationException("ExecuteQueryWithMetadata not supported for leveldb");
        }

        throw new SimulationException("ExecuteQuery not supported for leveldb");
    }

    public IEnumerable<KeyModification> GetHistory(string key)
    {
        foreach (var place in snapshot.GetHistory(ns, key))
        {
            if (snapshot.GetBlock(place.Block) is { } block && HistoryEntry.Read(block, (int)place.Transaction, ns, key) is { } entry)
                yield return entry;
        }
    }

    public SimulationResult Finish()
    {
        foreach (var scan in scans)
            sets.ReadRange(ns, scan.Finish());
        var (publicSet, privateSet) = sets.Build();
        return new SimulationResult(publicSet, privateSet, privateReads, writtenKeys);
    }

    /// <summary>Closes the snapshot. May be called again.</summary>
    public void Dispose()
    {
        if (!Interlocked.Exchange(ref disposed, true))
            snapshot.Dispose();
    }

    private static byte[] Hash(string key) => SHA256.HashData(Snapshot.Bytes(key));

    private static string Text(Height? version) => version?.ToString() ?? "<nil>";

    private void RequireCollection(string collection)
    {
        if (definition.FindCollection(collection) is null)
            throw new SimulationException($"collection [{collection}] not defined in the collection config for chaincode [{ns}]");
    }

    private void RequireWritable()
    {
        if (privateQueryPerformed)
        {
            throw new SimulationException(
                $"txid [{txId}]: unsuppored transaction. Transaction has already performed queries on pvt data. Writes are not allowed");
        }

        if (pagedQueryPerformed)
        {
            throw new SimulationException(
                $"txid [{txId}]: unsuppored transaction. Transaction has already performed a paginated query. Writes are not allowed");
        }

        writePerformed = true;
    }

    private void RequireReadOnlyForPrivateQuery()
    {
        if (writePerformed)
            throw new SimulationException($"txid [{txId}]: unsuppored transaction. Queries on pvt data is supported only in a read-only transaction");
        privateQueryPerformed = true;
    }

    private void NoteWritten(string collection, string key)
    {
        var metadata = collection.Length == 0
            ? snapshot.GetState(ns, key)?.Metadata
            : snapshot.GetHash(ns, collection, Hash(key))?.Metadata;
        writtenKeys.Add((collection, KeyMetadata.ValidationParameter(metadata)));
    }
}
