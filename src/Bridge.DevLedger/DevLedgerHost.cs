using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Bridge.DevLedger.Chaincode;
using Bridge.DevLedger.Committing;
using Bridge.DevLedger.Endorsing;
using Bridge.DevLedger.Identity;
using Bridge.DevLedger.Ordering;
using Bridge.DevLedger.Policies;
using Bridge.DevLedger.Serving;
using Bridge.DevLedger.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Bridge.DevLedger;

/// <summary>
/// A ledger for trying and testing: one process, loopback only, no fault tolerance. It plays one Fabric peer for each organisation, runs the
/// real contract once for each, and serves each peer's gateway and block stream on a port of its own.
/// </summary>
public sealed class DevLedgerHost : IAsyncDisposable
{
    private const string OrdererMsp = "OrdererMSP";

    private readonly List<IAsyncDisposable> parts = [];
    private readonly List<SigningIdentity> identities = [];
    private readonly DevLedgerOptions options;
    private readonly CryptoStore crypto;
    private readonly Dictionary<string, DevGateway> gateways = new(StringComparer.Ordinal);

    private DevLedgerHost(DevLedgerOptions options)
    {
        this.options = options;
        crypto = new CryptoStore(Path.GetFullPath(options.DataDirectory), options.Clock);
    }

    /// <summary>By MSP id, in the order of the options.</summary>
    public IReadOnlyDictionary<string, DevGateway> Gateways => gateways;

