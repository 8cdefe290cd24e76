using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;

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

/// <summary>The ledger and the bridge's own identity on it.</summary>
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
    IReadOnlyList<Uri> Endpoints, string? TlsRoots, string? ServerName, string Channel, string Chaincode, string PortalMsp, string Certificate, string Key,
    TimeSpan CommitTimeout)
{
    public static LedgerOptions Read(ConfigurationReader reader)
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
            endpoints,
            reader.ExistingFile("Ledger:TlsRoots", required: false, "PEM file with the CA of the peers' TLS certificates"),
            reader.Raw("Ledger:ServerName"),
            reader.Text("Ledger:Channel", "bridge"),
            reader.Text("Ledger:Chaincode", "summaries"),
            reader.Text("Ledger:PortalMsp", "PortalMSP"),
            reader.ExistingFile("Ledger:Certificate", required: true, "PEM certificate of the bridge, issued by the hospital's Fabric CA") ?? "",
            reader.ExistingFile("Ledger:Key", required: true, "PEM key that belongs to Ledger:Certificate") ?? "",
            reader.Duration("Ledger:CommitTimeout", TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)));
    }
}

/// <summary>A certificate and its private key, from PEM files. Another holder of the key (PKCS#11) comes in as another <see cref="ECDsa"/>.</summary>
internal sealed class SigningIdentity : IDisposable
{
    private SigningIdentity(byte[] pem, X509Certificate2 certificate, ECDsa key) => (Pem, Certificate, Key) = (pem, certificate, key);

    /// <summary>The certificate file, in its very bytes.</summary>
    public ReadOnlyMemory<byte> Pem { get; }

    public X509Certificate2 Certificate { get; }

    public ECDsa Key { get; }

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
    HospitalOptions Hospital, ServerOptions Server, AccessOptions Access, StoreOptions Store, LedgerOptions Ledger, SigningIdentity Bridge,
    WatchingOptions Watching, ExtractionSettings Extraction, AnchoringOptions Anchoring, EnrolmentOptions Enrolment, CertificatesOptions Certificates,
    OperationsOptions Operations)
{
    /// <exception cref="ConfigurationException">With all faults.</exception>
    public static Settings Read(IConfiguration configuration, string baseDirectory)
    {
        var reader = new ConfigurationReader(configuration, baseDirectory);
        var ledger = LedgerOptions.Read(reader);
        var bridge = SigningIdentity.Read(reader, "Ledger:Certificate", ledger.Certificate, "Ledger:Key", ledger.Key);
        var settings = new Settings(
            HospitalOptions.Read(reader), ServerOptions.Read(reader), AccessOptions.Read(reader), StoreOptions.Read(reader), ledger, bridge!,
            WatchingOptions.Read(reader), ExtractionSettings.Read(reader), AnchoringOptions.Read(reader), EnrolmentOptions.Read(reader),
            CertificatesOptions.Read(reader), OperationsOptions.Read(reader));
        reader.ThrowIfFaulty();
        return settings;
    }
}
