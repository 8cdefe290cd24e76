using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Announcing;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Hospital.WriteBack;
using Bridge.Ledger;

namespace Bridge.Hospital;

/// <summary>Which hospital this is.</summary>
/// <param name="Msp"><c>Hospital:Msp</c>: its Fabric MSP id.</param>
/// <param name="Name"><c>Hospital:Name</c>: for people.</param>
internal sealed record HospitalOptions(string Msp, string Name)
{
    public static HospitalOptions Read(ConfigurationReader reader)
    {
        var msp = reader.Required("Hospital:Msp", "the hospital's Fabric MSP id, such as HospitalAMSP");
        if (msp.Length > 0 && !(char.IsAsciiLetter(msp[0]) && msp.Length <= 64 && msp.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-')))
            reader.Fault("Hospital:Msp", msp, "a letter, then letters, digits, dots and hyphens, at most 64 in all");
        return new HospitalOptions(msp, reader.Text("Hospital:Name", msp));
    }
}

/// <summary>
/// The ledger and the bridge's own identity on it: in one connection profile (<c>Ledger:Profile</c>, as the network's operators hand it out; the only way to a key in
/// a PKCS#11 token), or in keys of its own.
/// </summary>
/// <param name="Profile"><c>Ledger:Profile</c>: a connection profile; then what stands in it is not given here. Null = none.</param>
/// <param name="Endpoints"><c>Ledger:Endpoints</c>: gateways of the hospital's own peers, the preferred first.</param>
/// <param name="TlsRoots"><c>Ledger:TlsRoots</c>: PEM file with the only roots trusted for them; null = the system's.</param>
/// <param name="ServerName"><c>Ledger:ServerName</c>: name in the gateway's certificate where it is not the host.</param>
/// <param name="Channel"><c>Ledger:Channel</c>: default <c>bridge</c>.</param>
/// <param name="Chaincode"><c>Ledger:Chaincode</c>: default <c>summaries</c>.</param>
/// <param name="PortalMsp"><c>Ledger:PortalMsp</c>: default <c>PortalMSP</c>.</param>
/// <param name="Certificate"><c>Ledger:Certificate</c>: PEM of the bridge's certificate.</param>
/// <param name="Key"><c>Ledger:Key</c>: PEM of its key.</param>
/// <param name="CommitTimeout"><c>Ledger:CommitTimeout</c>: how long a commit's status is waited for. Default 2 min.</param>
internal sealed record LedgerOptions(
    ConnectionProfile? Profile, IReadOnlyList<Uri> Endpoints, string? TlsRoots, string? ServerName, string Channel, string Chaincode, string PortalMsp, string Certificate, string Key,
    TimeSpan CommitTimeout)
{
    private static readonly string[] InProfile = ["Endpoints:0", "TlsRoots", "ServerName", "Channel", "Chaincode", "Certificate", "Key"];

    /// <summary>Gateways with all that is needed to trust them, the preferred first.</summary>
    public IReadOnlyList<GatewayEndpoint> Gateways => Profile?.Gateways
        ?? [.. Endpoints.Select(endpoint => new GatewayEndpoint(endpoint) { TlsRoots = Roots(), ServerName = ServerName })];

    public static LedgerOptions Read(ConfigurationReader reader) =>
        reader.ExistingFile("Ledger:Profile", required: false, "a connection profile in JSON, as network/README.md shows it") is { } profile ? ReadProfile(reader, profile) : ReadKeys(reader);

    /// <summary>The bridge's certificate and key; a fault names the key whose value is at fault, and null comes back.</summary>
    public SigningIdentity? ReadBridge(ConfigurationReader reader) => Profile is { } profile
        ? SigningIdentity.Of(profile)
        : SigningIdentity.Read(reader, "Ledger:Certificate", Certificate, "Ledger:Key", Key);

    private static LedgerOptions ReadProfile(ConfigurationReader reader, string file)
    {
        foreach (var name in InProfile)
            if (reader.Raw($"Ledger:{name}") is { } value)
                reader.Fault($"Ledger:{name}", value, "it stands in Ledger:Profile: leave it out here");
        ConnectionProfile? profile = null;
        try
        {
            profile = ConnectionProfile.Load(file);
        }
        catch (ConnectionProfileException e)
        {
            foreach (var fault in e.Faults)
                reader.Fault("Ledger:Profile", file, fault);
        }
        if (profile is not null && reader.Raw("Hospital:Msp") is { } msp && msp != profile.Identity.MspId)
            reader.Fault("Ledger:Profile", file, $"it is of {profile.Identity.MspId}, this hospital is {msp}: name its own profile");
        return new LedgerOptions(
            profile, [], null, null, profile?.Channel ?? "", profile?.Chaincode ?? "", reader.Text("Ledger:PortalMsp", "PortalMSP"), "", "", ReadCommitTimeout(reader));
    }

    private static LedgerOptions ReadKeys(ConfigurationReader reader)
    {
        var endpoints = new List<Uri>();
        var texts = reader.Texts("Ledger:Endpoints");
        if (texts.Count == 0)
            reader.Fault("Ledger:Endpoints", null, "at least one gateway of the hospital's own peers, such as https://peer0.hospital.example:7051");
        foreach (var text in texts)
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri is not { Scheme: "http" or "https", AbsolutePath: "/" })
                reader.Fault("Ledger:Endpoints", text, "an address such as https://peer0.hospital.example:7051");
            else if (ConfigurationReader.IsPlainToElsewhere(uri))
                reader.Fault("Ledger:Endpoints", text, ConfigurationReader.UseHttps);
            else
                endpoints.Add(uri);
        return new LedgerOptions(
            null,
            endpoints,
            ReadRoots(reader),
            reader.Raw("Ledger:ServerName"),
            reader.Text("Ledger:Channel", "bridge"),
            reader.Text("Ledger:Chaincode", "summaries"),
            reader.Text("Ledger:PortalMsp", "PortalMSP"),
            reader.ExistingFile("Ledger:Certificate", required: true, "PEM certificate of the bridge, issued by the hospital's Fabric CA") ?? "",
            reader.ExistingFile("Ledger:Key", required: true, "PEM key that belongs to Ledger:Certificate") ?? "",
            ReadCommitTimeout(reader));
    }

    private static TimeSpan ReadCommitTimeout(ConfigurationReader reader) =>
        reader.Duration("Ledger:CommitTimeout", TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));