    /// <summary>
    /// Starts the contracts, resumes the ledger in the data directory and opens the gateways; writes <c>connection-MSP.json</c> for each
    /// organisation. When it returns, every gateway answers.
    /// </summary>
    /// <exception cref="DevLedgerOptionsException">The options cannot work: all faults at once.</exception>
    /// <exception cref="IOException">The data directory is in use or cannot be written.</exception>
    /// <exception cref="InvalidOperationException">A contract does not start; the message says where its output is.</exception>
    public static async Task<DevLedgerHost> StartAsync(DevLedgerOptions options, CancellationToken ct = default)
    {
        var (policy, collections) = OptionsCheck.Check(options);
        var host = new DevLedgerHost(options);
        try
        {
            await host.StartAsync(policy, collections, options.Logging, ct);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// A client identity (OU=client) of the organisation; the first call makes key and certificate, later ones give the same. The files lie
    /// under <c>crypto/MSP/clients/</c> of the data directory.
    /// </summary>
    /// <exception cref="InvalidOperationException">The organisation is unknown, or its certificates were given and its authority is elsewhere.</exception>
    public Task<DevClient> IssueClientAsync(string mspId, string name) => Task.Run(() => Issue(mspId, name, NodeRole.Client));

    /// <summary>As <see cref="IssueClientAsync"/>, with OU=admin.</summary>
    public Task<DevClient> IssueAdminAsync(string mspId, string name) => Task.Run(() => Issue(mspId, name, NodeRole.Admin));

    /// <summary>Stops serving, finishes the block that is being written, and ends the contracts. What is queued comes with the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var i = parts.Count - 1; i >= 0; i--)
            await parts[i].DisposeAsync();
        parts.Clear();
        foreach (var identity in identities)
            identity.Dispose();
        identities.Clear();
    }

    private async Task StartAsync(
        Bridge.Ledger.Protocol.SignaturePolicyEnvelope policy, IReadOnlyList<Collection> collections, ILoggerFactory logging, CancellationToken ct)
    {
        var store = LedgerStore.Open(Path.GetFullPath(options.DataDirectory));
        parts.Add(store);

        var authorities = options.Organizations.ToDictionary(o => o.MspId, Authorities, StringComparer.Ordinal);
        var members = new MemberDirectory(authorities);
        var definition = new ChannelDefinition(options.Channel, options.Chaincode, options.ChaincodeVersion, policy, collections, members);
        var feed = new LedgerFeed(store);
        var orderingIdentity = Ordering();
        var peerIdentities = options.Organizations.Select(PeerIdentity).ToList();
        identities.AddRange([orderingIdentity, .. peerIdentities]);
        var peers = peerIdentities.Select(p => members.Find(p.Serialized)!).ToList();
        RequireGoodPeers(peers);

        var committer = new Committer(definition, peers, orderingIdentity, store, feed, options.Clock, logging.CreateLogger("Bridge.DevLedger.Committing"));
        var orderer = new Orderer(
            definition, store, committer,
            new BatchLimits(options.BatchTimeout, options.BatchSize, options.PreferredMaxBytes, options.AbsoluteMaxBytes),
            options.Clock, logging.CreateLogger("Bridge.DevLedger.Ordering"));
        await committer.StartAsync(definition.ToConfiguration(authorities.ToDictionary(
            a => a.Key, IReadOnlyList<string> (a) => a.Value.Select(c => c.ExportCertificatePem()).ToList())), ct);
        await orderer.StartAsync();
        parts.Add(orderer);

        var runners = options.Organizations.Select(o => Runner(o, logging.CreateLogger("Bridge.DevLedger.Chaincode"))).ToList();
        parts.AddRange(runners);
        try
        {
            await Task.WhenAll(runners.Select(runner => runner.GetLinkAsync(ct)));
        }
        catch (ChaincodeException e)
        {
            throw new InvalidOperationException($"The dev ledger could not start: {e.Message}.", e);
        }

        await ServeAsync(definition, store, feed, orderer, peerIdentities, runners, logging, ct);
    }

    private async Task ServeAsync(
        ChannelDefinition definition, LedgerStore store, LedgerFeed feed, Orderer orderer, List<SigningIdentity> peerIdentities,
        List<ChaincodeRunner> runners, ILoggerFactory logging, CancellationToken ct)
    {
        var servers = new Dictionary<int, PeerServer>();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ApplicationName = "Bridge.DevLedger" });
        builder.Services.AddSingleton(logging);
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(1));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            PeerServer.Configure(kestrel);
            foreach (var organization in options.Organizations)
                kestrel.Listen(IPAddress.Loopback, organization.Port, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.Run(context => servers.TryGetValue(context.Connection.LocalPort, out var server)
            ? server.ServeAsync(context)
            : Task.FromException(new InvalidOperationException($"nobody serves port {context.Connection.LocalPort}")));
        try
        {
            await app.StartAsync(ct);
        }
        catch (IOException)
        {
            await app.DisposeAsync();
            throw;
        }

        parts.Add(app);
        var ports = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(address => new Uri(address).Port).ToList();
        var endorsers = options.Organizations
            .Select((o, i) => new Endorser(peerIdentities[i], $"127.0.0.1:{ports[i]}", definition, store, runners[i], options.Clock))
            .ToList();
        for (var i = 0; i < options.Organizations.Count; i++)
        {
            var mspId = options.Organizations[i].MspId;
            servers[ports[i]] = new PeerServer(
                new GatewayService(mspId, definition, endorsers, orderer, store, feed, "127.0.0.1:0"),
                new DeliverService(mspId, definition, store, feed, options.Clock),
                options.GatewayConcurrency);
            gateways[mspId] = Gateway(options.Organizations[i], ports[i]);
        }
    }

    private DevGateway Gateway(DevOrganization organization, int port)
    {
        var endpoint = new Uri($"http://127.0.0.1:{port}");
        var directory = Path.GetFullPath(options.DataDirectory);
        var profile = Path.Combine(directory, $"connection-{organization.MspId}.json");
        var client = organization.RootCertificateFiles.Count == 0 ? Issue(organization.MspId, "bridge", NodeRole.Client) : null;
        using (var stream = new MemoryStream())
        {
            using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
            {
                json.WriteStartObject();
                json.WriteString("mspId", organization.MspId);
                json.WriteString("channel", options.Channel);
                json.WriteString("chaincode", options.Chaincode);
                if (client is not null)
                {
                    json.WriteString("certificate", Path.GetRelativePath(directory, client.CertificateFile));
                    json.WriteString("key", Path.GetRelativePath(directory, client.KeyFile));
                }

                json.WriteStartArray("gateways");
                json.WriteStartObject();
                json.WriteString("endpoint", endpoint.GetLeftPart(UriPartial.Authority));
                json.WriteEndObject();
                json.WriteEndArray();
                json.WriteEndObject();
            }

            File.WriteAllText(profile, Encoding.UTF8.GetString(stream.ToArray()) + "\n");
        }

        var root = organization.RootCertificateFiles.Count == 0 ? crypto.Path(organization.MspId, "ca.pem") : organization.RootCertificateFiles[0];
        return new DevGateway(organization.MspId, endpoint, profile, root);
    }

    private DevClient Issue(string mspId, string name, NodeRole role)
    {
        var organization = options.Organizations.FirstOrDefault(o => o.MspId == mspId)
            ?? throw new InvalidOperationException($"'{mspId}' is none of the dev ledger's organisations.");
        if (organization.RootCertificateFiles.Count > 0)
            throw new InvalidOperationException($"The authority of {mspId} is not the dev ledger's: issue '{name}' where that authority is.");
        if (name.Length == 0 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            throw new ArgumentException($"'{name}' is no name for a client: letters, digits, '-', '_' and '.' only.", nameof(name));
        var (certificate, key, certificateFile, keyFile) = crypto.Member(mspId, role, name);
        using (certificate)
        using (key)
            return new DevClient(mspId, File.ReadAllText(certificateFile), File.ReadAllText(keyFile), certificateFile, keyFile);
    }

    private X509Certificate2Collection Authorities(DevOrganization organization)
    {
        var found = new X509Certificate2Collection();
        foreach (var file in organization.RootCertificateFiles)
            found.ImportFromPemFile(file);
        if (found.Count == 0)
            found.Add(crypto.Authority(organization.MspId));
        return found;
    }

    private SigningIdentity PeerIdentity(DevOrganization organization)
    {
        if (organization.PeerCertificateFile is null)
        {
            var (certificate, key, _, _) = crypto.Member(organization.MspId, NodeRole.Peer, "peer");
            return new SigningIdentity(organization.MspId, certificate, key);
        }

        var own = System.Security.Cryptography.ECDsa.Create();
        own.ImportFromPem(File.ReadAllText(organization.PeerKeyFile!));
        return new SigningIdentity(organization.MspId, X509Certificate2.CreateFromPem(File.ReadAllText(organization.PeerCertificateFile)), own);
    }

    private SigningIdentity Ordering()
    {
        var (certificate, key, _, _) = crypto.Member(OrdererMsp, NodeRole.Orderer, "orderer");
        return new SigningIdentity(OrdererMsp, certificate, key);
    }

    private static void RequireGoodPeers(List<Member> peers)
    {
        var faults = peers.Where(p => p.Fault is not null || p.Role != NodeRole.Peer)
            .Select(p => $"Organizations '{p.MspId}': PeerCertificateFile: {p.Fault ?? $"its unit is {p.Role}, not peer"}")
            .ToList();
        if (faults.Count > 0)
            throw new DevLedgerOptionsException(faults);
    }

    private ChaincodeRunner Runner(DevOrganization organization, ILogger logger)
    {
        var environment = new Dictionary<string, string>(options.ChaincodeEnvironment, StringComparer.Ordinal);
        foreach (var (name, value) in organization.ChaincodeEnvironment)
            environment[name] = value;
        return new ChaincodeRunner(
            new ChaincodeSource(
                organization.MspId, organization.ChaincodeAddress,
                options.ChaincodeDirectory is null ? null : Path.GetFullPath(options.ChaincodeDirectory), options.Chaincode, environment,
                Path.Combine(Path.GetFullPath(options.DataDirectory), $"contract-{organization.MspId}.log")),
            logger);
    }
}

/// <summary>Where an organisation's peer is reached.</summary>
/// <param name="MspId">Whose it is.</param>
/// <param name="Endpoint">http://127.0.0.1:port, HTTP/2 without TLS.</param>
/// <param name="ConnectionProfile">Full path of the organisation's <c>connection-MSP.json</c>.</param>
/// <param name="RootCertificateFile">Full path of the root (PEM) that the organisation's members chain to.</param>
public sealed record DevGateway(string MspId, Uri Endpoint, string ConnectionProfile, string RootCertificateFile);

/// <summary>A client's identity.</summary>
/// <param name="MspId">Its organisation.</param>
/// <param name="CertificatePem">PEM.</param>
/// <param name="PrivateKeyPem">PKCS#8 PEM.</param>
/// <param name="CertificateFile">Full path of the certificate.</param>
/// <param name="KeyFile">Full path of the key; readable by its owner only.</param>
public sealed record DevClient(string MspId, string CertificatePem, string PrivateKeyPem, string CertificateFile, string KeyFile);
