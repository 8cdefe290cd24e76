using System.Security.Cryptography;
using Bridge.Ledger.Grpc;
using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.Ledger;

/// <summary>
/// One identity's connection to a Fabric network, through the Gateway service of its organisation's peers (Fabric 2.4 and later). Safe for
/// use by many threads; all its calls share one HTTP/2 connection.
/// </summary>
public sealed class Gateway : IDisposable
{
    private readonly Signer? signer;

    private Gateway(GatewayOptions options)
    {
        Options = options;
        signer = options.Signer;
        Endpoints = new GrpcEndpoints(options.Endpoints, new GrpcSettings
        {
            MaxConcurrentCalls = options.MaxConcurrentCalls,
            MaxMessageSize = options.MaxMessageSize,
            ConnectTimeout = options.ConnectTimeout,
            TimeProvider = options.TimeProvider,
        });
        if (options.Endpoints[0].ClientCertificate is { } certificate)
            TlsCertificateHash = UnsafeByteOperations.UnsafeWrap(SHA256.HashData(certificate.RawData));
    }

    /// <summary>Who transacts here.</summary>
    public Identity Identity => Options.Identity;

    internal GatewayOptions Options { get; }

    internal GrpcEndpoints Endpoints { get; }

    internal ByteString TlsCertificateHash { get; } = ByteString.Empty;

    /// <summary>Nothing is sent before the first call: an endpoint that cannot be reached shows then.</summary>
    /// <exception cref="ArgumentException">An option is out of range; all faults are named at once.</exception>
    public static Gateway Connect(GatewayOptions options)
    {
        options.Check();
        return new Gateway(options);
    }

    /// <summary>A channel of the network.</summary>
    public Network GetNetwork(string channelName) => new(this, channelName);

    /// <summary>Takes up a proposal from <see cref="Proposal.Bytes"/>, signed or not.</summary>
    public Proposal NewProposal(ReadOnlySpan<byte> bytes) => Proposal.Parse(this, bytes);

    /// <summary>Takes up a proposal whose <see cref="Proposal.Digest"/> was signed elsewhere.</summary>
    public Proposal NewSignedProposal(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        Proposal.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a transaction from <see cref="Transaction.Bytes"/>, signed or not.</summary>
    public Transaction NewTransaction(ReadOnlySpan<byte> bytes) => Transaction.Parse(this, bytes);

    /// <summary>Takes up a transaction whose <see cref="Transaction.Digest"/> was signed elsewhere.</summary>
    public Transaction NewSignedTransaction(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        Transaction.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a commit from <see cref="Commit.Bytes"/>, signed or not.</summary>
    public Commit NewCommit(ReadOnlySpan<byte> bytes) => Commit.Parse(this, bytes);

    /// <summary>Takes up a commit whose <see cref="Commit.Digest"/> was signed elsewhere.</summary>
    public Commit NewSignedCommit(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        Commit.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a request for chaincode events whose digest was signed elsewhere.</summary>
    public ChaincodeEventsRequest NewSignedChaincodeEventsRequest(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        ChaincodeEventsRequest.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a request for blocks whose digest was signed elsewhere.</summary>
    public BlockEventsRequest<Block> NewSignedBlockEventsRequest(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        BlockEventKinds.Blocks.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a request for filtered blocks whose digest was signed elsewhere.</summary>
    public BlockEventsRequest<FilteredBlock> NewSignedFilteredBlockEventsRequest(
        ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        BlockEventKinds.FilteredBlocks.Parse(this, bytes).WithSignature(signature);

    /// <summary>Takes up a request for blocks with private data whose digest was signed elsewhere.</summary>
    public BlockEventsRequest<BlockAndPrivateData> NewSignedBlockAndPrivateDataEventsRequest(
        ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature) =>
        BlockEventKinds.BlocksAndPrivateData.Parse(this, bytes).WithSignature(signature);

    /// <summary>Closes the connection; calls in flight fail.</summary>
    public void Dispose() => Endpoints.Dispose();

    internal async ValueTask<ByteString> SignAsync(ByteString message, CancellationToken cancellationToken)
    {
        if (signer is null)
        {
            throw new InvalidOperationException(
                "this gateway was connected without a signer: sign the digest elsewhere and come back with the NewSigned… method");
        }

        return UnsafeByteOperations.UnsafeWrap(await signer(SHA256.HashData(message.Span), cancellationToken));
    }
}