    private static string? ReadRoots(ConfigurationReader reader)
    {
        const string cure = "PEM file with the CA of the peers' TLS certificates";
        if (reader.ExistingFile("Ledger:TlsRoots", required: false, cure) is not { } file)
            return null;
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(file);
        }
        catch (CryptographicException)
        {
        }
        if (roots.Count == 0)
            reader.Fault("Ledger:TlsRoots", file, $"the file holds no PEM certificate; {cure}");
        return roots.Count == 0 ? null : file;
    }

    private X509Certificate2Collection? Roots()
    {
        if (TlsRoots is null)
            return null;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(TlsRoots);
        return roots;
    }
}

/// <summary>A certificate and its private key, from PEM files or a connection profile; there the key may lie in a PKCS#11 token.</summary>
internal sealed class SigningIdentity : IDisposable
{
    private SigningIdentity(byte[] pem, X509Certificate2 certificate, ECDsa key) => (Pem, Certificate, Key) = (pem, certificate, key);

    /// <summary>The certificate file, in its very bytes.</summary>
    public ReadOnlyMemory<byte> Pem { get; }

    public X509Certificate2 Certificate { get; }

    public ECDsa Key { get; }

    /// <summary>The identity of a profile that names its key.</summary>
    public static SigningIdentity Of(ConnectionProfile profile)
    {
        var pem = profile.Identity.Credentials.ToArray();
        return new SigningIdentity(pem, X509Certificate2.CreateFromPem(System.Text.Encoding.ASCII.GetString(pem)), profile.PrivateKey!);
    }

    /// <summary>Reads both files; a fault names the key whose value is at fault, and null comes back.</summary>
    public static SigningIdentity? Read(ConfigurationReader reader, string certificateKey, string? certificateFile, string keyKey, string? keyFile)
    {
        if (string.IsNullOrEmpty(certificateFile) || string.IsNullOrEmpty(keyFile))
            return null;
        X509Certificate2 certificate;
        byte[] pem;
        try
        {
            pem = File.ReadAllBytes(certificateFile);
            certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.ASCII.GetString(pem));
        }
        catch (CryptographicException)
        {
            reader.Fault(certificateKey, certificateFile, "the file holds no PEM certificate");
            return null;
        }
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(File.ReadAllText(keyFile));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            reader.Fault(keyKey, keyFile, "the file holds no unencrypted PEM private key (ECDSA P-256)");
            key.Dispose();
            certificate.Dispose();
            return null;
        }
        if (key.KeySize != 256 || !key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certificate.PublicKey.ExportSubjectPublicKeyInfo()))
        {
            reader.Fault(keyKey, keyFile, $"the key does not belong to the certificate in {certificateFile}, or is not ECDSA P-256");
            key.Dispose();
            certificate.Dispose();
            return null;
        }
        return new SigningIdentity(pem, certificate, key);
    }

    public void Dispose()
    {
        Certificate.Dispose();
        Key.Dispose();
    }
}

/// <summary>Everything that is configured, checked as a whole.</summary>
internal sealed record Settings(
    HospitalOptions Hospital, ServerOptions Server, AccessOptions Access, SignInOptions SignIn, StoreOptions Store, LedgerOptions Ledger, SigningIdentity Bridge,
    WatchingOptions Watching, ExtractionSettings Extraction, TurnOptions Turns, AnchoringOptions Anchoring, EnrolmentOptions Enrolment, CertificatesOptions Certificates,
    OperationsOptions Operations, WriteBackOptions WriteBack, AnnouncingOptions Announcing)
{
    /// <exception cref="ConfigurationException">With all faults.</exception>
    public static Settings Read(IConfiguration configuration, string baseDirectory)
    {
        var reader = new ConfigurationReader(configuration, baseDirectory);
        var ledger = LedgerOptions.Read(reader);
        var bridge = ledger.ReadBridge(reader);
        var settings = new Settings(
            HospitalOptions.Read(reader), ServerOptions.Read(reader), AccessOptions.Read(reader), SignInOptions.Read(reader), StoreOptions.Read(reader), ledger, bridge!,
            WatchingOptions.Read(reader), ExtractionSettings.Read(reader), TurnOptions.Read(reader), AnchoringOptions.Read(reader), EnrolmentOptions.Read(reader),
            CertificatesOptions.Read(reader), OperationsOptions.Read(reader), WriteBackOptions.Read(reader), AnnouncingOptions.Read(reader));
        reader.ThrowIfFaulty();
        return settings;
    }
}
